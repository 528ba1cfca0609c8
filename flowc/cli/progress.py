"""What is being done, shown on stderr: a line that changes on a terminal, a line per stage with ``--verbose``, else nothing.

The line names the stage, then samples done and their rate, then the layer, pass or file in hand (`flowc.progress`).
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator

import click

from flowc.cli.options import session
from flowc.errors import shown
from flowc.progress import listening

__all__ = ["Teller", "progress"]


class Teller:
    """Called with every stage as it begins."""

    def __call__(self, stage: str) -> None:
        """A stage begins."""

    def at(self, what: str) -> None:
        """What of the stage is being worked on: a layer, a pass, a file."""

    def done(self, samples: int, count: int) -> None:
        """So many of ``count`` samples of the stage are through."""


_LONGEST = 60


@contextlib.contextmanager
def progress() -> Iterator[Teller]:
    """A `Teller` that shows what it is told where that is wanted."""
    if session().verbose:
        timed = _Timed()
        yield timed
        timed.end()
    elif session().quiet or sys.stderr is None or not sys.stderr.isatty():
        yield Teller()
    else:
        with _live() as teller:
            yield teller


class _Timed(Teller):
    """Names every stage when it ends, with the seconds that it took."""

    def __init__(self) -> None:
        self._running: tuple[str, float] | None = None

    def __call__(self, stage: str) -> None:
        self.end()
        self._running = (stage, time.perf_counter())

    def end(self) -> None:
        if self._running is not None:
            stage, start = self._running
            self._running = None
            click.echo(f"flowc: {stage}: {time.perf_counter() - start:.2f} s", err=True)


class _Live(Teller):
    """One line of all that it is told: ``verify: 2 of 4 samples, 31/s: conv3``."""

    def __init__(self, show: Callable[[str], None]) -> None:
        self._show = show
        self("starting")

    def __call__(self, stage: str) -> None:
        self._stage, self._samples, self._what, self._start = stage, "", "", time.perf_counter()
        self._tell()

    def at(self, what: str) -> None:
        self._what = shown(what, _LONGEST)
        self._tell()

    def done(self, samples: int, count: int) -> None:
        seconds = time.perf_counter() - self._start
        rate = samples / seconds if seconds > 0 else 0.0
        told = f", {rate:,.0f}/s" if rate >= 10 else f", {rate:.2g}/s" if rate else ""
        self._samples = f"{samples:,} of {count:,} samples{told}"
        self._tell()

    def _tell(self) -> None:
        self._show(": ".join(part for part in (self._stage, self._samples, self._what) if part))


@contextlib.contextmanager
def _live() -> Iterator[Teller]:
    """A line that changes, with the seconds so far."""
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
    from rich.table import Column

    text = TextColumn("{task.description}", table_column=Column(no_wrap=True, overflow="ellipsis"))
    with Progress(SpinnerColumn(), TimeElapsedColumn(), text, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None)
        teller = _Live(lambda line: bar.update(task, description=escape(line)))
        with listening(teller):
            yield teller
