"""Everything that flowc writes as SystemVerilog, in Verilator: all constructs of the tests, and models given as files.

    python -m benchmarks.simulation [MODEL.onnx ...] [--constructs] [--write]

Each design is run once as fast as it goes, and once with 35 (models: 30) of 100 cycles held back at random on every side of every stream;
all streams are compared with the emulator, and the cycles with the model's. --write adds what was found to
benchmarks/records/simulation.json. All constructs take five minutes of one processor.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import flowc
from flowc.dataflow.allocate.simulation import simulate as model
from flowc.errors import FlowcError
from tests.test_constructs import CASES
from tests.test_constructs_rtl import FRAMES, side_by_side

RECORD = Path(__file__).with_name("records") / "simulation.json"
GROUPS = 8


def constructs() -> dict[str, Any]:
    """Every construct, in a few designs."""
    found: dict[str, Any] = {}
    for group in range(GROUPS):
        with tempfile.TemporaryDirectory(prefix="flowc-simulation-") as scratch:
            for name, graph, interval, latency in side_by_side([*CASES][group::GROUPS], Path(scratch), group):
                predicted = model(graph, FRAMES + 2)
                found[name] = entry(interval, predicted.interval, latency, predicted.latency)
                print(f"{name:60}", *found[name].values(), flush=True)
    return found


def entry(interval: int, model_interval: int | None, latency: int, model_latency: int) -> dict[str, Any]:
    return {
        "interval_cycles": interval, "model_interval_cycles": model_interval,
        "latency_cycles": latency, "model_latency_cycles": model_latency,
    }  # fmt: skip


def network(path: Path, fps: float) -> dict[str, Any]:
    """A model built for a board and simulated."""
    with tempfile.TemporaryDirectory(prefix="flowc-simulation-") as scratch:
        try:
            folder = Path(scratch) / "design"
            built = flowc.build(str(path), "zcu104", fps=fps, backend="rtl", rtlsim=True, output=folder, verify=False)
        except FlowcError as error:
            return {"error": str(error)}
        report: dict[str, Any] = built.report["rtlsim"]
        keys = ("frames", "mismatches", *entry(0, 0, 0, 0))
        return {key: report[key] for key in keys}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*", type=Path, metavar="MODEL")
    parser.add_argument("--fps", type=float, default=3000.0, help="frames per second of the models")
    parser.add_argument("--constructs", action="store_true", help="all constructs")
    parser.add_argument("--write", action="store_true", help="keep what was found")
    arguments = parser.parse_args()
    record: dict[str, Any] = json.loads(RECORD.read_text(encoding="utf-8")) if RECORD.exists() else {}
    if arguments.constructs:
        record["constructs"] = constructs()
    for path in arguments.models:
        record.setdefault("models", {})[path.stem] = found = network(path, arguments.fps)
        print(f"{path.stem:40}", *found.values(), flush=True)
    if arguments.write:
        RECORD.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
