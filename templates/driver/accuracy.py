"""Accuracy on labelled samples: an .npz file with the model's input ``x`` (N, ...) and ``labels`` (N,), integers.

    python3 -m driver.accuracy samples.npz [--bitfile design.bit] [--emulate] [--batch 256]
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

import numpy as np

from .driver import Accelerator

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["correct", "main"]


def correct(accelerator: Accelerator, x: NDArray[Any], labels: NDArray[Any]) -> int:
    """How many samples get their label: the greatest output, or the output itself where the model ends in an argmax.

    Raises:
        ValueError: `labels` has another length than `x`, or the model has several outputs.
    """
    if len(x) != len(labels):
        raise ValueError("{} samples, but {} labels".format(len(x), len(labels)))
    y = accelerator(x)
    if not isinstance(y, np.ndarray):
        raise ValueError("the model has several outputs: {}".format(", ".join(y)))
    flat = y.reshape(len(x), -1)
    chosen = flat[:, 0] if flat.shape[1] == 1 else flat.argmax(axis=1)
    return int((chosen == np.asarray(labels).reshape(-1)).sum())


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Accuracy of the accelerator on labelled samples.")
    parser.add_argument("samples", help="npz file with arrays x and labels")
    parser.add_argument("--bitfile", default="design.bit")
    parser.add_argument("--emulate", action="store_true", help="run flowc's emulator instead of a board")
    parser.add_argument("--batch", type=int, default=256)
    options = parser.parse_args()
    with np.load(options.samples) as data:
        x, labels = data["x"], data["labels"]
    accelerator = Accelerator(options.bitfile, emulate=options.emulate or None, batch=options.batch)
    hits = correct(accelerator, x, labels)
    print("{} of {} correct ({:.2%}) on the {}".format(hits, len(x), hits / max(1, len(x)), accelerator.backend))
    accelerator.close()


if __name__ == "__main__":
    main()
