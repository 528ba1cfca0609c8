"""The generated code, simulated and compared with the emulator."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from flowc.design.assembly import Assembly
from flowc.design.complete import SIMULATED, check_complete
from flowc.errors import MismatchError
from flowc.units.base import Array
from flowc.units.graph import Dataflow

__all__ = ["check", "compare", "extreme_frames"]


def extreme_frames(graph: Dataflow, random: Mapping[str, Array]) -> dict[str, Array]:
    """Frames for every input port: the given ones, then one of all least and one of all greatest values."""
    frames = {}
    for unit in graph.inputs:
        shape, dtype = (1, *unit.frame.shape), unit.frame.dtype
        parts = [random[unit.name].astype(np.int64), np.full(shape, dtype.lo), np.full(shape, dtype.hi)]
        frames[unit.name] = np.concatenate(parts)
    return frames


def check(
    design: Assembly, directory: Path, *, samples: int = 4, seed: int = 0, inputs: Mapping[str, Array] | None = None
) -> dict[str, Any]:
    """As `compare`, and every integer must be equal.

    Raises:
        MismatchError: an integer differs from the emulator's.
        UsageError: a tool that the simulation needs is missing.
    """
    result, wrong = compare(design, directory, samples=samples, seed=seed, inputs=inputs)
    if wrong is not None:
        raise wrong
    return result


def compare(
    design: Assembly, directory: Path, *, samples: int = 4, seed: int = 0, inputs: Mapping[str, Array] | None = None
) -> tuple[dict[str, Any], MismatchError | None]:
    """Compiles the code of the project in ``directory``, runs frames back to back and compares every output integer.

    Args:
        inputs: model inputs; random ones if None. Frames of extreme values are added.

    Returns:
        The figures of ``csim`` in report.json, and the error that says what differs from the emulator, if anything does.

    Raises:
        MismatchError: the compiled design fails: beats are missing or left over, or TLAST is wrong.
        UsageError: a tool that the simulation needs is missing, or files of the design are.
    """
    check_complete(directory, SIMULATED)
    heads = design.run_head(design.samples(samples, seed) if inputs is None else inputs)
    frames = extreme_frames(design.graph, design.to_ports(heads))
    got = design.plan.simulate(directory, frames)
    right = design.plan.run(frames)
    count = len(next(iter(frames.values())))
    wrong = {name: int((values != right[name]).sum()) for name, values in got.frames.items()}
    result = {
        "samples": count,
        "mismatches": sum(wrong.values()),
        "compile_s": got.compile_s,
        "run_s": got.run_s,
        "frames_per_second": count / got.run_s if got.run_s else None,
    }
    if any(wrong.values()):
        name = next(n for n, bad in wrong.items() if bad)
        text = f"the compiled code differs from the emulator in {wrong[name]} values of output '{name}'"
        return result, MismatchError(text)
    return result, None
