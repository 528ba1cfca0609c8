"""Choosing one option per layer: least cost under budgets, with what two neighbours cost together.

The problem is a multiple-choice knapsack with several budgets and pair costs (a width converter where two widths differ).
For given prices of the resources the best choice is found by dynamic programming along the graph; its state is the
choice of widths at the streams that are still open. Prices are then raised until the budgets are kept (Lagrangian
relaxation), and the choice is improved by exchanges of single options. The relaxation also bounds from below what any
choice uses, which proves that budgets can't be kept.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Edge", "Node", "Problem", "Selection"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_MOST_STATES = 20_000
_ROUNDS = 24
_HALVINGS = 8
_NEAR = 1.05


@dataclass(frozen=True)
class Node:
    """One layer's options.

    Attributes:
        use: (options, resources): what each option uses.
        enter, leave: (options,): index of the option's width at the inputs and at the outputs.
        widths: numbers of different widths at the inputs and at the outputs.
    """

    use: Floats
    enter: Ints
    leave: Ints
    widths: tuple[int, int]


@dataclass(frozen=True)
class Edge:
    """A stream between two nodes; ``use`` is (widths out of src, widths into dst, resources)."""

    src: int
    dst: int
    use: Floats


@dataclass(frozen=True)
class Selection:
    """A choice: option index per node, what it uses in all, and whether the budgets are kept.

    ``bound`` is a proven lower bound of the largest share of a budget that any choice uses (above 1: none keeps them all).
    ``shares`` says which budgets were found scarce.
    """

    choice: tuple[int, ...]
    use: Floats
    fits: bool
    bound: float
    shares: Floats | None = None


class Pairs(NamedTuple):
    """What a node's pairs of widths cost at some prices.

    Attributes:
        least: (widths in, widths out), the least price of an option.
        option: gives for a width in and a width out the number of the option that has it: of equals the last.
    """

    least: Floats
    option: Callable[[int, int], int]


class _Step(NamedTuple):
    """What the way back needs at one node: the axes kept, and for each state the widths that were best."""

    pairs: Pairs
    enter: Ints
    axes: tuple[int, ...]
    kept: tuple[int, ...]
    closed: Ints
    closed_shape: tuple[int, ...]


class _Met:
    """A node at which the one open stream ends.

    Attributes:
        price: (widths out, widths of the stream), the least one.
    """

    def __init__(self, pairs: Pairs, streams: Floats) -> None:
        """``streams`` is (widths in, widths of the stream): what the stream then costs."""
        self._joint = streams[:, None] + pairs.least[:, :, None]
        self._pairs = pairs
        self._found: dict[tuple[int, int], int] = {}
        self.price: Floats = self._joint.min(axis=0)

    def option(self, leave: int, stream: int) -> int:
        """The option of least price for two widths."""
        key = leave, stream
        if key not in self._found:
            self._found[key] = self._pairs.option(int(self._joint[:, leave, stream].argmin()), leave)
        return self._found[key]


class _Link(NamedTuple):
    """As `_Step`, where no more than one stream is open, which ends at the node.

    Attributes:
        met: the node with the stream.
        src, widths: where the stream comes from, and the widths that are left of it.
        cost: (widths out, widths of the stream), of all up to the node.
    """

    met: _Met
    src: int
    widths: Ints
    cost: Floats


class PairTables:
    """For every pair of widths (in, out) of some nodes the option of least price."""

    def __init__(self, nodes: Sequence[Node]) -> None:
        self._nodes = nodes
        sizes = [node.widths[0] * node.widths[1] for node in nodes]
        self._begun = np.cumsum([0, *sizes]).tolist()
        cells = [n.enter * n.widths[1] + n.leave + begun for n, begun in zip(nodes, self._begun[:-1], strict=True)]
        cell, number = (
            np.concatenate([np.zeros(0, np.int64), *p]) for p in (cells, [np.arange(c.size) for c in cells])
        )
        self._order = np.lexsort((-number, cell))
        self._option = number[self._order]
        self._starts = np.flatnonzero(np.diff(cell[self._order], prepend=-1))
        self._cells = cell[self._order][self._starts]
        self._places = np.searchsorted(cell[self._order], np.arange(self._begun[-1] + 1)).tolist()

    def __call__(self, prices: Floats) -> list[Pairs]:
        """Of every node; ``prices`` are of the resources."""
        table, price = np.full(self._begun[-1], np.inf), np.zeros(0)
        if self._order.size:
            price = np.concatenate([node.use @ prices for node in self._nodes])[self._order]
            table[self._cells] = np.minimum.reduceat(price, self._starts)
        bounds = zip(self._nodes, self._begun[:-1], self._begun[1:], strict=True)
        return [Pairs(table[a:b].reshape(n.widths), partial(self._find, price, a, n.widths[1])) for n, a, b in bounds]

    def _find(self, price: Floats, begun: int, across: int, enter: int, leave: int) -> int:
        """The option of least price, of a pair of widths of the node whose pairs begin there; 0 where there is none."""
        cell = begun + enter * across + leave
        start, stop = self._places[cell], self._places[cell + 1]
        return int(self._option[start + price[start:stop].argmin()]) if stop > start else 0


class Problem:
    """Nodes in topological order and the streams between them."""

    def __init__(self, nodes: Sequence[Node], edges: Sequence[Edge]) -> None:
        self.nodes = list(nodes)
        self.edges = list(edges)
        # Nodes and uses that several layers and streams share are priced once.
        self._nodes = {id(node): node for node in nodes}
        self._tables = PairTables([*self._nodes.values()])
        self._uses = {id(edge.use): edge.use for edge in edges}
        self._into: list[list[Edge]] = [[] for _ in nodes]
        self._out: list[list[Edge]] = [[] for _ in nodes]
        self._last = list(range(len(nodes)))
        for edge in edges:
            self._into[edge.dst].append(edge)
            self._out[edge.src].append(edge)
            self._last[edge.src] = max(self._last[edge.src], edge.dst)
        self._ending = self._endings()

    def _endings(self) -> list[int | None]:
        """Per node the only stream that is open, if it ends there: its node, or -1 where none is open; else None."""
        found: list[int | None] = []
        opened: list[int] = []
        for i in range(len(self.nodes)):
            alone = len(opened) <= 1 and all(self._last[a] == i for a in opened)
            found.append(max(opened, default=-1) if alone else None)
            opened = [a for a in (*opened, i) if self._last[a] > i]
        return found

    def use(self, choice: Sequence[int]) -> Floats:
        """What a choice uses of each resource."""
        parts = [n.use[c] for n, c in zip(self.nodes, choice, strict=True)]
        parts += [
            e.use[self.nodes[e.src].leave[choice[e.src]], self.nodes[e.dst].enter[choice[e.dst]]] for e in self.edges
        ]
        total: Floats = np.sum(parts, axis=0)
        return total

    def cheapest(self, prices: Floats) -> tuple[int, ...]:
        """The choice of least total price (exact up to `_MOST_STATES` combinations of open widths; then the best are kept)."""
        state: Floats = np.zeros(())
        axes: list[int] = []
        labels: dict[int, Ints] = {}
        settled: dict[int, int] = {}  # streams that have one width left: they need no axis
        steps: list[tuple[_Step, dict[int, Ints]] | _Link] = []
        tables = dict(zip(self._nodes, self._tables(prices), strict=True))
        priced = {key: (use @ prices).T for key, use in self._uses.items()}
        met: dict[Hashable, _Met] = {}  # of nodes and streams that several layers share
        for i, node in enumerate(self.nodes):
            ending = self._ending[i]
            if ending is not None:
                widths = labels[ending] if ending in axes else np.array([settled.get(ending, 0)])
                key = (id(node), widths.tobytes(), *(id(edge.use) for edge in self._into[i]))
                if key not in met:
                    streams = [priced[id(edge.use)][:, widths] for edge in self._into[i]]
                    met[key] = _Met(tables[id(node)], sum(streams, np.zeros((node.widths[0], 1))))
                cost = met[key].price + state
                steps.append(_Link(met[key], ending, widths, cost))
                labels[i], axes = np.arange(node.widths[1]), [i] if self._last[i] > i else []
                state = cost.min(axis=1) if axes else cost.min()
                continue
            state = _thin(state, axes, labels)
            single = [k for k, a in enumerate(axes) if labels[a].size == 1]
            settled |= {axes[k]: int(labels[axes[k]][0]) for k in single}
            state = state.squeeze(axis=tuple(single))
            axes = [a for k, a in enumerate(axes) if k not in single]
            table = tables[id(node)].least
            pairs = np.zeros((node.widths[0], *([1] * len(axes))))
            for edge in self._into[i]:
                shape = [node.widths[0], *([1] * len(axes))]
                width: int | Ints = settled.get(edge.src, labels[edge.src])
                if edge.src not in settled:
                    shape[1 + axes.index(edge.src)] = labels[edge.src].size
                pairs = pairs + priced[id(edge.use)][:, width].reshape(shape)
            joint = pairs[:, None] + table.reshape(*table.shape, *([1] * len(axes)))
            enter = joint.argmin(axis=0)
            cost = joint.min(axis=0) + state
            axes = [i, *axes]
            labels[i] = np.arange(node.widths[1])
            closing = [k for k, a in enumerate(axes) if self._last[a] <= i]
            keep = [k for k in range(len(axes)) if k not in closing]
            cost = cost.transpose(*keep, *closing)
            shape_closed = cost.shape[len(keep) :]
            cost = cost.reshape(*cost.shape[: len(keep)], -1)
            closed = cost.argmin(axis=-1)
            state = cost.min(axis=-1)
            full = np.broadcast_to(enter, (node.widths[1], *(labels[a].size for a in axes[1:])))
            step = _Step(tables[id(node)], full, tuple(axes), tuple(keep), closed, shape_closed)
            steps.append((step, {a: labels[a] for a in axes}))
            axes = [axes[k] for k in keep]
        return self._trace(steps, settled)

    def _trace(self, steps: list[tuple[_Step, dict[int, Ints]] | _Link], settled: dict[int, int]) -> tuple[int, ...]:
        choice = [0] * len(self.nodes)
        width = dict(settled)
        for i in range(len(self.nodes) - 1, -1, -1):
            found = steps[i]
            if isinstance(found, _Link):
                if self._last[i] > i:
                    k = int(found.cost[width[i]].argmin())
                else:
                    width[i], k = divmod(int(found.cost.argmin()), found.widths.size)
                width[found.src] = int(found.widths[k])
                choice[i] = found.met.option(width[i], k)
                continue
            step, labels = found
            at: list[int] = [0] * len(step.axes)
            for k in step.kept:
                at[k] = int(np.flatnonzero(labels[step.axes[k]] == width[step.axes[k]])[0])
            flat = int(step.closed[tuple(at[k] for k in step.kept)])
            closing = [k for k in range(len(step.axes)) if k not in step.kept]
            for k, where in zip(closing, np.unravel_index(flat, step.closed_shape), strict=True):
                at[k] = int(where)
            for k, axis in enumerate(step.axes):
                width[axis] = int(labels[axis][at[k]])
            enter = int(step.enter[tuple(at)])
            choice[i] = step.pairs.option(enter, width[i])
        return tuple(choice)

    def solve(
        self, budgets: Floats, weights: Floats, *, optimal: bool = True, shares: Floats | None = None
    ) -> Selection:
        """The choice of least weighted use that keeps the budgets; where none is found, one that exceeds them little.

        Args:
            budgets: per resource; a resource with budget 0 can't be used.
            weights: cost of one unit of each resource.
            optimal: False: any choice that keeps the budgets will do.
            shares: shares of the budgets' scarcity to begin with, such as a similar problem's `Selection.shares`.
        """
        safe = np.maximum(budgets, 1e-9)
        choice = self.cheapest(weights)
        if (self.use(choice) <= safe).all():
            return self._selection(choice, safe, 0.0, shares)
        share, bound, nearest = self._balance(safe, shares, patient=optimal)
        if bound > 1 and (self.use(nearest) > safe).any():
            nearest = self._improve(nearest, safe, weights) if optimal else nearest
            return self._selection(nearest, safe, bound, share)
        improved = cache(lambda choice: self._improve(choice, safe, weights))  # one choice is found at many prices
        fitting = improved(nearest)
        if not optimal:
            return self._selection(fitting, safe, bound, share)
        # Raise the prices of what is scarce, as little as makes the choice fit.
        scale = float(weights @ safe) / safe
        low, high, best = 0.0, 16.0, fitting
        for _ in range(_HALVINGS):
            raised = (low * high) ** 0.5 if low > 0 else high / 4
            choice = improved(self.cheapest(weights + raised * share * scale))
            use = self.use(choice)
            if (use <= safe).all():
                high = raised
                if not (self.use(best) <= safe).all() or use @ weights < self.use(best) @ weights:
                    best = choice
            else:
                low = raised
        return self._selection(best, safe, bound, share)

    def _selection(self, choice: tuple[int, ...], budgets: Floats, bound: float, shares: Floats | None) -> Selection:
        use = self.use(choice)
        return Selection(choice, use, bool((use <= budgets).all()), bound, shares)

    def _balance(
        self, budgets: Floats, shares: Floats | None, *, patient: bool
    ) -> tuple[Floats, float, tuple[int, ...]]:
        """Multiplicative weights on the budgets' shares: the shares that bound from below, the bound, the nearest choice.

        For any shares that sum to 1, the least of (sum of share * use / budget) over all choices is a lower bound of the
        largest use / budget. Ends when a choice fits, or the bound is above 1; if ``patient``, then only when a choice is near the bound.
        """
        force = np.ones(budgets.size) if shares is None else np.maximum(shares, shares.max() * 1e-3)
        bound, best_share = 0.0, force / force.sum()
        nearest: tuple[float, tuple[int, ...]] = (np.inf, ())
        for k in range(_ROUNDS):
            share = force / force.sum()
            choice = self.cheapest(share / budgets)
            load = self.use(choice) / budgets
            if float(load @ share) > bound:
                bound, best_share = float(load @ share), share
            nearest = min(nearest, (float(load.max()), choice))
            if nearest[0] <= 1 or (bound > 1 and (not patient or nearest[0] <= _NEAR * bound)):
                break
            force = force * np.exp((load - load.max()) * (1.5 / (1 + k / 8)))
            force = np.maximum(force, force.max() * 1e-6)
        return best_share, bound, nearest[1]

    def _improve(self, choice: Sequence[int], budgets: Floats, weights: Floats) -> tuple[int, ...]:
        """Exchanges single options as long as the excess over the budgets, or else the cost, falls."""
        now = list(choice)
        use = self.use(now)
        for _ in range(20):
            before = (float(np.maximum(use / budgets - 1, 0).sum()), float(use @ weights))
            start = before
            for i, node in enumerate(self.nodes):
                local = self._local(i, node, now)
                trial = use - local[now[i]] + local
                excess = np.maximum(trial / budgets - 1, 0).sum(axis=1)
                cost = trial @ weights
                pick = int(np.lexsort((cost, excess))[0])
                if (float(excess[pick]), float(cost[pick])) < (before[0] - 1e-12, np.inf) or (
                    excess[pick] <= before[0] and cost[pick] < before[1] - 1e-9
                ):
                    use, now[i] = trial[pick], pick
                    before = (float(excess[pick]), float(cost[pick]))
            if before == start:
                break
        return tuple(now)

    def _local(self, i: int, node: Node, choice: Sequence[int]) -> Floats:
        """What each option of node ``i`` uses together with its neighbours as they are."""
        total: Floats = node.use
        for e in self._into[i]:
            total = total + e.use[self.nodes[e.src].leave[choice[e.src]]][node.enter]
        for e in self._out[i]:
            total = total + e.use[:, self.nodes[e.dst].enter[choice[e.dst]]][node.leave]
        return total


def _thin(state: Floats, axes: Sequence[int], labels: dict[int, Ints]) -> Floats:
    """Drops the dearest widths of the open streams until the state is small enough."""
    while state.size > _MOST_STATES:
        k = int(np.argmax(state.shape))
        least = state.min(axis=tuple(j for j in range(state.ndim) if j != k))
        keep = np.sort(np.argsort(least, kind="stable")[: max(1, least.size // 2)])
        state = np.take(state, keep, axis=k)
        labels[axes[k]] = labels[axes[k]][keep]
    return state
