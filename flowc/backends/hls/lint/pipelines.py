"""Rules about loops and their pragmas: what is pipelined, what is unrolled."""

from __future__ import annotations

from collections.abc import Iterator

from flowc.backends.hls.lint.finding import Finding
from flowc.backends.hls.lint.program import Function, Part, Program, calls_in
from flowc.backends.hls.lint.structure import Scope

__all__ = ["is_unrolled", "pipeline_findings"]


def pipeline_findings(program: Program) -> Iterator[Finding]:
    """Loops that are neither pipelined nor unrolled, and pipelines with a loop left in them."""
    looping = _looping(program)
    for function in program.functions:
        if any(token.text == "constexpr" for token in function.scope.head):
            continue  # runs in the compiler
        yield from _bare(function)
        for scope in function.scope.walk():
            yield from _loop(scope, function, program, looping)
            if function.part.has(scope, "pipeline"):
                for call in calls_in(function.tokens, scope.begin + 1, scope.end):
                    if any(id(callee.scope) in looping for callee in program.callees(call)):
                        message = f"'{call.path[-1]}' has a loop that is not unrolled, and is called in a pipeline"
                        yield Finding(call.where.file, call.where.line, "pipeline-nest", message)


def is_unrolled(scope: Scope, part: Part) -> bool:
    """Whether a loop is unrolled as a whole."""
    return any(name == "unroll" and "factor" not in options for name, options, _ in part.directives.get(id(scope), []))


def _loops(scope: Scope) -> list[Scope]:
    return [s for s in scope.walk() if s.kind == "loop"]


def _loop(scope: Scope, function: Function, program: Program, looping: set[int]) -> Iterator[Finding]:
    part = function.part
    if scope.kind != "loop":
        return
    where = function.tokens[scope.begin]
    outer = [s for s in scope.around() if s is not scope and s.kind in ("loop", "function") and part.has(s, "pipeline")]
    if outer and not is_unrolled(scope, part):
        yield Finding(where.file, where.line, "pipeline-nest", "a loop without UNROLL in a pipeline")
    elif not (
        is_unrolled(scope, part)
        or any(part.has(s, n) for s in _loops(scope) for n in ("pipeline", "dataflow"))
        or any(
            id(f.scope) in looping
            for c in calls_in(function.tokens, scope.begin, scope.end)
            for f in program.callees(c)
        )
    ):
        yield Finding(where.file, where.line, "missing-pipeline", "a loop without PIPELINE and without UNROLL")


def _bare(function: Function) -> Iterator[Finding]:
    """Loops without braces: they can't hold a pragma."""
    braced = {
        scope.begin - len(scope.head) + k
        for scope in _loops(function.scope)
        for k, token in enumerate(scope.head)
        if token.text in ("for", "while", "do")
    }
    for i in range(function.scope.begin, function.scope.end):
        token = function.tokens[i]
        if token.text == "for" and i not in braced:
            yield Finding(token.file, token.line, "missing-pipeline", "a loop without braces, which hold its pragma")


def _looping(program: Program) -> set[int]:
    """Functions, by ``id`` of their scope, in which a loop is left that is not unrolled, there or in what they call."""
    found = {
        id(f.scope)
        for f in program.functions
        if any(not is_unrolled(s, f.part) for s in _loops(f.scope))
        and not any(token.text == "constexpr" for token in f.scope.head)
    }
    callers: dict[int, set[int]] = {}
    for function in program.functions:
        for call in function.calls:
            for callee in program.callees(call):
                callers.setdefault(id(callee.scope), set()).add(id(function.scope))
    waiting = list(found)
    while waiting:
        for caller in callers.get(waiting.pop(), set()) - found:
            found.add(caller)
            waiting.append(caller)
    return found
