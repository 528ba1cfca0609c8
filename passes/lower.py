"""From the integer model graph to the dataflow graph of hardware units.

Every integer tensor is placed on a stream: which unit's output carries it, and in which order. The order is an index map: stream
element i of the frame is element ``order.flat[i]`` of the ONNX tensor. Reshapes and transposes only change the map; the consumer
absorbs it (a matrix permutes its rows, the host its packing), or a Permute unit puts it right where it can't.
The operators are lowered by the functions that the ``lower_*`` modules register.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass
from itertools import count

import numpy as np
import onnx_ir as ir

from flowc.errors import UnsupportedError
from flowc.model.dtypes import IntType
from flowc.model.ir import label, origins, shape_of
from flowc.passes.integer_ranges import Ranges
from flowc.units import Fork, Frame, InputPort, OutputPort, Permute, Unit
from flowc.units.base import Array
from flowc.units.graph import Dataflow, Stream
from flowc.units.names import LONGEST, LONGEST_PORT, legal, numbered

__all__ = ["LOWERINGS", "CannotLower", "Lowering", "Place", "canonical_order", "lowers"]


class CannotLower(Exception):
    """A node has no hardware form; the text says why."""


@dataclass(frozen=True, eq=False)
class Place:
    """Where an integer tensor is: output ``port`` of ``unit``, frames of type ``frame``, in ``order`` (H, W, C)."""

    unit: str
    port: int
    frame: Frame
    order: Array


LowerFunction = Callable[["Lowering", ir.Node], None]
LOWERINGS: dict[str, LowerFunction] = {}
"""Operator (standard or flowc's) -> the function that lowers it."""


def lowers(*ops: str) -> Callable[[LowerFunction], LowerFunction]:
    """Decorator: registers the lowering of operators."""

    def register(function: LowerFunction) -> LowerFunction:
        for op in ops:
            LOWERINGS[op] = function
        return function

    return register


def canonical_order(shape: Sequence[int], *, channels_last: bool = False) -> Array:
    """The order map (H, W, C) of a tensor whose channels are axis 1 (or the last), batch axis first (length 1).

    [1, C, H, W] -> (H, W, C); [1, C, L] -> (1, L, C); [1, F] -> (1, 1, F); channels_last: [..., F] -> (1, rows, F).
    """
    size = int(np.prod(shape, dtype=np.int64))
    flat = np.arange(size)
    dims = list(shape[1:]) if len(shape) > 1 and shape[0] == 1 else list(shape)
    if len(dims) <= 1:
        return flat.reshape(1, 1, size)
    if channels_last:
        return flat.reshape(dims if len(dims) == 3 else (1, -1, dims[-1]))
    if len(dims) == 3:
        return flat.reshape(dims).transpose(1, 2, 0)
    return flat.reshape(dims[0], -1).T.reshape(1, -1, dims[0])


class Lowering:
    """Builds a Dataflow node by node.

    Args:
        name: of the graph.
        ranges: integer ranges of all tensors.
        known: names of the reference's integer tensors; of several tensors on one stream, such a one gives the stream its name.
    """

    def __init__(self, name: str, ranges: Ranges, known: Container[str] = ()) -> None:
        self.name = name
        self.ranges = ranges
        self._known = known
        self.units: dict[str, Unit] = {}
        self.absorbed: set[ir.Node] = set()
        self._places: dict[ir.Value, Place] = {}
        self._orders: dict[str, Array] = {}
        self._consumers: dict[tuple[str, int], list[tuple[str, int]]] = {}
        self._tensors: dict[tuple[str, int], list[str]] = {}
        self._names: set[str] = set()

    def unique(self, hint: str, limit: int = LONGEST) -> str:
        """A unit name like ``hint`` made of letters, digits and underscores, of at most ``limit`` characters, that no other unit has."""
        base = legal(hint)
        name = next(n for i in count(1) if (n := numbered(base, i, limit)).lower() not in self._names)
        self._names.add(name.lower())
        return name

    @staticmethod
    def hint(node: ir.Node) -> str:
        """What a unit made from ``node`` should be called: after the first ONNX node it came from."""
        return (origins(node) or (label(node),))[0]

    def add(self, unit: Unit, *sources: Place) -> Unit:
        """Adds a unit and joins its inputs to places."""
        self.units[unit.name] = unit
        for port, source in enumerate(sources):
            self._consumers.setdefault((source.unit, source.port), []).append((unit.name, port))
        return unit

    def place(self, value: ir.Value, unit: Unit, order: Array, port: int = 0) -> Place:
        """Records where a tensor is."""
        frame = unit.outputs[port]
        place = Place(unit.name, port, frame, order.reshape(frame.shape))
        self.relabel(value, place, place.order)
        return place

    def relabel(self, value: ir.Value, place: Place, order: Array) -> None:
        """Records a tensor that is another one seen in another order or shape: no hardware."""
        self._places[value] = Place(place.unit, place.port, place.frame, order)
        self._orders[value.name or ""] = order
        self._tensors.setdefault((place.unit, place.port), []).append(value.name or "")

    def at(self, value: ir.Value | None) -> Place:
        """Where a tensor is."""
        if value is None or value not in self._places:
            raise CannotLower(
                "one of its inputs is not an integer tensor of the accelerator; quantize what leads to it"
            )
        return self._places[value]

    def at_order(self, value: ir.Value | None, order: Array) -> Place:
        """Where a tensor is, streamed in ``order``: by a Permute unit if it is not yet."""
        place = self.at(value)
        if np.array_equal(place.order.reshape(-1), order.reshape(-1)):
            h, w, c = order.shape
            return Place(place.unit, place.port, Frame(h, w, c, place.frame.dtype), order)
        return self._permuted(place, order)

    def canonical(self, value: ir.Value | None) -> Place:
        """Where a tensor is, in the canonical order of its shape."""
        if value is None:
            raise CannotLower("it lacks an input; export the model again")
        return self.at_order(value, canonical_order(shape_of(value)))

    def _permuted(self, place: Place, order: Array) -> Place:
        position = np.empty(order.size, np.int64)
        position[place.order.reshape(-1)] = np.arange(order.size)
        wanted = position[order.reshape(-1)]
        chunk = next(n for n in (*_chunks(order, place), order.size) if order.size % n == 0 and _repeats(wanted, n))
        h, w, c = order.shape
        out = Frame(h, w, c, place.frame.dtype)
        name = self.unique(f"{place.unit}_reorder")
        source = self.units[place.unit]
        unit = self.add(
            Permute(name=name, origin=source.origin, frame=place.frame, out=out, order=wanted[:chunk]), place
        )
        return Place(unit.name, 0, out, order)

    def range(self, value: ir.Value) -> tuple[int, int]:
        """Least and greatest integer of a tensor."""
        lo, hi = self.ranges[value]
        return int(lo.min()), int(hi.max())

    def type_of(self, value: ir.Value) -> IntType:
        """The narrowest type that holds a tensor's integers."""
        return IntType.for_range(*self.range(value))

    def input(self, value: ir.Value, dtype: IntType, order: Array, hint: str) -> None:
        """An input port, called like ``hint``, for an integer tensor."""
        h, w, c = order.shape
        frame = Frame(h, w, c, dtype)
        shape = shape_of(value)
        unit = InputPort(
            name=self.unique(hint, LONGEST_PORT), tensor=value.name or "", tensor_shape=shape, frame=frame,
            order=_order_or_none(order),
        )  # fmt: skip
        self.place(value, self.add(unit), order)

    def output(self, value: ir.Value, hint: str) -> None:
        """An output port, called like ``hint``, for an integer tensor."""
        place = self.at(value)
        unit = OutputPort(
            name=self.unique(hint, LONGEST_PORT), tensor=value.name or "", tensor_shape=shape_of(value), frame=place.frame,
            order=_order_or_none(place.order),
        )  # fmt: skip
        self.add(unit, place)

    def run(self, nodes: Sequence[ir.Node]) -> None:
        """Lowers integer nodes in order.

        Raises:
            UnsupportedError: naming every node that has no hardware form.
        """
        refused: list[tuple[str, str, str]] = []
        for node in nodes:
            if node in self.absorbed:
                continue
            function = LOWERINGS.get(node.op_type)
            try:
                if function is None:
                    raise CannotLower(
                        "it has no hardware unit; leave it behind the last quantized layer, where the host runs it"
                    )
                function(self, node)
            except CannotLower as reason:
                if not (refused and "not an integer tensor" in str(reason)):
                    refused.append((self.hint(node), node.op_type.removeprefix("Int"), str(reason)))
        if refused:
            raise UnsupportedError(refused)

    def _named(self, unit: str, port: int) -> str | None:
        """The tensor that a stream is named after: one that the reference knows, if there is one, else the first."""
        names = self._tensors.get((unit, port), [])
        return next((n for n in names if n in self._known), names[0] if names else None)

    def aliases(self) -> dict[str, str]:
        """Every tensor's name -> the name of the stream that carries it."""
        return {n: self._named(*end) or n for end, names in self._tensors.items() for n in names}

    def tensors(self, also: Container[str] = ()) -> dict[str, tuple[tuple[int, ...], Array | None]]:
        """Name -> (ONNX shape, order on its stream; None where canonical) of every tensor that a stream is named after, and of others."""
        found = {}
        for value, place in self._places.items():
            if self._named(place.unit, place.port) == value.name or value.name in also:
                shape = shape_of(value)
                canonical = np.array_equal(place.order.reshape(-1), canonical_order(shape).reshape(-1))
                found[value.name or ""] = (shape, None if canonical else place.order)
        return found

    def order_of(self, name: str) -> Array | None:
        """In which order (H, W, C) the tensor of that name is streamed; None where no stream carries it."""
        return self._orders.get(name)

    def dataflow(self) -> Dataflow:
        """The finished graph: forks put in where a stream has several consumers, unused outputs dropped."""
        streams = []
        for (unit, port), ends in self._consumers.items():
            tensor = self._named(unit, port)
            if len(ends) > 1:
                frame = self.units[unit].outputs[port]
                fork = Fork(
                    name=self.unique(f"{unit}_fork"), origin=self.units[unit].origin, frame=frame, ways=len(ends)
                )
                self.units[fork.name] = fork
                streams.append(Stream(unit, fork.name, port, 0, tensor=tensor))
                streams.extend(Stream(fork.name, dst, i, dst_port) for i, (dst, dst_port) in enumerate(ends))
            else:
                (dst, dst_port) = ends[0]
                streams.append(Stream(unit, dst, port, dst_port, tensor=tensor))
        return Dataflow(self.name, self.units.values(), streams)


def _order_or_none(order: Array) -> Array | None:
    flat = order.reshape(-1)
    return None if np.array_equal(flat, np.arange(flat.size)) else np.ascontiguousarray(flat)


def _chunks(order: Array, place: Place) -> list[int]:
    rows = [f[2] * f[1] for f in (order.shape, place.frame.shape)]
    return sorted({order.shape[2], place.frame.c, *rows, int(np.lcm(*rows))})


def _repeats(wanted: Array, chunk: int) -> bool:
    """Whether a permutation moves elements only within chunks, in every chunk alike."""
    rows = wanted.reshape(-1, chunk)
    return bool(np.array_equal(rows, rows[:1] + chunk * np.arange(len(rows))[:, None]) and rows[0].max() < chunk)
