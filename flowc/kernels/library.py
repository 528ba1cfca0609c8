"""The kernels' library as Python sees it: its structures, and the call that runs a program."""

from __future__ import annotations

import ctypes
import enum
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flowc.kernels.build import KernelsUnavailableError

__all__ = [
    "Activation",
    "ActivationKind",
    "Library",
    "Operation",
    "OperationKind",
    "open_library",
]


class ActivationKind(enum.IntEnum):
    """As in ``src/program.h``."""

    NONE = 0
    COMPARE = 1
    AFFINE32 = 2
    AFFINE64 = 3
    SEARCH = 4
    TABLE = 5
    GUESS = 6
    COMPARE_HALF = 7


class OperationKind(enum.IntEnum):
    """As in ``src/program.h``."""

    BYTES = 0
    PAIRS = 1
    LOOKUP = 2
    WORDS = 3
    DEPTHWISE = 4
    PACK = 5
    WIDEN = 6
    POOL_MAX = 7
    POOL_SUM = 8
    GLOBAL_SUM = 9
    ACTIVATE = 10
    ADD = 11
    MULTIPLY = 12
    ARGMAX = 13
    PLACE = 14
    UPSAMPLE = 15
    WINDOW = 16
    SLICE = 17
    PERMUTE = 18


_INT, _LONG, _POINTER = ctypes.c_int32, ctypes.c_int64, ctypes.c_void_p


class Activation(ctypes.Structure):
    """As in ``src/program.h``."""

    _fields_ = (
        ("kind", _INT), ("levels", _INT), ("low", _INT), ("shared", _INT), ("stride", _LONG),
        ("scale", _POINTER), ("offset", _POINTER), ("first", _POINTER), ("second", _POINTER), ("third", _POINTER),
    )  # fmt: skip


class Operation(ctypes.Structure):
    """As in ``src/program.h``."""

    _fields_ = (
        *((n, _INT) for n in ("kind", "wide_in", "wide_in2", "wide_out")),
        *((n, _LONG) for n in ("inp", "inp2", "out")),
        *((n, _INT) for n in ("h", "w", "c", "oh", "ow", "oc", "kh", "kw", "sh", "sw", "dh", "dw")),
        *((n, _INT) for n in ("groups", "rows", "group_step", "segments", "length", "limit", "value", "factor")),
        *((n, _INT) for n in ("start", "start2")),
        *((n, _POINTER) for n in ("weights", "table", "offsets")),
        ("act", Activation),
    )


class _Frames(ctypes.Structure):
    """As in ``src/encode.h``."""

    _fields_ = (
        ("values", _POINTER), ("shape", _LONG * 4), ("strides", _LONG * 4), ("low", _LONG), ("high", _LONG), ("base", _LONG),
        ("step", _LONG),
    )  # fmt: skip


_ENCODED = {np.dtype(t): i for i, t in enumerate((np.float32, np.float64, np.int64, np.uint8, np.int32))}


@dataclass(frozen=True)
class Library:
    """The loaded library, and how it wants weights to lie.

    Attributes:
        block: channels of a block of byte and int16 products.
        narrow, wide: channels of a block of lookups, for few and for many channels.
        lanes: channels of a vector of int32.
        int16_sums: byte products are added in int16 (machines without an int8 dot product), which bounds their number.
        tiles: byte products whose ``factor`` says so may be computed by tiles (AMX).
    """

    handle: Any
    block: int
    narrow: int
    wide: int
    lanes: int
    int16_sums: bool
    tiles: bool

    def run(
        self, program: Any, count: int, arena: NDArray[np.uint8], samples: int, *, start: int = 0, threads: int = 1
    ) -> None:
        """Operations ``start`` to ``start + count`` of a ctypes array, on an arena of bytes; other threads go on meanwhile.

        With more than one thread, each operation is computed by all of them together.
        """
        first = ctypes.byref(program, start * ctypes.sizeof(Operation))
        if self.handle.flowc_run(first, count, arena.ctypes.data, samples, threads):
            raise MemoryError("the emulator's working memory")

    def encode(self, values: NDArray[Any], low: int, high: int, base: int, step: int, codes: NDArray[Any]) -> bool:
        """Writes ``(values - base) / step`` of frames (N, H, W, C) to ``codes``, contiguous uint8 or int32 of the same shape.

        Returns:
            Whether all of them are integers from ``low`` to ``high`` that have a code.
        """
        if values.dtype not in _ENCODED:
            values = values.astype(np.float64 if values.dtype.kind == "f" else np.int64)
        four = _LONG * 4
        frames = _Frames(values.ctypes.data, four(*values.shape), four(*values.strides), low, high, base, step)
        wide = codes.dtype == np.int32
        return not self.handle.flowc_encode(ctypes.byref(frames), _ENCODED[values.dtype], wide, codes.ctypes.data)


def open_library(path: Path) -> Library:
    """Loads a compiled library.

    Raises:
        KernelsUnavailableError: it can't be loaded, or was made from other sources.
    """
    try:
        handle = ctypes.CDLL(str(path))
        handle.flowc_run.argtypes = (_POINTER, _LONG, _POINTER, _LONG, _INT)
        handle.flowc_run.restype = ctypes.c_int
        handle.flowc_engine.argtypes = (_POINTER, _POINTER, _LONG)
        handle.flowc_engine.restype = ctypes.c_int
        handle.flowc_encode.argtypes = (_POINTER, _INT, _INT, _POINTER)
        handle.flowc_encode.restype = ctypes.c_int
        layout = (_LONG * 7)()
        handle.flowc_layout(layout)
    except (OSError, AttributeError) as error:
        raise KernelsUnavailableError(f"'{path}' can't be loaded ({error})") from error
    size, block, narrow, wide, lanes, int16_sums, tiles = layout
    if size != ctypes.sizeof(Operation):
        raise KernelsUnavailableError(f"'{path}' does not fit this version of flowc")
    return Library(handle, block, narrow, wide, lanes, bool(int16_sums), bool(tiles))
