"""Matrix units that are too large for one loop become several, which work on the same inputs side by side.

Before: ``MVTU of 16 rows at a time``  →  after: ``Fork → 4 MVTUs of 4 rows at a time → Bundle``. Every part computes its share of the rows
of each beat, and a bundle puts the shares of a beat together. Nothing changes at the ends: same beats, same order, same cycles.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from flowc.errors import InfeasibleError
from flowc.units import Fork, Frame, Mvtu, Unit
from flowc.units.base import Array
from flowc.units.cost import MAX_PRODUCTS, Resources
from flowc.units.graph import Dataflow, Stream
from flowc.units.schedule import Schedule, every

__all__ = ["Bundle", "split_large", "whole_unit"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Bundle(Unit):
    """Streams of ``part`` into one: an output beat is one beat of each, in their order.

    Attributes:
        part: frame of each of the ``ways`` inputs.
        lanes: elements per beat of each input, of one pixel.
        pixels: pixels per beat, each of them put together from its parts.
    """

    kind: ClassVar[str] = "bundle"
    part: Frame
    ways: int
    lanes: int
    pixels: int = 1

    @property
    def inputs(self) -> tuple[Frame, ...]:
        return (self.part,) * self.ways

    @property
    def outputs(self) -> tuple[Frame, ...]:
        return (replace(self.part, c=self.part.c * self.ways),)

    @property
    def in_widths(self) -> tuple[int, ...]:
        return (self.lanes * self.pixels,) * self.ways

    @property
    def out_widths(self) -> tuple[int, ...]:
        return (self.lanes * self.ways * self.pixels,)

    @property
    def cycles(self) -> int:
        return self.part.elements // (self.lanes * self.pixels)

    def schedule(self) -> Schedule:
        beats = every(self.cycles)
        return Schedule(self.cycles, (beats,) * self.ways, (beats,))

    @property
    def resources(self) -> Resources:
        return Resources()

    def emulate(self, *xs: Array) -> tuple[Array, ...]:
        parts = [x.reshape(*x.shape[:3], -1, self.lanes) for x in xs]
        return (np.concatenate(parts, axis=4).reshape(*xs[0].shape[:3], -1),)


def split_large(graph: Dataflow) -> Dataflow:
    """The graph with every matrix unit of more than `MAX_PRODUCTS` products a cycle in parts; FIFOs between them hold two beats.

    Weights that arrive come in one stream, for one unit: allocation keeps to the cap there.
    """
    for unit in list(graph):
        if isinstance(unit, Mvtu) and unit.pixels * unit.pe * unit.simd > MAX_PRODUCTS and not unit.weights_arrive:
            graph = _split(graph, unit)
    return graph


def whole_unit(graph: Dataflow, part: str) -> str:
    """The unit of ``graph`` that a unit of ``split_large(graph)`` is, or is a part of."""
    return part if part in graph.units else re.sub(r"_(fork|part\d+)$", "", part)


def _split(graph: Dataflow, unit: Mvtu) -> Dataflow:
    per_row = unit.simd * unit.pixels
    fitting = (n for n in range(2, unit.pe + 1) if unit.pe % n == 0 and unit.pe // n * per_row <= MAX_PRODUCTS)
    ways = next(fitting, None)
    if ways is None:
        raise InfeasibleError(
            f"'{unit.name}' has {per_row} products per row; one loop holds at most {MAX_PRODUCTS}",
            remedy="Fold it to a smaller SIMD" if unit.pixels == 1 else "Give it fewer pixels per cycle",
        )
    pe = unit.pe // ways
    # Row b * PE + l of the whole is lane l of beat b.
    rows = np.arange(unit.mh).reshape(-1, ways, pe)
    parts = [
        unit.with_(
            name=f"{unit.name}_part{i}",
            weights=unit.weights[rows[:, i].reshape(-1)],
            activation=None if unit.activation is None else unit.activation.select(rows[:, i].reshape(-1)),
            signs=None,
            pe=pe,
        )
        for i in range(ways)
    ]
    fork = Fork(name=f"{unit.name}_fork", origin=unit.origin, frame=unit.frame, ways=ways, simd=per_row)
    bundle = Bundle(
        name=unit.name, origin=unit.origin, part=parts[0].outputs[0], ways=ways, lanes=pe, pixels=unit.pixels
    )
    streams = [replace(s, dst=fork.name) if s.dst == unit.name else s for s in graph.streams]
    streams += [Stream(fork.name, part.name, src_port=i, depth=2, memory="srl") for i, part in enumerate(parts)]
    streams += [Stream(part.name, bundle.name, dst_port=i, depth=2, memory="srl") for i, part in enumerate(parts)]
    units = [x for u in graph.units.values() for x in ([fork, *parts, bundle] if u is unit else [u])]
    return Dataflow(graph.name, units, streams)
