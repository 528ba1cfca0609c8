"""However fast a network is wanted, nothing of what is folded exceeds what one loop, one array or one integer can be."""

from __future__ import annotations

import pytest

from flowc.backends.hls.split import split_large
from flowc.dataflow.allocate.allocation import allocate
from flowc.dataflow.allocate.fold import MAX_LANES
from flowc.model.dtypes import BIPOLAR, IntType, SInt, UInt
from flowc.targets import load_target
from flowc.units import Mvtu, Vvtu
from flowc.units.cost import MAX_PRODUCTS, WIDEST_WORD
from flowc.units.graph import Dataflow
from tests.dataflow.allocate.nets import Net


def wide(weight: IntType, act: IntType) -> Dataflow:
    """784 inputs into 64 outputs: 50,176 products in one cycle, if they were let."""
    net = Net(1, 1, 784, act)
    net.matrix(64, weight, act)
    net.matrix(10, weight, None)
    return net.done("wide")


def deep(act: IntType) -> Dataflow:
    net = Net(6, 6, 512, act)
    net.depthwise(SInt(2), act)
    net.conv(512, SInt(2), None, k=1)
    return net.done("deep")


@pytest.mark.parametrize(
    "graph", [wide(BIPOLAR, BIPOLAR), wide(SInt(8), UInt(8)), deep(UInt(1)), deep(UInt(4))], ids=["1", "8", "d1", "d4"]
)
def test_no_cap_is_exceeded_at_the_highest_rate(graph: Dataflow) -> None:
    found = allocate(graph, load_target("u250"))
    for unit in split_large(found.graph):
        lanes = [*unit.in_widths, *unit.out_widths]
        bits = [w * f.dtype.bits for w, f in zip(lanes, [*unit.inputs, *unit.outputs], strict=True)]
        assert max(bits, default=0) <= WIDEST_WORD
        if isinstance(unit, Mvtu):
            assert unit.pe * unit.simd <= MAX_PRODUCTS
            assert max(lanes) <= MAX_LANES
            assert unit.simd * unit.weight_type.bits <= WIDEST_WORD
        if isinstance(unit, Vvtu):
            assert unit.products <= MAX_PRODUCTS
            assert max(lanes) <= MAX_LANES


def test_a_wide_layer_is_several_loops() -> None:
    found = allocate(wide(BIPOLAR, BIPOLAR), load_target("u250"))
    assert max(u.pe * u.simd for u in found.graph if isinstance(u, Mvtu)) > MAX_PRODUCTS
    assert len(split_large(found.graph).units) > len(found.graph.units)
