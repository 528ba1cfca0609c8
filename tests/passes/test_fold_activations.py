"""Elementwise tails as integer functions in the graph."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from flowc.exact.choose import as_table, as_thresholds
from flowc.exact.requant import find_requant
from flowc.exact.steps import steps_by_exhaustion
from flowc.model.dtypes import BIPOLAR, IntType
from flowc.model.ir import Editor, array_of
from flowc.passes.fold_activations import FoldActivations, read_activation, write_activation
from flowc.units import Activation, Requant, Table, Thresholds
from flowc.units.base import Array
from tests.exact.analysis import streamlined
from tests.netbuild import Net
from tests.passes.graphs import only, operators, same_before_and_after

F = np.float32
KINDS = {"Threshold", "Requant", "Table"}


def folded(net: Net, y: str) -> tuple[Any, FoldActivations]:
    step = FoldActivations()
    return same_before_and_after(streamlined(net.model(y)), step), step


def test_batch_norm_and_relu_become_one_node() -> None:
    net = Net([1, 3, 5, 5])
    y = net.quant(net.relu(net.bn(net.conv(net.quant(net.x, 0.3), 3, 4), 4, signs=True)), 0.29, signed=False)
    model, step = folded(net, y)
    assert step.changed
    assert not {"BatchNormalization", "Relu"} & set(operators(model))
    (node,) = [n for n in model.graph if n.op_type in KINDS]
    # The reference knows the tensor by this name.
    assert node.outputs[0].name == f"{y}/q"
    assert any(n.text.startswith("Dequantize → BatchNormalization → Relu → Quantize became") for n in step.notes)
    assert [c.tensor for c in step.certificates] == [f"{y}/q"]


def test_of_the_floats_in_front_only_the_first_that_can_be_compared_is_described() -> None:
    net = Net([1, 3, 5, 5])
    conv = net.conv(net.quant(net.x, 0.3), 3, 4)
    normed = net.op("Mul", conv, net.const(0.5))
    y = net.quant(net.relu(normed), 0.29, signed=False)
    described = {}
    for compared in (None, {conv, normed}, {normed}, {y}):
        step = FoldActivations(compared=compared)
        step(streamlined(net.model(y)))
        described[str(compared and sorted(compared))] = [s.reference for s in step.certificates[0].sums]
    assert list(described.values()) == [[conv, normed], [conv], [normed], []]


@pytest.mark.parametrize("form", ["thresholds", "requant", "table"])
def test_each_form_computes_the_same(form: str) -> None:
    net = Net([1, 3, 5, 5])
    x = net.quant(net.x, 0.3)
    if form == "thresholds":
        y = net.quant(net.bn(net.conv(x, 3, 4), 4, signs=True), 0.7, bits=2)
    elif form == "requant":
        y = net.quant(net.relu(net.conv(x, 3, 4, bits=8)), 0.017, bits=8, signed=False)
    else:
        y = net.quant(net.op("Mul", x, net.op("HardSigmoid", x)), 0.1)
    model, step = folded(net, y)
    (kind,) = KINDS & set(operators(model))
    assert kind.lower().startswith(form[:5])
    assert any(form in n.text for n in step.notes)


def test_joins() -> None:
    net = Net([1, 3, 5, 5])
    y = net.quant(net.relu(net.add(net.quant(net.x, 0.3), net.quant(net.op("Neg", net.x), 0.17))), 0.29, signed=False)
    model, _ = folded(net, y)
    assert operators(model).count("Join") == 1
    assert not {"Add", "Relu"} & set(operators(model))


def test_a_quantizer_that_changes_nothing_disappears() -> None:
    net = Net([1, 3, 5, 5])
    x = net.quant(net.x, 0.3)
    y = net.conv(net.quant(net.relu(net.quant(x, 0.3, bits=6)), 0.3, bits=8), 3, 2, 1)
    model, step = folded(net, net.quant(y, 0.5))
    assert sum("changes nothing on the integers that occur" in n.text for n in step.notes) == 1
    assert sum(op in KINDS for op in operators(model)) == 2


def test_bipolar_results_keep_their_type() -> None:
    net = Net([1, 3, 5, 5])
    model, _ = folded(net, net.bipolar(net.bn(net.conv(net.quant(net.x, 0.3), 3, 4), 4, signs=True)))
    activation, axes = read_activation(next(n for n in model.graph if n.op_type in KINDS))
    assert activation.dtype == BIPOLAR
    assert axes == (1,)


def test_declines_with_a_reason() -> None:
    net = Net([1, 4, 3, 3])
    _, step = folded(net, net.quant(net.op("Softmax", net.quant(net.x), axis=1), 0.1))
    assert [n.text.split("'")[0] for n in step.notes if "Softmax" in n.text] == ["Softmax "]
    net = Net([1, 4, 3, 3])
    a, b, c = (net.quant(net.op("Mul", net.x, net.const(F(k))), 0.3 + 0.11 * k) for k in (1, 2, 3))
    _, step = folded(net, net.quant(net.add(net.add(a, b), c), 0.4))
    assert [n.text for n in step.notes if "depends on" in n.text] == [
        (
            "it depends on 3 integer tensors at once; put a quantizer behind each sum of two (Brevitas: a QuantIdentity), "
            "or share one quantizer on all branches"
        )
    ]


@pytest.mark.parametrize("bipolar", [False, True])
def test_activations_are_read_as_they_were_written(bipolar: bool) -> None:
    net = Net([1, 3, 5, 5])
    model = streamlined(net.model(net.quant(net.relu(net.quant(net.x, 0.3, bits=8)))))
    node = next(n for n in model.graph if n.op_type == "Relu")
    source = model.graph.node(0).outputs[0]
    lo, hi = np.array([0, -3]), np.array([40, 50])
    unit = 2 if bipolar else 1

    def levels(q: Array, rows: slice) -> Array:
        shift = np.array([0, 5])[rows, None]
        return np.where(q > 10 + shift, 1, -1) if bipolar else np.clip((3 * q + 4 + shift) >> 3, 0, 15)

    steps = steps_by_exhaustion(levels, lo, hi, unit)
    dtype = BIPOLAR if bipolar else IntType(4)
    forms: list[Activation] = [as_thresholds(steps, dtype), as_table(steps, dtype)]
    if not bipolar:
        requant = find_requant(steps, dtype)
        assert requant is not None
        forms += [
            requant,
            Requant(
                dtype=dtype, mult=np.array([3]), add=np.array([0, 1]), shift=2, lo=0, hi=15, late=np.ones((2, 15), int)
            ),
        ]
        forms.append(
            Requant(dtype=dtype, mult=np.array([1]), add=np.array([0, 1]), shift=2, lo=0, hi=15, half_even=True)
        )
    for form in forms:
        value = write_activation(Editor(model.graph), node, source, form, (1,), (0, 15), ["origin"])
        written = value.producer()
        assert written is not None
        found, axes = read_activation(written)
        assert axes == (1,)
        assert type(found) is type(form)
        q = np.minimum(lo[:, None] + np.arange(40), hi[:, None]).T
        np.testing.assert_array_equal(found.apply(q), form.apply(q))
        assert found.dtype == form.dtype


def test_parameters_that_vary_over_positions() -> None:
    net = Net([1, 2, 3, 4])
    y = net.op("Mul", net.conv(net.quant(net.x, 0.3), 2, 2, 1), net.const(net.rng.uniform(0.5, 1.5, (1, 1, 3, 4))))
    model, _ = folded(net, net.quant(y, 0.4))
    activation, axes = read_activation(next(n for n in model.graph if n.op_type in KINDS))
    # The channels' ranges differ, too.
    assert set(axes) >= {2, 3}
    assert activation.channels >= 12
    assert isinstance(activation, Thresholds | Requant | Table)


def test_negative_and_zero_gamma() -> None:
    net = Net([1, 3, 5, 5])
    gamma = np.array([1.3, -0.9, 0.0, -0.0], F)
    beta, mean, var = np.array([0.1, 0.2, 3.3, -5.0], F), np.zeros(4, F), np.ones(4, F)
    y = net.conv(net.quant(net.x, 0.3), 3, 4)
    y = net.op("BatchNormalization", y, *(net.const(p) for p in (gamma, beta, mean, var)))
    model, _ = folded(net, net.quant(y, 0.31))
    node = next(n for n in model.graph if n.op_type in KINDS)
    activation, _ = read_activation(node)
    acc = np.arange(-200, 200)[:, None].repeat(4, axis=1)
    if not isinstance(activation, Table):
        result = activation.apply(acc)
        assert (np.diff(result[:, 0]) >= 0).all()
        assert (np.diff(result[:, 1]) <= 0).all()
        assert (result[:, 2] == np.clip(np.rint(F(3.3) / F(0.31)), -8, 7)).all()
        assert (result[:, 3] == -8).all()
    assert array_of(only(model, "IntConv").inputs[1]) is not None
