"""The argmax of a classifier on integers: ordered as the model's floats are."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto

from flowc.passes.fold_activations import FoldActivations, read_activation
from flowc.passes.integer_argmax import IntegerArgmax
from flowc.units import Requant
from tests.exact.analysis import streamlined
from tests.netbuild import Net
from tests.passes.graphs import operators, same_before_and_after


def classifier(net: Net, logits: str, **attributes: int) -> tuple[list[str], IntegerArgmax]:
    y = net.op("ArgMax", logits, axis=1, **attributes)
    step = IntegerArgmax()
    model = same_before_and_after(streamlined(net.model(y, elem_type=TensorProto.INT64)), FoldActivations(), step)
    return operators(model), step


def test_plain_accumulators() -> None:
    net = Net([1, 12])
    found, step = classifier(net, net.linear(net.quant(net.x, 0.3), 12, 6))
    assert found[-2:] == ["IntMatMul", "ArgMax"]
    assert step.changed


def test_biases_become_offsets() -> None:
    net = Net([1, 12])
    y = net.linear(net.quant(net.x, 0.3), 12, 6, bias=True)
    found, step = classifier(net, y, keepdims=0)
    assert found[-3:] == ["IntMatMul", "Requant", "ArgMax"]
    assert step.changed


@pytest.mark.parametrize("seed", range(4))
def test_order_and_ties_of_all_values(seed: int) -> None:
    """The keys order every pair of (channel, accumulator) as onnxruntime's floats do."""
    rng = np.random.default_rng(seed)
    net = Net([1, 8], seed=seed)
    bias = np.round(rng.normal(0, 3, 5) * 4) / 4 if seed % 2 else rng.normal(0, 3, 5)
    y = net.add(net.linear(net.quant(net.x, 0.25), 8, 5), net.const(bias))
    model = streamlined(net.model(net.op("ArgMax", y, axis=1), elem_type=TensorProto.INT64))
    FoldActivations()(model)
    step = IntegerArgmax()
    assert step(model).modified
    activation, _ = read_activation(next(n for n in model.graph if n.op_type == "Requant"))
    assert isinstance(activation, Requant)
    acc = np.arange(-300, 300)
    keys = (acc[:, None] * activation.mult + activation.add).reshape(-1)
    scale = np.float64(np.float32(0.25)) * np.float64(np.float32(3 / 8))
    floats = ((acc * scale).astype(np.float32)[:, None] + bias.astype(np.float32)).reshape(-1)
    order = np.argsort(floats, kind="stable")
    np.testing.assert_array_equal(np.sign(np.diff(keys[order])), np.sign(np.diff(floats[order])))


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        ({"select_last_index": 1}, "stays on the host: only the first maximum over the channels has a unit"),
        ({}, "stays on the host: its input is not a function of one integer tensor, channel by channel"),
    ],
)
def test_stays_on_the_host(attributes: dict[str, int], reason: str) -> None:
    net = Net([1, 12])
    x = net.quant(net.x, 0.3)
    y = net.linear(x, 12, 6)
    if not attributes:
        y = net.add(y, net.linear(x, 12, 6, per_channel=True))
    _, step = classifier(net, y, **attributes)
    assert not step.changed
    assert [n.text for n in step.notes] == [reason]


def test_softmax_in_between_stays_on_the_host() -> None:
    net = Net([1, 12])
    _, step = classifier(net, net.op("Softmax", net.linear(net.quant(net.x, 0.3), 12, 6), axis=1))
    assert not step.changed
    assert step.notes[0].text.startswith("stays on the host: Softmax")
