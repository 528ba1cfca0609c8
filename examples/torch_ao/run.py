"""A network that torch.ao quantized to 8 bits after training: built, and its answers counted three ways.

Needs flowc[csim,plot] and g++; no torch.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from examples.showing import arguments, show

HERE = Path(__file__).resolve().parent


def main() -> None:
    options = arguments(__doc__)
    with np.load(HERE.parent / "digits" / "digits_test.npz") as stored:
        x, labels = stored["x"], stored["labels"]
    show(HERE / "model.onnx", x, labels, options, fps=20_000)


if __name__ == "__main__":
    main()
