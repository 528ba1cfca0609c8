"""Forms of step functions, and the steps themselves, as literal values worked out by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from flowc.exact.choose import activation_cost, as_table, as_thresholds, choose_activation, result_type
from flowc.exact.requant import find_requant
from flowc.exact.steps import Steps, assemble
from flowc.exact.walk import settle, width
from flowc.exact.windows import Thresholds as WindowThresholds
from flowc.model.dtypes import BIPOLAR, IntType
from flowc.units import Requant, Table, Thresholds

Array = np.ndarray[Any, Any]
ONES = np.ones(1, np.int64)
U4 = IntType(4)


def line(levels: int, sets: int = 1, gap: int = 10, low: int = -100, high: int = 100, step: int = 1) -> Steps:
    """So many thresholds, ``gap`` apart, from zero on."""
    at = np.arange(levels)[None] * gap + np.arange(sets)[:, None]
    ends = (np.full(sets, e) for e in (low, high))
    return Steps(*ends, np.zeros(sets, np.int64), at, np.full((1, 1), step, np.int64))


# the cheapest form


@pytest.mark.parametrize(("levels", "cost"), [
    # Eight bits: 3 x (8 / 2 + 1), and 3 words of 8 bits for each of two channels, 64 bits to a table.
    (3, 15 + 0.75),
    # Fifteen are four comparisons of eight bits and 16 words per channel.
    (15, 32 + 4), (16, 5 * 8 + 8),
])  # fmt: skip
def test_cost_of_thresholds(levels: int, cost: float) -> None:
    steps = line(levels, sets=2, gap=5)
    assert activation_cost(as_thresholds(steps, IntType(5)), steps) == cost


def test_cost_of_uneven_thresholds() -> None:
    """Steps of their own: 16 words of eight bits and of results of four, per channel."""
    steps = line(15, sets=2, gap=5)
    uneven = Thresholds(dtype=U4, values=steps.at, base=steps.base, step=np.tile([1] * 14 + [0], (2, 1)))
    assert activation_cost(uneven, steps) == 32 + 2 * 16 * 12 / 64


@pytest.mark.parametrize(("fields", "cost"), [
    # By one: an adder and its clipping, 2 x 8, and addends of eight bits for each of two channels.
    ({"mult": ONES}, 16 + 0.25), ({"mult": ONES, "add": np.array([7])}, 16 + 3 / 64),
    # Factors of three bits: 0.6 * 8 * 3 + 8, and 11 bits a channel.
    ({"mult": np.array([3, 5])}, 14.4 + 8 + 22 / 64), ({"mult": np.array([1, 1])}, 4.8 + 8 + 18 / 64), ({"mult": np.array([2])}, 9.6 + 8 + 20 / 64),
    # Corrections: an entry per level, a product and a comparison.
    ({"mult": ONES, "late": np.zeros((2, 7), np.int64)}, 16.25 + 14 / 64 + 5),
    ({"mult": np.array([3, 5]), "late": np.zeros((1, 7), np.int64)}, 22.4 + 22 / 64 + 7 / 64 + 7),
])  # fmt: skip
def test_cost_of_requantizers(fields: dict[str, Any], cost: float) -> None:
    requant = Requant(**{"dtype": U4, "add": np.array([-100, 50]), "shift": 4, "lo": 0, "hi": 7} | fields)
    assert activation_cost(requant, line(7, sets=2)) == pytest.approx(cost)


def test_cost_of_tables() -> None:
    assert (
        activation_cost(Table(dtype=U4, lo=-3, values=np.zeros((2, 32), np.int64)), line(7, sets=2))
        == 4 + 2 * 32 * 4 / 64
    )


def test_forms_that_are_chosen() -> None:
    """Few integers: a table. Many, and few thresholds: these. From seven on a line: a shift. Bends: a search."""
    assert isinstance(choose_activation(line(3, gap=4, low=0, high=15)), Table)
    wide = {"low": -(1 << 22), "high": 1 << 22, "gap": 1 << 15}
    assert isinstance(choose_activation(line(6, **wide)), Thresholds)  # type: ignore[arg-type]
    assert isinstance(choose_activation(line(7, **wide)), Requant)  # type: ignore[arg-type]
    bent = line(7, **wide)  # type: ignore[arg-type]
    bent.at[0, 3:] += 9999
    found = choose_activation(bent)
    assert isinstance(found, Thresholds)
    assert found.domain is not None
    assert found.domain.tolist() == [[-(1 << 22), 1 << 22]]
    two = line(3, low=0, high=1 << 20, step=2)
    two.base[:] = -1
    assert result_type(two, bipolar=True) == BIPOLAR
    assert result_type(line(8), bipolar=False) == U4
    assert result_type(line(7), bipolar=False) == IntType(3)


@pytest.mark.parametrize("sets", [1, 4])
def test_no_form_is_cheaper_than_the_one_that_is_chosen(sets: int) -> None:
    """Whatever is not even sought: of thresholds, the requantizer and the table, the first that costs least."""
    rng = np.random.default_rng(sets)
    chosen = set()
    for _ in range(60):
        levels, gap, jitter = int(rng.integers(7, 40)), rng.uniform(2, 40, (sets, 1)), int(rng.integers(0, 2))
        at = np.ceil(rng.uniform(0, 9) + gap * np.arange(levels)).astype(int)
        at = np.sort(at + rng.integers(-jitter, jitter + 1, at.shape), axis=1)
        ends = np.full(sets, -40), np.full(sets, int(at.max()) + int(rng.integers(1, 2000)))
        steps = Steps(*ends, np.zeros(sets, np.int64), at, np.ones((1, 1), np.int64))
        dtype = result_type(steps, bipolar=False)
        forms = [as_thresholds(steps, dtype), find_requant(steps, dtype), as_table(steps, dtype)]
        costs = [activation_cost(form, steps) for form in forms if form is not None]
        found = choose_activation(steps)
        assert activation_cost(found, steps) == min(costs)
        chosen.add(found.kind)
    assert {"thresholds", "requant"} <= chosen


def test_tables_repeat_the_ends_of_a_set_and_constants_are_never_reached() -> None:
    steps = Steps(np.array([0, 2]), np.array([3, 5]), np.array([0, 1]), np.array([[2], [4]]), np.ones((1, 1), np.int64))
    table = as_table(steps, U4)
    assert table.lo == 0
    assert table.values.tolist() == [[0, 0, 1, 1, 1, 1], [1, 1, 1, 1, 2, 2]]
    constant = as_thresholds(
        Steps(np.array([0]), np.array([3]), np.array([5]), np.zeros((1, 0), np.int64), np.ones((1, 1), np.int64)), U4
    )
    assert (constant.values.tolist(), constant.base.tolist(), constant.step.tolist()) == ([[4]], [5], [[1]])


# step functions


def test_what_steps_reach() -> None:
    """A threshold at or below the least integer always holds; one above the greatest never."""
    steps = Steps(
        np.array([0, 0]),
        np.array([9, 9]),
        np.array([2, 5]),
        np.array([[0, 4, 10], [-3, 9, 12]]),
        np.ones((1, 1), np.int64),
    )
    assert steps.reached == (3, 7)
    assert steps.inside.tolist() == [4, 9]
    assert steps(np.array([[0, 3, 4, 9], [0, 8, 9, 9]])).tolist() == [[3, 3, 4, 4], [6, 6, 7, 7]]
    down = Steps(np.array([0]), np.array([9]), np.array([2]), np.array([[1, 3]]), np.array([[-1, 0]]))
    assert (down.reached, down.monotone, down.inside.tolist()) == ((1, 2), False, [1])
    part = Steps(steps.lo, steps.hi, steps.base, steps.at, steps.step, steps.at - 1).of_rows(slice(1, 2))
    assert (part.at.tolist(), part.step.tolist(), part.base.tolist()) == ([[-3, 9, 12]], [[1]], [5])
    assert part.free is not None
    assert part.free.tolist() == [[-4, 8, 11]]


def test_sets_are_assembled_on_one_base() -> None:
    """The second set starts two levels higher: two thresholds that always hold; the first has one that it never reaches."""
    lo, hi, base = np.array([0, 1]), np.array([9, 8]), np.array([3, 5])
    events = [(np.array([4]), np.array([1])), (np.array([2, 6]), np.array([1, 1]))]
    steps = assemble(lo, hi, base, events, 1, [np.array([3]), np.array([2, 5])])
    assert steps.base.tolist() == [3, 3]
    assert steps.at.tolist() == [[4, 10, 10, 10], [1, 1, 2, 6]]
    assert steps.free is not None
    assert steps.free.tolist() == [[3, 10, 10, 10], [1, 1, 2, 5]]
    both = assemble(lo, hi, base, [events[0], (np.array([2, 6]), np.array([1, -1]))], 1)
    assert (both.base.tolist(), both.at.tolist(), both.step.tolist()) == ([3, 5], [[4, 10], [2, 6]], [[1, 0], [1, -1]])


@pytest.mark.parametrize(("high", "wide"), [(62, 1), (63, 1), (64, 2), (127, 2), (128, 3)])
def test_blocks_of_the_first_cut(high: int, wide: int) -> None:
    assert width(np.array([0, 5]), np.array([high, 5])) == wide


def test_settling_stops_at_its_budget() -> None:
    """Levels of single integers are never enclosed by one: 64 blocks of four integers stay open."""

    def enclose(rows: Array, first: Array, last: Array) -> tuple[Array, Array]:
        return first, last + 1

    lo, hi = np.array([0]), np.array([255])
    assert settle(enclose, lo, hi, 4, 63) is None
    found = settle(enclose, lo, hi, 4, 64)
    assert found is not None
    assert found.open_.all()
    assert (found.first.tolist(), found.last.tolist()) == (list(range(0, 256, 4)), list(range(3, 256, 4)))
    finer = settle(enclose, lo, hi, 3, 256)
    assert finer is not None
    assert finer.first.tolist() == list(range(256))


def test_thresholds_one_by_one() -> None:
    """Those inside the domain, then one at its least integer, and one beyond its greatest that leads a level further."""
    rising = Steps(np.array([0]), np.array([9]), np.array([2]), np.array([[0, 4, 10]]), np.ones((1, 1), np.int64))
    t = WindowThresholds.of(rising)
    assert t.at.tolist() == [[0, 4, 10, 0, 10]]
    assert t.level.tolist() == [[3, 4, 5, 3, 5]]
    assert t.sign.tolist() == [[1, 1, 1, 1, 1]]
    assert t.real.tolist() == [[False, True, False, False, False]]
    assert t.end.tolist() == [[False, False, False, True, True]]
    assert t.monotone
    falling = Steps(np.array([0]), np.array([9]), np.array([2]), np.array([[4, 12]]), np.array([[-2, 2]]))
    t = WindowThresholds.of(falling)
    assert (t.sign.tolist(), t.level.tolist(), t.monotone) == ([[-1, 1, -1, -1]], [[0, 2, 2, -2]], True)
    both = Steps(np.array([0]), np.array([9]), np.array([2]), np.array([[4, 6]]), np.array([[-1, 1]]))
    assert not WindowThresholds.of(both).monotone
