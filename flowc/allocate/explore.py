"""Sweeps over frame rates and targets: what each rate costs, and which points no other beats.

The points are computed through a `concurrent.futures.Executor`: a process pool, or a Dask cluster's (`dask_executor`).
"""

from __future__ import annotations

import csv
import importlib
import io
import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor, Future, as_completed
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np

from flowc.allocate.allocation import Allocation, allocate
from flowc.allocate.limits import Limits
from flowc.dataflow import Dataflow
from flowc.errors import InfeasibleError, UsageError
from flowc.targets import Target
from flowc.units import Mvtu, Vvtu

__all__ = ["Point", "dask_executor", "explore", "pareto", "rates", "to_csv", "to_json"]

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


def rates(lowest: float, highest: float, count: int) -> list[float]:
    """``count`` frame rates from ``lowest`` to ``highest``, each the same factor above the one before.

    Raises:
        UsageError: the range makes no sense.
    """
    if not (math.isfinite(lowest) and math.isfinite(highest) and 0 < lowest <= highest):
        raise UsageError(f"a range of frame rates goes from above 0 upward, not from {lowest} to {highest}")
    if count < 1:
        raise UsageError(f"the number of frame rates must be at least 1, not {count}")
    if count == 1:
        return [lowest]
    return [lowest * (highest / lowest) ** (i / (count - 1)) for i in range(count)]


def explore(
    graph: Dataflow,
    targets: Sequence[Target],
    wanted: Sequence[float | None],
    *,
    clock_mhz: float | None = None,
    folding: Mapping[str, Any] | None = None,
    utilization: Limits | None = None,
    executor: Executor | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[Point]:
    """A point for every target and rate, in this order.

    Args:
        graph: as for `allocate`.
        targets: the boards.
        wanted: frame rates; None asks for the highest that fits.
        clock_mhz, folding, utilization: as for `allocate`.
        executor: where to compute; None: here, one after the other.
        progress: called with the number of points done and of all.

    Raises:
        UsageError: as for `allocate`. A rate that can't be reached is no error but a point without figures.
    """
    light = _light(graph)
    jobs = [(light, target, fps, clock_mhz, folding, utilization) for target in targets for fps in wanted]
    points: list[Point | None] = [None] * len(jobs)
    if executor is None:
        for i, job in enumerate(jobs):
            points[i] = _point(*job)
            if progress is not None:
                progress(i + 1, len(jobs))
    else:
        futures = {executor.submit(_point, *job): i for i, job in enumerate(jobs)}
        for done, future in enumerate(as_completed(futures), 1):
            points[futures[future]] = future.result()
            if progress is not None:
                progress(done, len(jobs))
    return [p for p in points if p is not None]


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
    except InfeasibleError as error:
        return Point(target.name, clock, fps, error=error.message)
    return _figures(found, target, fps)


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


def to_csv(points: Iterable[Point]) -> str:
    """The points as CSV with a header line; what is unknown is empty."""
    out = io.StringIO()
    writer = csv.DictWriter(out, [f.name for f in fields(Point)], lineterminator="\n")
    writer.writeheader()
    for point in points:
        writer.writerow(asdict(point))
    return out.getvalue()


def to_json(points: Iterable[Point]) -> str:
    """The points as a JSON array of objects; what is unknown is null."""
    return json.dumps([asdict(p) for p in points], indent=1) + "\n"


class _Cluster(Executor):
    """A Dask client as an executor that closes the client with itself."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._executor: Executor = client.get_executor()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        return self._executor.submit(fn, *args, **kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self._executor.shutdown(wait and not cancel_futures)
        self._client.close()


def dask_executor(address: str) -> Executor:
    """An executor on the Dask cluster whose scheduler is at ``address``; its workers must have flowc installed.

    Raises:
        UsageError: the package ``distributed`` is missing, or no scheduler answers.
    """
    try:
        distributed = importlib.import_module("distributed")
    except ImportError:
        raise UsageError(
            "a Dask cluster needs the package 'distributed'", remedy="Install it with: pip install 'flowc[dask]'"
        ) from None
    try:
        return _Cluster(distributed.Client(address))
    except (OSError, ValueError) as error:
        raise UsageError(f"no Dask scheduler answers at '{address}': {error}") from None
