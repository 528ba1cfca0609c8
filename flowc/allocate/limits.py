"""How much of a device a design may use."""

from __future__ import annotations

from dataclasses import dataclass, fields

from flowc.errors import UsageError
from flowc.targets import Target

__all__ = ["RESOURCES", "Limits"]

RESOURCES = ("lut", "ff", "bram18", "uram", "dsp")


@dataclass(frozen=True)
class Limits:
    """Shares of a device that may be used, each above 0 and at most 1.

    80% of the look-up tables is where place and route gets hard on these families. The memories and DSP slices route
    at higher use; what is left is for the DMA engine and interconnect around the accelerator.
    """

    lut: float = 0.8
    ff: float = 0.8
    bram18: float = 0.95
    uram: float = 0.95
    dsp: float = 0.95

    def __post_init__(self) -> None:
        for f in fields(self):
            value = getattr(self, f.name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 1:
                raise UsageError(f"utilization limit '{f.name}' must be above 0 and at most 1, not {value!r}")

    def budget(self, target: Target) -> dict[str, int]:
        """What may be used of each resource of ``target``."""
        available = target.available
        return {name: int(available[name] * getattr(self, name)) for name in RESOURCES}
