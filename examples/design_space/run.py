"""The digits network over many rates on three boards: what no other design beats, as a plot. Needs flowc[plot]."""

from __future__ import annotations

import argparse
from pathlib import Path

import flowc

HERE = Path(__file__).resolve().parent
MODEL = HERE.parent / "digits" / "digits_cnn_w4a4.onnx"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--targets", nargs="+", default=["pynq-z2", "ultra96", "zcu104"])
    parser.add_argument("--output", type=Path, default=HERE.parents[1] / "build" / "design_space")
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    sweep = flowc.explore(str(MODEL), targets=options.targets, fps_range=(1_000, 1_000_000), count=9)
    print(sweep)
    (options.output / "fronts.svg").write_bytes(sweep.plot())
    (options.output / "points.csv").write_text(sweep.csv(), encoding="utf-8")
    print(f"picture: {options.output / 'fronts.svg'}")


if __name__ == "__main__":
    main()
