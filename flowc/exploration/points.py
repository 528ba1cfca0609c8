"""Sweeps over frame rates and targets: what each rate costs, and which points no other beats.

The points are computed through a `concurrent.futures.Executor`: a process pool's, or a Dask cluster's (`flowc.exploration.executors`).
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import BrokenExecutor, CancelledError, Executor, as_completed
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np

from flowc.backends import chosen, find
from flowc.backends.rtl.board import check_board
from flowc.dataflow.allocate.allocation import Allocation, allocate
from flowc.dataflow.allocate.foldfile import fixed_layers
from flowc.dataflow.allocate.layers import find_layers, fold_cycles
from flowc.dataflow.allocate.limits import Limits
from flowc.dataflow.emulator import unfolded
from flowc.errors import InfeasibleError, UsageError
from flowc.exploration.executors import Cluster
from flowc.loopback.allocate import Wish, engine_clock
from flowc.loopback.allocate import allocate as allocate_loopback
from flowc.loopback.ranges import fit_all
from flowc.passes.insert_width_converters import remove_width_converters
from flowc.passes.remove_whole_windows import remove_whole_windows
from flowc.targets import Target
from flowc.units import Mvtu, Vvtu
from flowc.units.graph import Dataflow

__all__ = ["MOST_RATES", "Point", "explore", "pareto", "rates", "rows", "slowest_cycles", "to_csv"]

MOST_RATES = 1000
"""Most frame rates of one range."""

_COSTS = ("lut", "bram18", "uram", "dsp")


@dataclass(frozen=True)
class Point:
    """One allocation of the sweep. Where none exists, ``error`` says why and the figures are None.

    Attributes:
        target: name of the target.
        clock_mhz: clock.
        wanted_fps: the rate asked for; None: the highest that fits.
        fps, interval_cycles, latency_ms: reached.
        lut, ff, bram18, uram, dsp: used.
        bottleneck: unit that sets the rate.
        error: why there is no allocation.
        execution: style, "dataflow" or "loopback".
        batch: images at a time, of loopback execution.
    """

    target: str
    clock_mhz: float
    wanted_fps: float | None
    fps: float | None = None
    interval_cycles: int | None = None
    latency_ms: float | None = None
    lut: int | None = None
    ff: int | None = None
    bram18: int | None = None
    uram: int | None = None
    dsp: int | None = None
    bottleneck: str | None = None
    error: str | None = None
    execution: str = "dataflow"
    batch: int | None = None


def rates(lowest: float, highest: float, count: int) -> list[float]:
    """``count`` frame rates from ``lowest`` to ``highest``, each the same factor above the one before.

    Raises:
        UsageError: the range makes no sense.
    """
    if not (math.isfinite(lowest) and math.isfinite(highest) and 0 < lowest <= highest):
        raise UsageError(
            f"a range of frame rates goes from above 0 upward, not from {lowest} to {highest}",
            remedy="Give the lower rate first, above 0",
        )
    if not 1 <= count <= MOST_RATES:
        raise UsageError(
            f"the number of frame rates must be 1 to {MOST_RATES:,}, not {count:,}",
            remedy="Give a number in that range",
        )
    if count == 1:
        return [lowest]
    return [lowest * (highest / lowest) ** (i / (count - 1)) for i in range(count)]


def slowest_cycles(graph: Dataflow, folding: Mapping[str, Any] | None = None) -> int:
    """Cycles per frame at which every layer is folded as far as it goes: slower is no cheaper.

    Raises:
        UsageError: ``folding`` names what ``graph`` does not have.
    """
    base = remove_whole_windows(remove_width_converters(graph))
    layers = fixed_layers(find_layers(base), {} if folding is None else folding)
    return max((cycles[-1] for layer in layers if (cycles := fold_cycles(layer))), default=1)


def explore(
    graph: Dataflow,
    wanted: Sequence[tuple[Target, float | None]],
    *,
    clock_mhz: float | None = None,
    folding: Mapping[str, Any] | None = None,
    utilization: Limits | None = None,
    execution: str = "dataflow",
    backend: str | None = None,
    executor: Executor | None = None,
    progress: Callable[[int], None] | None = None,
) -> list[Point]:
    """A point for every target and rate, in this order.

    Args:
        graph: as for `allocate`.
        wanted: targets and frame rates; None asks for the highest rate that fits.
        clock_mhz, folding, utilization: as for `allocate`.
        execution: the style, "dataflow" or "loopback".
        backend: hardware language; None: each target's own.
        executor: where to compute; None: here, one after the other.
        progress: called with the number of points done.

    Raises:
        UsageError: as for `allocate`, a target has no tool for the backend, or a worker was lost.
        UnsupportedError: the backend lacks a unit.

        A rate that can't be reached is no error but a point without figures.
    """
    languages = {target.name: chosen(backend, target) for target, _ in wanted}
    jobs: list[tuple[Any, ...]]
    if execution == "loopback":
        whole = unfolded(graph)
        fits = fit_all(whole)
        jobs = [
            (_loopback_point, whole, fits, target, languages[target.name], fps, clock_mhz, utilization)
            for target, fps in wanted
        ]
    else:
        light = {name: _light(_prepared(graph, name)) for name in set(languages.values())}
        jobs = [
            (_point, light[languages[target.name]], target, fps, clock_mhz, folding, utilization)
            for target, fps in wanted
        ]
    tell = progress or (lambda done: None)
    if executor is None:
        found = []
        for job in jobs:
            found.append(job[0](*job[1:]))
            tell(len(found))
        return found
    lost: tuple[type[Exception], ...] = (BrokenExecutor, CancelledError, ImportError)
    if isinstance(executor, Cluster):
        lost += executor.lost
    futures = []
    try:
        futures = [executor.submit(*job) for job in jobs]
        for done, future in enumerate(as_completed(futures), 1):
            future.result()
            tell(done)
        return [future.result() for future in futures]
    except lost as error:
        reason = str(error) or (
            "it, or the scheduler, ended" if isinstance(error, CancelledError) else type(error).__name__
        )
        raise UsageError(
            f"a worker was lost: {reason}",
            remedy="Take fewer workers if memory ran out; a cluster's need flowc installed",
        ) from error
    finally:
        for future in futures:
            future.cancel()


def _prepared(graph: Dataflow, language: str) -> Dataflow:
    """The graph with the units that a backend writes. Raises UnsupportedError for one that it can't write."""
    backend = find(language)
    backend.check(graph)
    return backend.prepare(graph)


def _light(graph: Dataflow) -> Dataflow:
    """``graph`` with its weights in few bytes: it travels to other processes, and only their shape matters there."""
    units = {u.name: u.with_(weights=u.weights.astype(np.int8)) for u in graph if isinstance(u, Mvtu | Vvtu)}
    return graph.with_units(units)


def _point(
    graph: Dataflow,
    target: Target,
    fps: float | None,
    clock_mhz: float | None,
    folding: Mapping[str, Any] | None,
    utilization: Limits | None,
) -> Point:
    clock = target.clock_mhz if clock_mhz is None else clock_mhz
    try:
        found = allocate(graph, target, clock_mhz=clock_mhz, fps=fps, folding=folding, utilization=utilization)
        check_board(found.graph, target, found.clock_mhz)
    except InfeasibleError as error:
        return Point(target.name, clock, fps, error=error.message)
    return _figures(found, target, fps)


def _loopback_point(
    graph: Dataflow,
    fits: Mapping[str, Any],
    target: Target,
    language: str,
    fps: float | None,
    clock_mhz: float | None,
    utilization: Limits | None,
) -> Point:
    clock = engine_clock(target) if clock_mhz is None else clock_mhz
    budget = (utilization or Limits()).budget(target)
    if language != "hls":
        error = f"the backend '{language}' writes dataflow designs only"
        return Point(target.name, clock, fps, error=error, execution="loopback")
    try:
        found = allocate_loopback(graph, fits, target, clock_mhz=clock, budget=budget, wish=Wish(fps))
    except InfeasibleError as error:
        return Point(target.name, clock, fps, error=error.message, execution="loopback")
    pairs = zip(found.program.network.layers, found.costs, strict=True)
    slowest = max(pairs, key=lambda pair: pair[1].cycles, default=None)
    used = found.resources
    return Point(
        target=target.name,
        clock_mhz=clock,
        wanted_fps=fps,
        fps=found.fps,
        interval_cycles=round(found.cycles / found.program.batch),
        latency_ms=found.latency_ms,
        lut=used.lut,
        ff=used.ff,
        bram18=used.bram18,
        uram=used.uram,
        dsp=used.dsp,
        bottleneck=None if slowest is None else slowest[0].name,
        execution="loopback",
        batch=found.program.batch,
    )


def _figures(found: Allocation, target: Target, fps: float | None) -> Point:
    used = found.resources
    return Point(
        target=target.name,
        clock_mhz=found.clock_mhz,
        wanted_fps=fps,
        fps=found.fps,
        interval_cycles=found.interval_cycles,
        latency_ms=found.latency_cycles / found.clock_mhz / 1e3,
        lut=used.lut,
        ff=used.ff,
        bram18=used.bram18,
        uram=used.uram,
        dsp=used.dsp,
        bottleneck=found.bottleneck,
    )


def pareto(points: Iterable[Point]) -> list[Point]:
    """Points with figures that no other of the same target beats in rate and in every resource; ascending rates per target."""
    known = [p for p in points if p.error is None]
    kept = [p for p in known if not any(_beats(q, p) for q in known if q.target == p.target)]
    unique = {(p.target, p.fps, *(getattr(p, c) for c in _COSTS)): p for p in reversed(kept)}
    order = list(dict.fromkeys(p.target for p in known))
    return sorted(unique.values(), key=lambda p: (order.index(p.target), p.fps or 0.0))


def _beats(a: Point, b: Point) -> bool:
    """Whether ``a`` is at least as good as ``b`` everywhere and better somewhere; an unknown cost counts as endless."""
    left = [-(a.fps or 0.0), *(_cost(a, c) for c in _COSTS)]
    right = [-(b.fps or 0.0), *(_cost(b, c) for c in _COSTS)]
    return left != right and all(x <= y for x, y in zip(left, right, strict=True))


def _cost(point: Point, name: str) -> float:
    value: int | None = getattr(point, name)
    return math.inf if value is None else value


def to_csv(points: Sequence[Point]) -> str:
    """The points as CSV with a header line; what is unknown is empty, ``front`` says whether `pareto` keeps the point."""
    out = io.StringIO()
    writer = csv.DictWriter(out, [*(f.name for f in fields(Point)), "front"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows(points))
    return out.getvalue()


def rows(points: Sequence[Point]) -> list[dict[str, Any]]:
    """The points as flat mappings, with ``front``: whether `pareto` keeps the point."""
    front = pareto(points)
    return [{**asdict(point), "front": point in front} for point in points]
