"""What every table that flowc prints is made with: columns, counts, shares, text that is never markup."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from flowc.errors import shown

__all__ = [
    "RESOURCES",
    "UNKNOWN",
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


def new_console() -> Console:
    """Tables as wide as the terminal, and wide enough not to be cut where there is none."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=_WIDE)


def roomy(console: Console) -> bool:
    """Whether there is room for every column."""
    return console.width >= _ROOMY


def new_table(*titles: str) -> Table:
    """A table with these columns; a title that ends in '>' is aligned to the right."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in titles:
        table.add_column(title.rstrip(">"), justify="right" if title.endswith(">") else "left", overflow="fold")
    return table


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
