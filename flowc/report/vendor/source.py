"""A report file as text that is believed nothing: what is wrong with it is said with its name, and what to do."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from flowc.errors import UsageError, shown
from flowc.files.read import read_file

__all__ = ["LONGEST_PATH", "RESOURCES", "Counts", "Source", "Table"]

RESOURCES = ("lut", "ff", "bram18", "uram", "dsp")
Counts = dict[str, int | None]
"""Resource to how many of it; None where the report does not say."""

_LARGEST = 200_000_000
_UNKNOWN = frozenset({"", "-", "?", "undef", "N/A", "NA", "n/a", "inf"})
_COUNT = re.compile(r"([0-9][0-9,]{0,14})(?:\s*\(~?[0-9.]+%?\))?")
_BORDER = re.compile(r"\+[-+]*\+")
LONGEST_PATH = 4096
"""Characters of a path that messages show: its end says which report it is."""

_AGAIN = "Run the step that writes it again, or remove it"


@dataclass(frozen=True)
class Table:
    """A table in a frame of ``+---+``.

    Attributes:
        titles: of the columns; titles of several lines are joined by spaces.
        rows: cells, with the spaces that show levels of a hierarchy in front of the first.
    """

    titles: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Source:
    """A report file.

    Attributes:
        path: where it lies.
        text: its content.
        data: the bytes.
    """

    path: Path
    text: str
    data: bytes = field(repr=False)

    @classmethod
    def read(cls, path: Path) -> Source:
        """Raises UsageError where the file can't be read or is no text."""
        data = read_file(path, "report", UsageError, most=_LARGEST)
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise UsageError(f"report '{shown(str(path), LONGEST_PATH)}' is no text", remedy=_AGAIN) from error
        return cls(path, text, data)

    def wrong(self, message: str) -> NoReturn:
        """Raises the error that says what is wrong with the file."""
        raise UsageError(f"report '{shown(str(self.path), LONGEST_PATH)}' {message}", remedy=_AGAIN)

    def count(self, text: str, what: str) -> int | None:
        """A count: ``1234``, ``1,234`` or ``1234 (5%)``; None for the signs of an unknown one."""
        if text.strip() in _UNKNOWN:
            return None
        found = _COUNT.fullmatch(text.strip())
        if found is None:
            self.wrong(f"says '{shown(text, 40)}' where {what} is to stand")
        return int(found[1].replace(",", ""))

    def number(self, text: str, what: str) -> float | None:
        """A number, such as nanoseconds; None for the signs of an unknown one."""
        if text.strip() in _UNKNOWN:
            return None
        try:
            value = float(text) if len(text) < 40 else math.nan
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            self.wrong(f"says '{shown(text, 40)}' where {what} is to stand")
        return value

    def tables(self) -> Iterator[Table]:
        """The framed tables in order; one that the end of the file, or other text, cuts off is an error."""
        lines = iter(self.text.splitlines())
        for line in lines:
            if _BORDER.fullmatch(line.strip()):
                titles = _titles(self._lines(lines))
                yield Table(titles, tuple(self._rows(lines, len(titles))))

    def _lines(self, lines: Iterator[str]) -> list[list[str]]:
        """The rows up to the next border."""
        rows = []
        for line in lines:
            text = line.strip()
            if _BORDER.fullmatch(text):
                break
            if not (text.startswith("|") and text.endswith("|") and len(text) > 1):
                self.wrong("ends within a table: it is cut off")
            rows.append(text[1:-1].split("|"))
        else:
            self.wrong("ends within a table: it is cut off")
        return rows

    def _rows(self, lines: Iterator[str], width: int) -> Iterator[tuple[str, ...]]:
        for row in self._lines(lines):
            if len(row) != width:
                self.wrong("holds a table whose rows have other columns than its titles")
            yield tuple(row)


def _titles(rows: list[list[str]]) -> tuple[str, ...]:
    return tuple(" ".join(" ".join(parts).split()) for parts in zip(*rows, strict=False))
