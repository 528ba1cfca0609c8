"""The streams between host and accelerator: integer tensors as bytes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from .integers import Integers
from .packing import pack, unpack

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

__all__ = ["Stream", "Weights", "read_streams", "read_weights"]


@dataclass(frozen=True, eq=False)
class Stream(Integers):
    """One stream between host and accelerator.

    Attributes:
        name: the accelerator's port; its DMA engine is ``dma_<name>``, or those of several are ``dma_<name>_0`` and so on.
        per_beat: elements of a beat.
        beat_bytes: bytes of a beat in memory.
        ways: DMA engines; each moves an equal part of every beat, the first one the lowest bytes.
        order: stream element i is element ``order[i]`` of the flattened tensor; None: i.
    """

    name: str
    per_beat: int
    beat_bytes: int
    ways: int = 1
    order: Optional[Array] = None

    @property
    def frame_bytes(self) -> int:
        """Bytes of a frame in memory."""
        return self.elements // self.per_beat * self.beat_bytes

    @property
    def engines(self) -> List[str]:
        """Names of its DMA engines, behind ``dma_``."""
        return [self.name] if self.ways == 1 else ["{}_{}".format(self.name, k) for k in range(self.ways)]

    def parts(self, data: NDArray[np.uint8]) -> List[Array]:
        """The bytes (N, frame_bytes) of frames as those of each DMA engine, flat."""
        if self.ways == 1:
            return [data.reshape(-1)]
        split = data.reshape(-1, self.ways, self.beat_bytes // self.ways)
        return [split[:, k].reshape(-1) for k in range(self.ways)]

    def whole(self, parts: Sequence[Array]) -> Array:
        """The inverse of `parts`: bytes (N, frame_bytes)."""
        if self.ways == 1:
            return parts[0].reshape(-1, self.frame_bytes)
        size = self.beat_bytes // self.ways
        return np.stack([part.reshape(-1, size) for part in parts], axis=1).reshape(-1, self.frame_bytes)

    def encode(self, tensor: Array) -> NDArray[np.uint8]:
        """The bytes (N, frame_bytes) of integers (N, *shape), of any dtype.

        Raises:
            InputError: wrong shape, or a value that is no integer of the element type.
        """
        flat = self.flat(tensor)
        if self.order is not None:
            flat = flat[:, self.order]
        data = pack(flat, self.bits, self.per_beat, bipolar=self.bipolar, beat_bytes=self.beat_bytes)
        return data.reshape(len(flat), self.frame_bytes)

    def decode(self, data: NDArray[np.uint8]) -> Array:
        """The integers (N, *shape) of bytes (N, frame_bytes)."""
        beats = data.reshape(len(data), self.elements // self.per_beat, self.beat_bytes)
        values = unpack(beats, self.bits, self.per_beat, signed=self.signed, bipolar=self.bipolar)
        if self.order is not None:
            flat = np.empty_like(values)
            flat[:, self.order] = values
            values = flat
        return values.reshape((len(data), *self.shape))


@dataclass(frozen=True, eq=False)
class Weights:
    """Weights of a layer that the accelerator takes from memory.

    Attributes:
        name: the accelerator's port for them.
        reader: the block that sends them there.
        copies: how often they lie in memory, one after the other.
        repeats: whether they are sent over and over, or once.
        data: the bytes, uint8 (words, bytes of a word).
    """

    name: str
    reader: str
    copies: int
    repeats: bool
    data: Array


def read_streams(folder: Path, description: Mapping[str, Any]) -> Tuple[List[Stream], List[Stream]]:
    """The inputs and outputs that ``accelerator.json`` describes, with their orders from ``orders.npz``."""
    with np.load(folder / "orders.npz") as orders:
        known = {name: orders[name] for name in orders.files}

    def streams(entries: List[Mapping[str, Any]]) -> List[Stream]:
        given = ({**e, "shape": tuple(e["shape"])} for e in entries)
        return [
            Stream(order=known.get(e["name"]), **{k: v for k, v in e.items() if k != "elements"}) for e in given
        ]

    return streams(description["inputs"]), streams(description["outputs"])


def read_weights(folder: Path, description: Mapping[str, Any]) -> List[Weights]:
    """The weights that the accelerator takes from memory."""
    if not description["weights"]:
        return []
    with np.load(folder / "weights.npz") as data:
        return [Weights(data=data[entry["name"]], **entry) for entry in description["weights"]]
