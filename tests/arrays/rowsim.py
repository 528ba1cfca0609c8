"""Row stationary, executed: every pass, set and cell of a mapping does its products, and every word it moves is counted.

The loops are those of Eyeriss' chip (JSSC 2017, section IV): images in groups that share a load of weights, strips of output rows,
then channels and filters pass by pass. The result is compared with a plain convolution by the tests.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from tests.arrays.cellsim import Moves

Tensor = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Plan:
    """A mapping for one array: e rows a set, p filters and q channels a cell, r and t sets; images that share weights."""

    e: int
    p: int
    q: int
    r: int
    t: int
    together: int


def shared_out(items: range, sets: int) -> list[range]:
    """Items dealt to at most so many sets as evenly as can be, the first ones getting more."""
    used = min(sets, len(items))
    bounds = [round(i * len(items) / used) for i in range(used + 1)]
    return [items[a:b] for a, b in pairwise(bounds)]


def row_stationary(x: Tensor, w: Tensor, stride: tuple[int, int], plan: Plan) -> tuple[Tensor, Moves]:
    """x [N, C, H, W], without padding to add, convolved with w [M, C, R, S]."""
    N, C = x.shape[:2]
    M, _, R, S = w.shape
    E, F = (x.shape[2] - R) // stride[0] + 1, (x.shape[3] - S) // stride[1] + 1
    out = np.zeros((N, M, E, F), np.int64)
    moves = Moves()
    for first in range(0, N, plan.together):
        for top in range(0, E, plan.e):
            rows = range(top, min(top + plan.e, E))
            for c in range(0, C, plan.q * plan.r):
                channels = range(c, min(c + plan.q * plan.r, C))
                for m in range(0, M, plan.p * plan.t):
                    filters = range(m, min(m + plan.p * plan.t, M))
                    moves.buffer += len(filters) * len(channels) * R * S
                    moves.inter_pe += len(filters) * len(channels) * R * S * len(rows)
                    for n in range(first, min(first + plan.together, N)):
                        _pass(x[n], w, out[n], stride, rows, channels, filters, plan, moves)
    return out, moves


def _pass(
    x: Tensor,
    w: Tensor,
    out: Tensor,
    stride: tuple[int, int],
    rows: range,
    channels: range,
    filters: range,
    plan: Plan,
    moves: Moves,
) -> None:
    R, S, F = w.shape[2], w.shape[3], out.shape[2]
    across = sorted({f * stride[1] + s for f in range(F) for s in range(S)})
    down = {j * stride[0] + i for j in rows for i in range(R)}
    moves.buffer += len(channels) * len(down) * len(across)
    channel_sets, filter_sets = shared_out(channels, plan.r), shared_out(filters, plan.t)
    busiest = 0
    for mine in filter_sets:
        for j in rows:
            if channels.start:
                moves.buffer += len(mine) * F  # sums of earlier channels
            for share in channel_sets:
                for i in range(R):
                    moves.inter_pe += len(share) * len(across)  # input rows to this cell
                    busiest = max(busiest, _cell(x, w, out, stride, (i, j), share, mine, moves))
            moves.inter_pe += len(mine) * F * (R * len(channel_sets) - 1)  # up the column
            moves.buffer += len(mine) * F
    moves.cycles += busiest


def _cell(
    x: Tensor,
    w: Tensor,
    out: Tensor,
    stride: tuple[int, int],
    at: tuple[int, int],
    channels: range,
    filters: range,
    moves: Moves,
) -> int:
    """Kernel row i over one input row, for all of the cell's channels and filters; the products it takes."""
    i, j = at
    products = 0
    for f in range(out.shape[2]):
        for m in filters:
            total = 0
            for number, (c, s) in enumerate((c, s) for c in channels for s in range(w.shape[3])):
                total += int(w[m, c, i, s]) * int(x[c, j * stride[0] + i, f * stride[1] + s])
                moves.intra_pe += 2 if number == 0 else 4
                products += 1
            out[m, j, f] += total
    return products
