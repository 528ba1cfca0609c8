"""The closed forms of systolic arrays against an array that is simulated cell by cell, and against published cycle formulas."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowc.arrays import DATAFLOWS, Layer, Setup
from flowc.arrays.counts import Counts
from tests.arrays.cellsim import Matrix, Moves, no_local_reuse, output_stationary, weight_stationary

SIZES = st.tuples(st.integers(1, 9), st.integers(1, 11), st.integers(1, 9))  # T, K, M
ARRAYS = st.tuples(st.integers(1, 5), st.integers(1, 5))


def counted(dataflow: str, layer: Layer, array: tuple[int, int], setup: Setup) -> Counts:
    return DATAFLOWS[dataflow](layer, np.array([float(array[0])]), np.array([float(array[1])]), setup)


def operands(size: tuple[int, int, int], seed: int) -> tuple[Matrix, Matrix]:
    random = np.random.default_rng(seed)
    T, K, M = size
    return random.integers(-9, 10, (T, K)), random.integers(-9, 10, (K, M))


def moved(counts: Counts) -> tuple[float, float, float]:
    return float(counts.buffer[0]), float(counts.inter_pe[0]), float(counts.intra_pe[0])


def words(moves: Moves) -> tuple[int, int, int]:
    return moves.buffer, moves.inter_pe, moves.intra_pe


@settings(max_examples=60, deadline=None)
@given(SIZES, ARRAYS, st.integers(1, 8), st.booleans(), st.integers(0, 2**32 - 1))
def test_weight_stationary(
    size: tuple[int, int, int], array: tuple[int, int], half: int, toggles: bool, seed: int
) -> None:
    x, w = operands(size, seed)
    result, moves = weight_stationary(x, w, *array, half, toggles)
    np.testing.assert_array_equal(result, x @ w)
    layer = Layer.product("x", size[0], size[1], size[2])
    setup = Setup(idle="toggle" if toggles else "gated", accumulators=2 * half)
    counts = counted("ws", layer, array, setup)
    assert moved(counts) == words(moves)
    # Blocks right behind each other, the wave of the last one runs out: what the closed form calls H + W is H + W - 2 here.
    vectors = sum(fold - (array[0] + array[1] - 2) for fold in moves.folds)
    assert counts.cycles[0] == vectors + array[0] + array[1]
    if size[0] <= half:  # SCALE-Sim knows no accumulators: every block is loaded, a row a cycle, and run to its end
        exposed = counted("ws", layer, array, Setup(loads="exposed"))
        assert exposed.cycles[0] == sum(array[0] + fold for fold in moves.folds)


@settings(max_examples=40, deadline=None)
@given(SIZES, ARRAYS, st.booleans(), st.integers(0, 2**32 - 1))
def test_output_stationary(size: tuple[int, int, int], array: tuple[int, int], toggles: bool, seed: int) -> None:
    x, w = operands(size, seed)
    result, moves = output_stationary(x, w, *array, toggles)
    np.testing.assert_array_equal(result, x @ w)
    counts = counted("os", Layer.product("x", *size), array, Setup(idle="toggle" if toggles else "gated"))
    assert moved(counts) == words(moves)
    assert counts.cycles[0] == sum(moves.folds)


@settings(max_examples=30, deadline=None)
@given(SIZES, ARRAYS, st.booleans(), st.integers(0, 2**32 - 1))
def test_input_stationary_is_weight_stationary_transposed(
    size: tuple[int, int, int], array: tuple[int, int], toggles: bool, seed: int
) -> None:
    x, w = operands(size, seed)
    result, moves = weight_stationary(w.T, x.T, *array, 2048, toggles)
    np.testing.assert_array_equal(result.T, x @ w)
    counts = counted("is", Layer.product("x", *size), array, Setup(idle="toggle" if toggles else "gated"))
    assert moved(counts) == words(moves)


@settings(max_examples=30, deadline=None)
@given(SIZES, ARRAYS, st.integers(1, 4), st.integers(0, 2**32 - 1))
def test_no_local_reuse(size: tuple[int, int, int], array: tuple[int, int], taps: int, seed: int) -> None:
    T, C, M = size
    random = np.random.default_rng(seed)
    x, w = random.integers(-9, 10, (T, taps, C)), random.integers(-9, 10, (taps, C, M))
    result, moves = no_local_reuse(x, w, *array)
    np.testing.assert_array_equal(result, np.einsum("tac,acm->tm", x, w))
    counts = counted("nlr", Layer("x", T, 1, C, M, taps, 1), array, Setup(idle="gated"))
    assert moved(counts) == words(moves)
    assert counts.cycles[0] == moves.cycles + array[0]  # the first sum runs through a column


@pytest.mark.parametrize(
    ("dataflow", "cycles"),
    [
        # SCALE-Sim (Samajdar et al., ISPASS 2020): 2H + W + T - 2 cycles a fold, T the streamed vectors; H + W + T - 2 where
        # nothing is loaded first. 14 x 14 positions, 3 x 3 x 32 terms, 64 filters on 16 x 8.
        ("ws", (2 * 16 + 8 + 196 - 2) * 18 * 8),
        ("is", (2 * 16 + 8 + 64 - 2) * 18 * 25),
        ("os", (16 + 8 + 288 - 2) * 13 * 8),
    ],
)
def test_cycles_of_exposed_loads(dataflow: str, cycles: int) -> None:
    layer = Layer("conv", 14, 14, 32, 64, 3, 3)
    counts = counted(dataflow, layer, (16, 8), Setup(loads="exposed"))
    assert counts.cycles[0] == cycles
    if dataflow != "ws":  # "published" is SCALE-Sim's for these two
        assert counted(dataflow, layer, (16, 8), Setup()).cycles[0] == cycles


def test_loads_of_one_row_a_cycle_bind_where_vectors_are_few() -> None:
    few, many = Layer.product("few", 3, 64, 64), Layer.product("many", 300, 64, 64)
    for layer, per_block in ((few, 16), (many, 300)):
        rows = counted("ws", layer, (16, 8), Setup(loads="rows")).cycles[0]
        free = counted("ws", layer, (16, 8), Setup(loads="overlapped")).cycles[0]
        assert rows == per_block * 4 * 8 + 2 * 16 + 8
        assert free == layer.positions * 4 * 8 + 16 + 8
    # positions in blocks of half the accumulators: 10 + 10 + 5, none shorter than the 16 rows
    blocked = counted("ws", Layer.product("x", 25, 16, 8), (16, 8), Setup(loads="rows", accumulators=20))
    assert blocked.cycles[0] == 3 * 16 + 2 * 16 + 8


def test_outputs_leave_a_column_one_a_cycle() -> None:
    shallow = Layer("dw", 14, 14, 1, 1, 3, 3, groups=8)
    counts = counted("os", shallow, (16, 8), Setup(loads="overlapped"))
    assert counts.cycles[0] == 8 * 13 * 16 + 16 + 8 - 2


@settings(max_examples=50, deadline=None)
@given(
    st.tuples(st.integers(1, 30), st.integers(1, 6), st.integers(1, 40), st.integers(1, 40)),
    st.integers(1, 5), st.integers(1, 3), st.integers(1, 3), st.integers(1, 4), st.tuples(st.integers(1, 70), st.integers(1, 70)),
)  # fmt: skip
def test_no_array_does_more_than_it_has_cells_for(
    size: tuple[int, int, int, int], kernel: int, stride: int, groups: int, planes: int, array: tuple[int, int]
) -> None:
    rows, columns, channels, filters = size
    layer = Layer("x", rows, columns, channels, filters, kernel, kernel, stride, stride, groups=groups, planes=planes)
    for dataflow in DATAFLOWS:
        for idle in ("toggle", "gated"):
            for loads in ("published", "overlapped", "rows", "exposed"):
                counts = counted(dataflow, layer, array, Setup(idle=idle, loads=loads))
                assert counts.cycles[0] * array[0] * array[1] >= layer.macs
                # what is used at all comes out of the buffer at least once, and every result goes back
                inputs = layer.channels * min(layer.rows, layer.input_rows) * min(layer.columns, layer.input_columns)
                results = layer.positions * layer.filters
                assert counts.buffer[0] >= layer.groups * (inputs + layer.terms * layer.filters + results) * 0.999
                assert counts.inter_pe[0] >= 0
                assert counts.intra_pe[0] >= 0


def test_gated_cells_never_move_more_than_toggling_ones() -> None:
    layer = Layer("x", 13, 11, 20, 30, 3, 3, groups=2)
    for dataflow in DATAFLOWS:
        toggling = counted(dataflow, layer, (7, 9), Setup())
        gated = counted(dataflow, layer, (7, 9), Setup(idle="gated"))
        assert gated.buffer[0] == toggling.buffer[0]
        assert gated.cycles[0] == toggling.cycles[0]
        assert gated.inter_pe[0] <= toggling.inter_pe[0]
        assert gated.intra_pe[0] <= toggling.intra_pe[0]
