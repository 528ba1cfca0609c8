"""``flowc explore``: a model over boards and frame rates."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from flowc.cli.options import (
    backend_option,
    clock_option,
    complete_target,
    debug_option,
    folding_option,
    input_type_option,
    model_argument,
    utilization_option,
)
from flowc.errors import UsageError, counted, shown

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from flowc.exploration.sweep import Sweep

__all__ = ["explore"]

_PATH = click.Path(path_type=Path)
_STDOUT = Path("-")
_CHART_WIDTH, _CHART_HEIGHT = 110, 24


def _range(context: click.Context, parameter: click.Parameter, value: str | None) -> tuple[float, float, int] | None:
    """LOW:HIGH[:COUNT]."""
    if value is None:
        return None
    from flowc.exploration.points import rates
    from flowc.exploration.sweep import COUNT

    parts = value.split(":")
    try:
        low, high = (float(part) for part in parts[:2])
        (count,) = [int(part) for part in parts[2:]] or [COUNT]
        rates(low, high, count)
    except UsageError as error:
        raise click.BadParameter(error.message + ".", context, parameter) from None
    except (ValueError, OverflowError):
        message = f"'{shown(value)}' is not LOW:HIGH or LOW:HIGH:COUNT, such as 100:10000:12."
        raise click.BadParameter(message, context, parameter) from None
    return low, high, count


@click.command()
@model_argument
@click.option(
    "--targets",
    required=True,
    metavar="A,B,...",
    shell_complete=complete_target,
    help="Boards (see 'flowc targets'), or TOML files.",
)
@click.option(
    "--fps-range",
    metavar="LOW:HIGH[:N]",
    callback=_range,
    help="Frame rates, evenly on a logarithmic scale. [default: 12 that fit]",
)
@clock_option
@click.option(
    "--execution",
    type=click.Choice(("auto", "dataflow", "loopback")),
    metavar="STYLE",
    default="dataflow",
    show_default=True,
    help="dataflow, loopback, or auto: both in one front.",
)
@input_type_option
@folding_option
@utilization_option
@backend_option
@click.option("--workers", type=click.IntRange(1), metavar="N", help="Processes. [default: one per core]")
@click.option("--dask", metavar="ADDRESS", help="Compute on the Dask cluster of this scheduler.")
@click.option("--csv", "csv_file", type=_PATH, metavar="FILE", help="Write all points.")
@click.option(
    "--json", "json_file", type=_PATH, metavar="FILE", help="Write all points; '-': to stdout, and nothing else."
)
@click.option("--plot", type=_PATH, metavar="FILE", help="Draw to .svg, .png or .pdf; '-': in the terminal.")
@debug_option
def explore(
    model: Path,
    targets: str,
    fps_range: tuple[float, float, int] | None,
    workers: int | None,
    dask: str | None,
    csv_file: Path | None,
    json_file: Path | None,
    plot: Path | None,
    **given: Any,
) -> None:
    """Say what MODEL costs at several frame rates on several boards.

    \b
    flowc explore net.onnx --targets ultra96,zcu104
    flowc explore net.onnx --targets zcu104 --fps-range 100:20000:16 --plot sweep.svg
    """
    from flowc.exploration import sweep
    from flowc.files.write import check_writable, write_files

    if workers is not None and dask is not None:
        raise UsageError(
            "--workers is for processes of this machine, --dask for a cluster", remedy="Use one or the other"
        )
    if json_file == _STDOUT and plot == _STDOUT:
        raise UsageError("--json - and --plot - both write to stdout", remedy="Use one or the other")
    check_writable(path for path in (csv_file, json_file, plot) if path not in (None, _STDOUT) and path is not None)
    kind = _check_plot(plot)
    low, high, count = fps_range if fps_range is not None else (None, None, sweep.COUNT)
    with _executor(dask) as executor, _progress() as tell:
        found = sweep.explore(
            model,
            targets.split(","),
            fps_range=None if low is None or high is None else (low, high),
            count=count,
            clock_mhz=given["clock"],
            input_type=given["input_type"],
            folding=given["folding"],
            utilization=given["utilization"],
            execution=given["execution"],
            backend=given["backend"],
            workers=workers,
            executor=executor,
            progress=tell,
        )
    contents: dict[Path, bytes] = {}
    if csv_file is not None:
        contents[csv_file] = found.csv().encode()
    if json_file is not None and json_file != _STDOUT:
        contents[json_file] = found.json().encode()
    if plot is not None and kind is not None:
        contents[plot] = found.plot(kind)
    write_files(contents)
    if json_file == _STDOUT:
        click.echo(found.json(), nl=False)
        return
    _show(found, chart=plot == _STDOUT)
    for path in contents:
        click.echo(f"written to {path}")


def _check_plot(plot: Path | None) -> str | None:
    """The kind of picture; None without a picture file. Raises UsageError before work is done that can't be shown."""
    from flowc.exploration.plots import KINDS, check_installed

    if plot is None:
        return None
    if plot == _STDOUT:
        check_installed("plotille")
        return None
    kind = plot.suffix.removeprefix(".").lower()
    if kind not in KINDS:
        raise UsageError(
            f"'{shown(str(plot))}': a plot ends in {', '.join('.' + k for k in KINDS)}; '-' is the terminal",
            remedy="Name a file that ends in one of these",
        )
    check_installed("matplotlib")
    return kind


@contextlib.contextmanager
def _executor(dask: str | None) -> Iterator[Executor | None]:
    if dask is None:
        yield None
        return
    from flowc.exploration.executors import dask_executor

    with dask_executor(dask) as executor:
        yield executor


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
        task = bar.add_task("import", total=None)
        yield lambda stage, done, total: bar.update(task, description=stage, completed=done, total=total or None)


def _show(found: Sweep, chart: bool) -> None:
    """The front of each board, what could not be reached, and a plot."""
    from flowc.cli.tables import RESOURCES, count, figure, new_console, new_table, text
    from flowc.exploration.plots import installed, tightest

    console = new_console()
    front = found.front
    for target in found.targets:
        mine = [point for point in front if point.target == target.name]
        points = [point for point in found.points if point.target == target.name]
        clock = f" at {points[0].clock_mhz:g} MHz" if points else ""
        console.print(text(f"{found.model} on {target.name}{clock}"), style="bold")
        columns = [(key, name) for key, name in RESOURCES if target.available[key]]
        style = ["style"] if any(p.execution != "dataflow" for p in mine) else []
        table = new_table(*style, "fps>", "latency ms>", *(f"{name}>" for _, name in columns), "fullest>", "bottleneck")
        for point in mine:
            share, name = tightest(point, target.available)
            table.add_row(
                *([point.execution] if style else []),
                figure(point.fps),
                figure(point.latency_ms),
                *(count(getattr(point, key)) for key, _ in columns),
                f"{share:.0%} {name}",
                text(point.bottleneck or "-"),
            )
        if mine:
            console.print(table)
        failed = [point for point in points if point.error is not None]
        if failed:
            what = f"{len(failed)} of {counted(len(points), 'rate')} can't be reached"
            console.print(text(f"{what}: {failed[0].error}", limit=2000))
        console.print()
    if chart or (console.is_terminal and installed("plotille")):
        width = console.width if console.is_terminal else _CHART_WIDTH
        click.echo(found.chart(width, _CHART_HEIGHT, color=console.color_system is not None and not console.no_color))
