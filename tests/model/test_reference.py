"""The expansion into standard operators against the numpy definitions, and the runner's handling of samples."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import onnx
import onnx_ir as ir
import pytest

from flowc.errors import ModelError, UsageError
from flowc.importer import load_model
from flowc.model import ir as fir
from flowc.model.quantizers import ROUNDINGS, dequantize, quantize
from flowc.model.reference import EXPANSIONS, ExpansionBuilder, Reference, expand, register
from tests.netbuild import Net, cnn, mlp
from tests.oracle import reference_integers


def one_quantizer(style: str, rounding: str, zero: float, lo: int, hi: int) -> ir.Model:
    """x [1, n] -> Quantize -> Dequantize -> y, built directly in flowc's operators."""
    x = ir.Value(name="x", shape=ir.Shape([1, 400]), type=ir.TensorType(ir.DataType.FLOAT))
    graph = ir.Graph([x], [], nodes=[], opset_imports={"": 20})
    last = ir.node("Identity", [x], name="last")
    last.outputs[0].name = "y"
    last.outputs[0].shape = x.shape
    last.outputs[0].dtype = ir.DataType.FLOAT
    graph.append(last)
    graph.outputs.append(last.outputs[0])
    editor = fir.Editor(graph)
    parameters = [editor.constant(np.float32(0.25), "s"), editor.constant(np.float32(zero), "z")]
    attributes: dict[str, int | str] = {
        "bits": 8,
        "signed": 1,
        "narrow": 0,
        "lo": lo,
        "hi": hi,
        "rounding": rounding,
        "style": style,
    }
    q = editor.insert(last, "Quantize", [x, *parameters], attributes, domain="flowc", hint="q", shape=[1, 400])
    y = editor.insert(last, "Dequantize", [q, *parameters], domain="flowc", hint="dq", shape=[1, 400])
    editor.replace(last, y)
    return ir.Model(graph, ir_version=10)


@pytest.mark.parametrize("zero", [0.0, 2.0, 0.5])
@pytest.mark.parametrize(
    ("style", "rounding"), [*(("qonnx", r) for r in ROUNDINGS), ("onnx", "ROUND"), ("bipolar", "ROUND")]
)
def test_expansions_equal_the_definition(style: str, rounding: str, zero: float) -> None:
    x = (np.arange(-200, 200, dtype=np.float32) / 8 + np.float32(1e-3) * (np.arange(400) % 2))[None].astype(np.float32)
    result = Reference(one_quantizer(style, rounding, zero, -20, 30)).run({"x": x})
    scale, zero_point = np.float32(0.25), np.float32(zero)
    q = quantize(x, np.asarray(scale), np.asarray(zero_point), lo=-20, hi=30, rounding=rounding, style=style)
    assert np.array_equal(result["q"], q)
    assert np.array_equal(result["y"], dequantize(q, np.asarray(scale), np.asarray(zero_point)))


@pytest.mark.parametrize("zero", [0.0, 3.0])
def test_float64_scale(zero: float) -> None:
    model = one_quantizer("onnx", "ROUND", zero, -128, 127)
    node = next(n for n in model.graph if n.op_type == "Dequantize")
    node.replace_input_with(1, fir.Editor(model.graph).constant(np.asarray(1 / 3), "wide"))
    x = np.linspace(-30, 30, 400, dtype=np.float32)[None]
    result = Reference(model).run({"x": x})
    assert np.array_equal(result["y"], dequantize(result["q"], np.asarray(1 / 3), np.asarray(zero)))


@pytest.mark.parametrize("model", [mlp(), cnn(), cnn(residual=True)], ids=["mlp", "cnn", "residual"])
def test_integers_equal_a_hand_written_expansion(model: onnx.ModelProto) -> None:
    reference = Reference(load_model(model))
    x = np.random.default_rng(0).normal(0, 1, (6, *reference.inputs["x"][1:])).astype(np.float32)
    expected, results = reference_integers(model, {"x": x}), reference.run({"x": x})
    integers = [name for name in results if name.endswith("/q")]
    assert len(integers) >= 2
    for name in integers:
        assert np.array_equal(results[name], expected[name])
    y = model.graph.output[0].name
    np.testing.assert_allclose(results[y], expected[y], rtol=1e-5, atol=1e-5)


def test_expansion_is_standard_and_leaves_the_model_alone() -> None:
    model = load_model(cnn())
    before = str(model)
    proto = expand(model)
    onnx.checker.check_model(proto, full_check=True)
    assert {n.domain for n in proto.graph.node} == {""}
    assert [i.name for i in proto.graph.input] == ["x"]
    assert proto.ir_version == 10
    assert str(model) == before


def test_nodes_that_are_left_out_take_their_constants_with_them() -> None:
    model = load_model(cnn())
    whole = expand(model)
    out = {n for n in model.graph if n.op_type == "Conv" or (n.op_type == "Quantize" and n.outputs[0].uses())}
    part = expand(model, without=out)
    kept = [n for n in whole.graph.node if n in part.graph.node]
    assert 0 < len(kept) == len(part.graph.node) < len(whole.graph.node)
    read = {name for n in kept for name in n.input}
    assert [i for i in whole.graph.initializer if i.name in read] == list(part.graph.initializer)
    assert len(part.graph.initializer) < len(whole.graph.initializer)


def test_extra_outputs() -> None:
    model = load_model(mlp())
    inner = next(n.outputs[0].name for n in model.graph if n.op_type == "Relu")
    assert inner is not None
    assert [o.name for o in expand(model, extra_outputs=[inner, inner]).graph.output][1:] == [inner]
    assert Reference(model, outputs=[inner]).outputs == (model.graph.outputs[0].name, inner)
    with pytest.raises(ModelError, match="there is no tensor 'ghost'"):
        expand(model, extra_outputs=["ghost"])


def test_samples_do_not_influence_each_other() -> None:
    reference = Reference(load_model(cnn()))
    x = np.random.default_rng(0).normal(0, 1, (5, 2, 8, 8)).astype(np.float32)
    together = reference.run({"x": x})
    for index in range(5):
        alone = reference.run({"x": x[index : index + 1]})
        assert all(np.array_equal(together[name][index : index + 1], alone[name]) for name in together)


def test_outputs_that_are_constants_come_as_they_are() -> None:
    net = Net([1, 4])
    y = net.quant(net.x, 0.5)
    scale = net.const(0.5)
    bits = net.op("Identity", net.const(4.0))
    model = load_model(net.model(y, scale, bits))
    assert [o.name for o in model.graph.outputs] == [y, scale, bits]
    results = Reference(model).run({"x": np.ones((3, 4), np.float32)})
    assert results[y].shape == (3, 4)
    assert results[scale] == np.float32(0.5)
    assert results[bits] == np.float32(4)


@pytest.mark.parametrize(
    ("inputs", "text"),
    [
        ({}, "the model has the inputs x, but was given none"),
        ({"z": np.ones((1, 12))}, "the model has the inputs x, but was given z"),
        ({"x": np.ones((2, 11))}, "input 'x' has shape [2, 11]; the model takes [N, 12]"),
        ({"x": np.ones((0, 12))}, "input 'x' has shape [0, 12]"),
        ({"x": np.ones(12)}, "input 'x' has shape [12]"),
    ],
)
def test_wrong_inputs(inputs: dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float64]]], text: str) -> None:
    with pytest.raises(UsageError) as caught:
        Reference(load_model(mlp())).run(inputs)
    assert text in str(caught.value)


def test_different_numbers_of_samples() -> None:
    net = Net([1, 4])
    y = net.add(net.quant(net.x), net.input("other", [1, 4]))
    with pytest.raises(UsageError, match="different numbers of samples"):
        Reference(load_model(net.model(y))).run({"x": np.ones((2, 4)), "other": np.ones((3, 4))})


@pytest.fixture
def twice() -> Iterator[None]:
    """An operator of its own for one test: flowc.Twice(x) = x + x."""

    @register("Twice")
    def _twice(node: ir.Node, builder: ExpansionBuilder) -> None:
        name = node.inputs[0].name if node.inputs[0] is not None else ""
        builder.op("Add", [str(name), str(name)], node.outputs[0].name)

    yield
    del EXPANSIONS["Twice"]


def _with_operator(name: str) -> ir.Model:
    model = load_model(mlp())
    last = list(model.graph)[-1]
    fir.Editor(model.graph).replace(
        last, fir.Editor(model.graph).insert(last, name, [last.inputs[0]], domain="flowc", shape=[1, 6])
    )
    return model


@pytest.mark.usefixtures("twice")
def test_operators_can_be_registered() -> None:
    x = np.random.default_rng(0).normal(0, 1, (2, 12)).astype(np.float32)
    plain = load_model(mlp())
    inner = list(plain.graph)[-1].inputs[0]
    assert inner is not None
    expected = Reference(plain, outputs=[str(inner.name)]).run({"x": x})[str(inner.name)]
    model = _with_operator("Twice")
    assert np.array_equal(Reference(model).run({"x": x})[str(model.graph.outputs[0].name)], expected * 2)


def test_operators_without_expansion_are_refused() -> None:
    with pytest.raises(ModelError, match="flowc has no expansion of its operator Thrice"):
        expand(_with_operator("Thrice"))
