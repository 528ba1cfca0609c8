"""A layered layout of a directed graph: rows from top to bottom, crossings kept few (Sugiyama, Tagawa, Toda, IEEE SMC 1981).

Edges that span several rows get a place in each of them, so that they run around boxes and not through. Long graphs are cut
into columns that stand side by side, where few edges cross.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

__all__ = ["Place", "arrange", "columns", "rows_of"]

_SWEEPS = 4
_MOST_BENDS = 6000
"""Places of edges in rows; where a graph needs more, its long edges run straight."""

Node = Hashable


@dataclass
class Place:
    """Where a node, or a bend of an edge, is put: its middle in pixels, its row, and the column of the drawing."""

    node: Node
    width: float
    row: int = 0
    x: float = 0.0
    column: int = 0
    before: list[Place] = field(default_factory=list)
    after: list[Place] = field(default_factory=list)


def rows_of(nodes: Sequence[Node], edges: Sequence[tuple[Node, Node]]) -> dict[Node, int]:
    """The row of each node: one below the lowest of those before it. Nodes in a circle come last, each in the row after."""
    after: dict[Node, list[Node]] = {n: [] for n in nodes}
    waiting = dict.fromkeys(nodes, 0)
    for a, b in edges:
        after[a].append(b)
        waiting[b] += 1
    rows = dict.fromkeys(nodes, 0)
    free = deque(n for n in nodes if not waiting[n])
    done = set()
    while free:
        node = free.popleft()
        done.add(node)
        for follower in after[node]:
            rows[follower] = max(rows[follower], rows[node] + 1)
            waiting[follower] -= 1
            if not waiting[follower]:
                free.append(follower)
    last = max((rows[n] for n in done), default=-1)
    for i, node in enumerate(n for n in nodes if n not in done):
        rows[node] = last + 1 + i
    return rows


def arrange(
    rows: Mapping[Node, int], edges: Sequence[tuple[Node, Node]], width: float, bend: float, gap: float
) -> tuple[list[list[Place]], list[list[Place]]]:
    """Places in their rows from left to right with their x, and the places that each edge runs through.

    Args:
        rows: row of each node.
        edges: pairs of nodes; those that do not run downwards have no bends.
        width, bend, gap: of a node, of a bend, and between them, in pixels.
    """
    grid: list[list[Place]] = [[] for _ in range(max(rows.values(), default=-1) + 1)]
    places = {}
    for node, row in rows.items():
        places[node] = Place(node, width, row)
        grid[row].append(places[node])
    spans = sum(max(0, rows[b] - rows[a] - 1) for a, b in edges)
    chains = []
    for a, b in edges:
        chain = [places[a]]
        if spans <= _MOST_BENDS:
            for row in range(rows[a] + 1, rows[b]):
                chain.append(Place(None, bend, row))
                grid[row].append(chain[-1])
        chain.append(places[b])
        for upper, lower in pairwise(chain):
            upper.after.append(lower)
            lower.before.append(upper)
        chains.append(chain)
    _untangle(grid)
    for row_places in grid:
        _spread(row_places, gap)
    return grid, chains


def _untangle(grid: list[list[Place]]) -> None:
    """Orders every row by the middle of its neighbours above, then below, and so on."""
    for row in grid:
        _number(row)
    for sweep in range(_SWEEPS):
        down = sweep % 2 == 0
        for row in grid if down else reversed(grid):
            order = {id(p): _middle(p.before if down else p.after, p.x) for p in row}
            row.sort(key=lambda p: order[id(p)])
            _number(row)


def _number(row: list[Place]) -> None:
    for i, place in enumerate(row):
        place.x = float(i)


def _middle(neighbours: list[Place], own: float) -> float:
    return sum(p.x for p in neighbours) / len(neighbours) if neighbours else own


def _spread(row: list[Place], gap: float) -> None:
    """Gives every place of a row the x of what leads to it, as far as there is room."""
    wanted = [_middle(p.before, 0.0) for p in row]
    right = -float("inf")
    for place, x in zip(row, wanted, strict=True):
        place.x = max(x, right + gap + place.width / 2)
        right = place.x + place.width / 2
    drift = sum(p.x - x for p, x in zip(row, wanted, strict=True)) / max(1, len(row))
    for place in row:
        place.x -= drift


def columns(grid: list[list[Place]], row_height: float, gap: float, shape: float) -> tuple[list[float], float]:
    """Cuts the rows into columns so that the drawing is about ``shape`` times as wide as high.

    Sets `Place.column`, and x from the left of the drawing. Returns the left edge of each column (and one more: the right end), and the
    row number at which each begins is that of its first place.
    """
    if not grid:
        return [0.0, 0.0], 0
    left = min(p.x - p.width / 2 for row in grid for p in row)
    width = max(p.x + p.width / 2 for row in grid for p in row) - left
    height = len(grid) * row_height
    count = max(1, min(len(grid), round((shape * height / (width + gap)) ** 0.5)))
    starts = _cuts(grid, count)
    edges, at, deepest = [], 0.0, 0
    for column, start in enumerate(starts):
        end = starts[column + 1] if column + 1 < len(starts) else len(grid)
        inside = [p for row in grid[start:end] for p in row]
        low, high = min(p.x - p.width / 2 for p in inside), max(p.x + p.width / 2 for p in inside)
        edges.append(at)
        for place in inside:
            place.column, place.x, place.row = column, place.x - low + at + gap / 2, place.row - start
        at += high - low + gap
        deepest = max(deepest, end - start)
    return [*edges, at], deepest


def _cuts(grid: list[list[Place]], count: int) -> list[int]:
    """First rows of the columns: about equally many rows each, cut where few edges cross."""
    starts, each = [0], len(grid) / count
    for k in range(1, count):
        room = max(1, int(each / 6))
        middle = round(k * each)
        choices = range(max(starts[-1] + 1, middle - room), min(len(grid) - 1, middle + room) + 1)
        if choices:
            starts.append(min(choices, key=lambda r: (sum(len(p.before) for p in grid[r]), abs(r - middle))))
    return starts
