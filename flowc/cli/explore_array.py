"""``flowc explore-array``: networks over heights, widths and dataflows of a processor array."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from flowc.cli.options import debug_option
from flowc.errors import UsageError, shown

if TYPE_CHECKING:
    from flowc.arrays import ArraySweep

__all__ = ["explore_array"]

_PATH = click.Path(path_type=Path)
_STDOUT = Path("-")
_MOST_VALUES = 4096
_DATAFLOWS = "ws,os,is,rs,nlr"


def _sides(context: click.Context, parameter: click.Parameter, value: str | None) -> list[int] | None:
    """16,32,64 or LOW:HIGH:STEP."""
    if value is None:
        return None
    try:
        if ":" in value:
            low, high, step = (int(part) for part in value.split(":"))
            if step < 1 or (high - low) // step >= _MOST_VALUES:
                raise ValueError
            return list(range(low, high + 1, step))
        return [int(part) for part in value.split(",")]
    except ValueError:
        message = f"'{shown(value)}' is not a list such as 16,32,64 or a range such as 16:256:16 (low, high, step)."
        raise click.BadParameter(message, context, parameter) from None


def _array(context: click.Context, parameter: click.Parameter, value: str | None) -> tuple[str, int, int] | None:
    """DATAFLOW:HEIGHTxWIDTH."""
    if value is None:
        return None
    try:
        dataflow, _, size = value.rpartition(":")
        height, width = (int(part) for part in size.lower().split("x"))
    except ValueError:
        message = f"'{shown(value)}' is not an array such as 128x128 or ws:128x128."
        raise click.BadParameter(message, context, parameter) from None
    return dataflow, height, width


def _costs(context: click.Context, parameter: click.Parameter, value: str | None) -> dict[str, float]:
    """register=1,neighbour=2,..."""
    if value is None:
        return {}
    try:
        pairs = [part.split("=") for part in value.split(",")]
        return {name.strip(): float(number) for name, number in pairs}
    except ValueError:
        message = f"'{shown(value)}' is not a list such as buffer=6,dram=200."
        raise click.BadParameter(message, context, parameter) from None


def _shapes(context: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> dict[str, list[int]]:
    """NAME=1,3,224,224."""
    found = {}
    for value in values:
        name, equals, sizes = value.rpartition("=")
        try:
            if not equals or not name:
                raise ValueError
            found[name] = [int(size) for size in sizes.split(",")]
        except ValueError:
            message = f"'{shown(value)}' is not an input and its shape, such as x=1,3,224,224."
            raise click.BadParameter(message, context, parameter) from None
    return found


@click.command(name="explore-array")
@click.argument("networks", metavar="MODEL|SHAPES...", nargs=-1, required=True)
@click.option("--pes", type=int, metavar="N", help="Processing elements of every array. [default: 16384]")
@click.option(
    "--heights", callback=_sides, metavar="RANGE", help="A,B,... or LOW:HIGH:STEP. [default: divisors of --pes]"
)
@click.option("--widths", callback=_sides, metavar="RANGE", help="The same of widths; with --heights, a grid.")
@click.option("--dataflow", default=_DATAFLOWS, show_default=True, metavar="A,B,...", help="Dataflows.")
@click.option("--batch", type=int, default=1, show_default=True, metavar="N", help="Images that share weights.")
@click.option(
    "--idle", type=click.Choice(["toggle", "gated"]), default="toggle", show_default=True,
    metavar="HOW", help="Cells without data toggle, or are gated.",
)  # fmt: skip
@click.option(
    "--loads", type=click.Choice(["published", "overlapped", "rows", "exposed"]), default="published", show_default=True,
    metavar="HOW", help="How operands follow: published, overlapped, rows, exposed.",
)  # fmt: skip
@click.option("--accumulators", type=int, default=4096, show_default=True, metavar="N", help="Depth below a column.")
@click.option("--buffer", type=int, default=25_165_824, show_default=True, metavar="WORDS", help="The unified buffer.")
@click.option(
    "--costs", callback=_costs, metavar="NAME=X,...", help="Energies per word: register, neighbour, buffer, dram."
)
@click.option(
    "--input-shape", "input_shapes", multiple=True, callback=_shapes, metavar="NAME=1,3,...",
    help="Shape of an input that a model leaves open.",
)  # fmt: skip
@click.option(
    "--layers", callback=_array, metavar="[FLOW:]HxW",
    help="Array whose layers are shown. [default: the best]",
)  # fmt: skip
@click.option("--workers", type=click.IntRange(1), metavar="N", help="Processes. [default: one per core]")
@click.option(
    "--csv", "csv_file", type=_PATH, is_flag=False, flag_value="-", metavar="[FILE]",
    help="Write all points; no file, or '-': to stdout alone.",
)  # fmt: skip
@click.option(
    "--json", "json_file", type=_PATH, is_flag=False, flag_value="-", metavar="[FILE]",
    help="Write all points; no file, or '-': to stdout alone.",
)  # fmt: skip
@click.option("--layers-csv", type=_PATH, metavar="FILE", help="Write every layer on the array of --layers.")
@click.option("--plot", type=_PATH, metavar="FILE.svg", help="Draw a heat map.")
@click.option(
    "--metric", default="energy", show_default=True, metavar="NAME",
    help="What the heat map shows: any column of the points.",
)  # fmt: skip
@debug_option
def explore_array(
    networks: tuple[str, ...],
    pes: int | None,
    heights: list[int] | None,
    widths: list[int] | None,
    dataflow: str,
    batch: int,
    idle: str,
    loads: str,
    accumulators: int,
    buffer: int,
    costs: dict[str, float],
    input_shapes: dict[str, list[int]],
    layers: tuple[str, int, int] | None,
    workers: int | None,
    csv_file: Path | None,
    json_file: Path | None,
    layers_csv: Path | None,
    plot: Path | None,
    metric: str,
) -> None:
    """Say which height, width and dataflow an array should have for networks.

    Each is an ONNX model (quantized or not), a CSV table of shapes, or a shipped one: alexnet, vgg16, resnet50, ...

    \b
    flowc explore-array resnet50 --pes 16384 --dataflow ws
    flowc explore-array net.onnx --heights 16:256:16 --widths 16:256:16 --plot heat.svg
    """
    from flowc.arrays import Setup
    from flowc.arrays import explore_array as explore
    from flowc.cli.explore_array_tables import show
    from flowc.files.write import check_writable, write_files

    outputs = [path for path in (csv_file, json_file, layers_csv, plot) if path is not None]
    if sum(path == _STDOUT for path in outputs) > 1:
        raise UsageError("only one of the outputs can go to stdout ('-')", remedy="Name a file for the others")
    if layers_csv == _STDOUT or plot == _STDOUT:
        raise UsageError("--layers-csv and --plot write files; '-' is for --json and --csv", remedy="Name a file")
    if plot is not None and plot.suffix.lower() != ".svg":
        raise UsageError(f"'{shown(str(plot))}': a heat map ends in .svg", remedy="Name a file that ends in .svg")
    check_writable(path for path in outputs if path != _STDOUT)
    setup = Setup(batch=batch, idle=idle, loads=loads, accumulators=accumulators, buffer=buffer, costs=costs)
    _check_metric(metric)
    with _progress() as tell:
        found = explore(
            list(networks),
            pes=pes,
            heights=heights,
            widths=widths,
            dataflows=[name.strip() for name in dataflow.split(",")],
            setup=setup,
            input_shapes=input_shapes,
            workers=workers,
            progress=tell,
        )
    chosen = _chosen_arrays(found, layers)
    contents: dict[Path, bytes] = {}
    if csv_file is not None and csv_file != _STDOUT:
        contents[csv_file] = found.csv().encode()
    if json_file is not None and json_file != _STDOUT:
        contents[json_file] = found.json().encode()
    if layers_csv is not None:
        contents[layers_csv] = found.layers_csv(chosen).encode()
    if plot is not None:
        contents[plot] = found.plot(metric).encode()
    write_files(contents)
    if _STDOUT in (csv_file, json_file):
        click.echo(found.csv() if csv_file == _STDOUT else found.json(), nl=False)
        return
    show(found, chosen)
    for path in contents:
        click.echo(f"written to {path}")


def _check_metric(metric: str) -> None:
    from flowc.arrays.points import METRICS

    if metric not in (*METRICS, "utilization"):
        raise UsageError(f"there is no metric '{shown(metric)}'", remedy=f"Known are {', '.join(METRICS)}, utilization")


def _chosen_arrays(found: ArraySweep, wanted: tuple[str, int, int] | None) -> dict[str, tuple[str, int, int]]:
    """The array of each network whose layers are shown."""
    chosen = {}
    for network in found.networks:
        if wanted is None:
            point = found.best(network.name)
            chosen[network.name] = (point.dataflow, point.height, point.width)
        else:
            chosen[network.name] = (wanted[0] or found.dataflows[0], wanted[1], wanted[2])
        found.layers(network.name, *chosen[network.name])
    return chosen


@contextlib.contextmanager
def _progress() -> Iterator[Callable[[str, int, int], None] | None]:
    """A progress bar on stderr, where that is a terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("read", total=None)
        yield lambda stage, done, total: bar.update(task, description=stage, completed=done, total=total or None)
