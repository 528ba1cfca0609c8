"""A perceptron on tabular data: built for a rate, and its answers counted under the emulator and as compiled C++.

Needs flowc[csim,plot] and g++.
"""

from __future__ import annotations

from pathlib import Path

from examples.showing import arguments, load_test, show

HERE = Path(__file__).resolve().parent


def main() -> None:
    options = arguments(__doc__)
    x, labels = load_test(HERE)
    show(HERE / "model.onnx", x, labels, options, fps=1_000_000)


if __name__ == "__main__":
    main()
