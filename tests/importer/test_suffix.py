"""Behind the last quantized layer any standard operator may stand: the host runs it, as onnxruntime does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto

from flowc.errors import UnsupportedError
from flowc.importer import load_model
from tests.compare import Checked, check_model
from tests.netbuild import Net
from tests.oracle import run_onnxruntime

Body = Callable[[Net, str], str]


def layers(*, opset: int = 17) -> tuple[Net, str]:
    """A quantized convolution with a float result of shape [1, 6, 4, 4]."""
    net = Net([1, 3, 8, 8], dialect="qcdq", opset=opset)
    x = net.quant(net.x, 0.0213, 128, bits=8, signed=False)
    return net, net.conv(x, 3, 6, 3, pads=[1] * 4, strides=[2, 2])


def checked(model: onnx.ModelProto) -> Checked:
    found = check_model(model, samples=1, oracle=False)
    expected = run_onnxruntime(model, found.inputs)
    for name, values in found.design.run_all(found.inputs).items():
        assert values.shape == expected[name].shape
        assert values.dtype == expected[name].dtype
        np.testing.assert_allclose(values, expected[name], rtol=1e-4, atol=1e-4)
    assert any(u.kind == "mvtu" for u in found.compiled.graph)
    return found


def nms(net: Net, y: str) -> str:
    flat = net.reshape(y, [1, 6, 16])
    cut = [net.op("Slice", flat, *(net.const(np.array([v])) for v in bounds)) for bounds in ((0, 4, 1), (4, 6, 1))]
    boxes, scores = net.op("Transpose", cut[0], perm=[0, 2, 1]), net.op("Sigmoid", cut[1])
    limits = net.const(np.array([5])), net.const([0.5]), net.const([0.3])
    return net.op("NonMaxSuppression", boxes, scores, *limits)


def rows(net: Net, y: str) -> str:
    """As many rows as there are values above a bound: a size that only the run knows."""
    return net.op(
        "Transpose", net.op("NonZero", net.op("Greater", net.reshape(y, [96]), net.const(0.517))), perm=[1, 0]
    )


def lstm(net: Net, y: str) -> str:
    turned = net.op("Transpose", net.reshape(y, [1, 6, 16]), perm=[2, 0, 1])
    weights = [net.const(net.rng.normal(0, 0.3, shape)) for shape in ((1, 12, 6), (1, 12, 3))]
    return net.op("LSTM", turned, *weights, hidden_size=3)


def wide(net: Net, y: str) -> str:
    return net.op("ReduceSum", net.op("Cast", y, to=TensorProto.DOUBLE), net.const(np.array([1])), keepdims=0)


BODIES: dict[str, Body] = {
    "nms": nms,
    "rows": rows,
    "lstm": lstm,
    "double": wide,
    "einsum": lambda net, y: net.op("Einsum", y, equation="nchw->nhw"),
    "cumsum": lambda net, y: net.op("CumSum", y, net.const(np.array(1))),
    "det": lambda net, y: net.op("Det", y),
    "group norm": lambda net, y: net.op("Elu", net.op("TopK", y, net.const(np.array([2])), outputs=2, axis=1)),
    "scatter": lambda net, y: net.op("ScatterElements", y, net.const(np.zeros((1, 1, 1, 1), np.int64)), net.const(np.ones((1, 1, 1, 1))), axis=1),
}  # fmt: skip


@pytest.mark.parametrize("body", BODIES)
def test_any_standard_operator_behind_the_last_layer(body: str) -> None:
    net, y = layers()
    kind = {"nms": TensorProto.INT64, "rows": TensorProto.INT64, "double": TensorProto.DOUBLE}
    checked(net.model(BODIES[body](net, y), elem_type=kind.get(body, TensorProto.FLOAT)))


@pytest.mark.parametrize("opset", [12, 13, 20])
def test_the_operator_set_is_the_models(opset: int) -> None:
    """What the host runs is brought to the operator set of the rest."""
    net, y = layers(opset=opset)
    model = net.model(nms(net, y), elem_type=TensorProto.INT64)
    found = checked(model)
    assert found.compiled.tail is not None
    assert found.compiled.tail.model.opset_import[0].version == (20 if opset > 18 else 18)


def test_outputs_keep_their_order_and_names() -> None:
    net, y = layers()
    first = net.quant(net.relu(y), 0.117, bits=8, signed=False)
    last = net.quant(y, 0.123, 128, bits=8, signed=False)
    model = net.model(last, net.op("Det", y), first)
    found = checked(model)
    assert list(found.compiled.outputs) == [o.name for o in model.graph.output]


@pytest.mark.parametrize(("op", "reason"), [
    ("Einsum", "it is no single product of matrices, and quantized layers lie behind it"),
    ("CumSum", "unknown to flowc, and quantized layers lie behind it"),
])  # fmt: skip
def test_in_front_of_quantized_layers_they_are_named(op: str, reason: str) -> None:
    net, y = layers()
    inputs: list[Any] = [] if op == "Einsum" else [net.const(np.array(1))]
    y = net.op(op, y, *inputs, **({"equation": "nchw->nchw"} if op == "Einsum" else {}))
    with pytest.raises(UnsupportedError, match=f"'n_{y}' .{op}.: {reason}") as caught:
        load_model(net.model(net.conv(net.quant(y, 0.1), 6, 3, 1)))
    assert "Behind the last quantized layer such an operator may stand" in str(caught.value)
