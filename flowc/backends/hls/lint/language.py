"""Rules about the C++ language: what has no hardware."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import networkx as nx

from flowc.backends.hls.lint.constants import Aliases, evaluate, runtime_names, stream_bits
from flowc.backends.hls.lint.finding import Finding
from flowc.backends.hls.lint.loops import declared_here, loop_findings
from flowc.backends.hls.lint.structure import Scope, matching, split
from flowc.backends.hls.lint.tokens import Token, Unit, tokenize

__all__ = ["WIDEST", "aliases_of", "language_findings"]

WIDEST = 4096
"""Most bits of an arbitrary-precision integer and of a stream's element."""

_DEFAULT_WIDEST = 1024  # of ap_int, where AP_INT_MAX_W is not defined


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_HEADERS = _words(
    """
    ap_int.h ap_fixed.h ap_axi_sdata.h ap_utils.h hls_stream.h hls_vector.h hls_streamofblocks.h hls_task.h
    stdint.h stddef.h cstdint cstddef climits limits.h type_traits
    """
)
_MEMORY = _words("malloc calloc realloc free alloca aligned_alloc posix_memalign")
_SMART = _words("unique_ptr shared_ptr weak_ptr make_unique make_shared allocator")
_STD = _words(
    """
    size_t ptrdiff_t int8_t int16_t int32_t int64_t uint8_t uint16_t uint32_t uint64_t enable_if enable_if_t
    conditional conditional_t is_same integral_constant true_type false_type declval numeric_limits
    """
)
_SYSTEM = _words(
    """
    printf fprintf sprintf snprintf puts putchar scanf fscanf fopen fclose fread fwrite fflush getc getchar getenv
    setenv system exit abort atexit time clock gettimeofday clock_gettime sleep usleep nanosleep fork execve execl
    execvp pipe signal raise pthread_create pthread_join rand srand random open close read write ioctl mmap socket
    """
)


def aliases_of(tokens: Sequence[Token]) -> Aliases:
    """``using Name = type;`` declarations, with the parameters of those that are templates."""
    found: Aliases = {}
    for i, token in enumerate(tokens):
        if token.text != "using" or i + 2 >= len(tokens) or tokens[i + 2].text != "=":
            continue
        parameters: list[str] = []
        if i and tokens[i - 1].text == ">":
            start = next(k for k in range(i, -1, -1) if tokens[k].text == "template" or k == 0)
            parameters = [part[-1].text for part in split(tokens[start + 2 : i - 1], ",") if part]
        end = next((k for k in range(i, len(tokens)) if tokens[k].text == ";"), len(tokens))
        found[tokens[i + 1].text] = (parameters, tuple(tokens[i + 3 : end]))
    return found


def language_findings(unit: Unit, root: Scope) -> Iterator[Finding]:
    """Violations of the language rules in a translation unit, in the files that it is the first to include."""
    yield from _keywords(unit.tokens, unit.known)
    yield from _keywords(unit.defined, unit.known)
    for include in unit.includes:
        if include.quoted and not include.found:
            yield Finding(include.file, include.line, "include", f"'{include.name}' is not in the project")
        elif not include.quoted and include.name not in _HEADERS:
            yield Finding(include.file, include.line, "include", f"<{include.name}> is not for synthesis")
    yield from loop_findings(unit, root)
    yield from _arrays(unit.tokens, root)
    yield from _widths(unit, root)
    yield from _recursion(unit.tokens, root)


def _keywords(tokens: Sequence[Token], known: frozenset[str]) -> Iterator[Finding]:
    """Rules that a word alone breaks."""
    for i, token in enumerate(tokens):
        if token.kind != "name" or token.file in known:
            continue
        text = token.text
        before = tokens[i - 1].text if i else ""
        called = i + 1 < len(tokens) and tokens[i + 1].text == "("
        qualified = before == "::" and i >= 2 and tokens[i - 2].kind == "name"
        member = before in (".", "->")
        rule = None
        removed = text == "delete" and before == "="  # "= delete" removes a function
        if text in _SMART or (text in _MEMORY and called and not member) or (text in ("new", "delete") and not removed):
            rule = "dynamic-memory"
        elif text in ("virtual", "override", "final", "dynamic_cast", "typeid"):
            rule = "virtual"
        elif text in ("throw", "try", "catch"):
            rule = "exceptions"
        elif text in ("float", "double"):
            rule = "floating-point"
        elif text in ("goto", "setjmp", "longjmp"):
            rule = "unbounded-loop"
        elif qualified and tokens[i - 2].text == "std" and text not in _STD:
            rule = "std-library"
        elif text in _SYSTEM and called and not (member or qualified or declared_here(tokens, i)):
            rule = "system-call"
        if rule is not None:
            shown = f"std::{text}" if rule == "std-library" else text
            yield Finding(token.file, token.line, rule, f"'{shown}'")


def _arrays(tokens: Sequence[Token], root: Scope) -> Iterator[Finding]:
    for scope in root.walk():
        for variable in scope.variables.values():
            for bound in variable.dims:
                names = runtime_names(bound, scope)
                if names and 0 <= variable.index < len(tokens):
                    where = bound[0]
                    message = f"the bound of array '{variable.name}' depends on '{names[0]}'"
                    yield Finding(where.file, where.line, "vla", message)


def _widths(unit: Unit, root: Scope) -> Iterator[Finding]:
    tokens, aliases = unit.tokens, aliases_of(unit.tokens)
    stated = evaluate(tuple(tokenize(unit.macros.get("AP_INT_MAX_W", str(_DEFAULT_WIDEST)))), root)
    limit = min(WIDEST, stated or _DEFAULT_WIDEST)
    for i, token in enumerate(tokens):
        if token.text not in ("ap_int", "ap_uint") or token.file in unit.known:
            continue
        if i + 1 < len(tokens) and tokens[i + 1].text == "<":
            argument = _first_argument(tokens, i + 1)
            bits = evaluate(argument, root.at(i))
            if bits is not None and bits > limit:
                message = f"{token.text}<{bits}> exceeds {limit} bits" + (
                    " (define AP_INT_MAX_W before the first vendor header)" if bits <= WIDEST else ""
                )
                yield Finding(token.file, token.line, "int-width", message)
    for scope in root.walk():
        for variable in scope.variables.values():
            bits = stream_bits(variable, scope, aliases)
            if bits is not None and bits > WIDEST:
                where = variable.type[0]
                message = f"stream '{variable.name}' has elements of {bits} bits, at most {WIDEST} are possible"
                yield Finding(where.file, where.line, "stream-width", message)


def _first_argument(tokens: Sequence[Token], opening: int) -> tuple[Token, ...]:
    """The first template argument behind the ``<`` at `opening`."""
    depth, i = 0, opening
    while i < len(tokens):
        text = tokens[i].text
        if text == "(":
            i = matching(tokens, i)
        elif text == "<":
            depth += 1
        elif text in (">", ">>"):
            depth -= len(text)
        if depth <= 0 or (depth == 1 and text == ","):
            return tuple(tokens[opening + 1 : i])
        i += 1
    return ()


def _recursion(tokens: Sequence[Token], root: Scope) -> Iterator[Finding]:
    """Cycles of the call graph; functions are told apart by qualified name and number of arguments."""
    functions = [s for s in root.walk() if s.kind == "function" and s.name]
    by_path: dict[tuple[str, ...], list[Scope]] = {}
    for function in functions:
        by_path.setdefault(function.path, []).append(function)
    numbers = {id(function): number for number, function in enumerate(functions)}
    graph: nx.DiGraph[int] = nx.DiGraph()
    for number, function in enumerate(functions):
        graph.add_node(number)
        graph.add_edges_from((number, numbers[id(callee)]) for callee in _calls(tokens, function, by_path))
    for component in nx.strongly_connected_components(graph):
        members = sorted(component)
        if len(members) > 1 or graph.has_edge(members[0], members[0]):
            names = " -> ".join("::".join(functions[m].path) for m in members)
            where = tokens[functions[members[0]].begin]
            yield Finding(where.file, where.line, "recursion", f"{names} calls itself")


def _calls(tokens: Sequence[Token], function: Scope, by_path: dict[tuple[str, ...], list[Scope]]) -> Iterator[Scope]:
    i = function.begin + 1
    while i < function.end:
        token = tokens[i]
        if token.kind == "name" and tokens[i - 1].text not in (".", "->"):
            opening = i + 1
            if tokens[opening].text == "<":
                opening = i + 2 + len(_template_arguments(tokens, i + 1))
            if opening < function.end and tokens[opening].text == "(":
                path = [token.text]
                k = i
                while k >= 2 and tokens[k - 1].text == "::" and tokens[k - 2].kind == "name":
                    path.insert(0, tokens[k - 2].text)
                    k -= 2
                count = len(split(tokens[opening + 1 : matching(tokens, opening)], ","))
                for callee in _resolve(path, function, by_path):
                    if _takes(callee, count):
                        yield callee
        i += 1


def _template_arguments(tokens: Sequence[Token], opening: int) -> tuple[Token, ...]:
    """Tokens between the ``<`` at `opening` and its ``>``; empty if it is a comparison."""
    depth, i = 0, opening
    while i < len(tokens) and tokens[i].text not in (";", "{", "}", "&&", "||"):
        depth += {"<": 1, ">": -1, ">>": -2}.get(tokens[i].text, 0)
        if depth <= 0:
            return tuple(tokens[opening + 1 : i])
        i += 1
    return ()


def _resolve(path: Sequence[str], caller: Scope, by_path: dict[tuple[str, ...], list[Scope]]) -> list[Scope]:
    """The functions that a (qualified) name means in the body of `caller`: the innermost scope that has it wins."""
    outer = caller.path[:-1]
    for depth in range(len(outer), -1, -1):
        found = by_path.get((*outer[:depth], *path))
        if found:
            return found
    return []


def _takes(function: Scope, count: int) -> bool:
    """Whether a function can be called with `count` arguments."""
    parameters = [v for v in function.variables.values() if v.kind == "parameter"]
    required = sum(not v.value for v in parameters)
    return required <= count <= max(len(parameters), required)
