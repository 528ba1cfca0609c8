"""Searches of thresholds whose keys lie in block RAM: when a word is compared, as the device allows, and the memory of every lane."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from flowc.backends.rtl import simulate
from flowc.backends.rtl.generate import generate
from flowc.backends.rtl.lint import lint
from flowc.backends.rtl.writers import WRITERS
from flowc.model.dtypes import IntType, SInt, UInt
from flowc.units import Activate, Activation, Frame, Mvtu, Pool, Requant, Table, Thresholds, Unit
from tests.backends.hls.random_units import accumulator, integers, side_by_side
from tests.backends.rtl.checking import expect_equal, needs_verilator
from tests.backends.rtl.elaborated import instances, text_of


def stairs(acc: IntType, channels: int, levels: int, style: str, *, uneven: bool = False, **fields: Any) -> Thresholds:
    rng = np.random.default_rng(levels)
    values = np.sort(rng.integers(acc.lo, acc.hi, (channels, levels)), axis=1)
    step = rng.integers(-3, 4, (channels, levels)) if uneven else np.ones((1, 1), np.int64)
    dtype = SInt(12) if uneven else UInt(levels.bit_length())
    return Thresholds(
        dtype=dtype, values=values, base=np.zeros(channels, np.int64), step=step, style=style, memory="bram", **fields
    )


def searches(read_cycles: int) -> list[Unit]:
    """Keys in single blocks, without and with a table of results; keys so deep that their words are chosen among blocks; keys in turn."""
    acc, weights = SInt(12), np.random.default_rng(1).integers(-4, 4, (64, 24))
    sums = accumulator(weights, UInt(3))
    acts = {
        "even": stairs(acc, 64, 15, "search"),
        "uneven": stairs(acc, 64, 15, "search", uneven=True),
        "deep": stairs(acc, 512, 127, "search"),
    }
    found: list[Unit] = [
        Activate(name=name, frame=Frame(1, 1, act.channels, acc), activation=act) for name, act in acts.items()
    ]
    found += [
        Mvtu(
            name=name, frame=Frame(1, 3, 24, UInt(3)), weights=weights, weight_type=SInt(3), acc=sums, block=24, pe=2,
            activation=stairs(sums, 64, 15, "serial", uneven=name == "turned_uneven"),
        )
        for name in ("turned", "turned_uneven")
    ]  # fmt: skip
    return [
        unit.with_(name=f"{unit.name}_{read_cycles}", structure="pipeline", read_cycles=read_cycles) for unit in found
    ]


@pytest.mark.slow
@needs_verilator
def test_a_word_is_compared_as_it_comes_or_a_cycle_later(tmp_path: Path) -> None:
    """Equal to the emulation, stalled or not, and later by just as many cycles as the model says."""
    units = {unit.name: unit for cycles in (1, 2) for unit in searches(cycles)}
    later = {name[:-2]: unit.stages - units[f"{name[:-2]}_1"].stages for name, unit in units.items() if name[-1] == "2"}
    assert later == {"even": 3, "uneven": 4, "deep": 4, "turned": 3, "turned_uneven": 4}
    deep = stairs(SInt(12), 512, 127, "search", read_cycles=1)
    assert (deep.first_block(1, 512, SInt(12)), deep.first_late(1, 512, SInt(12))) == (1, 5)
    graph = side_by_side(list(units.values()))
    generate(graph, tmp_path, header="A test")
    assert lint(tmp_path) == []
    binary = simulate.compile(tmp_path, graph, quick=True)
    rng = np.random.default_rng(2)
    drawn = {port.name[:-5]: integers(rng, port.frame.dtype, (2, *port.frame.shape)) for port in graph.inputs}
    frames = [drawn[port.name[:-5]] for port in graph.inputs]
    for stalls in (0, 35):
        seen = simulate.run(binary, graph, frames, stalls=stalls, seed=1)
        expect_equal(graph, seen, frames)
        if stalls == 0:
            first = {name.removesuffix("_y0"): int(ends[0]) for name, ends in seen.port_ends.items()}
            assert {name: first[f"{name}_2"] - first[f"{name}_1"] for name in later} == later


def many(act: Activation, source: IntType, lanes: int) -> Unit:
    return Activate(name=act.kind, frame=Frame(1, 1, lanes, source), activation=act, pe=lanes)


@pytest.mark.slow
def test_every_lane_reads_the_memory_that_is_written_for_it(tmp_path: Path) -> None:
    """Beyond 999 lanes too: the names that the modules make of lanes, elaborated by slang, are those of the files."""
    pytest.importorskip("pyslang", reason="pyslang is not installed: names of files not compared")
    lanes, one, late = 1001, np.ones(1, np.int64), np.ones((1, 3), np.int64)
    acts = [
        Table(dtype=UInt(1), lo=0, values=np.arange(4)[None] % 2),
        Requant(dtype=UInt(2), mult=one, add=one, shift=1, lo=0, hi=3, late=late),
        replace(stairs(UInt(2), 1, 3, "search"), memory="auto"),
    ]
    units: list[Unit] = [many(act, UInt(2), lanes) for act in acts]
    serial = replace(stairs(UInt(4), 1, 3, "serial"), memory="auto")
    sums = Frame(1, 1, 4 * lanes, UInt(2))
    units.append(Pool(name="turned", frame=sums, op="sum", channels=lanes, acc=UInt(4), pe=lanes, activation=serial))
    units = [unit.with_(structure="pipeline") for unit in units]
    written = {memory.file for unit in units for memory in WRITERS[unit.kind](unit).memories}
    own = {name for name in written if re.search(r"_\d{4}[._]", name)}
    assert len(own) == 4 * lanes
    generate(side_by_side(units), tmp_path, header="A test")
    read = read_files(tmp_path)
    assert own <= read <= written


def read_files(folder: Path) -> set[str]:
    """The files that the memories of a project read, as slang elaborates it."""
    return {text_of(rom, "FILE") for rom in instances(folder, "flowc_rom")}
