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

from flowc import kernels
from flowc.cli.options import session
from flowc.design.design import Design
from flowc.errors import UsageError, shown
from flowc.files.dataset import Gathered, open_dataset, read_labels
from flowc.files.write import check_writable

__all__ = ["Accuracy", "Ran", "run_dataset", "verify_dataset"]

Array = NDArray[Any]

_SEVERAL = 5
_PORT_BYTES = 8
"""Of an integer at a port of the accelerator."""
_NO_CLASS = "Leave out --labels, or take a model that ends in a score per class"


@dataclass
class Accuracy:
    """Samples whose label is the greatest score, and among the five greatest."""

    samples: int = 0
    first: int = 0
    among: int | None = 0

    def count(self, scores: Array, labels: Array) -> None:
        """Counts a chunk: scores (N, classes), or classes (N,). Of equal scores the first counts as the greater, as in `numpy.argmax`.

        Raises:
            UsageError: the output is neither, or a label is no class.
        """
        if sum(size > 1 for size in scores.shape[1:]) > 1:
            raise UsageError(
                f"the model's first output has the shape {scores.shape[1:]}, from which no class can be told",
                remedy=_NO_CLASS,
            )
        scores = scores.reshape(len(scores), -1)
        classes = scores.shape[1]
        self.samples += len(labels)
        if classes == 1 and scores.dtype.kind in "iu":
            self.first += int((scores[:, 0] == labels).sum())
            self.among = None
            return
        if classes == 1:
            raise UsageError(
                "the model's first output is one number per sample, from which no class can be told", remedy=_NO_CLASS
            )
        wrong = labels[(labels < 0) | (labels >= classes)]
        if wrong.size:
            raise UsageError(
                f"label {wrong[0]} is no class of the model, whose first output has {classes} scores",
                remedy=f"Count classes from 0: labels are 0 to {classes - 1}",
            )
        labels = labels.astype(np.int64)[:, None]
        own = np.take_along_axis(scores, labels, axis=1)
        ahead = ((scores > own) | ((scores == own) & (np.arange(classes) < labels))).sum(axis=1)
        ahead[own[:, 0] != own[:, 0]] = classes  # no number is greater than NaN, and it is no score
        self.first += int((ahead == 0).sum())
        if self.among is not None and classes > _SEVERAL:
            self.among += int((ahead < _SEVERAL).sum())
        else:
            self.among = None

    def __str__(self) -> str:
        told = f"top-1 {100 * self.first / self.samples:.2f}%"
        return told if self.among is None else f"{told}, top-5 {100 * self.among / self.samples:.2f}%"


@dataclass
class Ran:
    """What a run came to: samples, seconds of emulation, the emulator's path, accuracy where labels were given."""

    samples: int = 0
    seconds: float = 0.0
    emulator: str = "native"
    accuracy: Accuracy | None = field(default=None)

    @property
    def as_dict(self) -> dict[str, Any]:
        """For JSON; shares are 0 to 1, null where they are not known."""
        found, rate = self.accuracy, self.samples / self.seconds if self.seconds else None
        top1 = None if found is None else found.first / found.samples
        top5 = None if found is None or found.among is None else found.among / found.samples
        return {
            "samples": self.samples, "seconds": self.seconds, "samples_per_s": rate, "emulator": self.emulator, "top1": top1, "top5": top5,
        }  # fmt: skip


def run_dataset(design: Design, source: Path, sink: Path, *, labels: str | None, emulator: str | None) -> Ran:
    """Runs every sample of a file and writes the outputs, never holding more than a chunk.

    Args:
        labels: classes to compare the first output with: the name of an array in ``source``, or a ``.npy`` file.

    Raises:
        UsageError: a file can't be read or written, or does not fit the model; or as of `flowc.kernels.used`.
    """
    check_writable([sink])
    read = [source] if labels is None or not labels.endswith(".npy") else [source, Path(labels)]
    if sink.exists() and any(path.exists() and sink.samefile(path) for path in read):
        raise UsageError(f"'{shown(str(sink))}' is what is read", remedy="Name another file for the output")
    made = _PORT_BYTES * sum(u.frame.elements for u in (*design.graph.inputs, *design.graph.outputs))
    with open_dataset(source, design.inputs, made=made) as data, Gathered() as results, _bar(data.count) as tell:
        classes = None if labels is None else read_labels(labels, source, data.count)
        ran = Ran(accuracy=None if classes is None else Accuracy())
        ran.emulator = "native" if kernels.used(emulator) else "numpy"
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
