"""Assertions about widths, parts, copies and distances, to be compiled with the code that they are about.

A template has no widths until a layer gives it numbers. The compiler that instantiates it evaluates them: behind every
declaration, and in the place of every pragma that has a limit, the copy of the code that `probed` writes has a ``static_assert``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from flowc.backends.hls.lint.arithmetic import is_compiled
from flowc.backends.hls.lint.language import WIDEST
from flowc.backends.hls.lint.pipelines import is_unrolled
from flowc.backends.hls.lint.pragmas import MOST_PARTS, Read, parse_pragma
from flowc.backends.hls.lint.program import Part
from flowc.backends.hls.lint.structure import Scope, Variable, matching, split
from flowc.backends.hls.lint.tokens import Token

__all__ = ["HEADER", "MARK", "MOST_COPIES", "Probe", "probes"]

MOST_COPIES = 4096
"""Most copies of a loop's body, of nested unrolled loops together."""

_LIMITED = ("array_partition", "array_reshape", "bind_storage", "dependence")

MARK = "@"
"""What the message of a failed assertion begins with; then rule, file, line, and what is wrong, with bars between."""

HEADER = f"""
#include <ap_int.h>
#include <hls_stream.h>
#include <type_traits>
template <int, int, int, int> struct ap_axiu;
namespace flowc_lint {{
template <class T> struct Plain {{ using type = std::remove_cv_t<std::remove_reference_t<T>>; }};
template <class T> struct Width {{ static constexpr long value = 0; }};
template <int N> struct Width<ap_uint<N>> {{ static constexpr long value = N; }};
template <int N> struct Width<ap_int<N>> {{ static constexpr long value = N; }};
template <int N, int U, int I, int D> struct Width<ap_axiu<N, U, I, D>> {{ static constexpr long value = N; }};
template <class T, bool ARITHMETIC = std::is_arithmetic<T>::value> struct Stored : Width<T> {{}};
template <class T> struct Stored<T, true> {{ static constexpr long value = 8 * sizeof(T); }};
template <class T> struct Element {{ using type = T; static constexpr bool STREAM = false; }};
template <class T> struct Element<hls::stream<T>> {{ using type = T; static constexpr bool STREAM = true; }};
template <class T> using Base = std::remove_cv_t<std::remove_all_extents_t<std::remove_reference_t<T>>>;
template <class T> constexpr bool fits(bool stream) {{
  return Element<Base<T>>::STREAM != stream || Width<typename Element<Base<T>>::type>::value <= {WIDEST};
}}
template <class T> constexpr long words(unsigned dim) {{
  using A = std::remove_reference_t<T>;
  return std::rank<A>::value == 0 ? 1
         : dim == 0               ? long(sizeof(A) / sizeof(std::remove_all_extents_t<A>))
         : dim == 1               ? long(std::extent<A, 0>::value)
         : dim == 2               ? long(std::extent<A, 1>::value)
         : dim == 3               ? long(std::extent<A, 2>::value)
                                  : long(std::extent<A, 3>::value);
}}
template <class T> constexpr long bits() {{ return Stored<Base<T>>::value; }}
template <class T> constexpr bool constant() {{
  return std::is_const<std::remove_all_extents_t<std::remove_reference_t<T>>>::value;
}}
}}  // namespace flowc_lint
"""
"""What the assertions call."""


class Probe(NamedTuple):
    """An assertion, to be put into a line of a file behind so many characters; none: in the place of the line."""

    file: str
    line: int
    at: int | None
    text: str


def probes(part: Part) -> Iterator[Probe]:
    """Assertions about everything in a translation unit that has a limit."""
    tokens = part.unit.tokens
    for scope in part.root.walk():
        for variable in scope.variables.values():
            place = _behind(variable, scope, tokens)
            if place is not None:
                yield _after(place, *_widths(variable, variable.type[0]))
        if scope.kind == "loop" and is_unrolled(scope, part):
            yield from _copies(scope, part)
    for pragma in part.unit.pragmas:
        words = pragma.text.split()
        scope = part.root.at(pragma.before)
        if len(words) > 2 and words[0] == "HLS" and words[1].lower() in _LIMITED and scope.function is not None:
            read, problems = parse_pragma(pragma, words[1].lower(), scope)
            checks = [] if problems else list(_limits(read))
            if checks:
                yield Probe(pragma.file, pragma.line, None, " ".join(checks))


def _assertion(condition: str, rule: str, where: Token, message: str) -> str:
    return f'static_assert({condition}, "{MARK}{rule}|{where.file}|{where.line}|{message}");'


def _after(place: Token, *checks: str) -> Probe:
    return Probe(place.file, place.line, place.end, " " + " ".join(checks))


def _behind(variable: Variable, scope: Scope, tokens: Sequence[Token]) -> Token | None:
    """The token behind which a variable is known: the end of its declaration, the beginning of its function."""
    if variable.kind == "parameter" and scope.kind == "function":
        return tokens[scope.begin] if scope.name and scope.name != "operator" else None
    if variable.kind != "variable" or scope.begin >= variable.index or not variable.type:
        return None
    outside = scope.kind in ("file", "namespace", "class")
    i = variable.index
    while tokens[i].text != variable.name:
        i += 1
    if outside and tokens[i + 1].text == "(":
        return None  # a function
    while i < len(tokens) and tokens[i].text != ";":
        i = matching(tokens, i) + 1 if tokens[i].text in ("(", "[", "{") else i + 1
    return tokens[i] if i < len(tokens) else None


def _widths(variable: Variable, where: Token) -> Iterator[str]:
    named = f"decltype({variable.name})"
    for rule, stream, what in (
        ("int-width", "false", variable.name),
        ("stream-width", "true", f"stream {variable.name}"),
    ):
        message = f"{what} has more than {WIDEST} bits"
        yield _assertion(f"flowc_lint::fits<{named}>({stream})", rule, where, message)


def _copies(loop: Scope, part: Part) -> Iterator[Probe]:
    """The copies of an unrolled loop's body, those of the unrolled loops around it in the same function counted in."""
    nest = [s for s in loop.around() if s.kind == "loop" and s.function is loop.function and is_unrolled(s, part)]
    counts = [c for c in (_count(s, part) for s in nest) if c is not None]
    if counts and not any(t.text == "constexpr" for t in (loop.function.head if loop.function else ())):
        where = part.unit.tokens[loop.begin]
        message = f"unrolled into more than {MOST_COPIES} copies"
        yield _after(where, _assertion(f"{' * '.join(counts)} <= {MOST_COPIES}", "unroll-limit", where, message))


def _count(loop: Scope, part: Part) -> str | None:
    """How often a loop with constant bounds runs, as an expression; None for other loops."""
    opening = next((i for i, t in enumerate(loop.head) if t.text == "("), None)
    if opening is None or loop.name != "for":
        return None
    heads = split(loop.head[opening + 1 : matching(loop.head, opening)], ";", angles=False)
    marks = [i for i, t in enumerate(heads[1]) if t.text in ("<", "<=", "!=", ">", ">=")] if len(heads) == 3 else []
    if len(marks) != 1:
        return None
    falls = heads[1][marks[0]].text.startswith(">")
    values = [i for i, t in enumerate(heads[0]) if t.text == "="]
    if not values:
        return None
    first, last = heads[0][values[0] + 1 :], heads[1][marks[0] + 1 :]
    step = next((heads[2][i + 1 :] for i, t in enumerate(heads[2]) if t.text in ("+=", "-=")), ())
    outer = loop.parent or loop
    if not all(is_compiled(part_, outer, part) and not _counters(part_, outer) for part_ in (first, last, step)):
        return None
    a, b = (" ".join(t.text for t in tokens) for tokens in ((first, last) if falls else (last, first)))
    by = " ".join(t.text for t in step) or "1"
    return f"((long({a}) - long({b}) + long({by}) - 1) / long({by}))"


def _counters(tokens: Sequence[Token], scope: Scope) -> bool:
    """Whether an expression has the counter of a loop in it."""
    loops = [s for s in scope.around() if s.kind == "loop"]
    return any(t.text in s.variables and any(h.text == t.text for h in s.head) for t in tokens for s in loops)


def _limits(read: Read) -> Iterator[str]:
    """Assertions in the place of a pragma."""
    variable, options = read.options.get("variable", ""), read.options
    where = Token("name", read.name, read.pragma.file, read.pragma.line)
    named = f"decltype(({variable}))"
    if read.name in ("array_partition", "array_reshape"):
        parts = options.get("factor") or f"flowc_lint::words<{named}>({options.get('dim', '1')})"
        if read.name == "array_partition":
            message = f"{variable} has more than {MOST_PARTS} parts"
            yield _assertion(f"({parts}) <= {MOST_PARTS}", "partition-limit", where, message)
        else:
            message = f"{variable} has words of more than {WIDEST} bits"
            yield _assertion(f"({parts}) * flowc_lint::bits<{named}>() <= {WIDEST}", "reshape-limit", where, message)
    elif read.name == "dependence" and "distance" in options and variable:
        condition = f"long({options['distance']}) <= flowc_lint::words<{named}>(0)"
        message = f"{variable} has fewer words than the distance {options['distance']}"
        yield _assertion(condition, "dependence-distance", where, message)
    elif read.name == "bind_storage" and options.get("type", "").lower().startswith("rom"):
        yield _assertion(f"flowc_lint::constant<{named}>()", "rom-const", where, f"{variable} is not const")
