"""Several placements of one netlist: a placer begins at random, and how fast the routed design is depends on it by a tenth and more."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from flowc.backends.programs import side_by_side
from flowc.errors import InfeasibleError

__all__ = ["PLACEMENTS", "rate_of", "told", "try_placements"]

PLACEMENTS = 4
"""Placements of a design that misses its clock."""

Routed = Mapping[str, Any]
"""What nextpnr says of a routed design (``--report``)."""


def rate_of(routed: Routed) -> float | None:
    """MHz that a routed design reaches, the least of its clocks; None: it has none."""
    return min((float(clock["achieved"]) for clock in routed["fmax"].values()), default=None)


def told(mhz: float) -> float:
    """A rate with two decimals, never above what was reached: a clock that is missed by less is missed."""
    return math.floor(mhz * 100) / 100


def try_placements(
    route: Callable[[int], Routed], *, wanted: float, placements: int, jobs: int | None = None, first: int = 1
) -> tuple[int, Routed, list[float]]:
    """Routes with one seed; where that misses the clock, with further ones side by side.

    Args:
        route: routes with a seed; raises InfeasibleError where it can't.
        wanted: MHz.
        placements: as many as are tried at most.
        jobs: at once; None: one per processor.
        first: the first seed; the others follow.

    Returns:
        The seed of the fastest, what was said of it, and the rate of every one that was routed.

    Raises:
        InfeasibleError: the first one can't be routed.
    """
    found = {first: route(first)}
    reached = rate_of(found[first])
    if reached is not None and reached < wanted and placements > 1:

        def again(seed: int) -> tuple[int, Routed | None]:
            try:
                return seed, route(seed)
            except InfeasibleError:
                return seed, None

        with side_by_side(jobs) as pool:
            others = pool.map(again, range(first + 1, first + placements))
            found |= {seed: routed for seed, routed in others if routed is not None}
    best = max(found, key=lambda seed: rate_of(found[seed]) or 0.0)
    rates = [rate for routed in found.values() if (rate := rate_of(routed)) is not None]
    return best, found[best], rates
