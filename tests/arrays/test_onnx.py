"""Layers read from ONNX models: every product counted, whatever quantizes it, and dynamic shapes named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from flowc.arrays import Layer, Network, load_network
from flowc.arrays.onnx_layers import read_network
from flowc.errors import ModelError, UnsupportedError
from tests.netbuild import cnn

FLOAT, INT8, INT32 = TensorProto.FLOAT, TensorProto.INT8, TensorProto.INT32


def model(
    nodes: list[onnx.NodeProto],
    inputs: dict[str, list[Any]],
    weights: dict[str, np.ndarray[Any, Any]] | None = None,
    output: str = "y",
    kind: int = FLOAT,
    opset: int = 17,
) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info(name, kind, dims) for name, dims in inputs.items()],
        [onnx.ValueInfoProto(name=output)],
        [numpy_helper.from_array(array, name) for name, array in (weights or {}).items()],
    )
    domains = sorted({node.domain for node in nodes} - {""})
    imports = [helper.make_opsetid("", opset), *(helper.make_opsetid(domain, 1) for domain in domains)]
    return helper.make_model(graph, opset_imports=imports, ir_version=10)


def zeros(*shape: int) -> np.ndarray[Any, Any]:
    return np.zeros(shape, np.float32)


def node(op: str, inputs: list[str], output: str = "y", domain: str = "", **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(op, inputs, [output], name=f"{op}_{output}", domain=domain, **attributes)


def only(proto: onnx.ModelProto) -> Layer:
    (layer,) = read_network(proto).layers
    return layer


@settings(max_examples=25, deadline=None)
@given(
    st.integers(1, 3), st.integers(1, 3), st.integers(1, 3), st.integers(1, 3), st.integers(1, 3), st.integers(1, 2),
    st.integers(5, 12), st.integers(5, 12), st.integers(0, 2), st.integers(1, 2),
)  # fmt: skip
def test_convolutions_against_the_reference_evaluator(
    groups: int,
    channels: int,
    filters: int,
    rows: int,
    columns: int,
    stride: int,
    high: int,
    wide: int,
    pad: int,
    gap: int,
) -> None:
    if (max(rows, columns) - 1) * gap + 1 > min(high, wide):
        return
    x, w = [1, groups * channels, high, wide], zeros(groups * filters, channels, rows, columns)
    conv = node(
        "Conv", ["x", "w"], group=groups, strides=[stride, 1], pads=[pad, 0, pad, 0], dilations=[gap, gap],
        kernel_shape=[rows, columns],
    )  # fmt: skip
    proto = model([conv], {"x": x}, {"w": w})
    layer = only(proto)
    (y,) = ReferenceEvaluator(proto).run(None, {"x": zeros(*x)})
    assert layer.macs == y.size * w[0].size
    assert (layer.rows, layer.columns, layer.groups) == (*y.shape[2:], groups)
    assert (layer.terms, layer.filters) == (channels * rows * columns, filters)


def test_one_and_three_dimensions() -> None:
    line = only(model([node("Conv", ["x", "w"])], {"x": [2, 6, 50]}, {"w": zeros(8, 6, 5)}))
    assert (line.rows, line.columns, line.kernel_rows, line.kernel_columns, line.planes) == (46, 1, 5, 1, 2)
    assert line.macs == 2 * 46 * 8 * 30
    cube = only(model([node("Conv", ["x", "w"])], {"x": [1, 2, 9, 8, 7]}, {"w": zeros(4, 2, 3, 3, 3)}))
    assert cube.macs == 7 * 6 * 5 * 4 * 54
    assert (cube.planes, cube.channels, cube.terms) == (7, 6, 54)


def test_transposed_convolution_counts_input_pixels_times_kernel() -> None:
    up = only(
        model(
            [node("ConvTranspose", ["x", "w"], strides=[2, 2], group=2)], {"x": [1, 6, 5, 4]}, {"w": zeros(6, 7, 3, 3)}
        )
    )
    assert up.macs == 5 * 4 * 6 * 7 * 9
    assert (up.positions, up.terms, up.filters, up.groups) == (20, 3, 63, 2)


@pytest.mark.parametrize("transposed", [0, 1])
def test_gemm(transposed: int) -> None:
    w = zeros(7, 5) if transposed else zeros(5, 7)
    layer = only(model([node("Gemm", ["x", "w"], transB=transposed)], {"x": [3, 5]}, {"w": w}))
    assert (layer.positions, layer.terms, layer.filters, layer.runtime) == (3, 5, 7, False)


def test_products_with_weights_on_either_side() -> None:
    right = only(model([node("MatMul", ["x", "w"])], {"x": [2, 3, 5]}, {"w": zeros(5, 7)}))
    assert (right.positions, right.terms, right.filters, right.groups) == (6, 5, 7, 1)
    left = only(model([node("MatMul", ["w", "x"])], {"x": [2, 5, 3]}, {"w": zeros(7, 5)}))
    assert (left.positions, left.terms, left.filters, left.groups) == (6, 5, 7, 1)
    vector = only(model([node("MatMul", ["x", "w"])], {"x": [5]}, {"w": zeros(5, 7)}))
    assert (vector.positions, vector.terms, vector.filters) == (1, 5, 7)
    stack = only(model([node("MatMul", ["x", "w"])], {"x": [2, 3, 5]}, {"w": zeros(2, 5, 7)}))
    assert (stack.positions, stack.groups, stack.runtime) == (3, 2, False)


def test_attention() -> None:
    """Both operands are computed: scores of 12 heads and their weighted sums, broadcast over the batch."""
    nodes = [
        node("MatMul", ["q", "k"], "scores"),
        node("Softmax", ["scores"], "weights"),
        node("MatMul", ["weights", "v"], "y"),
    ]
    found = read_network(model(nodes, {"q": [2, 12, 16, 64], "k": [1, 12, 64, 16], "v": [2, 12, 16, 64]})).layers
    assert [(n.positions, n.terms, n.filters, n.groups, n.runtime) for n in found] == [
        (16, 64, 16, 24, True), (16, 16, 64, 24, True),
    ]  # fmt: skip


def test_products_of_constants_are_no_work() -> None:
    nodes = [node("MatMul", ["a", "b"], "w"), node("MatMul", ["x", "w"])]
    layer = only(model(nodes, {"x": [4, 3]}, {"a": zeros(3, 9), "b": zeros(9, 2)}))
    assert layer.macs == 4 * 3 * 2


QUANT = "qonnx.custom_op.general"


@pytest.mark.parametrize("domain", [QUANT, "onnx.brevitas", "finn.custom_op.general", ""])
def test_qonnx_quantizers_pass_shapes_on(domain: str) -> None:
    constants = {"s": np.float32([0.1]), "z": np.float32([0]), "b": np.float32([4]), "w": zeros(6, 3, 3, 3)}
    nodes = [
        node("Quant", ["x", "s", "z", "b"], "xq", domain, signed=1, narrow=0, rounding_mode="ROUND"),
        node("BipolarQuant", ["w", "s"], "wq", domain),
        node("Conv", ["xq", "wq"], "c"),
        node("Trunc", ["c", "s", "z", "b", "b"], "y", domain),
    ]
    layer = only(model(nodes, {"x": [1, 3, 8, 8]}, constants))
    assert (layer.macs, layer.runtime) == (36 * 6 * 27, False)


def test_channels_last_operators_of_qonnx() -> None:
    conv = node("Conv", ["x", "w"], "y", "qonnx.custom_op.channels_last", kernel_shape=[3, 5], pads=[1, 2, 1, 2])
    layer = only(model([conv], {"x": [1, 9, 8, 4]}, {"w": zeros(6, 3, 5, 4)}))
    assert (layer.rows, layer.columns, layer.terms, layer.filters) == (9, 8, 60, 6)


def test_operators_of_qonnx_that_are_no_quantizers() -> None:
    pooled = [node("QuantAvgPool2d", ["x"], "a", QUANT, kernel=2, stride=2), node("Conv", ["a", "w"])]
    with pytest.raises(ModelError, match="flowc knows no shape rule for qonnx.custom_op.general::QuantAvgPool2d"):
        read_network(model(pooled, {"x": [1, 3, 8, 8]}, {"w": zeros(2, 3, 1, 1)}))
    with pytest.raises(UnsupportedError, match="XnorPopcountMatMul"):
        read_network(model([node("XnorPopcountMatMul", ["x", "w"], "y", QUANT)], {"x": [3, 8]}, {"w": zeros(8, 2)}))


def test_quantized_operators() -> None:
    scale, zero = {"s": np.float32(0.1)}, {"z": np.int8(0)}
    conv = node("QLinearConv", ["x", "s", "z", "w", "s", "z", "s", "z"], "y", group=2)
    layer = only(model([conv], {"x": [1, 4, 6, 6]}, {**scale, **zero, "w": np.zeros((8, 2, 3, 3), np.int8)}, kind=INT8))
    assert (layer.macs, layer.groups) == (16 * 8 * 18, 2)
    product = node("QLinearMatMul", ["x", "s", "z", "w", "s", "z", "s", "z"])
    layer = only(model([product], {"x": [5, 4]}, {**scale, **zero, "w": np.zeros((4, 3), np.int8)}, kind=INT8))
    assert layer.macs == 60
    for op, shape, macs in (
        ("ConvInteger", (2, 4, 3, 3), 16 * 2 * 36),
        ("MatMulInteger", (4, 4, 6, 2), 4 * 6 * 6 * 2 * 4),
    ):
        proto = model([node(op, ["x", "w"])], {"x": [1, 4, 6, 6]}, {"w": np.zeros(shape, np.int8)}, kind=INT8)
        assert only(proto).macs == macs, op


def test_operators_of_onnxruntime() -> None:
    domain = "com.microsoft"
    constants = {
        "s": np.float32(0.1),
        "z": np.int8(0),
        "w": np.zeros((7, 8), np.int8),
        "k": np.zeros((4, 4, 1, 1), np.int8),
    }
    nodes = [
        node("QLinearConv", ["x", "s", "z", "k", "s", "z", "s", "z"], "a"),
        node("QLinearAdd", ["a", "s", "z", "x", "s", "z", "s", "z"], "b", domain),
        node("QLinearConcat", ["s", "z", "a", "s", "z", "b", "s", "z"], "c", domain, axis=1),
        node("QLinearGlobalAveragePool", ["c", "s", "z", "s", "z"], "d", domain, channels_last=0),
        node("Flatten", ["d"], "e"),
        node("QGemm", ["e", "s", "z", "w", "s", "z", "", "s", "z"], "y", domain, transB=1),
    ]
    found = read_network(model(nodes, {"x": [1, 4, 6, 6]}, constants, kind=INT8))
    assert [layer.macs for layer in found.layers] == [36 * 16, 56]
    assert found.notes == ()


def test_fused_operators_of_onnxruntime() -> None:
    domain = "com.microsoft"
    nodes = [
        node("FusedConv", ["x", "k"], "a", domain, strides=[2, 2], activation="Relu"),
        node("Reshape", ["a", "to"], "b"),
        node("FusedGemm", ["b", "w"], "c", domain, transB=1, activation="Relu"),
        node("FusedMatMul", ["c", "v"], "y", domain, transB=1, alpha=0.5),
    ]
    constants = {"k": zeros(5, 4, 3, 3), "to": np.array([4, 5], np.int64), "w": zeros(7, 5), "v": zeros(3, 7)}
    found = read_network(model(nodes, {"x": [1, 4, 6, 6]}, constants))
    assert [layer.macs for layer in found.layers] == [4 * 5 * 36, 4 * 5 * 7, 4 * 7 * 3]
    assert found.notes == ()
    last = node("QLinearConv", ["x", "s", "z", "k", "s", "z", "s", "z"], "y", domain, channels_last=1)
    with pytest.raises(UnsupportedError, match=r"'QLinearConv_y' \(QLinearConv\): holds products"):
        read_network(
            model(
                [last],
                {"x": [1, 6, 6, 4]},
                {"s": np.float32(1), "z": np.int8(0), "k": np.zeros((5, 4, 3, 3), np.int8)},
                kind=INT8,
            )
        )


def test_quantize_dequantize_nodes_around_weights() -> None:
    constants = {"s": np.float32(0.1), "z": np.int8(0), "w": np.zeros((4, 3, 3, 3), np.int8)}
    nodes = [
        node("QuantizeLinear", ["x", "s", "z"], "xq"),
        node("DequantizeLinear", ["xq", "s", "z"], "xd"),
        node("DequantizeLinear", ["w", "s", "z"], "wd"),
        node("Conv", ["xd", "wd"], "y"),
    ]
    assert only(model(nodes, {"x": [1, 3, 5, 5]}, constants)).macs == 9 * 4 * 27


def test_a_net_of_the_test_suite() -> None:
    network = read_network(cnn())
    assert network.macs == sum(layer.macs for layer in network.layers) > 0
    assert not any(layer.runtime for layer in network.layers)


ZOO = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"


@pytest.mark.skipif(not ZOO.is_dir(), reason="this installation of onnx comes without its light models")
@pytest.mark.parametrize(("file", "table"), [("light_resnet50.onnx", "resnet50"), ("light_vgg19.onnx", None)])
def test_models_that_come_with_onnx(file: str, table: str | None) -> None:
    found = read_network(ZOO / file)
    if table is None:
        assert found.macs / 1e9 == pytest.approx(19.63, abs=0.005)  # torchvision: 19.63 G
        return

    def sizes(network: Network) -> list[tuple[int, ...]]:
        return sorted((n.rows, n.columns, n.terms, n.filters, n.groups, n.stride_rows) for n in network.layers)

    assert sizes(found) == sizes(load_network(table))


def test_shape_arithmetic_that_inference_does_not_follow() -> None:
    """Shape -> Gather -> Mul -> Concat -> Reshape with a Where in between, as exporters of attention masks write it."""
    one = np.array([1], np.int64)
    nodes = [
        node("Shape", ["x"], "shape"),
        node("Gather", ["shape", "last"], "size"),
        node("Equal", ["size", "minus"], "none"),
        node("Where", ["none", "minus", "size"], "kept"),
        node("Concat", ["rows", "kept"], "target", axis=0),
        node("Reshape", ["x", "target"], "r"),
        node("MatMul", ["r", "w"]),
    ]
    constants = {"last": np.array([2], np.int64), "minus": -one, "rows": np.array([-1], np.int64), "w": zeros(6, 2)}
    layer = only(model(nodes, {"x": [1, 4, 6]}, constants))
    assert (layer.positions, layer.terms, layer.filters) == (4, 6, 2)


def test_a_dynamic_batch_is_one_image() -> None:
    for first in ("N", None, 0):
        layer = only(model([node("MatMul", ["x", "w"])], {"x": [first, 5]}, {"w": zeros(5, 7)}))
        assert layer.positions == 1


def test_dynamic_shapes_are_named_and_can_be_given() -> None:
    proto = model([node("Conv", ["x", "w"])], {"x": ["N", 3, "height", None]}, {"w": zeros(4, 3, 3, 3)})
    with pytest.raises(ModelError) as error:
        read_network(proto)
    assert str(error.value) == (
        "input 'x' has dynamic dimensions: 2 ('height'), 3 ('?'); counts need numbers. "
        "Give its shape: --input-shape x=1,3,224,224."
    )
    assert load_network(proto, {"x": [2, 3, 10, 8]}).macs == 2 * 8 * 6 * 4 * 27
    with pytest.raises(ModelError, match="the model has no input 'z'. Its inputs are x"):
        read_network(proto, {"z": [1]})
    with pytest.raises(ModelError, match="has 4 dimensions, and \\[1, 3\\] are given"):
        read_network(proto, {"x": [1, 3]})
    with pytest.raises(ModelError, match="not at least 1"):
        read_network(proto, {"x": [1, 3, 0, 8]})


def test_a_shape_that_depends_on_data_is_named() -> None:
    nodes = [node("NonZero", ["x"], "n"), node("Cast", ["n"], "f", to=FLOAT), node("MatMul", ["v", "f"])]
    with pytest.raises(
        ModelError, match="node 'MatMul_y': the shape of its tensor 'f' is not known. Export the model with static"
    ):
        read_network(model(nodes, {"x": [4, 4], "v": [3, 2]}))


def test_hidden_products_are_refused_all_at_once() -> None:
    nodes = [
        node("LSTM", ["x", "w", "w"], "a", hidden_size=2),
        node("Einsum", ["x", "x"], "b", equation="abc,abd->acd"),
    ]
    with pytest.raises(UnsupportedError, match="2 unsupported nodes: 'LSTM_a' .*'Einsum_b' .*CSV table"):
        read_network(model(nodes, {"x": [1, 2, 3]}, {"w": zeros(1, 8, 3)}, "a"))


def test_operators_nobody_knows_are_noted() -> None:
    nodes = [node("Mystery", ["x"], "a", "my.domain"), node("MatMul", ["x", "w"])]
    found = read_network(model(nodes, {"x": [2, 5]}, {"w": zeros(5, 7)}))
    assert found.notes == ("operators that flowc does not know are taken to hold no products: my.domain::Mystery",)
    nodes = [node("Mystery", ["x"], "a", "my.domain"), node("MatMul", ["a", "w"])]
    with pytest.raises(ModelError, match="flowc knows no shape rule for my.domain::Mystery"):
        read_network(model(nodes, {"x": [2, 5]}, {"w": zeros(5, 7)}))


def test_a_model_without_products() -> None:
    with pytest.raises(ModelError, match="no convolution and no matrix product"):
        read_network(model([node("Relu", ["x"])], {"x": [2, 5]}))


def test_contradicting_shapes() -> None:
    with pytest.raises(ModelError, match=r"contradict each other|does not fit together"):
        read_network(model([node("MatMul", ["x", "w"])], {"x": [2, 5]}, {"w": zeros(6, 7)}))
    with pytest.raises(ModelError, match=r"contradict each other|can't be divided"):
        read_network(model([node("Conv", ["x", "w"], group=2)], {"x": [1, 4, 5, 5]}, {"w": zeros(4, 3, 1, 1)}))
