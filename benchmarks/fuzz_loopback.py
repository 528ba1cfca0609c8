"""Random nets in loopback execution: every integer of every net against onnxruntime, counted and recorded.

    python -m benchmarks.fuzz_loopback [--nets 500] [--seed 0] [--output FILE.json]

Net number n is the generator's of seed n (tests/fuzz). It is compiled for one of four engines (4- and 8-bit digits, 8 to 32 rows; small
buffers, so that there are many tiles), every third with lanes that are stripes of one image; its descriptors are executed by the
emulator and compared with the reference layer by layer, and end to end. The record holds the counts; exit code 4 if a net failed.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

from benchmarks.provenance import commit
from tests.fuzz.generator import random_net
from tests.loopback.fuzzing import check

_SHOWN = 50


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nets", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "records" / "fuzz_loopback.json")
    options = parser.parse_args()
    counts: Counter[str] = Counter()
    found: Counter[str] = Counter()
    failures, refusals = [], Counter[str]()
    command, sources = f"--nets {options.nets} --seed {options.seed}", commit()
    start = time.perf_counter()
    for number in range(options.seed, options.seed + options.nets):
        done = check(random_net(Random(number)), number)  # noqa: S311  (nets, not keys)
        counts.update(
            nets=1, layers=done.layers, integers_compared=done.values, mismatches=done.mismatches, explained=done.explained
        )  # fmt: skip
        counts[done.status] += 1
        found.update(done.counts)
        if done.status == "refused":
            refusals[done.reason] += 1
        elif done.status == "failed":
            failures.append({"seed": number, "reason": done.reason})
            print(f"FAILED {number}: {done.reason}", file=sys.stderr, flush=True)
        if counts["nets"] % _SHOWN == 0 or number == options.seed + options.nets - 1:
            record = {"command": f"python -m benchmarks.fuzz_loopback {command}", "commit": sources}
            record |= _record(counts, found, failures, refusals, time.perf_counter() - start)
            options.output.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
            print(json.dumps({k: v for k, v in record.items() if isinstance(v, int | float)}), flush=True)
    return 4 if failures else 0


def _record(
    counts: Counter[str], found: Counter[str], failures: list[dict[str, Any]], refusals: Counter[str], seconds: float
) -> dict[str, Any]:
    return {
        "nets": counts["nets"],
        "exact": counts["ok"],
        "refused": counts["refused"],
        "failed": counts["failed"],
        "layers": counts["layers"],
        "integers_compared": counts["integers_compared"],
        "mismatches": counts["mismatches"],
        "explained_by_ambiguous": counts["explained"],
        "seconds": round(seconds, 1),
        "refusals": dict(refusals),
        "failures": failures,
        "what_ran": dict(sorted(found.items())),
    }


if __name__ == "__main__":
    sys.exit(main())
