"""Damaged models and designs by the thousand: flowc's own words, or the result of onnxruntime; counted and recorded.

    python -m benchmarks.attacks [--cases 20000] [--first 0] [--minutes 600] [--output FILE.json]

Cases come from tests/fuzz: bytes of an ONNX file changed, fields of one changed that stays a well-formed protobuf, files of a
saved design changed. What builds is verified, run, and compared with onnxruntime once more, without flowc. A case fails on a
traceback, a numpy warning, a wrong output, more than 20 s of processor time or 2 GB. The record (JSON, and the same as
Markdown beside it) holds the counts and the seeds of what failed; exit code 4 if something did.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime

import flowc
from tests.fuzz.hostile import KINDS
from tests.fuzz.worker import Watched

_SHARES = {"bytes": 3, "model": 4, "design": 3}
_ORDER = [kind for kind in KINDS for _ in range(_SHARES[kind])]
_CHUNK = 250


def case(number: int) -> tuple[str, int]:
    """Kind and seed of a case."""
    return _ORDER[number % len(_ORDER)], number


def record(first: int, outcomes: list[dict[str, Any]], seconds: float) -> dict[str, Any]:
    """What is written down."""
    kinds = {kind: Counter[str]() for kind in KINDS}
    failures = []
    for number, found in enumerate(outcomes, first):
        kind, seed = case(number)
        kinds[kind][found["status"]] += 1
        if found["status"] == "failed":
            failures.append({"kind": kind, "seed": seed, "what": found["what"], "reason": found["reason"]})
    known = [found for found in outcomes if found["seconds"] is not None]
    return {
        "first": first,
        "cases": len(outcomes),
        "by_kind": {kind: dict(sorted(counts.items())) for kind, counts in kinds.items()},
        "outputs_compared_with_onnxruntime": sum(found["compared"] for found in outcomes),
        "longest_case_s": max((found["seconds"] for found in known), default=None),
        "largest_case_mb": max((found["megabytes"] for found in known), default=None),
        "failures": failures,
        "seconds": round(seconds),
        "versions": {
            "flowc": flowc.__version__, "python": platform.python_version(), "numpy": np.__version__,
            "onnx": onnx.__version__, "onnxruntime": onnxruntime.__version__,
        },
    }  # fmt: skip


def markdown(found: dict[str, Any]) -> str:
    """The record as a page."""
    statuses = ("ok", "refused", "detected", "failed")
    lines = [
        "# Damaged models and designs",
        "",
        (
            f"`python -m benchmarks.attacks --cases {found['cases']} --first {found['first']}`, {found['seconds']} s on a busy machine. "
            f"Longest case {found['longest_case_s']} s of processor time, largest {found['largest_case_mb']} MB. "
            f"{found['outputs_compared_with_onnxruntime']:,} outputs of what built were compared with onnxruntime besides verification."
        ),
        "",
        "| damaged | cases | builds, right | refused in flowc's words | found by verification | failed |",
        "|---|---|---|---|---|---|",
    ]
    for kind, counts in found["by_kind"].items():
        cells = [sum(counts.values()), *(counts.get(status, 0) for status in statuses)]
        lines.append(f"| {kind} | " + " | ".join(f"{n:,}" for n in cells) + " |")
    lines += ["", "## Failures", ""]
    lines += [f"- {f['kind']} {f['seed']} {f['what']}: {f['reason']}" for f in found["failures"]] or ["none"]
    lines += ["", "Versions: " + ", ".join(f"{n} {v}" for n, v in found["versions"].items()) + "."]
    return "\n".join(lines) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=20_000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=600.0, help="no new case after that long")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "records" / "attacks.json")
    options = parser.parse_args()
    start, outcomes = time.perf_counter(), []
    with Watched() as process:
        for number in range(options.first, options.first + options.cases):
            outcomes.append(process.run(*case(number)))
            seconds = time.perf_counter() - start
            done = number == options.first + options.cases - 1 or seconds > 60 * options.minutes
            if done or len(outcomes) % _CHUNK == 0:
                found = record(options.first, outcomes, seconds)
                options.output.parent.mkdir(parents=True, exist_ok=True)
                options.output.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
                options.output.with_suffix(".md").write_text(markdown(found), encoding="utf-8")
                print(f"{len(outcomes)} cases, {len(found['failures'])} failed, {seconds:.0f} s", flush=True)
            if done:
                break
    return 4 if any(found["status"] == "failed" for found in outcomes) else 0


if __name__ == "__main__":
    sys.exit(main())
