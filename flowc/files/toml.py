"""Reading the TOML files of users (targets, configurations) and checking them key by key.

A file's format is a tuple of `Key`; every fault of a file is reported at once, each with the exact key and what is
allowed there.
"""

from __future__ import annotations

import difflib
import math
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flowc.errors import FlowcError, shown

__all__ = ["Key", "count", "faults", "matching", "one_of", "parse_toml", "positive", "read_file"]

_LARGEST_FILE = 1_000_000


@dataclass(frozen=True)
class Key:
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
    """A test for integers of at least `least`."""
    return lambda value: isinstance(value, int) and not isinstance(value, bool) and value >= least


def positive(value: Any) -> bool:
    """Whether `value` is a finite number above 0."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value > 0


def read_file(path: Path, what: str, error: type[FlowcError]) -> bytes:
    """The bytes of a small file; `what` names its purpose in messages.

    Raises:
        FlowcError: of the class `error`, when it can't be read, is a directory or is larger than 1 MB.
    """
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST_FILE + 1)
    except IsADirectoryError as problem:
        raise error(f"{what} '{shown(str(path))}' is a directory") from problem
    except OSError as problem:
        reason = problem.strerror or type(problem).__name__
        raise error(f"cannot read the {what} '{shown(str(path))}': {reason}") from problem
    except ValueError as problem:  # a null byte in the path
        raise error(f"cannot read the {what} '{shown(str(path))}': {problem}") from problem
    if len(data) > _LARGEST_FILE:
        raise error(f"{what} '{shown(str(path))}' is larger than 1 MB")
    return data


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
            close = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean '{close[0]}'" if close else "allowed are " + ", ".join(known)
            found.append(f"unknown key '{shown(name)}' ({hint})")
    return found
