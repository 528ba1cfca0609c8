"""The engine executed by compiled kernels: what `flowc.loopback.execute` says in numpy, segment by segment on the same buffers."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from flowc import kernels
from flowc.kernels.engine import FIELDS, EngineState, run_segment
from flowc.loopback.descriptors import MAC, Compute, Descriptor, as_rows
from flowc.loopback.descriptors import Layer as Registers
from flowc.loopback.engine import Engine
from flowc.loopback.execute import Machine, ScheduleError, Segment
from flowc.units.base import Array

__all__ = ["NativeMachine", "machine"]

_FAULTS = (
    "", "layer {} waits for what never comes", "a load of layer {} ends behind the activation buffer",
    "a load of layer {} ends behind the weight buffer", "a load of layer {} ends behind the parameter memory",
    "a load of layer {} ends behind the table memory", "a transfer of layer {0} touches bytes outside of a memory of {1}",
    "a transfer of layer {} touches bytes that lie in no tensor of its layer",
    "a compute of layer {} does not wait for a load that it reads", "a compute of layer {} reads outside of the activation buffer",
    "a compute of layer {} reads activations of another load", "a compute of layer {} reads weights of another load",
    "a compute of layer {} joins activations of another load", "a compute of layer {} reads parameters of another load",
    "a compute of layer {} reads tables of another load", "layer {} stores more than it computes", "layer {} leaves results behind",
)  # fmt: skip
"""As ``engine::Fault`` in flowc/kernels/src/engine_state.h."""

_ALL = 1 << 40
"""Images, more than any batch has."""


def machine(
    engine: Engine, ddr: Array, *, lanes: range | None = None, images: int | None = None, emulator: str | None = None
) -> Machine:
    """A machine by compiled kernels, or in numpy.

    Args:
        ddr: uint8, the external memory.
        lanes: lanes that are computed; None: all.
        images: images of the batch whose results are wanted: kernels leave the others' results zero, numpy computes them; None: all.
        emulator: "native", "numpy", or None: kernels where they can be had.

    Raises:
        UsageError: there is no emulator of that name.
        KernelsUnavailableError: "native" is asked for and can't be had.
    """
    if not kernels.used(emulator):
        return Machine(engine, ddr, lanes=lanes)
    return NativeMachine(engine, ddr, lanes=lanes, images=images)


class NativeMachine(Machine):
    """`Machine` by compiled kernels."""

    def __init__(self, engine: Engine, ddr: Array, *, lanes: range | None = None, images: int | None = None) -> None:
        super().__init__(engine, ddr, lanes=lanes)
        self._library = kernels.load()
        self._images = images

    def execute(self, segment: Segment) -> None:
        self._compiled(segment.descriptors, segment.rows, segment.groups)

    def _segment(self, segment: Sequence[Descriptor]) -> None:
        if not isinstance(segment[0], Registers):
            super()._segment(segment)
            return
        self._compiled(segment, as_rows(segment, FIELDS), None)

    def _compiled(self, segment: Sequence[Descriptor], rows: Array, groups: Array | None) -> None:
        registers = segment[0]
        assert isinstance(registers, Registers)
        ranges = [np.array(r, np.int64).reshape(-1) for r in (self.reads or (), self.writes or ())]
        shapes = self._recorded(registers, segment) if registers.layer in self.record else []
        inner = np.zeros(sum(map(math.prod, shapes)), np.int64)
        images = _ALL if groups is None or self._images is None else self._images
        groups = np.zeros(len(rows), np.int64) if groups is None else groups
        state = self._state(ranges, inner if shapes else None, groups, images)
        fault = run_segment(self._library, state, rows)
        if fault:
            raise ScheduleError(_FAULTS[fault].format(registers.layer, len(self.ddr)))
        self._loaded_acts, self._loaded_weights, self._retired = state.loaded_acts, state.loaded_weights, state.retired
        if shapes:
            parts = np.split(inner, np.cumsum([math.prod(shape) for shape in shapes])[:-1])
            found = [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]
            self.inner.setdefault(registers.layer, []).extend(found)

    def _recorded(self, registers: Registers, segment: Sequence[Descriptor]) -> list[tuple[int, ...]]:
        """The shapes of what each compute gives in front of its join: (lanes, positions, blocks, rows)."""
        rows = self.engine.rows if registers.kind == MAC else self.engine.columns
        computes = [d for d in segment if isinstance(d, Compute) and d.last]
        return [(len(self.lanes), d.images * d.rows * d.columns, d.blocks, rows) for d in computes]

    def _state(self, ranges: Sequence[Array], inner: Array | None, groups: Array, images: int) -> EngineState:
        e = self.engine
        arrays = (
            self._acts, self._weights, self._parameters, self._tables,
            self._act_tags, self._weight_tags, self._parameter_tags, self._table_tags,
        )  # fmt: skip
        return EngineState(
            e.rows, e.columns, e.digit, e.act_words, e.weight_words, e.parameter_words, e.table_words, e.acc_bits,
            len(self.lanes), self.lanes.start, e.lanes,
            *(a.ctypes.data for a in arrays), self.ddr.ctypes.data, len(self.ddr),
            self._loaded_acts, self._loaded_weights, self._retired, *(r.ctypes.data for r in ranges),
            *(-1 if given is None else len(given) for given in (self.reads, self.writes)),
            None if inner is None else inner.ctypes.data, groups.ctypes.data, images,
        )  # fmt: skip
