"""Thresholds that one comparator finds step by step: equal to the emulation where results come as fast as it takes them, and stalled."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowc.backends.rtl import simulate
from flowc.backends.rtl.generate import generate
from flowc.backends.rtl.instance import Instance
from flowc.backends.rtl.lint import lint
from flowc.backends.rtl.writers import WRITERS
from flowc.model.dtypes import BIPOLAR, IntType, SInt, UInt
from flowc.units import Array, Frame, Mvtu, Pool, Thresholds, Unit, Vvtu
from flowc.units.graph import Dataflow
from tests.backends.hls.random_units import accumulator, integers, side_by_side
from tests.backends.rtl.checking import expect_equal, needs_verilator

FRAMES = 3


def thresholds(rng: np.random.Generator, acc: IntType, sets: int, levels: int, kind: str, memory: str) -> Thresholds:
    """Serial ones, some that coincide, some never reached: a count, one of other base and step, or results of a table."""
    values = np.sort(rng.integers(acc.lo - 2, acc.hi + 3, (sets, levels)), axis=1)
    base, step, dtype = np.zeros(sets, np.int64), np.ones((1, 1), np.int64), UInt(levels.bit_length())
    if kind == "moved":
        base, step, dtype = np.full(sets, -7), np.full((1, 1), 2), SInt(8)
    elif kind == "bipolar":
        base, step, dtype = np.full(sets, -1), np.where(np.arange(levels) % 2, -2, 2)[None], BIPOLAR
    elif kind == "table":
        base, step, dtype = rng.integers(-9, 9, sets), rng.integers(-3, 4, (sets, levels)), SInt(8)
    return Thresholds(dtype=dtype, values=values, base=base, step=step, style="serial", memory=memory)


def mvtu(rng: np.random.Generator, name: str, levels: int, kind: str, memory: str, pe: int, rows: int, sets: int) -> Mvtu:  # fmt: skip
    """A matrix unit of ``pe * rows`` outputs, whose results come in just as many cycles as a search takes."""
    pace = 3 if memory == "bram" else 2
    inputs = levels.bit_length() * pace
    weights = rng.integers(-4, 4, (pe * rows, inputs))
    acc = accumulator(weights, UInt(3))
    return Mvtu(
        name=name, frame=Frame(1, 5, inputs, UInt(3)), weights=weights, weight_type=SInt(3), acc=acc, block=inputs, pe=pe,
        activation=thresholds(rng, acc, sets * pe * rows or 1, levels, kind, memory), structure="pipeline",
    )  # fmt: skip


def units() -> list[Unit]:
    """Every kind of results in both memories; one row of parameters and several, and one for all channels."""
    rng = np.random.default_rng(3)
    found: list[Unit] = [
        mvtu(rng, "m0", 3, "count", "auto", 4, 3, 1),
        mvtu(rng, "m1", 15, "count", "bram", 2, 20, 1),
        mvtu(rng, "m2", 2, "table", "auto", 2, 2, 1),
        mvtu(rng, "m3", 14, "table", "bram", 1, 20, 1),
        mvtu(rng, "m4", 40, "moved", "lutram", 2, 1, 1),
        mvtu(rng, "m5", 5, "bipolar", "auto", 1, 6, 1),
        mvtu(rng, "m6", 7, "count", "auto", 2, 3, 0),
    ]
    weights = rng.integers(-4, 4, (8, 9))
    acc = accumulator(weights, UInt(3))
    found.append(
        Vvtu(
            name="v", frame=Frame(2, 2, 72, UInt(3)), channels=8, weights=weights, weight_type=SInt(3), acc=acc, pe=2,
            activation=thresholds(rng, acc, 8, 15, "count", "auto"), structure="pipeline",
        )
    )  # fmt: skip
    sums = thresholds(rng, UInt(6), 4, 3, "count", "auto")
    found.append(
        Pool(
            name="p", frame=Frame(2, 2, 16, UInt(4)), op="sum", channels=4, acc=UInt(6), pe=1, activation=sums,
            structure="pipeline",
        )
    )  # fmt: skip
    return found


def part_of(unit: Unit) -> Instance:
    """What the writer says of a unit."""
    return WRITERS[unit.kind](unit)


def frames_of(graph: Dataflow, rng: np.random.Generator) -> list[Array]:
    return [integers(rng, port.frame.dtype, (FRAMES, *port.frame.shape)) for port in graph.inputs]


@pytest.mark.slow
@needs_verilator
def test_equal_to_the_emulation_with_and_without_stalls(tmp_path: Path) -> None:
    graph = side_by_side(units())
    generate(graph, tmp_path, header="A test")
    forms = [(part.parameters["FORM"], part.parameters["PARAMETER_STYLE"]) for part in map(part_of, units())]
    assert forms == [("serial", "block" if unit.name in ("m1", "m3") else "logic") for unit in units()]
    assert lint(tmp_path) == []
    binary = simulate.compile(tmp_path, graph, quick=True)

    @settings(max_examples=12, deadline=None)
    @given(st.sampled_from([0, 0, 10, 40, 80]), st.integers(1, 1000))
    def equal(stalls: int, seed: int) -> None:
        frames = frames_of(graph, np.random.default_rng(seed))
        seen = simulate.run(binary, graph, frames, stalls=stalls, seed=seed)
        expect_equal(graph, seen, frames)
        if stalls == 0:
            intervals = {name: int(ends[-1] - ends[-2]) for name, ends in seen.port_ends.items()}
            assert intervals == {f"{unit.name}_y0": unit.interval for unit in units()}, "steps cost no time"

    equal()
