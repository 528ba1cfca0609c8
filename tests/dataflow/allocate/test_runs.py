"""What is computed with runs is what numpy computes with the values themselves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.networks import Net
from flowc.dataflow.allocate import allocate, piecewise, times
from flowc.dataflow.allocate.fifos import least_depths
from flowc.dataflow.allocate.loops import DenseLoop, RunLoop
from flowc.dataflow.allocate.simulation import simulate
from flowc.dataflow.allocate.touched import marked, touched
from flowc.model.dtypes import SInt, UInt
from flowc.targets import load_target
from flowc.units import Upsample
from flowc.units.graph import Dataflow
from flowc.units.runs import Integers, Runs
from flowc.units.schedule import grid, proportional
from tests.dataflow.allocate.nets import residual

Values = tuple[Runs, Integers]


def cut(values: list[int], cuts: set[int]) -> Values:
    """Runs of a sequence, cut where its steps change, and where they need not be."""
    tidy = Runs.of(np.array(values, np.int64))
    first = np.unique([*tidy.first, *(c % len(values) for c in cuts)])
    run = tidy.holding(first)
    return Runs(first, tidy.at(first, run), tidy.step[run], tidy.size), np.array(values, np.int64)


CUTS = st.sets(st.integers(0, 40), max_size=3)


def sequences(least: int, most: int, size: int | None = None) -> st.SearchStrategy[Values]:
    """Sequences whose steps, ``least`` to ``most``, tend to repeat."""
    steps = st.lists(st.tuples(st.integers(least, most), st.integers(1, 6)), min_size=1, max_size=8)
    values = st.builds(
        lambda start, runs: [*np.cumsum([start, *(step for step, count in runs for _ in range(count))]).tolist()],
        st.integers(-20, 20),
        steps,
    )
    if size is not None:
        values = values.map(lambda v: [*(v * size)[:size]] if least <= 0 else [v[0] + (v[-1] - v[0] + 1) * (i // len(v)) + v[i % len(v)]
                                                                          - v[0] for i in range(size)])  # fmt: skip
    return st.builds(cut, values, CUTS)


ANY, RISING = sequences(-4, 4), sequences(1, 5)
PAIRS = st.integers(1, 30).flatmap(lambda n: st.tuples(sequences(-4, 4, n), sequences(-4, 4, n)))


@settings(max_examples=40)
@given(ANY, st.integers(1, 4), st.integers(-9, 9), st.data())
def test_sequences(both: Values, count: int, shift: int, data: Any) -> None:
    runs, values = both
    assert runs.dense().tolist() == runs.tidied().dense().tolist() == values.tolist()
    assert runs.tidied().first.size <= runs.first.size
    assert (runs.last, (runs - 3).dense().tolist()) == (values[-1], (values - 3).tolist())
    repeated = runs.repeated(count, shift)
    assert repeated.dense().tolist() == [v + i * shift for i in range(count) for v in values]
    assert Runs.joined([runs] * count).dense().tolist() == values.tolist() * count
    start = data.draw(st.integers(0, values.size - 1))
    stop = data.draw(st.integers(start + 1, values.size))
    assert runs.part(start, stop).dense().tolist() == values[start:stop].tolist()
    assert runs.get(start) == values[start]


@settings(max_examples=40)
@given(st.lists(st.tuples(st.integers(1, 4), st.integers(0, 9)), max_size=4), st.integers(0, 9))
def test_nested_loops(axes: list[tuple[int, int]], start: int) -> None:
    total = np.full((), start)
    for count, stride in axes:
        total = np.add.outer(total, np.arange(count) * stride)
    assert grid(*axes, start=start).dense().tolist() == total.reshape(-1).tolist()


@settings(max_examples=40)
@given(st.integers(1, 40), st.integers(1, 9), st.integers(1, 9), st.integers(0, 9))
def test_proportional(count: int, numerator: int, denominator: int, start: int) -> None:
    expected = (np.arange(count) * numerator + start) // denominator
    assert proportional(count, numerator, denominator, start).dense().tolist() == expected.tolist()


@settings(max_examples=40)
@given(PAIRS)
def test_arithmetic(pair: tuple[Values, Values]) -> None:
    (a, dense_a), (b, dense_b) = pair
    for found, expected in (
        (piecewise.plus(a, b), dense_a + dense_b),
        (piecewise.minus(a, b), dense_a - dense_b),
        (piecewise.maximum(a, b), np.maximum(dense_a, dense_b)),
        (piecewise.minimum(a, b), np.minimum(dense_a, dense_b)),
        (piecewise.rising(a), np.maximum.accumulate(dense_a)),
        (piecewise.until(a), np.minimum.accumulate(dense_a[::-1])[::-1]),
    ):
        assert found.dense().tolist() == expected.tolist()
    assert piecewise.same(a, b) == np.array_equal(dense_a, dense_b)
    assert piecewise.same(a, a.tidied())
    assert not piecewise.same(a, Runs.line(a.size + 1))


@settings(max_examples=40)
@given(ANY, RISING, st.integers(0, 3), st.data())
def test_indices(of: Values, index: Values, more: int, data: Any) -> None:
    """Values at indices, spread over what lies between, and taken from there again."""
    runs, places = index[0] - int(index[1][0]), index[1] - index[1][0]
    size = int(places[-1]) + 1 + more
    taken = (cut([*np.resize(of[1], size).tolist()], {2, 7}))[0]
    assert piecewise.composed(taken, runs).dense().tolist() == np.resize(of[1], size)[places].tolist()
    values = [*np.resize(of[1], places.size).tolist()]
    given_, late = cut(values, data.draw(CUTS))[0], data.draw(st.integers(0, 3))
    after = [
        values[np.searchsorted(places + late, i, "right") - 1] if i >= late else -piecewise.FOREVER
        for i in range(size + late)
    ]
    assert piecewise.held_after(given_, runs + late, size + late).dense().tolist() == after
    before = [
        values[np.searchsorted(places + late, i)] if i <= places[-1] + late else piecewise.FOREVER
        for i in range(size + late)
    ]
    assert piecewise.held_before(given_, runs + late, size + late).dense().tolist() == before


@settings(max_examples=40)
@given(RISING, RISING, st.integers(0, 20), st.integers(-99, 199))
def test_beats_that_are_held(written: Values, read: Values, pause: int, offset: int) -> None:
    size = min(written[1].size, read[1].size)
    a, b, later = written[1][:size], read[1][:size] + offset, read[0].part(0, size) + offset
    runs = written[0].part(0, size)
    assert times.most_held(runs, read[0] + offset) == times.most_held(a, read[1] + offset)
    assert later.below(a).tolist() == np.searchsorted(b, a).tolist()
    interval = int(max(a[-1] - a[0], b[-1] - b[0])) + 1 + pause
    assert times.occupancy(runs, later, interval) == times.occupancy(a, b, interval)


@settings(max_examples=40)
@given(
    st.lists(st.sets(st.integers(0, 40), min_size=1), min_size=1, max_size=3), st.lists(st.integers(1, 6), max_size=2)
)
def test_iterations_that_touch_a_stream(ports: list[set[int]], steps: list[int]) -> None:
    """Some in no order, some regular."""
    beats = [Runs.of(np.array(sorted(p))) for p in ports] + [Runs.line(40 // s, s, s // 2) for s in steps]
    (at, index), (dense, found) = touched(beats, 41), marked(beats, 41)
    assert at.dense().tolist() == dense.tolist() == sorted({int(n) for b in beats for n in b.dense()})
    for runs, values, port in zip(index, found, beats, strict=True):
        assert runs.dense().tolist() == np.arange(at.size)[values].tolist()
        assert at.dense()[values].tolist() == port.dense().tolist()


# whole graphs


WORK = 40_000
"""Iterations that are looked at in the search for smaller depths: enough for some to be found."""


def upsampled() -> Dataflow:
    net = Net(4, 5, 3, UInt(4))
    net.conv(4, SInt(2), UInt(2), pad=1)
    net.add(Upsample(name="up", frame=net.frame, factor_h=2, factor_w=2))
    net.conv(4, SInt(2), None, k=3)
    return net.done("upsampled")


@pytest.mark.parametrize(("make", "fps"), [(lambda: residual(1, 4, 4), 20_000), (upsampled, 20_000)])
def test_both_kinds_of_loops_find_the_same(
    make: Callable[[], Dataflow], fps: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph = allocate(make(), load_target("ultra96"), fps=fps).graph
    found = []
    for per_run, kind in ((1 << 40, DenseLoop), (0, RunLoop)):
        monkeypatch.setattr(times, "_PER_RUN", per_run)
        monkeypatch.setattr(
            "flowc.dataflow.allocate.loops.loop_of", lambda unit, kind=kind: kind(unit, unit.schedule())
        )
        found.append((least_depths(graph, WORK), simulate(graph, 2)))
    assert found[0] == found[1]
