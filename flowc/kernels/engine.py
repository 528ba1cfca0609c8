"""A loopback engine's buffers as the library sees them, and the call that executes a segment of its descriptors."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flowc.kernels.library import Library

__all__ = ["FIELDS", "EngineState", "run_segment"]

FIELDS = 32
"""Integers of a row: the operation, then the fields of a descriptor in the order of its kind."""

_LONG, _POINTER = ctypes.c_int64, ctypes.c_void_p


class EngineState(ctypes.Structure):
    """As in ``src/engine_state.h``."""

    _fields_ = (
        *((n, _LONG) for n in ("rows", "columns", "digit", "act_words", "weight_words", "parameter_words", "table_words")),
        *((n, _LONG) for n in ("acc_bits", "lanes", "first_lane", "all_lanes")),
        *((n, _POINTER) for n in ("acts", "weights", "parameters", "tables")),
        *((n, _POINTER) for n in ("act_tags", "weight_tags", "parameter_tags", "table_tags")),
        ("ddr", _POINTER), ("ddr_size", _LONG),
        *((n, _LONG) for n in ("loaded_acts", "loaded_weights", "retired")),
        ("reads", _POINTER), ("writes", _POINTER), ("read_count", _LONG), ("write_count", _LONG),
        ("inner", _POINTER), ("groups", _POINTER), ("images", _LONG),
    )  # fmt: skip


def run_segment(library: Library, state: EngineState, rows: NDArray[np.int64]) -> int:
    """Executes a segment on the state's buffers; other threads go on meanwhile.

    Args:
        rows: int64 (n, `FIELDS`), from the registers to the fence.

    Returns:
        0, or the number of a fault (``engine::Fault``).
    """
    found: Any = library.handle.flowc_engine(ctypes.byref(state), rows.ctypes.data, len(rows))
    return int(found)
