"""Simulation of a generated project with Verilator and g++: every stream watched, random stalls, cycles counted."""

from __future__ import annotations

import functools
import os
import platform
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from flowc import progress
from flowc.backends.programs import compiler, run_program, side_by_side
from flowc.backends.render import copied
from flowc.backends.rtl.bench import flowing, read_results, write_golden, write_port_vectors
from flowc.backends.rtl.tools import verilator_root
from flowc.backends.rtl.wiring import wires
from flowc.errors import FlowcError, MismatchError, counted
from flowc.files.cache import kept
from flowc.interface.names import name_design
from flowc.units import Array
from flowc.units.graph import Dataflow, Stream

__all__ = ["COMPILE", "Observed", "Passed", "RejectedCodeError", "compile", "library", "run"]

_VERILATE = ("--cc", "-O3", "--x-assign", "fast", "--x-initial", "fast", "--no-timing", "-Wno-fatal", "-DFLOWC_STALLS")
COMPILE = ("-std=c++17", "-w", "-DVM_TRACE=0", "-DVL_TIME_CONTEXT=1")
"""Options of everything that is linked with `library`."""

_EFFORT = "-O1"
"""Of what runs every cycle. With -O2 g++ takes twice as long for a tenth less instructions: more than a few frames win."""

_COUNTS = ("-mpopcnt",) if platform.machine().lower() in ("x86_64", "amd64") else ()
_RUNTIME = ("verilated", "verilated_threads")
_STUCK = 3


class RejectedCodeError(FlowcError):
    """Verilator or the compiler rejects what flowc wrote: a bug of flowc, or a version it was never tried with."""

    exit_code = 1


@dataclass(frozen=True)
class Passed:
    """What was seen of a stream.

    Attributes:
        given, taken: beats into and out of its FIFO.
        wrong, first_wrong: beats that differ from the golden ones, and the number of the first.
        most: most beats held at once.
        broken: cycles in which a valid beat was taken back or changed before it was taken.
    """

    given: int
    taken: int
    wrong: int
    first_wrong: int
    most: int
    broken: int


@dataclass(frozen=True, eq=False)
class Observed:
    """What a simulation showed.

    Attributes:
        frames: output port -> int64 (N, H, W, C).
        cycles: clock cycles in all.
        port_ends: per output port and frame: cycles from the first beat into the design to the frame's last beat into the port.
        streams: every stream.
        wrong_last, broken_outputs: wrong TLASTs, and broken handshakes, of the output ports.
        stuck: nothing moved although frames were missing.
    """

    frames: Mapping[str, Array]
    cycles: int
    port_ends: Mapping[str, tuple[int, ...]]
    streams: Mapping[Stream, Passed]
    wrong_last: int
    broken_outputs: int
    stuck: bool

    @property
    def ends(self) -> tuple[int, ...]:
        """Per frame: cycles from the first beat into the design to the frame's last beat into any output port."""
        return tuple(max(ends) for ends in zip(*self.port_ends.values(), strict=False))

    @property
    def interval(self) -> int | None:
        """Cycles between the last two frames; None for a single frame."""
        return self.ends[-1] - self.ends[-2] if len(self.ends) > 1 else None


_SCRATCH = tempfile.TemporaryDirectory(prefix="flowc-verilator-")


@functools.cache
def library(root: Path, cxx: str) -> list[Path]:
    """Objects of Verilator's own library, compiled once per machine: it takes longer than most designs.

    They are kept in the user's cache folder; where that can't be used, for this process.
    """

    def make(folder: Path) -> None:
        for name in _RUNTIME:
            include = [f"-I{root / 'include'}", f"-I{root / 'include' / 'vltstd'}"]
            source = root / "include" / f"{name}.cpp"
            _run([cxx, *COMPILE, _EFFORT, *include, "-c", "-o", str(folder / f"{name}.o"), str(source)], folder, cxx)

    said = subprocess.run([cxx, "-v"], capture_output=True, text=True, errors="replace", check=False).stderr
    sources = [p for p in sorted((root / "include").rglob("*")) if p.suffix in (".cpp", ".h")]
    folder = kept("verilator", [said, *COMPILE, _EFFORT, *(p.read_bytes() for p in sources)], make, most=2)
    if folder is None:
        folder = Path(_SCRATCH.name)
        make(folder)
    return [folder / f"{name}.o" for name in _RUNTIME]


def compile(  # noqa: A001 - simulate.compile reads well
    folder: Path, graph: Dataflow, *, quick: bool = False, tables: bool = False, primitives: Path | None = None
) -> Path:
    """Compiles a generated project.

    Args:
        folder: where `generate` wrote it.
        graph: the design.
        quick: compile sooner, run slower: for a few small frames.
        tables: simulate the compressors of dot products table by table, instead of what they count: slow.
        primitives: a source with the modules LUT6_2 and DSP48E2, as AMD's libraries have them: tables and slices are those of its
            devices then.

    Returns:
        The program, in ``folder/build``.

    Raises:
        UsageError: Verilator or g++ is missing.
        RejectedCodeError: one of them rejects the code; holds its first messages.
    """
    root, cxx, top = verilator_root(), compiler("RTL simulation"), name_design(graph).top
    build = folder.resolve() / "build"
    build.mkdir(exist_ok=True)
    for stale in build.glob("V*"):
        stale.unlink()
    command = [str(root / "bin" / "verilator_bin"), *_VERILATE, "--Mdir", str(build), "--top-module", top]
    command += [] if tables else ["-DFLOWC_COUNTED"]
    command += [] if primitives is None else ["-DFLOWC_LUT6_2", "-DFLOWC_DSP48E2", str(primitives.resolve())]
    progress.at("translating by Verilator")
    command += ["--output-split", "20000", "sim/public.vlt", "-f", "files.f"]
    _run(command, folder, "Verilator", {**os.environ, "VERILATOR_ROOT": str(root)})
    (build / "popcount.h").write_text(copied("rtl/sim/popcount.h", "", "//"), encoding="utf-8")
    include = [f"-I{build}", f"-I{root / 'include'}", f"-I{root / 'include' / 'vltstd'}", *_COUNTS]
    sources = [*sorted(build.glob("V*.cpp")), folder.resolve() / "sim" / "bench.cpp"]
    # What runs once takes long to optimize and wins nothing. One file reads Verilator's headers, which take most of the time, once.
    once = [source for source in sources if quick or source.stem.endswith(("__Slow", "__Dpi", "__Syms"))]
    rest = build / "rest.cpp"
    rest.write_text("".join(f'#include "{source}"\n' for source in once), encoding="utf-8")
    jobs = [(rest, "-O0"), *((source, _EFFORT) for source in sources if source not in once)]
    objects = [build / f"{source.stem}.o" for source, _ in jobs]
    counts = ["-include", str(build / "popcount.h")]

    def translate(job: tuple[Path, str], target: Path) -> None:
        source, effort = job
        _run([cxx, *COMPILE, effort, *include, *counts, "-c", "-o", str(target), str(source)], folder, cxx)

    with side_by_side() as pool:
        runtime = pool.submit(library, root, cxx)
        for made, _ in enumerate(pool.map(translate, jobs, objects), 1):
            progress.at(f"compiled {made} of {len(jobs)} parts")
        objects += runtime.result()
    binary = build / "bench"
    _run([cxx, "-o", str(binary), *map(str, objects), "-pthread"], folder, cxx)
    return binary


def _run(command: Sequence[str], folder: Path, name: str, env: Mapping[str, str] | None = None) -> None:
    done = run_program(command, folder=folder, env=env)
    if done.returncode != 0:
        lines = (done.stderr or done.stdout).splitlines()
        head = " | ".join([line for line in lines if "rror" in line][:3] or lines[:3])
        raise RejectedCodeError(
            f"{name} rejects the generated code: {head}", remedy="Please report this, with the model"
        )


def run(
    binary: Path,
    graph: Dataflow,
    inputs: Sequence[Array],
    *,
    stalls: int = 0,
    seed: int = 1,
    golden: bool = True,
    emulated: Mapping[Stream, Array] | None = None,
) -> Observed:
    """Runs frames through a compiled design, back to back.

    Args:
        binary: from `compile`.
        graph: the design.
        inputs: integers (N, H, W, C) per input port, in order.
        stalls: cycles of 100 in which each side of each stream is held back, at random.
        seed: of the stalls.
        golden: compare every stream with the emulator's.
        emulated: what the emulator says of these inputs (`flowing`), if that is known; else it is asked.

    Raises:
        MismatchError: the simulation itself fails.
    """
    count = len(inputs[0])
    progress.at(f"running {counted(count, 'frame')}" + (", streams held back" if stalls else ""))
    folder = binary.parent.parent
    with tempfile.TemporaryDirectory(prefix="flowc-rtlsim-") as scratch:
        results = Path(scratch) / "results"
        results.mkdir()
        write_port_vectors(Path(scratch), graph, inputs)
        if golden:
            write_golden(Path(scratch), graph, flowing(graph, inputs) if emulated is None else emulated)
        patience = 2 * max(u.cycles for u in graph) * (1 if stalls == 0 else 4) + 1000
        command = [str(binary), scratch, str(results), str(count), str(stalls), str(seed), str(patience)]
        command += [f"+stalls={stalls}", f"+verilator+seed+{seed}"]
        done = run_program(command, folder=folder)
        if done.returncode not in (0, _STUCK):
            text = " | ".join((done.stderr or done.stdout).splitlines()[:5])
            raise MismatchError(f"the RTL simulation failed (exit {done.returncode}): {text}")
        frames = read_results(results, graph)
    return _observed(graph, done.stdout, frames, stuck=done.returncode == _STUCK)


def _observed(graph: Dataflow, report: str, frames: Mapping[str, Array], *, stuck: bool) -> Observed:
    lines = [line.split() for line in report.splitlines()]
    figures = {line[0]: [int(v) for v in line[1:]] for line in lines if line and line[0] in ("cycles", "first")}
    by_name = {line[1]: Passed(*map(int, line[2:])) for line in lines if line and line[0] == "stream"}
    ends = {line[1]: [int(v) for v in line[2:]] for line in lines if line and line[0] == "ends"}
    ports = [[int(v) for v in line[2:]] for line in lines if line and line[0] == "port"]
    first = figures["first"][0]
    found, names = wires(graph), name_design(graph).ports
    return Observed(
        frames=frames,
        cycles=figures["cycles"][0],
        port_ends={u.name: tuple(end - first + 1 for end in ends[names[u.name]]) for u in graph.outputs},
        streams={stream: by_name[wire.name] for stream, wire in found.items()},
        wrong_last=sum(port[1] for port in ports),
        broken_outputs=sum(port[2] for port in ports),
        stuck=stuck,
    )
