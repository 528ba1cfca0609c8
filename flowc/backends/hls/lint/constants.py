"""Compile-time integers: which names are constant, and what simple expressions and types amount to."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from flowc.backends.hls.lint.structure import Scope, Variable, split
from flowc.backends.hls.lint.tokens import Token, tokenize

__all__ = ["Aliases", "evaluate", "is_constant", "runtime_names", "stream_bits", "type_bits"]

Aliases = dict[str, tuple[list[str], tuple[Token, ...]]]
"""``using`` declarations: name to (template parameters, type)."""

_DEPTH = 20


def is_constant(variable: Variable, scope: Scope, depth: int = 0) -> bool:
    """Whether a variable's value is known when the code is compiled."""
    words = variable.words
    if variable.kind != "variable":
        return variable.kind == "template"
    if "constexpr" in words:
        return True
    if "const" not in words or not variable.value or depth >= _DEPTH:
        return False
    return not runtime_names(variable.value, scope, depth + 1)


def runtime_names(tokens: Sequence[Token], scope: Scope, depth: int = 0) -> list[str]:
    """Names in an expression that are variables or parameters whose value is known only at run time.

    Unknown names (of templates, macros, other files) are taken for constants; calls of member functions are not.
    """
    found = []
    for i, token in enumerate(tokens):
        before = tokens[i - 1].text if i else ""
        if token.kind != "name" or before in ("::", ".", "->"):
            continue
        variable = scope.find(token.text)
        if variable is not None and not is_constant(variable, scope, depth):
            found.append(token.text)
    return found


def evaluate(tokens: Sequence[Token], scope: Scope, depth: int = 0) -> int | None:
    """Value of an integer expression of literals, constants, + - * / % << >>, comparisons, ?: and brackets; None for all else."""
    words: list[int | str] = []
    i = 0
    while i < len(tokens):
        token = tokens[i]
        if token.kind == "number":
            number = _literal(token.text)
            if number is None:
                return None
            words.append(number)
        elif token.kind == "name":
            path = [token.text]
            while i + 2 < len(tokens) and tokens[i + 1].text == "::":
                path.append(tokens[i + 2].text)
                i += 2
            value = _named(path, scope, depth)
            if value is None:
                return None
            words.append(value)
        else:
            words.append(token.text)
        i += 1
    return _arithmetic(words)


def _literal(text: str) -> int | None:
    try:
        return int(text.replace("'", "").rstrip("uUlL"), 0)
    except ValueError:
        return None


def _named(path: Sequence[str], scope: Scope, depth: int) -> int | None:
    """The value of a constant, `path` being its qualified name."""
    if depth > _DEPTH:
        return None
    holder: Scope | None = scope
    for name in path[:-1]:
        inner = (c for s in scope.around() for part in s.parts() for c in part.children)
        holder = next((c for c in inner if c.kind in ("class", "namespace") and c.name == name), None)
        if holder is None:
            return None
        scope = holder
    variable = holder.find(path[-1]) if holder is not None and len(path) == 1 else scope.variables.get(path[-1])
    if variable is None or not variable.value or not ({"const", "constexpr"} & variable.words):
        return None
    return evaluate(variable.value, scope, depth + 1)


def _arithmetic(words: Sequence[int | str]) -> int | None:
    """Evaluates a sequence of integers and marks; None if it is no such expression."""
    position = 0

    def peek() -> int | str:
        return words[position] if position < len(words) else ""

    def single() -> int:
        nonlocal position
        word = peek()
        position += 1
        if isinstance(word, int):
            return word
        if word == "-":
            return -single()
        if word == "+":
            return single()
        if word == "(":
            value = chosen()
            if peek() != ")":
                raise ValueError
            position += 1
            return value
        raise ValueError

    def chain(below: Callable[[], int], marks: dict[str, Callable[[int, int], int]]) -> int:
        nonlocal position
        value = below()
        while (mark := peek()) in marks:
            position += 1
            value = marks[str(mark)](value, below())
        return value

    def product() -> int:
        return chain(single, {"*": int.__mul__, "/": int.__floordiv__, "%": int.__mod__})

    def total() -> int:
        return chain(product, {"+": int.__add__, "-": int.__sub__})

    def shifted() -> int:
        return chain(total, {"<<": int.__lshift__, ">>": int.__rshift__})

    def compared() -> int:
        return chain(shifted, {"<": int.__lt__, ">": int.__gt__, "<=": int.__le__, ">=": int.__ge__, "==": int.__eq__})

    def chosen() -> int:
        nonlocal position
        condition = compared()
        if peek() != "?":
            return condition
        position += 1
        first = chosen()
        if peek() != ":":
            raise ValueError
        position += 1
        second = chosen()
        return first if condition else second

    try:
        value = chosen()
    except (ValueError, ZeroDivisionError, OverflowError):
        return None
    return value if position == len(words) else None


def type_bits(tokens: Sequence[Token], scope: Scope, aliases: Aliases) -> int | None:
    """Bits of ap_int, ap_uint and ap_axiu types, also behind alias templates; None for other types."""
    for _ in range(_DEPTH):
        words = [t for t in tokens if t.text not in ("const", "typename", "&", "struct")]
        while len(words) > 2 and words[1].text == "::":
            words = words[2:]
        if not words:
            return None
        name = words[0].text
        arguments = split(words[2:-1], ",") if len(words) > 3 and words[1].text == "<" else []
        if name in ("ap_int", "ap_uint", "ap_axiu", "ap_axis") and arguments:
            return evaluate(arguments[0], scope)
        if name not in aliases:
            return None
        parameters, target = aliases[name]
        given = dict(zip(parameters, arguments, strict=False))
        opened, closed = (next(tokenize(mark)) for mark in "()")
        tokens = [part for t in target for part in ((opened, *given[t.text], closed) if t.text in given else (t,))]
    return None


def stream_bits(variable: Variable, scope: Scope, aliases: Aliases) -> int | None:
    """Bits of an element of an ``hls::stream`` variable; None if it is no stream or its type is not known."""
    texts = [t.text for t in variable.type]
    if "stream" not in texts:
        return None
    at = texts.index("stream")
    inner = variable.type[at + 2 :]
    depth = end = 0
    while end < len(inner):
        depth += {"<": 1, ">": -1, ">>": -2}.get(inner[end].text, 0)
        if depth < 0:
            break
        end += 1
    element = inner[:end]
    if depth == -1 and end < len(inner) and inner[end].text == ">>":  # its first '>' belongs to the element
        element = (*element, next(tokenize(">")))
    return type_bits(split(element, ",")[0] if element else (), scope, aliases)
