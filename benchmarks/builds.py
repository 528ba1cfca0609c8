"""CPU time and memory of builds, against an earlier commit and against finn-plus' estimates, in turn.

    python -m benchmarks.builds [--only NAME ...] [--against COMMIT] [--pairs 5] [--finn PYTHON] [--json FILE]

Every build is a process of its own. The earlier commit is taken out of the repository into a temporary folder and run by the same Python
with the same libraries. Both sides build once without being measured, then in turn, so that what else the machine does falls on both;
printed are medians of each side, and of the pairs' ratios with the smallest and the largest of them. A build that the earlier commit
cannot do is named, and has one side only. ``--finn`` names the Python of an environment with finn-plus 1.6.1, whose estimates of
CNV-2W2A are then measured beside ``flowc estimate`` of the same file (benchmarks/finn_plus.py).
"""

from __future__ import annotations

import argparse
import io
import json
import shutil
import statistics
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx

from benchmarks.growth import SERIES
from benchmarks.metered import Cost, metered
from benchmarks.models import MODELS

__all__ = ["CASES", "Case", "Pairs", "compare"]

_ROOT = Path(__file__).parents[1]
_BESIDE = ("passes", "templates")
"""Packages that lie beside flowc's in the checkout, and in it once installed."""


@dataclass(frozen=True)
class Case:
    """A model, and the options of its build."""

    model: Callable[[], onnx.ModelProto]
    options: tuple[str, ...]


def _grown(series: str, size: int, *options: str) -> Case:
    return Case(lambda: SERIES[series].model(size), options)


CASES: dict[str, Case] = {
    "tfc-2w2a": Case(MODELS["tfc-2w2a"], ("--target", "ultra96", "--no-verify")),
    "cnv-2w2a": Case(MODELS["cnv-2w2a"], ("--target", "ultra96", "--no-verify")),
    "resnet18-4w4a": Case(MODELS["resnet18-4w4a"], ("--target", "u250", "--no-verify")),
    "mobilenetv1-4w4a": Case(MODELS["mobilenetv1-4w4a"], ("--target", "u250", "--no-verify")),
    "300-convolutions": _grown("layers", 300, "--target", "u250", "--no-verify"),
    "300-convolutions-fps-1": _grown("layers", 300, "--target", "u250", "--fps", "1", "--no-verify"),
    "640x640-verified": _grown("image", 640, "--target", "u250", "--fps", "1"),
    "10^8-weights": _grown("weights", 10**8, "--target", "ultra96", "--execution", "loopback", "--no-verify"),
}


@dataclass(frozen=True)
class Pairs:
    """What both sides took, in turn; ``before`` is empty where there is no other side."""

    before: tuple[Cost, ...]
    now: tuple[Cost, ...]

    @property
    def ratios(self) -> tuple[float, ...]:
        """CPU time now over CPU time before, of each pair, ascending."""
        return tuple(sorted(n.cpu_s / b.cpu_s for b, n in zip(self.before, self.now, strict=False)))

    def row(self) -> str:
        """Medians of CPU seconds and of the ratios, and the peaks, as a line of the table."""

        def side(costs: Sequence[Cost]) -> str:
            if not costs:
                return f"{'-':>8} {'-':>8}"
            cpu, peak = statistics.median(c.cpu_s for c in costs), max(c.peak_bytes for c in costs)
            return f"{cpu:8.2f} {peak / 1e6:8.0f}"

        ratios = self.ratios
        ratio = f"{statistics.median(ratios):8.2f} {ratios[0]:6.2f}-{ratios[-1]:.2f}" if ratios else f"{'-':>8}"
        return f"{side(self.before)} {side(self.now)} {ratio}"


def compare(before: Callable[[], Cost] | None, now: Callable[[], Cost], pairs: int) -> Pairs:
    """Runs both sides once unmeasured, then ``pairs`` times in turn. A side that fails raises RuntimeError."""
    sides = [side for side in (before, now) if side]
    for side in sides:
        side()
    costs = [[side() for side in sides] for _ in range(pairs)]
    return Pairs(tuple(c[0] for c in costs) if before else (), tuple(c[-1] for c in costs))


def taken_out(commit: str, folder: Path) -> Path:
    """The tree of ``commit`` in ``folder``, its packages where an installed flowc has them."""
    packed = subprocess.run(["git", "archive", commit], cwd=_ROOT, capture_output=True, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        archive.extractall(folder, filter="data")
    for beside in _BESIDE:
        (folder / beside).rename(folder / "flowc" / beside)
    return folder


def copied(folder: Path) -> Path:
    """The packages of this checkout in ``folder``, where an installed flowc has them."""
    for package, place in (("flowc", "flowc"), *((beside, f"flowc/{beside}") for beside in _BESIDE)):
        shutil.copytree(_ROOT / package, folder / place, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def _build(model: Path, options: tuple[str, ...], tree: Path, scratch: Path) -> Callable[[], Cost]:
    command = [sys.executable, "-m", "flowc", "build", model, *options, "-o", scratch / "out", "--force"]
    return lambda: metered(command, cwd=scratch, environment={"PYTHONPATH": str(tree)})


def _case(case: Case, trees: tuple[Path | None, Path], pairs: int, scratch: Path) -> Pairs:
    model = scratch / "net.onnx"
    onnx.save(onnx.shape_inference.infer_shapes(case.model()), model)
    before, now = (_build(model, case.options, tree, scratch) if tree else None for tree in trees)
    assert now
    try:
        return compare(before, now, pairs)
    except RuntimeError as error:
        if before is None:
            raise
        print(f"the earlier commit does not build it: {error}", flush=True)
        return compare(None, now, pairs)


def _estimates(python: str, pairs: int, scratch: Path) -> Pairs:
    model = scratch / "net.onnx"
    onnx.save(onnx.shape_inference.infer_shapes(MODELS["cnv-2w2a"]()), model)
    theirs = [python, _ROOT / "benchmarks" / "finn_plus.py", model, scratch / "finn"]
    ours = [sys.executable, "-m", "flowc", "estimate", model, "--target", "ultra96", "--fps", "3000"]
    return compare(lambda: metered(theirs, cwd=scratch), lambda: metered(ours, cwd=_ROOT), pairs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=CASES, action="append", help="one build (may be repeated)")
    parser.add_argument("--against", metavar="COMMIT", help="the earlier commit; left out, one side is measured")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--finn", metavar="PYTHON", help="the Python of an environment with finn-plus")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    print(f"{'build':<24} {'before s':>8} {'MB':>8} {'now s':>8} {'MB':>8} {'ratio':>8} (smallest-largest)")
    found: dict[str, Pairs] = {}
    with tempfile.TemporaryDirectory() as scratch:
        before = taken_out(options.against, Path(scratch) / "before") if options.against else None
        trees = (before, copied(Path(scratch) / "now"))
        for name in options.only or CASES:
            found[name] = _case(CASES[name], trees, options.pairs, Path(scratch))
            print(f"{name:<24} {found[name].row()}", flush=True)
        if options.finn:
            found["estimate beside finn-plus"] = _estimates(options.finn, options.pairs, Path(scratch))
            print(f"{'estimate, finn-plus':<24} {found['estimate beside finn-plus'].row()}")
    if options.json:
        options.json.write_text(json.dumps(_content(found, options.against), indent=1) + "\n", encoding="utf-8")


def _content(found: dict[str, Pairs], against: str | None) -> dict[str, Any]:
    def side(costs: Sequence[Cost]) -> list[dict[str, float]]:
        return [{"cpu_s": round(c.cpu_s, 3), "peak_bytes": c.peak_bytes} for c in costs]

    return {"against": against, "builds": {n: {"before": side(p.before), "now": side(p.now)} for n, p in found.items()}}


if __name__ == "__main__":
    main()
