"""C++ sources as tokens, as the synthesis tool sees them: ``__SYNTHESIS__`` defined, inactive branches left out.

This is a tokenizer with just enough of a preprocessor: conditionals are evaluated, quoted includes are followed, macros
are not expanded. Rows of numbers (generated weights) are reduced to their braces.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

__all__ = ["Include", "Pragma", "Token", "Unit", "tokenize", "translation_unit"]

_PREDEFINED = {"__SYNTHESIS__": "1", "__VITIS_HLS__": "1", "__cplusplus": "201402L"}

_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'", re.DOTALL)
_TOKEN = re.compile(
    r"""(?P<name>[A-Za-z_]\w*)
      | (?P<number>\.?\d(?:['.\w]|[eEpP][+-])*)
      | (?P<string>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')
      | (?P<mark>::|->|<<=|>>=|<=|>=|==|!=|&&|\|\||\+\+|--|<<|[-+*/%&|^]=|\.\.\.|[^\s\w])""",
    re.VERBOSE,
)
_DIRECTIVE = re.compile(r"\s*#\s*(\w*)\s*(.*)", re.DOTALL)
_DATA = re.compile(r"[\s0-9a-fA-FxXuUlL,{}+-]{40,};?\s*")


class Token(NamedTuple):
    """One token. ``kind`` is name, number, string or mark; ``end`` is where it ends in its line, comments taken out."""

    kind: str
    text: str
    file: str
    line: int
    end: int = 0


class Pragma(NamedTuple):
    """A ``#pragma`` line; ``before`` is the number of tokens in front of it."""

    text: str
    file: str
    line: int
    before: int


class Include(NamedTuple):
    """An ``#include``; ``found`` is whether a quoted one is there."""

    name: str
    quoted: bool
    found: bool
    file: str
    line: int


@dataclass
class Unit:
    """A translation unit: tokens of the file and of what it includes, in order; ``defined`` are those of macros.

    ``known`` names the files that an earlier unit of the project includes too: what is found in them was found there.
    """

    tokens: list[Token] = field(default_factory=list)
    pragmas: list[Pragma] = field(default_factory=list)
    includes: list[Include] = field(default_factory=list)
    macros: dict[str, str] = field(default_factory=lambda: dict(_PREDEFINED))
    defined: list[Token] = field(default_factory=list)
    files: set[Path] = field(default_factory=set)
    known: frozenset[str] = frozenset()


def tokenize(text: str, file: str = "", line: int = 1) -> Iterator[Token]:
    """Tokens of one line or snippet without comments and directives."""
    for match in _TOKEN.finditer(text):
        yield Token(match.lastgroup or "mark", match[0], file, line, match.end())


def translation_unit(path: Path, root: Path, cache: dict[Path, list[tuple[int, str]]]) -> Unit:
    """Reads the file `path` and the files it includes; names in it are relative to `root`.

    Args:
        cache: lines of the files read so far, for the next unit.
    """
    unit = Unit()
    _read(path, root, unit, cache)
    _drop_empty_macros(unit)
    return unit


def _drop_empty_macros(unit: Unit) -> None:
    """Puts empty statements in the place of macros with arguments that stand for nothing, so that positions stay."""
    tokens = unit.tokens
    empty = {name for name, value in unit.macros.items() if value == ""}
    done = 0
    for start in [i for i, token in enumerate(tokens[:-1]) if token.text in empty and tokens[i + 1].text == "("]:
        depth, i = 0, max(start, done)
        while start >= done and i < len(tokens):
            depth += {"(": 1, ")": -1}.get(tokens[i].text, 0)
            last = tokens[i].text == ")" and depth == 0
            tokens[i] = tokens[i]._replace(kind="mark", text=";")
            i += 1
            if last:
                break
        done = max(done, i)


def _lines(path: Path, cache: dict[Path, list[tuple[int, str]]]) -> list[tuple[int, str]]:
    """(number, text) of the lines that hold something, comments removed, continued lines joined."""
    if path not in cache:
        text = _COMMENT.sub(_blanked, path.read_text(encoding="utf-8", errors="replace"))
        numbered, held, start = [], "", 0
        for number, line in enumerate(text.split("\n"), 1):
            start = start if held else number
            if line.endswith("\\"):
                held += line[:-1] + " "
                continue
            if (held + line).strip():
                numbered.append((start, held + line))
            held = ""
        cache[path] = numbered
    return cache[path]


def _blanked(match: re.Match[str]) -> str:
    """A comment as white space with the same line breaks; a literal as it is."""
    return match[0] if match[0][0] in "\"'" else "\n" * match[0].count("\n") or " "


@functools.lru_cache(maxsize=1 << 16)
def _parsed(line: str, file: str, number: int) -> tuple[tuple[str, str] | None, tuple[Token, ...]]:
    """A line: word and rest of a directive, or its tokens. Every unit that includes a header asks for the same lines."""
    directive = _DIRECTIVE.fullmatch(line)
    if directive is not None:
        return (directive[1], directive[2].strip()), ()
    kept = re.sub(r"[^{};]", " ", line) if _DATA.fullmatch(line) else line
    return None, tuple(tokenize(kept, file, number))


def _read(path: Path, root: Path, unit: Unit, cache: dict[Path, list[tuple[int, str]]]) -> None:
    unit.files.add(path)
    file = path.relative_to(root).as_posix()
    # Per open #if: whether this branch is active, and whether any branch may still become so.
    active, waiting = [True], [False]
    for number, line in _lines(path, cache):
        directive, tokens = _parsed(line, file, number)
        if directive is None:
            if active[-1]:
                unit.tokens.extend(tokens)
            continue
        word, rest = directive
        if word in ("if", "ifdef", "ifndef"):
            holds = active[-1] and _holds(word, rest, unit.macros)
            waiting.append(active[-1] and not holds)
            active.append(holds)
        elif word in ("elif", "else") and len(active) > 1:
            active[-1] = waiting[-1] and (word == "else" or _holds("if", rest, unit.macros))
            waiting[-1] = waiting[-1] and not active[-1]
        elif word == "endif" and len(active) > 1:
            active.pop()
            waiting.pop()
        elif active[-1]:
            _directive(word, rest, path, root, number, unit, cache)


def _directive(
    word: str, rest: str, path: Path, root: Path, number: int, unit: Unit, cache: dict[Path, list[tuple[int, str]]]
) -> None:
    file = path.relative_to(root).as_posix()
    if word == "define":
        match = re.match(r"(\w+)(\([^)]*\))?\s*(.*)", rest, re.DOTALL)
        if match is not None:
            unit.macros[match[1]] = match[3].strip()
            unit.defined.extend(tokenize(match[3], file, number))
    elif word == "undef":
        unit.macros.pop(rest.strip(), None)
    elif word == "pragma":
        unit.pragmas.append(Pragma(rest, file, number, len(unit.tokens)))
    elif word == "include":
        name = rest[1:].rstrip('>" \t')
        quoted = rest.startswith('"')
        target = (path.parent / name).resolve()
        found = quoted and target.is_file() and target.is_relative_to(root)
        unit.includes.append(Include(name, quoted, found, file, number))
        if found and target not in unit.files:
            _read(target, root, unit, cache)


def _holds(word: str, rest: str, macros: dict[str, str]) -> bool:
    """Whether the condition of #if, #ifdef or #ifndef holds."""
    if word != "if":
        return (rest.split()[0] in macros if rest.split() else False) == (word == "ifdef")
    text = re.sub(r"__has_include\s*\([^)]*\)", "1", rest)
    text = re.sub(r"defined\s*(?:\(\s*(\w+)\s*\)|(\w+))", lambda m: str(int((m[1] or m[2]) in macros)), text)
    words: list[str] = []
    for token in tokenize(text):
        if token.kind == "name":
            words.append(re.sub(r"\D.*", "", macros.get(token.text, "0")) or "0")
        elif token.kind == "number":
            words.append(re.sub(r"[uUlL]+$", "", token.text))
        else:
            words.append({"&&": " and ", "||": " or ", "!": " not "}.get(token.text, token.text))
    return bool(_condition(words))


def _condition(words: list[str]) -> int:
    """Evaluates an integer condition: ``or``, ``and``, ``not``, comparisons, parentheses."""
    position = 0

    def peek() -> str:
        return words[position].strip() if position < len(words) else ""

    def take() -> str:
        nonlocal position
        position += 1
        return words[position - 1].strip()

    def either() -> int:
        value = both()
        while peek() == "or":
            take()
            other = both()
            value = int(bool(value) or bool(other))
        return value

    def both() -> int:
        value = compared()
        while peek() == "and":
            take()
            other = compared()
            value = int(bool(value) and bool(other))
        return value

    def compared() -> int:
        value = single()
        while peek() in ("==", "!=", "<", "<=", ">", ">="):
            mark, other = take(), single()
            value = int(
                {"==": value == other, "!=": value != other, "<": value < other, "<=": value <= other}.get(
                    mark, value > other if mark == ">" else value >= other
                )
            )
        return value

    def single() -> int:
        if peek() == "not":
            take()
            return int(not single())
        if peek() == "(":
            take()
            value = either()
            if peek() == ")":
                take()
            return value
        return int(take(), 0) if re.fullmatch(r"0[xX][0-9a-fA-F]+|\d+", peek()) else 0

    return either()
