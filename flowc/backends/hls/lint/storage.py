"""Rules about memories: who shares one, what is a ROM, and how many of its words are read at once."""

from __future__ import annotations

from collections.abc import Iterator

from flowc.backends.hls.lint.constants import evaluate
from flowc.backends.hls.lint.finding import Finding
from flowc.backends.hls.lint.parallel import partition_findings
from flowc.backends.hls.lint.program import Function, Part, Program
from flowc.backends.hls.lint.structure import Scope, Variable
from flowc.backends.hls.lint.tokens import Token

__all__ = ["storage_findings"]


def storage_findings(program: Program) -> Iterator[Finding]:
    """Violations of the rules about memories."""
    yield from _shared(program)
    for part in program.parts:
        yield from _roms(part)
    for function in program.functions:
        yield from _unbound(function)
    yield from partition_findings(program)


def _is_mutable(variable: Variable) -> bool:
    return variable.kind == "variable" and not variable.words & {"const", "constexpr", "typedef", "using", "extern"}


def _shared(program: Program) -> Iterator[Finding]:
    """Variables of static lifetime that more than one process uses."""
    seen: set[Token] = set()
    for part in program.parts:
        for scope in part.root.walk():
            for variable in scope.variables.values():
                static = scope.kind in ("file", "namespace") or "static" in variable.words
                function = part.unit.tokens[variable.index + 1].text == "("
                if function or not (static and _is_mutable(variable)) or variable.type[0] in seen:
                    continue
                seen.add(variable.type[0])
                if scope.function is None:
                    users = _users(program, variable.name)
                else:
                    own = next((f for f in program.functions if f.where == _where(scope, part)), None)
                    users = _callers(program, own) if own is not None else []
                if len(users) > 1:
                    where = variable.type[0]
                    message = f"'{variable.name}' is one for all of {', '.join(sorted(users))}"
                    yield Finding(where.file, where.line, "shared-static", message)


def _where(scope: Scope, part: Part) -> Token | None:
    return None if scope.function is None else part.unit.tokens[scope.function.begin]


def _users(program: Program, name: str) -> list[str]:
    """Functions in which a name occurs that is not declared there."""
    found = set()
    for function in program.functions:
        inner = {v for s in function.scope.walk() for v in s.variables}
        body = function.tokens[function.scope.begin : function.scope.end]
        before = function.tokens[function.scope.begin - 1 : function.scope.end - 1]
        used = any(t.text == name and b.text not in (".", "->") for t, b in zip(body, before, strict=True))
        if name not in inner and used:
            found.add("::".join(function.scope.path))
    return sorted(found)


def _callers(program: Program, function: Function) -> list[str]:
    """Places that call a function in the same form: instances of a template have statics of their own."""
    by_form: dict[str, list[str]] = {}
    for caller in program.functions:
        for call in caller.calls:
            if any(callee is function for callee in program.callees(call)):
                form = " ".join(t.text for t in call.template)
                by_form.setdefault(form, []).append("::".join(caller.scope.path))
    return next((callers for callers in by_form.values() if len(callers) > 1), [])


def _roms(part: Part) -> Iterator[Finding]:
    """BIND_STORAGE of a ROM type on a variable that is no constant."""
    for scope in part.root.walk():
        for name, options, _ in part.directives.get(id(scope), []):
            if name != "bind_storage" or not options.get("type", "").lower().startswith("rom"):
                continue
            base = options.get("variable", "").split(".")[0]
            variable = scope.find(base)
            member = any(base in s.variables for s in scope.around() if s.kind == "class")
            if variable is not None and not member and not variable.words & {"const", "constexpr"}:
                where = variable.type[0]
                message = f"'{base}' is bound to a ROM and is not const"
                yield Finding(where.file, where.line, "rom-const", message)


def _unbound(function: Function) -> Iterator[Finding]:
    """Arrays of a function of which nothing says what they are made of."""
    bound = {
        options.get("variable", "")
        for scope in function.scope.walk()
        for name, options, _ in function.part.directives.get(id(scope), [])
        if name in ("array_partition", "array_reshape", "bind_storage", "stream")
    }
    for scope in function.scope.walk():
        for variable in scope.variables.values():
            sizes = [evaluate(bounds, scope) for bounds in variable.dims]
            if variable.kind != "variable" or variable.name in bound or all(size == 1 for size in sizes):
                continue
            if variable.words & {"constexpr", "stream"} or any(t.text == "constexpr" for t in function.scope.head):
                continue
            where = variable.type[0]
            message = f"'{variable.name}' is registers or a memory: say which, and of what"
            yield Finding(where.file, where.line, "unbound-array", message)
