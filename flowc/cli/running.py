"""``flowc run`` and ``flowc verify`` over data sets of any size: chunk by chunk, with a progress bar and an accuracy."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flowc.cli.options import session
from flowc.design.design import Design
from flowc.errors import UsageError
from flowc.files.dataset import Gathered, open_dataset, read_labels
from flowc.files.write import check_writable

__all__ = ["Accuracy", "Ran", "run_dataset", "verify_dataset"]

Array = NDArray[Any]

_SEVERAL = 5


@dataclass
class Accuracy:
    """Samples whose label is the greatest score, and among the five greatest."""

    samples: int = 0
    first: int = 0
    among: int | None = 0

    def count(self, scores: Array, labels: Array) -> None:
        """Counts a chunk: scores (N, classes), or classes (N,).

        Raises:
            UsageError: the output is neither.
        """
        scores = scores.reshape(len(scores), -1)
        self.samples += len(labels)
        if scores.shape[1] == 1 and scores.dtype.kind in "iu":
            self.first += int((scores[:, 0] == labels).sum())
            self.among = None
            return
        if scores.shape[1] == 1:
            raise UsageError(
                "the model's first output is one number per sample, from which no class can be told",
                remedy="Leave out --labels, or take a model that ends in a score per class",
            )
        self.first += int((scores.argmax(1) == labels).sum())
        if self.among is not None and scores.shape[1] > _SEVERAL:
            best = np.argpartition(-scores.astype(np.float64), _SEVERAL - 1, axis=1)[:, :_SEVERAL]
            self.among += int((best == labels[:, None]).any(1).sum())
        else:
            self.among = None

    def __str__(self) -> str:
        told = f"top-1 {100 * self.first / self.samples:.2f}%"
        return told if self.among is None else f"{told}, top-5 {100 * self.among / self.samples:.2f}%"


@dataclass
class Ran:
    """What a run came to: samples, seconds of emulation, accuracy where labels were given."""

    samples: int = 0
    seconds: float = 0.0
    accuracy: Accuracy | None = field(default=None)


def run_dataset(design: Design, source: Path, sink: Path, *, labels: str | None, emulator: str | None) -> Ran:
    """Runs every sample of a file and writes the outputs, never holding more than a chunk.

    Args:
        labels: classes to compare the first output with: the name of an array in ``source``, or a ``.npy`` file.

    Raises:
        UsageError: a file can't be read or written, or does not fit the model.
    """
    check_writable([sink])
    with open_dataset(source, design.inputs) as data, Gathered() as results, _bar(data.count) as tell:
        classes = None if labels is None else read_labels(labels, source, data.count)
        ran = Ran(accuracy=None if classes is None else Accuracy())
        for arrays in data.chunks():
            start = time.perf_counter()
            outputs = design.run_all(arrays, emulator=emulator)
            ran.seconds += time.perf_counter() - start
            size = len(next(iter(arrays.values())))
            if ran.accuracy is not None and classes is not None:
                ran.accuracy.count(next(iter(outputs.values())), classes[ran.samples : ran.samples + size])
            results.add(outputs)
            ran.samples += size
            tell(ran.samples, ran.samples / ran.seconds if ran.seconds else 0.0)
        results.write(sink)
    return ran


def verify_dataset(
    design: Design, source: Path, *, emulator: str | None, progress: Callable[[int, int], None]
) -> dict[str, Any]:
    """Compares every sample of a file with onnxruntime, never holding more than a chunk.

    Args:
        progress: told how many of how many samples are compared.

    Raises:
        UsageError: the file can't be read, or does not fit the model.
        MismatchError: a value differs and no ambiguity explains it.
    """
    with open_dataset(source, design.inputs) as data:
        return design.verify(data.chunks(), emulator=emulator, progress=lambda done, _: progress(done, data.count))


@contextlib.contextmanager
def _bar(count: int) -> Iterator[Callable[[int, float], None]]:
    """A progress bar with samples per second on stderr, where that is a terminal."""
    if session().quiet or sys.stderr is None or not sys.stderr.isatty():
        yield lambda done, rate: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("emulating", total=count)
        yield lambda done, rate: bar.update(task, completed=done, description=f"emulating, {rate:,.0f}/s")
