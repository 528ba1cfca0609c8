"""Folding a dataflow graph for a target: the wanted rate at the least cost, or the highest rate that fits."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np

from flowc import progress
from flowc.dataflow.allocate.beside import Beside
from flowc.dataflow.allocate.check import check
from flowc.dataflow.allocate.device import device_vector, gathered, on_device, vector
from flowc.dataflow.allocate.fifos import Fifo, fifo_cost, place_fifos, size_fifos
from flowc.dataflow.allocate.foldfile import fixed_layers
from flowc.dataflow.allocate.layers import Layer, find_layers
from flowc.dataflow.allocate.limits import RESOURCES, Limits
from flowc.dataflow.allocate.options import Option
from flowc.dataflow.allocate.pixels import counts, window_counts
from flowc.dataflow.allocate.search import Chosen, Search
from flowc.dataflow.allocate.select import Floats
from flowc.dataflow.allocate.simulation import simulate
from flowc.dataflow.allocate.status import StatusBlock
from flowc.dataflow.allocate.transfers import brought_bytes, least_transfer_cycles, line_latency, transfer_cycles
from flowc.errors import InfeasibleError, UsageError, counted
from flowc.interface.memory import MEMORY_PORTS
from flowc.interface.weights import weight_ports
from flowc.passes.insert_width_converters import insert_width_converters, remove_width_converters
from flowc.passes.remove_whole_windows import remove_whole_windows
from flowc.targets import Target
from flowc.units import Mvtu, Requant, Unit
from flowc.units.cost import LUTS_PER_BLOCK, Resources, fifo_memory
from flowc.units.graph import Dataflow, Stream
from flowc.units.likeness import of_each_kind

__all__ = ["Allocation", "allocate", "checked_clock"]

_FIFO_ROUNDS = 6
_SLOWER = 10
_SIMULATED_BEATS = 4_000_000
_LONGEST_INTERVAL = 2.0**60
_BLOCK_WORTHS = (LUTS_PER_BLOCK, 40, 2000)
_ULTRA_WORTHS = (1600, 200, 20000)
"""What blocks may be worth in look-up tables when FIFOs are placed: usual, plenty left, scarce."""


@dataclass(frozen=True)
class Allocation:
    """A folded graph and what is said of it.

    Attributes:
        graph: folded, with width converters, FIFO depths and memories.
        clock_mhz: the clock that rates are for.
        fps: frames per second in steady state.
        interval_cycles: cycles between frames in steady state: simulated, or (large networks) proven by a schedule.
        latency_cycles: simulated, from a frame's first beat in to its last beat out, the pipeline being empty;
            over a serial line, the line's time for both in it.
        bottleneck: name of the unit that sets the interval, or "external memory" or "serial line".
        resources: sum over units, FIFOs, the status block and the serial line; None for what is not known.
        unit_resources: per unit.
        fifo_resources: per stream.
        status_resources: of the status block; None where none was asked for.
        line_resources: of the board's serial line; None where flowc writes no board for the target.
        occupancy: per stream, the most beats that were held at once in the simulation.
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
    occupancy: Mapping[Stream, int]
    available: Mapping[str, int]
    budget: Mapping[str, int]
    fits: bool
    notes: tuple[str, ...] = ()
    status_resources: Resources | None = None
    line_resources: Resources | None = None


def allocate(
    graph: Dataflow,
    target: Target,
    *,
    clock_mhz: float | None = None,
    fps: float | None = None,
    folding: Mapping[str, Any] | None = None,
    utilization: Limits | None = None,
    status: StatusBlock | None = None,
) -> Allocation:
    """Folds ``graph`` for ``target``.

    Args:
        graph: units of any folding (it is chosen anew), without or with width converters (they are placed anew).
        target: the board.
        clock_mhz: clock; the target's own by default.
        fps: wanted frames per second: the least resources that reach it are taken. None: the highest rate that fits.
        folding: what the user fixes, see `flowc.dataflow.allocate.foldfile`.
        utilization: shares of the target that may be used.
        status: the register block that is wanted beside the accelerator; None: none.

    Returns:
        The allocation. It fits, unless ``folding`` fixes every layer: then ``fits`` says whether it does.

    Raises:
        UsageError: a clock, rate or folding that makes no sense.
        InfeasibleError: the rate can't be reached, or nothing fits.
    """
    limits = utilization if utilization is not None else Limits()
    clock = checked_clock(clock_mhz, target)
    wanted = _checked_interval(fps, clock)
    base = _for_device(remove_whole_windows(remove_width_converters(graph)), target)
    ports = MEMORY_PORTS.get(target.family)
    layers = find_layers(base, *(() if ports is None else (ports.bits, ports.count)))
    layers = fixed_layers(layers, {} if folding is None else folding)
    _check_memories(layers, target)
    least = least_transfer_cycles(base, layers, target, clock)
    pinned = all(layer.pinned or not (layer.allowed("pe") or layer.allowed("simd")) for layer in layers)

    def tried(layers: Sequence[Layer]) -> tuple[Search, Dataflow]:
        search = Search(base, list(layers), target, limits, least)
        if wanted is not None and search.slowest_least()[0] > wanted:
            search = Search(base, [replace(layer, several=True) for layer in layers], target, limits, least)
        beside = Beside(target, clock, status)
        search.reserve = device_vector(beside.resources(base))
        return search, _sized(base, search, beside, lambda: _choose(search, wanted, fps, clock, pinned), pinned)

    try:
        search, sized = tried(layers)
    except InfeasibleError:
        if not any(layer.allowed("threshold_memory") for layer in layers):
            raise
        progress.at("memories of thresholds")
        search, sized = tried([replace(layer, memories=True) for layer in layers])
    search.transfer_cycles = transfer_cycles(sized, target, clock)
    if wanted is not None and not pinned and search.transfer_cycles > wanted:
        weights = " and weights" if brought_bytes(sized) else ""
        raise InfeasibleError(
            f"the {target.outside} takes {search.transfer_cycles:,} cycles to move a frame's inputs, outputs{weights}, each beat "
            f"filled up to {'whole' if target.baud else 'a power of two'} bytes; {fps:,.10g} fps at {clock:g} MHz are {wanted:,}",
            remedy="Fix pe and simd so that a beat fills a power of two bytes, keep weights on chip, or ask for a lower rate",
        )
    found = _allocation(sized, search, Beside(target, clock, status))
    if wanted is None and not pinned:
        bound = [*_bound(found, search)]
        found = replace(found, notes=(*found.notes, *bound, _tenth(found, search, single=bool(bound))))
    return found


def _sized(
    base: Dataflow,
    search: Search,
    beside: Beside,
    choose: Callable[[], Chosen],
    pinned: bool,
) -> Dataflow:
    """The graph folded as chosen, with FIFOs; chosen anew with a reserve where these are dearer than they were priced.

    Raises:
        InfeasibleError: no choice fits.
    """
    for _ in range(_FIFO_ROUNDS):
        folded = insert_width_converters(_apply(base, choose().options))
        check(folded)
        sized, use = _placed(size_fifos(folded), search, beside)
        over = use - search.budgets
        if pinned or (over <= 0).all():
            return sized
        # FIFOs cost more than the two beats that each was priced at.
        search.reserve = search.reserve + np.maximum(over, 0.0) * 1.02
    worst = max(range(over.size), key=lambda k: over[k] / max(1.0, search.budgets[k]))
    raise InfeasibleError(
        f"with its FIFOs the design takes {over[worst]:,.0f} {RESOURCES[worst]} more than may be used",
        remedy="Ask for a lower rate, a higher utilization limit, or take a larger target",
    )


def _bound(found: Allocation, search: Search) -> Iterator[str]:
    """What the user is told whose rate ends where a layer takes a pixel per cycle: nobody asked for more."""
    least, layer = search.slowest_least()
    if least == found.interval_cycles and (window_counts(layer) or counts(layer)) and not layer.pinned:
        yield (
            f"'{layer.name}' takes one pixel of a row per cycle, which bounds the rate; --fps above {found.fps:.0f}, or \"pixels\" in a "
            "folding file, lets it take several"
        )


def _tenth(found: Allocation, search: Search, *, single: bool) -> str:
    """What the user gets who asks for less than all that fits; ``single``: than all that one pixel per cycle gives."""
    use = search.at(_SLOWER * found.interval_cycles).selection.use
    listed = ", ".join(f"{amount:,.0f} {name}" for name, amount in zip(RESOURCES, use, strict=True) if name != "ff")
    rate = found.fps / _SLOWER
    shown_rate = f"{rate:,.0f}" if rate >= 1000 else f"{rate:.3g}"
    binds = any(unit.name == found.bottleneck for unit in found.graph)
    most = "this is all that one pixel per cycle gives" if single else "this is all that fits"
    end = most if binds else f"the {found.bottleneck} lets no more through"
    return f"{end}; a tenth of the rate, --fps {shown_rate.replace(',', '')}, would take about {listed}"


def _for_device(graph: Dataflow, target: Target) -> Dataflow:
    """The graph, one pixel per cycle and memories open as yet, with what units know of the device.

    That is the width of its DSP slices and, where units are pipelines, how soon thresholds in its block RAMs may be compared, and whether
    requantizers are slices.
    """
    graph = graph.with_units({u.name: u.with_(pixels=1) for u in graph if getattr(u, "pixels", 1) > 1})
    kept = [u for u in graph if u.threshold_memory not in (None, "auto")]
    graph = graph.with_units({u.name: u.with_(threshold_memory="auto") for u in kept})
    kept = [u for u in graph if u.threshold_memory is not None and u.structure == "pipeline"]
    graph = graph.with_units({u.name: u.with_(read_cycles=target.read_cycles) for u in kept})
    graph = graph.with_units(_requantizers(graph, slices=not target.is_open))
    return graph.with_units({u.name: u.with_(dsp_port=target.dsp_port) for u in graph if isinstance(u, Mvtu)})


def _requantizers(graph: Dataflow, *, slices: bool) -> dict[str, Unit]:
    """By name the pipelines with requantizers, which know then what the part has."""
    found = {}
    for unit in graph:
        activation = getattr(unit, "activation", None)
        if unit.structure == "pipeline" and isinstance(activation, Requant) and activation.slices != slices:
            found[unit.name] = unit.with_(activation=replace(activation, slices=slices))
    return found


def _check_memories(layers: Sequence[Layer], target: Target) -> None:
    """Raises UsageError where a layer is fixed to a kind of memory that the target lacks."""
    for layer in layers:
        key = next((k for k in ("memory", "window_memory") if layer.fixed.get(k) == "uram"), None)
        if key is not None and not target.uram:
            raise UsageError(
                f"folding '{layer.name}': '{key}' is uram, which target '{target.name}' does not have",
                remedy="Take lutram or bram" + (", or stream" if key == "memory" else ""),
            )


def _choose(search: Search, wanted: int | None, fps: float | None, clock: float, pinned: bool) -> Chosen:
    if pinned:
        slowest, _ = search.slowest_least()
        chosen = search.at(slowest)
        if wanted is None or slowest <= wanted:
            return chosen
    if wanted is None:
        return search.fastest()
    about = f"{fps:,.10g} fps at {clock:g} MHz are {counted(wanted, 'cycle')} per frame"
    remedy = "Ask for a lower rate, a higher clock or utilization limit, or take a larger target"
    try:
        chosen = search.reach(wanted)
    except InfeasibleError as error:
        floor = max(search.slowest_least()[0], search.transfer_cycles)
        raise InfeasibleError(
            f"{about}, but {error.message.rstrip('.')}: at most {clock * 1e6 / floor:,.1f} fps", remedy=remedy
        ) from None
    if chosen.selection.fits:
        return chosen
    fastest = search.fastest()
    rate = clock * 1e6 / max(o.fold.cycles for o in fastest.options)
    raise InfeasibleError(
        f"{about}, and that does not fit: {search.overrun(chosen)}. The highest rate that fits is {rate:,.1f} fps",
        remedy=remedy,
    )


def _apply(graph: Dataflow, options: list[Option]) -> Dataflow:
    changed = {name: graph[name].with_(**changes) for o in options for name, changes in o.changes.items() if changes}
    return graph.with_units(changed)


def _unit_resources(graph: Dataflow) -> dict[str, Resources]:
    return of_each_kind(graph, lambda unit: unit.resources)


def _placed(graph: Dataflow, search: Search, beside: Beside) -> tuple[Dataflow, Floats]:
    """FIFOs in the memories that the device has left: what exceeds the budgets least, then what costs least; and what all then takes."""
    units, fifos = Resources.total(_unit_resources(graph).values()), Counter(Fifo.of(graph, s) for s in graph.streams)
    others = device_vector(beside.resources(graph))

    def use(worths: tuple[float, float | None]) -> Floats:
        parts = (f.cost(fifo_memory(f.depth, f.bits, *worths)).times(count) for f, count in fifos.items())
        return others + device_vector(on_device(Resources.total([units, *parts]), beside.target))

    ultra = _ULTRA_WORTHS if search.budget["uram"] else (None,)
    best = min(product(_BLOCK_WORTHS, ultra), key=lambda worths: search.rating(use(worths)))
    return place_fifos(graph, *best), use(best)


def _allocation(graph: Dataflow, search: Search, beside: Beside) -> Allocation:
    target, clock = beside.target, beside.clock_mhz
    units = {name: on_device(used, target) for name, used in _unit_resources(graph).items()}
    fifos = {s: on_device(fifo_cost(graph, s), target) for s in graph.streams}
    total = gathered([*units.values(), *fifos.values(), beside.resources(graph)])
    slowest = max(graph, key=lambda u: u.interval)
    beats = sum(graph.frame(s).elements // graph[s.src].out_widths[s.src_port] for s in graph.streams)
    filled = len(graph.units) + 10  # frames: equally slow units in a row fill one after the other
    frames = max(1, min(filled, _SIMULATED_BEATS // max(1, beats)))
    progress.at(f"simulating {counted(frames, 'frame')}")
    seen = simulate(graph, frames, settled=slowest.interval)
    # The depths are proven to keep the slowest unit's interval; fewer frames need not show it yet.
    interval = seen.interval if frames == filled and seen.interval is not None else slowest.interval
    bottleneck = slowest.name
    if search.transfer_cycles > interval:
        interval, bottleneck = search.transfer_cycles, target.outside
    fits = bool((vector(total) <= search.budgets).all())
    return Allocation(
        graph=graph,
        clock_mhz=clock,
        fps=clock * 1e6 / interval,
        interval_cycles=interval,
        latency_cycles=seen.latency + line_latency(graph, target, clock),
        bottleneck=bottleneck,
        resources=total,
        unit_resources=units,
        fifo_resources=fifos,
        occupancy=seen.occupancy,
        available=target.available,
        budget=search.budget,
        fits=fits,
        notes=_notes(graph, units, fifos, total, search.budget, interval),
        status_resources=beside.status_resources(graph),
        line_resources=beside.line_resources(graph),
    )


def _notes(
    graph: Dataflow,
    units: Mapping[str, Resources],
    fifos: Mapping[Stream, Resources],
    total: Resources,
    budget: Mapping[str, int],
    interval: int,
) -> tuple[str, ...]:
    """The tightest resource with its three biggest consumers, what FIFOs take, what the model leaves out, what to change."""
    buffers = gathered(fifos.values())
    used = {n: getattr(total, n) or 0 for n in RESOURCES}
    share = {n: used[n] / budget[n] if budget[n] else math.inf * used[n] if used[n] else 0.0 for n in RESOURCES}
    tight = max(share, key=lambda n: share[n])
    biggest = sorted((n for n in units if getattr(units[n], tight)), key=lambda n: -getattr(units[n], tight))[:3]
    listed = ", ".join(f"'{n}' {getattr(units[n], tight):,}" for n in biggest)
    notes = [
        f"the tightest resource is {tight}: {used[tight]:,} of the {budget[tight]:,} that may be used; most of it goes to {listed}",
        f"FIFOs take {buffers.lut:,} lut, {buffers.bram18:,} bram18 and {buffers.uram:,} uram of the total",
    ]
    over = [f"{used[n] - budget[n]:,} {n}" for n in RESOURCES if used[n] > budget[n]]
    if over:
        notes.append(
            f"warning: does not fit: {', '.join(over)} too many; fold '{biggest[0]}' further, take a larger target, or lift a limit"
        )
    drain = max(graph, key=lambda u: u.interval).drain
    if drain * 10 > interval:
        notes.append(
            f"units work frame by frame: of the {interval:,} cycles per frame, about {drain} pass until a pipeline is empty and the "
            "next frame begins"
        )
    brought = weight_ports(graph)
    if brought:
        listed = ", ".join(f"'{p.unit.name}' ({p.unit.memory})" for p in brought)
        notes.append(
            f"weights in the external memory, which the driver puts there, and a block for each that reads them: {listed}"
        )
    missing = [n for n in RESOURCES if getattr(total, n) is None]
    if missing:
        notes.append(f"not known for every unit, so not counted: {', '.join(missing)}")
    return tuple(notes)


def checked_clock(clock_mhz: float | None, target: Target) -> float:
    """The clock in MHz, the target's own where none is given. Raises UsageError for one that the target can't have."""
    clock = target.clock_mhz if clock_mhz is None else clock_mhz
    if not isinstance(clock, int | float) or not math.isfinite(clock) or clock <= 0:
        raise UsageError(
            f"the clock must be above 0 MHz, not {clock}",
            remedy="Leave it out for the clock of the target, or give MHz such as 100",
        )
    if clock > target.max_clock_mhz:
        raise UsageError(
            f"{clock:g} MHz is above the limit of {target.max_clock_mhz:g} MHz of target '{target.name}'",
            remedy="Give a lower clock, or take a faster target",
        )
    return clock


def _checked_interval(fps: float | None, clock: float) -> int | None:
    if fps is None:
        return None
    if not isinstance(fps, int | float) or not math.isfinite(fps) or fps <= 0:
        raise UsageError(
            f"the frame rate must be above 0, not {fps}",
            remedy="Leave it out for as many frames as fit, or give a number such as 3000",
        )
    interval = math.floor(min(clock * 1e6 / fps, _LONGEST_INTERVAL))
    if interval < 1:
        message = f"{fps:,.10g} fps are more than the clock's {clock * 1e6:,.0f} cycles per second"
        raise InfeasibleError(message, remedy="ask for a lower rate: a frame takes a cycle at least")
    return interval
