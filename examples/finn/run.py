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
    held = {c.name: numpy_helper.to_array(c) for c in onnx.load(HERE / "model.onnx").graph.initializer}
    # integers, because as floats the last scales are rounded apart
    if not np.array_equal(*(np.rint(y / held["scale"]) for y in (answers, expected))):
        raise SystemExit("the FINN file and the QONNX file give different integers")
    print(f"all {answers.size:,} integers of the outputs are those of the QONNX file")
    for name, report in (("FINN", finn.report), ("QONNX", qonnx.report)):
        print(f"{name:12} {report['fps']:,.0f} frames/s with {report['resources']['lut']:,} LUT")


if __name__ == "__main__":
    main()
