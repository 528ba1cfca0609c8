"""Reading the TOML files of users (targets, configurations) and checking them key by key.

A file's format is a tuple of `Key`; every fault of a file is reported at once, each with the exact key and what is
allowed there.
"""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from flowc.errors import FlowcError, shown, similar
from flowc.files.read import read_file

__all__ = ["Key", "count", "faults", "matching", "one_of", "parse_toml", "positive", "read_toml"]

_LARGEST_FILE = 1_000_000
_MOST = 10**15


class Key(NamedTuple):
    """One key of a file: its name, what is allowed there (in words and as a test), and whether it must be there."""

    name: str
    allowed: str
    test: Callable[[Any], bool]
    required: bool = True


def matching(pattern: str) -> Callable[[Any], bool]:
    """A test for texts that match the regular expression `pattern` from end to end."""
    return lambda value: isinstance(value, str) and re.fullmatch(pattern, value) is not None


def one_of(values: Iterable[str]) -> Callable[[Any], bool]:
    """A test for the given texts."""
    allowed = frozenset(values)
    return lambda value: isinstance(value, str) and value in allowed


def count(least: int) -> Callable[[Any], bool]:
    """A test for integers of at least `least`; what is counted here never exceeds 10^15."""
    return lambda value: isinstance(value, int) and not isinstance(value, bool) and least <= value <= _MOST


def positive(value: Any) -> bool:
    """Whether `value` is a number above 0 that a float64 holds."""
    try:
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value > 0
    except OverflowError:
        return False


def read_toml(path: Path, what: str, error: type[FlowcError]) -> bytes:
    """The bytes of a TOML file; `what` names its purpose in messages.

    Raises:
        FlowcError: of the class `error`, when it can't be read, is a directory or is larger than 1 MB.
    """
    return read_file(path, what, error, most=_LARGEST_FILE)


def parse_toml(data: bytes, what: str, error: type[FlowcError]) -> dict[str, Any]:
    """The entries of a TOML document.

    Raises:
        FlowcError: of the class `error`, when it is not UTF-8 or not TOML.
    """
    try:
        return tomllib.loads(data.decode("utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as problem:
        raise error(f"{what} is not valid TOML: {problem}") from problem


def faults(entries: Mapping[str, Any], keys: Sequence[Key]) -> list[str]:
    """Everything in `entries` that `keys` does not allow, one text per fault; empty when all is well."""
    known = {key.name: key for key in keys}
    found = []
    for key in keys:
        if key.name not in entries:
            if key.required:
                found.append(f"missing key '{key.name}' ({key.allowed})")
        elif not key.test(entries[key.name]):
            found.append(f"'{key.name}' is {shown(repr(entries[key.name]))}, must be {key.allowed}")
    for name in entries:
        if name not in known:
            close = similar(name, known)
            hint = f"did you mean '{close[0]}'" if close else "allowed are " + ", ".join(known)
            found.append(f"unknown key '{shown(name)}' ({hint})")
    return found
