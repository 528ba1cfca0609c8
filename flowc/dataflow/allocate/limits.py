"""How much of a device a design may use."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, fields

from flowc.errors import UsageError, shown
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
                raise UsageError(
                    f"utilization limit '{f.name}' must be above 0 and at most 1, not {value!r}",
                    remedy="Give a share such as 0.7 or 70%",
                )

    @staticmethod
    def parse(text: str) -> Limits:
        """The limits in a text such as ``lut=0.7,bram18=90%``; what it does not name keeps its default.

        Raises:
            UsageError: it has another form, names something else, or a share is out of range.
        """
        found: dict[str, float] = {}
        for part in text.split(","):
            match = re.fullmatch(r"\s*(\w+)\s*=\s*([0-9.eE+-]+)(%?)\s*", part)
            if match is None:
                raise UsageError(
                    f"utilization '{shown(text)}' is not RESOURCE=SHARE,..., such as 'lut=0.7,bram18=90%'",
                    remedy="Name resources of the target, each with a share of it",
                )
            name, figure, percent = match.groups()
            if name not in RESOURCES or name in found:
                what = "stands twice" if name in found else f"is no resource; allowed are {', '.join(RESOURCES)}"
                raise UsageError(
                    f"utilization '{shown(text)}': '{shown(name)}' {what}",
                    remedy="Name resources of the target, each with a share of it",
                )
            try:
                found[name] = float(figure) / (100 if percent else 1)
            except ValueError:
                found[name] = math.nan  # refused with what is allowed
        return Limits(**found)

    @staticmethod
    def of(given: str | Limits | None) -> Limits | None:
        """Limits, or those in a text (see `parse`). Raises UsageError for anything else."""
        if given is None or isinstance(given, Limits):
            return given
        if isinstance(given, str):
            return Limits.parse(given)
        raise UsageError(
            f"a utilization is a text such as 'lut=0.7,bram18=90%', not {given!r}",
            remedy="Name resources of the target, each with a share of it",
        )

    def budget(self, target: Target) -> dict[str, int]:
        """What may be used of each resource of ``target``."""
        available = target.available
        return {name: int(available[name] * getattr(self, name)) for name in RESOURCES}
