"""What the functions of one model may take, all together.

The functions of 8-bit activations take time in proportion to the model. Wider ones take time in proportion to 2^bits, of an accumulator
2^32 and more: their work is counted, in integers visited, and a model that needs more than ``VISITS`` is refused in seconds.
"""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["PER_THRESHOLD", "VISITS", "Budget", "TooLarge"]

VISITS = 1 << 27
"""Integers visited in one model at most, beyond what 8-bit activations take: ten seconds as a rule.

12 channels of 24 bits, where thresholds are many per channel, took 90 CPU seconds.
"""
PER_THRESHOLD = 1 << 6
"""Visits that a threshold counts as: it is searched, it is proven, and a requantizer has to meet it."""
_FREE = 1 << 14
"""Visits per parameter set that are not counted: 256 thresholds."""


class TooLarge(Exception):
    """A function that takes too many integers to walk through, or too many thresholds to hold; the text says which, and what helps."""


@dataclass
class Budget:
    """What is left for the functions of a model.

    Attributes:
        left: visits.
        refused: reasons why functions were refused, by what they are: passes meet the same function again.
    """

    left: int = VISITS
    refused: dict[tuple[str, ...], str] = field(default_factory=dict)

    def take(self, visits: int, sets: int) -> bool:
        """Takes visits for a function of so many parameter sets; False, and nothing is taken, where too few are left."""
        counted = max(0, visits - _FREE * sets)
        if counted > self.left:
            return False
        self.left -= counted
        return True

    def levels(self, sets: int) -> int:
        """How many levels a function of so many parameter sets may pass through."""
        return (self.left // sets + _FREE) // PER_THRESHOLD
