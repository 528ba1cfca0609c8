"""The rule about loops: each has a bound that is known at compile time.

Loops of constexpr functions run in the compiler; there, the arguments of every call must be known at compile time. A loop may run up to a
value that is known at run time where it says LOOP_TRIPCOUNT: Vitis HLS takes such a loop, but can't report its latency (UG1399, Working
with Variable Loop Bounds), and must not have to unroll it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from flowc.backends.hls.lint.constants import runtime_names
from flowc.backends.hls.lint.finding import Finding
from flowc.backends.hls.lint.structure import Scope, matching, split
from flowc.backends.hls.lint.tokens import Token, Unit

__all__ = ["declared_here", "loop_findings"]

_RULE = "unbounded-loop"
_STATED, _UNROLLED = "loop_tripcount", "unroll"
_COMPARISONS = ("<", "<=", ">", ">=", "!=")


def loop_findings(unit: Unit, root: Scope) -> Iterator[Finding]:
    """Loops without a constant bound, and calls that put a run-time value into a loop of the compiler."""
    tokens = unit.tokens
    said: dict[int, list[str]] = {}
    for pragma in unit.pragmas:
        words = pragma.text.lower().split()
        if len(words) > 1:
            said.setdefault(id(root.at(pragma.before)), []).append(words[1])
    compiled: set[str] = set()
    for i, token in enumerate(tokens):
        if token.kind != "name" or token.text not in ("for", "while", "do"):
            continue
        function = root.at(i).function
        if function is not None and _is_constexpr(function):
            compiled.add(function.name)
        elif token.file in unit.known:
            continue
        elif token.text != "for":
            yield Finding(token.file, token.line, _RULE, f"'{token.text}' loop: use 'for' with a constant bound")
        elif i + 1 < len(tokens) and tokens[i + 1].text == "(":
            end = matching(tokens, i + 1)
            parts = split(tokens[i + 2 : end], ";", angles=False)
            # Names are looked up from inside the loop's body, where its own variable is known.
            inside = end + 2 if end + 1 < len(tokens) and tokens[end + 1].text == "{" else i
            body = root.at(inside)
            stated = _STATED in said.get(id(body), ()) and _UNROLLED not in said[id(body)]
            message = _unbounded(parts[1], parts[2], body, stated) if len(parts) == 3 else None
            if message is not None:
                yield Finding(token.file, token.line, _RULE, message)
    for i, token in enumerate(tokens[:-1]):
        if (
            token.text in compiled
            and token.file not in unit.known
            and tokens[i + 1].text == "("
            and not declared_here(tokens, i)
        ):
            scope = root.at(i)
            names = runtime_names(tokens[i + 2 : matching(tokens, i + 1)], scope)
            if names and scope.function is not None and not _is_constexpr(scope.function):
                message = f"'{token.text}' loops, and gets '{names[0]}', which is not known at compile time"
                yield Finding(token.file, token.line, _RULE, message)


def declared_here(tokens: Sequence[Token], index: int) -> bool:
    """Whether the name at `index` is declared, not called: a type stands in front of it."""
    before = tokens[index - 1] if index else None
    if before is None:
        return False
    return before.text in (">", "&", "*") or (before.kind == "name" and before.text not in ("return", "else", "do"))


def _is_constexpr(function: Scope) -> bool:
    return any(token.text == "constexpr" for token in function.head)


def _unbounded(condition: Sequence[Token], step: Sequence[Token], scope: Scope, stated: bool) -> str | None:
    """Why a for loop has no constant bound, or None if it has one, or one that is `stated` for reports."""
    if not condition or not step:
        return "the loop has no condition or no step"
    counters = {token.text for token in step if token.kind == "name"}
    at = next((i for i, token in enumerate(condition) if token.text in _COMPARISONS), None)
    if at is None or not counters & {token.text for token in condition}:
        return "the condition does not compare the loop's counter with a bound"
    if stated:
        return None
    bound: Sequence[Token] = condition
    if all(token.text != "&&" for token in condition):
        left, right = condition[:at], condition[at + 1 :]
        bound = right if counters & {token.text for token in left} else left
    names = [name for name in runtime_names(bound, scope) if name not in counters]
    return f"the bound depends on '{names[0]}', which is not known at compile time" if names else None
