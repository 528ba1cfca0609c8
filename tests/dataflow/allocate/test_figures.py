"""The figures that allocation is held to, and the interval of whole networks."""

from __future__ import annotations

import itertools
import re

import pytest

from benchmarks.finn_model import finn_estimate
from benchmarks.networks import Net, mobilenet_v1
from flowc.dataflow.allocate import allocate, simulate
from flowc.errors import InfeasibleError
from flowc.model.dtypes import SInt, UInt
from flowc.streamline.compile import compile_model
from flowc.targets import load_target
from flowc.units.graph import Dataflow
from tests.dataflow.allocate.nets import cnv, residual
from tests.netbuild import cnn, mlp

ULTRA96 = load_target("ultra96")
SETTLED = 50


@pytest.mark.parametrize(("bits", "lut", "bram18"), [(1, 22_500, 125), (2, 43_985, 276)])
def test_cnv_at_3000_frames_per_second_by_both_models(bits: int, lut: int, bram18: int) -> None:
    found = allocate(cnv(bits), ULTRA96, clock_mhz=100, fps=3_000)
    other = finn_estimate(found.graph)
    assert found.fps >= 3_000
    assert max(found.resources.lut or 0, other.lut) <= lut
    assert max(found.resources.bram18 or 0, other.bram18) <= bram18


def test_a_network_larger_than_the_chip_is_told_so_with_numbers() -> None:
    with pytest.raises(InfeasibleError) as error:
        allocate(mobilenet_v1(4), ULTRA96)
    message = str(error.value)
    assert "does not fit on the chip, however slow" in message
    needed = re.search(r"([\d,]+) \w+ needed of ([\d,]+) allowed; the biggest are 'conv\d+'", message)
    assert needed is not None
    used, allowed = (int(text.replace(",", "")) for text in needed.groups())
    least = re.search(r"every folding takes ([\d.]+) times what is allowed, or more, of something", message)
    assert least is not None
    assert 1.5 < float(least[1]) <= used / allowed + 0.1
    assert "Take a larger target, weights of fewer bits" in message


def deep(layers: int) -> Dataflow:
    """Many equally slow layers in a row."""
    net = Net(24, 24, 4, UInt(2))
    for _ in range(layers):
        net.depthwise(SInt(4), UInt(2))
        net.conv(8, SInt(4), UInt(2), k=1)
    net.global_sum(UInt(4))
    return net.done("deep")


NETS = {
    "cnv_1w1a": lambda: cnv(1),
    "residual": lambda: residual(3, 8, 8),
    "deep": lambda: deep(6),
    "cnn": lambda: compile_model(cnn()).graph,
    "mlp": lambda: compile_model(mlp()).graph,
}


@pytest.mark.parametrize("target", ["ultra96", "zcu104"])
@pytest.mark.parametrize("fps", [1_000, 20_000, None])
@pytest.mark.parametrize("name", NETS)
def test_the_simulated_interval_is_the_slowest_units_cycles(name: str, fps: float | None, target: str) -> None:
    try:
        found = allocate(NETS[name](), load_target(target), clock_mhz=100, fps=fps)
    except InfeasibleError:
        assert (name, target, fps) == ("cnv_1w1a", "ultra96", 20_000)
        return
    slowest = max(u.interval for u in found.graph)
    assert found.interval_cycles == slowest
    assert simulate(found.graph, SETTLED, settled=slowest).interval == slowest


@pytest.mark.parametrize("layers", [3, 6])
def test_equally_slow_layers_fill_one_after_the_other(layers: int) -> None:
    found = allocate(deep(layers), ULTRA96, clock_mhz=100, fps=20_000)
    slowest = max(u.interval for u in found.graph)
    ends = simulate(found.graph, layers + 3).ends
    intervals = [b - a for a, b in itertools.pairwise(ends)]
    assert intervals == sorted(intervals, reverse=True)
    assert intervals[0] > slowest
    assert intervals[-1] == slowest == found.interval_cycles
    seen = simulate(found.graph, SETTLED, settled=slowest)
    assert seen.ends == ends[: len(seen.ends)]
    assert len(seen.ends) == layers + 1
