"""Negated rows give the same results, and leave one step for all thresholds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowc.exact.choose import as_thresholds
from flowc.exact.rising import negate_falling
from flowc.exact.steps import steps_by_exhaustion
from flowc.model.dtypes import BIPOLAR, IntType, SInt
from flowc.units import Thresholds
from flowc.units.base import Array


def layer(rng: np.random.Generator, rows: int, bipolar: bool, greatest: int = 3) -> tuple[Array, Thresholds, Array]:
    """Weights (rows, 5), the activation of their sums with inputs 0 to 3, and its domain (rows, 2); channels rise or fall."""
    weights = rng.integers(-3, greatest + 1, (rows, 5))
    lo, hi = 3 * np.minimum(weights, 0).sum(axis=1), 3 * np.maximum(weights, 0).sum(axis=1)
    scale, bias = rng.uniform(0.1, 0.8, rows) * rng.choice([-1, 1], rows), rng.normal(0, 3, rows)

    def function(q: Array, part: slice) -> Array:
        level = np.clip(np.floor(q * scale[part, None] + bias[part, None]), 0, 3).astype(np.int64)
        return np.where(level > 1, 1, -1) if bipolar else level

    steps = steps_by_exhaustion(function, lo, hi, 2 if bipolar else 1)
    dtype = BIPOLAR if bipolar else IntType.for_range(*steps.reached)
    domain = np.stack([lo, hi], axis=1)
    return weights, replace(as_thresholds(steps, dtype), domain=domain), domain


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.booleans())
def test_results_stay_and_every_channel_rises(seed: int, rows: int, bipolar: bool) -> None:
    rng = np.random.default_rng(seed)
    weights, before, domain = layer(rng, rows, bipolar)
    x = rng.integers(0, 4, (400, 5))
    negated, after, signs = negate_falling(weights, SInt(3), before, SInt(12))
    assert after is not None
    np.testing.assert_array_equal(after.apply(x @ negated.T), before.apply(x @ weights.T))
    assert isinstance(after, Thresholds)
    assert after.uniform_step is not None
    flipped = np.zeros(rows, bool) if signs is None else signs < 0
    np.testing.assert_array_equal(negated, np.where(flipped[:, None], -weights, weights))
    assert after.domain is not None
    np.testing.assert_array_equal(after.domain, np.where(flipped[:, None], -domain[:, ::-1], domain))


@pytest.mark.parametrize("why", ["weights", "accumulator", "domain"])
def test_what_does_not_fit_stays(why: str) -> None:
    weights, before, _ = layer(np.random.default_rng(5), 6, False)
    weights[0, 0] = -4 if why == "weights" else weights[0, 0]
    fixed = weights, replace(before, step=-np.abs(before.step)) if before.step.size > 1 else before
    acc = IntType.for_range(0, 45) if why == "accumulator" else SInt(12)
    given = replace(fixed[1], domain=None) if why == "domain" else fixed[1]
    negated, after, signs = negate_falling(weights, SInt(3), given, acc)
    assert negated is weights
    assert after is given
    assert signs is None
