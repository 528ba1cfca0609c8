"""QDQ, QCDQ and QOperator models against onnxruntime running the very same file: all integers equal."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from flowc.errors import ModelError
from flowc.importer import load_model
from flowc.model import ir as fir
from flowc.model.reference import Reference
from tests.netbuild import Net, cnn, mlp
from tests.oracle import run_onnxruntime, with_outputs

quantization = pytest.importorskip("onnxruntime.quantization")
Array = np.ndarray[Any, Any]


def assert_integers_equal(source: onnx.ModelProto, x: Array, *, least: int) -> None:
    """Every integer tensor that onnxruntime computes in `source` equals the reference's; at least `least` of them."""
    constants = {t.name for t in source.graph.initializer}
    model = load_model(source)
    results = Reference(model).run({"x": x})
    clipped = {n.input[0]: n.output[0] for n in source.graph.node if n.op_type == "Clip"}
    names = {
        n.output[0]: clipped.get(n.output[0], n.output[0])
        for n in source.graph.node
        if (n.op_type in ("QuantizeLinear", "QGemm") or n.op_type.startswith("QLinear")) and n.input[0] not in constants
    }
    compared = {name: shown for name, shown in names.items() if f"{name}/q" in results}
    expected = run_onnxruntime(with_outputs(source, list(compared.values())), {"x": x})
    for name, shown in compared.items():
        assert np.array_equal(results[f"{name}/q"], expected[shown].astype(np.float32)), name
    for output in source.graph.output:
        np.testing.assert_allclose(results[output.name], expected[output.name], rtol=1e-5, atol=1e-5)
    assert len(compared) >= least


def samples(shape: tuple[int, ...], seed: int = 7) -> Array:
    return np.random.default_rng(seed).normal(0, 1, shape).astype(np.float32)


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_qcdq_networks(bits: int) -> None:
    assert_integers_equal(mlp(bits=bits, dialect="qcdq"), samples((8, 12)), least=2)
    assert_integers_equal(cnn(bits=bits, dialect="qcdq"), samples((4, 2, 8, 8)), least=3)
    assert_integers_equal(cnn(bits=bits, dialect="qcdq", residual=True), samples((4, 2, 8, 8)), least=4)


def test_qcdq_equals_qonnx() -> None:
    x = samples((4, 2, 8, 8))
    first, second = (Reference(load_model(cnn(dialect=d))).run({"x": x}) for d in ("qonnx", "qcdq"))
    for ours, theirs in zip(first.values(), second.values(), strict=True):
        assert np.array_equal(ours, theirs)


def test_clip_becomes_part_of_the_quantizer() -> None:
    net = Net([1, 4], dialect="qcdq")
    y = net.quant(net.x, 0.5, bits=3, narrow=True)
    model = load_model(net.model(y))
    quantize, dequantize = model.graph
    attributes = {a.name: a.value for a in quantize.attributes.values()}
    assert attributes == {
        "bits": 3, "signed": 1, "narrow": 1, "lo": -3, "hi": 3, "rounding": "ROUND", "style": "onnx",
    }  # fmt: skip
    assert fir.origins(quantize) == ("n_QuantizeLinear_3", "n_Clip_6")
    assert fir.origins(dequantize) == ("n_DequantizeLinear_7",)


def test_per_channel_activations_and_zero_points() -> None:
    net = Net([1, 3, 4, 4], dialect="qcdq", opset=13)
    y = net.quant(net.x, [0.1, 0.2, 0.3], [3, 100, 7], bits=8, signed=False)
    assert_integers_equal(net.model(y), samples((4, 3, 4, 4)), least=1)


@pytest.mark.parametrize(("kind", "opset"), [("int16", 21), ("uint16", 21), ("int4", 21), ("uint4", 21)])
def test_other_integer_types(kind: str, opset: int) -> None:
    net = Net([1, 6], opset=opset)
    zero = helper.make_tensor("z", TensorProto.DataType.Value(kind.upper()), [], [1])
    net.initializers.append(zero)
    scale = net.const(0.11)
    y = net.op("DequantizeLinear", net.op("QuantizeLinear", net.x, scale, "z"), scale, "z")
    source, x = net.model(y), samples((5, 6)) * 3
    expected = run_onnxruntime(source, {"x": x})[y]
    assert np.array_equal(Reference(load_model(source)).run({"x": x})[y], expected)


def test_int4_weights() -> None:
    net = Net([1, 6], opset=21)
    x = net.op("QuantizeLinear", net.x, net.const(0.1), net.const(0, dtype=np.uint8))
    x = net.op("DequantizeLinear", x, net.const(0.1), net.const(0, dtype=np.uint8))
    net.initializers.append(helper.make_tensor("w", TensorProto.INT4, [6, 3], [*range(-8, 8), 7, -8]))
    w = net.op("DequantizeLinear", "w", net.const([0.1, 0.2, 0.4]), axis=1)
    source, data = net.model(net.op("MatMul", x, w)), samples((4, 6))
    y = source.graph.output[0].name
    np.testing.assert_allclose(
        Reference(load_model(source)).run({"x": data})[y], run_onnxruntime(source, {"x": data})[y], rtol=1e-6, atol=1e-6
    )


def test_operators_between_quantizer_and_dequantizer_work_on_integers() -> None:
    net = Net([1, 4, 6, 6], opset=13)
    scale, zero = net.const(0.05), net.const(3, dtype=np.int8)
    q = net.op("QuantizeLinear", net.x, scale, zero)
    q = net.maxpool(q, 2)
    q = net.op("Pad", q, net.const(np.asarray([0, 0, 1, 0, 0, 0, 0, 1], np.int64)), zero)
    q = net.concat(q, net.op("Clip", q, net.const(-5, dtype=np.int8), net.const(60, dtype=np.int8)))
    q = net.op("Transpose", net.reshape(q, [1, 8, -1]), perm=[0, 2, 1])
    y = net.op("DequantizeLinear", q, scale, zero)
    source, x = net.model(y), samples((4, 4, 6, 6))
    assert np.array_equal(Reference(load_model(source)).run({"x": x})[y], run_onnxruntime(source, {"x": x})[y])


def test_integer_inputs_and_outputs_keep_their_type() -> None:
    net = Net([1, 5], opset=13)
    image = net.input("image", [1, 5], TensorProto.UINT8)
    a = net.op("DequantizeLinear", image, net.const(1 / 255), net.const(0, dtype=np.uint8))
    b = net.op("Div", net.op("Cast", image, to=TensorProto.FLOAT), net.const(255.0))
    y = net.op("QuantizeLinear", net.add(net.add(a, b), net.x), net.const(0.02), net.const(-7, dtype=np.int8))
    source = net.model(y, elem_type=TensorProto.INT8)
    inputs = {"x": samples((6, 5)), "image": np.random.default_rng(0).integers(0, 256, (6, 5), np.uint8)}
    expected = run_onnxruntime(source, inputs)[y]
    result = Reference(load_model(source)).run(inputs)[y]
    assert result.dtype == np.int8
    assert np.array_equal(result, expected)


@pytest.mark.parametrize("op_type", ["MatMulInteger", "ConvInteger"])
def test_integer_products(op_type: str) -> None:
    net = Net([1, 4, 5, 5], opset=13)
    scale, zero = net.const(0.05), net.const(100, dtype=np.uint8)
    q = net.op("QuantizeLinear", net.x, scale, zero)
    shape = (3, 4, 3, 3) if op_type == "ConvInteger" else (5, 3)
    w = net.const(net.rng.integers(-128, 128, shape), dtype=np.int8)
    y = net.op(op_type, q, w, zero, net.const(2, dtype=np.int8))
    y = net.op("Cast", net.op("Add", y, net.const(7, dtype=np.int32)), to=TensorProto.FLOAT)
    y = net.op("Mul", y, net.const(0.001))
    source, x = net.model(y), samples((3, 4, 5, 5))
    assert np.array_equal(Reference(load_model(source)).run({"x": x})[y], run_onnxruntime(source, {"x": x})[y])


# onnxruntime's own static quantization


def _float_network() -> onnx.ModelProto:
    """Every operator that onnxruntime's tool has a quantized form of, and flowc reads."""
    net = Net([1, 2, 8, 8], opset=13)

    def conv(x: str, cin: int, cout: int, kernel: int = 3, group: int = 1, **attributes: Any) -> str:
        w = net.const(net.rng.normal(0, 0.5, (cout, cin // group, kernel, kernel)))
        return net.op("Conv", x, w, net.const(net.rng.normal(0, 0.2, cout)), group=group, **attributes)

    x = net.maxpool(net.relu(conv(net.x, 2, 6, pads=[1] * 4)))
    x = net.add(x, net.relu(conv(x, 6, 6, group=6, pads=[1] * 4)))
    x = net.concat(x, net.op("LeakyRelu", conv(x, 6, 2, 1), alpha=0.1))
    x = net.avgpool(net.op("Mul", x, net.op("Sigmoid", conv(x, 8, 8, 1))))
    x = net.op("Clip", conv(x, 8, 8, 1), net.const(0.0), net.const(6.0))
    x = net.flatten(net.op("GlobalAveragePool", x))
    x = net.op("Gemm", x, net.const(net.rng.normal(0, 0.5, (7, 8))), net.const(net.rng.normal(0, 0.2, 7)), transB=1)
    return net.model(net.op("MatMul", net.relu(x), net.const(net.rng.normal(0, 0.5, (7, 5)))))


class _Calibration(quantization.CalibrationDataReader):  # type: ignore[misc, name-defined]
    def __init__(self) -> None:
        self._batches: Iterator[dict[str, Array]] = iter([{"x": samples((1, 2, 8, 8), seed)} for seed in range(4)])

    def get_next(self) -> dict[str, Array] | None:
        return next(self._batches, None)


@pytest.mark.parametrize(
    ("form", "activations", "weights", "per_channel", "least"),
    [
        ("QDQ", "QUInt8", "QInt8", True, 15),
        ("QDQ", "QInt8", "QInt8", False, 15),
        ("QDQ", "QUInt16", "QInt8", True, 15),
        ("QOperator", "QUInt8", "QInt8", True, 14),
        ("QOperator", "QUInt8", "QUInt8", False, 14),
        ("QOperator", "QInt8", "QInt8", True, 14),
    ],
)
def test_static_quantization(
    tmp_path: Path, form: str, activations: str, weights: str, per_channel: bool, least: int
) -> None:
    onnx.save(_float_network(), tmp_path / "float.onnx")
    kinds = quantization.QuantType
    quantization.quantize_static(
        tmp_path / "float.onnx",
        tmp_path / "quantized.onnx",
        _Calibration(),
        quant_format=quantization.QuantFormat[form],
        per_channel=per_channel,
        activation_type=kinds[activations],
        weight_type=kinds[weights],
        # onnxruntime's u8 x s8 kernel saturates its 16-bit sums on x86 without VNNI; 7-bit weights do not.
        reduce_range=(form, activations, weights) == ("QOperator", "QUInt8", "QInt8"),
    )
    source = onnx.load(tmp_path / "quantized.onnx")
    assert_integers_equal(source, samples((20, 2, 8, 8), seed=99), least=least)


# refusals


def _refusal(net: Net, y: str) -> str:
    with pytest.raises(ModelError) as caught:
        load_model(net.model(y))
    return str(caught.value)


def test_dynamic_scale() -> None:
    net = Net([1, 4])
    text = _refusal(net, net.op("QuantizeLinear", net.x, net.op("ReduceMax", net.x, keepdims=0)))
    assert "its scale is not a constant but computed at run time" in text


def test_blocked_quantization() -> None:
    net = Net([1, 4], opset=21)
    y = net.op("QuantizeLinear", net.x, net.const(np.ones((1, 2))), block_size=2)
    assert "it quantizes in blocks" in _refusal(net, y)


def test_zero_scale() -> None:
    net = Net([1, 4])
    assert "its scale must be finite and not zero, but is 0.0" in _refusal(
        net, net.op("QuantizeLinear", net.x, net.const(0.0))
    )


def test_clip_that_leaves_nothing() -> None:
    net = Net([1, 4])
    q = net.op("QuantizeLinear", net.x, net.const(1.0), net.const(0, dtype=np.int8))
    q = net.op("Clip", q, net.const(3, dtype=np.int8), net.const(3, dtype=np.int8))
    assert "leaves its quantizer one value or none" in _refusal(net, net.op("DequantizeLinear", q, net.const(1.0)))


def test_channels_last() -> None:
    net = Net([1, 2, 4, 4])
    scale, zero = net.const(0.1), net.const(0, dtype=np.uint8)
    q = net.op("QuantizeLinear", net.x, scale, zero)
    q = net.op("QLinearGlobalAveragePool", q, scale, zero, scale, zero, domain="com.microsoft", channels_last=1)
    assert "channels-last" in _refusal(net, net.op("DequantizeLinear", q, scale, zero))


def test_bias_of_int32_is_exact_where_onnxruntime_is() -> None:
    net = Net([1, 6], opset=13)
    bias = np.asarray([2**24 + 1, -(2**30) - 3, 12345], np.int32)
    net.initializers.append(numpy_helper.from_array(bias, "b"))
    x = net.quant(net.x, 0.1)
    net.dialect = "qcdq"
    y = net.op("Gemm", x, net.weight([6, 3]), net.op("DequantizeLinear", "b", net.const(1e-9)))
    model = load_model(net.model(y))
    add = next(n for n in model.graph if n.op_type == "Add")
    producer = fir.required(add, 1).producer()
    assert producer is not None
    integers = fir.array_of(producer.inputs[0])
    assert integers is not None
    assert np.array_equal(integers, bias.astype(np.float32))
