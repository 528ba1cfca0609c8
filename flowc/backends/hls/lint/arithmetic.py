"""Rules about expressions: dividers, and questions that depend on timing.

A division by a power of two is a shift. Any other one is a divider of as many stages as it has bits, unless it is worked
out in the compiler: of constants, or of the counter of an unrolled loop.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from flowc.backends.hls.lint.constants import evaluate
from flowc.backends.hls.lint.finding import Finding
from flowc.backends.hls.lint.pipelines import is_unrolled
from flowc.backends.hls.lint.program import Function, Part, Program
from flowc.backends.hls.lint.structure import Scope, matching
from flowc.backends.hls.lint.tokens import Token

__all__ = ["arithmetic_findings", "is_compiled"]

_OPERATORS = ("/", "%", "/=", "%=")
_LEFT_ENDS = frozenset(
    ["&&", "||", "<<", ">>", "<=", ">=", "==", "!=", "+=", "-=", "*=", "/=", "%=", "return", *";{}([,=+-<>&|^?:"]
)
_PROBES = ("empty", "full", "read_nb", "write_nb")
_DEPTH = 10

Handed = frozenset[tuple[int, str]]
"""Parameters: ``id`` of the function's scope, and name."""


def arithmetic_findings(program: Program) -> Iterator[Finding]:
    """Dividers, and streams that are asked for their state."""
    handed = _handed(program)
    for function in program.functions:
        tokens = function.tokens
        compiled = any(token.text == "constexpr" for token in function.scope.head)
        for i in range(function.scope.begin + 1, function.scope.end - 1):
            token = tokens[i]
            if token.text in _OPERATORS and not compiled:
                message = _divider(function, i, handed)
                if message is not None:
                    yield Finding(token.file, token.line, "divider", message)
            elif token.text in _PROBES and tokens[i - 1].text in (".", "->") and tokens[i + 1].text == "(":
                message = f"'{token.text}' makes the result depend on when the data come; use read and write"
                yield Finding(token.file, token.line, "stream-probe", message)


def _divider(function: Function, index: int, handed: Handed) -> str | None:
    """What is wrong with the division at a token position, or None."""
    tokens, part = function.tokens, function.part
    scope = function.part.root.at(index)
    right = _right(tokens, index + 1)
    divisor = evaluate(right, scope)
    if divisor is not None and divisor > 0 and divisor & (divisor - 1) == 0:
        return None
    start = index
    while start > 0 and tokens[start - 1].text not in _LEFT_ENDS:
        start -= 1
        if tokens[start].text in (")", "]"):
            start = _opening(tokens, start)
    left = tokens[start:index]
    known = is_compiled(right, scope, part, 0, handed)
    if _in_declaration(tokens, start) or (known and is_compiled(left, scope, part, 0, handed)):
        return None
    text = " ".join(t.text for t in right)
    if divisor is not None:
        return f"'{tokens[index].text} {text}': {divisor} is no power of two"
    return f"'{tokens[index].text} {text}': " + (
        "can't be shown to be a power of two; shift instead" if known else "the divisor is not known at compile time"
    )


def _right(tokens: Sequence[Token], index: int) -> Sequence[Token]:
    """The operand that begins at a token position."""
    end = index
    while tokens[end].text in ("+", "-", "~", "!"):
        end += 1
    while True:
        if tokens[end].text == "(":
            end = matching(tokens, end)
        end += 1
        if tokens[end].text in ("(", "["):
            end = matching(tokens, end) + 1
        if tokens[end].text not in ("::", ".", "->"):
            return tokens[index:end]
        end += 1


def _opening(tokens: Sequence[Token], index: int) -> int:
    """Position of the bracket that the one at `index` closes."""
    depth = 0
    for i in range(index, -1, -1):
        depth += {")": 1, "]": 1, "(": -1, "[": -1}.get(tokens[i].text, 0)
        if depth == 0:
            return i
    return 0


def _in_declaration(tokens: Sequence[Token], index: int) -> bool:
    """Whether the statement around a token position is worked out in the compiler."""
    start = index
    while start > 0 and tokens[start - 1].text not in (";", "{", "}"):
        start -= 1
    words = {t.text for t in tokens[start:index]}
    return bool(words & {"constexpr", "using", "static_assert", "typedef", "template"})


def is_compiled(
    tokens: Sequence[Token], scope: Scope, part: Part, depth: int = 0, handed: Handed = frozenset()
) -> bool:
    """Whether an expression is a constant in hardware: constants and the counters of unrolled loops alone.

    Args:
        handed: parameters of inlined functions that are constants too.
    """
    for i, token in enumerate(tokens):
        before = tokens[i - 1].text if i else ""
        if token.kind != "name" or before in ("::", ".", "->"):
            continue
        if i + 1 < len(tokens) and tokens[i + 1].text in (".", "->"):
            return False
        for holder in scope.around():
            variable = next((p.variables[token.text] for p in holder.parts() if token.text in p.variables), None)
            if variable is not None:
                break
        else:
            continue
        constant = variable.kind == "template" or "constexpr" in variable.words
        counter = holder.kind == "loop" and variable.kind == "variable" and _counts(holder, token.text)
        derived = "const" in variable.words and bool(variable.value) and depth < _DEPTH
        if constant or (counter and is_unrolled(holder, part)) or (id(holder), token.text) in handed:
            continue
        if not (derived and not variable.dims and is_compiled(variable.value, holder, part, depth + 1, handed)):
            return False
    return True


def _handed(program: Program) -> Handed:
    """Parameters of inlined functions that get constants in every call."""
    places: dict[tuple[int, str], list[tuple[Function, int, tuple[Token, ...]]]] = {}
    for caller in program.functions:
        for call in caller.calls:
            for callee in program.callees(call):
                if callee.part.has(callee.scope, "inline"):
                    for argument, parameter in zip(call.arguments, callee.parameters, strict=False):
                        if parameter is not None:
                            place = places.setdefault((id(callee.scope), parameter.name), [])
                            place.append((caller, call.index, argument))
    handed = frozenset(places)
    while True:
        kept = frozenset(
            key
            for key in handed
            if all(is_compiled(a, f.part.root.at(index), f.part, 0, handed) for f, index, a in places[key])
        )
        if kept == handed:
            return handed
        handed = kept


def _counts(loop: Scope, name: str) -> bool:
    """Whether a loop's head declares the variable."""
    return any(t.text == name for t in loop.head)
