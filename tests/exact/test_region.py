"""Regions: what lies between integer tensors and a value, gathered, evaluated, and refused with a reason."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import pytest

from flowc.exact import ops
from flowc.exact.region import Blocked, Region, compress, constant_of
from flowc.importer import load_model
from flowc.model.ir import DOMAIN, is_op
from flowc.passes.integer_ranges import integer_ranges
from tests.exact.analysis import streamlined
from tests.netbuild import Net

F = np.float32


def last_quantizer(graph: ir.Graph) -> ir.Value:
    return [n for n in graph if is_op(n, "Quantize", DOMAIN)][-1].outputs[0]


def region_of(model: onnx.ModelProto) -> Region:
    graph = streamlined(model).graph
    return Region(last_quantizer(graph), integer_ranges(graph))


def test_gathers_the_operations_in_order() -> None:
    net = Net([1, 3, 4, 4])
    y = net.relu(net.bn(net.conv(net.quant(net.x), 3, 5, 1), 5))
    region = region_of(net.model(net.quant(y)))
    assert [n.op_type for n in region.nodes] == ["Dequantize", "BatchNormalization", "Relu", "Quantize"]
    assert len(region.leaves) == 1
    assert is_op(region.leaves[0].producer(), "IntConv", DOMAIN)
    assert region.axes == (1,)
    assert region.sets == 5


def test_one_parameter_set_where_nothing_varies() -> None:
    net = Net([1, 3, 4, 4])
    region = region_of(net.model(net.quant(net.relu(net.quant(net.x, 0.3)), 0.2)))
    assert region.axes == ()
    assert region.sets == 1
    lo, hi = region.limits(region.leaves[0])
    assert (lo.tolist(), hi.tolist()) == ([-8], [7])


def test_constants_of_every_shape() -> None:
    """Per channel, per row, per element and scalar constants, evaluated like onnxruntime broadcasts them."""
    rng = np.random.default_rng(0)
    for shape in [(), (1,), (4,), (3, 1), (2, 1, 1), (1, 2, 1, 1), (1, 2, 3, 4)]:
        constant = rng.normal(1, 0.5, shape).astype(F)
        net = Net([1, 2, 3, 4])
        y = net.op("Mul", net.quant(net.x, 0.25), net.const(constant))
        region = region_of(net.model(net.quant(y, 0.3)))
        full = np.broadcast_to(constant, (1, 2, 3, 4))
        assert region.sets == int(np.prod([n if axis in region.axes else 1 for axis, n in enumerate((1, 2, 3, 4))]))
        q = rng.integers(-8, 8, (1, 2, 3, 4))
        wanted = np.clip(np.rint(((q.astype(F) * F(0.25)) * full) / F(0.3)), -8, 7)
        layout = tuple(n if axis in region.axes else 1 for axis, n in enumerate((1, 2, 3, 4)))
        sets = np.broadcast_to(np.arange(region.sets).reshape(layout), (1, 2, 3, 4))
        table = np.broadcast_to(region.evaluate({region.leaves[0]: np.arange(-8, 8)[None]}), (region.sets, 16))
        np.testing.assert_array_equal(table[sets, q + 8], wanted)


def test_rows_and_replaced_floats() -> None:
    net = Net([1, 3, 2, 2])
    region = region_of(net.model(net.quant(net.bn(net.quant(net.x, 0.3, bits=6), 3), 0.2)))
    leaf, q = region.leaves[0], np.arange(-32, 32)[None]
    whole = region.evaluate({leaf: q})
    np.testing.assert_array_equal(region.evaluate({leaf: q}, rows=slice(1, 2)), whole[1:2])
    (entry,) = region.dequantized(leaf)
    given = np.full((3, 1), 1e9, F)
    assert (
        region.evaluate({leaf: q}, {entry: given}) == region.evaluate({leaf: np.array([[31]])}, {entry: given})
    ).all()


def test_every_float_on_the_way_is_what_its_operation_makes_of_the_one_before() -> None:
    """What is computed once, what is left out because a float is given, and parameter sets picked: the same bits as step by step."""
    net = Net([1, 3, 2, 2])
    region = region_of(net.model(net.quant(net.relu(net.bn(net.quant(net.x, 0.3, bits=6), 3)), 0.2)))
    leaf, q = region.leaves[0], np.arange(-32, 32)[None]
    floats: dict[Any, Any] = {leaf: q}
    for step in region.steps:
        arguments = [floats.get(v, region.constants.get(v)) for v in step.inputs]  # type: ignore[arg-type]
        floats[step.output] = ops.evaluate(step.node, arguments)
    for value in (step.output for step in region.steps):
        wanted = floats[value]
        np.testing.assert_array_equal(region.evaluate({leaf: q}, of=value), wanted)
        np.testing.assert_array_equal(region.evaluate({}, {value: wanted}), floats[region.output])
        for rows in (slice(1, 3), np.array([2, 0, 0])):
            wide = np.broadcast_to(wanted, (3, 64))
            np.testing.assert_array_equal(
                np.broadcast_to(region.evaluate({leaf: q}, rows=rows, of=value), wide[rows].shape), wide[rows]
            )


def test_monotone_only_where_proven() -> None:
    def direction(model: onnx.ModelProto) -> object:
        region = region_of(model)
        found = region.monotone(region.leaves[0])
        return None if found is None else np.broadcast_to(found, (region.sets, 1))[:, 0].tolist()

    def net() -> Net:
        return Net([1, 3, 2, 2])

    n = net()
    assert direction(n.model(n.quant(n.relu(n.quant(n.x, 0.3))))) == [1]
    n = net()
    assert direction(n.model(n.quant(n.op("Neg", n.quant(n.x, 0.3))))) == [-1]
    n = net()
    signs = n.op("Mul", n.quant(n.x, 0.3), n.const(np.array([2, -1, 0], F).reshape(1, 3, 1, 1)))
    assert direction(n.model(n.quant(signs))) == [1, -1, 0]
    n = net()
    x = n.quant(n.x, 0.3)
    assert direction(n.model(n.quant(n.op("Mul", x, n.op("HardSigmoid", x))))) is None
    n = net()
    x = n.quant(n.x, 0.3)
    # x + relu(x) rises; x - relu(x) is not known to.
    assert direction(n.model(n.quant(n.add(x, n.relu(x))))) == [1]
    n = net()
    x = n.quant(n.x, 0.3)
    assert direction(n.model(n.quant(n.op("Sub", x, n.relu(x))))) is None


def test_blocked_by_what_is_not_elementwise_or_not_quantized() -> None:
    net = Net([1, 4])
    graph = load_model(net.model(net.quant(net.op("Softmax", net.quant(net.x), axis=1)))).graph
    with pytest.raises(Blocked, match=r"Softmax '.*' is not elementwise"):
        Region(last_quantizer(graph))
    net = Net([1, 4])
    graph = load_model(net.model(net.quant(net.relu(net.x)))).graph
    with pytest.raises(Blocked, match="the graph input 'x' is not quantized"):
        Region(last_quantizer(graph))


def test_blocked_by_broadcasting_of_the_tensor() -> None:
    net = Net([1, 4, 1, 1])
    wide = net.const(np.ones((1, 4, 3, 3), F))
    graph = load_model(net.model(net.quant(net.op("Mul", net.quant(net.x), wide)))).graph
    with pytest.raises(Blocked, match="is broadcast to"):
        Region(last_quantizer(graph), integer_ranges(graph))


def test_compress_and_constant_of() -> None:
    assert compress(np.ones((3, 4))).shape == (1, 1)
    rows = np.repeat(np.arange(3.0)[:, None], 4, axis=1)
    assert compress(rows).shape == (3, 1)
    assert compress(np.arange(12).reshape(3, 4)).shape == (3, 4)
    net = Net([1, 4])
    w = net.quant(net.const(np.eye(4) * 0.9), 0.3)
    graph = load_model(net.model(net.op("MatMul", net.quant(net.x), w))).graph
    weights = next(n for n in graph if n.op_type == "MatMul").inputs[1]
    np.testing.assert_array_equal(constant_of(weights), np.eye(4, dtype=F) * (F(3) * F(0.3)))
    assert constant_of(graph.inputs[0]) is None
    assert constant_of(None) is None


def test_deep_chains_do_not_recurse() -> None:
    net = Net([1, 2])
    y = net.quant(net.x, 0.3)
    for _ in range(1000):
        y = net.op("Add", y, net.const(F(1e-4)))
    region = region_of(net.model(net.quant(y, 0.3)))
    assert len(region.nodes) == 1002
    x = (np.arange(-8, 8, dtype=F) * F(0.3)).reshape(8, 2)
    found = region.evaluate({region.leaves[0]: np.arange(-8, 8)[None]})
    value = x
    for _ in range(1000):
        value = value + F(1e-4)
    np.testing.assert_array_equal(found.reshape(8, 2), np.clip(np.rint(value / F(0.3)), -8, 7))
