"""The execution styles that flowc knows, and the choice between them."""

from __future__ import annotations

from collections.abc import Mapping

from flowc.design.dataflow_plan import DataflowPlan
from flowc.design.plan import Plan, Request
from flowc.errors import InfeasibleError, TooLargeError, UsageError
from flowc.streamline.compile import Compiled

__all__ = ["EXECUTIONS", "STYLES", "check_execution", "make_plan"]

STYLES: Mapping[str, type[Plan]] = {style.execution: style for style in (DataflowPlan,)}
"""By name; ``auto`` tries them in this order."""

EXECUTIONS = ("auto", "dataflow", "loopback")
"""What ``--execution`` takes."""


def check_execution(name: str) -> None:
    """Raises UsageError where there is no such style."""
    if name not in EXECUTIONS:
        raise UsageError(f"execution must be auto, dataflow or loopback, not '{name}'")
    if name != "auto" and name not in STYLES:
        raise UsageError(f"{name} execution does not exist in this version", remedy="Use --execution dataflow, or auto")


def make_plan(compiled: Compiled, request: Request) -> tuple[Plan, list[str]]:
    """The plan that a request asks for.

    Returns:
        The plan, and why it is not of a style that comes before its own: one text each, where ``auto`` had the choice.

    Raises:
        UsageError: an option makes no sense.
        InfeasibleError: no style meets the request; holds what the first one said.
    """
    check_execution(request.execution)
    if request.execution != "auto":
        return STYLES[request.execution].make(compiled, request), []
    refusals: list[InfeasibleError] = []
    for style in STYLES.values():
        try:
            plan = style.make(compiled, request)
        except InfeasibleError as error:
            refusals.append(error)
            continue
        reasons = [
            f"{plan.execution} execution, because {other} can't: {error.message}"
            for other, error in zip(STYLES, refusals, strict=False)
        ]
        return plan, reasons
    first = refusals[0]
    if isinstance(first, TooLargeError) and "loopback" not in STYLES:
        raise TooLargeError(
            f"{first.message.rstrip('.')}. Dataflow execution keeps every layer on the chip at once; networks larger than that "
            "need loopback execution, which this version does not have",
            remedy=first.remedy,
        ) from first
    raise first
