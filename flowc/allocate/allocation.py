"""Folding a dataflow graph for a target: the wanted rate at the least cost, or the highest rate that fits."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from flowc.allocate.check import check
from flowc.allocate.foldfile import fixed_layers
from flowc.allocate.layers import Layer, find_layers, fold_cycles
from flowc.allocate.limits import RESOURCES, Limits
from flowc.allocate.options import Option, OptionTable, vector
from flowc.allocate.select import Floats, Selection
from flowc.dataflow import Dataflow, Stream
from flowc.errors import InfeasibleError, UsageError
from flowc.passes.insert_width_converters import insert_width_converters, remove_width_converters
from flowc.targets import Target
from flowc.units.cost import Resources, fifo

__all__ = ["Allocation", "allocate", "fifo_cost"]


@dataclass(frozen=True)
class Allocation:
    """A folded graph and what is said of it.

    Attributes:
        graph: folded, with width converters, FIFO depths and memories.
        clock_mhz: the clock that rates are for.
        fps: frames per second in steady state.
        interval_cycles: cycles between frames in steady state.
        latency_cycles: from a frame's first beat in to its last beat out, the pipeline being empty.
        bottleneck: name of the unit that sets the interval.
        resources: sum over units and FIFOs; None for what is not known.
        unit_resources: per unit.
        fifo_resources: per stream.
        available: the target's resources.
        budget: what the limits leave of them.
        fits: whether ``resources`` keeps ``budget``.
        notes: remarks for the user.
    """

    graph: Dataflow
    clock_mhz: float
    fps: float
    interval_cycles: int
    latency_cycles: int
    bottleneck: str
    resources: Resources
    unit_resources: Mapping[str, Resources]
    fifo_resources: Mapping[Stream, Resources]
    available: Mapping[str, int]
    budget: Mapping[str, int]
    fits: bool
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Chosen:
    """A selection at an interval, with the options it chose from."""

    limit: int
    selection: Selection
    options: list[Option]


class _Search:
    """The search for the options of all layers."""

    def __init__(self, graph: Dataflow, layers: list[Layer], target: Target, limits: Limits) -> None:
        self.layers = layers
        self.table = OptionTable(graph, layers, uram=target.uram > 0)
        self.budget = limits.budget(target)
        self.budgets = np.array([float(self.budget[name]) for name in RESOURCES])
        available = np.array([max(1.0, float(target.available[name])) for name in RESOURCES])
        self.weights = np.where(np.array(RESOURCES) == "ff", 0.05, 1.0) / available
        self.reserve = np.zeros(len(RESOURCES))

    def at(self, limit: int) -> _Chosen:
        """The cheapest choice of at most ``limit`` cycles."""
        problem, options = self.table.problem(limit)
        selection = problem.solve(np.maximum(self.budgets - self.reserve, 0.0), self.weights)
        chosen = [found[i] for found, i in zip(options, selection.choice, strict=True)]
        return _Chosen(limit, selection, chosen)

    def slowest_least(self) -> tuple[int, Layer]:
        """The least interval that every layer can reach regardless of cost, and the layer that sets it."""
        return max(((min(_cycles(layer)), layer) for layer in self.layers), key=lambda pair: pair[0])

    def fastest(self) -> _Chosen:
        """The choice of the least interval that fits. Raises InfeasibleError where nothing does."""
        floor, _ = self.slowest_least()
        intervals = sorted({c for layer in self.layers for c in _cycles(layer) if c >= floor})
        low, high = 0, len(intervals) - 1
        best = self.at(intervals[high])
        if not best.selection.fits:
            raise _does_not_fit(self, best)
        while low < high:
            middle = (low + high) // 2
            trial = self.at(intervals[middle])
            if trial.selection.fits:
                best, high = trial, middle
            else:
                low = middle + 1
        return best


def _cycles(layer: Layer) -> list[int]:
    """Intervals at which something changes for a layer."""
    if not layer.pinned:
        return fold_cycles(layer)
    return [min(fold.cycles for fold in layer.folds(0))]


def allocate(
    graph: Dataflow,
    target: Target,
    *,
    clock_mhz: float | None = None,
    fps: float | None = None,
    folding: Mapping[str, Any] | None = None,
    utilization: Limits | None = None,
) -> Allocation:
    """Folds ``graph`` for ``target``.

    Args:
        graph: units of any folding (it is chosen anew), without or with width converters (they are placed anew).
        target: the board.
        clock_mhz: clock; the target's own by default.
        fps: wanted frames per second: the least resources that reach it are taken. None: the highest rate that fits.
        folding: what the user fixes, see `flowc.allocate.foldfile`.
        utilization: shares of the target that may be used.

    Raises:
        UsageError: a clock, rate or folding that makes no sense.
        InfeasibleError: the rate can't be reached, or nothing fits.
    """
    limits = utilization if utilization is not None else Limits()
    clock = _checked_clock(clock_mhz, target)
    wanted = _checked_interval(fps, clock)
    base = remove_width_converters(graph)
    layers = fixed_layers(find_layers(base), folding or {})
    search = _Search(base, layers, target, limits)
    chosen = search.fastest() if wanted is None else _reach(search, wanted, fps or 0.0, clock)
    folded = insert_width_converters(_apply(base, chosen.options))
    check(folded)
    return _allocation(folded, search, clock, target)


def _reach(search: _Search, wanted: int, fps: float, clock: float) -> _Chosen:
    """The cheapest choice of at most ``wanted`` cycles. Raises InfeasibleError that names what binds."""
    floor, layer = search.slowest_least()
    if floor > wanted:
        why = "its folding is fixed" if layer.pinned else "fully unfolded"
        raise InfeasibleError(
            f"{fps:g} fps at {clock:g} MHz leave {wanted:,} cycles per frame, but layer '{layer.name}' ({why}) takes "
            f"{floor:,}: at most {clock * 1e6 / floor:,.0f} fps",
            remedy="Ask for a lower rate, raise the clock, or change the layer",
        )
    chosen = search.at(wanted)
    if chosen.selection.fits:
        return chosen
    raise _rate_does_not_fit(search, chosen, fps, clock)


def _rate_does_not_fit(search: _Search, chosen: _Chosen, fps: float, clock: float) -> InfeasibleError:
    over = _overrun(search, chosen)
    try:
        best = search.fastest()
    except InfeasibleError as error:
        return error
    limit = max(o.fold.cycles for o in best.options)
    return InfeasibleError(
        f"{fps:g} fps at {clock:g} MHz do not fit: {over}. The highest rate that fits is {clock * 1e6 / limit:,.0f} fps",
        remedy="Ask for a lower rate, a higher clock or utilization limit, or a larger target",
    )


def _does_not_fit(search: _Search, chosen: _Chosen) -> InfeasibleError:
    return InfeasibleError(
        f"the network does not fit on chip, however slow: {_overrun(search, chosen)}",
        remedy="Take a larger target, fewer weight bits, or a smaller network; execution from external memory is not available yet",
    )


def _overrun(search: _Search, chosen: _Chosen) -> str:
    """Which resource binds, and its three biggest consumers."""
    use = chosen.selection.use + search.reserve
    share = use / np.maximum(search.budgets, 1.0)
    k = int(np.argmax(share))
    name = RESOURCES[k]
    parts = sorted(zip((o.use[k] for o in chosen.options), search.layers, strict=True), key=lambda p: -p[0])[:3]
    listed = ", ".join(f"'{layer.name}' {amount:,.0f}" for amount, layer in parts)
    return f"{use[k]:,.0f} {name} needed of {search.budgets[k]:,.0f} allowed; the biggest are {listed}"


def _apply(graph: Dataflow, options: list[Option]) -> Dataflow:
    changed = {name: graph[name].with_(**changes) for o in options for name, changes in o.changes.items() if changes}
    return graph.with_units(changed)


def fifo_cost(graph: Dataflow, stream: Stream) -> Resources:
    """What a sized stream's FIFO costs."""
    width = graph[stream.src].out_widths[stream.src_port] * graph.frame(stream).dtype.bits
    return fifo(stream.depth or 2, width, stream.memory or "srl")


def _allocation(graph: Dataflow, search: _Search, clock: float, target: Target) -> Allocation:
    units = {u.name: u.resources for u in graph}
    fifos = {s: fifo_cost(graph, s) for s in graph.streams}
    total = Resources.total([*units.values(), *fifos.values()])
    slowest = max(graph, key=lambda u: u.cycles)
    return Allocation(
        graph=graph,
        clock_mhz=clock,
        fps=clock * 1e6 / slowest.cycles,
        interval_cycles=slowest.cycles,
        latency_cycles=sum(u.cycles for u in graph),
        bottleneck=slowest.name,
        resources=total,
        unit_resources=units,
        fifo_resources=fifos,
        available=target.available,
        budget=search.budget,
        fits=bool((vector(total) <= search.budgets).all()),
    )


def _checked_clock(clock_mhz: float | None, target: Target) -> float:
    clock = target.clock_mhz if clock_mhz is None else clock_mhz
    if not math.isfinite(clock) or clock <= 0:
        raise UsageError(f"the clock must be above 0 MHz, not {clock}")
    if clock > target.max_clock_mhz:
        raise UsageError(f"{clock:g} MHz is above the limit of {target.max_clock_mhz:g} MHz of target '{target.name}'")
    return clock


def _checked_interval(fps: float | None, clock: float) -> int | None:
    if fps is None:
        return None
    if not math.isfinite(fps) or fps <= 0:
        raise UsageError(f"the frame rate must be above 0, not {fps}")
    interval = math.floor(clock * 1e6 / fps)
    if interval < 1:
        raise InfeasibleError(f"{fps:g} fps are more than the clock's {clock * 1e6:,.0f} cycles per second")
    return interval
