"""Accuracy on labelled samples: an .npz file with the model's input ``x`` (N, ...) and ``labels`` (N,), integers.

    python3 -m driver.accuracy samples.npz [--output NAME] [--bitfile design.bit] [--emulate] [--batch 256]

A model with several inputs wants an array for each, under its name.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any, Mapping, Optional, Union

import numpy as np

from .driver import Accelerator
from .errors import InputError
from .samples import guarded, positive, read_samples

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

__all__ = ["correct", "main"]


def correct(
    accelerator: Accelerator, x: Union[Array, Mapping[str, Array]], labels: Array, output: Optional[str] = None
) -> int:
    """How many samples get their label: the greatest output, or the output itself where the model ends in an argmax.

    Args:
        x: the model's input, or inputs by name.
        labels: int (N,).
        output: which of the model's outputs counts, where it has several.

    Raises:
        InputError: what is given does not belong together, or the output is no class.
        MissingError: a part of the model can't run here.
    """
    count = len(next(iter(x.values())) if isinstance(x, Mapping) else x)
    if count != len(labels):
        raise InputError("{} samples, but {} labels".format(count, len(labels)))
    y = accelerator(x)
    if not isinstance(y, np.ndarray):
        if output is None or output not in y:
            raise InputError("choose one of the model's outputs: {}".format(", ".join(y)))
        y = y[output]
    flat = y.reshape(count, -1)
    classes = flat.shape[1]
    if classes == 1:
        if flat.dtype.kind == "f" and not (flat == np.rint(flat)).all():
            raise InputError("the model gives one number per sample that is no class: its accuracy is not defined")
        chosen = flat[:, 0]
    else:
        chosen = flat.argmax(axis=1)
        strange = labels[(labels < 0) | (labels >= classes)]
        if strange.size:
            raise InputError("label {} for a model of {} classes (0 to {})".format(strange[0], classes, classes - 1))
    return int((chosen == labels).sum())


@guarded
def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Accuracy of the accelerator on labelled samples.")
    parser.add_argument("samples", help="npz file with arrays x and labels")
    parser.add_argument("--output", help="which output counts, of a model with several")
    parser.add_argument("--bitfile")
    parser.add_argument("--emulate", action="store_true", help="an emulator instead of a board")
    parser.add_argument("--batch", type=positive, default=256)
    options = parser.parse_args()
    accelerator = Accelerator(options.bitfile, emulate=options.emulate or None, batch=options.batch)
    try:
        x, labels = read_samples(options.samples, accelerator.inputs)
        hits = correct(accelerator, x, labels, options.output)
    finally:
        accelerator.close()
    print("{} of {} correct ({:.2%}) on the {}".format(hits, len(labels), hits / len(labels), accelerator.backend))


if __name__ == "__main__":
    main()
