"""Tensors in the engine's external memory: values (frames, elements) to bytes and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Mapping

import numpy as np

from .engine import Engine
from .formats import PlaneLayout

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

__all__ = ["Place"]


class Place:
    """Where a tensor lies.

    Args:
        engine: whose words they are.
        entry: a "place" of ``accelerator.json``.
        arrays: what its names stand for.
    """

    def __init__(self, engine: Engine, entry: Mapping[str, Any], arrays: Mapping[str, Array]) -> None:
        sizes = (entry[name] for name in ("h", "w", "blocks", "planes", "above", "below"))
        self._layout = PlaneLayout(engine, *sizes)
        self._start, self._lo, self._keep = entry["start"], entry["lo"], entry["keep"]
        self._slots = arrays[entry["slots"]]
        self._channels = entry["blocks"] * engine.columns

    def _images(self, memory: Any, frames: int) -> Array:
        size = self._layout.image_bytes
        return memory[self._start : self._start + frames * size].reshape(frames, size)

    def write(self, memory: Any, values: Array) -> None:
        """Writes frames to the begin of the tensor's room in the memory, uint8, which slices are taken of."""
        images, layout = self._images(memory, len(values)), self._layout
        if self._keep:
            stored = layout.unpack(np.asarray(images))
        else:
            stored = np.zeros((len(values), layout.h, layout.w, self._channels), np.int64)
        stored[..., self._slots] = values.reshape(len(values), layout.h, layout.w, -1) - self._lo
        images[:] = layout.pack(stored)

    def read(self, memory: Any, frames: int) -> Array:
        """The first frames."""
        stored = self._layout.unpack(np.asarray(self._images(memory, frames)))
        return (stored[..., self._slots] + self._lo).reshape(frames, -1)
