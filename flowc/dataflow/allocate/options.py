"""A layer's options at a wanted interval, with their costs: what the selection chooses from."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, replace
from itertools import product
from math import ceil
from typing import Any

import numpy as np

from flowc.dataflow.allocate.fold import Fold
from flowc.dataflow.allocate.layers import Layer
from flowc.dataflow.allocate.limits import RESOURCES
from flowc.dataflow.allocate.select import Edge, Floats, Ints, Node, Problem
from flowc.errors import InfeasibleError
from flowc.targets import Target
from flowc.units import Mvtu, Unit, Vvtu, Window
from flowc.units.cost import MAX_PRODUCTS, MAX_STREAM_BITS, THRESHOLD_MEMORIES, Resources, converter, fifo
from flowc.units.graph import Dataflow
from flowc.units.packing import packing

__all__ = ["Option", "OptionTable", "on_device", "vector"]

_FIFO_DEPTH = 2
_AT_ONCE = 128
"""Options up to which all are compared with all in one step."""
_COUNTED = [i for i, name in enumerate(RESOURCES) if name != "ff"]

_RATES = (8, 40, 80, 160, 320, 640, 1280, 2560)
_EXCHANGE = np.array(
    [[1.0, 0.0, block, 10 * uram, dsp] for block in _RATES for uram in _RATES for dsp in _RATES]
).T  # in the order of RESOURCES
"""Prices in look-up tables, of all resources, at which styles are compared."""


@dataclass(frozen=True)
class Option:
    """A fold with its memory and multiplier styles: changes per unit, cycles, and what the layer then uses."""

    fold: Fold
    changes: Mapping[str, Mapping[str, Any]]
    use: Floats


@dataclass(frozen=True)
class _Style:
    """One unit with its folding and styles, and what it uses."""

    unit: str
    changes: Mapping[str, Any]
    use: Floats


@dataclass(frozen=True)
class _Choices:
    """A layer's options at an interval, the widths at its ends, ascending, and both as a node of the selection problem."""

    options: list[Option]
    enters: tuple[int, ...]
    leaves: tuple[int, ...]
    node: Node


def vector(resources: Resources) -> Floats:
    """The figures in the order of `RESOURCES`; what is unknown counts as nothing here and is named in the notes."""
    return np.array([float(getattr(resources, name) or 0) for name in RESOURCES])


def on_device(resources: Resources, target: Target) -> Resources:
    """What modelled resources, with look-up tables of 6 inputs, take of the target's."""
    luts = None if resources.lut is None else ceil(resources.lut * target.luts_per_lut6)
    return replace(resources, lut=luts)


class OptionTable:
    """Options of every layer, computed once for each fold, and the selection problem at an interval.

    Layers that are alike share the options of the first of them (`own` gives them to another).

    ``target``: whose look-up tables are counted.
    ``uram``: line buffers may lie in UltraRAM; ``uram_weights``: weights too, which something must then bring after reset.
    """

    def __init__(self, graph: Dataflow, layers: list[Layer], target: Target, *, uram: bool, uram_weights: bool) -> None:
        self.layers = layers
        self._graph = graph
        self._target = target
        self._uram = uram
        self._uram_weights = uram_weights
        self._at = {unit.name: i for i, layer in enumerate(layers) for unit in layer.units}
        firsts: dict[Hashable, Layer] = {}
        self._first = [firsts.setdefault(layer.likeness, layer) for layer in layers]
        self._styled_folds: dict[tuple[Any, ...], list[Option]] = {}
        self._known: dict[tuple[Any, ...], list[_Style]] = {}
        self._pairs: dict[tuple[int, int, int], Floats] = {}

    def options(self, layer: Layer, limit: int) -> list[Option]:
        """Options of at most ``limit`` cycles that no other of the same widths beats in every resource."""
        found: list[Option] = []
        for fold in layer.folds(limit):
            key = (layer.name, fold.in_width, *(item for c in fold.changes.values() for item in c.items()))
            if key not in self._styled_folds:
                self._styled_folds[key] = self._styled(layer, fold)
            found += [option for option in self._styled_folds[key] if self._keeps(option, limit)]
        return _pareto(found)

    def _keeps(self, option: Option, limit: int) -> bool:
        """Whether weights in UltraRAM, whose unit pauses between frames, leave it within ``limit`` cycles."""
        return all(
            changes.get("memory") != "uram"
            or isinstance(self._graph[name], Window)
            or self._graph[name].with_(**changes).interval <= limit
            for name, changes in option.changes.items()
        )

    def problem(self, limit: int) -> tuple[Problem, list[_Choices]]:
        """The selection problem for an interval of ``limit`` cycles, and the options of each layer.

        Layers that are alike have the very same node, and edges between such layers the same uses.

        Raises:
            InfeasibleError: a layer can't keep up.
        """
        firsts = {first.name: first for first in self._first}
        known = {name: self._choices(first, limit) for name, first in firsts.items()}
        choices = [known[first.name] for first in self._first]
        uses: dict[tuple[int, tuple[int, ...], tuple[int, ...]], Floats] = {}
        edges = []
        for stream in self._graph.streams:
            src, dst = self._at[stream.src], self._at[stream.dst]
            if src != dst:
                key = self._graph.frame(stream).dtype.bits, choices[src].leaves, choices[dst].enters
                if key not in uses:
                    uses[key] = np.array([[self._pair(key[0], a, b) for b in key[2]] for a in key[1]])
                edges.append(Edge(src, dst, uses[key]))
        return Problem([c.node for c in choices], edges), choices

    def _choices(self, layer: Layer, limit: int) -> _Choices:
        found = self.options(layer, limit)
        if not found:
            message = f"layer '{layer.name}' can't keep up with {limit:,} cycles per frame"
            raise InfeasibleError(message, remedy="ask for a lower rate, or leave its folding to flowc")
        enters = tuple(sorted({o.fold.in_width for o in found}))
        leaves = tuple(sorted({o.fold.out_width for o in found}))
        node = Node(
            np.array([o.use for o in found]),
            np.array([enters.index(o.fold.in_width) for o in found]),
            np.array([leaves.index(o.fold.out_width) for o in found]),
            (len(enters), len(leaves)),
        )
        return _Choices(found, enters, leaves, node)

    def own(self, i: int, option: Option) -> Option:
        """An option of the first layer like layer ``i`` as one of layer ``i``: its changes are those of units with other names."""
        layer, first = self.layers[i], self._first[i]
        if layer is first:
            return option
        name = {theirs.name: unit.name for theirs, unit in zip(first.units, layer.units, strict=True)}

        def renamed(changes: Mapping[str, Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
            return {name[unit]: change for unit, change in changes.items()}

        return replace(
            option, fold=replace(option.fold, changes=renamed(option.fold.changes)), changes=renamed(option.changes)
        )

    def _pair(self, bits: int, wide_in: int, wide_out: int) -> Floats:
        """The FIFO between two layers; where the widths differ, a converter and a second FIFO."""
        key = (bits, wide_in, wide_out)
        if key not in self._pairs:
            parts = [fifo(_FIFO_DEPTH, bits * wide_in, "srl")]
            if wide_in != wide_out:
                parts += [converter(bits, wide_in, wide_out), fifo(_FIFO_DEPTH, bits * wide_out, "srl")]
            self._pairs[key] = self._use(Resources.total(parts))
        return self._pairs[key]

    def _styled(self, layer: Layer, fold: Fold) -> list[Option]:
        """The fold with every combination of styles that is worth a look."""
        per_unit = [self._styles(layer, unit, fold.changes.get(unit.name, {})) for unit in layer.units]
        extra = np.zeros(len(RESOURCES))
        if fold.converter is not None:
            extra = extra + self._pair(*fold.converter)
        for unit in layer.units[1:]:  # FIFOs between the members of the layer
            width = self._in_width(unit, fold.changes.get(unit.name, {}))
            extra = extra + self._pair(unit.inputs[0].dtype.bits, width, width)
        return [
            Option(fold, {s.unit: s.changes for s in combo}, sum((s.use for s in combo), extra))
            for combo in product(*per_unit)
        ]

    @staticmethod
    def _in_width(unit: Unit, changes: Mapping[str, Any]) -> int:
        if isinstance(unit, Vvtu) or changes.get("pixels", 1) > 1:
            return unit.with_(**changes).in_widths[0]
        return int(changes.get("simd", changes.get("pe", unit.in_widths[0])))

    def _styles(self, layer: Layer, unit: Unit, changes: Mapping[str, Any]) -> list[_Style]:
        """The unit with every memory and multiplier style that is worth a look."""
        key = (unit.name, *changes.items())
        if key not in self._known:
            fixed = layer.fixed
            folded = unit.with_(**changes)
            if isinstance(unit, Window):
                memories = ["lutram", "bram", *(["uram"] if self._uram else [])]
                memories = [fixed["window_memory"]] if "window_memory" in fixed else memories
                styles = self._varied(folded, {"memory": memories})
            elif isinstance(unit, Mvtu | Vvtu):
                _, width = folded.weight_memory
                arriving = self._uram_weights and width <= MAX_STREAM_BITS
                arriving = arriving and width // unit.weight_type.bits <= MAX_PRODUCTS and folded.pixels == 1
                memories = ["lutram", "bram", *(["uram"] if arriving else [])]
                memories = [fixed["memory"]] if "memory" in fixed else memories
                types = unit.weight_type, unit.frame.dtype
                packed = isinstance(unit, Mvtu) and packing(*types, folded.pe, folded.dsp_port) is not None
                single = min(t.bits for t in types) == 1
                multipliers = ["lut", *(["packed"] if packed else [] if single else ["dsp"])]
                multipliers = [fixed["multiplier"]] if "multiplier" in fixed else multipliers
                choices = {"memory": memories, "multiplier": multipliers}
                styles = self._varied(folded, choices | _threshold_memories(layer, unit))
            else:
                styles = self._varied(folded, _threshold_memories(layer, unit))
            self._known[key] = _worthwhile([_Style(unit.name, {**changes, **c}, use) for c, use in styles])
        return self._known[key]

    def _use(self, resources: Resources) -> Floats:
        return vector(on_device(resources, self._target))

    def _varied(self, unit: Unit, choices: dict[str, list[str]]) -> list[tuple[dict[str, Any], Floats]]:
        """Every combination of styles, and what the unit then uses. Styles of different keys add up."""
        first = {key: values[0] for key, values in choices.items()}
        base = self._use(unit.with_(**first).resources)
        extra = {
            (key, value): self._use(unit.with_(**{**first, key: value}).resources) - base
            for key, values in choices.items()
            for value in values[1:]
        }
        combos = [dict(zip(choices, values, strict=True)) for values in product(*choices.values())]
        return [(c, base + sum((extra.get(item, 0.0) for item in c.items()), np.zeros(base.size))) for c in combos]


def _threshold_memories(layer: Layer, unit: Unit) -> dict[str, list[str]]:
    """Styles of the memories of thresholds that are tried; none where the unit has none, or keeps what it has."""
    if unit is not layer.main or unit.threshold_memory is None:
        return {}
    if "threshold_memory" in layer.fixed:
        return {"threshold_memory": [layer.fixed["threshold_memory"]]}
    return {"threshold_memory": list(THRESHOLD_MEMORIES)} if layer.memories else {}


def _worthwhile(styled: list[_Style]) -> list[_Style]:
    """Styles that are the cheapest for some exchange rate of look-up tables against the other resources, of those tried."""
    if len(styled) == 1:
        return styled
    costs = np.array([s.use for s in styled]) @ _EXCHANGE
    return [styled[i] for i in sorted(set(costs.argmin(axis=0).tolist()))]


def _pareto(options: list[Option]) -> list[Option]:
    """Options that no other of the same widths beats in every resource (flip-flops aside)."""
    groups: dict[tuple[int, int], list[Option]] = {}
    for option in options:
        groups.setdefault((option.fold.in_width, option.fold.out_width), []).append(option)
    kept: list[Option] = []
    for group in groups.values():
        use = np.array([o.use for o in group])[:, _COUNTED]
        order = np.lexsort(use.T[::-1])
        kept += [group[i] for i in order[_unbeaten(use[order])]]
    return kept


def _unbeaten(use: Floats) -> Ints:
    """Rows, of rows in ascending order, that no row before is at most equal to everywhere."""
    if len(use) <= _AT_ONCE:
        beats = (use[:, None] <= use[None]).all(axis=2)
        return np.flatnonzero(~np.triu(beats, 1).any(axis=0))
    kept: list[int] = []
    rest = np.arange(len(use))
    while rest.size:
        kept.append(int(rest[0]))
        rest = rest[1:][(use[rest[1:]] < use[rest[0]]).any(axis=1)]
    return np.array(kept, np.int64)
