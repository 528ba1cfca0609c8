"""An integer tensor between host and accelerator: its shape and type, and whether what is given belongs to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Tuple

import numpy as np

from .errors import InputError
from .packing import element_dtype

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

__all__ = ["Integers"]


@dataclass(frozen=True, eq=False)
class Integers:
    """One integer tensor.

    Attributes:
        tensor: the model's integer tensor.
        shape: shape of that tensor, without the batch.
        bits, signed, bipolar: type of an element; a bipolar one is -1 or +1.
    """

    tensor: str
    shape: Tuple[int, ...]
    bits: int
    signed: bool
    bipolar: bool

    @property
    def elements(self) -> int:
        """Elements of a frame."""
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def range(self) -> Tuple[int, int]:
        """Least and greatest element."""
        if self.bipolar:
            return -1, 1
        half = 1 << (self.bits - 1)
        return (-half, half - 1) if self.signed else (0, 2 * half - 1)

    def flat(self, tensor: Array) -> Array:
        """Integers (N, *shape), of any dtype, as (N, elements).

        Raises:
            InputError: wrong shape, or a value that is no integer of the element type.
        """
        tensor = np.asarray(tensor)
        if tensor.shape[1:] != self.shape:
            expected = ", ".join(["N", *map(str, self.shape)])
            raise InputError("tensor '{}' has shape {}, must be ({})".format(self.tensor, tensor.shape, expected))
        flat = tensor.reshape(len(tensor), self.elements)
        lo, hi = self.range
        sound = flat.dtype.kind in "iubf"
        sound = sound and (not flat.size or bool(flat.min() >= lo and flat.max() <= hi))
        if sound and flat.dtype.kind not in "iub":
            sound = bool((flat == np.rint(flat)).all())
        if sound and self.bipolar:
            sound = bool((flat != 0).all())
        if not sound:
            allowed = "-1 and +1" if self.bipolar else "the integers {} to {}".format(lo, hi)
            raise InputError("tensor '{}' holds values other than {}".format(self.tensor, allowed))
        return flat

    def random(self, frames: int, seed: int = 0) -> Array:
        """Random integers (frames, *shape) of the element type."""
        rng = np.random.default_rng(seed)
        lo, hi = self.range
        dtype = element_dtype(self.bits, self.signed, self.bipolar)
        values = rng.integers(lo, hi, (frames, *self.shape), dtype, endpoint=True)
        return np.where(values > 0, 1, -1).astype(dtype) if self.bipolar else values
