"""Every message that flowc's commands can end with, read out of the code: what troubleshooting.md lists on the site.

A message is what an error is raised with. Names are followed to what the function, or the module, gave them; calls to what the functions
of that name return. What is filled in at run time is shown as ``…``.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import product
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("flowc", "passes")
REASONS = {"Blocked", "CannotLower", "TooLarge"}
"""Exceptions that carry why a node can't be hardware, "cause; remedy": what refuses the node says it."""
RETURNED = ("passes", "exact", "importer")
"""Folders whose functions return such reasons."""
_ROOT_ERROR, _USAGE = "FlowcError", 2
_CLICK = {"BadParameter"}
_FAR = 8

_SHAPING = ("str", "join", "list", "sorted", "next"), ("format", "removeprefix", "rstrip", "strip")
"""Calls that keep a text: of their argument, of what they are called on."""

Function = ast.FunctionDef | ast.AsyncFunctionDef
Scope = ast.Module | Function


@dataclass(frozen=True)
class Kind:
    """A class of errors: the exit code that it ends a command with, and the remedy that all of its errors have."""

    code: int
    remedy: str = ""


@dataclass(frozen=True, order=True)
class Message:
    """A message, what to do about it, and the exit code."""

    text: str
    remedy: str
    code: int


@dataclass
class Code:
    """The source of flowc, parsed."""

    trees: dict[Path, ast.Module]
    silent: list[str] = field(default_factory=list)
    """Errors whose text could not be found, by file and line."""
    returned: dict[tuple[int, ...], list[str]] = field(default_factory=dict)
    """What functions return, where that was asked for."""

    @classmethod
    def read(cls, root: Path = ROOT) -> Code:
        """Parses every module."""
        paths = [path for folder in FOLDERS for path in sorted((root / folder).rglob("*.py"))]
        return cls({path.relative_to(root): ast.parse(path.read_text(encoding="utf-8")) for path in paths})

    @cached_property
    def functions(self) -> dict[str, list[list[Scope]]]:
        """Functions by name, methods by their name behind a dot, each behind its module."""
        found: dict[str, list[list[Scope]]] = {}
        for tree in self.trees.values():
            for outer in ast.walk(tree):
                for node in (n for n in ast.iter_child_nodes(outer) if isinstance(n, Function)):
                    name = f".{node.name}" if isinstance(outer, ast.ClassDef) else node.name
                    found.setdefault(name, []).append([tree, node])
        return found

    @cached_property
    def modules(self) -> dict[int, str]:
        """By the identity of a tree: what its module is imported as."""
        dotted = {id(tree): ".".join(path.with_suffix("").parts) for path, tree in self.trees.items()}
        return {key: name if name.startswith("flowc") else f"flowc.{name}" for key, name in dotted.items()}

    @cached_property
    def kinds(self) -> dict[str, Kind]:
        """The classes of errors: all that derive from `FlowcError`."""
        classes = {n: tree for tree in self.trees.values() for n in tree.body if isinstance(n, ast.ClassDef)}
        found: dict[str, Kind] = {}
        while True:
            new = [c for c in classes if c.name not in found and (c.name == _ROOT_ERROR or _bases(c) & found.keys())]
            if not new:
                return found
            for c in new:
                above = next((found[b] for b in _bases(c) if b in found), Kind(_USAGE))
                found[c.name] = Kind(_exit_code(c, above.code), self._own_remedy(c, classes[c]) or above.remedy)

    def _own_remedy(self, node: ast.ClassDef, module: ast.Module) -> str:
        """The remedy that the constructor of a class gives to the one above it."""
        for call in (n for n in ast.walk(node) if isinstance(n, ast.Call)):
            if isinstance(call.func, ast.Attribute) and call.func.attr == "__init__":
                return " ".join(t for k in call.keywords if k.arg == "remedy" for t in self.texts(k.value, [module]))
        return ""

    def messages(self) -> set[Message]:
        """Every message of every module."""
        self.silent.clear()
        return {message for path, tree in self.trees.items() for message in self._said(path, tree, [tree])}

    def _said(self, path: Path, node: ast.AST, scopes: list[Scope]) -> Iterator[Message]:
        for child in ast.iter_child_nodes(node):
            inner = [*scopes, child] if isinstance(child, Function) else scopes
            if isinstance(child, ast.Call):
                yield from self._raised(path, child, inner)
            if isinstance(child, ast.Return) and child.value is not None and path.parent.name in RETURNED:
                yield from (m for t in self.texts(child.value, inner, 0) if "; " in t for m in _messages(t, "", _USAGE))
            yield from self._said(path, child, inner)

    def _raised(self, path: Path, call: ast.Call, scopes: list[Scope]) -> Iterator[Message]:
        name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        if not call.args or name not in self.kinds.keys() | REASONS | _CLICK:
            return
        kind = self.kinds.get(name, Kind(_USAGE))
        texts = self.texts(call.args[-1 if name in REASONS else 0], scopes)
        remedies = [t for k in call.keywords if k.arg == "remedy" for t in self.texts(k.value, scopes)]
        found = [m for t in texts for m in _messages(t, "; or: ".join(remedies) or kind.remedy, kind.code)]
        if not found:
            self.silent.append(f"{path}:{call.lineno}")
        yield from found

    def texts(self, node: ast.expr | None, scopes: list[Scope], far: int = _FAR) -> list[str]:
        """The strings that an expression may be; empty where that can't be told."""
        match node:
            case ast.Constant(value=str(text)):
                return [text]
            case ast.JoinedStr(values=values):
                parts = [[str(p.value)] if isinstance(p, ast.Constant) else ["…"] for p in values]
                if not any(_worded(text) for (text,) in parts):
                    filled = (
                        self.texts(p.value, scopes, far) if isinstance(p, ast.FormattedValue) else [] for p in values
                    )
                    parts = [given or part for given, part in zip(filled, parts, strict=True)]
                return ["".join(texts) for texts in product(*parts)]
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                sides = [self.texts(side, scopes, far) for side in (left, right)]
                if not any(isinstance(s, ast.Constant | ast.JoinedStr | ast.IfExp) for s in (left, right)):
                    return [*sides[0], *sides[1]]  # lists of texts
                return ["".join(pair) for pair in product(*(side or ["…"] for side in sides))]
            case ast.IfExp(body=body, orelse=orelse):
                return [*self.texts(body, scopes, far), *self.texts(orelse, scopes, far)]
            case ast.BoolOp(values=values) | ast.List(elts=values) | ast.Set(elts=values) | ast.Dict(values=values):
                return [text for value in values for text in self.texts(value, scopes, far)]
            case ast.Tuple(elts=[*_, last]):  # of an unsupported node: its name, its operator, the reason
                return self.texts(last, scopes, far)
            case ast.ListComp(elt=element) | ast.GeneratorExp(elt=element):
                return self.texts(element, scopes, far)
            case ast.Subscript(value=value) | ast.Starred(value=value) | ast.NamedExpr(value=value):
                return self.texts(value, scopes, far)
            case ast.Name(id=name) if far:
                return self._named(name, scopes, far - 1)
            case ast.Call(func=function, args=arguments) if far:
                return self._called(function, arguments, scopes, far - 1)
        return []

    def _named(self, name: str, scopes: list[Scope], far: int) -> list[str]:
        """What a name may stand for: of the innermost scope that gives it something."""
        for scope in reversed(scopes):
            if values := list(_given(name, scope)):
                return [text for value in values for text in self.texts(value, scopes, far)]
        return []

    def _called(self, function: ast.expr, arguments: list[ast.expr], scopes: list[Scope], far: int) -> list[str]:
        """What a function returns or yields; of those that only shape a text, what they are given."""
        name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
        if name in _SHAPING[0] and arguments:
            return self.texts(arguments[0], scopes, far)
        if name in _SHAPING[1] and isinstance(function, ast.Attribute):
            return self.texts(function.value, scopes, far)
        key = f".{name}" if isinstance(function, ast.Attribute) and f".{name}" in self.functions else name
        every = self.functions.get(key, [])
        own = [c for c in every if c[0] is scopes[0]]
        homes = [
            n.module or ""
            for n in scopes[0].body
            if isinstance(n, ast.ImportFrom) and name in (a.name for a in n.names)
        ]
        imported = [c for c in every if any(self.modules[id(c[0])].startswith(home) for home in homes)]
        return self._returned(own, far) or self._returned(imported if key == name else every, far)

    def _returned(self, called: list[list[Scope]], far: int) -> list[str]:
        key = tuple(id(scopes[-1]) for scopes in called)
        if key not in self.returned:
            self.returned[key] = []  # of one that calls itself
            self.returned[key] = [
                text
                for scopes in called
                for node in ast.walk(scopes[-1])
                if isinstance(node, ast.Return | ast.Yield | ast.YieldFrom)
                for text in self.texts(node.value, scopes, far)
            ]
        return self.returned[key]


def _bases(node: ast.ClassDef) -> set[str]:
    return {base.attr if isinstance(base, ast.Attribute) else getattr(base, "id", "") for base in node.bases}


def _exit_code(node: ast.ClassDef, above: int) -> int:
    for line in node.body:
        targets = (
            line.targets if isinstance(line, ast.Assign) else [line.target] if isinstance(line, ast.AnnAssign) else []
        )
        if any(getattr(t, "id", "") == "exit_code" for t in targets) and isinstance(line.value, ast.Constant):
            return int(line.value.value)
    return above


def _given(name: str, scope: Scope) -> Iterator[ast.expr]:
    """What is assigned, added or appended to a name: in a function, or by the statements of a module."""
    nodes = ast.walk(scope) if isinstance(scope, Function) else scope.body
    for node in nodes:
        match node:
            case ast.Assign(targets=targets, value=value):
                for target in targets:
                    if getattr(target, "id", "") == name:
                        yield value
                    elif isinstance(target, ast.Tuple):
                        values = value.elts if isinstance(value, ast.Tuple) else [value] * len(target.elts)
                        yield from (
                            v for t, v in zip(target.elts, values, strict=False) if getattr(t, "id", "") == name
                        )
            case ast.AnnAssign(target=ast.Name(id=target), value=ast.expr() as value) if target == name:
                yield value
            case (
                ast.AugAssign(target=ast.Name(id=target), value=value)
                | ast.NamedExpr(target=ast.Name(id=target), value=value)
            ):
                if target == name:
                    yield value
            case ast.Call(func=ast.Attribute(value=ast.Name(id=target), attr="append" | "extend"), args=[value]) if (
                target == name
            ):
                yield value
            case (
                ast.For(target=ast.Name(id=target), iter=values)
                | ast.comprehension(target=ast.Name(id=target), iter=values)
            ):
                if target == name:
                    yield values


def _worded(text: str) -> bool:
    return re.search(r"[a-z]{2}", text) is not None


def _messages(text: str, remedy: str, code: int) -> Iterator[Message]:
    if _worded(text):
        cause, _, own = (text, "", "") if remedy else text.partition("; ")
        yield Message(cause.strip(), (remedy or own).strip(), code)


def message_table() -> list[str]:
    """The messages in order of the alphabet, as a table in Markdown."""
    rows = sorted(Code.read().messages(), key=lambda m: (m.text.strip("'… ").lower(), m))
    lines = ["| message | what to do | exit code |", "|---|---|---|"]
    return lines + [f"| {_cell(m.text)} | {_cell(m.remedy)} | {m.code} |" for m in rows]


def _cell(text: str) -> str:
    return re.sub(r"([|<>*_\[\]`])", r"\\\1", " ".join(text.split()))
