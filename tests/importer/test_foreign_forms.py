"""What other tools write: integer inputs, casts between quantizers, integerized networks, FINN's and PULP's quantizers.

Every model is compiled, emulated, and compared with onnxruntime (or the qonnx package) on the file as it stands.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import pytest
from onnx import TensorProto, helper

from flowc.errors import ModelError
from flowc.importer import load_model
from flowc.model.input_type import InputType
from flowc.streamline.compile import compile_model
from tests.compare import check_model, inputs_for
from tests.netbuild import QONNX, Net
from tests.oracle import run_onnxruntime, standard_form

Array = npt.NDArray[Any]
SEEDS = range(3)


def integer_net(shape: list[int], kind: int = TensorProto.UINT8, seed: int = 0) -> Net:
    """A QCDQ net whose input is of an integer type."""
    net = Net(shape, dialect="qcdq", seed=seed)
    net.inputs = [helper.make_tensor_value_info("x", kind, shape)]
    return net


def assert_same(model: onnx.ModelProto, *, samples: int = 4, input_type: InputType | None = None) -> None:
    """Every integer equals the reference's, and every output onnxruntime's on the original model."""
    compiled = compile_model(model, input_type=input_type)
    inputs = inputs_for(compiled, samples)
    if input_type is not None:
        rng = np.random.default_rng(1)
        inputs = {
            n: (rng.integers(input_type.lo, input_type.hi + 1, a.shape) * input_type.scale).astype(np.float32)
            for n, a in inputs.items()
        }
    checked = check_model(model, input_type=input_type, inputs=inputs, oracle=False)
    outputs = checked.design.run_all(inputs)
    for name, expected in run_onnxruntime(model, inputs).items():
        assert outputs[name].shape == expected.shape
        assert outputs[name].dtype == expected.dtype
        scale = max(1.0, float(np.abs(expected).max()))
        assert np.abs(outputs[name].astype(np.float64) - expected).max() <= 2e-5 * scale


@pytest.mark.parametrize("kind", [TensorProto.UINT8, TensorProto.INT8, TensorProto.UINT16, TensorProto.INT16])
@pytest.mark.parametrize("seed", SEEDS)
def test_an_integer_input_is_dequantized(kind: int, seed: int) -> None:
    dtype = helper.tensor_dtype_to_np_dtype(kind)
    zero = 3 * seed
    net = integer_net([1, 7], kind, seed)
    net.opset = 21
    x = net.op("DequantizeLinear", net.x, net.const(0.02), net.const(zero, dtype=dtype))
    y = net.linear(x, 7, 5, form="plain")
    assert_same(net.model(net.quant(net.relu(y), 0.3017, signed=False)))


@pytest.mark.parametrize("pads", [[0] * 4, [1, 0, 2, 1]])
def test_an_integer_input_of_a_convolution(pads: list[int]) -> None:
    net = integer_net([1, 3, 6, 5])
    rng = net.rng
    # Weights of 6 bits: onnxruntime's kernels saturate pairs of products on processors without VNNI.
    weights = net.const(rng.integers(-32, 32, (4, 3, 3, 3)), dtype=np.int8)
    numbers = [net.const(0.02), net.const(128, dtype=np.uint8), weights, net.const(0.02), net.const(0, dtype=np.int8)]
    y = net.op(
        "QLinearConv", net.x, *numbers, net.const(0.1), net.const(120, dtype=np.uint8), kernel_shape=[3, 3], pads=pads
    )
    assert_same(net.model(y, elem_type=TensorProto.UINT8))


def test_a_cast_integer_input_runs_in_hardware() -> None:
    """Bytes to floats by a Cast: the input's type is its range, and the scaling goes into the first layer."""
    net = integer_net([1, 3, 6, 6])
    x = net.op("Div", net.op("Cast", net.x, to=TensorProto.FLOAT), net.const(255.0))
    y = net.quant(net.relu(net.conv(x, 3, 4)), 0.0513, bits=8, signed=False)
    model = net.model(net.linear(net.flatten(y), 64, 3))
    assert_same(model)
    compiled = compile_model(model)
    assert [u.frame.dtype.bits for u in compiled.graph.inputs] == [8]
    assert [u.kind for u in compiled.graph].count("mvtu") == 2


def test_integer_and_float_inputs_together() -> None:
    net = integer_net([1, 6])
    other = net.input("other", [1, 6])
    a = net.linear(net.op("DequantizeLinear", net.x, net.const(0.02), net.const(7, dtype=np.uint8)), 6, 4, form="plain")
    b = net.linear(net.quant(other, 0.1, bits=8), 6, 4, form="plain")
    assert_same(net.model(net.quant(net.relu(net.add(a, b)), 0.2009, signed=False)))


def test_an_index_input_stays_on_the_host() -> None:
    """Token numbers pick rows of an embedding on the host; the quantized layers behind it are hardware."""
    net = integer_net([1, 4], TensorProto.INT64)
    rows = net.op("Gather", net.const(net.rng.normal(0, 1, (11, 6))), net.x, axis=0)
    y = net.linear(net.quant(rows, 0.1, bits=8), 6, 3, form="plain")
    model = net.model(net.quant(y, 0.2009, bits=8))
    compiled = compile_model(model)
    x = np.random.default_rng(0).integers(0, 11, (4, 4))
    checked = check_model(model, inputs={"x": x}, oracle=False)
    assert compiled.head is not None
    assert np.array_equal(checked.design.run(x), run_onnxruntime(model, {"x": x})[model.graph.output[0].name])


@pytest.mark.parametrize("to", [TensorProto.UINT8, TensorProto.INT32, TensorProto.INT16])
def test_a_cast_between_quantize_and_dequantize(to: int) -> None:
    net = Net([1, 6], dialect="qcdq", opset=21)
    dtype = helper.tensor_dtype_to_np_dtype(to)
    q = net.op("QuantizeLinear", net.x, net.const(0.02), net.const(5, dtype=np.uint8))
    zero = net.const(0 if to == TensorProto.INT32 else 5, dtype=dtype)
    x = net.op("DequantizeLinear", net.op("Cast", q, to=to), net.const(0.02), zero)
    assert_same(net.model(net.quant(net.linear(x, 6, 4, form="plain"), 0.3017, bits=8)))


def test_a_cast_that_wraps_is_named() -> None:
    net = Net([1, 6], dialect="qcdq")
    q = net.op("QuantizeLinear", net.x, net.const(0.02), net.const(5, dtype=np.uint8))
    cast = net.op("Cast", q, to=TensorProto.INT8)
    x = net.op("DequantizeLinear", cast, net.const(0.02), net.const(0, dtype=np.int8))
    with pytest.raises(ModelError, match=f"'n_{cast}': it casts uint8 to int8, which does not hold all their values"):
        load_model(net.model(net.linear(x, 6, 4, form="plain")))


@pytest.mark.parametrize("op", ["Quant", "BipolarQuant", "Trunc"])
def test_quantizers_without_a_domain_or_attributes(op: str) -> None:
    """Old exports: the operator's name alone, and defaults for what is not said."""
    net = Net([1, 8], domain="")
    x = net.op("Quant", net.x, *(net.const(np.float32(v)) for v in (0.25, 0, 4)))
    if op == "BipolarQuant":
        x = net.op("BipolarQuant", x, net.const(1.0))
    y = net.op(
        "MatMul", x, net.op("Quant", net.const(net.rng.normal(0, 1, (8, 3))), *map(net.const, (0.2009, 0.0, 4.0)))
    )
    if op == "Trunc":
        y = net.op(
            "Trunc", net.op("Quant", y, *map(net.const, (0.05, 0.0, 8.0))), *map(net.const, (0.05, 0.0, 8.0, 4.0))
        )
    model = net.model(y)
    explicit = onnx.ModelProto()
    explicit.CopyFrom(model)
    for node in explicit.graph.node:
        if node.op_type in ("Quant", "BipolarQuant", "Trunc"):
            node.domain = QONNX
        if node.op_type == "Quant":
            node.attribute.extend(
                helper.make_attribute(k, v) for k, v in (("signed", 1), ("narrow", 0), ("rounding_mode", "ROUND"))
            )
    explicit.opset_import.append(helper.make_opsetid(QONNX, 1))
    results = [check_model(m, oracle=False) for m in (model, explicit)]
    assert np.array_equal(*(r.design.run(results[0].inputs["x"]) for r in results))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("step", [1.0, 2.0, 0.125, 1 / 3])
def test_integer_and_fixed_point_weights_held_as_float(step: float, seed: int) -> None:
    """No weight need be one step: 2, 3 and 5 have the step 1."""
    net = Net([1, 9], dialect="qcdq", seed=seed)
    weights = net.rng.choice([-7, -5, -3, -2, 2, 3, 5], (9, 4)) * step
    x = net.quant(net.x, 0.02, bits=8, signed=False)
    y = net.quant(net.relu(net.op("MatMul", x, net.const(weights))), 0.3017, bits=8, signed=False)
    wide = net.const(net.rng.integers(-300, 300, (4, 3)).astype(np.float32))
    assert_same(net.model(net.op("MatMul", y, wide)))


def integerized(rounding: str, *, first: bool, seed: int) -> onnx.ModelProto:
    net = Net([1, 2, 6, 6], seed=seed)
    rng, x = net.rng, net.x
    for cin in (2, 4):
        x = net.op("Conv", x, net.const(rng.integers(-8, 8, (4, cin, 3, 3)).astype(np.float32)), pads=[1] * 4)
        x = net.op("Mul", x, net.const(rng.integers(20, 60, (1, 4, 1, 1)).astype(np.float32)))
        x = net.op("Add", x, net.const(rng.integers(-500, 500, (1, 4, 1, 1)).astype(np.float32)))
        x = net.op("Div", x, net.const(4096.0))
        bounds = net.const(0.0), net.const(255.0)
        x = net.op(rounding, net.op("Clip", x, *bounds)) if first else net.op("Clip", net.op(rounding, x), *bounds)
    pooled = net.op(rounding, net.op("Div", net.op("GlobalAveragePool", x), net.const(2.0)))
    return net.model(net.op("MatMul", net.flatten(pooled), net.const(rng.integers(-8, 8, (4, 5)).astype(np.float32))))


@pytest.mark.parametrize(("rounding", "first"), [("Floor", False), ("Round", False), ("Ceil", True), ("Floor", True)])
def test_an_integerized_network(rounding: str, first: bool) -> None:
    assert_same(integerized(rounding, first=first, seed=int(first)), input_type=InputType.parse("uint8:1"))


@pytest.mark.parametrize("axis", [2, 3])
def test_concat_of_rows_and_columns(axis: int) -> None:
    net = Net([1, 3, 4, 5], dialect="qcdq")
    x = net.quant(net.x, 0.1, bits=8)
    a = net.quant(net.conv(x, 3, 4, 1), 0.2009)
    b = net.quant(net.conv(x, 3, 4, 3 if axis == 2 else 1, pads=[0, 1, 0, 1] if axis == 2 else [0] * 4), 0.2009)
    assert_same(net.model(net.conv(net.concat(a, b, a, axis=axis), 4, 3, 2)))


@pytest.mark.parametrize("seed", SEEDS)
def test_concat_behind_a_transpose(seed: int) -> None:
    net = Net([1, 4, 6, 5], dialect="qcdq", seed=seed)
    x = net.quant(net.x, 0.125)
    parts = []
    for cout, kernel, pads in ((4, 3, [1] * 4), (6, 1, [0] * 4)):
        y = net.quant(net.relu(net.conv(x, 4, cout, kernel, pads=pads)), 0.2511, signed=False)
        parts.append(net.reshape(net.op("Transpose", y, perm=[0, 2, 3, 1]), [1, 30, cout]))
    assert_same(net.model(net.op("MatMul", net.concat(*parts, axis=2), net.weight([10, 3]))))


@pytest.mark.parametrize("rows", [None, 1])
def test_a_constant_left_operand(rows: int | None) -> None:
    """MatMul(W, x), and weights with leading ones on either side."""
    net = Net([1, 8, 5], dialect="qcdq")
    x = net.quant(net.x, 0.125, bits=5)
    left = net.weight([6, 8]) if rows is None else net.weight([1, 6, 8])
    y = net.quant(net.relu(net.op("MatMul", left, x)), 0.3017, signed=False)
    assert_same(net.model(net.quant(net.op("MatMul", y, net.weight([1, 5, 4])), 0.317)))


def test_a_constant_left_operand_of_elementwise_operations() -> None:
    net = Net([1, 4, 5, 5], dialect="qcdq")
    y = net.conv(net.quant(net.x, 0.1, bits=6), 4, 4, 3)
    column = net.const(net.rng.normal(0, 1, (4, 1, 1)))
    y = net.op("Sub", net.const(0.7), net.op("Mul", column, net.op("Add", column, y)))
    assert_same(net.model(net.quant(y, 0.3017, bits=6)))


@pytest.mark.parametrize("kind", ["pool", "threshold", "sum"])
def test_a_net_without_a_product(kind: str) -> None:
    net = Net([1, 3, 6, 6], dialect="qcdq")
    x = net.quant(net.x, 0.1, bits=6)
    if kind == "pool":
        y = net.maxpool(x, 2)
    elif kind == "threshold":
        y = net.quant(net.relu(net.op("Mul", x, net.const([[[0.5]], [[-0.7]], [[1.3]]]))), 0.2009, signed=False)
    else:
        y = net.quant(net.avgpool(x, 3), 0.1)
    assert_same(net.model(y))


@pytest.mark.parametrize("where", ["weights", "activation", "both"])
def test_negative_scales(where: str) -> None:
    net = Net([1, 3, 5, 5])
    x = net.quant(net.x, -0.125 if where != "weights" else 0.125, bits=5)
    scale = np.array([0.1, -0.12, 0.2009, -0.15]).reshape(4, 1, 1, 1) * (
        1 if where != "activation" else np.array([1, -1, 1, -1]).reshape(4, 1, 1, 1)
    )
    w = net.quant(net.const(net.rng.normal(0, 1, (4, 3, 3, 3))), scale, bits=4)
    y = net.quant(net.relu(net.op("Conv", x, w, pads=[1] * 4)), -0.4021 if where == "both" else 0.4021021, bits=5)
    y = net.maxpool(y, 2)
    check_model(net.model(net.quant(net.conv(y, 4, 3, 1), 0.3017, bits=6)))


# FINN and PULP


def channels_last(seed: int, *, first: bool) -> onnx.ModelProto:
    """A CNN after qonnx's ConvertToChannelsLastAndClean; ``first``: the same in standard operators, channels first."""
    net = Net([1, 2, 8, 7] if first else [1, 8, 7, 2], seed=seed)
    rng, domain = net.rng, "" if first else "qonnx.custom_op.channels_last"
    x = net.quant(net.x, 0.11, bits=5)
    for cin, cout in ((2, 4), (4, 5)):
        w = rng.normal(0, 1, (cout, 3, 3, cin)).astype(np.float32)
        w = net.quant(
            net.const(w.transpose(0, 3, 1, 2) if first else w), rng.uniform(0.1, 0.3, (cout, 1, 1, 1)), narrow=True
        )
        x = net.op("Conv", x, w, domain=domain, kernel_shape=[3, 3], pads=[1, 0, 1, 1], strides=[1, 1])
        parameters = (rng.uniform(0.5, 1.5, cout), *rng.normal(0, 0.5, (2, cout)), rng.uniform(0.5, 2, cout))
        x = net.op("BatchNormalization", x, *(net.const(p) for p in parameters), domain=domain, epsilon=1e-4)
        x = net.quant(net.relu(x), 0.2511, signed=False)
        x = net.op("MaxPool", x, domain=domain, kernel_shape=[2, 1], strides=[2, 1])
    return net.model(x)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_channels_last_domain(seed: int) -> None:
    x = np.random.default_rng(seed).normal(0, 1, (3, 8, 7, 2)).astype(np.float32)
    checked = check_model(channels_last(seed, first=False), inputs={"x": x}, oracle=False)
    expected = check_model(channels_last(seed, first=True), inputs={"x": x.transpose(0, 3, 1, 2)})
    ours = checked.design.run(x)
    assert np.array_equal(ours, expected.design.run(expected.inputs["x"]).transpose(0, 2, 3, 1))
    assert checked.compiled.head is None or not any(n.op_type == "Conv" for n in checked.compiled.head.model.graph.node)


def multi_threshold(seed: int, *, bipolar: bool, per_channel: bool, layout: str) -> onnx.ModelProto:
    net = Net([1, 5, 6, 6], seed=seed)
    rng, x = net.rng, net.x

    def thresholds(x: str, channels: int, last: int, spread: float) -> str:
        attributes: dict[str, Any] = {"out_scale": 0.37, "out_bias": -1.11, "out_dtype": "INT3"}
        if bipolar:
            attributes, last = {"out_scale": 2.0, "out_bias": -1.0, "out_dtype": "BIPOLAR"}, 1
        rows = np.sort(rng.normal(0, spread, (channels if per_channel else 1, last)), axis=1)
        if layout == "NHWC":
            x = net.op("Transpose", x, perm=[0, 2, 3, 1])
        y = net.op("MultiThreshold", x, net.const(rows), domain=QONNX, data_layout=layout, **attributes)
        return net.op("Transpose", y, perm=[0, 3, 1, 2]) if layout == "NHWC" else y

    x = thresholds(x, 5, 7, 1.0)
    x = net.op("Conv", x, net.const(rng.integers(-3, 4, (4, 5, 3, 3)).astype(np.float32)), kernel_shape=[3, 3])
    x = thresholds(x, 4, 6, 5.0)
    return net.model(net.op("Conv", x, net.const(rng.integers(-3, 4, (2, 4, 1, 1)).astype(np.float32))))


@pytest.mark.parametrize("bipolar", [False, True])
@pytest.mark.parametrize(("per_channel", "layout"), [(False, ""), (True, "NCHW"), (True, "NHWC")])
def test_multi_threshold_equals_the_qonnx_package(bipolar: bool, per_channel: bool, layout: str) -> None:
    functions = pytest.importorskip("qonnx.custom_op.general.multithreshold")
    model = multi_threshold(3, bipolar=bipolar, per_channel=per_channel, layout=layout)
    checked = check_model(model, oracle=False)
    constants = {t.name: onnx.numpy_helper.to_array(t) for t in model.graph.initializer}
    values = {"x": checked.inputs["x"]}
    for node in model.graph.node:
        at = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        operands = [values.get(n, constants.get(n)) for n in node.input]
        if node.op_type == "Transpose":
            values[node.output[0]] = operands[0].transpose(at["perm"])
        elif node.op_type == "Conv":
            windows = np.lib.stride_tricks.sliding_window_view(operands[0], operands[1].shape[2:], axis=(2, 3))
            values[node.output[0]] = np.einsum("nchwij,ocij->nohw", windows, operands[1])
        else:
            last = at["data_layout"] == b"NHWC"
            args = operands[0], operands[1], at["out_scale"], at["out_bias"], last
            values[node.output[0]] = functions.multithreshold(*args).astype(np.float32)
    expected = values[model.graph.output[0].name]
    np.testing.assert_allclose(
        checked.design.run(checked.inputs["x"]), expected, rtol=0, atol=2e-5 * np.abs(expected).max()
    )


@pytest.mark.parametrize("rows", [np.ones((3, 2)), np.ones((4, 0)), np.ones(4)])
def test_thresholds_that_fit_no_channels_are_named(rows: Array) -> None:
    net = Net([1, 4])
    y = net.op("MultiThreshold", net.x, net.const(rows), domain=QONNX, out_dtype="UINT2")
    with pytest.raises(ModelError, match=f"'n_{y}': its thresholds have the shape .* and the tensor 4 channels"):
        load_model(net.model(y))


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("seed", SEEDS)
def test_requant_shift_is_integer_arithmetic(signed: bool, seed: int) -> None:
    """Products far beyond 2^24, where float32 would round before the shift."""
    net = Net([1, 6, 5, 5], seed=seed)
    rng = net.rng
    weights = rng.integers(-127, 128, (4, 6, 3, 3))
    mul, add = rng.integers(1 << 16, 1 << 18, (1, 4, 1, 1)), rng.integers(-(1 << 30), 1 << 30, (1, 4, 1, 1))
    y = net.op("Conv", net.x, net.const(weights.astype(np.float32)), kernel_shape=[3, 3])
    tensors = {"div": 1 << 26, "signed": int(signed), "n_levels_out": 256}
    attributes = {n: onnx.numpy_helper.from_array(np.array([v], np.float32)) for n, v in tensors.items()}
    factors = net.const(mul.astype(np.float32)), net.const(add.astype(np.float32))
    y = net.op("RequantShift", y, *factors, domain="PACTOps", **attributes)
    model = net.model(net.op("MatMul", net.flatten(y), net.const(rng.integers(-8, 8, (36, 3)).astype(np.float32))))
    x = rng.integers(0, 256, (6, 6, 5, 5))
    checked = check_model(
        model, input_type=InputType.parse("uint8:1"), inputs={"x": x.astype(np.float32)}, oracle=False
    )
    windows = np.lib.stride_tricks.sliding_window_view(x, (3, 3), axis=(2, 3))
    acc = np.einsum("nchwij,ocij->nohw", windows, weights)
    q = (acc * mul + add.astype(np.float32).astype(np.int64)) >> 26
    q = np.clip(q, -128, 127) if signed else np.clip(q, 0, 255)
    last = onnx.numpy_helper.to_array(model.graph.initializer[-1])
    assert np.array_equal(checked.design.run(x.astype(np.float32)), q.reshape(6, -1) @ last)


@pytest.mark.parametrize(
    ("kind", "lo", "hi", "bits"),
    [("UINT8", 0, 255, 8), ("INT4", -8, 7, 4), ("BIPOLAR", -1, 1, 1), ("TERNARY", -1, 1, 2)],
)
def test_a_finn_data_type_of_the_input_is_its_range(kind: str, lo: int, hi: int, bits: int) -> None:
    net = Net([1, 6])
    y = net.op("MatMul", net.x, net.const(net.rng.integers(-7, 8, (6, 4)).astype(np.float32)))
    model = net.model(net.quant(y, 3.1, bits=5))
    annotation = model.graph.quantization_annotation.add(tensor_name="x")
    annotation.quant_parameter_tensor_names.add(key="finn_datatype", value=kind)
    values = np.array([-1, 1]) if kind == "BIPOLAR" else np.arange(lo, hi + 1)
    x = np.random.default_rng(0).choice(values, (5, 6)).astype(np.float32)
    checked = check_model(model, inputs={"x": x}, oracle=False)
    assert [u.frame.dtype.bits for u in checked.compiled.graph.inputs] == [bits]
    plain = onnx.ModelProto()
    plain.CopyFrom(model)
    del plain.graph.quantization_annotation[:]
    assert np.array_equal(
        checked.design.run(x), run_onnxruntime(standard_form(plain), {"x": x})[plain.graph.output[0].name]
    )


def test_a_finn_data_type_of_floats_says_nothing() -> None:
    net = Net([1, 6])
    model = net.model(net.quant(net.linear(net.quant(net.x, 0.1), 6, 4), 0.3017))
    annotation = model.graph.quantization_annotation.add(tensor_name="x")
    annotation.quant_parameter_tensor_names.add(key="finn_datatype", value="FLOAT32")
    check_model(model)
