"""The functions of all files together, who calls whom with what, and the pragmas of each scope."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from flowc.backends.hls.lint.structure import Scope, Variable, matching, parameter_names, parameters, split
from flowc.backends.hls.lint.tokens import Token, Unit

__all__ = ["Call", "Function", "Part", "Program", "calls_in"]

_CONTROL = frozenset(
    ["if", "for", "while", "switch", "return", "sizeof", "decltype", "static_assert", "catch", "alignof"]
)
_OPTION = re.compile(r"(\w+)\s*=\s*(\S+)")

Directives = list[tuple[str, dict[str, str], frozenset[str]]]
"""Pragmas of a scope: name, options, lone words, all in lower case (values as they stand)."""


@dataclass(frozen=True)
class Call:
    """``path<template>(arguments)`` at a token position; ``path`` ends with the function's name."""

    path: tuple[str, ...]
    template: tuple[Token, ...]
    arguments: tuple[tuple[Token, ...], ...]
    index: int
    where: Token


@dataclass
class Part:
    """One translation unit, read."""

    unit: Unit
    root: Scope

    @cached_property
    def directives(self) -> dict[int, Directives]:
        """Pragmas by ``id`` of the scope in which they stand."""
        found: dict[int, Directives] = {}
        for pragma in self.unit.pragmas:
            words = pragma.text.split(None, 2)
            if len(words) < 2 or words[0] != "HLS":
                continue
            rest = words[2] if len(words) > 2 else ""
            options = {name.lower(): value for name, value in _OPTION.findall(rest)}
            flags = frozenset(_OPTION.sub(" ", rest).lower().split())
            found.setdefault(id(self.root.at(pragma.before)), []).append((words[1].lower(), options, flags))
        return found

    def has(self, scope: Scope, name: str) -> bool:
        """Whether the pragma `name` stands directly in a scope, and does not say ``off``."""
        return any(n == name and "off" not in flags for n, _, flags in self.directives.get(id(scope), []))


@dataclass
class Function:
    """A function's definition."""

    part: Part
    scope: Scope

    @property
    def tokens(self) -> Sequence[Token]:
        """Tokens of its translation unit."""
        return self.part.unit.tokens

    @cached_property
    def parameters(self) -> list[Variable | None]:
        """Its parameters in order."""
        return parameters(self.scope)

    @cached_property
    def names(self) -> list[str]:
        """Names of the parameters, a pack's too; empty where there is none."""
        return parameter_names(self.scope)

    @property
    def variadic(self) -> bool:
        """Whether the last parameter is a pack."""
        return len(self.parameters) > 0 and self.parameters[-1] is None and bool(self.names[-1])

    @cached_property
    def calls(self) -> list[Call]:
        """Calls in its body."""
        return list(calls_in(self.tokens, self.scope.begin + 1, self.scope.end))

    @property
    def where(self) -> Token:
        """Where its body begins."""
        return self.tokens[self.scope.begin]


@dataclass
class Program:
    """All translation units of a project."""

    parts: list[Part] = field(default_factory=list)

    @cached_property
    def functions(self) -> list[Function]:
        """Every definition, once, however many units include it."""
        found: dict[tuple[str, int, tuple[str, ...]], Function] = {}
        for part in self.parts:
            for scope in part.root.walk():
                if scope.kind == "function" and scope.name:
                    function = Function(part, scope)
                    where = function.where
                    found.setdefault((where.file, where.line, scope.path), function)
        return list(found.values())

    @cached_property
    def _by_name(self) -> dict[str, list[Function]]:
        named: dict[str, list[Function]] = {}
        for function in self.functions:
            named.setdefault(function.scope.name, []).append(function)
        return named

    def named(self, name: str) -> list[Function]:
        """Definitions with this name, of any scope."""
        return self._by_name.get(name, [])

    def callees(self, call: Call) -> list[Function]:
        """The definitions that a call may mean: same name, same number of parameters, scopes as far as they are stated."""
        given = len(call.arguments)
        found = [
            f
            for f in self.named(call.path[-1])
            if (len(f.parameters) <= given + 1 if f.variadic else len(f.parameters) == given)
        ]
        stated = [f for f in found if f.scope.path[-len(call.path) :] == call.path]
        return stated or found


def calls_in(tokens: Sequence[Token], begin: int, end: int) -> Iterator[Call]:
    """Calls of functions between two token positions; calls of member functions too, by the member's name."""
    for i in range(begin, end):
        token = tokens[i]
        if token.kind != "name" or token.text in _CONTROL:
            continue
        opening = i + 1
        template: tuple[Token, ...] = ()
        if opening < end and tokens[opening].text == "<":
            template = _template(tokens, opening, end)
            opening = opening + len(template) + 2 if template else end
        if opening >= end or tokens[opening].text != "(":
            continue
        path = [token.text]
        k = i
        while k >= 2 and tokens[k - 1].text == "::" and tokens[k - 2].kind == "name":
            path.insert(0, tokens[k - 2].text)
            k -= 2
        inside = tokens[opening + 1 : matching(tokens, opening)]
        yield Call(tuple(path), template, tuple(split(inside, ",")) if inside else (), i, token)


def _template(tokens: Sequence[Token], opening: int, end: int) -> tuple[Token, ...]:
    """Tokens between the ``<`` at `opening` and its ``>``; empty if it is a comparison."""
    depth = 0
    for i in range(opening, end):
        text = tokens[i].text
        if text in (";", "{", "}", "&&", "||"):
            return ()
        depth += {"<": 1, ">": -1, ">>": -2}.get(text, 0)
        if depth <= 0:
            return tuple(tokens[opening + 1 : i])
    return ()
