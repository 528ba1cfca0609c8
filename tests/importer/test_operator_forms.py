"""Every operator form of every opset: imported, run as reference, compared with onnxruntime on the original."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper

from flowc.importer import load_model
from flowc.model.ir import shape_of
from flowc.model.reference import Reference
from tests.netbuild import Net
from tests.oracle import run_onnxruntime, standard_form

Body = Callable[[Net, str], str]


def _i(net: Net, *numbers: int) -> str:
    return net.const(np.asarray(numbers, np.int64))


def _f(net: Net, *numbers: float) -> str:
    return net.const(np.asarray(numbers, np.float32))


def _conv(kernel: int | tuple[int, ...] = 3, **attributes: Any) -> Body:
    return lambda net, x: net.conv(x, 4, 4, kernel, bias=True, **attributes)


def _gemm_forms(net: Net, x: str) -> str:
    flat = net.reshape(x, [-1, 4 * 7 * 6])
    w = net.weight([168, 3])
    y = net.op("Gemm", flat, w, net.const(net.rng.normal(0, 1, (3,))), alpha=0.5, beta=2.0)
    return net.op("Gemm", y, net.weight([3, 3]))


def _gemm_trans_a(net: Net, x: str) -> str:
    square = net.op("MatMul", net.reshape(x, [-1, 4 * 7 * 6]), net.weight([168, 4]))
    column = net.op("Transpose", square, perm=[1, 0])
    return net.op("Gemm", column, net.weight([4, 2]), transA=1)


def _chunk(net: Net, x: str) -> str:
    """What torch.chunk exports to: Shape, Gather, arithmetic, Slice."""
    size = net.op("Gather", net.op("Shape", x), _i(net, 1), axis=0)
    half = net.op("Div", net.op("Add", size, _i(net, 1)), _i(net, 2))
    first = net.op("Slice", x, _i(net, 0), half, _i(net, 1))
    second = net.op("Slice", x, half, net.op("Mul", half, _i(net, 2)), _i(net, 1))
    return net.op("Concat", second, first, axis=1)


def _padding_subgraph(net: Net, x: str) -> str:
    """What torch.nn.functional.pad exports to."""
    value = helper.make_tensor("v", onnx.TensorProto.INT64, [1], [0])
    zeros = net.op("ConstantOfShape", _i(net, 4), value=value)
    pads = net.op("Reshape", net.op("Concat", _i(net, 1, 2, 0, 1), zeros, axis=0), _i(net, -1, 2))
    pads = net.op("Slice", pads, _i(net, -1), _i(net, -(2**63)), _i(net, 0), _i(net, -1))
    pads = net.op("Reshape", net.op("Transpose", pads, perm=[1, 0]), _i(net, -1))
    return net.op("Pad", x, net.op("Cast", pads, to=onnx.TensorProto.INT64), mode="constant")


def _dynamic_flatten(net: Net, x: str) -> str:
    """What x.view(x.size(0), -1) exports to."""
    batch = net.op("Gather", net.op("Shape", x), net.const(np.asarray(0, np.int64)), axis=0)
    batch = net.op("Unsqueeze", batch, axes=[0]) if net.opset < 13 else net.op("Unsqueeze", batch, _i(net, 0))
    return net.op("Reshape", x, net.op("Concat", batch, _i(net, -1), axis=0))


def _split_add(net: Net, x: str) -> str:
    if net.opset < 13:
        y = net.op("Split", x, axis=1, split=[1, 3], outputs=2)
    else:
        y = net.op("Split", x, _i(net, 1, 3), axis=-3, outputs=2)
    return net.add(y, f"{y}.1")


def _split_even(net: Net, x: str) -> str:
    count: dict[str, Any] = {"num_outputs": 2} if net.opset >= 18 else {}
    y = net.op("Split", x, axis=1, outputs=2, **count)
    return net.op("Mul", y, f"{y}.1")


CASES: dict[str, tuple[tuple[int, ...], Body]] = {
    # convolutions; the input is [1, 4, 7, 6]
    "conv same upper": ((9, 13, 21), _conv(auto_pad="SAME_UPPER", strides=[2, 2])),
    "conv same lower": ((13,), _conv(auto_pad="SAME_LOWER", kernel=(2, 3), strides=[2, 1])),
    "conv valid": ((13,), _conv(auto_pad="VALID")),
    "conv asymmetric": ((13,), _conv(pads=[0, 1, 2, 0], dilations=[2, 1])),
    "conv group": ((13,), _conv(group=2, pads=[1] * 4)),
    "conv depthwise": ((13,), _conv(group=4, kernel=(1, 3))),
    "conv transpose": ((11, 17), lambda n, x: n.conv_transpose(x, 4, 2, 3, strides=[2, 2], pads=[1, 0, 1, 1])),
    "conv transpose shape": ((11,), lambda n, x: n.conv_transpose(x, 4, 2, 3, strides=[2, 2], output_shape=[14, 12])),
    "conv transpose same": ((11,), lambda n, x: n.conv_transpose(x, 4, 2, 3, strides=[2, 2], auto_pad="SAME_UPPER")),
    "conv transpose lower": ((11,), lambda n, x: n.conv_transpose(x, 4, 2, 3, strides=[2, 2], auto_pad="SAME_LOWER")),
    "conv transpose extra": (
        (11,),
        lambda n, x: n.conv_transpose(x, 4, 4, 3, strides=[2, 2], output_padding=[1, 0], group=2),
    ),
    # pools
    "maxpool ceil": ((10, 13), lambda n, x: n.maxpool(x, 2, ceil_mode=1)),
    "maxpool pads": ((9, 13), lambda n, x: n.maxpool(x, 3, 2, pads=[1, 1, 0, 1])),
    "maxpool same": ((9, 13), lambda n, x: n.maxpool(x, 3, 2, auto_pad="SAME_UPPER")),
    "maxpool dilated": ((13,), lambda n, x: n.maxpool(x, 2, 1, dilations=[2, 2])),
    "avgpool": ((9, 13, 20), lambda n, x: n.avgpool(x, 2, pads=[1, 0, 0, 1])),
    "avgpool with pad": ((9, 13), lambda n, x: n.avgpool(x, 2, pads=[1, 0, 0, 1], count_include_pad=1)),
    "global average": ((9, 13), lambda n, x: n.op("GlobalAveragePool", x)),
    "reduce mean": ((9, 13), lambda n, x: n.op("ReduceMean", x, axes=[2, 3], keepdims=0)),
    "reduce mean 18": ((18, 21), lambda n, x: n.op("ReduceMean", x, _i(n, -1, 2), keepdims=1)),
    "reduce mean channels": ((13,), lambda n, x: n.op("ReduceMean", x, axes=[1])),
    "reduce sum 11": ((11,), lambda n, x: n.op("ReduceSum", x, axes=[-1], keepdims=0)),
    "reduce sum 13": ((13, 21), lambda n, x: n.op("ReduceSum", x, _i(n, 1))),
    "reduce max": ((11, 13), lambda n, x: n.op("ReduceMax", x, axes=[2])),
    # linear
    "gemm forms": ((11, 13, 21), _gemm_forms),
    "gemm transA": ((13,), _gemm_trans_a),
    "linear matmul": ((9, 13), lambda n, x: n.linear(n.flatten(x), 168, 5, form="MatMul", bias=True)),
    "linear per channel": ((13,), lambda n, x: n.linear(n.flatten(x), 168, 5, per_channel=True)),
    # elementwise
    "clip attributes": ((9,), lambda n, x: n.op("Clip", x, min=0.0, max=6.0)),
    "clip inputs": ((11, 13), lambda n, x: n.op("Clip", x, n.const(np.float32(-0.25)), n.const(np.float32(0.5)))),
    "clip one side": ((11,), lambda n, x: n.op("Clip", x, "", n.const(np.float32(0.5)))),
    "batch norm": ((9, 14, 15), lambda n, x: n.bn(x, 4, signs=True)),
    "leaky relu": ((9,), lambda n, x: n.op("LeakyRelu", x)),
    "prelu": ((9, 16), lambda n, x: n.op("PRelu", x, n.const(n.rng.normal(0, 1, (4, 1, 1))))),
    "hard swish": ((14,), lambda n, x: n.op("HardSwish", x)),
    "sum of three": ((9, 13), lambda n, x: n.op("Sum", x, x, n.relu(x))),
    "mean of two": ((9, 13), lambda n, x: n.op("Mean", x, n.relu(x))),
    "tensor norm": ((13,), lambda n, x: n.op("Div", n.op("Sub", x, _f(n, 0.1)), n.op("Pow", _f(n, 2.0), _f(n, 0.5)))),
    "softmax old": ((9, 12), lambda n, x: n.op("Softmax", x)),
    "softmax old axis": ((11,), lambda n, x: n.op("Softmax", x, axis=-2)),
    "softmax": ((13,), lambda n, x: n.op("Softmax", x, axis=1)),
    "argmax": ((9, 13), lambda n, x: n.op("ArgMax", n.flatten(x), axis=1, keepdims=0)),
    "topk": ((9,), lambda n, x: n.op("TopK", n.flatten(x), k=3, outputs=2)),
    "topk input": ((11,), lambda n, x: n.op("TopK", n.flatten(x), _i(n, 3), outputs=2)),
    # layout
    "flatten": ((9, 13), lambda n, x: n.flatten(x)),
    "flatten axis": ((13,), lambda n, x: n.op("Flatten", x, axis=-2)),
    "dynamic flatten": ((9, 13), _dynamic_flatten),
    "reshape zero": ((9, 14), lambda n, x: n.reshape(x, [0, -1])),
    "squeeze": ((9,), lambda n, x: n.op("Squeeze", n.op("GlobalMaxPool", x), axes=[2, 3])),
    "squeeze input": ((13,), lambda n, x: n.op("Squeeze", n.op("GlobalMaxPool", x), _i(n, 2, 3))),
    "unsqueeze": ((9, 11), lambda n, x: n.op("Unsqueeze", n.flatten(x), axes=[2])),
    "transpose": ((13,), lambda n, x: n.op("Transpose", x, perm=[0, 2, 3, 1])),
    "split uneven": ((9, 13), _split_add),
    "split even": ((9, 13, 18), _split_even),
    "slice attributes": ((9,), lambda n, x: n.op("Slice", x, starts=[1, -3], ends=[3, 1000], axes=[1, 3])),
    "slice inputs": ((10, 13), lambda n, x: n.op("Slice", x, _i(n, -1), _i(n, -(2**40)), _i(n, 2), _i(n, -2))),
    "chunk": ((11, 13), _chunk),
    "concat": ((9, 13), lambda n, x: n.concat(x, n.relu(x), axis=-3)),
    "pad attributes": ((9,), lambda n, x: n.op("Pad", x, pads=[0, 0, 1, 0, 0, 0, 2, 1], value=0.5)),
    "pad inputs": ((11, 13), lambda n, x: n.op("Pad", x, _i(n, 0, 0, 1, 0, 0, 0, 2, 1))),
    "pad axes": ((18,), lambda n, x: n.op("Pad", x, _i(n, 1, 2), n.const(np.float32(0)), _i(n, -1))),
    "pad nothing": ((13,), lambda n, x: n.relu(n.op("Pad", x, _i(n, *[0] * 8)))),
    "padding subgraph": ((11, 13), _padding_subgraph),
    "upsample": ((9,), lambda n, x: n.op("Upsample", x, _f(n, 1, 1, 2, 3), mode="nearest")),
    "resize 10": ((10,), lambda n, x: n.op("Resize", x, _f(n, 1, 1, 2, 2), mode="nearest")),
    "resize scales": (
        (11, 13),
        lambda n, x: n.op(
            "Resize", x, _f(n), _f(n, 1, 1, 2, 2), mode="nearest", coordinate_transformation_mode="asymmetric",
            nearest_mode="floor",
        ),
    ),
    "resize sizes": ((13, 19), lambda n, x: n.op("Resize", x, "", "", _i(n, 1, 4, 13, 11), mode="nearest")),
    "depth to space": ((9,), lambda n, x: n.op("DepthToSpace", x, blocksize=2)),
    "depth to space crd": ((11, 13), lambda n, x: n.op("DepthToSpace", x, blocksize=2, mode="CRD")),
    "expand to itself": ((13,), lambda n, x: n.relu(n.op("Expand", x, _i(n, 1, 4, 1, 6)))),
    # nothing at inference
    "identity": ((13,), lambda n, x: n.relu(n.op("Identity", x))),
    "dropout": ((9, 13), lambda n, x: n.relu(n.op("Dropout", x))),
    "cast": ((13,), lambda n, x: n.op("Cast", n.relu(x), to=onnx.TensorProto.FLOAT)),
}  # fmt: skip


@pytest.mark.parametrize(("name", "opset"), [(name, opset) for name, (opsets, _) in CASES.items() for opset in opsets])
def test_operator_form_computes_what_onnxruntime_computes(name: str, opset: int) -> None:
    net = Net([1, 4, 7, 6], opset=opset)
    y = CASES[name][1](net, net.quant(net.x, 0.1, bits=5, rounding="FLOOR"))
    for node in net.nodes:  # weights are rounded down as well: opset 9 has no Round
        for attribute in node.attribute:
            if attribute.name == "rounding_mode":
                attribute.s = b"FLOOR"
    source = net.model(y, elem_type=onnx.TensorProto.INT64 if name.startswith("argmax") else onnx.TensorProto.FLOAT)
    x = np.random.default_rng(1).normal(0, 1, (3, 4, 7, 6)).astype(np.float32)
    expected = run_onnxruntime(standard_form(source), {"x": x})[y]

    model = load_model(source)
    inner = [value for node in model.graph if not node.domain for value in node.outputs]
    computed = Reference(model, outputs=[value.name for value in inner]).run({"x": x})
    result = computed[y]

    for value in inner:
        first, *rest = shape_of(value)
        assert computed[value.name].shape == (len(x) * first, *rest)
    assert model.graph.opset_imports[""] == (20 if opset > 18 else 18)
    assert result.dtype == expected.dtype
    assert result.shape == expected.shape
    np.testing.assert_allclose(result, expected, rtol=2e-6, atol=2e-6)


@pytest.mark.parametrize("declared", [1, 4, "batch"])
@pytest.mark.parametrize(
    "body", ["dynamic flatten", "flatten", "chunk", "softmax old", "reduce mean", "split even", "baked"]
)
def test_batch_of_any_declared_size(declared: int | str, body: str) -> None:
    net = Net([declared, 4, 7, 6], opset=11)
    x = net.quant(net.x, 0.1, bits=5)
    if body == "baked":
        rows = declared if isinstance(declared, int) else 1
        x = net.add(net.reshape(x, [rows, 168]), net.const(np.ones((rows, 168), np.float32)))
        y = net.relu(net.reshape(x, [rows, -1]))
    else:
        y = CASES[body][1](net, x)
    source = net.model(y)
    data = np.random.default_rng(1).normal(0, 1, (4, 4, 7, 6)).astype(np.float32)

    model = load_model(source)
    result = Reference(model).run({"x": data})[y]

    single = Net([1, 4, 7, 6], opset=11)
    x = single.quant(single.x, 0.1, bits=5)
    if body == "baked":
        z = single.relu(single.add(single.reshape(x, [1, 168]), single.const(np.ones((1, 168), np.float32))))
    else:
        z = CASES[body][1](single, x)
    expected = run_onnxruntime(standard_form(single.model(z)), {"x": data})[z]
    assert shape_of(model.graph.inputs[0]) == (1, 4, 7, 6)
    assert model.metadata_props["flowc.batch"] == ("" if declared == "batch" else str(declared))
    np.testing.assert_allclose(result, expected, rtol=2e-6, atol=2e-6)
