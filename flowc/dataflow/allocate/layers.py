"""Layers of a dataflow graph: the units that must fold together, and every legal way to fold them.

A layer is named after its main unit. An MVTU, VVTU or pool takes with it the sliding window and the padding in front
of it; every other unit is a layer of its own.
"""

from __future__ import annotations

import json
from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, cached_property, lru_cache
from typing import Any

from flowc.dataflow.allocate.fold import MAX_LANES, Fold
from flowc.dataflow.allocate.pixels import counts, pixel_cycles, pixel_folds, window_counts
from flowc.interface.wire import MOST_WAYS, HostPort, crossing_cycles
from flowc.units import GlobalSum, Mvtu, Pool, Unit, Vvtu, Window, divisors
from flowc.units.base import RESTART
from flowc.units.cost import ARRIVING, MAX_PRODUCTS, MAX_STREAM_BITS, THRESHOLD_MEMORIES
from flowc.units.graph import Dataflow
from flowc.units.likeness import likeness
from flowc.units.port import Port

__all__ = ["Layer", "find_layers", "fold_cycles"]


@dataclass(frozen=True)
class Layer:
    """Units that fold together.

    Attributes:
        main: the unit that names the layer.
        window, pads: what stands in front of it, pads in stream order.
        fixed: folding keys that the user fixed.
        port_bits: of a boundary stream: bits per cycle of a processor's port to the external memory; None where there is none.
        port_ways: such ports that it may use at once.
        memories: whether the memories of thresholds, which nobody fixed, are an option.
        several: whether it may take several pixels per cycle, which nobody fixed, where one is too slow.
    """

    main: Unit
    window: Window | None = None
    pads: tuple[Unit, ...] = ()
    fixed: Mapping[str, Any] = field(default_factory=dict)
    port_bits: int | None = None
    port_ways: int = 1
    several: bool = False
    memories: bool = False

    @property
    def name(self) -> str:
        """Name of the main unit."""
        return self.main.name

    @property
    def units(self) -> tuple[Unit, ...]:
        """Members in stream order."""
        return (*self.pads, *([self.window] if self.window is not None else []), self.main)

    @property
    def first(self) -> Unit:
        """The unit that the layer's input streams enter."""
        return self.units[0]

    @cached_property
    def likeness(self) -> Hashable:
        """Equal for layers that have the same folds at the same cost: all but names and stored numbers."""
        fixed = json.dumps(dict(self.fixed), sort_keys=True)
        return tuple(likeness(u) for u in self.units), fixed, self.port_bits, self.port_ways

    def allowed(self, key: str) -> list[Any]:
        """Every legal value of a folding key; empty where the layer has no such key."""
        main = self.main
        if key in ("pe", "simd"):
            limited = key == "pe" or isinstance(main, Mvtu)
            return [d for d in main.folding().get(key, []) if d <= MAX_LANES or not limited]
        if key == "pixels":
            return [1, *counts(self)] if isinstance(main, Mvtu | Vvtu | Pool) else []
        if key in ("memory", "multiplier"):
            return main.styles().get(key, [])
        if key == "threshold_memory":
            return list(THRESHOLD_MEMORIES) if main.threshold_memory is not None else []
        if self.window is None:
            return []
        if key == "window_pixels":
            return [1, *window_counts(self)]
        if key == "window_memory":
            return ["auto", "lutram", "bram", "uram"]
        if key == "window_simd" and isinstance(main, Mvtu):
            return divisors(main.mw // main.taps)
        return [False, True] if key == "parallel" and isinstance(main, Mvtu | Vvtu | Pool) else []

    @property
    def pinned(self) -> bool:
        """Whether the user fixed all that decides the main unit's cycles."""
        keys = [k for k in ("pe", "simd") if self.allowed(k)]
        return (bool(keys) and all(k in self.fixed for k in keys)) or self.fixed.get("pixels", 1) > 1

    @property
    def _pixels(self) -> list[int]:
        """Numbers of pixels per cycle that are fixed, as output and as input of the window."""
        return [self.fixed[key] for key in ("pixels", "window_pixels") if key in self.fixed]

    @property
    def takes_several(self) -> bool:
        """Whether several pixels per cycle are an option: fixed, or allowed where nothing fixed says one."""
        return max(self._pixels, default=1) > 1 or (self.several and not self.pinned)

    @property
    def _one_pixel(self) -> int:
        """Most elements of one pixel in a beat of the main unit."""
        return max(self.main.inputs[0].c, self.main.outputs[0].c)

    def folds(self, limit: int) -> Iterator[Fold]:
        """Folds worth a look of at most ``limit`` cycles: for every lane count the least parallel inputs, and a few more.

        Several pixels per cycle are taken where they are fixed, and where one is too slow.
        """
        found = False
        if max(self._pixels, default=1) == 1:
            for fold in self._single_folds(limit):
                found = True
                yield fold
        if not found and self.takes_several:
            yield from pixel_folds(self, limit)

    def _single_folds(self, limit: int) -> Iterator[Fold]:
        if isinstance(self.main, Mvtu):
            yield from self._matrix_folds(self.main, limit)
        elif isinstance(self.main, Vvtu | Pool):
            yield from self._depthwise_folds(self.main, limit)
        else:
            yield from self._plain_folds(limit)

    @property
    def _arrive(self) -> bool:
        """Whether the user wants the weights to come from the external memory."""
        return self.fixed.get("memory") in ARRIVING

    def wanted(self, key: str, values: Iterable[Any]) -> list[Any]:
        return [self.fixed[key]] if key in self.fixed else list(values)

    def _plain_folds(self, limit: int) -> Iterator[Fold]:
        key = "pe" if "pe" in self.main.folding() else "simd"
        values = self.wanted(key, [v for v in self.allowed(key) if v <= self._one_pixel or self.several])
        if not values:
            yield Fold({}, self._interval(self.main), self.main.in_widths[0], self.main.out_widths[0])
            return
        found = 0
        for value in values:
            if found and value > self._one_pixel:
                return  # one pixel is enough
            unit = self._shared(self.main.with_(**{key: value}), limit)
            wide = max(w * f.dtype.bits for w, f in zip(unit.in_widths, unit.inputs, strict=True))
            if isinstance(unit, GlobalSum):
                wide = max(wide, unit.pe * unit.acc.bits)
            cycles = self._interval(unit)
            if cycles <= limit and wide <= MAX_STREAM_BITS:
                ways = {"ways": unit.ways} if isinstance(unit, Port) else {}
                yield Fold({self.name: {key: value} | ways}, cycles, unit.in_widths[0], unit.out_widths[0])
                found += 1
            if found == 6:  # wider than need be only saves width converters
                return

    def _front(self, simd: int, block: int, parallel: bool, limit: int) -> tuple[dict[str, dict[str, Any]], int]:
        """Changes of padding and window for ``simd`` channels per beat, and their cycles.

        The window's ring gets spare rows where it keeps to ``limit`` only with them.
        """
        changes: dict[str, dict[str, Any]] = {p.name: {"simd": simd} for p in self.pads}
        cycles = max((_pad_cycles(p, simd) for p in self.pads), default=0)
        if self.window is not None:
            spares = dict.fromkeys((0, 0 if parallel else _spare(self.window)))
            taken = {spare: _window_cycles(self.window, simd, block, parallel, spare) for spare in spares}
            spare = next((s for s in spares if taken[s] <= limit), 0)
            changes[self.window.name] = {"simd": simd, "block": block, "parallel": parallel, "spare": spare}
            cycles = max(cycles, taken[spare])
        return changes, cycles

    def _depthwise_folds(self, main: Vvtu | Pool, limit: int) -> Iterator[Fold]:
        for parallel in self.wanted("parallel", self.allowed("parallel") or [False]):
            found = 0
            for pe in self.wanted("pe", self.allowed("pe")):
                changes, cycles = self._front(pe, pe, parallel, limit)
                changes[main.name] = {"pe": pe, "parallel": parallel}
                unit = main.with_(**changes[main.name])
                cycles = max(cycles, unit.interval)
                wide = max(unit.in_widths[0] * main.frame.dtype.bits, unit.out_widths[0] * unit.outputs[0].dtype.bits)
                if max(unit.in_widths[0], unit.out_widths[0]) > MAX_LANES or (
                    isinstance(unit, Vvtu)
                    and (unit.products > MAX_PRODUCTS or (self._arrive and unit.weight_memory[1] > MAX_STREAM_BITS))
                ):
                    continue
                if cycles <= limit and wide <= MAX_STREAM_BITS:
                    yield Fold(changes, cycles, pe, unit.out_widths[0])
                    found += 1
                if found == 4:
                    break

    def _matrix_folds(self, main: Mvtu, limit: int) -> Iterator[Fold]:
        bits, channels = main.frame.dtype.bits, main.mw // main.taps
        work = main.frame.pixels * main.mh * main.mw
        drains = {simd: _drain(main, simd) for simd in self.wanted("simd", self.allowed("simd"))}
        fronts = cache(lambda simd: list(self._matrix_fronts(main, simd, channels, limit)))
        for pe in self.wanted("pe", self.allowed("pe")):
            if pe * main.out_type.bits > MAX_STREAM_BITS:
                continue
            found = 0
            for simd, drain in drains.items():
                cycles = work // (pe * simd) + drain
                weight_bits = simd * main.weight_type.bits
                if (
                    cycles > limit
                    or max(simd * bits, weight_bits) > MAX_STREAM_BITS
                    or (self._arrive and (pe * simd > MAX_PRODUCTS or pe * weight_bits > MAX_STREAM_BITS))
                ):
                    continue
                before = found
                for fold in fronts(simd):
                    changes = {**fold.changes, main.name: {"pe": pe, "simd": simd, **fold.changes.get(main.name, {})}}
                    slowest = max(cycles, fold.cycles)
                    if slowest <= limit:
                        yield Fold(changes, slowest, fold.in_width, pe, fold.converter)
                        found = before + 1
                if found == 4:
                    break

    def _matrix_fronts(self, main: Mvtu, simd: int, channels: int, limit: int) -> Iterator[Fold]:
        """Ways to feed an MVTU ``simd`` inputs per cycle; their ``out_width`` is unused."""
        if self.window is None:
            yield Fold({}, 0, simd, 0)
            return
        bits = main.frame.dtype.bits
        allowed = self.wanted("parallel", [False, True])
        if True in allowed and simd % main.taps == 0 and channels % (simd // main.taps) == 0 and main.taps > 1:
            block = simd // main.taps
            changes, cycles = self._front(block, block, True, limit)
            yield Fold({**changes, main.name: {"block": block}}, cycles, block, 0)
        if False not in allowed:
            return
        found = 0
        for width in self.wanted("window_simd", self._window_widths(simd, channels)):
            changes, cycles = self._front(width, channels, False, limit)
            if cycles > limit:
                continue
            inner = None if width == simd else (bits, width, simd)
            yield Fold({**changes, main.name: {"block": channels}}, cycles, width, 0, inner)
            found += 1
            if width == simd or found == 2:
                return

    @staticmethod
    def _window_widths(simd: int, channels: int) -> list[int]:
        """Widths of a window in front of ``simd`` inputs: the same where it can be, else ascending, even ratios first."""
        widths = divisors(channels)
        even = [w for w in widths if simd % w == 0 or w % simd == 0]
        return (
            ([simd] if simd in widths else []) + [w for w in even if w != simd] + [w for w in widths if w not in even]
        )

    def intervals(self) -> set[int]:
        """Cycles from frame to frame that a layer without weights, window and lanes of a pool can have."""
        key = "pe" if "pe" in self.main.folding() else "simd"
        values = [v for v in self.allowed(key) if v <= self._one_pixel or self.several or v == self.fixed.get(key)]
        units = [self.main.with_(**{key: value}) for value in values] or [self.main]
        return {self._interval(way) for unit in units for way in self._ways(unit)}

    def _ways(self, unit: Unit) -> list[Unit]:
        """A unit; of a boundary stream, with one DMA engine, two, and so on."""
        if not isinstance(unit, Port) or self.port_bits is None:
            return [unit]
        most = min(self.port_ways, HostPort.of(unit).memory_bytes)
        return [unit.with_(ways=ways) for ways in (1, 2, 4) if ways <= most]

    def _shared(self, unit: Unit, limit: int) -> Unit:
        """A boundary stream's unit with as few DMA engines as keep to ``limit`` cycles, or as many as there can be."""
        ways = self._ways(unit)
        return next((way for way in ways if self._interval(way) <= limit), ways[-1])

    def _interval(self, unit: Unit) -> int:
        """Cycles from frame to frame of the main unit with other fields; of a port, also those in which memory moves them."""
        if not isinstance(unit, Port) or self.port_bits is None:
            return unit.interval
        return max(unit.interval, crossing_cycles(unit, self.port_bits))

    def with_fixed(self, fixed: Mapping[str, Any]) -> Layer:
        """A copy whose folds all have the given values."""
        return replace(self, fixed=fixed)


@lru_cache(maxsize=4096)
def _pad_cycles(pad: Unit, simd: int) -> int:
    cycles: int = pad.with_(simd=simd).interval
    return cycles


def _spare(window: Window) -> int:
    """Rows that let a window take words while it can give none: all but one of those that it moves on by."""
    return window.stride[0] - 1


@lru_cache(maxsize=4096)
def _window_cycles(window: Window, simd: int, block: int, parallel: bool, spare: int) -> int:
    cycles: int = window.with_(simd=simd, block=block, parallel=parallel, spare=spare).interval
    return cycles


def find_layers(graph: Dataflow, port_bits: int | None = None, port_ways: int = 1) -> list[Layer]:
    """The layers of a graph without width converters, in topological order; ``port_bits`` and ``port_ways`` as of `Layer`."""
    taken: set[str] = set()
    layers = []
    for unit in graph:
        if not unit.takes_window:
            continue
        at = graph[graph.into(unit.name)[0].src]
        window = at if isinstance(at, Window) else None
        pads: list[Unit] = []
        while window is not None:
            at = graph[graph.into((pads[0] if pads else window).name)[0].src]
            if not at.is_padding:
                break
            pads.insert(0, at)
        layers.append(Layer(unit, window, tuple(pads)))
        taken.update(u.name for u in layers[-1].units)
    rest = [
        Layer(u, port_bits=port_bits, port_ways=min(port_ways, MOST_WAYS)) if isinstance(u, Port) else Layer(u)
        for u in graph
        if u.name not in taken
    ]
    position = {u.name: i for i, u in enumerate(graph)}
    return sorted(layers + rest, key=lambda layer: position[layer.name])


def _drain(main: Mvtu, simd: int) -> int:
    """Cycles between two frames of an MVTU with another ``simd``."""
    return 0 if main.overlap else main.stages_of(simd) + RESTART


def fold_cycles(layer: Layer) -> list[int]:
    """Numbers of cycles at which the layer's choice of folds changes, ascending."""
    main = layer.main
    found: set[int] = set()
    if isinstance(main, Mvtu):
        work = main.frame.pixels * main.mh * main.mw
        drains = {simd: _drain(main, simd) for simd in layer.allowed("simd")}
        found = {work // (pe * simd) + drains[simd] for pe in layer.allowed("pe") for simd in drains}
    elif isinstance(main, Vvtu | Pool):
        ways = [False, True]
        found = {main.with_(pe=pe, parallel=way).interval for pe in layer.allowed("pe") for way in ways}
    else:
        found = layer.intervals()
    for pad in layer.pads:
        found |= {_pad_cycles(pad, s) for s in divisors(pad.inputs[0].c)}
    if layer.window is not None:
        window = layer.window
        for simd in divisors(window.frame.c):
            block = main.mw // main.taps if isinstance(main, Mvtu) else simd
            if block % simd == 0:
                found |= {_window_cycles(window, simd, block, False, spare) for spare in {0, _spare(window)}}
            found.add(_window_cycles(window, simd, simd, True, 0))
    if layer.takes_several:
        found |= pixel_cycles(layer)
    ascending = sorted(found)
    while ascending and next(layer.folds(ascending[0]), None) is None:
        del ascending[0]
    return ascending
