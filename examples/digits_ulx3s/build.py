"""The digits network on a ULX3S: from the ONNX file to a bitstream and a report, with open tools alone.

python examples/digits_ulx3s/build.py [OUTPUT]    # needs flowc[rtl,plot]
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

import flowc
from flowc.design.synthesis import synthesize_design
from flowc.errors import FlowcError

DIGITS = Path(__file__).resolve().parent.parent / "digits"


def draw(report: Mapping[str, Any], path: Path) -> None:
    """Look-up tables of every unit, as modelled and as yosys counted them, and of all FIFOs together."""
    import matplotlib as mpl

    mpl.use("Agg")
    mpl.rcParams["svg.hashsalt"] = "flowc"
    from matplotlib import pyplot

    units = [(u["name"], u["model"]["lut"], u["lut"]) for u in report["synthesis"]["units"] if u["unit"] != "fifo"]
    fifos = [u for u in report["synthesis"]["units"] if u["unit"] == "fifo"]
    units.append((f"{len(fifos)} FIFOs", sum(u["model"]["lut"] for u in fifos), sum(u["lut"] for u in fifos)))
    names, modelled, measured = zip(*units, strict=True)
    rows = np.arange(len(names))
    figure, axis = pyplot.subplots(figsize=(8, 0.6 + 0.3 * len(names)), layout="constrained")
    axis.barh(rows - 0.2, modelled, 0.4, color="#b5c4dd", label="modelled")
    axis.barh(rows + 0.2, measured, 0.4, color="#3f6fd8", label=f"measured, {report['synthesis']['tool']}")
    axis.set_yticks(rows, names)
    axis.set(xlabel="look-up tables of four inputs")
    axis.invert_yaxis()
    axis.legend()
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)


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
    draw(design.report | found, output / "units.svg")
    print(f"picture   {output / 'units.svg'}")
    print(f"bitstream {output / 'rtl' / place['bitstream']}, after {time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "output", nargs="?", type=Path, default=Path("build/digits_ulx3s"), help="folder (default: build/digits_ulx3s)"
    )
    try:
        main(parser.parse_args().output)
    except FlowcError as error:
        print(f"build.py: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
