"""What ``flowc info`` says of models that can't be compiled: bits, sizes, units, refusals; and of damaged ones, no more than an error."""

from __future__ import annotations

import contextlib
import random
from typing import Any

import numpy as np
import onnx
import pytest

from flowc.errors import FlowcError, ModelError, UnsupportedError
from flowc.survey import survey
from tests.netbuild import Net, cnn, mlp

REASON = ModelError("because")


def lines(model: onnx.ModelProto, reason: FlowcError = REASON) -> list[dict[str, Any]]:
    return survey(model, reason)["nodes"]


def of(model: onnx.ModelProto, op: str) -> list[dict[str, Any]]:
    return [line for line in lines(model) if line["op"] == op]


@pytest.mark.parametrize("dialect", ["qonnx", "qcdq"])
def test_bits_come_from_the_quantizer_in_front(dialect: str) -> None:
    net = Net([1, 2, 8, 8], dialect=dialect)
    x = net.op("MaxPool", net.quant(net.x, 0.1, bits=6), kernel_shape=[2, 2], strides=[2, 2])
    (line,) = of(net.model(net.conv(x, 2, 4)), "Conv")
    assert (line["input_bits"], line["weight_bits"]) == (6, 4)
    assert line["macs"] == 2 * 2 * 4 * 18
    assert line["refused"] is None


def test_units_by_kind_and_place() -> None:
    net = Net([1, 4, 8, 8])
    x = net.quant(net.x, 0.1)
    weights = net.quant(net.const(np.ones((4, 1, 3, 3), np.float32)), 0.1)
    depthwise = net.quant(net.op("Conv", x, weights, group=4, kernel_shape=[3, 3], pads=[1, 1, 1, 1]), 0.1)
    joined = net.quant(net.op("Add", depthwise, x), 0.1)
    pooled = net.op("MaxPool", joined, kernel_shape=[2, 2], strides=[2, 2])
    model = net.model(net.op("Softmax", net.linear(net.flatten(pooled), 64, 5)))
    found = {line["op"]: line["became"] for line in lines(model)}
    assert found["Conv"] == "window + vvtu"
    assert found["Add"] == "join"
    assert found["MaxPool"] == "window + pool"
    assert found["Softmax"] == "host, behind the last quantized layer"
    assert found["Flatten"] == "order of elements"


def test_what_lacks_quantizers_says_which() -> None:
    net = Net([1, 6])
    floats = net.op("MatMul", net.x, net.const(np.ones((6, 4), np.float32)))
    both = net.op("MatMul", floats, net.op("Transpose", floats))
    first, second = of(net.model(both), "MatMul")
    assert first["refused"] == "its input is not quantized and its weights are not quantized"
    assert second["refused"] == "both of its operands are computed at run time"


def test_every_refusal_is_shown_whatever_was_raised() -> None:
    net = Net([1, 6])
    x = net.op("Foo", net.quant(net.x, 0.1), domain="mine")
    model = net.model(net.linear(net.op("Einsum", x, equation="ij->ij"), 6, 4))
    refused = {line["op"]: line["refused"] for line in lines(model) if line["refused"]}
    assert "unknown to flowc, in domain 'mine'" in refused["Foo"]
    assert "Einsum" in refused
    told = survey(model, UnsupportedError([(model.graph.node[0].name, "Quant", "no reason")]))
    assert told["nodes"][0]["refused"] == "no reason"
    assert told["compiles"] is False


def test_unknown_sizes_are_null() -> None:
    net = Net([1, 2, "height", "width"])
    found = survey(net.model(net.conv(net.quant(net.x), 2, 4)), REASON)
    assert (found["macs"], found["bops"]) == (None, None)
    assert found["weights"] == 72
    assert found["inputs"]["x"]["shape"] == [1, 2, None, None]


def damage(model: onnx.ModelProto, rng: random.Random) -> None:
    """Changes one thing at random."""
    graph = model.graph
    node, tensor = rng.choice(graph.node), rng.choice(graph.initializer)
    kind = rng.randrange(8)
    if kind == 0:
        node.op_type = rng.choice(
            ["Conv", "MatMul", "Quant", "Clip", "Constant", "Trunc", "MultiThreshold", "QuantizeLinear"]
        )
    elif kind == 1 and node.input:
        del node.input[rng.randrange(len(node.input))]
    elif kind == 2:
        del node.output[:]
    elif kind == 3 and node.input:
        node.input[0] = next(iter(rng.choice(graph.node).output), "")
    elif kind == 4:
        tensor.dims[:] = [rng.randint(-3, 1 << 40) for _ in range(rng.randint(0, 5))]
    elif kind == 5:
        tensor.data_type = rng.randint(0, 90)
    elif kind == 6:
        del node.attribute[:]
    else:
        node.domain = rng.choice(["", "x", "qonnx.custom_op.general", "com.microsoft"])


def test_damaged_models_end_in_a_survey_or_an_error() -> None:
    rng, told = random.Random(7), 0
    for base in (cnn(), mlp()):
        for _ in range(120):
            model = onnx.ModelProto()
            model.CopyFrom(base)
            for _ in range(rng.randint(1, 4)):
                damage(model, rng)
            with contextlib.suppress(FlowcError):
                told += len(survey(model, REASON)["nodes"]) > 0
    assert told > 100
