"""What the engine's test bench reads: descriptors, the external memory, and what each layer may touch."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from flowc.loopback.program import Program
from flowc.units.base import Array

__all__ = ["ranges_of", "write_vectors"]


def ranges_of(program: Program) -> Array:
    """uint64: bytes of weights, number of layers; per layer the number of ranges it reads and writes, then begin and end of each."""
    words = [len(program.weights), len(program.segments)]
    for segment in program.segments:
        reads, writes = program.may_touch(segment.layer)
        words += [len(reads), len(writes)]
        words += [end for pair in (*reads, *writes) for end in pair]
    return np.array(words, np.uint64)


def write_vectors(
    folder: Path, program: Program, memory: Array, *, golden: Array | None = None, table: Array | None = None
) -> None:
    """Writes ``memory.bin``, ``descriptors.bin``, ``ranges.bin`` and ``golden.bin``.

    Args:
        folder: made if missing.
        program: what the engine executes.
        memory: uint8, the external memory before the run.
        golden: the same after it; None: no ``golden.bin``.
        table: uint32 (n, 16), descriptors to run instead of the program's.
    """
    folder.mkdir(parents=True, exist_ok=True)
    commands = program.table if table is None else table
    files = {"memory": memory.tobytes(), "descriptors": commands.astype("<u4").tobytes()}
    files["ranges"] = ranges_of(program).astype("<u8").tobytes()
    if golden is not None:
        files["golden"] = golden.tobytes()
    for name, data in files.items():
        (folder / f"{name}.bin").write_bytes(data)
