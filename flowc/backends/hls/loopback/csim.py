"""C simulation of the loopback engine with plain g++: compile, run a program, compare with the emulator of its descriptors."""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from flowc import progress
from flowc.backends.base import Simulated
from flowc.backends.hls.csim import GeneratedCodeError, ap_include
from flowc.backends.hls.loopback.vectors import write_vectors
from flowc.backends.hls.loopback.writer import ENGINE_FLAGS, THREAD_FLAGS
from flowc.backends.programs import compiler
from flowc.errors import MismatchError
from flowc.loopback.execute import Machine
from flowc.loopback.program import Program
from flowc.loopback.run import run_program
from flowc.units.base import Array

__all__ = ["EngineRun", "check_engine", "compile_engine", "run_engine", "simulate_engine"]


@dataclass(frozen=True, eq=False)
class EngineRun:
    """What the compiled engine did.

    Attributes:
        memory: uint8, the external memory after the run.
        written: per segment: first byte that it wrote, and uint8, all bytes from there to the last one as they were at its end.
        cycles: per segment, cycles of the array until its last compute.
        worked: per segment, what the engine's own counter counted: cycles in which the array worked or a buffer was filled.
        tails: per segment, cycles from there until the next layer's first weights are in.
    """

    memory: Array
    written: tuple[tuple[int, Array], ...]
    cycles: tuple[int, ...]
    tails: tuple[int, ...]
    worked: tuple[int, ...]


def compile_engine(folder: Path, *, threads: bool = False, exact: bool = False, sanitize: bool = False) -> Path:
    """Compiles an engine.

    Args:
        folder: where `write_engine` wrote it.
        threads: every process in a thread of its own, streams bounded to their real depths.
        exact: compute in ap_int and ap_uint of the stated widths, products packed as in hardware: slow.
        sanitize: with address and undefined-behaviour sanitizers.

    Returns:
        The program, in ``folder/build``.

    Raises:
        UsageError: g++ or the AP types are missing.
        GeneratedCodeError: g++ rejects the code; holds its first messages.
    """
    gxx, include = compiler(), ap_include()
    chosen = [n for n, wanted in (("threads", threads), ("exact", exact), ("sanitize", sanitize)) if wanted]
    binary = folder / "build" / "_".join(["csim", *chosen])
    binary.parent.mkdir(exist_ok=True)
    flags = [*([f"-I{folder / 'sim' / 'bounded'}"] if threads else []), *ENGINE_FLAGS.split()]
    flags += THREAD_FLAGS.split() if threads else []
    flags += ["-O1", "-DFLOWC_EXACT"] if exact else []
    flags += (
        ["-O1", "-fsanitize=address,undefined", "-fno-sanitize=shift-base", "-fno-sanitize-recover=all"]
        if sanitize
        else []
    )
    progress.at("compiling the engine")
    sources = [str(folder / name) for name in ("top.cpp", "testbench.cpp")]
    command = [gxx, *flags, "-isystem", str(include), "-o", str(binary), *sources]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if "error" in line][:3] or done.stderr.splitlines()[:3]
        raise GeneratedCodeError(f"{gxx} rejects the engine: {' | '.join(lines)}", remedy="Please report this")
    return binary


def run_engine(
    binary: Path, program: Program, memory: Array, *, first: int = 0, count: int | None = None, table: Array | None = None,
    times: int = 1,
) -> EngineRun:  # fmt: skip
    """Runs descriptors on an external memory.

    Args:
        binary: from `compile_engine`.
        program: whose tensors the checks of addresses know.
        memory: uint8, the external memory before the run.
        first, count: which descriptors; all by default.
        table: uint32 (n, 16), descriptors to run instead of the program's.
        times: how often, one after another on the same memory.

    Raises:
        MismatchError: the engine found a descriptor that touches what it may not, or processes that wait for each other.
    """
    with tempfile.TemporaryDirectory(prefix="flowc-engine-") as scratch:
        vectors, results = Path(scratch) / "vectors", Path(scratch) / "results"
        results.mkdir()
        write_vectors(vectors, program, memory, table=table)
        commands = len(program.table if table is None else table)
        span = [str(first), str(commands - first if count is None else count), str(times)]
        done = subprocess.run(
            [str(binary), str(vectors), str(results), *span], capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            text = " | ".join((done.stderr or done.stdout).splitlines()[:20])
            raise MismatchError(f"the C simulation of the engine failed (exit {done.returncode}): {text}")
        lines = [line.split() for line in done.stdout.splitlines() if line.startswith("cycles ")]
        return EngineRun(
            np.fromfile(results / "memory.bin", np.uint8),
            _written((results / "segments.bin").read_bytes()),
            tuple(int(line[2]) for line in lines),
            tuple(int(line[3]) for line in lines),
            tuple(int(line[4]) for line in lines),
        )


def _written(data: bytes) -> tuple[tuple[int, Array], ...]:
    found, at = [], 0
    while at < len(data):
        begin, end = (int(n) for n in np.frombuffer(data, "<u8", 2, at))
        found.append((begin, np.frombuffer(data, np.uint8, end - begin, at + 16)))
        at += 16 + end - begin
    return tuple(found)


def check_engine(binary: Path, program: Program, memory: Array) -> EngineRun:
    """Runs a program on the compiled engine and on the emulator of its descriptors; every byte that any layer writes must be equal.

    Args:
        memory: uint8, the external memory with the program's inputs; stays as it is.

    Raises:
        MismatchError: a byte differs; names the layer.
        ScheduleError: the descriptors are wrong.
    """
    run = run_engine(binary, program, memory)
    ddr = memory.copy()
    machine = Machine(program.engine, ddr)
    for number, segment in enumerate(program.segments):
        machine.reads, machine.writes = program.may_touch(segment.layer)
        machine.run(segment.descriptors)
        begin, data = run.written[number]
        wrong = int((ddr[begin : begin + len(data)] != data).sum())
        if wrong or not len(data):
            raise MismatchError(
                f"the compiled engine differs from the emulator of the descriptors in {wrong} of {len(data)} bytes that layer {number} "
                "writes"
            )
    if not np.array_equal(ddr, run.memory):
        raise MismatchError("the compiled engine leaves another memory behind than the emulator of the descriptors")
    return run


def simulate_engine(
    folder: Path, program: Program, frames: Mapping[str, Array], *, binary: Path | None = None
) -> Simulated:
    """Compiles the engine in a folder and runs frames through it, with the host's steps between layers where there are any.

    Args:
        folder: where `write_engine` wrote the program's engine.
        program: what it executes.
        frames: integers (N, H, W, C) per input port.
        binary: the engine, if it is compiled already.

    Raises:
        UsageError: g++ or the AP types are missing.
        MismatchError: the engine stops.
    """
    begin = time.perf_counter()
    engine = compile_engine(folder) if binary is None else binary
    compiled = time.perf_counter()

    def execute(ddr: Array, first: int, end: int) -> None:
        progress.at(f"layers {first + 1} to {end} of {len(program.segments)}")
        start, behind = program.starts[first], program.starts[end]
        ddr[:] = run_engine(engine, program, ddr, first=start, count=behind - start).memory

    results = run_program(program, frames, execute=execute)
    return Simulated(results, compiled - begin, time.perf_counter() - compiled)
