"""What is being done, shown on stderr: a line that changes on a terminal, a line per stage with ``--verbose``, else nothing."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator

import click

from flowc.cli.options import session

__all__ = ["Teller", "progress"]


class Teller:
    """Called with every stage as it begins; `detail` adds how far it is."""

    def __call__(self, stage: str) -> None:
        """A stage begins."""

    def detail(self, text: str) -> None:
        """How far it is, for instance ``40 of 1,000 samples``."""

    def samples(self, verb: str) -> Callable[[int, int], None]:
        """A function that is told how many of how many samples are done, and adds the rate."""
        start = time.perf_counter()

        def tell(done: int, count: int) -> None:
            seconds = time.perf_counter() - start
            rate = f", {done / seconds:,.0f}/s" if done and seconds > 0 else ""
            self.detail(f"{verb} {done:,} of {count:,} samples{rate}")

        return tell


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


@contextlib.contextmanager
def _live() -> Iterator[Teller]:
    """A line with the stage, how far it is, and the seconds so far."""
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("starting", total=None)

        class Live(Teller):
            stage = ""

            def __call__(self, stage: str) -> None:
                self.stage = stage
                bar.update(task, description=escape(stage))

            def detail(self, text: str) -> None:
                bar.update(task, description=escape(f"{self.stage}: {text}"))

        yield Live()
