"""What every table that flowc prints is made with: columns, counts, shares, text that is never markup."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from flowc.errors import shown

__all__ = [
    "RESOURCES",
    "UNKNOWN",
    "Columns",
    "count",
    "figure",
    "new_console",
    "new_table",
    "pairs",
    "percent",
    "roomy",
    "share",
    "text",
]

UNKNOWN = "unknown"
RESOURCES = (("lut", "LUT"), ("ff", "FF"), ("bram18", "BRAM18"), ("uram", "URAM"), ("dsp", "DSP"))
"""Resources as reports and tables name them."""

_WIDE = 160
_ROOMY = 118
"""Columns from which on tables show everything; below they fit 80."""
_LONGEST_LINE = 2000
_GAP = "  "


def new_console() -> Console:
    """Tables as wide as the terminal, and wide enough not to be cut where there is none."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=_WIDE)


def roomy(console: Console) -> bool:
    """Whether there is room for every column."""
    return console.width >= _ROOMY


class Columns:
    """A table for the console. One that fits its width is laid out here, line by line: rich takes ten times as long, cell by cell."""

    def __init__(self, titles: Sequence[str]) -> None:
        self._titles = [title.rstrip(">") for title in titles]
        self._right = [title.endswith(">") for title in titles]
        self._rows: list[tuple[list[Text], str]] = []

    def add_row(self, *cells: str | Text, style: str | None = None) -> None:
        """Adds a row, a cell for each column; ``style`` is one of rich's."""
        row = [cell if isinstance(cell, Text) else Text(cell) for cell in cells]
        self._rows.append((row, style or ""))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        lines = [(self._titles, "bold"), *(([cell.plain for cell in row], style) for row, style in self._rows)]
        widths = [max(map(cell_len, column)) for column in zip(*(cells for cells, _ in lines), strict=True)]
        whole = sum(widths) + len(_GAP) * (len(widths) - 1) <= options.max_width
        if not whole or any("\n" in cell for cells, _ in lines for cell in cells):
            yield self._folded()
            return
        for cells, style in lines:
            padded = [
                " " * (width - cell_len(cell)) + cell if right else cell + " " * (width - cell_len(cell))
                for cell, width, right in zip(cells, widths, self._right, strict=True)
            ]
            yield Segment(_GAP.join(padded), console.get_style(style))
            yield Segment.line()

    def _folded(self) -> Table:
        """The table for a narrow console: long cells go on in the next line."""
        table = Table(box=None, pad_edge=False, header_style="bold")
        for title, right in zip(self._titles, self._right, strict=True):
            table.add_column(title, justify="right" if right else "left", overflow="fold")
        for row, style in self._rows:
            table.add_row(*row, style=style or None)
        return table


def new_table(*titles: str) -> Columns:
    """A table with these columns; a title that ends in '>' is aligned to the right."""
    return Columns(titles)


def pairs(console: Console, lines: Iterable[tuple[str, str]]) -> None:
    """Print lines of a bold title and a text."""
    grid = Table.grid(padding=(0, 2))
    for title, value in lines:
        grid.add_row(Text(title, style="bold"), text(value, _LONGEST_LINE))
    console.print(grid)


def text(value: Any, limit: int = 120) -> Text:
    """Anything as text without markup or control characters, cut at ``limit``."""
    return Text(shown(str(value), limit))


def figure(value: float | None) -> str:
    """A figure with four significant digits."""
    if value is None:
        return UNKNOWN
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def count(value: int | None, unknown: str = UNKNOWN) -> str:
    """An integer with its thousands separated."""
    return unknown if value is None else f"{value:,}"


def percent(value: float | None) -> str:
    """A fraction as a percentage with three digits."""
    return UNKNOWN if value is None else f"{100 * value:.3g}%"


def share(used: int | None, available: int | None) -> str:
    """What is used of what there is, as a percentage; a dash where there is nothing."""
    return UNKNOWN if used is None or available is None else f"{100 * used / available:.0f}%" if available else "-"
