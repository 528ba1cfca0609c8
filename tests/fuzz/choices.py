"""What the generator draws: choices through hypothesis (so that failures shrink), quantizer parameters, and tensors.

Choices shrink towards the first option, `False` and the least integer; each is written so that this is the plain case.
Bulk data (weights, biases) comes from one random generator whose seed is drawn too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
T = TypeVar("T")

ROUNDINGS = ("ROUND", "FLOOR", "CEIL", "UP", "DOWN", "HALF_UP", "HALF_DOWN")


class Choices:
    """Choices in the forms the generator uses.

    Args:
        random: hypothesis' random numbers (every one is a choice that hypothesis records and shrinks), or plain ones.
    """

    def __init__(self, random: Random) -> None:
        self._random = random

    def pick(self, options: Sequence[T]) -> T:
        """One of `options`."""
        return options[self.integer(0, len(options) - 1)]

    def weighted(self, options: dict[T, int]) -> T:
        """One of the keys, with odds in the ratio of the values."""
        spot = self.integer(0, sum(options.values()) - 1)
        for option, weight in options.items():
            spot -= weight
            if spot < 0:
                return option
        raise ValueError("no weights")

    def chance(self, percent: int) -> bool:
        """True with a probability of `percent` in a hundred."""
        return self.integer(0, 99) >= 100 - percent

    def integer(self, lo: int, hi: int) -> int:
        """An integer of [lo, hi]."""
        return self._random.randint(lo, hi)


@dataclass(frozen=True, eq=False)
class Grid:
    """A quantizer's parameters: integers [lo, hi], ``x = (q - zero) * scale``.

    ``scale`` is float32, of rank 0 or of the rank of the tensor with length 1 along all axes but the channels; ``multiples``:
    its values are multiples of one unit.
    """

    bits: int
    signed: bool
    narrow: bool
    scale: Array
    zero: int = 0
    rounding: str = "ROUND"
    bipolar: bool = False
    multiples: bool = False

    @property
    def lo(self) -> int:
        """Least integer."""
        return -1 if self.bipolar else -(2 ** (self.bits - 1)) + self.narrow if self.signed else 0

    @property
    def hi(self) -> int:
        """Greatest integer."""
        if self.bipolar:
            return 1
        return 2 ** (self.bits - 1) - 1 if self.signed else 2**self.bits - 1 - self.narrow

    @property
    def scalar(self) -> bool:
        """Whether one scale serves the whole tensor."""
        return self.scale.size == 1

    @property
    def step(self) -> float:
        """The scale, or a typical one of several."""
        return float(np.median(self.scale))

    @property
    def spread(self) -> float:
        """Rough size of the values."""
        middle = 0.5 * (max(abs(self.lo - self.zero), abs(self.hi - self.zero)))
        return max(middle, 0.5) * self.step

    def scaled(self, scale: float) -> Grid:
        """The same integers with another scale."""
        return replace(self, scale=np.asarray(scale, np.float32))


@dataclass(frozen=True, eq=False)
class Tensor:
    """A tensor of the net under construction; shape with batch 1.

    Attributes:
        spread: rough size of its values.
        grid: the quantizer it comes from; None for floats in between.
        positive: no value is below zero.
        linear: nothing but affine operations with positive factors lie between it and integers.
    """

    name: str
    shape: tuple[int, ...]
    spread: float
    grid: Grid | None = None
    positive: bool = False
    linear: bool = False

    @property
    def channels(self) -> int:
        """Length of axis 1."""
        return self.shape[1]

    @property
    def spatial(self) -> tuple[int, ...]:
        """Lengths of the axes behind the channels."""
        return self.shape[2:]

    @property
    def size(self) -> int:
        """Elements."""
        return int(np.prod(self.shape))

    @property
    def scalar(self) -> bool:
        """Whether it is quantized with one scale."""
        return self.grid is not None and self.grid.scalar


def of_class(kind: str, wanted: float, choices: Choices) -> float:
    """A float32 near `wanted`: "pow2", "dyadic" (3 * 2^-k and the like), "decimal" (one digit) or "free"."""
    wanted = min(max(wanted, 2.0**-20), 2.0**10)
    if kind == "pow2":
        return float(2.0 ** np.rint(np.log2(wanted)))
    if kind == "dyadic":
        odd = choices.pick((1, 3, 5, 7))
        return float(odd * 2.0 ** np.rint(np.log2(wanted / odd)))
    if kind == "decimal":
        power = 10.0 ** np.floor(np.log10(wanted))
        return float(np.float32(max(1.0, np.rint(wanted / power)) * power))
    return float(np.float32(wanted * choices.integer(800, 1300) / 1013))
