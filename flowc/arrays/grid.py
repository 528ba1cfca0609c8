"""Which heights and widths a sweep tries."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from flowc.arrays.counts import Sizes
from flowc.errors import UsageError

__all__ = ["MOST_PES", "MOST_SHAPES", "PES", "shapes"]

PES = 16_384
"""Processing elements where nothing is said: 128 x 128, as in the TPU v2."""
MOST_PES = 2**24
MOST_SHAPES = 4096
_SMALLEST_SIDE = 8
_MOST_DIVISORS = 64


def shapes(pes: int | None, heights: Sequence[int] | None, widths: Sequence[int] | None) -> tuple[Sizes, Sizes]:
    """Heights and widths of the arrays, as two arrays of one length.

    Heights and widths together span a grid. With one of them, or none, every array has ``pes`` elements: the other side
    follows, or all divisors from 8 up are taken (all there are, where these are fewer than two).

    Raises:
        UsageError: a number is below 1 or too large, a side does not divide the number of elements, or the three contradict.
    """
    for name, given in (("height", heights), ("width", widths)):
        _check_sides(name, given)
    if heights is not None and widths is not None:
        if pes is not None:
            raise UsageError(
                "heights and widths span a grid, which leaves no number of processing elements to choose",
                remedy="Leave --pes away, or give heights only",
            )
        grid = [(h, w) for h in heights for w in widths]
    else:
        total = PES if pes is None else pes
        if not 1 <= total <= MOST_PES:
            raise UsageError(
                f"the number of processing elements must be 1 to {MOST_PES:,}, not {total:,}",
                remedy="Give a number in that range",
            )
        given = heights if heights is not None else widths
        sides = _divisors(total) if given is None else list(given)
        for side in sides:
            if total % side:
                raise UsageError(
                    f"an array of {total:,} processing elements can't be {side:,} "
                    f"{'high' if heights is not None else 'wide'}: {side:,} does not divide {total:,}",
                    remedy=f"Near it: {_near(side, total)}; or give heights and widths and no --pes",
                )
        grid = [(side, total // side) if widths is None else (total // side, side) for side in sides]
    if len(grid) > MOST_SHAPES:
        raise UsageError(f"{len(grid):,} shapes of arrays are more than {MOST_SHAPES:,}", remedy="Leave some sizes out")
    if max(h * w for h, w in grid) > MOST_PES:
        raise UsageError(
            f"an array of more than {MOST_PES:,} processing elements is not counted",
            remedy="Give smaller heights and widths",
        )
    found = np.array(grid, np.float64)
    return found[:, 0], found[:, 1]


def _check_sides(name: str, given: Sequence[int] | None) -> None:
    if given is None:
        return
    if not given:
        raise UsageError(f"no {name} is given", remedy="Give at least one")
    for side in given:
        if not 1 <= side <= MOST_PES:
            raise UsageError(f"a {name} must be 1 to {MOST_PES:,}, not {side:,}", remedy="Give a number in that range")
    twice = [side for side in given if list(given).count(side) > 1] if len(given) <= MOST_SHAPES else []
    if twice:
        raise UsageError(f"the {name} {twice[0]:,} is given twice", remedy="Name it once")


def _divisors(total: int) -> list[int]:
    low = [n for n in range(1, int(total**0.5) + 1) if total % n == 0]
    every = sorted({*low, *(total // n for n in low)})
    wide = [n for n in every if n >= _SMALLEST_SIDE and total // n >= _SMALLEST_SIDE]
    found = wide if len(wide) > 1 else every
    step = -(-len(found) // _MOST_DIVISORS)
    return found[::step]


def _near(side: int, total: int) -> str:
    """The divisors below and above a side."""
    below = next(n for n in range(min(side, total), 0, -1) if total % n == 0)
    above = next((n for n in range(side, total + 1) if total % n == 0), below)
    return " and ".join(f"{n:,}" for n in dict.fromkeys((below, above)))
