"""The Python interface: build, estimate, info. The command line is a thin skin on these functions."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir

from flowc.backends import chosen, find
from flowc.backends.driver import host_notes
from flowc.dataflow.allocate import Limits, checked_clock, folding_of
from flowc.design.design import Design
from flowc.design.plan import Plan, Request
from flowc.design.project import write_project
from flowc.design.styles import check_execution, make_plan
from flowc.errors import InfeasibleError, UsageError
from flowc.files.outdir import staged_output
from flowc.model.input_type import InputType
from flowc.model.ir import DOMAIN, array_of, int_attr, is_op, shape_of
from flowc.report import report as reports
from flowc.report.command import command_line
from flowc.streamline.compile import Compiled, compile_model, explanations
from flowc.streamline.stages import Stages
from flowc.targets import Target, load_target

__all__ = ["build", "estimate", "info"]

_NARROW_BYTES = 2

Model = str | os.PathLike[str] | onnx.ModelProto
Folding = str | os.PathLike[str] | Mapping[str, Any]
Progress = Callable[[str], None]

_CSIM_SAMPLES = 4


def build(
    model: Model,
    target: str | os.PathLike[str] | Target,
    *,
    output: str | os.PathLike[str] | None = None,
    fps: float | None = None,
    clock_mhz: float | None = None,
    execution: str = "auto",
    input_type: str | InputType | None = None,
    folding: Folding | None = None,
    utilization: str | Limits | None = None,
    backend: str | None = None,
    batch: int | None = None,
    latency_ms: float | None = None,
    engine: str | os.PathLike[str] | None = None,
    status: bool = False,
    csim: bool = False,
    rtlsim: bool = False,
    verify: bool = True,
    force: bool = False,
    strict: bool = False,
    dump_passes: bool = False,
    verify_passes: bool = False,
    progress: Progress | None = None,
) -> Design:
    """Compiles a model into an accelerator design for a board.

    Args:
        model: path of an ONNX file, or a model in memory.
        target: name of a known board, or path of a target file.
        output: directory to write the project to; None: nothing is written (see `Design.save`).
        fps: wanted frames per second; None: as many as fit.
        clock_mhz: clock; None: the target's.
        execution: "auto", "dataflow" or "loopback".
        input_type: integer type of float inputs, as ``--input-type`` takes it.
        folding: PE, SIMD and styles fixed by hand: a mapping or the path of a JSON file.
        utilization: shares of the target that may be used, such as "lut=0.7,bram18=90%".
        backend: hardware language of the generated code: "hls" or "rtl"; None: "hls" where the target has an HLS tool.
        csim: compile the generated C++ with g++, run it and compare with the emulator (needs ``output``).
        rtlsim: simulate the generated SystemVerilog with Verilator and compare every stream with the emulator, and the cycles
            with the model (needs ``output`` and ``backend="rtl"``).
        status: with a register block that counts what streams do, and resets the accelerator alone, on boards with a processor.
        verify: compare with onnxruntime on random samples.
        force: replace ``output`` even if flowc did not write it.
        strict: refuse what is otherwise a warning: layers all fixed by ``folding`` that do not fit, a host part that the board's
            processor can't run.
        dump_passes: keep the model graph after every pass in ``output``/passes.
        verify_passes: execute the model graph around every pass and compare.
        progress: called with the name of each stage as it begins.

    Raises:
        ModelError: the model can't be read or holds what can't become hardware.
        UsageError, TargetError: an option makes no sense.
        InfeasibleError: it does not fit, or the rate is out of reach.
        MismatchError: verification failed.
    """
    tell = progress or (lambda stage: None)
    request = _request(
        target, fps, clock_mhz, execution, folding, utilization, backend, batch=batch, latency_ms=latency_ms, engine=engine,
        status=status,
    )  # fmt: skip
    line = _command("build", model, request, input_type, {
        "output": output, "csim": csim, "rtlsim": rtlsim, "no-verify": not verify, "strict": strict, "dump-passes": dump_passes,
        "verify-passes": verify_passes,
    }, folding=folding, utilization=utilization)  # fmt: skip
    if csim and output is None:
        raise UsageError(
            "csim compiles the generated C++, so the design must be written", remedy="Give an output directory"
        )
    _check_rtlsim(rtlsim, request.backend, output)
    if output is not None:
        with staged_output(output, force=force) as staging:
            design, stages = _design(
                model,
                request,
                input_type,
                verify=verify,
                verify_passes=verify_passes,
                keep=dump_passes,
                tell=tell,
                strict=strict,
                command=line,
            )
            tell("render")
            start = time.perf_counter()
            write_project(design, design.report["model"], staging)
            if dump_passes:
                stages.write(staging / "passes")
            design.report["seconds"]["render"] = time.perf_counter() - start
            if csim:
                from flowc.design import csim as csims

                tell("csim")
                design.report["csim"] = csims.check(design, staging, samples=_CSIM_SAMPLES)
            if rtlsim:
                from flowc.design import rtlsim as rtlsims

                tell("rtlsim")
                design.report["rtlsim"] = rtlsims.check(design, staging)
            reports.write(design.report, staging)
        design.directory = Path(output)
        return design
    design, _ = _design(
        model,
        request,
        input_type,
        verify=verify,
        verify_passes=verify_passes,
        keep=dump_passes,
        tell=tell,
        strict=strict,
        command=line,
    )
    return design


def _check_rtlsim(rtlsim: bool, backend: str, output: str | os.PathLike[str] | None) -> None:
    """Raises UsageError for a simulation that has nothing to simulate, or no tools."""
    if not rtlsim:
        return
    if backend != "rtl":
        raise UsageError("an RTL simulation runs SystemVerilog", remedy="Build with --backend rtl")
    if output is None:
        raise UsageError(
            "rtlsim compiles the generated SystemVerilog, so the design must be written",
            remedy="Give an output directory",
        )
    missing = find(backend).missing_tools()
    if missing:
        raise UsageError(missing[0], remedy="Install it (pip install 'flowc[rtl]'), or build without the simulation")


def estimate(
    model: Model,
    target: str | os.PathLike[str] | Target,
    *,
    fps: float | None = None,
    clock_mhz: float | None = None,
    execution: str = "auto",
    input_type: str | InputType | None = None,
    folding: Folding | None = None,
    utilization: str | Limits | None = None,
    backend: str | None = None,
    batch: int | None = None,
    latency_ms: float | None = None,
    engine: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """The report of a build, without verification; nothing is written. Arguments and errors as for `build`."""
    tell = progress or (lambda stage: None)
    request = _request(
        target, fps, clock_mhz, execution, folding, utilization, backend, batch=batch, latency_ms=latency_ms, engine=engine
    )  # fmt: skip
    line = _command("estimate", model, request, input_type, {}, folding=folding, utilization=utilization)
    design, _ = _design(
        model, request, input_type, verify=False, verify_passes=False, keep=False, tell=tell, command=line
    )
    return design.report


def info(
    model: Model, *, input_type: str | InputType | None = None, progress: Progress | None = None
) -> dict[str, Any]:
    """What a model holds, and what would become of it, before a target is named.

    Of one that can't be compiled, `flowc.survey.survey` says what it holds and what stands in the way.

    Raises:
        ModelError: the model can't be read or holds what can't become hardware.
    """
    compiled = compile_model(model, input_type=_input_type(input_type), progress=progress)
    return reports.info(compiled, explanations(compiled))


def _request(
    target: str | os.PathLike[str] | Target,
    fps: float | None,
    clock_mhz: float | None,
    execution: str,
    folding: Folding | None,
    utilization: str | Limits | None,
    backend: str | None,
    *,
    batch: int | None,
    latency_ms: float | None,
    engine: str | os.PathLike[str] | None,
    status: bool = False,
) -> Request:
    """What is asked of a plan, checked before any work begins."""
    board = target if isinstance(target, Target) else load_target(target)
    if fps is not None and not (isinstance(fps, int | float) and math.isfinite(fps) and fps > 0):
        raise UsageError(
            f"fps must be a finite number above 0, not {fps}",
            remedy="Leave it out for as many frames as fit, or give a number such as 3000",
        )
    check_execution(execution)
    checked_clock(clock_mhz, board)
    language = chosen(backend, board)
    if batch is not None and (isinstance(batch, bool) or not isinstance(batch, int) or batch < 1):
        raise UsageError(f"a batch has at least one image, not {batch}", remedy="Leave it out, or give 1 or more")
    if latency_ms is not None and not (
        isinstance(latency_ms, int | float) and math.isfinite(latency_ms) and latency_ms > 0
    ):
        raise UsageError(
            f"latency_ms must be a finite number above 0, not {latency_ms}",
            remedy="Leave it out, or give milliseconds such as 5",
        )
    limits = Limits.of(utilization)
    return Request(
        board, fps, clock_mhz, execution, folding_of(folding), limits, language, batch, latency_ms, engine, status
    )


def _command(
    name: str,
    model: Model,
    request: Request,
    input_type: str | InputType | None,
    more: Mapping[str, Any],
    *,
    folding: Folding | None,
    utilization: str | Limits | None,
) -> str | None:
    """The command line of a call, or None (see `flowc.report.command`)."""
    options = {
        "target": request.target.name,
        "fps": request.fps,
        "clock": request.clock_mhz,
        "execution": None if request.execution == "auto" else request.execution,
        "input-type": input_type,
        "folding": folding,
        "utilization": utilization,
        "backend": None if request.backend == chosen(None, request.target) else request.backend,
        "batch": request.batch,
        "latency": request.latency_ms,
        "engine": request.engine,
        "status": request.status,
        **more,
    }
    return command_line(name, model, options)


def _input_type(given: str | InputType | None) -> InputType | None:
    return InputType.parse(given) if isinstance(given, str) else given


def _design(
    model: Model,
    request: Request,
    input_type: str | InputType | None,
    *,
    verify: bool,
    verify_passes: bool,
    keep: bool,
    tell: Progress,
    strict: bool = False,
    command: str | None = None,
) -> tuple[Design, Stages]:
    stages = Stages(keep=keep, check=verify_passes)
    compiled = compile_model(model, input_type=_input_type(input_type), observer=stages.observe, progress=tell)
    tell("allocate")
    start = time.perf_counter()
    plan, reasons = make_plan(compiled, request)
    compiled.seconds["allocate"] = time.perf_counter() - start
    design = _assemble(compiled, plan, reasons, command)
    _tell_host(design, strict=strict)
    if strict:
        _check_fit(design)
    if verify:
        tell("verify")
        start = time.perf_counter()
        design.verify(samples=_samples(compiled))
        design.report["seconds"]["verify"] = time.perf_counter() - start
    return design, stages


def _tell_host(design: Design, *, strict: bool) -> None:
    """Notes on what the driver needs on the board.

    Raises:
        InfeasibleError: it needs what the board can't have, and that is not to pass.
    """
    parts = {"head.onnx": design.head, "tail.onnx": design.tail}
    models = {name: part.model for name, part in parts.items() if part is not None}
    notes, warnings = host_notes(models, design.plan.target)
    if strict and warnings:
        raise InfeasibleError(
            "; ".join(w.removeprefix("warning: ") for w in warnings),
            remedy="end the export at the last quantized layer, take a board with a 64-bit processor, or leave out --strict",
        )
    design.report["notes"] = [*warnings, *notes, *design.report["notes"]]


def _check_fit(design: Design) -> None:
    """Raises InfeasibleError for a design that is larger than its target, as only a folding file that fixes every layer makes it."""
    if not design.plan.fits:
        over = next(
            (n for n in design.report["notes"] if n.startswith("warning: does not fit")), "does not fit the target"
        )
        raise InfeasibleError(
            over.removeprefix("warning: "), remedy="Leave layers free in the folding file, or leave out --strict"
        )


def _samples(compiled: Compiled) -> int:
    """Random samples that a build verifies: fewer of large networks, whose samples hold millions of integers each."""
    macs = sum(unit.macs for unit in compiled.graph)
    return 4 if macs < 20_000_000 else 2 if macs < 200_000_000 else 1


def _assemble(compiled: Compiled, plan: Plan, reasons: Sequence[str], command: str | None) -> Design:
    return Design(
        plan=plan,
        head=compiled.head,
        tail=compiled.tail,
        tensors=compiled.tensors,
        ports=compiled.ports,
        inputs=compiled.inputs,
        outputs=compiled.outputs,
        accumulators=compiled.accumulators,
        reference=compiled.reference,
        sums=compiled.sums,
        windows=compiled.windows,
        argmax_slack=compiled.argmax_slack,
        sampling=_sampling(compiled),
        report=reports.build(compiled, plan.report(), plan.target, [*reasons, *plan.notes], command),
        notes=explanations(compiled),
    )


def _integers(value: ir.Value) -> tuple[int, int]:
    """The values to draw for an integer input: all of a narrow type's; of a wide one's those that index a table, or 0 and 1."""
    kind = np.dtype(np.bool_ if value.dtype is None else value.dtype.numpy())
    if kind.kind in "iu" and kind.itemsize <= _NARROW_BYTES:
        info = np.iinfo(kind)
        return int(info.min), int(info.max)
    tables = [
        shape_of(table)[int_attr(use.node, "axis", 0)]
        for use in value.uses()
        if is_op(use.node, "Gather") and use.idx == 1 and (table := use.node.inputs[0]) is not None
    ]
    return 0, min(tables, default=2) - 1


def _sampling(compiled: Compiled) -> dict[str, tuple[float, float, float | None]]:
    """Per input the values to draw: what its own quantizer covers, else 0 to 1."""
    found: dict[str, tuple[float, float, float | None]] = {}
    for value in compiled.model.graph.inputs:
        name = value.name or ""
        if compiled.inputs[name].dtype != "float32":
            found[name] = (*_integers(value), 1.0)
            continue
        found[name] = (0.0, 1.0, None)
        for use in value.uses():
            node = use.node
            scale, zero = (array_of(v) for v in node.inputs[1:3]) if is_op(node, "Quantize", DOMAIN) else (None, None)
            if scale is not None and zero is not None and scale.size == 1 and zero.size == 1:
                s, z = float(scale.reshape(())), float(zero.reshape(()))
                lo, hi = int_attr(node, "lo", 0), int_attr(node, "hi", 0)
                found[name] = ((lo - z) * s, (hi - z) * s, s if hi - lo < 1 << 16 else None)
    return found
