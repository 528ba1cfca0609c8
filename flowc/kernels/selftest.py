"""What a freshly compiled library must compute before it is used: products of every kernel against numpy, extremes included.

Kernels for instruction sets that their authors had no machine for are thus proven on the machine that has them, or not used there.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flowc.kernels.build import KernelsUnavailableError
from flowc.kernels.layout import aligned, blocked
from flowc.kernels.library import Library, Operation, OperationKind, open_library

__all__ = ["accept", "tiles_are_right"]

Array = NDArray[Any]

_ROWS = 83
_PIXELS = 29
_RUNS, _LENGTH = 3, 44
"""Not multiples of any block of pixels or channels, so that every variant of a tile runs."""
_TILED = ((29, 83), (13, 83), (70, 10), (8, 16))
"""Pixels and channels, with which products by AMX fill its tiles well enough to be used: each variant, with and without remainders."""


def accept(path: Path) -> None:
    """Runs a compiled library's products.

    Raises:
        KernelsUnavailableError: it can't be loaded, or a sum is wrong.
    """
    library = open_library(path)
    for name, found, wanted in _products(library):
        if not np.array_equal(found, wanted):
            raise KernelsUnavailableError(f"the compiled kernel '{name}' computes wrongly on this machine")


def tiles_are_right(library: Library) -> bool:
    """Whether products by AMX are those of numpy; a few milliseconds."""
    rng = np.random.default_rng(0)
    for pixels, rows in _TILED:
        for extreme in (False, True):
            x = _integers(rng, 0, 255, (pixels, _RUNS, _LENGTH), extreme)
            w = _integers(rng, -128, 127, (rows, _RUNS, _LENGTH), extreme)
            laid = blocked(w[None].astype(np.int8), library.block, 4)
            found = _run(library, OperationKind.BYTES, x.astype(np.uint8), laid, 4, rows=rows, factor=1)
            if not np.array_equal(found, np.einsum("prk,ork->po", x, w)):
                return False
    return True


def _products(library: Library) -> Iterator[tuple[str, Array, Array]]:
    """(kernel, its sums, the right sums)."""
    rng = np.random.default_rng(0)
    for top, heavy in ((15, 8), (3, 127), (255, 16), (1, 1)):
        for extreme in (False, True):
            x = _integers(rng, 0, top, (_PIXELS, _RUNS, _LENGTH), extreme)
            w = _integers(rng, -heavy, heavy, (_ROWS, _RUNS, _LENGTH), extreme)
            wanted = np.einsum("prk,ork->po", x, w)
            limit = 32767 // (2 * top * heavy)
            laid = blocked(w[None].astype(np.int8), library.block, 4)
            yield "bytes", _run(library, OperationKind.BYTES, x.astype(np.uint8), laid, 4, limit=limit), wanted
            laid = blocked(w[None].astype(np.int16) * 200, library.block, 2)
            yield "pairs", _run(library, OperationKind.PAIRS, x.astype(np.int16), laid, 2), wanted * 200
    entries = rng.integers(0, 13, (16, 16))
    groups, nibbles = rng.integers(0, 16, (_PIXELS, _RUNS, _LENGTH)), rng.integers(0, 16, (_ROWS, _RUNS, _LENGTH))
    wanted = entries[groups[:, None], nibbles[None]].sum(axis=(2, 3))
    for block in (library.narrow, library.wide):
        laid = blocked(nibbles[None].astype(np.uint8), block, 1)
        given = groups.astype(np.uint8)
        table = entries.astype(np.uint8)
        yield (
            "lookup",
            _run(library, OperationKind.LOOKUP, given, laid, 1, table, 255 // 12, block // library.narrow),
            wanted,
        )


def _integers(rng: np.random.Generator, low: int, high: int, shape: tuple[int, ...], extreme: bool) -> Array:
    return rng.choice([low, high], shape) if extreme else rng.integers(low, high, shape, endpoint=True)


def _named(**values: int) -> dict[str, int]:
    return values


def _run(
    library: Library, kind: OperationKind, x: Array, weights: Array, per_step: int, table: Array | None = None, limit: int = 2**31 - 1,
    factor: int = 0, rows: int = _ROWS,
) -> Array:  # fmt: skip
    """Sums (pixels, rows) of x (pixels, runs, length), as a convolution over one row of pixels."""
    pixels, runs, length = x.shape
    flat = np.ascontiguousarray(x).reshape(-1).view(np.uint8)
    start = -(-(flat.size + 64) // 64) * 64
    arena = np.zeros(start + 4 * pixels * rows + 64, np.uint8)
    arena[: flat.size] = flat
    offsets = np.arange(runs, dtype=np.int32) * np.int32(length * x.itemsize)
    operation = (Operation * 1)()
    weights = aligned(weights)
    values = _named(
        kind=kind, wide_out=1, inp=0, out=start, h=1, w=pixels, c=runs * length, oh=1, ow=pixels, oc=rows, sh=1, sw=1, groups=1,
        rows=rows, segments=runs, length=-(-length // per_step), limit=limit, factor=factor, weights=weights.ctypes.data,
        offsets=offsets.ctypes.data, table=0 if table is None else table.ctypes.data,
    )  # fmt: skip
    for name, value in values.items():
        setattr(operation[0], name, value)
    library.run(operation, 1, arena, 1)
    found: Array = arena[start : start + 4 * pixels * rows].view(np.int32).reshape(pixels, rows).astype(np.int64)
    return found
