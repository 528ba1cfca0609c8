"""A stated integer type of a float input becomes a quantizer in front of everything."""

from __future__ import annotations

import numpy as np

from flowc.importer import load_model
from flowc.model.input_type import InputType
from flowc.model.quantizers import quantize
from flowc.model.reference import Reference
from flowc.passes.apply_input_type import ApplyInputType
from tests.netbuild import Net
from tests.passes.graphs import operators


def float_input() -> Net:
    net = Net([1, 3, 4, 4])
    y = net.add(net.conv(net.x, 3, 2), net.conv(net.x, 3, 2))
    net.model(y)
    return net


def test_quantizes_every_use() -> None:
    net = float_input()
    model = load_model(net.model(net.nodes[-1].output[0]))
    kind = InputType(8, False, 1 / 255, 3)
    assert ApplyInputType(input_type=kind)(model).modified
    assert operators(model).count("Quantize") == 1
    assert [u.node.op_type for u in model.graph.inputs[0].uses()] == ["Quantize"]
    x = np.random.default_rng(0).uniform(-0.2, 1.3, (2, 3, 4, 4)).astype(np.float32)
    name = next(n for n in model.graph if n.op_type == "Quantize").outputs[0].name
    found = Reference(model, outputs=[name or ""]).run({"x": x})[name or ""]
    wanted = quantize(x, np.float32(1 / 255), 3, lo=0, hi=255, rounding="ROUND", style="qonnx")
    np.testing.assert_array_equal(found, wanted)
    assert (found.min(), found.max()) == (0, 255)


def test_integers_stay_as_they_are() -> None:
    """On inputs that are exact multiples of the scale nothing changes but the notation."""
    net = float_input()
    before = load_model(net.model(net.nodes[-1].output[0]))
    after = load_model(net.model(net.nodes[-1].output[0]))
    ApplyInputType(input_type=InputType(4, True, 0.25))(after)
    x = (np.random.default_rng(1).integers(-8, 8, (2, 3, 4, 4)) * 0.25).astype(np.float32)
    (name,) = [v.name or "" for v in before.graph.outputs]
    np.testing.assert_array_equal(Reference(after).run({"x": x})[name], Reference(before).run({"x": x})[name])


def test_nothing_to_do() -> None:
    net = float_input()
    model = load_model(net.model(net.nodes[-1].output[0]))
    assert not ApplyInputType()(model).modified


def test_bipolar_inputs() -> None:
    net = float_input()
    model = load_model(net.model(net.nodes[-1].output[0]))
    ApplyInputType(input_type=InputType.parse("bipolar"))(model)
    (name,) = [n.outputs[0].name or "" for n in model.graph if n.op_type == "Quantize"]
    x = np.array([-1.0, -0.0, 0.0, 2.0] * 12, np.float32).reshape(1, 3, 4, 4)
    found = Reference(model, outputs=[name]).run({"x": x})[name]
    np.testing.assert_array_equal(found, np.where(x >= 0, 1, -1))
