"""Random nets by the thousand: every integer of every net against the reference, counted and recorded.

    python -m benchmarks.fuzz [--nets 2000] [--seed 0] [--output FILE.json]

Each net comes from the generator of tests/fuzz, is compiled (every tenth with allocation, as `flowc build` does), and its
integers are compared with the reference layer by layer, end to end, and with a second reference that is written without
flowc. The record (JSON, and the same as Markdown beside it) holds the counts; exit code 4 if a net failed. Failed nets are
kept as ONNX files beside the record.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import hypothesis
import numpy as np
import onnx
import onnxruntime
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded

import flowc
from benchmarks.provenance import commit
from tests.fuzz.checking import Outcome, check
from tests.fuzz.generator import RandomNet, random_nets

_CHUNK = 250
_WHOLE = 10


class Tally:
    """Counts over all nets so far."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.nets = self.nodes = self.values = self.second_values = 0
        self.mismatches = self.explained = self.on_edge = self.whole = 0
        self.worst_output = 0.0
        self.statuses: Counter[str] = Counter()
        self.refusals: Counter[str] = Counter()
        self.units: Counter[str] = Counter()
        self.tags: Counter[str] = Counter()
        self.depths: Counter[int] = Counter()
        self.failures: list[dict[str, Any]] = []
        self.start = time.perf_counter()
        self.sources = commit()

    def add(self, net: RandomNet, seed: int) -> None:
        """Checks one net and counts what it gave."""
        whole = self.nets % _WHOLE == 0
        outcome: Outcome = check(net, whole=whole)
        self.nets += 1
        self.whole += whole
        self.nodes += len(net.model.graph.node)
        self.statuses[outcome.status] += 1
        self.values += outcome.values
        self.second_values += outcome.second_values
        self.mismatches += outcome.mismatches
        self.explained += outcome.explained
        self.on_edge += outcome.on_edge
        self.worst_output = max(self.worst_output, outcome.worst_output)
        self.units.update(outcome.units)
        self.tags.update(net.tags)
        self.depths[net.blocks] += 1
        if outcome.status == "refused":
            self.refusals[outcome.reason] += 1
        elif outcome.status == "failed":
            name = f"failed_{seed}_{self.nets}"
            self.folder.mkdir(parents=True, exist_ok=True)
            onnx.save(net.model, self.folder / f"{name}.onnx")
            np.savez(self.folder / f"{name}.npz", **net.inputs)
            self.failures.append({"net": name, "input_type": net.input_type, "reason": outcome.reason})
            print(f"FAILED {name}: {outcome.reason}", file=sys.stderr, flush=True)

    def as_dict(self, seeds: Sequence[int]) -> dict[str, Any]:
        """The record."""
        return {
            "commit": self.sources,
            "nets": self.nets,
            "seeds": list(seeds),
            "exact": self.statuses["ok"],
            "refused": self.statuses["refused"],
            "failed": self.statuses["failed"],
            "refusals": dict(self.refusals.most_common()),
            "failures": self.failures,
            "onnx_nodes": self.nodes,
            "built_with_allocation": self.whole,
            "integers_compared": self.values,
            "mismatches": self.mismatches,
            "explained_by_ambiguous": self.explained,
            "unexplained": self.mismatches - self.explained,
            "integers_of_second_reference": self.second_values,
            "second_reference_on_an_edge": self.on_edge,
            "worst_output_difference": self.worst_output,
            "blocks_per_net": {str(k): v for k, v in sorted(self.depths.items())},
            "nets_with_construct": dict(sorted(self.tags.items())),
            "units": dict(self.units.most_common()),
            "seconds": round(time.perf_counter() - self.start, 1),
            "versions": {
                "flowc": flowc.__version__,
                "python": platform.python_version(),
                "onnx": onnx.__version__,
                "onnxruntime": onnxruntime.__version__,
                "numpy": np.__version__,
                "hypothesis": hypothesis.__version__,
            },
        }


def markdown(record: dict[str, Any]) -> str:
    """The record as a page."""
    lines = [
        "# Random nets against the reference",
        "",
        (
            f"`python -m benchmarks.fuzz --nets {record['nets']} --seed {record['seeds'][0]}` on {record['commit']}, "
            f"{record['seconds']:.0f} s."
        ),
        "",
        "| | |",
        "|---|---|",
    ]
    names = {
        "nets": "nets", "exact": "every integer equal, or explained by the certificate", "refused": "refused by name",
        "failed": "failed", "onnx_nodes": "ONNX nodes", "built_with_allocation": "of the nets: built with allocation",
        "integers_compared": "integers compared with the reference", "mismatches": "of these differ",
        "explained_by_ambiguous": "of these lie in a window of the certificate", "unexplained": "unexplained",
        "integers_of_second_reference": "integers of the reference compared with a second one, written by hand",
        "second_reference_on_an_edge": "of these differ, on an edge of rounding",
        "worst_output_difference": "greatest difference of a float output, relative",
    }  # fmt: skip
    lines += [f"| {text} | {record[name]:,} |" for name, text in names.items()]
    lines += ["", "## Refusals", ""]
    lines += [f"- {reason}: {count}" for reason, count in record["refusals"].items()] or ["none"]
    lines += ["", "## Failures", ""]
    lines += [f"- {f['net']}: {f['reason']}" for f in record["failures"]] or ["none"]
    lines += ["", "## Nets with each construct", "", "| construct | nets |", "|---|---|"]
    lines += [f"| {tag} | {count} |" for tag, count in record["nets_with_construct"].items()]
    lines += ["", "Units: " + ", ".join(f"{n} {c}" for n, c in record["units"].items()) + "."]
    lines += ["Versions: " + ", ".join(f"{n} {v}" for n, v in record["versions"].items()) + "."]
    return "\n".join(lines) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nets", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "records" / "fuzz.json")
    options = parser.parse_args()
    tally = Tally(options.output.parent / "fuzz_failures")
    seeds = []
    while tally.nets < options.nets:
        seed = options.seed + len(seeds)
        seeds.append(seed)
        _chunk(tally, seed, min(_CHUNK, options.nets - tally.nets))
        record = tally.as_dict(seeds)
        options.output.parent.mkdir(parents=True, exist_ok=True)
        options.output.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
        options.output.with_suffix(".md").write_text(markdown(record), encoding="utf-8")
        print(
            f"{tally.nets} nets, {record['refused']} refused, {record['failed']} failed, {record['integers_compared']} integers, "
            f"{record['mismatches']} differ, {record['unexplained']} unexplained, {record['seconds']} s",
            flush=True,
        )
    return 4 if tally.statuses["failed"] else 0


def _chunk(tally: Tally, seed: int, nets: int) -> None:
    @seeded(seed)
    @settings(
        max_examples=nets,
        database=None,
        deadline=None,
        phases=(Phase.generate,),
        suppress_health_check=tuple(HealthCheck),
    )
    @given(random_nets())
    def every_net(net: RandomNet) -> None:
        tally.add(net, seed)

    every_net()


if __name__ == "__main__":
    sys.exit(main())
