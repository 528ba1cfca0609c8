"""What the engine's test bench reads: descriptors, the external memory, and what each layer may touch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from flowc.loopback.execute import Machine
from flowc.loopback.program import Program
from flowc.loopback.run import run_program
from flowc.units.base import Array

__all__ = ["ranges_of", "write_golden", "write_vectors"]

_LARGEST = 1 << 24
"""Bytes of external memory that a project's vectors hold at most."""


def ranges_of(program: Program) -> Array:
    """uint64: bytes of weights, number of layers; per layer the number of ranges it reads and writes, then begin and end of each."""
    words = [len(program.weights), len(program.segments)]
    for segment in program.segments:
        reads, writes = program.may_touch(segment.layer)
        words += [len(reads), len(writes)]
        words += [end for pair in (*reads, *writes) for end in pair]
    return np.array(words, np.uint64)


def write_vectors(
    folder: Path, program: Program, memory: Array | None, *, golden: Array | None = None, table: Array | None = None
) -> None:
    """Writes ``memory.bin``, ``descriptors.bin``, ``ranges.bin`` and ``golden.bin``.

    Args:
        folder: made if missing.
        program: what the engine executes.
        memory: uint8, the external memory before the run; None: no ``memory.bin``.
        golden: the same after it; None: no ``golden.bin``.
        table: uint32 (n, 16), descriptors to run instead of the program's.
    """
    folder.mkdir(parents=True, exist_ok=True)
    commands = program.table if table is None else table
    files = {"descriptors": commands.astype("<u4").tobytes(), "ranges": ranges_of(program).astype("<u8").tobytes()}
    files |= {name: data.tobytes() for name, data in (("memory", memory), ("golden", golden)) if data is not None}
    for name, data in files.items():
        (folder / f"{name}.bin").write_bytes(data)


def write_golden(folder: Path, program: Program, frames: Mapping[str, Array]) -> None:
    """Writes the vectors of a project: the external memory before and after a batch, by the emulator of the descriptors.

    They end in front of the host's first step. Where the external memory is larger than 16 MiB only descriptors and ranges are written.

    Args:
        folder: made if missing.
        program: what the engine executes.
        frames: integers (N, H, W, C) per input port; as many as a batch holds are used.
    """
    if program.memory.size > _LARGEST:
        write_vectors(folder, program, None)
        return
    found: list[tuple[Array, Array, int]] = []

    def execute(ddr: Array, first: int, end: int) -> None:
        before = ddr.copy()
        machine = Machine(program.engine, ddr)
        for segment in program.segments[first:end]:
            machine.reads, machine.writes = program.may_touch(segment.layer)
            machine.run(segment.descriptors)
        found.append((before, ddr.copy(), program.starts[end]))

    run_program(program, {name: values[: program.batch] for name, values in frames.items()}, execute=execute)
    for before, after, end in found[:1]:
        write_vectors(folder, program, before, golden=after, table=program.table[:end])
