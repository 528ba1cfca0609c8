"""Rules about processes and streams: the form of a dataflow region, and who reads and writes its streams.

A stream of a dataflow region is a FIFO between two processes: one writes, one reads (UG1399, Canonical Forms). Which of
them a call does is followed through all functions that it hands the stream on to.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from flowc.backends.hls.lint.finding import Finding
from flowc.backends.hls.lint.program import Function, Part, Program, calls_in
from flowc.backends.hls.lint.structure import Scope, Variable, matching
from flowc.backends.hls.lint.tokens import Token

__all__ = ["flow_findings"]

_READ, _WRITE = "read", "write"
Ends = dict[tuple[int, int], set[str]]
"""What a function does with a parameter: by (``id`` of the function's scope, position of the parameter)."""


def flow_findings(program: Program, tops: frozenset[str]) -> Iterator[Finding]:
    """Violations of the rules about processes, streams and the top function's ports."""
    ends = _ends(program)
    side_by_side = any(f.part.has(s, "dataflow") for f in program.functions for s in f.scope.walk())
    for function in program.functions:
        yield from _region(function, program, ends)
        if function.scope.name in tops and function.scope.path == (function.scope.name,):
            yield from _ports(function)
            yield from _bundles(function) if side_by_side else ()
    for part in program.parts:
        yield from _by_value(part)


def _ends(program: Program) -> Ends:
    """Which parameters each function reads as a stream, and which it writes, also through others."""
    ends: Ends = {}
    handed: list[tuple[tuple[int, int], tuple[int, int]]] = []
    for function in program.functions:
        positions = {v.name: k for k, v in enumerate(function.parameters) if v is not None}
        key = id(function.scope)
        tokens = function.tokens
        for i in range(function.scope.begin + 1, function.scope.end - 2):
            at = positions.get(tokens[i].text)
            if at is None or tokens[i - 1].text in (".", "->", "::"):
                continue
            behind = i + 1
            while tokens[behind].text == "[":  # an array of streams
                behind = matching(tokens, behind) + 1
            verb = tokens[behind + 1].text if tokens[behind].text == "." else ""
            if verb in ("read", "read_nb"):
                ends.setdefault((key, at), set()).add(_READ)
            elif verb in ("write", "write_nb"):
                ends.setdefault((key, at), set()).add(_WRITE)
        for call in function.calls:
            for callee in program.callees(call):
                for place, argument in enumerate(call.arguments):
                    whole = len(argument) == 1 or (argument[1].text == "[" and argument[-1].text == "]")
                    if whole and argument[0].text in positions:
                        handed.append(((key, positions[argument[0].text]), (id(callee.scope), place)))
    changed = True
    while changed:
        changed = False
        for outer, inner in handed:
            new = ends.get(inner, set()) - ends.get(outer, set())
            if new:
                ends.setdefault(outer, set()).update(new)
                changed = True
    return ends


def _region(function: Function, program: Program, ends: Ends) -> Iterator[Finding]:
    part, scope = function.part, function.scope
    regions = [s for s in scope.walk() if s.kind in ("function", "loop") and part.has(s, "dataflow")]
    inside = {id(s) for region in regions for s in region.walk()}
    for holder in scope.walk():
        for variable in holder.variables.values():
            if variable.kind == "variable" and _is_stream(variable) and id(holder) not in inside:
                where = variable.type[0]
                message = f"'{scope.name}' has the stream '{variable.name}' of its own, and no DATAFLOW"
                yield Finding(where.file, where.line, "missing-dataflow", message)
                return
    for region in regions:
        yield from _streams(function, region, program, ends)


def _streams(function: Function, region: Scope, program: Program, ends: Ends) -> Iterator[Finding]:
    """Every stream of a region: one process at each end."""
    tokens = function.tokens
    streams = {v.name: v for v in region.variables.values() if v.kind != "template" and _is_stream(v)}
    users: dict[str, dict[str, list[Token]]] = {name: {_READ: [], _WRITE: []} for name in streams}
    unknown: set[str] = set()
    for call in calls_in(tokens, region.begin + 1, region.end):
        for place, argument in enumerate(call.arguments):
            name = argument[0].text if len(argument) == 1 else ""
            if name not in streams:
                continue
            done = set().union(*(ends.get((id(c.scope), place), set()) for c in program.callees(call)))
            for end in done:
                users[name][end].append(call.where)
            if not done:
                unknown.add(name)
                message = f"'{call.path[-1]}' neither reads nor writes '{name}', or is not in the project"
                yield Finding(call.where.file, call.where.line, "stream-ends", message)
    for name, variable in streams.items():
        where = variable.type[0]
        lacking = [end for end, found in users[name].items() if not found]
        port = variable.kind == "parameter"
        if name not in unknown and (len(lacking) == 2 or (lacking and not port)):
            message = f"no process uses '{name}'" if len(lacking) == 2 else f"no process {lacking[0]}s '{name}'"
            yield Finding(where.file, where.line, "stream-ends", message)
        for end, found in users[name].items():
            if len(found) > 1:
                processes = ", ".join(t.text for t in found)
                message = f"{len(found)} processes {end} '{name}': {processes}"
                yield Finding(found[1].file, found[1].line, "stream-ends", message)


def _is_stream(variable: Variable) -> bool:
    return any(t.text == "stream" for t in variable.type)


def _ports(function: Function) -> Iterator[Finding]:
    """A top function's parameters and its return, each with an interface."""
    stated = {
        options.get("port", "")
        for name, options, _ in function.part.directives.get(id(function.scope), [])
        if name == "interface"
    }
    wanted = [v.name for v in function.parameters if v is not None]
    for port in (*wanted, "return"):
        if port not in stated:
            where = function.where
            yield Finding(where.file, where.line, "missing-interface", f"{function.scope.name}: none for port={port}")


def _bundles(function: Function) -> Iterator[Finding]:
    """Memory ports of a top function whose processes run side by side: one pointer to read, and one to write, through each."""
    written = {v.name: all(t.text != "const" for t in v.type) for v in function.parameters if v is not None}
    users: dict[tuple[str, bool], list[str]] = {}
    for name, options, flags in function.part.directives.get(id(function.scope), []):
        port = options.get("port", "")
        if name == "interface" and "m_axi" in (options.get("mode"), *flags) and port in written:
            users.setdefault((options.get("bundle", "gmem"), written[port]), []).append(port)
    where = function.where
    for (bundle, _), ports in users.items():
        if len(ports) > 1:
            message = f"{', '.join(ports)} of {function.scope.name} share the bundle '{bundle}'"
            yield Finding(where.file, where.line, "shared-bundle", message)


def _by_value(part: Part) -> Iterator[Finding]:
    """Parameters that are streams, not references to them: each call would copy the FIFO."""
    tokens = part.unit.tokens
    for i, token in enumerate(tokens):
        if token.text != "stream" or token.file in part.unit.known or not 2 <= i < len(tokens) - 2:
            continue
        if tokens[i + 1].text != "<" or tokens[i - 1].text != "::":
            continue
        depth, k = 0, i + 1
        while k < len(tokens) - 2:
            depth += {"<": 1, ">": -1, ">>": -2}.get(tokens[k].text, 0)
            if depth <= 0:
                break
            k += 1
        if tokens[k + 1].kind == "name" and tokens[k + 2].text in (",", ")") and _bracketed(tokens, i):
            where, name = tokens[k + 1], tokens[k + 1].text
            yield Finding(where.file, where.line, "stream-value", f"'{name}' is passed by value")


def _bracketed(tokens: Sequence[Token], index: int) -> bool:
    """Whether a token position lies in round brackets of its statement."""
    depth = 0
    for i in range(index, -1, -1):
        if tokens[i].text in (";", "{", "}"):
            return False
        depth += {")": 1, "(": -1}.get(tokens[i].text, 0)
        if depth < 0:
            return True
    return False
