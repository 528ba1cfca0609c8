"""What an array is made of besides its height and width: `Setup`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from flowc.errors import UsageError, shown

__all__ = ["COSTS", "IDLE", "LOADS", "Setup", "costs_of"]

COSTS: Mapping[str, float] = MappingProxyType({"register": 1.0, "neighbour": 2.0, "buffer": 6.0, "dram": 0.0})
"""Energy of moving one word, relative to a register: Eyeriss (ISCA 2016), 65 nm, a buffer above 100 kB. DRAM is 200 there; by
default it is left out, as in CAMUY, because it is the same for every height and width."""

IDLE = ("toggle", "gated")
"""What cells without data do: go on clocking whatever passes (CAMUY), or stand still."""

LOADS = ("published", "overlapped", "rows", "exposed")
"""How a systolic array changes from one block of operands to the next.

- published: as the sources count: weight stationary arrays overlapped (CAMUY), output and input stationary exposed (SCALE-Sim);
- overlapped: each block right behind the one before, its stationary operands loaded ahead of the wave, however many words a
  cycle that takes;
- rows: the same, but loads come in at one row of the array a cycle, and blocks that are shorter wait for them;
- exposed: a block starts when the one before has left the array (SCALE-Sim).
"""

_LARGEST = 2**40


@dataclass(frozen=True)
class Setup:
    """The fixed parts of an array and how it is used.

    Attributes:
        batch: images that share a load of weights.
        idle: one of `IDLE`.
        loads: one of `LOADS`; of the systolic dataflows.
        accumulators: depth of the accumulators below each column, in results; half of it is filled while the other is read.
        buffer: words of the unified buffer (24 Mi: the TPU's).
        input_words, filter_words, sum_words: registers of a row stationary cell (Eyeriss' chip: 12, 224, 24).
        costs: energy per word moved, as `COSTS`.
    """

    batch: int = 1
    idle: str = "toggle"
    loads: str = "published"
    accumulators: int = 4096
    buffer: int = 24 * 2**20
    input_words: int = 12
    filter_words: int = 224
    sum_words: int = 24
    costs: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Checks every value.

        Raises:
            UsageError: a value makes no sense.
        """
        for name, lowest in (
            ("batch", 1), ("accumulators", 2), ("buffer", 2), ("input_words", 1), ("filter_words", 1), ("sum_words", 1),
        ):  # fmt: skip
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or not lowest <= value <= _LARGEST:
                raise UsageError(
                    f"{name.replace('_', ' ')} must be a whole number from {lowest} to {_LARGEST:,}, not {value!r}",
                    remedy="Give a number in that range",
                )
        if self.idle not in IDLE:
            raise UsageError(
                f"idle cells are {' or '.join(IDLE)}, not '{shown(str(self.idle))}'", remedy="Give one of these"
            )
        if self.loads not in LOADS:
            raise UsageError(
                f"loads are {', '.join(LOADS)}, not '{shown(str(self.loads))}'", remedy="Give one of these"
            )
        object.__setattr__(self, "costs", costs_of(self.costs))

    @property
    def toggles(self) -> bool:
        """Whether cells without data move what passes."""
        return self.idle == "toggle"


def costs_of(given: Mapping[str, float]) -> dict[str, float]:
    """`COSTS` with those that are given in their place.

    Raises:
        UsageError: an unknown name, or a value that is not a number from 0 to a million.
    """
    for name, value in given.items():
        if name not in COSTS:
            raise UsageError(f"there is no cost '{shown(str(name))}'", remedy=f"Known are {', '.join(COSTS)}")
        if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= 1e6:
            raise UsageError(
                f"the cost of {name} must be a number from 0 to 1,000,000, not {value!r}",
                remedy="Give a number in that range",
            )
    return {**COSTS, **{name: float(value) for name, value in given.items()}}
