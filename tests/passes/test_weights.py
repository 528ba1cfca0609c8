"""The integer form of constant weights."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowc.importer import load_model
from flowc.model.dtypes import compact
from flowc.passes.remedies import FLOAT_WEIGHTS
from flowc.passes.weights import Term, integer_ratio, weight_terms
from flowc.units.base import Array
from tests.netbuild import Net

F = np.float32


def terms_of(net: Net, w: str, output_axis: int = 1) -> list[Term] | str:
    graph = load_model(net.model(net.op("MatMul", net.quant(net.x), w))).graph
    node = next(n for n in graph if n.op_type == "MatMul")
    return weight_terms(node.inputs[1], output_axis)


def value(terms: list[Term] | str) -> Array:
    assert not isinstance(terms, str), terms
    return sum((t.integers * t.scale for t in terms), np.zeros(terms[0].integers.shape))


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
@pytest.mark.parametrize("per_channel", [False, True])
def test_quantized_weights(bits: int, per_channel: bool) -> None:
    net = Net([1, 6])
    terms = terms_of(net, net.weight([6, 5], bits, per_channel=per_channel, axis=1))
    assert not isinstance(terms, str)
    (term,) = terms
    assert np.abs(term.integers).max() <= (1 if bits == 1 else 2 ** (bits - 1) - 1)
    assert term.scale.size == (5 if per_channel else 1)
    assert term.integers.dtype == compact(term.integers).dtype


def test_zero_points_are_taken_off() -> None:
    net = Net([1, 6])
    w = net.rng.normal(0, 0.4, (6, 5))
    terms = terms_of(net, net.quant(net.const(w), 0.1, 7.0, signed=False))
    wanted = (np.clip(np.rint(w.astype(F) / F(0.1) + 7), 0, 15) - 7) * np.float64(F(0.1))
    np.testing.assert_array_equal(value(terms), wanted)


def test_scales_over_the_inputs_fold_where_they_are_multiples() -> None:
    net = Net([1, 6])
    scale = np.array([[0.5], [1.0], [0.5], [1.5], [0.25], [2.0]], F)
    terms = terms_of(net, net.quant(net.const(net.rng.normal(0, 2, (6, 5))), scale))
    assert not isinstance(terms, str)
    (term,) = terms
    assert term.scale.reshape(-1).tolist() == [0.25] * 5
    assert terms_of(
        net, net.quant(net.const(net.rng.normal(0, 2, (6, 5))), scale * 0 + net.rng.uniform(0.1, 0.4, (6, 1)))
    ) == (
        "the weights' scale varies over the inputs of one output, by ratios that are not integers; "
        "use one scale per output channel (onnxruntime: per_channel=True; Brevitas: scaling_per_output_channel)"
    )


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 120), st.floats(1e-4, 10), st.integers(0, 999), st.booleans())
def test_float_weights_on_a_grid(top: int, unit: float, seed: int, per_channel: bool) -> None:
    net = Net([1, 6])
    rng = np.random.default_rng(seed)
    integers = rng.integers(-top, top + 1, (6, 5))
    integers[0] = rng.choice([-1, 1], 5)
    scale = (F(unit) * rng.choice([1, 0.7, 3], (1, 5) if per_channel else (1, 1))).astype(F)
    weights = (integers * scale).astype(F)
    terms = terms_of(net, net.const(weights))
    np.testing.assert_array_equal(value(terms).astype(F), weights)


def test_two_level_ternary_weights() -> None:
    """Trained ternary: one positive and one negative level per output, of unrelated size."""
    net = Net([1, 6])
    up, down = net.rng.uniform(0.5, 2, (2, 5)).astype(F)
    kind = net.rng.integers(-1, 2, (6, 5))
    weights = np.where(kind > 0, up, np.where(kind < 0, -down, F(0))).astype(F)
    terms = terms_of(net, net.const(weights))
    assert not isinstance(terms, str)
    assert len(terms) == 2
    np.testing.assert_array_equal(value(terms).astype(F), weights)
    assert all(set(np.unique(t.integers)) <= {0, 1} for t in terms)


def test_weights_off_any_grid() -> None:
    net = Net([1, 6])
    reason = terms_of(net, net.const(net.rng.normal(0, 1, (6, 5))))
    assert reason == FLOAT_WEIGHTS


def test_all_zero_outputs() -> None:
    net = Net([1, 6])
    weights = (net.rng.integers(-3, 4, (6, 5)) * F(0.3)).astype(F)
    weights[:, 2] = 0
    terms = terms_of(net, net.const(weights))
    np.testing.assert_array_equal(value(terms).astype(F), weights)


def test_integer_ratio() -> None:
    assert integer_ratio(np.zeros(3)) is None
    unit, multiples = integer_ratio(np.array([0.5, -0.75, 0.0])) or (0, np.zeros(1))
    assert (unit, multiples.tolist()) == (0.25, [2, -3, 0])
    assert integer_ratio(np.array([0.3, 0.7], F).astype(np.float64)) is None
    assert integer_ratio(np.array([1.0, 40000.0])) is None
