"""C simulation of a generated project with plain g++: compile, run, count cycles."""

from __future__ import annotations

import contextlib
import errno
import importlib.util
import os
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from flowc import progress
from flowc.backends.hls.generate import FLAGS
from flowc.backends.hls.precompiled import precompiled
from flowc.backends.hls.writers.port import port_bytes
from flowc.backends.programs import compiler
from flowc.errors import FlowcError, MismatchError, UsageError, counted
from flowc.interface.names import name_design
from flowc.interface.packing import pack_rows, unpack_rows
from flowc.interface.weights import weight_ports
from flowc.units import Array, InputPort, OutputPort
from flowc.units.graph import Dataflow

__all__ = ["GeneratedCodeError", "ap_include", "compile", "count_cycles", "run", "write_vectors"]

_SANITIZE = ("-fsanitize=address,undefined", "-fno-sanitize=shift-base", "-fno-sanitize-recover=all", "-O0", "-g1")
_TOOLS = "Install the whole compiler (Debian: apt install g++ binutils)"
_INCOMPLETE = {
    "cannot find 'ld'": _TOOLS,
    "cannot execute": _TOOLS,
    "No space left on device": "Make room there, or set TMPDIR to a folder that has",
    "no usable temporary directory": "Set TMPDIR to a folder that can be written to",
    "annot create temporary file": "Set TMPDIR to a folder that can be written to",
}
"""What GCC says of an installation without its parts, or of a full disk."""
_REPORT = "Please report this, with the model"
_INSTALL = (
    "Install the vendor's open AP types: pip install 'flowc[csim]'; or set XILINX_HLS, or AP_INCLUDE to their folder"
)


class GeneratedCodeError(FlowcError):
    """The compiler rejects what flowc wrote: a bug of flowc, or a compiler or AP headers it was never tried with."""

    exit_code = 1


def ap_include() -> Path:
    """The folder of ``ap_int.h`` and ``hls_stream.h``.

    ``$AP_INCLUDE``, else ``$XILINX_HLS/include``, else what the Python package hls4ml carries.

    Raises:
        UsageError: none of them has the headers; says what to install.
    """
    candidates = []
    if os.environ.get("AP_INCLUDE"):
        candidates.append(Path(os.environ["AP_INCLUDE"]))
    if os.environ.get("XILINX_HLS"):
        candidates.append(Path(os.environ["XILINX_HLS"]) / "include")
    package = importlib.util.find_spec("hls4ml")
    if package is not None and package.origin is not None:
        candidates.append(Path(package.origin).parent / "templates" / "vivado" / "ap_types")
    for folder in candidates:
        if (folder / "ap_int.h").is_file() and (folder / "hls_stream.h").is_file():
            return folder
    raise UsageError(
        "C simulation needs the vendor's AP types (ap_int.h, hls_stream.h), which were not found", remedy=_INSTALL
    )


def compile(  # noqa: A001 - csim.compile reads well
    folder: Path,
    *,
    threads: bool = False,
    sanitize: bool = False,
    cycles: bool = False,
    exact: bool = False,
    quick: bool = False,
) -> Path:
    """Compiles a generated project, its parts side by side.

    Args:
        folder: where `generate` wrote it.
        threads: every unit in a thread of its own, streams bounded to their real depths.
        sanitize: with address and undefined-behaviour sanitizers.
        cycles: count the cycles of each unit, for `count_cycles`.
        exact: compute in ap_int and ap_uint of the stated widths, as synthesis does, instead of native integers: slow.
        quick: compile with less work, as one source and unoptimized; it runs slower: for many layers and a few small frames.

    Returns:
        The program, in ``folder/build``.

    Raises:
        UsageError: g++ or the AP types are missing.
        GeneratedCodeError: g++ rejects the code; holds its first messages.
    """
    gxx, include = compiler(), ap_include()
    build = folder / "build"
    build.mkdir(exist_ok=True)
    chosen = [
        n
        for n, wanted in (("threads", threads), ("sanitize", sanitize), ("cycles", cycles), ("exact", exact))
        if wanted
    ]
    stem = "_".join(["csim", *chosen])
    flags = FLAGS.split()
    if threads:
        flags += ["-pthread", "-DFLOWC_THREADS", f"-I{folder / 'sim' / 'bounded'}"]
    if sanitize:
        flags += _SANITIZE
    if cycles:
        flags += ["-O1", "-DFLOWC_COUNT_CYCLES"]
    if exact:
        flags += ["-O0", "-DFLOWC_EXACT"]
    if quick:
        flags += ["-O0"]
    sources = sorted((folder / "sim").glob("part*.cpp"))
    if quick:  # what layers have in common is instantiated once
        whole = build / "whole.cpp"
        whole.write_text("".join(f'#include "{source.resolve()}"\n' for source in sources), encoding="utf-8")
        sources = [whole]
    first = precompiled(gxx, [flag for flag in flags if not flag.startswith(("-D", "-I"))], include)
    jobs: list[tuple[subprocess.Popen[str], Path]] = []
    messages: list[str] = []
    try:
        for source in sources:
            target = build / f"{stem}_{source.stem}.o"
            command = [gxx, *flags, *first, "-isystem", str(include), "-c", "-o", str(target), str(source)]
            job = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
            )
            jobs.append((job, target))
        for job, _ in jobs:
            progress.at(f"compiled {len(messages)} of {len(jobs)} parts")
            messages.append(job.communicate()[0])
    except BaseException:  # an interrupt, say: GCC removes what it has begun to write
        for job, _ in jobs:
            job.terminate()
        raise
    for (job, _), text in zip(jobs, messages, strict=True):
        if job.returncode != 0:
            _check_installation(gxx, text)
            raise GeneratedCodeError(f"{gxx} rejects the generated code: {_head(text)}", remedy=_REPORT)
    binary = build / stem
    link = [gxx, *flags, "-o", str(binary), *(str(target) for _, target in jobs)]
    done = subprocess.run(link, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode != 0:
        _check_installation(gxx, done.stderr)
        raise GeneratedCodeError(f"{gxx} can't link the C simulation: {_head(done.stderr)}", remedy=_REPORT)
    return binary


def _check_installation(compiler: str, text: str) -> None:
    """Raises UsageError where the compiler's message says that it is not all there, or has no room for its files."""
    for mark, remedy in _INCOMPLETE.items():
        if mark in text:
            raise UsageError(f"{compiler} does not work here: {_head(text)}", remedy=remedy)


def _head(text: str) -> str:
    return " | ".join([line for line in text.splitlines() if "error" in line][:3] or text.splitlines()[:3])


def _beats(unit: InputPort | OutputPort, frames: Array) -> bytes:
    """Frames (N, H, W, C) as the bytes of the port's beats."""
    rows = np.asarray(frames).reshape(-1, unit.simd)
    return pack_rows(rows, unit.frame.dtype, port_bytes(unit)).tobytes()


def write_vectors(folder: Path, graph: Dataflow, inputs: Sequence[Array], outputs: Sequence[Array] = ()) -> None:
    """Writes the test bench's vectors, ``folder/<port>.bin``: frames, and the words of weights that come over streams.

    Args:
        folder: made if missing.
        graph: the design.
        inputs: integers (N, H, W, C) per input port.
        outputs: golden integers (N, H, W, C) per output port; none: only the inputs are written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    ports: list[InputPort | OutputPort] = [*graph.inputs]
    if len(outputs):
        ports += graph.outputs
    names = name_design(graph)
    for unit, frames in zip(ports, [*inputs, *outputs], strict=True):
        (folder / f"{names.ports[unit.name]}.bin").write_bytes(_beats(unit, frames))
    for port in weight_ports(graph):
        (folder / f"{port.name}.bin").write_bytes(port.data.tobytes())


@contextlib.contextmanager
def _scratch() -> Iterator[str]:
    """A temporary folder. Raises UsageError where none can be made, or it is full."""
    try:
        with tempfile.TemporaryDirectory(prefix="flowc-csim-") as folder:
            yield folder
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.ENOENT):
            raise
        reason = error.strerror or str(error)
        raise UsageError(
            f"the C simulation has no temporary folder: {reason}", remedy="Set TMPDIR to one with room"
        ) from error


def _simulate(binary: Path, graph: Dataflow, inputs: Sequence[Array]) -> tuple[list[Array], str]:
    with _scratch() as scratch:
        results = Path(scratch) / "results"
        results.mkdir()
        write_vectors(Path(scratch), graph, inputs)
        done = subprocess.run([str(binary), scratch, str(results)], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            text = " | ".join((done.stderr or done.stdout).splitlines()[:40])
            raise MismatchError(f"the C simulation failed (exit {done.returncode}): {text}")
        outputs = []
        names = name_design(graph)
        for unit in graph.outputs:
            data = np.frombuffer((results / f"{names.ports[unit.name]}.bin").read_bytes(), np.uint8)
            values = unpack_rows(data.reshape(-1, port_bytes(unit)), unit.frame.dtype, unit.simd)
            outputs.append(values.reshape(-1, *unit.frame.shape))
        return outputs, done.stdout


def run(binary: Path, graph: Dataflow, inputs: Sequence[Array]) -> list[Array]:
    """Runs the compiled design on frames, back to back.

    Args:
        binary: from `compile`.
        graph: the design.
        inputs: integers (N, H, W, C) per input port, in order.

    Returns:
        int64 (N, H, W, C) per output port.

    Raises:
        MismatchError: beats are missing or left over, TLAST is wrong, or units deadlock.
    """
    progress.at(f"running {counted(len(inputs[0]), 'frame')}")
    return _simulate(binary, graph, inputs)[0]


def count_cycles(binary: Path, graph: Dataflow, inputs: Sequence[Array]) -> dict[str, int]:
    """Iterations of each unit's pipelined loop over all frames, by name; ``binary`` was compiled with ``cycles``."""
    lines = (line.split() for line in _simulate(binary, graph, inputs)[1].splitlines() if line.startswith("cycles "))
    counts = {name: int(count) for _, name, count in lines}
    return {name: counts.get(layer, 0) for name, layer in name_design(graph).layers.items()}
