"""Damaged models and designs by the thousand: flowc's own words, or the result of onnxruntime; counted and recorded.

    python -m benchmarks.attacks [--cases 20000] [--first 0] [--minutes 600] [--output FILE.json]
    python -m benchmarks.attacks --join PART.json ... [--output FILE.json]
    python -m benchmarks.attacks --again [--output FILE.json]

Cases come from tests/fuzz: bytes of an ONNX file changed, fields of one changed that stays a well-formed protobuf, files of a
saved design changed. What builds is verified, run, and compared with onnxruntime once more, without flowc. A case fails on a
traceback, a numpy warning, a wrong output, more than 20 s of processor time or 2 GB. The record (JSON, and the same as
Markdown beside it) holds the counts and the seeds of what failed; exit code 4 if something did. Records of other cases join into one,
which says which cases were run on which commit. ``--again`` runs the record's failures once more: what they are now stands beside what
they were.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import time
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime

import flowc
from benchmarks.provenance import commit
from tests.fuzz.hostile import KINDS
from tests.fuzz.worker import Watched

_SHARES = {"bytes": 3, "model": 4, "design": 3}
_ORDER = [kind for kind in KINDS for _ in range(_SHARES[kind])]
_CHUNK = 250


def case(number: int) -> tuple[str, int]:
    """Kind and seed of a case."""
    return _ORDER[number % len(_ORDER)], number


def record(first: int, outcomes: list[dict[str, Any]], seconds: float, sources: str) -> dict[str, Any]:
    """What is written down; ``sources`` is the commit."""
    kinds = {kind: Counter[str]() for kind in KINDS}
    failures = []
    for number, found in enumerate(outcomes, first):
        kind, seed = case(number)
        kinds[kind][found["status"]] += 1
        if found["status"] == "failed":
            failures.append({"kind": kind, "seed": seed, "what": found["what"], "reason": found["reason"]})
    known = [found for found in outcomes if found["seconds"] is not None]
    return {
        "parts": [{"commit": sources, "first": first, "cases": len(outcomes), "seconds": round(seconds)}],
        "cases": len(outcomes),
        "by_kind": {kind: dict(sorted(counts.items())) for kind, counts in kinds.items()},
        "outputs_compared_with_onnxruntime": sum(found["compared"] for found in outcomes),
        "longest_case_s": max((found["seconds"] for found in known), default=None),
        "largest_case_mb": max((found["megabytes"] for found in known), default=None),
        "failures": failures,
        "versions": {
            "flowc": flowc.__version__, "python": platform.python_version(), "numpy": np.__version__,
            "onnx": onnx.__version__, "onnxruntime": onnxruntime.__version__,
        },
    }  # fmt: skip


def joined(records: list[dict[str, Any]]) -> dict[str, Any]:
    """One record of several; no case may be in two of them.

    Raises:
        ValueError: a case is in two records, or their packages differ.
    """
    parts = sorted((part for found in records for part in found["parts"]), key=lambda part: part["first"])
    for one, next_ in pairwise(parts):
        if one["first"] + one["cases"] > next_["first"]:
            raise ValueError(f"case {next_['first']} is in two records")
    if any(found["versions"] != records[0]["versions"] for found in records):
        raise ValueError("the records were made with different packages")
    kinds = {kind: Counter[str]() for kind in KINDS}
    for found in records:
        for kind, counts in found["by_kind"].items():
            kinds[kind].update(counts)

    def most(name: str) -> float | None:
        return max((found[name] for found in records if found[name] is not None), default=None)

    return {
        "parts": parts,
        "cases": sum(found["cases"] for found in records),
        "by_kind": {kind: dict(sorted(counts.items())) for kind, counts in kinds.items()},
        "outputs_compared_with_onnxruntime": sum(found["outputs_compared_with_onnxruntime"] for found in records),
        "longest_case_s": most("longest_case_s"),
        "largest_case_mb": most("largest_case_mb"),
        "failures": [failure for found in records for failure in found["failures"]],
        "versions": records[0]["versions"],
    }


def again(found: dict[str, Any], sources: str, run: Callable[[str, int], dict[str, Any]]) -> dict[str, Any]:
    """The record with what its failures are on the commit ``sources``."""

    def now(failure: dict[str, Any]) -> dict[str, Any]:
        outcome = run(failure["kind"], failure["seed"])
        return {"commit": sources, "status": outcome["status"], "reason": outcome["reason"]}

    return found | {"failures": [failure | {"now": now(failure)} for failure in found["failures"]]}


def failing(found: dict[str, Any]) -> bool:
    """Whether a case of the record fails, as far as known."""
    return any(failure.get("now", {"status": "failed"})["status"] == "failed" for failure in found["failures"])


def _line(failure: dict[str, Any]) -> str:
    text = f"- {failure['kind']} {failure['seed']} {failure['what']}: {failure['reason']}"
    if "now" in failure:
        now = failure["now"]
        text += f"; on {now['commit']}: {now['status']} {now['reason']}".rstrip()
    return text


def markdown(found: dict[str, Any]) -> str:
    """The record as a page."""
    statuses = ("ok", "refused", "detected", "failed")
    lines = [
        "# Damaged models and designs",
        "",
        *(
            f"`python -m benchmarks.attacks --cases {part['cases']} --first {part['first']}` on {part['commit']}, "
            f"{part['seconds']} s.  "
            for part in found["parts"]
        ),
        "",
        (
            f"{found['cases']:,} cases. Longest case {found['longest_case_s']} s of processor time, largest {found['largest_case_mb']} MB. "
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
    lines += [_line(failure) for failure in found["failures"]] or ["none"]
    lines += ["", "Versions: " + ", ".join(f"{n} {v}" for n, v in found["versions"].items()) + "."]
    return "\n".join(lines) + "\n"


def write(found: dict[str, Any], output: Path) -> None:
    """Writes a record, and its page beside it."""
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    output.with_suffix(".md").write_text(markdown(found), encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=20_000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=600.0, help="no new case after that long")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "records" / "attacks.json")
    parser.add_argument("--join", type=Path, nargs="+", metavar="PART.json", help="records to join; nothing is run")
    parser.add_argument("--again", action="store_true", help="run the record's failures once more, and nothing else")
    options = parser.parse_args()
    if options.again:
        with Watched() as process:
            found = again(json.loads(options.output.read_text(encoding="utf-8")), commit(), process.run)
        write(found, options.output)
        return 4 if failing(found) else 0
    if options.join:
        whole = joined([json.loads(path.read_text(encoding="utf-8")) for path in options.join])
        write(whole, options.output)
        return 4 if failing(whole) else 0
    start, outcomes, sources = time.perf_counter(), [], commit()
    with Watched() as process:
        for number in range(options.first, options.first + options.cases):
            outcomes.append(process.run(*case(number)))
            seconds = time.perf_counter() - start
            done = number == options.first + options.cases - 1 or seconds > 60 * options.minutes
            if done or len(outcomes) % _CHUNK == 0:
                found = record(options.first, outcomes, seconds, sources)
                write(found, options.output)
                print(f"{len(outcomes)} cases, {len(found['failures'])} failed, {seconds:.0f} s", flush=True)
            if done:
                break
    return 4 if any(found["status"] == "failed" for found in outcomes) else 0


if __name__ == "__main__":
    sys.exit(main())
