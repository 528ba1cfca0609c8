"""Draws what the accelerator reads: some test images with the digit that it names, and all that it misreads.

python -m examples.digits.picture [PICTURE]    # from the root of the repository; needs flowc[plot]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

import flowc
from examples.showing import Array

HERE = Path(__file__).resolve().parent
SHOWN, COLUMNS = 9, 12


def draw(images: Array, named: Array, labels: Array, path: Path) -> None:
    """A row of images (N, 1, 8, 8) with the digits named; those of another label in red, with the right one."""
    import matplotlib as mpl

    mpl.use("Agg")
    mpl.rcParams["svg.hashsalt"] = "flowc"
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, len(images), figsize=(0.8 * len(images), 1.3), layout="constrained")
    for axis, image, digit, label in zip(axes.flat, images, named, labels, strict=True):
        axis.imshow(image[0], cmap="gray_r")
        right = digit == label
        axis.set_title(
            f"{digit}" if right else f"{digit}, is {label}", color="#5b6670" if right else "#c23b2a", fontsize=11
        )
        axis.set_axis_off()
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)


def main(path: Path) -> None:
    design = flowc.build(HERE / "digits_cnn_w4a4.onnx", target="ultra96")
    with np.load(HERE / "digits_test.npz") as stored:
        x, labels = stored["x"], stored["labels"]
    named = design.run(x).argmax(1)
    wrong = np.flatnonzero(named != labels)[: COLUMNS - SHOWN]
    chosen = [*np.flatnonzero(named == labels)[: COLUMNS - len(wrong)], *wrong]
    draw(x[chosen], named[chosen], labels[chosen], path)
    print(f"{(named == labels).mean():.2%} of {len(x)} images right, {path} shows {len(chosen)}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("picture", nargs="?", type=Path, default=HERE / "digits.svg", help="file to write")
    main(parser.parse_args().picture)
