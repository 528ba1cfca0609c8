"""The generated C++, compiled with g++ and compared with the emulator."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from flowc.backends.hls import csim
from flowc.dataflow.emulator import emulate
from flowc.errors import MismatchError
from flowc.units.base import Array
from flowc.units.graph import Dataflow

if TYPE_CHECKING:
    from flowc.design.design import Design

__all__ = ["check", "compare", "extreme_frames"]


def extreme_frames(graph: Dataflow, random: dict[str, Array]) -> dict[str, Array]:
    """Frames for every input port: the given ones, then one of all least and one of all greatest values."""
    frames = {}
    for unit in graph.inputs:
        shape, dtype = (1, *unit.frame.shape), unit.frame.dtype
        parts = [random[unit.name].astype(np.int64), np.full(shape, dtype.lo), np.full(shape, dtype.hi)]
        frames[unit.name] = np.concatenate(parts)
    return frames


def check(
    design: Design, folder: Path, *, samples: int = 4, seed: int = 0, inputs: dict[str, Array] | None = None
) -> dict[str, Any]:
    """As `compare`, and every integer must be equal.

    Raises:
        MismatchError: an integer differs from the emulator's.
        UsageError: g++ or the AP-type headers are missing.
    """
    result, wrong = compare(design, folder, samples=samples, seed=seed, inputs=inputs)
    if wrong is not None:
        raise wrong
    return result


def compare(
    design: Design, folder: Path, *, samples: int = 4, seed: int = 0, inputs: dict[str, Array] | None = None
) -> tuple[dict[str, Any], MismatchError | None]:
    """Compiles ``folder`` (a generated hls directory), runs frames back to back and compares every output integer.

    Args:
        inputs: model inputs; random ones if None. Frames of extreme values are added.

    Returns:
        The figures of ``csim`` in report.json, and the error that says what differs from the emulator, if anything does.

    Raises:
        MismatchError: the compiled design fails: beats are missing or left over, or TLAST is wrong.
        UsageError: g++ or the AP-type headers are missing.
    """
    start = time.perf_counter()
    binary = csim.compile(folder)
    compiled = time.perf_counter() - start
    heads = design.run_head(design.samples(samples, seed) if inputs is None else inputs)
    frames = extreme_frames(design.graph, design.to_ports(heads))
    start = time.perf_counter()
    got = csim.run(binary, design.graph, [frames[u.name] for u in design.graph.inputs])
    ran = time.perf_counter() - start
    right = emulate(design.graph, frames)
    count = len(next(iter(frames.values())))
    wrong = {u.name: int((g != right[u.name]).sum()) for u, g in zip(design.graph.outputs, got, strict=True)}
    result = {
        "samples": count,
        "mismatches": sum(wrong.values()),
        "compile_s": compiled,
        "run_s": ran,
        "frames_per_second": count / ran if ran else None,
    }
    if any(wrong.values()):
        name = next(n for n, bad in wrong.items() if bad)
        text = f"the compiled C++ differs from the emulator in {wrong[name]} values of output '{name}'"
        return result, MismatchError(text)
    return result, None
