"""How long a sweep over arrays takes, in one process and on all cores: five networks on sixty shapes in five dataflows.

Run from the repository: ``python -m benchmarks.arrays``. Prints both sides, process start included, and ends with exit code 1 if the
faster takes more than ten seconds.
"""

from __future__ import annotations

import sys
import time

from flowc.arrays import DATAFLOWS, explore, explore_array
from flowc.exploration.executors import cores

NETWORKS = ["alexnet", "vgg16", "resnet50", "mobilenet-v1", "mobilenet-v3-large"]
HEIGHTS = [16, 32, 48, 64, 96, 128, 192, 256, 384, 512]
WIDTHS = [16, 32, 64, 128, 256, 512]
LIMIT_SECONDS = 10.0


def seconds(workers: int) -> float:
    start = time.perf_counter()
    sweep = explore_array(NETWORKS, heights=HEIGHTS, widths=WIDTHS, workers=workers)
    assert sum(len(points) for points in sweep.points.values()) == len(NETWORKS) * len(HEIGHTS) * len(WIDTHS) * len(
        DATAFLOWS
    )
    return time.perf_counter() - start


def main() -> int:
    print(f"{len(NETWORKS)} networks x {len(HEIGHTS) * len(WIDTHS)} shapes x {len(DATAFLOWS)} dataflows")
    alone = seconds(1)
    print(f"one process        {alone:6.2f} s")
    explore.WORTH_A_PROCESS = 1
    together = seconds(cores())
    print(f"{cores()} processes        {together:6.2f} s, their start included")
    print(f"limit              {LIMIT_SECONDS:6.2f} s")
    return 0 if min(alone, together) <= LIMIT_SECONDS else 1


if __name__ == "__main__":
    sys.exit(main())
