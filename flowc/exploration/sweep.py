"""Sweeps of a model over boards and frame rates: `flowc.explore`."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

import onnx

from flowc.dataflow.allocate import Limits, checked_clock, folding_of
from flowc.errors import InfeasibleError, UsageError, counted, shown
from flowc.exploration import plots
from flowc.exploration.executors import process_executor
from flowc.exploration.points import Point, pareto, rates, rows, slowest_cycles, to_csv
from flowc.exploration.points import explore as explore_graph
from flowc.model.input_type import InputType
from flowc.report.summary import html_table
from flowc.streamline.compile import compile_model
from flowc.targets import Target, load_target
from flowc.version import __version__

__all__ = ["COUNT", "Sweep", "explore"]

COUNT = 12
"""Frame rates per target, where no number is given."""

SWEEP_SCHEMA = 1
_SPAN = 1000
"""How far a range that is not given goes down from the highest rate that fits, at most."""


@dataclass(frozen=True, repr=False)
class Sweep:
    """What was found.

    Attributes:
        model: name of the model.
        targets: the boards.
        points: an allocation per board and frame rate, or why there is none.
    """

    model: str
    targets: tuple[Target, ...]
    points: tuple[Point, ...]

    @property
    def front(self) -> list[Point]:
        """The points that no other of the same board beats in rate and in every resource; ascending rates per board."""
        return pareto(self.points)

    def __repr__(self) -> str:
        parts = []
        for target in self.targets:
            mine = [p for p in self.front if p.target == target.name]
            if mine:
                parts.append(
                    f"{target.name} {mine[0].fps:,.4g} to {mine[-1].fps:,.4g} frames/s in {counted(len(mine), 'design')}"
                )
            else:
                parts.append(f"{target.name}: nothing fits")
        return f"<flowc sweep of {shown(self.model)}, {counted(len(self.points), 'point')}: {'; '.join(parts)}>"

    def _repr_html_(self) -> str:
        head = ("board", "execution", "frames/s", "latency ms", "LUT", "FF", "BRAM18", "URAM", "DSP", "bottleneck")
        keys = ("target", "execution", "fps", "latency_ms", "lut", "ff", "bram18", "uram", "dsp", "bottleneck")
        table = html_table(repr(self)[1:-1], head, ([getattr(p, key) for key in keys] for p in self.front))
        if not plots.installed("matplotlib") or not self.front:
            return table
        picture = self.plot("svg").decode()
        return table + picture[picture.index("<svg") :]

    def csv(self) -> str:
        """All points, one per line below a header; what is unknown is empty."""
        return to_csv(self.points)

    def json(self) -> str:
        """All points, and the boards' resources, as a JSON object; what is unknown is null."""
        document = {
            "schema": SWEEP_SCHEMA,
            "flowc": __version__,
            "model": self.model,
            "available": {target.name: target.available for target in self.targets},
            "points": rows(self.points),
        }
        return json.dumps(document, indent=1, allow_nan=False) + "\n"

    def plot(self, kind: str = "svg") -> bytes:
        """A picture of the fronts, resources against frames per second: "svg", "png" or "pdf".

        Raises:
            UsageError: matplotlib is missing, or the kind is another.
        """
        return plots.picture(self, kind)

    def chart(self, width: int = 100, height: int = 20, *, color: bool = False) -> str:
        """The fronts as text: how full each board is against frames per second.

        Raises:
            UsageError: plotille is missing.
        """
        return plots.chart(self, width, height, color=color)


def explore(
    model: str | os.PathLike[str] | onnx.ModelProto,
    targets: Sequence[str | os.PathLike[str] | Target],
    *,
    fps_range: tuple[float, float] | None = None,
    count: int = COUNT,
    clock_mhz: float | None = None,
    input_type: str | InputType | None = None,
    folding: str | os.PathLike[str] | Mapping[str, Any] | None = None,
    utilization: str | Limits | None = None,
    execution: str = "dataflow",
    backend: str | None = None,
    workers: int | None = 1,
    executor: Executor | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> Sweep:
    """What a model costs at several frame rates on several boards.

    Args:
        model: path of an ONNX file, or a model in memory.
        targets: names of known boards, or paths of target files.
        fps_range: lowest and highest rate. None: for each board from the slowest folding (or a thousandth of the highest
            rate) to the highest rate that fits.
        count: rates per board, each the same factor above the one before.
        clock_mhz, input_type, folding, utilization: as for `flowc.build`.
        execution: "dataflow", "loopback", or "auto": both, in one front.
        backend: hardware language, as for `flowc.build`.
        workers: processes to compute with; None: one per core. With more than one, a script keeps what it does below
            ``if __name__ == "__main__":``, as always with processes.
        executor: where to compute instead, such as `flowc.dataflow.allocate.dask_executor`'s.
        progress: called with the stage, and the numbers of points done and wanted (0 before that is known).

    Raises:
        ModelError: the model can't be read or holds what can't become hardware.
        UsageError, TargetError: an option makes no sense.
        InfeasibleError: no rate can be reached on any board.
    """
    if execution not in ("auto", "dataflow", "loopback"):
        raise UsageError(
            f"execution must be auto, dataflow or loopback, not '{shown(execution)}'", remedy="Give one of these"
        )
    tell = progress or (lambda stage, done, total: None)
    boards = _boards(targets, clock_mhz)
    wanted = None if fps_range is None else rates(*fps_range, count)
    rates(1, 1, count)
    fixed, limits = folding_of(folding), Limits.of(utilization)
    kind = InputType.parse(input_type) if isinstance(input_type, str) else input_type
    if executor is None and workers != 1:
        with process_executor(workers) as pool:
            return explore(
                model, boards, fps_range=fps_range, count=count, clock_mhz=clock_mhz, input_type=kind, folding=fixed,
                utilization=limits, execution=execution, backend=backend, executor=pool, progress=progress,
            )  # fmt: skip
    compiled = compile_model(model, input_type=kind, progress=lambda stage: tell(stage, 0, 0))
    slowest = slowest_cycles(compiled.graph, fixed)
    styles = ("dataflow", "loopback") if execution == "auto" else (execution,)
    done_before = 0

    def points(style: str, jobs: list[tuple[Target, float | None]], total: int) -> list[Point]:
        tell("allocate", done_before, total)
        return explore_graph(
            compiled.graph,
            jobs,
            clock_mhz=clock_mhz,
            folding=fixed,
            utilization=limits,
            execution=style,
            backend=backend,
            executor=executor,
            progress=lambda done: tell("allocate", done_before + done, total),
        )

    found: list[Point] = []
    for style in styles:
        if wanted is not None:
            found += points(
                style, [(board, fps) for board in boards for fps in wanted], len(boards) * count * len(styles)
            )
            done_before = len(found)
            continue
        best = points(style, [(board, None) for board in boards], done_before + len(boards) * count)
        jobs: list[tuple[Target, float | None]] = []
        for board, point in zip(boards, best, strict=True):
            if point.fps is not None:
                floor = point.clock_mhz * 1e6 / slowest if style == "dataflow" else 0.0
                lowest = min(point.fps, max(floor, point.fps / _SPAN))
                slower_rates = rates(lowest, point.fps, count)[: count - 1] if lowest < point.fps else []
                jobs += [(board, fps) for fps in slower_rates]
        done_before += len(boards)
        slower = points(style, jobs, done_before + len(jobs)) if jobs else []
        done_before += len(jobs)
        found += [p for end in best for p in [*(s for s in slower if s.target == end.target), end]]
    sweep = Sweep(compiled.name, tuple(boards), tuple(found))
    _refuse_nothing(sweep)
    return sweep


def _boards(targets: Sequence[str | os.PathLike[str] | Target], clock_mhz: float | None) -> list[Target]:
    if isinstance(targets, str | os.PathLike):
        targets = [targets]
    boards = [target if isinstance(target, Target) else load_target(target) for target in targets]
    if not boards:
        raise UsageError("no target is named", remedy="'flowc targets' lists the known ones")
    for i, board in enumerate(boards):
        if any(board.name == other.name for other in boards[:i]):
            raise UsageError(f"target '{board.name}' is named twice", remedy="Name it once")
        checked_clock(clock_mhz, board)
    return boards


def _refuse_nothing(sweep: Sweep) -> None:
    """Raises InfeasibleError where no board reaches any rate."""
    if any(point.error is None for point in sweep.points):
        return
    first = {point.target: point.error for point in reversed(sweep.points)}
    listed = "; ".join(f"{target}: {shown(str(error), 500)}" for target, error in reversed(first.items()))
    raise InfeasibleError(
        f"no target reaches any of the rates: {listed}",
        remedy="Take lower rates, larger targets, or weights of fewer bits",
    )
