"""The engine executed by compiled kernels: what `flowc.loopback.execute` says in numpy, segment by segment on the same buffers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from flowc import kernels
from flowc.kernels.engine import FIELDS, EngineState, run_segment
from flowc.loopback.descriptors import Descriptor, bits_of
from flowc.loopback.descriptors import Layer as Registers
from flowc.loopback.engine import Engine
from flowc.loopback.execute import Machine, ScheduleError
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
"""As ``engine::Fault`` in flowc/kernels/src/engine.h."""
_WORD = 1 << 64


def machine(engine: Engine, ddr: Array, *, lanes: int | None = None, emulator: str | None = None) -> Machine:
    """A machine by compiled kernels, or in numpy.

    Args:
        ddr: uint8, the external memory.
        lanes: lanes that are computed.
        emulator: "native", "numpy", or None: kernels where they can be had.

    Raises:
        KernelsUnavailableError: "native" is asked for and can't be had.
    """
    if emulator == "numpy" or (emulator is None and kernels.unavailable() is not None):
        return Machine(engine, ddr, lanes=lanes)
    return NativeMachine(engine, ddr, lanes=lanes)


class NativeMachine(Machine):
    """`Machine` by compiled kernels; layers of which results in front of a join are recorded are executed in numpy."""

    def __init__(self, engine: Engine, ddr: Array, *, lanes: int | None = None) -> None:
        super().__init__(engine, ddr, lanes=lanes)
        self._library = kernels.load()

    def _segment(self, segment: Sequence[Descriptor]) -> None:
        registers = segment[0]
        if not isinstance(registers, Registers) or registers.layer in self.record:
            super()._segment(segment)
            return
        ranges = [np.array(r, np.int64).reshape(-1) for r in (self.reads or (), self.writes or ())]
        state = self._state(ranges)
        fault = run_segment(self._library, state, _rows(segment))
        if fault:
            raise ScheduleError(_FAULTS[fault].format(registers.layer, len(self.ddr)))
        self._loaded_acts, self._loaded_weights, self._retired = state.loaded_acts, state.loaded_weights, state.retired

    def _state(self, ranges: Sequence[Array]) -> EngineState:
        e = self.engine
        arrays = (
            self._acts, self._weights, self._parameters, self._tables,
            self._act_tags, self._weight_tags, self._parameter_tags, self._table_tags,
        )  # fmt: skip
        return EngineState(
            e.rows, e.columns, e.digit, e.act_words, e.weight_words, e.parameter_words, e.table_words, e.acc_bits, self.lanes,
            *(a.ctypes.data for a in arrays), self.ddr.ctypes.data, len(self.ddr),
            self._loaded_acts, self._loaded_weights, self._retired, *(r.ctypes.data for r in ranges),
            *(-1 if given is None else len(given) for given in (self.reads, self.writes)),
        )  # fmt: skip


def _rows(segment: Sequence[Descriptor]) -> Array:
    """Descriptors as rows of integers: the operation, then the fields in order."""
    rows = np.zeros((len(segment), FIELDS), np.int64)
    for row, d in zip(rows, segment, strict=True):
        values = [d.op, *(int(getattr(d, name)) for name in bits_of(type(d)))]
        row[: len(values)] = [v - _WORD if v >= _WORD >> 1 else v for v in values]
    return rows
