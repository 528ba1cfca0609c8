"""A U-Net with upsampling and concatenations, its pixels counted in the emulator and as compiled C++.

Needs flowc[csim,plot] and g++.
"""

from __future__ import annotations

from pathlib import Path

from examples.showing import Array, arguments, load_test, show

HERE = Path(__file__).resolve().parent


def pixels(scores: Array, masks: Array) -> float:
    """Share of the pixels on the right side of zero."""
    return float(((scores > 0) == (masks > 0)).mean())


def draw(x: Array, scores: Array, path: Path) -> None:
    """Some images, and what the accelerator finds in them."""
    import matplotlib as mpl

    mpl.use("Agg")
    mpl.rcParams["svg.hashsalt"] = "flowc"
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(2, 6, figsize=(9, 3.2), layout="constrained")
    for column, image, found in zip(axes.T, x, scores, strict=False):
        column[0].imshow(image[0], cmap="gray")
        column[1].imshow(found[0] > 0, cmap="gray")
    for axis in axes.flat:
        axis.set_axis_off()
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)


def main() -> None:
    options = arguments(__doc__)
    x, masks = load_test(HERE)
    design = show(HERE / "model.onnx", x, masks, options, score=pixels, csim=4, fps=5_000)
    draw(x, design.run(x[:6]), options.output / "unet" / "discs.svg")


if __name__ == "__main__":
    main()
