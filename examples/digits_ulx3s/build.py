"""The digits network on a ULX3S: from the ONNX file to a bitstream and a report, with open tools alone.

python examples/digits_ulx3s/build.py [OUTPUT]
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np

import flowc
from flowc.design.synthesis import synthesize_design

DIGITS = Path(__file__).resolve().parent.parent / "digits"


def main(output: Path) -> None:
    start = time.perf_counter()
    design = flowc.build(DIGITS / "digits_cnn_w4a4.onnx", target="ulx3s-85f", output=output, force=True)
    report = design.report
    print(
        f"modelled  {report['fps']:,.0f} frames/s, bound by the {report['bottleneck']}; {report['resources']['lut']:,} LUT4"
    )
    print(f"verified  {report['verification']['values']:,} values, {report['verification']['mismatches']} mismatches")

    data = np.load(DIGITS / "digits_test.npz")
    logits = design.run(data["x"])
    print(f"accuracy  {(logits.argmax(1) == data['labels']).mean():.2%} on {len(logits)} images, emulated bit for bit")

    found = synthesize_design(output)
    place = found["place"]
    measured = found["synthesis"]["resources"]
    print(
        f"measured  {measured['lut']:,} LUT4, {measured['bram18']} EBR, {measured['dsp']} multipliers by {found['synthesis']['tool']}"
    )
    print(f"routed    {place['mhz']:g} MHz (wanted {place['wanted_mhz']:g}) by {place['tool']} on {place['part']}")
    print(f"bitstream {output / 'rtl' / place['bitstream']}, after {time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "build/digits_ulx3s"))
