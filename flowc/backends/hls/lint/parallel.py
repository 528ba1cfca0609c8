"""The rule about memories that are read or written in parallel: each such dimension is partitioned or reshaped.

Which dimensions an unrolled loop runs over is followed from the index to the array's declaration: through local constants, through
parameters of inlined functions that get the loop's counter, through functions and function objects that get the array or a part
of it, and into the members of a layer's constants.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

from flowc.backends.hls.lint.arithmetic import is_compiled
from flowc.backends.hls.lint.constants import evaluate
from flowc.backends.hls.lint.finding import Finding
from flowc.backends.hls.lint.pipelines import is_unrolled
from flowc.backends.hls.lint.program import Call, Function, Part, Program
from flowc.backends.hls.lint.structure import Scope, Variable, matching, split
from flowc.backends.hls.lint.tokens import Token, tokenize

__all__ = ["partition_findings"]

_RULE = "missing-partition"
_DEPTH = 5
_MANY = 9
"""More dimensions than any array has."""

Key = tuple[int, str]
"""A parameter, or a member: ``id`` of the function's or class's scope, and name."""


Members = dict[str, tuple[Scope, dict[str, set[int]]]]
"""Classes by name, with dimensions of their members."""


class _Dim(NamedTuple):
    """A dimension, from 1, of an array that has at least and at most so many: overloads are for arrays of their own."""

    number: int
    least: int
    most: int


class _Handed(NamedTuple):
    """An argument ``name[index]...[index]``: of a caller's, to a parameter of a function."""

    caller: Function
    name: str
    skipped: int
    callee: Function
    parameter: str


@dataclass
class _Use:
    """What the program does with arrays."""

    program: Program
    counters: frozenset[Key] = frozenset()
    spread: dict[Key, set[_Dim]] = field(default_factory=dict)
    handed: list[_Handed] = field(default_factory=list)


def partition_findings(program: Program) -> Iterator[Finding]:
    """Arrays that are used in parallel, and are one memory."""
    use = _Use(program)
    use.counters = _counters(program)
    _spread(use)
    members = _members(use)
    pragmas = _apart_everywhere(program)
    for function in program.functions:
        yield from _locals(function, use)
        yield from _objects(function, program, members)
    seen: set[tuple[str, str]] = set()
    for part in program.parts:
        for scope in part.root.walk():
            for variable in scope.variables.values():
                if variable.kind == "variable" and variable.type and scope.kind not in ("class", "initializer"):
                    for finding in _constant(variable, scope, part, use, members, pragmas):
                        if (finding.file, finding.message) not in seen:
                            seen.add((finding.file, finding.message))
                            yield finding


def _targets(call: Call, function: Function, program: Program) -> list[Function]:
    """What a call runs; of an object, every ``operator()`` with so many parameters."""
    found = program.callees(call)
    if not found and len(call.path) == 1 and function.part.root.at(call.index).find(call.path[0]) is not None:
        found = [f for f in program.named("operator") if len(f.parameters) == len(call.arguments)]
    return found


def _places(place: int, argument: Sequence[Token], callee: Function) -> Iterator[tuple[str, Variable | None]]:
    """Names of the parameters that get the argument at a place, those of packs too."""
    count = len(callee.names)
    last = count - 1 if callee.variadic else count
    first = min(place, last) if callee.variadic else place
    stop = count if argument[-1].text == "..." else first + 1
    for at in range(first, min(stop, count)):
        name = callee.names[at]
        if name:
            yield name, callee.scope.variables.get(name)


def _counters(program: Program) -> frozenset[Key]:
    """Parameters of inlined functions that get the counter of an unrolled loop in some call."""
    places: dict[Key, list[tuple[Function, int, tuple[Token, ...]]]] = {}
    for caller in program.functions:
        for call in caller.calls:
            for callee in _targets(call, caller, program):
                if callee.part.has(callee.scope, "inline"):
                    for place, argument in enumerate(call.arguments):
                        for name, variable in _places(place, argument, callee):
                            if variable is not None and not variable.dims:
                                places.setdefault((id(callee.scope), name), []).append((caller, call.index, argument))
    found: frozenset[Key] = frozenset()
    while True:
        more = {
            key
            for key, calls in places.items()
            if key not in found and any(_follows(a, f.part.root.at(index), f.part, found) for f, index, a in calls if a)
        }
        if not more:
            return found
        found |= more


def _follows(index: Sequence[Token], scope: Scope, part: Part, counters: frozenset[Key], depth: int = 0) -> bool:
    """Whether an index is a constant of hardware that changes with the counter of an unrolled loop."""
    if not is_compiled(index, scope, part, 0, counters):
        return False
    for token in index:
        if token.kind != "name":
            continue
        holder = next((p for s in scope.around() for p in s.parts() if token.text in p.variables), None)
        if holder is None:
            continue
        variable = holder.variables[token.text]
        counts = holder.kind == "loop" and any(t.text == token.text for t in holder.head)
        if (id(holder), token.text) in counters or (counts and is_unrolled(holder, part)):
            return True
        derived = variable.kind == "variable" and variable.value and depth < _DEPTH
        if derived and _follows(variable.value, holder, part, counters, depth + 1):
            return True
    return False


def _parallel(function: Function, use: _Use) -> dict[str, set[int]]:
    """Dimensions, from 1, of every array whose indices in a function follow the counter of an unrolled loop."""
    found: dict[str, set[int]] = {}
    tokens, part = function.tokens, function.part
    for i in range(function.scope.begin + 1, function.scope.end):
        qualified = tokens[i - 1].text in (".", "->", "::")
        if tokens[i].kind != "name" or tokens[i + 1].text != "[" or qualified:
            continue
        dim, k = 1, i + 1
        while tokens[k].text == "[":
            end = matching(tokens, k)
            if _follows(tokens[k + 1 : end], part.root.at(i), part, use.counters):
                found.setdefault(tokens[i].text, set()).add(dim)
            dim, k = dim + 1, end + 1
    return found


def _spread(use: _Use) -> None:
    """Finds the dimensions of what parameters and members name, also through the functions that get them."""
    for function in use.program.functions:
        for name, dims in _parallel(function, use).items():
            least, most = _rank(function.scope.variables.get(name), function)
            found = {_Dim(dim, max(dim, least), most) for dim in dims}
            use.spread.setdefault((id(function.scope), name), set()).update(found)
        for call in function.calls:
            for callee in _targets(call, function, use.program):
                for place, argument in enumerate(call.arguments):
                    array = _array(argument)
                    if array is not None:
                        for name, _ in _places(place, argument, callee):
                            use.handed.append(_Handed(function, *array, callee, name))
    changed = True
    while changed:
        changed = False
        for h in use.handed:
            least, most = _rank(h.caller.scope.variables.get(h.name), h.caller)
            inner = {
                _Dim(d.number + h.skipped, max(least, d.least + h.skipped), min(most, d.most + h.skipped))
                for d in use.spread.get((id(h.callee.scope), h.parameter), ())
            }
            inner = {d for d in inner if d.least <= d.most}
            outer = use.spread.setdefault((id(h.caller.scope), h.name), set())
            if inner - outer:
                outer |= inner
                changed = True


def _rank(variable: Variable | None, function: Function) -> tuple[int, int]:
    """The least and greatest number of dimensions of an array that a function names; of a template's element, any more."""
    if variable is None or not variable.dims:
        return 0, _MANY
    generic = any(
        (named := function.scope.variables.get(word)) is not None and named.kind == "template"
        for word in variable.words
    )
    return len(variable.dims), _MANY if generic and variable.kind == "parameter" else len(variable.dims)


def _array(argument: Sequence[Token]) -> tuple[str, int] | None:
    """Name and number of indices of an argument ``name[index]...``; None for others."""
    if not argument or argument[0].kind != "name":
        return None
    k, skipped = 1, 0
    while k < len(argument) and argument[k].text == "[":
        k, skipped = matching(argument, k) + 1, skipped + 1
    return (argument[0].text, skipped) if k == len(argument) or argument[k].text == "..." else None


def _members(use: _Use) -> Members:
    """Classes, by name, with the dimensions of their members that their functions use in parallel."""
    found: Members = {}
    for function in use.program.functions:
        holder = function.scope.parent
        if holder is None or holder.kind != "class":
            continue
        for name, member in holder.variables.items():
            dims = use.spread.get((id(function.scope), name))
            if dims and member.dims and name not in function.scope.variables:
                found.setdefault(holder.name, (holder, {}))[1].setdefault(name, set()).update(_of(member, dims))
    return found


def _of(variable: Variable, dims: set[_Dim]) -> set[int]:
    """Those dimensions that an array of so many has."""
    rank = len(variable.dims)
    return {d.number for d in dims if d.least <= rank <= d.most}


def _constant(
    variable: Variable,
    scope: Scope,
    part: Part,
    use: _Use,
    members: Members,
    pragmas: dict[str, set[int]],
) -> Iterator[Finding]:
    """What is missing of an object with arrays in it, or of an array that is no function's own."""
    where = variable.type[0]
    if scope.function is None and variable.dims:
        wanted = set().union(*(_of(variable, dims) for (_, name), dims in use.spread.items() if name == variable.name))
        for dim in sorted(wanted):
            size = evaluate(variable.dims[dim - 1], scope) if dim <= len(variable.dims) else 1
            if size != 1 and not pragmas.get(variable.name, set()) & {0, dim}:
                yield _finding(where, variable.name, dim)
    name = next((a.text for a, b in pairwise(variable.type) if b.text == "<" and a.text in members), None)
    if name is None:
        return
    holder, arrays = members[name]
    names = [v.name for v in holder.variables.values() if v.kind == "template"]
    opening = next(i for i, t in enumerate(variable.type) if t.text == "<")
    arguments = split(variable.type[opening + 1 : -1], ",")
    given = dict(zip(names, arguments, strict=False))
    for member, dims in arrays.items():
        bounds = holder.variables[member].dims
        for dim in sorted(d for d in dims if d <= len(bounds)):
            bound = [t for token in bounds[dim - 1] for t in given.get(token.text, (token,))]
            stated = pragmas.get(f"{variable.name}.{member}", set())
            if evaluate(bound, part.root) not in (None, 1) and not stated & {0, dim}:
                yield _finding(where, f"{variable.name}.{member}", dim)


def _locals(function: Function, use: _Use) -> Iterator[Finding]:
    """What is missing of a function's own arrays."""
    stated = _apart(function)
    for scope in function.scope.walk():
        for variable in scope.variables.values():
            if variable.kind != "variable" or not variable.dims or variable.words & {"stream"}:
                continue
            apart = stated.get(variable.name, set())
            for dim in sorted(_of(variable, use.spread.get((id(function.scope), variable.name), set()))):
                size = evaluate(variable.dims[dim - 1], scope) if dim <= len(variable.dims) else 1
                if size != 1 and not apart & {0, dim}:
                    yield _finding(variable.type[0], variable.name, dim)


def _objects(function: Function, program: Program, members: Members) -> Iterator[Finding]:
    """What is missing of a function's own objects, known by the functions that are called of them."""
    stated, tokens = _apart(function), function.tokens
    for call in function.calls:
        name = tokens[call.index - 2].text if tokens[call.index - 1].text == "." else ""
        variable = function.part.root.at(call.index).find(name) if name else None
        if variable is None or variable.kind != "variable":
            continue
        for holder, arrays in (
            members[f.scope.parent.name]
            for f in program.callees(call)
            if f.scope.parent is not None and f.scope.parent.name in members
        ):
            for member, dims in arrays.items():
                for dim in sorted(dims):
                    single = evaluate(holder.variables[member].dims[dim - 1], holder) == 1
                    if not single and not stated.get(f"{name}.{member}", set()) & {0, dim}:
                        yield _finding(variable.type[0], f"{name}.{member}", dim)


def _finding(where: Token, name: str, dim: int) -> Finding:
    message = f"'{name}' is used in parallel along dimension {dim}: partition or reshape it there"
    return Finding(where.file, where.line, _RULE, message)


def _apart(function: Function) -> dict[str, set[int]]:
    """Dimensions along which each array is partitioned or reshaped as a whole in a function; 0 for all."""
    found: dict[str, set[int]] = {}
    for scope in function.scope.walk():
        for name, options, flags in function.part.directives.get(id(scope), []):
            if name not in ("array_partition", "array_reshape"):
                continue
            kind = options.get("type", "complete" if not flags & {"cyclic", "block"} else "cyclic").lower()
            dim = evaluate(tuple(tokenize(options.get("dim", "1"))), scope)
            if kind == "complete" and dim is not None:
                found.setdefault(options.get("variable", ""), set()).add(dim)
    return found


def _apart_everywhere(program: Program) -> dict[str, set[int]]:
    """The same of all functions: a layer's function says it of constants that its activation reads."""
    found: dict[str, set[int]] = {}
    for function in program.functions:
        for name, dims in _apart(function).items():
            found.setdefault(name, set()).update(dims)
    return found
