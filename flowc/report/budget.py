"""Budgets: bounds on a figure of a build, absolute or against another build, as a CI job sets them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from flowc.errors import UsageError, shown
from flowc.report.compare import FIGURES, Comparison
from flowc.report.text import number

__all__ = ["Budget", "broken"]

_KEYS = tuple(kind.key for kind in FIGURES)
_FORM = re.compile(
    r"\s*([a-z0-9_]+)\s*(<=|>=)\s*([+-]?[0-9][0-9_]*(?:\.[0-9]+)?(?:e[+-]?[0-9]+)?)\s*(%?)\s*", re.IGNORECASE
)


@dataclass(frozen=True)
class Budget:
    """``lut<=30000``: at most so many. ``fps>=-2%``: at least the first build's less 2%.

    Attributes:
        key: a figure of `flowc.report.compare.FIGURES`.
        most: whether ``bound`` is the most; else the least.
        bound: a figure, or (relative) a change in percent.
        relative: whether it is a change from the first build.
    """

    key: str
    most: bool
    bound: float
    relative: bool

    @classmethod
    def parse(cls, text: str) -> Budget:
        """Raises UsageError for another form, or a figure that there is not."""
        match = _FORM.fullmatch(text)
        if match is None:
            raise UsageError(
                f"the budget '{shown(text)}' is not FIGURE<=N, FIGURE>=N, or the same with a change in percent",
                remedy="For example lut<=30000, or fps>=-2% against the first of two builds",
            )
        key, sign, bound, percent = match.groups()
        if key.lower() not in _KEYS:
            raise UsageError(
                f"the budget '{shown(text)}' names no figure; there are {', '.join(_KEYS)}",
                remedy="Write FIGURE<=VALUE, such as 'lut<=5000' or 'lut<=+5%'",
            )
        return cls(key.lower(), sign == "<=", float(bound.replace("_", "")), bool(percent))

    def __str__(self) -> str:
        bound = f"{self.bound:+g}%" if self.relative else number(self.bound)
        return f"{self.key} {'<=' if self.most else '>='} {bound}"


def broken(comparison: Comparison, budgets: Sequence[Budget]) -> list[str]:
    """What the last build does not keep, a sentence each. A figure that is not known keeps no budget.

    Raises:
        UsageError: a change is asked for, but there is only one build.
    """
    found = []
    for budget in budgets:
        if budget.relative and len(comparison.builds) < 2:
            raise UsageError(
                f"the budget '{budget}' is a change, so it needs a build to compare with",
                remedy="Give two: flowc report BEFORE AFTER",
            )
        values = {f.key: f for f in comparison.figures}.get(budget.key)
        if values is None or values.values[-1] is None:
            found.append(f"{budget}: not known of this build")
            continue
        first, value = values.values[0], values.values[-1]
        if budget.relative and first is None:
            found.append(f"{budget}: not known of the first build")
            continue
        limit = first * (1 + budget.bound / 100) if budget.relative else budget.bound
        if (value > limit) if budget.most else (value < limit):
            was = f", was {number(first)}" if budget.relative else ""
            found.append(f"{budget}: it is {number(value)}{was}")
    return found
