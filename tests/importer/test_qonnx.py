"""The QONNX dialect against the qonnx package: its operator functions and its executor, integer by integer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest

from flowc.errors import ModelError
from flowc.importer import load_model
from flowc.model import ir as fir
from flowc.model.quantizers import ROUNDINGS, dequantize
from flowc.model.reference import Reference
from tests.netbuild import Net, cnn, mlp

quant_functions = pytest.importorskip("qonnx.custom_op.general.quant")
trunc_functions = pytest.importorskip("qonnx.custom_op.general.trunc")

Array = np.ndarray[Any, Any]


@pytest.fixture
def qonnx_executor(monkeypatch: pytest.MonkeyPatch) -> Callable[[onnx.ModelProto, Array], dict[str, Array]]:
    """Runs a model in the qonnx package, which writes temporary models of onnx's newest version unless told not to."""
    monkeypatch.setattr(onnx, "IR_VERSION", 10)
    from qonnx.core.modelwrapper import ModelWrapper
    from qonnx.core.onnx_exec import execute_onnx
    from qonnx.transformation.infer_shapes import InferShapes

    def execute(model: onnx.ModelProto, x: Array) -> dict[str, Array]:
        wrapped = ModelWrapper(model).transform(InferShapes())
        context: dict[str, Array] = execute_onnx(wrapped, {"x": x}, return_full_exec_context=True)
        return context

    return execute


def ties_and_others(scale: float, bits: int) -> Array:
    """Multiples of half a step far beyond the range, and random values; shape (1, n)."""
    rng = np.random.default_rng(bits)
    half_steps = np.arange(-(2 ** (bits + 1)) - 3, 2 ** (bits + 1) + 4, dtype=np.float32) * np.float32(scale / 2)
    return np.concatenate([half_steps, rng.normal(0, scale * 2**bits, 200).astype(np.float32)])[None]


@pytest.mark.parametrize("rounding", [*ROUNDINGS, "round", "floor", "Half_Even"])
@pytest.mark.parametrize(
    ("bits", "signed", "narrow"), [(4, 1, 0), (3, 1, 1), (4, 0, 0), (3, 0, 1), (1, 0, 0), (8, 1, 0)]
)
@pytest.mark.parametrize(("scale", "zero_point"), [(0.25, 0.0), (0.1, 3.0), (0.3, -1.5)])
def test_quant(rounding: str, bits: int, signed: int, narrow: int, scale: float, zero_point: float) -> None:
    x = ties_and_others(scale, bits)
    net = Net([1, x.shape[1]])
    y = net.quant(net.x, scale, zero_point, bits, signed=bool(signed), narrow=bool(narrow), rounding=rounding)
    expected = quant_functions.quant(
        x, np.float32(scale), np.float32(zero_point), np.float32(bits), signed, narrow, rounding
    )
    assert np.array_equal(Reference(load_model(net.model(y))).run({"x": x})[y], expected.astype(np.float32))


@pytest.mark.parametrize("zero_point", [0.0, 0.5])
def test_one_signed_bit_is_bipolar(zero_point: float) -> None:
    x = ties_and_others(0.5, 2)
    net = Net([1, x.shape[1]])
    y = net.quant(net.x, 0.5, zero_point, 1)
    expected = quant_functions.quant(x, np.float32(0.5), np.float32(zero_point), np.float32(1), 1, 0, "ROUND")
    result = Reference(load_model(net.model(y))).run({"x": x})
    assert np.array_equal(result[y], expected)
    assert set(np.unique(result[f"{y}/q"])) == {-1, 1}


@pytest.mark.parametrize("rounding", ["FLOOR", "ROUND", "ceil", "ROUND_TO_ZERO"])
@pytest.mark.parametrize("zero_point", [0.0, 2.0])
def test_trunc_version_1(rounding: str, zero_point: float) -> None:
    x = ties_and_others(0.125, 6)
    net = Net([1, x.shape[1]])
    y = net.trunc(net.x, 0.125, 8, 5, zero_point=zero_point, rounding=rounding)
    mode = "DOWN" if rounding == "ROUND_TO_ZERO" else rounding
    numbers = (np.float32(v) for v in (0.125, zero_point, 8, 5))
    expected = trunc_functions.trunc_v1(x, *numbers, mode)
    assert np.array_equal(Reference(load_model(net.model(y))).run({"x": x})[y], expected.astype(np.float32))


@pytest.mark.parametrize("rounding", ["FLOOR", "ROUND", "HALF_UP"])
@pytest.mark.parametrize(("signed", "narrow", "zero_point"), [(0, 0, 0.0), (1, 0, 0.0), (1, 1, 4.0)])
@pytest.mark.parametrize("out_scale", [1.0, 0.9])
def test_trunc_version_2(rounding: str, signed: int, narrow: int, zero_point: float, out_scale: float) -> None:
    scale = np.float32(0.125)
    x = ties_and_others(0.125, 6)
    net = Net([1, x.shape[1]])
    y = net.trunc(
        net.x, 0.125, 8, 5, zero_point=zero_point, rounding=rounding, out_scale=out_scale, signed=bool(signed),
        narrow=bool(narrow),
    )  # fmt: skip
    expected = trunc_functions.trunc_v2(
        x, scale, np.float32(zero_point), np.float32(8), narrow, signed, np.float32(out_scale), np.float32(5), rounding
    )
    assert np.array_equal(Reference(load_model(net.model(y))).run({"x": x})[y], expected.astype(np.float32))


def test_trunc_in_an_operator_set_without_round() -> None:
    x = ties_and_others(0.125, 6)
    net = Net([1, x.shape[1]], opset=9)
    y = net.flatten(net.trunc(net.x, 0.125, 8, 5))
    expected = trunc_functions.trunc_v1(x, *(np.float32(v) for v in (0.125, 0, 8, 5)), "FLOOR")
    assert np.array_equal(Reference(load_model(net.model(y))).run({"x": x})[y], expected.astype(np.float32))


def test_bipolar_quant_and_its_old_name() -> None:
    x = np.asarray([[-1.0, -0.0, 0.0, 1e-30, -1e-30, 5.0]], np.float32)
    for name in ("BipolarQuant", "BinaryQuant"):
        net = Net([1, 6])
        y = net.bipolar(net.x, 0.25)
        net.nodes[-1].op_type = name
        assert np.array_equal(
            Reference(load_model(net.model(y))).run({"x": x})[y], [[-0.25, 0.25, 0.25, 0.25, -0.25, 0.25]]
        )


@pytest.mark.parametrize("domain", ["qonnx.custom_op.general", "onnx.brevitas", "finn.custom_op.general"])
@pytest.mark.parametrize("op_type", ["Quant", "IntQuant"])
@pytest.mark.parametrize("imported", [True, False])
def test_domains_and_aliases(domain: str, op_type: str, imported: bool) -> None:
    net = Net([1, 6], opset=9, domain=domain)
    y = net.linear(net.quant(net.x), 6, 3, form="MatMul")
    for node in net.nodes:
        node.op_type = op_type if node.op_type == "Quant" else node.op_type
    source = net.model(y)
    if not imported:
        del source.opset_import[1:]
    model = load_model(source)
    assert sorted(n.op_type for n in model.graph) == ["Dequantize", "Dequantize", "MatMul", "Quantize"]
    assert [n.domain for n in model.graph] == ["flowc", "flowc", "flowc", ""]


def _network(kind: str) -> onnx.ModelProto:
    if kind == "mlp":
        return mlp()
    if kind in ("cnn", "residual"):
        return cnn(residual=kind == "residual")
    net = Net([1, 3, 8, 8], seed=3)
    if kind == "binary":
        x = net.bipolar(net.op("Sub", net.x, net.const(0.5)))
        x = net.bipolar(net.bn(net.conv(x, 3, 8, bits=1), 8, signs=True))
        return net.model(net.linear(net.flatten(x), 288, 4, bits=1, form="MatMul"))
    if kind == "per channel":
        scales = net.rng.uniform(0.1, 0.5, (1, 6, 1, 1))
        x = net.quant(net.x, 0.2, 2.0, signed=False, bits=8)
        x = net.quant(net.op("LeakyRelu", net.bn(net.conv(x, 3, 6, group=3), 6)), scales, bits=3, rounding="FLOOR")
        return net.model(net.op("GlobalAveragePool", x))
    x = net.relu(net.bn(net.conv(net.quant(net.x, 0.1, bits=8), 3, 8, per_channel=True), 8))
    x = net.avgpool(net.quant(x, 0.25, signed=False), 2)
    x = net.trunc(x, 0.25 / 4, 6, 4, out_scale=0.25, rounding="FLOOR")
    return net.model(net.linear(net.flatten(x), 72, 4))


@pytest.mark.parametrize("kind", ["mlp", "cnn", "residual", "binary", "per channel", "trunc"])
def test_networks_equal_the_qonnx_executor(
    kind: str, qonnx_executor: Callable[[onnx.ModelProto, Array], dict[str, Array]]
) -> None:
    source = _network(kind)
    model = load_model(source)
    reference = Reference(model)
    x = np.random.default_rng(5).normal(0, 1, (3, *reference.inputs["x"][1:])).astype(np.float32)
    results = reference.run({"x": x})
    dequantizers = {n.inputs[0]: n for n in model.graph if fir.is_op(n, "Dequantize", fir.DOMAIN)}
    compared = 0
    for index in range(len(x)):
        context = qonnx_executor(source, x[index : index + 1])
        for value, node in dequantizers.items():
            if value is None or value.producer() is None:
                continue
            scale, zero = (fir.array_of(v) for v in node.inputs[1:])
            assert scale is not None
            assert zero is not None
            ours = dequantize(results[str(value.name)][index : index + 1], scale, zero)
            assert np.array_equal(ours, context[str(value.name).removesuffix("/q")])
            compared += 1
        y = source.graph.output[0].name
        np.testing.assert_allclose(results[y][index : index + 1], context[y], rtol=1e-5, atol=1e-5)
    assert compared >= 6


def test_constants_are_quantized_at_import() -> None:
    model = load_model(mlp())
    matmul = next(n for n in model.graph if n.op_type == "MatMul")
    source = fir.required(matmul, 1).producer()
    assert source is not None
    weights = fir.array_of(source.inputs[0])
    assert weights is not None
    assert weights.shape == (12, 8)
    assert weights.dtype == np.float32
    assert np.array_equal(weights, np.rint(weights))
    assert 1 < np.abs(weights).max() <= 7


def test_per_channel_weights_follow_their_transpose() -> None:
    net = Net([1, 6])
    y = net.linear(net.quant(net.x), 6, 3, per_channel=True, form="MatMul")
    model = load_model(net.model(y))
    source = fir.required(next(n for n in model.graph if n.op_type == "MatMul"), 1).producer()
    assert source is not None
    arrays = [fir.array_of(v) for v in source.inputs]
    assert [a.shape for a in arrays if a is not None] == [(6, 3), (1, 3), ()]


def test_weights_quantized_twice_and_reshaped() -> None:
    net = Net([1, 6])
    w = net.reshape(net.quant(net.weight([3, 6], per_channel=True), 0.5, bits=3), [6, 3])
    y = net.op("MatMul", net.quant(net.x), w)
    model = load_model(net.model(y))
    assert sorted(n.op_type for n in model.graph) == ["Dequantize", "Dequantize", "MatMul", "Quantize"]


# refusals


def _refusal(change: Callable[[Net], None]) -> str:
    net = Net([1, 3, 4, 4])
    net.nodes.append(
        onnx.helper.make_node(
            "Quant", ["x", "s", "z", "b"], ["y"], name="the quantizer", domain=net.domain, signed=1, narrow=0,
            rounding_mode="ROUND",
        )
    )  # fmt: skip
    for name, value in (("s", 0.5), ("z", 0.0), ("b", 4.0)):
        net.initializers.append(onnx.numpy_helper.from_array(np.asarray(value, np.float32), name))
    change(net)
    with pytest.raises(ModelError) as caught:
        load_model(net.model("y"))
    assert caught.value.node == "the quantizer"
    return str(caught.value)


def _set(index: int, value: Any) -> Callable[[Net], None]:
    def change(net: Net) -> None:
        name = net.initializers[index].name
        net.initializers[index].CopyFrom(onnx.numpy_helper.from_array(np.asarray(value, np.float32), name))

    return change


@pytest.mark.parametrize("value", [0.0, [[[[0.5]], [[0.0]], [[1.0]]]]])
def test_bad_scale(value: Any) -> None:
    assert "its scale must be finite and not zero, but is" in _refusal(_set(0, value))


def test_nan_scale_computed_by_the_model() -> None:
    def change(net: Net) -> None:
        minus_one = net.const(-1.0)
        net.nodes.insert(0, onnx.helper.make_node("Sqrt", [minus_one], ["computed"], name="the quantizer"))
        net.nodes[1].input[1] = "computed"

    assert "NaN or infinite" in _refusal(change)


@pytest.mark.parametrize(("value", "shown"), [(0, "0"), (33, "33"), (-1, "-1"), (2.5, "2.5"), ([2, 3], "different")])
def test_bad_bits(value: Any, shown: str) -> None:
    assert f"its bit width must be one whole number from 1 to 32, but is {shown}" in _refusal(_set(2, value))


@pytest.mark.parametrize("shape", [(1, 4, 1, 1), (3,), (1, 1, 3, 1, 1), (2, 3, 1, 1)])
def test_scale_that_does_not_broadcast(shape: tuple[int, ...]) -> None:
    text = _refusal(_set(0, np.ones(shape)))
    assert f"its scale of shape {list(shape)} does not broadcast to the shape [1, 3, 4, 4] it quantizes" in text


@pytest.mark.parametrize("index", [1, 2, 3])
def test_parameters_computed_at_run_time(index: int) -> None:
    def change(net: Net) -> None:
        net.nodes.insert(0, onnx.helper.make_node("ReduceMax", ["x"], ["dynamic"], keepdims=0))
        net.nodes[1].input[index] = "dynamic"

    what = {1: "scale", 2: "zero point", 3: "bit width"}[index]
    assert f"its {what} is not a constant but computed at run time" in _refusal(change)


def test_unknown_rounding_mode() -> None:
    def change(net: Net) -> None:
        next(a for a in net.nodes[0].attribute if a.name == "rounding_mode").s = b"STOCHASTIC"

    assert "its rounding mode 'STOCHASTIC' is unknown. Use one of ROUND, CEIL," in _refusal(change)


def test_missing_input() -> None:
    def change(net: Net) -> None:
        del net.nodes[0].input[3:]

    assert "Quant lacks its input 3" in _refusal(change)


def test_attribute_of_the_wrong_type() -> None:
    def change(net: Net) -> None:
        del net.nodes[0].attribute[:]
        net.nodes[0].attribute.append(onnx.helper.make_attribute("signed", 1.0))

    assert "attribute 'signed' of Quant is not of type INT" in _refusal(change)
