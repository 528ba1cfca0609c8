"""Rules about memories: who shares one, what is a ROM, and how many of its words are read at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from flowc.backends.hls.lint.arithmetic import is_compiled
from flowc.backends.hls.lint.constants import evaluate
from flowc.backends.hls.lint.finding import Finding
from flowc.backends.hls.lint.pipelines import is_unrolled
from flowc.backends.hls.lint.program import Call, Function, Part, Program
from flowc.backends.hls.lint.structure import Scope, Variable, matching
from flowc.backends.hls.lint.tokens import Token, tokenize

__all__ = ["storage_findings"]

Spread = dict[tuple[int, int], set[int]]
"""Dimensions (from 1) that a function reads or writes in parallel, by (``id`` of its scope, position of the parameter)."""


def storage_findings(program: Program) -> Iterator[Finding]:
    """Violations of the rules about memories."""
    yield from _shared(program)
    for part in program.parts:
        yield from _roms(part)
    spread = _spread(program)
    for function in program.functions:
        yield from _partitions(function, program, spread)


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


def _spread(program: Program) -> Spread:
    """Dimensions of array parameters that unrolled loops run over, also in the functions that get the array."""
    spread: Spread = {}
    handed: list[tuple[tuple[int, int], tuple[int, int]]] = []
    for function in program.functions:
        key = id(function.scope)
        positions = {v.name: k for k, v in enumerate(function.parameters) if v is not None and v.dims}
        for name, at in positions.items():
            dims = _parallel(function, name)
            if dims:
                spread[key, at] = dims
        for call in function.calls:
            for callee, place, name in _array_arguments(call, program):
                if name in positions:
                    handed.append(((key, positions[name]), (id(callee.scope), place)))
    changed = True
    while changed:
        changed = False
        for outer, inner in handed:
            if spread.get(inner, set()) - spread.get(outer, set()):
                spread.setdefault(outer, set()).update(spread[inner])
                changed = True
    return spread


def _array_arguments(call: Call, program: Program) -> Iterator[tuple[Function, int, str]]:
    """(function, position, name) of the arguments that are names and go to arrays."""
    for callee in program.callees(call):
        for place, (argument, parameter) in enumerate(zip(call.arguments, callee.parameters, strict=True)):
            if len(argument) == 1 and argument[0].kind == "name" and parameter is not None and parameter.dims:
                yield callee, place, argument[0].text


def _parallel(function: Function, name: str) -> set[int]:
    """Dimensions in which the indices of an array depend on the counter of an unrolled loop."""
    found: set[int] = set()
    tokens, part = function.tokens, function.part
    for i in range(function.scope.begin + 1, function.scope.end):
        if tokens[i].text != name or tokens[i - 1].text in (".", "->", "::"):
            continue
        dim, k = 1, i + 1
        while tokens[k].text == "[":
            end = matching(tokens, k)
            if _follows_unrolled(tokens[k + 1 : end], part.root.at(i), part):
                found.add(dim)
            dim, k = dim + 1, end + 1
    return found


def _follows_unrolled(index: Sequence[Token], scope: Scope, part: Part, depth: int = 0) -> bool:
    """Whether an index is a constant of hardware that changes with the counter of an unrolled loop."""
    if not is_compiled(index, scope, part):
        return False
    for token in index:
        variable = scope.find(token.text) if token.kind == "name" else None
        if variable is None or variable.kind != "variable":
            continue
        holder = next(s for s in scope.around() if any(token.text in p.variables for p in s.parts()))
        if holder.kind == "loop" and is_unrolled(holder, part) and any(t.text == token.text for t in holder.head):
            return True
        if variable.value and depth < 5 and _follows_unrolled(variable.value, holder, part, depth + 1):
            return True
    return False


def _partitions(function: Function, program: Program, spread: Spread) -> Iterator[Finding]:
    """Local arrays that are used in parallel, and are one memory."""
    wanted: dict[str, set[int]] = {}
    for call in function.calls:
        for callee, place, name in _array_arguments(call, program):
            wanted.setdefault(name, set()).update(spread.get((id(callee.scope), place), set()))
    for scope in function.scope.walk():
        for variable in scope.variables.values():
            if variable.kind != "variable" or not variable.dims or variable.words & {"stream"}:
                continue
            dims = _parallel(function, variable.name) | wanted.get(variable.name, set())
            apart = _apart(variable, function)
            for dim in sorted(dims):
                size = evaluate(variable.dims[dim - 1], scope) if dim <= len(variable.dims) else 1
                if size == 1 or apart & {0, dim}:
                    continue
                where = variable.type[0]
                message = f"'{variable.name}' is used in parallel along dimension {dim}: partition or reshape it there"
                yield Finding(where.file, where.line, "missing-partition", message)


def _apart(variable: Variable, function: Function) -> set[int]:
    """Dimensions along which a local array is partitioned or reshaped as a whole; 0 for all."""
    found: set[int] = set()
    for scope in function.scope.walk():
        for name, options, flags in function.part.directives.get(id(scope), []):
            if name not in ("array_partition", "array_reshape") or options.get("variable") != variable.name:
                continue
            kind = options.get("type", "complete" if not flags & {"cyclic", "block"} else "cyclic").lower()
            dim = evaluate(tuple(tokenize(options.get("dim", "1"))), scope)
            if kind == "complete" and dim is not None:
                found.add(dim)
    return found
