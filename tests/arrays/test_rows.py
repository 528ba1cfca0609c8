"""The closed forms of row stationary arrays against mappings that are executed cell by cell."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowc.arrays import Layer, Setup
from flowc.arrays.dataflows.row_stationary import Mapping, candidates, count, count_mapping
from tests.arrays.rowsim import Plan, row_stationary

few = st.integers(1, 3)


def buffer_for(layer: Layer, plan: Plan) -> int:
    """Words of a buffer that holds the sums of ``plan.together`` images and no more."""
    across = min(
        (layer.columns - 1) * layer.stride_columns + layer.kernel_columns, layer.columns * layer.kernel_columns
    )
    rows = min((plan.e - 1) * layer.stride_rows + layer.kernel_rows, plan.e * layer.kernel_rows)
    return max(plan.together * (plan.q * plan.r * rows * across + plan.p * plan.t * plan.e * layer.columns), 2)


@settings(max_examples=60, deadline=None)
@given(
    st.tuples(few, st.integers(1, 5), st.integers(1, 6), st.integers(1, 5), few),  # images, channels, filters, rows, columns
    st.tuples(few, few), st.tuples(few, few), st.tuples(st.integers(1, 5), few, few, few, few, few), st.integers(0, 2**32 - 1),
)  # fmt: skip
def test_executed_mappings(
    sizes: tuple[int, ...], kernel: tuple[int, int], stride: tuple[int, int], mapping: tuple[int, ...], seed: int
) -> None:
    N, C, M, E, F = sizes
    plan = Plan(min(mapping[0], E), *mapping[1:5], together=min(mapping[5], N))
    layer = Layer("x", E, F, C, M, *kernel, *stride, planes=N)
    random = np.random.default_rng(seed)
    x = random.integers(-9, 10, (N, C, layer.input_rows, layer.input_columns))
    w = random.integers(-9, 10, (M, C, *kernel))
    result, moves = row_stationary(x, w, stride, plan)
    windows = np.lib.stride_tricks.sliding_window_view(x, kernel, axis=(2, 3))[:, :, :: stride[0], :: stride[1]]
    np.testing.assert_array_equal(result, np.einsum("ncefrs,mcrs->nmef", windows, w))
    values = [np.array([float(v)]) for v in (plan.e, plan.p, plan.q, plan.r, plan.t, *kernel)]
    counts = count_mapping(layer, Mapping(*values), Setup(buffer=buffer_for(layer, plan)))
    assert counts.cycles[0] == moves.cycles
    assert (counts.buffer[0], counts.inter_pe[0], counts.intra_pe[0]) == (moves.buffer, moves.inter_pe, moves.intra_pe)


def test_the_chosen_mapping_does_not_depend_on_the_other_arrays() -> None:
    layer = Layer("x", 28, 28, 96, 40, 3, 3)
    H, W = np.arange(3.0, 60.0), np.arange(64.0, 7.0, -1)
    together = count(layer, H, W, Setup())
    for i in (0, 20, 50):
        alone = count(layer, H[i : i + 1], W[i : i + 1], Setup())
        assert (alone.cycles[0], alone.buffer[0]) == (together.cycles[i], together.buffer[i])
        assert (alone.inter_pe[0], alone.intra_pe[0]) == (together.inter_pe[i], together.intra_pe[i])


def test_the_search_against_every_mapping_there_is() -> None:
    """On small arrays: no mapping that fits is much better than the best of those that are tried."""
    setup = Setup(input_words=4, filter_words=12, sum_words=6)
    for layer in (Layer("a", 6, 6, 4, 6, 3, 3), Layer("b", 7, 3, 6, 5), Layer("c", 1, 1, 24, 10)):
        for height, width in ((6, 4), (3, 9), (8, 2)):
            chosen = count(layer, np.array([float(height)]), np.array([float(width)]), setup)
            best = min(_merits(layer, height, width, setup))
            assert best <= float(chosen.energy(setup.costs, 0)[0] * chosen.cycles[0]) <= 1.1 * best


def _merits(layer: Layer, height: int, width: int, setup: Setup) -> list[float]:
    """Energy times cycles of every mapping that fits."""
    R, S = layer.kernel_rows, layer.kernel_columns
    found = []
    for e in range(1, layer.rows + 1):
        stacked, beside = height // R // -(-e // width), max(width // e, 1)
        for r in range(1, stacked + 1):
            for q in range(1, setup.input_words // S + 1):
                filters = range(1, min(setup.sum_words, setup.filter_words // (q * S)) + 1)
                found += [(e, p, q, r, t, R, S) for p in filters for t in range(1, stacked // r * beside + 1)]
    counts = count_mapping(layer, Mapping(*np.array(found, np.float64).T), setup)
    return list(counts.energy(setup.costs, 0) * counts.cycles)


@pytest.mark.parametrize("kernel", [1, 3, 11])
def test_candidates_are_not_too_many(kernel: int) -> None:
    layer = Layer("x", 112, 112, 512, 512, kernel, kernel)
    assert candidates(layer, np.array([2048.0]), np.array([2048.0]), Setup()).e.size <= 2000
