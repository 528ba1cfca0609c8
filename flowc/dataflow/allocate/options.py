"""A layer's options at a wanted interval, with their costs: what the selection chooses from."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np

from flowc.dataflow.allocate.device import device_vector, on_device
from flowc.dataflow.allocate.fold import Fold
from flowc.dataflow.allocate.layers import Layer
from flowc.dataflow.allocate.limits import RESOURCES
from flowc.dataflow.allocate.select import Edge, Floats, Ints, Node, Problem
from flowc.errors import InfeasibleError
from flowc.targets import Target
from flowc.units import Mvtu, Unit, Vvtu, Window
from flowc.units.cost import MAX_PRODUCTS, MAX_STREAM_BITS, THRESHOLD_MEMORIES, Resources, converter, fifo
from flowc.units.graph import Dataflow
from flowc.units.packing import overlapping, packing

__all__ = ["Choices", "Option", "OptionTable"]

_FIFO_DEPTH = 2
_AT_ONCE = 400
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
class _Styles:
    """One unit with its folding, in several styles.

    Attributes:
        unit: its name.
        changes: of each style, of fields.
        use: (styles, resources).
        cycles: (styles,), from frame to frame, where a style sets them; else 0.
    """

    unit: str
    changes: Sequence[Mapping[str, Any]]
    use: Floats
    cycles: Ints

    def worthwhile(self) -> _Styles:
        """Those that are the cheapest for some exchange rate of look-up tables against the other resources, of those tried."""
        if len(self.changes) == 1:
            return self
        kept = np.flatnonzero(np.bincount((self.use @ _EXCHANGE).argmin(axis=0)))
        return _Styles(self.unit, [self.changes[k] for k in kept.tolist()], self.use[kept], self.cycles[kept])


@dataclass(frozen=True)
class _Styled:
    """A fold with every combination of its units' styles; that of the last unit changes first.

    Attributes:
        use: (combinations, resources), what the layer then uses.
        cycles: (combinations,), from frame to frame, where a style sets them; else 0.
    """

    fold: Fold
    styles: list[_Styles]
    use: Floats
    cycles: Ints

    @classmethod
    def of(cls, fold: Fold, styles: list[_Styles], extra: Floats) -> _Styled:
        """Every combination of ``styles``, each of which uses ``extra`` besides."""
        use, cycles = extra[None], np.zeros(1, np.int64)
        for own in styles:
            use = (use[:, None] + own.use).reshape(-1, extra.size)
            cycles = np.maximum(cycles[:, None], own.cycles).reshape(-1)
        return cls(fold, styles, use, cycles)

    def option(self, combination: int) -> Option:
        """One of the combinations."""
        picked = np.unravel_index(combination, [len(own.changes) for own in self.styles])
        changes = {own.unit: own.changes[int(k)] for own, k in zip(self.styles, picked, strict=True)}
        return Option(self.fold, changes, self.use[combination])


@dataclass(frozen=True)
class Choices:
    """A layer's options at an interval: as a node of the selection problem, and the widths at its ends, ascending.

    Attributes:
        options: of each one, the fold and the number of the combination of styles.
    """

    options: list[tuple[_Styled, int]]
    enters: tuple[int, ...]
    leaves: tuple[int, ...]
    node: Node

    def option(self, number: int) -> Option:
        """One of the options."""
        styled, combination = self.options[number]
        return styled.option(combination)


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
        self._problems: dict[int, tuple[Problem, list[Choices]]] = {}
        self._uses: dict[tuple[int, tuple[int, ...], tuple[int, ...]], Floats] = {}
        self._styled_folds: dict[tuple[Any, ...], _Styled] = {}
        self._known: dict[tuple[Any, ...], _Styles] = {}
        self._pairs: dict[tuple[int, int, int], Floats] = {}

    def problem(self, limit: int) -> tuple[Problem, list[Choices]]:
        """The selection problem for an interval of ``limit`` cycles, and the options of each layer.

        Layers that are alike have the very same node, and edges between such layers the same uses.

        Raises:
            InfeasibleError: a layer can't keep up.
        """
        if limit not in self._problems:
            self._problems[limit] = self._problem(limit)
        return self._problems[limit]

    def _problem(self, limit: int) -> tuple[Problem, list[Choices]]:
        firsts = {first.name: first for first in self._first}
        known = {name: self._choices(first, limit) for name, first in firsts.items()}
        choices = [known[first.name] for first in self._first]
        edges = []
        for stream in self._graph.streams:
            src, dst = self._at[stream.src], self._at[stream.dst]
            if src != dst:
                key = self._graph.frame(stream).dtype.bits, choices[src].leaves, choices[dst].enters
                if key not in self._uses:
                    self._uses[key] = np.array([[self._pair(key[0], a, b) for b in key[2]] for a in key[1]])
                edges.append(Edge(src, dst, self._uses[key]))
        return Problem([c.node for c in choices], edges), choices

    def _choices(self, layer: Layer, limit: int) -> Choices:
        """Options of at most ``limit`` cycles that no other of the same widths beats in every resource."""
        folds = [self._folded(layer, fold) for fold in layer.folds(limit)]
        sizes = [len(styled.use) for styled in folds]
        # A style may make a unit pause between frames.
        within = np.flatnonzero(np.concatenate([np.zeros(0, np.int64), *(styled.cycles for styled in folds)]) <= limit)
        if not within.size:
            message = f"layer '{layer.name}' can't keep up with {limit:,} cycles per frame"
            raise InfeasibleError(message, remedy="ask for a lower rate, or leave its folding to flowc")
        use = np.concatenate([styled.use for styled in folds])[within]
        enter, leave = (
            np.repeat(np.array(widths), sizes)[within]
            for widths in ([s.fold.in_width for s in folds], [s.fold.out_width for s in folds])
        )
        kept = _pareto(use, enter, leave)
        enters, enter = np.unique(enter[kept], return_inverse=True)
        leaves, leave = np.unique(leave[kept], return_inverse=True)
        begun = np.cumsum([0, *sizes])
        fold = np.searchsorted(begun, within[kept], side="right") - 1
        found = [(folds[f], k) for f, k in zip(fold.tolist(), (within[kept] - begun[fold]).tolist(), strict=True)]
        node = Node(use[kept], enter, leave, (enters.size, leaves.size))
        return Choices(found, tuple(enters.tolist()), tuple(leaves.tolist()), node)

    def _folded(self, layer: Layer, fold: Fold) -> _Styled:
        key = (layer.name, fold.in_width, *(item for c in fold.changes.values() for item in c.items()))
        if key not in self._styled_folds:
            self._styled_folds[key] = self._styled(layer, fold)
        return self._styled_folds[key]

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

    def _styled(self, layer: Layer, fold: Fold) -> _Styled:
        """The fold with every combination of styles that is worth a look."""
        per_unit = [self._styles(layer, unit, fold.changes.get(unit.name, {})) for unit in layer.units]
        extra = np.zeros(len(RESOURCES))
        if fold.converter is not None:
            extra = extra + self._pair(*fold.converter)
        for unit in layer.units[1:]:  # FIFOs between the members of the layer
            width = self._in_width(unit, fold.changes.get(unit.name, {}))
            extra = extra + self._pair(unit.inputs[0].dtype.bits, width, width)
        return _Styled.of(fold, per_unit, extra)

    @staticmethod
    def _in_width(unit: Unit, changes: Mapping[str, Any]) -> int:
        if isinstance(unit, Vvtu) or changes.get("pixels", 1) > 1:
            return unit.with_(**changes).in_widths[0]
        return int(changes.get("simd", changes.get("pe", unit.in_widths[0])))

    def _styles(self, layer: Layer, unit: Unit, changes: Mapping[str, Any]) -> _Styles:
        """The unit with every memory and multiplier style that is worth a look."""
        key = (unit.name, *changes.items())
        if key not in self._known:
            folded = unit.with_(**changes)
            varied, use = self._varied(folded, self._tried(layer, folded))
            cycles = np.array([_pause(folded, style) for style in varied])
            styles = _Styles(unit.name, [{**changes, **style} for style in varied], use, cycles)
            self._known[key] = styles.worthwhile()
        return self._known[key]

    def _tried(self, layer: Layer, folded: Unit) -> dict[str, list[str]]:
        """The styles that are tried of a folded unit: of each key, its values."""
        fixed = layer.fixed
        if isinstance(folded, Window):
            memories = ["lutram", "bram", *(["uram"] if self._uram else [])]
            return {"memory": [fixed["window_memory"]] if "window_memory" in fixed else memories}
        found: dict[str, list[str]] = {}
        if isinstance(folded, Mvtu | Vvtu):
            _, width = folded.weight_memory
            arriving = self._uram_weights and width <= MAX_STREAM_BITS
            arriving = arriving and width // folded.weight_type.bits <= MAX_PRODUCTS and folded.pixels == 1
            memories = ["lutram", "bram", *(["uram"] if arriving else [])]
            found["memory"] = [fixed["memory"]] if "memory" in fixed else memories
            found["multiplier"] = [fixed["multiplier"]] if "multiplier" in fixed else _multipliers(folded, self._target)
        return found | _threshold_memories(layer, folded)

    def _use(self, resources: Resources) -> Floats:
        return device_vector(on_device(resources, self._target))

    def _varied(self, unit: Unit, choices: Mapping[str, Sequence[str]]) -> tuple[list[dict[str, str]], Floats]:
        """Every combination of styles, and what the unit then uses. Styles of different keys add up."""
        first = unit.with_(**{key: values[0] for key, values in choices.items()})
        whole = first.resources
        base = self._use(whole)
        use = base[None]
        for key, values in choices.items():
            if len(values) > 1:
                own = first.style_cost(key)
                others = (whole.exchanged(own, first.with_(**{key: value}).style_cost(key)) for value in values[1:])
                more = np.array([base, *(self._use(other) for other in others)]) - base
                use = (use[:, None] + more).reshape(-1, base.size)
        return [dict(zip(choices, values, strict=True)) for values in product(*choices.values())], use


def _pause(unit: Unit, style: Mapping[str, str]) -> int:
    """Cycles from frame to frame where a style sets them; weights in UltraRAM, which must arrive first, make a unit pause."""
    pauses = style.get("memory") == "uram" and not isinstance(unit, Window)
    return int(unit.with_(**style).interval) if pauses else 0


def _multipliers(unit: Mvtu | Vvtu, target: Target) -> list[str]:
    """Styles of the multipliers that are tried of a folded unit."""
    types = unit.weight_type, unit.frame.dtype
    if sum(t.bits + (not t.signed) for t in types) < target.least_product:
        return ["lut"]
    if not isinstance(unit, Mvtu) or packing(*types, unit.pe, unit.dsp_port) is None:
        return ["lut"] if min(t.bits for t in types) == 1 else ["lut", "dsp"]
    fewer = unit.structure == "pipeline" and overlapping(*types, unit.pe, unit.dsp_port)
    return ["lut", "packed", "overlapped"] if fewer else ["lut", "packed"]


def _threshold_memories(layer: Layer, unit: Unit) -> dict[str, list[str]]:
    """Styles of the memories of thresholds that are tried; none where the unit has none, or keeps what it has."""
    if unit.name != layer.name or unit.threshold_memory is None:
        return {}
    if "threshold_memory" in layer.fixed:
        return {"threshold_memory": [layer.fixed["threshold_memory"]]}
    return {"threshold_memory": list(THRESHOLD_MEMORIES)} if layer.memories else {}


def _pareto(use: Floats, enter: Ints, leave: Ints) -> Ints:
    """Numbers of the options that no other of the same widths beats in every resource (flip-flops aside).

    Args:
        use: (options, resources).
        enter, leave: (options,), widths at the ends.
    """
    _, begun, pair = np.unique(enter * (leave.max() + 1) + leave, return_index=True, return_inverse=True)
    group, counted = begun[pair], use[:, _COUNTED]  # numbered as they first appear
    order = np.lexsort((*counted.T[::-1], group))
    return order[_unbeaten(counted[order], group[order])]


def _unbeaten(use: Floats, group: Ints) -> Ints:
    """Rows, of rows in ascending order of groups and in them of use, that no row before of the group is at most equal to everywhere."""
    if len(use) <= _AT_ONCE:
        beaten_by = group[:, None] == group
        for column in use.T[1:]:  # in the first one all before are at most equal
            beaten_by &= column[:, None] >= column
        return np.flatnonzero(beaten_by.argmax(axis=1) == np.arange(len(use)))
    begins = np.flatnonzero(np.diff(group, prepend=-1))
    if begins.size > 1:
        parts = zip(begins, np.append(begins[1:], len(use)), strict=True)
        return np.concatenate([a + _unbeaten(use[a:b], group[a:b]) for a, b in parts])
    kept: list[int] = []
    rest = np.arange(len(use))
    while rest.size:
        kept.append(int(rest[0]))
        rest = rest[1:][(use[rest[1:]] < use[rest[0]]).any(axis=1)]
    return np.array(kept, np.int64)
