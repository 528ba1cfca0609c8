"""The search for every layer's option: the cheapest at an interval, and the least interval that fits."""

from __future__ import annotations

import json
from collections.abc import Hashable
from dataclasses import dataclass

import numpy as np

from flowc import progress
from flowc.dataflow.allocate.layers import Layer, fold_cycles
from flowc.dataflow.allocate.limits import RESOURCES, Limits
from flowc.dataflow.allocate.options import Option, OptionTable
from flowc.dataflow.allocate.pixels import pixel_reason
from flowc.dataflow.allocate.select import Floats, Selection
from flowc.errors import InfeasibleError, TooLargeError, UsageError
from flowc.targets import Target
from flowc.units.graph import Dataflow

__all__ = ["Chosen", "Search"]


_COUNTED = np.array([{"lut": 2.0, "ff": 0.05, "dsp": 0.5}.get(name, 1.0) for name in RESOURCES])
"""How much a share of each resource counts. Look-up tables are estimates, and crowding them costs clock rate; memories are
counted exactly. Flip-flops come with the look-up tables that feed them, and there are twice as many. A DSP slice does nothing
here but save look-up tables."""

_REPRICINGS = 4
_LEAST_PRICE = 0.1


@dataclass(frozen=True)
class Chosen:
    """A selection at an interval, with the options it chose from."""

    limit: int
    selection: Selection
    options: list[Option]


class Search:
    """The search for the options of all layers.

    Args:
        graph: without width converters.
        layers: of ``graph``, with what the user fixed.
        target, limits: what may be used.
        transfer_cycles: cycles that a frame takes to and from external memory: no interval is shorter.
    """

    def __init__(
        self, graph: Dataflow, layers: list[Layer], target: Target, limits: Limits, transfer_cycles: int = 0
    ) -> None:
        self.layers = layers
        self.transfer_cycles = transfer_cycles
        self.outside = target.outside
        uram = target.uram > 0
        # Without a processor nobody but the user could bring the weights: that is his to ask for.
        self.table = OptionTable(graph, layers, target, uram=uram, uram_weights=uram and target.has_processor)
        self.budget = limits.budget(target)
        self.budgets = np.array([float(self.budget[name]) for name in RESOURCES])
        self.available = np.array([max(1.0, float(target.available[name])) for name in RESOURCES])
        self.reserve = np.zeros(len(RESOURCES))
        self._shares: Floats | None = None
        possible: dict[Hashable, list[int]] = {}
        for layer in layers:
            if layer.likeness not in possible:
                possible[layer.likeness] = _possible(layer)
        self._cycles = [possible[layer.likeness] for layer in layers]

    def rating(self, use: Floats) -> tuple[float, float]:
        """By how much ``use`` exceeds the budgets, and what it costs (see `at`): less is better."""
        over = float(np.maximum(use / np.maximum(self.budgets, 1.0) - 1, 0.0).sum())
        return over, float(np.linalg.norm(_COUNTED * use / self.available))

    def at(self, limit: int, *, optimal: bool = True) -> Chosen:
        """The cheapest choice of at most ``limit`` cycles; without ``optimal``, any that fits. If none does, one that exceeds little.

        Cost is the root of the sum of the squares of the shares of the device: it uses no resource up while another lies idle. Its
        slope at the last choice gives the prices for the next, a few times.
        """
        progress.at(f"{limit:,} cycles per frame")
        problem, choices = self.table.problem(limit)
        budgets = np.maximum(self.budgets - self.reserve, 0.0)
        share = _COUNTED / np.linalg.norm(_COUNTED)
        found: list[tuple[tuple[float, float], Selection]] = []
        for _ in range(_REPRICINGS if optimal else 1):
            selection = problem.solve(budgets, _COUNTED * share / self.available, optimal=optimal, shares=self._shares)
            self._shares = selection.shares
            share = _COUNTED * (selection.use + self.reserve) / self.available
            found.append((self.rating(selection.use + self.reserve), selection))
            if selection.bound > 1 and not selection.fits:
                break  # nothing fits: what it costs does not matter
            share = np.maximum(share, _LEAST_PRICE * _COUNTED * share.max())
        best = min(found, key=lambda f: f[0])[1]
        picked = [c.option(i) for c, i in zip(choices, best.choice, strict=True)]
        return Chosen(limit, best, [self.table.own(i, option) for i, option in enumerate(picked)])

    def slowest_least(self) -> tuple[int, Layer]:
        """The least interval that every layer can reach regardless of cost, and the layer that sets it."""
        return max(
            ((c[0], layer) for c, layer in zip(self._cycles, self.layers, strict=True)), key=lambda pair: pair[0]
        )

    def fastest(self) -> Chosen:
        """The choice of the least interval that fits. Raises InfeasibleError where nothing does."""
        floor = max(self.slowest_least()[0], self.transfer_cycles)
        intervals = sorted({floor, *(c for cycles in self._cycles for c in cycles if c > floor)})
        low, high = 0, len(intervals) - 1
        known: Chosen | None = None
        while low < high:
            middle = (low + high) // 2
            trial = self.at(intervals[middle], optimal=False)
            if trial.selection.fits:
                known, high = trial, middle
            else:
                low = middle + 1
        best = self.at(intervals[high])
        if best.selection.fits:
            return best
        if known is not None:
            return known
        raise TooLargeError(
            f"the network does not fit on the chip, however slow: {self.overrun(best)}",
            remedy="Take a larger target, weights of fewer bits, or a smaller network",
        )

    def reach(self, wanted: int) -> Chosen:
        """The cheapest choice of at most ``wanted`` cycles; it need not fit.

        Raises:
            InfeasibleError: a layer, or the external memory, is slower than that at any cost.
        """
        floor, layer = self.slowest_least()
        if floor > wanted:
            why = "as its folding is fixed" if layer.pinned else "even fully unfolded"
            if layer.port_bits is not None:
                many = f"{layer.port_ways} memory ports" if layer.port_ways > 1 else "a memory port"
                why += f", through {many} of {layer.port_bits} bits"
            if layer.several and not layer.pinned and layer.allowed("pixels") == [1]:
                why += f" ({pixel_reason(layer)})"
            message = f"layer '{layer.name}' takes {floor:,} cycles per frame {why}"
            raise InfeasibleError(message, remedy="ask for a lower rate, or give the layer a folding that is faster")
        if self.transfer_cycles > wanted:
            raise InfeasibleError(
                f"the {self.outside} takes {self.transfer_cycles:,} cycles to deliver a frame and take its result",
                remedy="ask for a lower rate, or take a board with a faster way in and out",
            )
        return self.at(wanted)

    def overrun(self, chosen: Chosen) -> str:
        """Which resource binds, its three biggest consumers, and how far any choice is from fitting (proven)."""
        use = chosen.selection.use + self.reserve
        k = int(np.argmax(use / np.maximum(self.budgets, 1.0)))
        parts = zip((float(o.use[k]) for o in chosen.options), self.layers, strict=True)
        biggest = sorted(parts, key=lambda part: -part[0])[:3]
        listed = ", ".join(f"'{layer.name}' {amount:,.0f}" for amount, layer in biggest)
        bound = chosen.selection.bound
        room = "left for units" if self.reserve.any() else "allowed"
        proven = f"; every folding takes {bound:.1f} times what is {room}, or more, of something" if bound > 1.1 else ""
        return (
            f"{use[k]:,.0f} {RESOURCES[k]} needed of {self.budgets[k]:,.0f} allowed; the biggest are {listed}{proven}"
        )


def _possible(layer: Layer) -> list[int]:
    """Intervals at which the layer's folds change, ascending. Raises UsageError where what is fixed leaves no fold."""
    found = fold_cycles(layer)
    if not found:
        fixed = ", ".join(f"{key} = {json.dumps(value)}" for key, value in layer.fixed.items())
        raise UsageError(
            f"folding '{layer.name}': {fixed or 'its shape'} leaves no folding that can be built",
            remedy="Take an entry out of the folding of this layer",
        )
    return found
