"""Which array should one build? The known findings, reproduced; prints them and draws the heat maps of README.md.

python examples/arrays/findings.py [--output FOLDER]
"""

from __future__ import annotations

import argparse
from pathlib import Path

from flowc.arrays import ArraySweep, Setup, explore_array

COMMON = ["alexnet", "vgg16", "resnet50"]
MOBILE = ["mobilenet-v1", "mobilenet-v3-large"]
HEIGHTS = [8, 16, 32, 64, 128, 256, 512, 1024, 2048]
SIDES = range(32, 257, 32)


def ratios(sweep: ArraySweep, height: int, networks: list[str] = COMMON) -> str:
    """Energy of the arrays of one height, relative to the best of each network."""
    found = [point.energy_to_best for name in networks for point in sweep.points[name] if point.height == height]
    return f"{min(found):.2f} to {max(found):.2f}"


def shapes(sweep: ArraySweep, title: str) -> None:
    print(f"{title}: energy of {', '.join(COMMON)}, relative to the best shape of 16,384 elements")
    for what, height in (("128 x 128", 128), ("256 x 64", 256), ("8 x 2048", 8), ("2048 x 8", 2048)):
        print(f"  {what:10} {ratios(sweep, height)}")


def cycles(sweep: ArraySweep) -> None:
    print("cycles, whether cells toggle or not, relative to the best shape")
    for name in COMMON:
        points = sweep.points[name]
        least = min(point.cycles for point in points)
        found = {point.height: point.cycles / least for point in points}
        print(f"  {name:10} " + ", ".join(f"{h} x {16384 // h}: {found[h]:.2f}" for h in (8, 64, 128, 256, 2048)))


def depthwise(sweep: ArraySweep) -> None:
    print("depthwise layers on 128 x 128")
    for name in MOBILE:
        layers = sweep.layers(name, "ws", 128, 128)
        mine = [layer for layer in layers if layer.layer.endswith(".dw")]
        (whole,) = [point for point in sweep.points[name] if point.height == 128]
        print(
            f"  {name:18} {sum(x.mac_share for x in mine):.1%} of the products take {sum(x.cycle_share for x in mine):.0%} of the "
            f"cycles; the array is used {whole.utilization:.1%}"
        )


def dataflows() -> None:
    print("energy per product on 128 x 128, gated cells, without DRAM and multipliers")
    sweep = explore_array(COMMON, heights=[128], setup=Setup(idle="gated"))
    for network in sweep.networks:
        found = {point.dataflow: point.energy / network.macs for point in sweep.points[network.name]}
        print(f"  {network.name:10} " + ", ".join(f"{name} {value:.2f}" for name, value in found.items()))


def main(output: Path) -> None:
    toggling = explore_array(COMMON + MOBILE, heights=HEIGHTS, dataflows=["ws"])
    gated = explore_array(COMMON + MOBILE, heights=HEIGHTS, dataflows=["ws"], setup=Setup(idle="gated"))
    grid = explore_array("resnet50", heights=SIDES, widths=SIDES, dataflows=["ws"])
    shapes(toggling, "idle cells toggle")
    shapes(gated, "idle cells are gated")
    cycles(gated)
    depthwise(toggling)
    dataflows()
    pictures = {
        "energy-toggling.svg": toggling.plot(),
        "energy-gated.svg": gated.plot(),
        "cycles.svg": gated.plot("cycles"),
        "resnet50-grid.svg": grid.plot(),
    }
    for name, picture in pictures.items():
        (output / name).write_text(picture, encoding="utf-8")
    print(f"heat maps: {', '.join(pictures)} in {output}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent, help="folder of the heat maps")
    main(parser.parse_args().output)
