"""A small systolic array, cell by cell and cycle by cycle: registers, who hands what to whom, and how often.

Every move is counted where it happens. Used rows are the lowest, used columns the leftmost; a cell without data stands still, or
moves what passes if it toggles. Results are compared with numpy by the tests, so the movements belong to a machine that computes.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.int64]


@dataclass
class Moves:
    """Words moved, and cycles."""

    cycles: int = 0
    buffer: int = 0
    inter_pe: int = 0
    intra_pe: int = 0
    folds: list[int] = field(default_factory=list)


def weight_stationary(x: Matrix, w: Matrix, H: int, W: int, half: int, toggles: bool) -> tuple[Matrix, Moves]:
    """x [T, K] times w [K, M] with a block of w in the cells; ``half`` results per column are kept below the array."""
    T, K = x.shape
    M = w.shape[1]
    out = np.zeros((T, M), np.int64)
    moves = Moves()
    for t0 in range(0, T, half):
        part = x[t0 : t0 + half]
        for m0 in range(0, M, W):
            accumulators = np.zeros((len(part), min(W, M - m0)), np.int64)
            for k0 in range(0, K, H):
                block = w[k0 : k0 + H, m0 : m0 + W]
                moves.buffer += block.size
                sums = _run_weights(part[:, k0 : k0 + H], block, H, W, toggles, moves)
                accumulators += sums
                moves.inter_pe += sums.size
            out[t0 : t0 + half, m0 : m0 + W] = accumulators
            moves.buffer += accumulators.size
    return out, moves


def _run_weights(x: Matrix, block: Matrix, H: int, W: int, toggles: bool, moves: Moves) -> Matrix:
    """A pass of vectors through one block: word k of vector t enters row k in cycle t + k."""
    T = len(x)
    rows, columns = block.shape
    first = H - rows
    cells = np.zeros((H, W), np.int64)
    cells[first:, :columns] = block
    acts, sums = np.zeros((H, W), np.int64), np.zeros((H, W), np.int64)
    live = np.zeros((H, W), bool)  # whether a vector is in the cell
    out = np.zeros((T, columns), np.int64)
    done, cycle = 0, 0
    while done < T * W:
        entering, arriving = np.zeros(H, np.int64), np.zeros(H, bool)
        for row in range(H):
            t = cycle - row
            if 0 <= t < T:
                arriving[row] = True
                if row >= first:
                    entering[row] = x[t, row - first]
                    moves.buffer += 1
        acts = np.concatenate([entering[:, None], acts[:, :-1]], axis=1)
        live = np.concatenate([arriving[:, None], live[:, :-1]], axis=1)
        above = np.concatenate([np.zeros((1, W), np.int64), sums[:-1]], axis=0)
        sums = np.where(live, above + acts * cells, 0)
        for row in range(H):
            for column in range(W):
                if live[row, column] and (toggles or (row >= first and column < columns)):
                    moves.inter_pe += 1  # the activation came from the left
                    moves.inter_pe += row > (0 if toggles else first)  # the sum came from above
                    moves.intra_pe += 3  # weight read, activation and sum latched
        for column in range(W):
            t = cycle - (H - 1) - column
            if 0 <= t < T:
                done += 1
                if column < columns:
                    out[t, column] = sums[-1, column]
        cycle += 1
    moves.folds.append(cycle)
    return out


def output_stationary(x: Matrix, w: Matrix, H: int, W: int, toggles: bool) -> tuple[Matrix, Moves]:
    """x [T, K] times w [K, M] with an output in each cell; finished outputs shift down their column."""
    T, K = x.shape
    M = w.shape[1]
    out = np.zeros((T, M), np.int64)
    moves = Moves()
    for t0 in range(0, T, H):
        for m0 in range(0, M, W):
            out[t0 : t0 + H, m0 : m0 + W] = _run_outputs(x[t0 : t0 + H], w[:, m0 : m0 + W], H, W, toggles, moves)
    return out, moves


def _run_outputs(x: Matrix, w: Matrix, H: int, W: int, toggles: bool, moves: Moves) -> Matrix:
    rows, K = x.shape
    columns = w.shape[1]
    first = H - rows
    acts, weights = np.zeros((H, W), np.int64), np.zeros((H, W), np.int64)
    sums = np.zeros((H, W), np.int64)
    done, cycle = 0, 0
    while done < K * H * W:
        left, top = np.zeros(H, np.int64), np.zeros(W, np.int64)
        for row in range(first, H):
            if 0 <= cycle - row < K:
                left[row] = x[row - first, cycle - row]
                moves.buffer += 1
        for column in range(columns):
            if 0 <= cycle - column < K:
                top[column] = w[cycle - column, column]
                moves.buffer += 1
        acts = np.concatenate([left[:, None], acts[:, :-1]], axis=1)
        weights = np.concatenate([top[None], weights[:-1]], axis=0)
        for row in range(H):
            for column in range(W):
                if 0 <= cycle - row - column < K:
                    done += 1
                    sums[row, column] += acts[row, column] * weights[row, column]
                    if toggles or (row >= first and column < columns):
                        moves.inter_pe += 2
                        moves.intra_pe += 4
        cycle += 1
    moves.folds.append(cycle)
    result = sums[first:, :columns].copy()
    low, wide = (0, W) if toggles else (first, columns)
    for row in range(low, H):  # the output in this row passes this many cell borders, the edge included
        moves.inter_pe += (H - row) * wide
    moves.buffer += result.size
    return result


def no_local_reuse(x: Matrix, w: npt.NDArray[np.int64], H: int, W: int) -> tuple[Matrix, Moves]:
    """x [T, taps, C] times w [taps, C, M]: per step, up to H channels times W filters of one tap, sums through the buffer."""
    T, taps, C = x.shape
    M = w.shape[2]
    buffer = np.zeros((T, M), np.int64)
    begun = np.zeros((T, M), bool)
    moves = Moves()
    for m0 in range(0, M, W):
        for tap in range(taps):
            for c0 in range(0, C, H):
                for t in range(T):
                    rows, columns = range(c0, min(c0 + H, C)), range(m0, min(m0 + W, M))
                    moves.buffer += len(rows)  # an input for each row of cells
                    for m in columns:
                        moves.buffer += int(begun[t, m])  # the sum so far comes in
                        for c in rows:
                            moves.inter_pe += 2 + (c > c0)  # input and weight delivered, the sum from the cell before
                            moves.buffer += 1  # the weight
                            buffer[t, m] += x[t, tap, c] * w[tap, c, m]
                        begun[t, m] = True
                        moves.buffer += 1  # the sum goes back
                    moves.cycles += 1
    return buffer, moves
