"""A network in FINN's form, built and compared with the QONNX file that it was streamlined from.

Needs flowc[csim,plot] and g++.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

import flowc
from examples.showing import arguments, right, show

HERE = Path(__file__).resolve().parent
DIGITS = HERE.parent / "digits"
RATE = 50_000


def main() -> None:
    options = arguments(__doc__)
    with np.load(DIGITS / "digits_test.npz") as stored:
        x, labels = stored["x"], stored["labels"]
    finn = show(HERE / "model.onnx", x, labels, options, fps=RATE)
    qonnx = flowc.build(DIGITS / "digits_cnn_w4a4.onnx", target=options.target, fps=RATE)
    answers, expected = finn.run(x), qonnx.run(x)
    print(f"{'QONNX':12} {right(expected, labels):7.2%} of {len(x)} samples right")
    scale = numpy_helper.to_array(
        next(c for c in onnx.load(HERE / "model.onnx").graph.initializer if c.name == "scale")
    )
    if not np.array_equal(
        np.rint(answers / scale), np.rint(expected / scale)
    ):  # as floats, the last scales are rounded apart
        raise SystemExit("the FINN file and the QONNX file give different integers")
    told = ", ".join(
        f"{d.report['fps']:,.0f} frames/s with {d.report['resources']['lut']:,} LUT" for d in (finn, qonnx)
    )
    print(f"all {answers.size:,} integers of the outputs are those of the QONNX file; FINN, QONNX: {told}")


if __name__ == "__main__":
    main()
