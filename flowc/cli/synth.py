"""``flowc synth``: resources and clock rates measured by open tools."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from flowc.cli.options import debug_option, json_option

__all__ = ["synth"]

_SHOWN = ("lut", "ff", "bram18", "dsp")


@click.command()
@click.argument("directory", type=click.Path(path_type=Path), metavar="DIR")
@click.option("--family", metavar="NAME", help="xcup, xc7, ecp5 or ice40. [default: the target's]")
@click.option("--jobs", type=click.IntRange(1), metavar="N", help="Units at once. [default: one per processor]")
@click.option(
    "--timeout", type=click.IntRange(1), default=1800, show_default=True, metavar="S", help="Seconds per unit."
)
@click.option("--place", "size", metavar="SIZE", help="Place and route the whole design on an ECP5: 25k, 45k or 85k.")
@click.option(
    "--placements",
    type=click.IntRange(1),
    metavar="N",
    help="Of a board's design that misses its clock, side by side. [default: 4]",
)
@json_option
@debug_option
def synth(
    directory: Path,
    family: str | None,
    jobs: int | None,
    timeout: int,
    size: str | None,
    placements: int | None,
    as_json: bool,
) -> None:
    """Synthesize the design in DIR (of --backend rtl) with yosys, unit by unit; the report gets the measured figures.

    \b
    flowc build net.onnx --target ultra96 --backend rtl -o build/net
    flowc synth build/net
    flowc synth build/net --family ecp5 --place 85k
    flowc synth build/net-ulx3s-85f    # a bitstream, too
    """
    from flowc.cli import show
    from flowc.design.synthesis import synthesize_design

    with _progress() as tell:
        found = synthesize_design(
            directory, family, jobs=jobs, timeout=timeout, size=size, placements=placements, progress=tell
        )
    if as_json:
        show.as_json(found)
        return
    _table(found["synthesis"])
    if found["place"] is not None:
        _placed(found["place"])


def _table(synthesis: Mapping[str, Any]) -> None:
    from flowc.cli.tables import new_console, new_table, text

    console = new_console()
    table = new_table("unit", "kind", *(f"{key.upper()}>" for key in _SHOWN))
    units = sorted(synthesis["units"], key=lambda unit: -unit["lut"])
    for unit in [*units, {"name": "total", "unit": "", **synthesis["resources"], "model": _total(units)}]:
        table.add_row(text(unit["name"]), text(unit["unit"]), *(_both(unit, key) for key in _SHOWN))
    console.print(table)
    console.print(
        f"measured / modelled; measured by {synthesis['tool']} for {synthesis['family']}, kept in report.json",
        highlight=False,
    )


def _both(unit: Mapping[str, Any], key: str) -> str:
    from flowc.cli.tables import count

    return f"{count(unit[key])} / {count(unit['model'][key], '?')}"


def _total(units: list[Mapping[str, Any]]) -> dict[str, int | None]:
    def total(key: str) -> int | None:
        known = [unit["model"][key] for unit in units]
        return None if None in known else sum(known)

    return {key: total(key) for key in _SHOWN}


def _placed(place: Mapping[str, Any]) -> None:
    from flowc.cli.tables import new_console

    cells = ", ".join(f"{n:,} {name}" for name, n in place["cells"].items())
    rate = "no clock" if place["mhz"] is None else f"{place['mhz']:g} MHz"
    new_console().print(f"routed by {place['tool']} on {place['part']}: {rate}; {cells}", highlight=False)


@contextlib.contextmanager
def _progress() -> Iterator[Callable[[int, int, str], None] | None]:
    """A progress bar on stderr, where that is a terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("synthesizing", total=None)
        yield lambda done, count, name: bar.update(task, completed=done, total=count, description=name[:32])
