"""The generated SystemVerilog, simulated and compared with the emulator and with the model of the pipeline."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flowc.design.assembly import Assembly
from flowc.design.complete import SIMULATED, check_complete
from flowc.design.csim import extreme_frames
from flowc.design.dataflow_plan import DataflowPlan
from flowc.errors import MismatchError, UsageError
from flowc.units.base import Array

__all__ = ["check", "compare"]


def check(
    design: Assembly, directory: Path, *, samples: int = 2, seed: int = 0, inputs: Mapping[str, Array] | None = None
) -> dict[str, Any]:
    """As `compare`, and nothing may differ.

    Raises:
        MismatchError: a beat differs from the emulator's, a handshake is broken, or a frame takes other cycles than modelled.
        UsageError: the design is not in SystemVerilog, or a tool is missing.
    """
    entry, wrong = compare(design, directory, samples=samples, seed=seed, inputs=inputs)
    if wrong is not None:
        raise wrong
    return entry


def compare(
    design: Assembly, directory: Path, *, samples: int = 2, seed: int = 0, inputs: Mapping[str, Array] | None = None
) -> tuple[dict[str, Any], MismatchError | None]:
    """Simulates the SystemVerilog of the project in ``directory`` with Verilator.

    Args:
        inputs: model inputs; random ones if None. Frames of extreme values are added.

    Returns:
        The figures of ``rtlsim`` in report.json, and the error that says what is wrong, if anything is.

    Raises:
        UsageError: the design is not in SystemVerilog, files of it are gone, or a tool is missing.
        MismatchError: the simulation itself fails.
    """
    plan = design.plan
    if not isinstance(plan, DataflowPlan) or plan.backend.name != "rtl":
        raise UsageError(
            "an RTL simulation runs SystemVerilog, which this design was not written in",
            remedy="Build it with --backend rtl",
        )
    from flowc.backends.rtl.check import check as simulated

    check_complete(directory, SIMULATED, ("rtl/files.f", "rtl/sim/bench.cpp"))
    heads = design.run_head(design.samples(samples, seed) if inputs is None else inputs)
    frames = extreme_frames(plan.graph, design.to_ports(heads))
    result = simulated(directory / "rtl", plan.graph, [frames[u.name] for u in plan.graph.inputs])
    if result.wrong:
        more = f" (and {len(result.wrong) - 1} more)" if len(result.wrong) > 1 else ""
        return result.entry, MismatchError(f"in the RTL simulation {result.wrong[0]}{more}")
    return result.entry, None
