"""Thresholds of a pipeline lie where their price says: memories of the SystemVerilog, as slang elaborates them, beside the cost model."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.synthesis_thresholds import turned
from flowc.backends.rtl.generate import generate
from flowc.model.dtypes import SInt, UInt
from flowc.units import Activate, Frame, Thresholds, Unit
from flowc.units.cost import block_rams
from tests.backends.hls.random_units import side_by_side
from tests.backends.rtl.elaborated import instances, text_of

Rom = tuple[int, int, str]
"""Words, bits, logic or block."""


def drawn(rng: np.random.Generator, number: int) -> Activate:
    """Thresholds of any shape, even or not, of any form but in turn; the first of all is the least argument, so that keys have its bits."""
    style = ("compare", "search", "auto")[number % 3]
    levels, lanes, rows = 2 ** int(rng.integers(2, 4 if style == "compare" else 7)) - 1, *rng.integers(1, (4, 600))
    acc, uneven = SInt(int(rng.integers(10, 25))), bool(rng.integers(2))
    gaps = rng.integers(1, (1 << acc.bits) // levels, (lanes * rows, levels))
    values = acc.lo - 1 + np.cumsum(gaps, axis=1)
    values[0, 0] = acc.lo
    act = Thresholds(
        dtype=SInt(12) if uneven else UInt(levels.bit_length()),
        values=values,
        base=rng.integers(-9, 9, lanes * rows) if uneven else np.zeros(lanes * rows, np.int64),
        step=rng.integers(-3, 4, values.shape) if uneven else np.ones((1, 1), np.int64),
        style=style,
        memory=("auto", "auto", "bram", "lutram")[number % 4],
        read_cycles=int(rng.integers(1, 3)),
    )
    return Activate(name=f"drawn_{number}", frame=Frame(1, 1, lanes * rows, acc), activation=act, pe=int(lanes))


def in_turn() -> Iterator[Unit]:
    for value, channels in ((9, 64), (12, 512)):
        unit = turned(f"turned_{channels}", 3, value, channels, 2)
        for memory in ("auto", "bram"):
            yield unit.with_(name=f"{unit.name}_{memory}", activation=replace(unit.activation, memory=memory))


def roms(folder: Path) -> dict[str, list[Rom]]:
    """Memories of constants by unit."""
    found: dict[str, list[Rom]] = {}
    for rom in instances(folder, "flowc_rom"):
        depth, width = (int(rom.body.find(name).value.value) for name in ("DEPTH", "WIDTH"))
        unit = str(rom.hierarchicalPath).split(".")[1].removeprefix("u_")
        found.setdefault(unit, []).append((depth, width, text_of(rom, "STYLE")))
    return found


def is_searched(unit: Activate) -> bool:
    assert isinstance(unit.activation, Thresholds)
    return unit.activation.searched(unit.pe, unit.frame.c, unit.frame.dtype)


def otherwise(units: Iterable[Unit], written: dict[str, list[Rom]]) -> list[str]:
    """Units that lie in block RAM where their price says look-up tables, or the other way; of searches also those of other sizes."""
    found = []
    for unit in units:
        blocks = sum(block_rams(depth, bits) for depth, bits, style in written[unit.name] if style == "block")
        priced = unit.resources.bram18 or 0
        exact = isinstance(unit, Activate) and is_searched(unit)
        if (blocks != priced) if exact else ((blocks > 0) != (priced > 0)):
            found.append(unit.name)
    return found


@pytest.mark.slow
def test_what_is_written_is_what_is_priced(tmp_path: Path) -> None:
    """Over random thresholds; and a memory that lies elsewhere is found."""
    pytest.importorskip("pyslang", reason="pyslang is not installed: styles of memories not compared")
    rng = np.random.default_rng(1)
    units = [unit.with_(structure="pipeline") for unit in [*(drawn(rng, number) for number in range(48)), *in_turn()]]
    graph = side_by_side(units)
    generate(graph, tmp_path, header="A test")
    written = roms(tmp_path)
    assert otherwise(units, written) == []
    # The draw has met both, in every form, and searches that would lie elsewhere as loops.
    searched = [unit for unit in units if isinstance(unit, Activate) and is_searched(unit)]
    assert {style for unit in units for *_, style in written[unit.name]} == {"logic", "block"}
    assert any(unit.resources.bram18 != unit.with_(structure="loop").resources.bram18 for unit in searched)
    moved = next(unit for unit in searched if unit.resources.bram18)
    top = tmp_path / f"{graph.name}.sv"
    text = top.read_text(encoding="utf-8")
    at = text.index(f") u_{moved.name} (")
    entries = [*re.finditer(r"\.ENTRIES\((\d+)\)", text[:at])][-1]
    later = f".ENTRIES({int(entries[1]) + 1})"
    top.write_text(text[: entries.start()] + later + text[entries.end() :], encoding="utf-8")
    assert otherwise(units, roms(tmp_path)) == [moved.name]
