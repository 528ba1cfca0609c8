"""The execution styles that flowc knows, and the choice between them."""

from __future__ import annotations

from importlib import import_module

from flowc.design.plan import Plan, Request
from flowc.errors import FlowcError, InfeasibleError, UsageError
from flowc.streamline.compile import Compiled

__all__ = ["EXECUTIONS", "STYLES", "check_execution", "make_plan", "style_named"]

STYLES = ("dataflow", "loopback")
"""Each is the class of plans in `flowc.design.<style>_plan`; ``auto`` tries them in this order."""

EXECUTIONS = ("auto", "dataflow", "loopback")
"""What ``--execution`` takes."""


def check_execution(name: str) -> None:
    """Raises UsageError where there is no such style."""
    if name not in EXECUTIONS:
        raise UsageError(f"execution must be auto, dataflow or loopback, not '{name}'", remedy="Give one of these")


def style_named(name: str) -> type[Plan]:
    """The class of plans of a style, which is imported when it is first asked for.

    Raises:
        KeyError: there is no such style.
    """
    if name not in STYLES:
        raise KeyError(name)
    style: type[Plan] = getattr(import_module(f"flowc.design.{name}_plan"), f"{name.capitalize()}Plan")
    return style


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
        return style_named(request.execution).make(compiled, request), []
    if request.engine is not None:
        return style_named("loopback").make(compiled, request), ["loopback execution, because an engine is given"]
    refusals: list[FlowcError] = []
    for style in STYLES:
        try:
            plan = style_named(style).make(compiled, request)
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
        for style, e in zip(STYLES[1:], others, strict=True)
    ]
    kind = type(first)
    raise kind(". ".join([first.message.rstrip("."), *more]), remedy=first.remedy) from first
