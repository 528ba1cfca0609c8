"""Scopes, functions, loops and variables of a token sequence: enough of C++ for the rules, no more.

The reader knows the C++ that flowc writes. What it can't make out (an expression it takes for no declaration, say) is
passed over; it never guesses a violation.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from flowc.backends.hls.lint.tokens import Token

__all__ = ["Scope", "Variable", "matching", "parameter_names", "parameters", "read_scopes", "split"]


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_OPEN = {"(": ")", "[": "]", "{": "}"}
_CLOSE = {")": "(", "]": "[", "}": "{"}
_CONTROL = ("for", "while", "if", "switch", "catch")
_SPECIFIERS = _words(
    """
    static const constexpr inline typename unsigned signed long short volatile register mutable extern struct auto
    """
)
_NO_TYPE = _words(
    """
    return new delete throw goto case default else do using typedef namespace template public private protected
    friend operator sizeof static_assert if for while switch break continue enum class union try catch
    """
)


@dataclass(frozen=True)
class Variable:
    """A declared variable, parameter or member.

    Attributes:
        type: tokens in front of the name.
        dims: tokens of each array bound.
        value: tokens of the initializer after ``=``.
        kind: "variable", or "parameter" or "template" for those of functions and templates.
        index: position of its name in the token sequence.
    """

    name: str
    type: tuple[Token, ...]
    dims: tuple[tuple[Token, ...], ...]
    value: tuple[Token, ...]
    kind: str
    index: int

    @property
    def words(self) -> frozenset[str]:
        """Names in the type."""
        return frozenset(t.text for t in self.type)


@dataclass
class Scope:
    """What stands between two braces.

    Attributes:
        kind: file, namespace, class, function, loop, branch, block or initializer.
        name: of the namespace, class or function; for loops "for", "while", "do".
        head: tokens in front of the brace, from the start of the statement.
        begin, end: positions of the braces in the token sequence.
    """

    kind: str
    name: str
    head: tuple[Token, ...]
    begin: int
    end: int
    parent: Scope | None
    children: list[Scope] = field(default_factory=list)
    variables: dict[str, Variable] = field(default_factory=dict)

    def around(self) -> Iterator[Scope]:
        """This scope and those around it, from within."""
        scope: Scope | None = self
        while scope is not None:
            yield scope
            scope = scope.parent

    def walk(self) -> Iterator[Scope]:
        """This scope and all within."""
        yield self
        for child in self.children:
            yield from child.walk()

    def at(self, index: int) -> Scope:
        """The innermost scope that holds the token position `index`."""
        for child in self.children:
            if child.begin < index <= child.end:
                return child.at(index)
        return self

    def find(self, name: str, index: int | None = None) -> Variable | None:
        """The variable that `name` means here; with `index`, only if it is declared before that token."""
        for scope in self.around():
            for part in scope.parts():
                found = part.variables.get(name)
                if found is not None and (index is None or found.index < index or scope.kind == "class"):
                    return found
        return None

    def parts(self) -> Iterator[Scope]:
        """This scope; for a namespace, all its parts."""
        yield self
        if self.kind == "namespace" and self.parent is not None:
            siblings = (s for s in self.parent.children if s.kind == "namespace" and s.name == self.name)
            yield from (s for s in siblings if s is not self)

    @property
    def function(self) -> Scope | None:
        """The function around this scope, or None."""
        return next((s for s in self.around() if s.kind == "function"), None)

    @property
    def path(self) -> tuple[str, ...]:
        """Names of namespaces, classes and functions around, outermost first, this one's last."""
        names = [s.name for s in self.around() if s.kind in ("namespace", "class", "function") and s.name]
        return tuple(reversed(names))


def matching(tokens: Sequence[Token], start: int) -> int:
    """Position of the bracket that closes the one at `start`; the last position if there is none."""
    depth = 0
    for i in range(start, len(tokens)):
        if tokens[i].text in _OPEN:
            depth += 1
        elif tokens[i].text in _CLOSE:
            depth -= 1
            if depth == 0:
                return i
    return len(tokens) - 1


def split(tokens: Sequence[Token], mark: str, angles: bool = True) -> list[tuple[Token, ...]]:
    """`tokens` cut at every `mark` outside of brackets; with `angles`, template brackets count too."""
    parts: list[tuple[Token, ...]] = []
    depth = start = 0
    for i, token in enumerate(tokens):
        text = token.text
        if text in _OPEN or (angles and text == "<"):
            depth += 1
        elif text in _CLOSE or (angles and text == ">" and depth):
            depth -= 1
        elif angles and text == ">>" and depth >= 2:
            depth -= 2
        elif text == mark and depth == 0:
            parts.append(tuple(tokens[start:i]))
            start = i + 1
    parts.append(tuple(tokens[start:]))
    return [part for part in parts if part] if len(parts) == 1 else parts


def parameters(function: Scope) -> list[Variable | None]:
    """The parameters of a function in their order; None for one without a name."""
    found: list[Variable | None] = []
    for part in _parameter_parts(function):
        named = (function.variables.get(t.text) for t in reversed(part) if t.kind == "name")
        found.append(next((v for v in named if v is not None and v.kind == "parameter"), None))
    return found


def parameter_names(function: Scope) -> list[str]:
    """The names of a function's parameters in their order, that of a pack too; empty for one without a name."""
    found = []
    for part, variable in zip(_parameter_parts(function), parameters(function), strict=True):
        pack = any(t.text == "..." for t in part) and part[-1].kind == "name"
        found.append(variable.name if variable is not None else part[-1].text if pack else "")
    return found


def _parameter_parts(function: Scope) -> list[tuple[Token, ...]]:
    body = _without_template(function.head)
    opening = next((i for i, t in enumerate(body) if t.text == "("), None)
    if opening is None:
        return []
    if [t.text for t in body[opening - 1 : opening + 2]] == ["operator", "(", ")"]:
        opening += 2
    return split(body[opening + 1 : matching(body, opening)], ",")


def read_scopes(tokens: Sequence[Token]) -> Scope:
    """The file's scope with everything in it."""
    root = Scope("file", "", (), -1, len(tokens), None)
    current, start, i = root, 0, 0
    while i < len(tokens):
        text = tokens[i].text
        if text == "{":
            head = tuple(tokens[start:i])
            kind, name = _classify(head, current)
            scope = Scope(kind, name, head, i, len(tokens), current)
            current.children.append(scope)
            _declare_head(scope, start)
            if kind == "initializer":
                i = scope.end = matching(tokens, i)
            else:
                current, start = scope, i + 1
        elif text == "}":
            current.end = i
            ends_statement = current.kind != "class"
            current = current.parent or root
            if ends_statement or (i + 1 < len(tokens) and tokens[i + 1].text == ";"):
                start = i + 1
        elif text == ";":
            _declare(current, tokens[start:i], start)
            start = i + 1
        elif text == ":" and (i == start + 1 or tokens[start].text == "case"):  # a label, public:, case 1:
            start = i + 1
        elif text in ("(", "["):
            i = matching(tokens, i)  # braces in it are no scopes
        i += 1
    return root


def _classify(head: tuple[Token, ...], current: Scope) -> tuple[str, str]:
    """Kind and name of the scope that the brace behind `head` opens."""
    words = [t.text for t in head]
    if not head:
        return "block", ""
    if words[0] == "namespace" or words[:2] == ["inline", "namespace"] or words[0] == "extern":
        return "namespace", words[-1] if words[-1] not in ("namespace", "inline") and head[-1].kind == "name" else ""
    outside = current.kind in ("file", "namespace", "class")
    body = _without_template(head)
    leading = [t.text for t in body]
    if leading and leading[0] in ("struct", "class", "union", "enum") and "(" not in leading and "=" not in leading:
        name = next((t for t in leading[1:] if t not in ("class", "struct") and t.isidentifier()), "")
        return "class", name
    first = next((w for w in words if w != ":"), "")
    if not outside:
        if first in _CONTROL and words[-1] == ")":
            return ("loop" if first in ("for", "while") else "branch"), first
        if first in ("else", "do", "try"):
            loop = next((w for w in ("do", "for", "while") if w in words), None)
            return ("loop", loop) if loop is not None else ("branch", first)
        if ("]" in words and words[-1] in (")", "]", "mutable")) or "->" in words:
            return "function", ""
        return "initializer", ""
    if "(" in leading and "=" not in _outer(body):
        at = leading.index("(")
        if "operator" in leading:
            return "function", "operator"
        name = leading[at - 1] if at and body[at - 1].kind == "name" else ""
        return "function", name
    return "initializer", ""


def _without_template(head: tuple[Token, ...]) -> tuple[Token, ...]:
    """`head` behind its ``template <...>`` parts."""
    while len(head) > 1 and head[0].text == "template" and head[1].text == "<":
        head = head[_angle_end(head, 1) + 1 :]
    return head


def _angle_end(tokens: Sequence[Token], start: int) -> int:
    """Position of the ``>`` that closes the ``<`` at `start`."""
    depth, i = 0, start
    while i < len(tokens):
        text = tokens[i].text
        if text == "(":
            i = matching(tokens, i)
        elif text == "<":
            depth += 1
        elif text in (">", ">>"):
            depth -= len(text)
            if depth <= 0:
                return i
        i += 1
    return len(tokens) - 1


def _outer(tokens: Sequence[Token]) -> list[str]:
    """Texts outside of round brackets."""
    words, i = [], 0
    while i < len(tokens):
        if tokens[i].text == "(":
            i = matching(tokens, i)
        else:
            words.append(tokens[i].text)
        i += 1
    return words


def _declare_head(scope: Scope, start: int) -> None:
    """Parameters of a function or template, variables of a ``for``, and the variable that an initializer belongs to."""
    head = scope.head
    if head and head[0].text == "template" and scope.kind in ("function", "class"):
        end = _angle_end(head, 1)
        for part in split(head[2:end], ","):
            name = next((t for t in reversed(_before(part, "=")) if t.kind == "name"), None)
            if name is not None:
                type_ = tuple(t for t in part if t is not name)
                scope.variables[name.text] = Variable(name.text, type_, (), (), "template", start)
    if scope.kind == "function" or (scope.kind == "loop" and scope.name == "for"):
        body = _without_template(head)
        opening = next((i for i, t in enumerate(body) if t.text == "("), None)
        if opening is None:
            return
        if [t.text for t in body[opening - 1 : opening + 2]] == ["operator", "(", ")"]:
            opening += 2
        inner = body[opening + 1 : matching(body, opening)]
        if scope.kind == "loop":
            _declare(scope, _before(inner, ";"), start)
            return
        for part in split(inner, ","):
            found = _variable(part, start, "parameter")
            if found is not None:
                scope.variables[found.name] = found
    elif scope.kind == "initializer" and scope.parent is not None:
        found = _variable(head, start)
        if found is not None:
            scope.parent.variables.setdefault(found.name, found)


def _before(tokens: Sequence[Token], mark: str) -> tuple[Token, ...]:
    """The tokens in front of the first `mark`."""
    return tuple(tokens[: next((i for i, t in enumerate(tokens) if t.text == mark), len(tokens))])


def _declare(scope: Scope, statement: Sequence[Token], start: int) -> None:
    """The variables that a statement, at token position `start`, declares."""
    parts = split(statement, ",")
    first = _variable(parts[0], start) if parts else None
    if first is None:
        return
    scope.variables.setdefault(first.name, first)
    for part in parts[1:]:
        further = _variable((*first.type, *part), start)
        if further is not None:
            scope.variables.setdefault(further.name, further)


def _variable(tokens: Sequence[Token], index: int, kind: str = "variable") -> Variable | None:
    """The variable that a declaration of one declares, or None if this is none."""
    i, n = 0, len(tokens)
    types = 0  # names that make a type, besides specifiers
    while i < n:
        token = tokens[i]
        if token.text in _NO_TYPE:
            return None
        following = tokens[i + 1].text if i + 1 < n else ""
        if token.text == "(" and types and following in ("&", "*") and i + 2 < n:  # Word (&line)[SIZE]
            return _finish(tokens, tokens[:i], i + 2, matching(tokens, i) + 1, index, kind)
        if token.text in ("&", "*", "&&"):
            i += 1
            continue
        if token.kind != "name":
            return None
        if following == "::":
            i += 2
            continue
        if following == "<" and token.text not in _SPECIFIERS:
            end = _angle_end(tokens, i + 1)
            types += 1
            i = end + (2 if end + 1 < n and tokens[end + 1].text == "::" else 1)
            continue
        qualified = i > 0 and tokens[i - 1].text == "::"
        if types and not qualified and following in ("", "=", "[", "(", "{", ":"):
            return _finish(tokens, tokens[:i], i, i + 1, index, kind)
        if token.text not in _SPECIFIERS or token.text in ("unsigned", "signed", "long", "short", "auto"):
            types += 1
        i += 1
    return None


def _finish(
    tokens: Sequence[Token], type_: Sequence[Token], name: int, behind: int, index: int, kind: str
) -> Variable | None:
    if tokens[name].kind != "name":
        return None
    dims = []
    while behind < len(tokens) and tokens[behind].text == "[":
        end = matching(tokens, behind)
        dims.append(tuple(tokens[behind + 1 : end]))
        behind = end + 1
    value = tuple(tokens[behind + 1 :]) if behind < len(tokens) and tokens[behind].text == "=" else ()
    return Variable(tokens[name].text, tuple(type_), tuple(dims), value, kind, index + name)
