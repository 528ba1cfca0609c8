"""What the scripts share: reading labelled samples, and errors without tracebacks."""

from __future__ import annotations

import functools
import sys
import zipfile
from typing import TYPE_CHECKING, Any, Callable, Dict, Sequence, Tuple

import numpy as np

from .errors import DriverError, InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

__all__ = ["guarded", "positive", "read_samples"]


def guarded(main: Callable[[], None]) -> Callable[[], None]:
    """The script, ending with exit code 2 and the error's text where there is something that its user can mend."""

    @functools.wraps(main)
    def wrapped() -> None:
        try:
            main()
        except DriverError as error:
            print("error: {}".format(error), file=sys.stderr)
            sys.exit(2)

    return wrapped


def positive(text: str) -> int:
    """An argument that is a whole number above 0."""
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


positive.__name__ = "number above 0"  # what argparse calls it


def read_samples(path: str, inputs: Sequence[str]) -> Tuple[Dict[str, Array], Array]:
    """Inputs by name and labels (N,) of an .npz file.

    Args:
        path: holds an array for each of the model's inputs, or ``x`` where it has one; and ``labels``, integers, one per sample.
        inputs: names of the model's inputs.

    Raises:
        InputError: the file can't be read, lacks an array, or holds no samples or labels that are none.
    """
    try:
        archive = np.load(path, allow_pickle=False)
        data = None
        if not isinstance(archive, np.ndarray):
            with archive:
                data = {name: archive[name] for name in archive.files}
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile) as error:
        raise InputError("{} can't be read as an .npz file: {}".format(path, error)) from error
    if data is None:
        raise InputError("{} is no .npz file with arrays x and labels".format(path))
    if len(inputs) == 1 and inputs[0] not in data and "x" in data:
        data[inputs[0]] = data["x"]
    missing = [name for name in (*inputs, "labels") if name not in data]
    if missing:
        text = "{} lacks the arrays {}; it holds {}"
        raise InputError(text.format(path, ", ".join(missing), ", ".join(data) or "none"))
    labels = _labels(data["labels"], path)
    for name in inputs:
        count = len(data[name]) if data[name].ndim else 0
        if count != len(labels):
            raise InputError("{}: {} samples of '{}', but {} labels".format(path, count, name, len(labels)))
    if not len(labels):
        raise InputError("{} holds no samples".format(path))
    return {name: data[name] for name in inputs}, labels


def _labels(labels: Array, path: str) -> Array:
    whole = labels.dtype.kind in "iub" or (labels.dtype.kind == "f" and bool((labels == np.rint(labels)).all()))
    flat = labels.reshape(-1) if labels.ndim in (1, 2) and labels.size == len(labels) else labels
    if not whole or flat.ndim != 1:
        raise InputError(
            "{}: labels must be whole numbers, one per sample, not {} of shape {} (of one-hot rows take the argmax)".format(
                path, labels.dtype, labels.shape
            )
        )
    return flat.astype(np.int64)
