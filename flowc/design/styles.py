"""The execution styles that flowc knows, and the choice between them."""

from __future__ import annotations

from collections.abc import Mapping

from flowc.design.dataflow_plan import DataflowPlan
from flowc.design.loopback_plan import LoopbackPlan
from flowc.design.plan import Plan, Request
from flowc.errors import FlowcError, InfeasibleError, UsageError
from flowc.streamline.compile import Compiled

__all__ = ["EXECUTIONS", "STYLES", "check_execution", "make_plan"]

STYLES: Mapping[str, type[Plan]] = {style.execution: style for style in (DataflowPlan, LoopbackPlan)}
"""By name; ``auto`` tries them in this order."""

EXECUTIONS = ("auto", "dataflow", "loopback")
"""What ``--execution`` takes."""


def check_execution(name: str) -> None:
    """Raises UsageError where there is no such style."""
    if name not in EXECUTIONS:
        raise UsageError(f"execution must be auto, dataflow or loopback, not '{name}'")


def make_plan(compiled: Compiled, request: Request) -> tuple[Plan, list[str]]:
    """The plan that a request asks for.

    Returns:
        The plan, and why it is not of a style that comes before its own: one text each, where ``auto`` had the choice.

    Raises:
        UsageError: an option makes no sense.
        InfeasibleError: no style meets the request; says why each can't.
    """
    check_execution(request.execution)
    if request.execution != "auto":
        return STYLES[request.execution].make(compiled, request), []
    if request.engine is not None:
        return LoopbackPlan.make(compiled, request), ["loopback execution, because an engine is given"]
    refusals: list[FlowcError] = []
    for style in STYLES.values():
        try:
            plan = style.make(compiled, request)
        except InfeasibleError as error:
            refusals.append(error)
            continue
        except UsageError as error:
            # What makes no sense for another style, as a folding does, must not hide what the first one said.
            if not refusals:
                raise
            refusals.append(error)
            continue
        reasons = [
            f"{plan.execution} execution, because {other} can't: {error.message}"
            for other, error in zip(STYLES, refusals, strict=False)
        ]
        return plan, reasons
    first, *others = refusals
    more = [
        f"{style.capitalize()} execution can't either: {e.message.rstrip('.')}"
        for style, e in zip(list(STYLES)[1:], others, strict=True)
    ]
    kind = type(first)
    raise kind(". ".join([first.message.rstrip("."), *more]), remedy=first.remedy) from first
