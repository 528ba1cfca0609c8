"""A layer's options at a wanted interval, with their costs: what the selection chooses from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from flowc.allocate.layers import Fold, Layer
from flowc.allocate.limits import RESOURCES
from flowc.allocate.select import Edge, Floats, Node, Problem
from flowc.dataflow import Dataflow
from flowc.errors import InfeasibleError
from flowc.units import Mvtu, Unit, Vvtu, Window
from flowc.units.cost import Resources, converter, fifo

__all__ = ["Option", "OptionTable", "vector"]

_FIFO_DEPTH = 2
_MOST_LUTS_PER_BLOCK = 2500
"""A memory style that costs more look-up tables per block RAM saved than this is not looked at, nor its opposite."""


@dataclass(frozen=True)
class Option:
    """A fold with its memory and multiplier styles: changes per unit, cycles, and what the layer then uses."""

    fold: Fold
    changes: Mapping[str, Mapping[str, Any]]
    use: Floats


def vector(resources: Resources) -> Floats:
    """The figures in the order of `RESOURCES`; what is unknown counts as nothing here and is named in the notes."""
    return np.array([float(getattr(resources, name) or 0) for name in RESOURCES])


class OptionTable:
    """Options of every layer, computed once for each fold, and the selection problem at an interval."""

    def __init__(self, graph: Dataflow, layers: list[Layer], *, uram: bool) -> None:
        self.layers = layers
        self._graph = graph
        self._uram = uram
        self._at = {unit.name: i for i, layer in enumerate(layers) for unit in layer.units}
        self._used: dict[tuple[Any, ...], Floats] = {}
        self._pairs: dict[tuple[int, int, int], Floats] = {}

    def options(self, layer: Layer, limit: int) -> list[Option]:
        """Options of at most ``limit`` cycles that no other of the same widths beats in every resource."""
        found = [o for fold in layer.folds(limit) for o in self._styled(layer, fold)]
        return _pareto(found)

    def problem(self, limit: int) -> tuple[Problem, list[list[Option]]]:
        """The selection problem for an interval of ``limit`` cycles. Raises InfeasibleError for a layer that can't keep up."""
        options = []
        for layer in self.layers:
            found = self.options(layer, limit)
            if not found:
                raise InfeasibleError(f"layer '{layer.name}' can't keep up with {limit:,} cycles per frame")
            options.append(found)
        enters = [sorted({o.fold.in_width for o in found}) for found in options]
        leaves = [sorted({o.fold.out_width for o in found}) for found in options]
        nodes = [
            Node(
                np.array([o.use for o in found]),
                np.array([enter.index(o.fold.in_width) for o in found]),
                np.array([leave.index(o.fold.out_width) for o in found]),
                (len(enter), len(leave)),
            )
            for found, enter, leave in zip(options, enters, leaves, strict=True)
        ]
        edges = []
        for stream in self._graph.streams:
            src, dst = self._at[stream.src], self._at[stream.dst]
            if src != dst:
                bits = self._graph.frame(stream).dtype.bits
                use = np.array([[self._pair(bits, a, b) for b in enters[dst]] for a in leaves[src]])
                edges.append(Edge(src, dst, use))
        return Problem(nodes, edges), options

    def _pair(self, bits: int, wide_in: int, wide_out: int) -> Floats:
        """The FIFO between two layers; where the widths differ, a converter and a second FIFO."""
        key = (bits, wide_in, wide_out)
        if key not in self._pairs:
            parts = [fifo(_FIFO_DEPTH, bits * wide_in, "srl")]
            if wide_in != wide_out:
                parts += [converter(bits, wide_in, wide_out), fifo(_FIFO_DEPTH, bits * wide_out, "srl")]
            self._pairs[key] = vector(Resources.total(parts))
        return self._pairs[key]

    def _cost(self, unit: Unit, changes: Mapping[str, Any]) -> Floats:
        key = (unit.name, *changes.items())
        if key not in self._used:
            self._used[key] = vector(unit.with_(**changes).resources)
        return self._used[key]

    def _styled(self, layer: Layer, fold: Fold) -> list[Option]:
        """The fold with every combination of styles that is worth a look."""
        per_unit: list[list[tuple[str, dict[str, Any], Floats]]] = []
        for unit in layer.units:
            changes = dict(fold.changes.get(unit.name, {}))
            fixed = layer.fixed
            if isinstance(unit, Window):
                memories = [fixed["window_memory"]] if "window_memory" in fixed else self._memories()
                choices = [{"memory": m} for m in memories]
            elif isinstance(unit, Mvtu | Vvtu):
                memories = [fixed["memory"]] if "memory" in fixed else self._memories()
                lut_only = min(unit.weight_type.bits, unit.frame.dtype.bits) == 1
                multipliers = [fixed["multiplier"]] if "multiplier" in fixed else ["lut", *([] if lut_only else ["dsp"])]
                choices = [{"memory": m, "multiplier": x} for x in multipliers for m in memories]
            else:
                choices = [{}]
            styled = [(unit.name, {**changes, **c}, self._cost(unit, {**changes, **c})) for c in choices]
            per_unit.append(_worthwhile(styled))
        extra = np.zeros(len(RESOURCES))
        if fold.converter is not None:
            extra += self._pair(*fold.converter)
        # FIFOs between the members of the layer
        for unit in layer.units[1:]:
            width = unit.with_(**fold.changes.get(unit.name, {})).in_widths[0] * unit.inputs[0].dtype.bits
            extra += vector(fifo(_FIFO_DEPTH, width, "srl"))
        return [
            Option(fold, {name: changes for name, changes, _ in combo}, np.sum([use for _, _, use in combo], axis=0) + extra)
            for combo in product(*per_unit)
        ]

    def _memories(self) -> list[str]:
        return ["lutram", "bram", "uram"] if self._uram else ["lutram", "bram"]


def _worthwhile(styled: list[tuple[str, dict[str, Any], Floats]]) -> list[tuple[str, dict[str, Any], Floats]]:
    """Styles without those that another beats, or that trade too much of one resource for another."""
    prices = np.array([1.0, 0.0, 160.0, 1600.0, 200.0])
    dear = np.array([1.0, 0.0, _MOST_LUTS_PER_BLOCK, 16 * _MOST_LUTS_PER_BLOCK, _MOST_LUTS_PER_BLOCK])
    cheap = np.array([1.0, 0.0, 12.0, 120.0, 12.0])
    kept = []
    for i, (name, changes, use) in enumerate(styled):
        beaten = any(
            (other[2] <= use).all() and ((other[2] < use).any() or j < i) for j, other in enumerate(styled) if j != i
        )
        if not beaten and any(use @ p <= min(o[2] @ p for o in styled) for p in (prices, dear, cheap)):
            kept.append((name, changes, use))
    return kept


def _pareto(options: list[Option]) -> list[Option]:
    """Options that no other of the same widths beats in every resource (flip-flops aside)."""
    groups: dict[tuple[int, int], list[Option]] = {}
    for option in options:
        groups.setdefault((option.fold.in_width, option.fold.out_width), []).append(option)
    kept: list[Option] = []
    counted = [i for i, name in enumerate(RESOURCES) if name != "ff"]
    for group in groups.values():
        group.sort(key=lambda o: tuple(o.use[counted]))
        use = np.array([o.use[counted] for o in group])
        for i, option in enumerate(group):
            if not (use[:i] <= use[i]).all(axis=1).any():
                kept.append(option)
    return kept
