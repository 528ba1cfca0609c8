"""Tables on consoles of every width, against those that rich lays out."""

from __future__ import annotations

import io

import pytest
from rich.console import Console
from rich.text import Text

from flowc.cli.tables import Columns, new_table


def shown(table: object, width: int, *, colour: bool = False) -> str:
    file = io.StringIO()
    console = Console(
        file=file, width=width, highlight=False, force_terminal=colour, color_system="standard" if colour else None
    )
    console.print(table)
    return file.getvalue()


def example() -> Columns:
    table = new_table("layer", "cycles>", "memory")
    table.add_row("conv 1", "1,024", "bram", style="bold red")
    table.add_row(Text("[bold]层"), "-", "a longer kind of memory")
    table.add_row("", "12", "-")
    return table


@pytest.mark.parametrize("width", [160, 39, 38, 20])
@pytest.mark.parametrize("colour", [False, True])
def test_lines_are_those_of_rich(width: int, colour: bool) -> None:
    found, theirs = (shown(t, width, colour=colour) for t in (example(), example()._folded()))
    plain = [Text.from_ansi(text).plain.rstrip() for text in (found, theirs)]
    assert plain[0] == plain[1]
    assert ("\x1b[1;31m" in found) == colour
    if not colour:
        assert found == theirs


def test_a_table_without_rows_is_its_titles() -> None:
    assert shown(new_table("a", "bc>"), 80) == "a  bc\n"
