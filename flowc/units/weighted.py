"""What units with weights share: their figures, and what can be wrong with how weights arrive and multiply."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, Protocol

from flowc.model.dtypes import Array, IntType
from flowc.units import cost
from flowc.units.base import Frame, Unit
from flowc.units.cost import Resources

__all__ = ["Multiplying", "Weighted", "several_faults", "style_faults", "unknown_styles", "uses_dsp", "weight_figures"]


class Weighted(Protocol):
    """A unit with weights: an MVTU or a VVTU."""

    @property
    def frame(self) -> Frame: ...
    @property
    def weights(self) -> Array: ...
    @property
    def weight_type(self) -> IntType: ...
    @property
    def acc(self) -> IntType: ...
    @property
    def pe(self) -> int: ...
    @property
    def memory(self) -> str: ...
    @property
    def multiplier(self) -> str: ...
    @property
    def macs(self) -> int: ...
    @property
    def weights_arrive(self) -> bool: ...
    @property
    def weight_memory(self) -> tuple[int, int]: ...
    def styles(self) -> dict[str, list[str]]: ...


class Multiplying(Unit):
    """What an MVTU and a VVTU cost, by the styles that decide it."""

    @property
    @abstractmethod
    def _weights(self) -> Resources:
        """The memory of weights."""

    @property
    @abstractmethod
    def _products(self) -> Resources:
        """Products, their sums and the accumulators."""

    @property
    @abstractmethod
    def _applied(self) -> Resources:
        """The activation."""

    @property
    @abstractmethod
    def _others(self) -> list[Resources]:
        """What no style decides."""

    @property
    def resources(self) -> Resources:
        """Weights, products and their sums, accumulators, activation, and what no style decides."""
        return Resources.total([self._weights, self._products, self._applied, *self._others])

    def style_cost(self, style: str) -> Resources:
        if style == "memory":
            return self._weights
        if style == "multiplier":
            return self._products
        return self._applied if style == "threshold_memory" else super().style_cost(style)


def weight_figures(unit: Weighted) -> dict[str, Any]:
    """What report.json says of a unit with weights.

    Bit operations: for every weight and position a product of weight and input bits, and an addition of accumulator bits.
    """
    return {
        "bops": unit.macs * (unit.weight_type.bits * unit.frame.dtype.bits + unit.acc.bits),
        "weights": int(unit.weights.size),
        "weight_bits": unit.weight_type.bits,
    }


def uses_dsp(unit: Weighted) -> bool:
    """Whether the unit's products go to DSP slices."""
    if unit.multiplier == "auto":
        return cost.prefers_dsp(unit.weight_type, unit.frame.dtype)
    return unit.multiplier != "lut"


def unknown_styles(unit: Weighted) -> list[str]:
    """Memories and multipliers that there are not."""
    found = [] if unit.memory in cost.WEIGHT_MEMORIES else [f"there is no memory '{unit.memory}'"]
    known = unit.multiplier in (*cost.MULTIPLIERS, *cost.SHARED)
    return found if known else [*found, f"there is no multiplier '{unit.multiplier}'"]


def several_faults(unit: Any, frame: Frame, unfolded: bool) -> list[str]:
    """What is wrong with the ``pixels`` of a unit that computes several positions of ``frame`` per cycle, all of each at once."""
    if unit.pixels == 1:
        return []
    found = [] if unfolded else ["several pixels per cycle, but not all of each at once"]
    found += [] if not getattr(unit, "weights_arrive", False) else ["several pixels per cycle, but weights that arrive"]
    whole = frame.pixels % unit.pixels == 0
    return found if whole else [*found, f"pixels = {unit.pixels} does not divide {frame.pixels} positions"]


def style_faults(unit: Weighted) -> list[str]:
    """What is wrong with where a unit's weights come from and how it multiplies."""
    found = []
    if unit.multiplier != "auto" and unit.multiplier not in unit.styles()["multiplier"]:
        written = "overlapped sums are for SystemVerilog only, or " if unit.multiplier == "overlapped" else ""
        found.append(f"{written}a DSP slice can't hold two products of {unit.weight_type} and {unit.frame.dtype}")
    if unit.pe >= 1 and unit.weights_arrive and unit.weight_memory[1] > cost.MAX_STREAM_BITS:
        found.append(f"a stream can't bring {unit.weight_memory[1]} bits of weights per cycle")
    return found
