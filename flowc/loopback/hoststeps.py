"""What the host does around the engine's runs, as a list of plain steps that a driver without flowc can follow.

A program's host part is walked once with numbers that stand for elements instead of with frames. Whatever only moves elements (padding,
windows, concatenations, orders of tensors) comes out as one ``gather``: for each element of the result, which element of which source
it is, or which constant. What computes becomes a step of its kind. Steps:

==========  ===========================================================================================
write       a value to its place in the external memory
run         commands ``first`` to ``first + count`` of the table
read        a value from its place
gather      ``concatenation of the sources, then the constants``, picked by ``index``
matrix      integer products with a matrix, then ``activation``
depthwise   integer products of each channel's taps with its own weights, then ``activation``
reduce      maximum or sum of every ``taps`` elements in a row, then ``activation``
activate    ``activation`` alone
join        two values, scaled and added, or multiplied; then ``activation``
argmax      index of the greatest channel
lookup      a row of a table for each integer
==========  ===========================================================================================

Values are numbered; each is int64 (frames, elements).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from flowc.loopback.layers import HostStep, Layer, View
from flowc.loopback.program import Program
from flowc.units import (
    Activate,
    ArgMax,
    GlobalSum,
    InputPort,
    Join,
    Lookup,
    Mvtu,
    Pool,
    Requant,
    Table,
    Thresholds,
    Unit,
    Vvtu,
)
from flowc.units.activation import Activation
from flowc.units.base import Array
from flowc.units.graph import Stream

__all__ = ["HostProgram", "host_program"]

_FIRST = 1 << 40
"""Numbers from here on stand for elements, those below are constants."""


@dataclass(eq=False)
class HostProgram:
    """The steps of a batch.

    Attributes:
        inputs: value of each input port's tensor, in its ONNX order.
        outputs: value of each output port's tensor, in its ONNX order.
        steps: in order; see above.
        arrays: what the steps name.
    """

    inputs: list[int] = field(default_factory=list)
    outputs: list[int] = field(default_factory=list)
    steps: list[dict[str, Any]] = field(default_factory=list)
    arrays: dict[str, Array] = field(default_factory=dict)


def host_program(program: Program) -> HostProgram:
    """The host's part of a program."""
    return _Walk(program).done()


class _Walk:
    def __init__(self, program: Program) -> None:
        self.program, self.graph, self.network = program, program.graph, program.network
        self.result = HostProgram()
        self._starts: list[int] = []  # of each value, the number that stands for its first element
        self._sizes: list[int] = []
        self._inputs: dict[str, Array] = {}
        self._known: dict[tuple[str, int], Array] = {}  # seen since the last run

    def done(self) -> HostProgram:
        for unit in self.graph.inputs:
            value = self._value(unit.frame.elements)
            self.result.inputs.append(value)
            numbers = self._numbers(value)
            self._inputs[unit.name] = (numbers if unit.order is None else numbers[unit.order]).reshape(unit.frame.shape)
        for name, port in self.network.entries:
            self._write(self.network.views[name, port], self._entry(name, port))
        layers = waiting = 0
        for step in self.network.steps:
            if isinstance(step, Layer):
                layers += 1
                continue
            self._run(waiting, layers)
            waiting = layers
            self._host(step)
        self._run(waiting, layers)
        for end in self.graph.outputs:
            (stream,) = self.graph.into(end.name)
            seen = self._seen(stream).reshape(-1)
            tensor = np.empty_like(seen)
            tensor[slice(None) if end.order is None else end.order] = seen
            self.result.outputs.append(self._gathered(tensor))
        return self.result

    # values

    def _value(self, size: int) -> int:
        self._starts.append(self._starts[-1] + self._sizes[-1] if self._starts else _FIRST)
        self._sizes.append(size)
        return len(self._starts) - 1

    def _numbers(self, value: int) -> Array:
        return self._starts[value] + np.arange(self._sizes[value])

    def _gathered(self, numbers: Array) -> int:
        """A value whose elements are those that numbers stand for."""
        flat = np.ascontiguousarray(numbers, np.int64).reshape(-1)
        owners = np.searchsorted(self._starts, flat, side="right") - 1
        sources = [int(v) for v in np.unique(owners) if v >= 0]
        if len(sources) == 1 and np.array_equal(flat, self._numbers(sources[0])):
            return sources[0]
        index = np.empty(flat.size, np.int64)
        at = 0
        for source in sources:
            mine = owners == source
            index[mine] = flat[mine] - self._starts[source] + at
            at += self._sizes[source]
        constants, which = np.unique(flat[owners < 0], return_inverse=True)
        index[owners < 0] = at + which
        value = self._value(flat.size)
        self._step("gather", value=value, sources=sources, index=index.astype(np.int32), constants=constants)
        return value

    def _step(self, what: str, **fields: Any) -> None:
        """Adds a step; arrays of it are named and kept apart."""
        step: dict[str, Any] = {"do": what}
        for name, content in fields.items():
            step[name] = self._kept(content)
        self.result.steps.append(step)

    def _kept(self, content: Any) -> Any:
        if isinstance(content, np.ndarray):
            name = f"a{len(self.result.arrays)}"
            self.result.arrays[name] = content
            return name
        if isinstance(content, dict):
            return {key: self._kept(inner) for key, inner in content.items()}
        return content

    # the engine

    def _run(self, first: int, end: int) -> None:
        starts = self.program.starts
        if first < end:
            self._step("run", first=starts[first], count=starts[end] - starts[first])
            self._known.clear()

    def _place(self, view: View) -> dict[str, Any]:
        """Where a tensor lies; ``keep``: other channels of the same memory hold something that must stay."""
        storage = view.storage
        layout, region = self.program.memory.layouts[storage], self.program.memory.regions[storage]
        others = (v for v in self.network.views.values() if v.storage is storage)
        return {
            "start": region.start, "h": layout.h, "w": layout.w, "blocks": layout.blocks, "planes": layout.planes,
            "above": layout.above, "below": layout.below, "lo": int(storage.lo), "slots": view.slots.astype(np.int64),
            "keep": any(not np.isin(v.slots, view.slots).all() for v in others),
        }  # fmt: skip

    def _write(self, view: View, numbers: Array) -> None:
        self._step("write", value=self._gathered(numbers), place=self._place(view))

    def _read(self, view: View) -> Array:
        value = self._value(int(np.prod(view.shape)))
        self._step("read", value=value, place=self._place(view))
        return self._numbers(value).reshape(view.shape)

    # the graph

    def _entry(self, name: str, port: int) -> Array:
        """Numbers of what the host writes before the first run."""
        unit = self.graph[name]
        if isinstance(unit, InputPort):
            return self._inputs[name]
        return self._applied(unit, [self._entry(s.src, s.src_port) for s in self.graph.into(name)])[port]

    def _seen(self, stream: Stream) -> Array:
        """Numbers of what flows on a stream."""
        key = (stream.src, stream.src_port)
        if key not in self._known:
            unit, view = self.graph[stream.src], self.network.views.get(key)
            if view is not None:
                self._known[key] = self._read(view)
            elif isinstance(unit, InputPort):
                self._known[key] = self._inputs[unit.name]
            else:
                results = self._applied(unit, [self._seen(s) for s in self.graph.into(unit.name)])
                self._known |= {(unit.name, port): result for port, result in enumerate(results)}
        return self._known[key]

    def _host(self, step: HostStep) -> None:
        results = self._applied(step.unit, [self._seen(s) for s in self.graph.into(step.unit.name)])
        for view, result in zip(step.outputs, results, strict=True):
            self._write(view, result)

    def _applied(self, unit: Unit, ins: Sequence[Array]) -> list[Array]:
        """Numbers of a unit's results: moved, or those of new values."""
        shaped = [x.reshape(frame.shape) for x, frame in zip(ins, unit.inputs, strict=True)]
        if unit.moves and not isinstance(unit, Pool):  # a maximum picks by value
            return [np.asarray(y)[0] for y in unit.emulate(*(x[None] for x in shaped))]
        if isinstance(unit, Pool | GlobalSum | Vvtu):
            shaped = [_by_taps(unit, shaped[0])]
        sources = [self._gathered(x) for x in shaped]
        out = [self._value(frame.elements) for frame in unit.outputs]
        what, fields = _computing(unit)
        self._step(what, value=out[0], sources=sources, **fields)
        return [self._numbers(v).reshape(f.shape) for v, f in zip(out, unit.outputs, strict=True)]


def _by_taps(unit: Pool | GlobalSum | Vvtu, x: Array) -> Array:
    """A frame with the elements that are reduced together in a row: (H, W, channels, taps)."""
    if isinstance(unit, GlobalSum):
        return x.reshape(-1, x.shape[-1]).T[None, None]
    return x.reshape(*x.shape[:2], -1, unit.taps, unit.pe).swapaxes(3, 4)


def _computing(unit: Unit) -> tuple[str, dict[str, Any]]:
    """The step of a unit that computes."""
    if isinstance(unit, ArgMax):
        return "argmax", {"channels": unit.frame.c}
    if isinstance(unit, Lookup):
        return "lookup", {"table": unit.table, "first": int(unit.first)}
    assert isinstance(unit, Activate | GlobalSum | Join | Mvtu | Pool | Vvtu), unit.kind
    fields: dict[str, Any] = {"channels": unit.outputs[0].c, "activation": _activation(unit.activation)}
    match unit:
        case Activate():
            return "activate", fields
        case Join():
            names = ("op", "left_scale", "right_scale", "left_offset", "right_offset")
            return "join", fields | {name: getattr(unit, name) for name in names}
        case Mvtu():
            return "matrix", fields | {"weights": _matrix(unit)}
        case Vvtu():
            weights = unit.weights.reshape(unit.channels, unit.depth_multiplier, unit.taps)
            return "depthwise", fields | {"weights": weights.astype(np.int64)}
        case Pool():
            return "reduce", fields | {"op": unit.op, "taps": unit.taps}
        case GlobalSum():
            return "reduce", fields | {"op": "sum", "taps": unit.frame.pixels}


def _matrix(unit: Mvtu) -> Array:
    """All weights, int64 (inputs of a pixel, outputs): zero between groups."""
    rows = unit.mh // unit.groups
    whole = np.zeros((unit.mh, unit.groups * unit.mw), np.int64)
    for g in range(unit.groups):
        whole[g * rows : (g + 1) * rows, g * unit.mw : (g + 1) * unit.mw] = unit.stream_weights[
            g * rows : (g + 1) * rows
        ]
    return whole.T.copy()


def _activation(activation: Activation | None) -> dict[str, Any] | None:
    """An activation's fields; None where there is none."""
    if activation is None:
        return None
    if isinstance(activation, Thresholds):
        return {"kind": "thresholds", "at": activation.values, "step": activation.step, "base": activation.base}
    if isinstance(activation, Table):
        return {"kind": "table", "lo": activation.lo, "values": activation.values}
    assert isinstance(activation, Requant), activation.kind
    names = ("mult", "add", "shift", "lo", "hi", "half_even", "late")
    return {"kind": "requant"} | {name: getattr(activation, name) for name in names}
