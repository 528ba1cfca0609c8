"""What a sweep over arrays found: `ArraySweep`, its points and its layers."""

from __future__ import annotations

import csv
import html
import io
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from functools import cached_property

import numpy as np

from flowc.arrays.counts import Counts, Sizes
from flowc.arrays.dram import dram_words
from flowc.arrays.heatmap import heat_map
from flowc.arrays.layers import Layer, Network
from flowc.arrays.points import METRICS, ArrayPoint, ratio
from flowc.arrays.setup import Setup
from flowc.errors import UsageError, counted, shown

__all__ = ["ArraySweep", "LayerPoint", "anonymous"]


@dataclass(frozen=True)
class LayerPoint:
    """A layer on an array.

    Attributes:
        layer: its name.
        macs, cycles, utilization: as of the network.
        cycle_share, mac_share: of the network's.
        waste: the share of all the network's element-cycles that this layer leaves idle.
    """

    layer: str
    macs: int
    cycles: int
    utilization: float
    cycle_share: float
    mac_share: float
    waste: float


@dataclass(frozen=True, repr=False)
class ArraySweep:
    """Networks on arrays.

    Attributes:
        networks: in the order asked for.
        dataflows: of every array.
        heights, widths: of the arrays, shape (arrays,).
        setup: what the arrays have in common.
        counts: of every layer apart from its name, by dataflow; see `layers`.
    """

    networks: tuple[Network, ...]
    dataflows: tuple[str, ...]
    heights: Sizes
    widths: Sizes
    setup: Setup
    counts: Mapping[Layer, Mapping[str, Counts]]

    @cached_property
    def points(self) -> Mapping[str, tuple[ArrayPoint, ...]]:
        """Points by network: all arrays of the first dataflow, then of the next."""
        return {network.name: self._points(network) for network in self.networks}

    def _points(self, network: Network) -> tuple[ArrayPoint, ...]:
        layers = [layer.batched(self.setup.batch) for layer in network.layers]
        macs = sum(layer.macs for layer in layers)
        dram = sum(dram_words(layer, self.setup) for layer in layers)
        sums = {dataflow: self._total(network, dataflow) for dataflow in self.dataflows}
        energies = {dataflow: total.energy(self.setup.costs, dram) for dataflow, total in sums.items()}
        best = min(float(energy.min()) for energy in energies.values())
        found = []
        for dataflow, total in sums.items():
            used = macs / (total.cycles * self.heights * self.widths)
            for i in range(len(self.heights)):
                energy = float(energies[dataflow][i])
                found.append(
                    ArrayPoint(
                        dataflow, int(self.heights[i]), int(self.widths[i]), int(total.cycles[i]), float(used[i]),
                        int(total.buffer[i]), int(total.inter_pe[i]), int(total.intra_pe[i]), dram, energy,
                        energy / best if best else 1.0,
                    )
                )  # fmt: skip
        return tuple(found)

    def _total(self, network: Network, dataflow: str) -> Counts:
        zero = np.zeros(self.heights.shape)
        total = Counts(zero, zero, zero, zero)
        for layer in network.layers:
            total += self.counts[anonymous(layer)][dataflow]
        return total

    def __repr__(self) -> str:
        parts = []
        for network in self.networks:
            point = self.best(network.name)
            parts.append(f"{shown(network.name, 60)}: least energy on {point.dataflow} {point.height} x {point.width}")
        return f"<flowc array sweep, {counted(len(self.heights) * len(self.dataflows), 'array')}; {'; '.join(parts)}>"

    def _repr_html_(self) -> str:
        return f"<p>{html.escape(repr(self)[1:-1])}</p>{self.plot()}"

    def best(self, network: str, dataflow: str | None = None, metric: str = "energy") -> ArrayPoint:
        """The point of a network with the least of a metric; of several, the first."""
        points = [p for p in self._of(network) if dataflow is None or p.dataflow == dataflow]
        if not points:
            raise UsageError(
                f"dataflow '{shown(str(dataflow))}' is not in the sweep", remedy="Ask for a dataflow that was swept"
            )
        return min(points, key=lambda p: float(getattr(p, metric)))

    def layers(self, network: str, dataflow: str, height: int, width: int) -> tuple[LayerPoint, ...]:
        """Every layer of a network on one array of the sweep, in order.

        Raises:
            UsageError: the network, the dataflow or the array is not in the sweep.
        """
        self._of(network)
        at = np.flatnonzero((self.heights == height) & (self.widths == width))
        if not len(at) or dataflow not in self.dataflows:
            raise UsageError(
                f"the sweep has no array '{shown(dataflow)}' of {height} x {width}",
                remedy="Ask for a shape that was swept",
            )
        layers = next(n for n in self.networks if n.name == network).layers
        cycles = [float(self.counts[anonymous(layer)][dataflow].cycles[at[0]]) for layer in layers]
        macs = [layer.batched(self.setup.batch).macs for layer in layers]
        total, products = sum(cycles), sum(macs)
        return tuple(
            LayerPoint(
                layer.name, m, int(c), m / (c * height * width), c / total, m / products,
                (c - m / (height * width)) / total,
            )
            for layer, c, m in zip(layers, cycles, macs, strict=True)
        )  # fmt: skip

    def _of(self, network: str) -> tuple[ArrayPoint, ...]:
        if network not in self.points:
            raise UsageError(
                f"network '{shown(network)}' is not in the sweep", remedy="Ask for a network that was swept"
            )
        return self.points[network]

    def json(self) -> str:
        """All points as a JSON object."""
        networks = [
            {"name": n.name, "macs": n.macs, "points": [asdict(p) for p in self.points[n.name]]} for n in self.networks
        ]
        return json.dumps({"networks": networks}, indent=1, allow_nan=False) + "\n"

    def csv(self) -> str:
        """All points, a line each below a header; every metric also relative to the network's least."""
        out = io.StringIO()
        names = [field.name for field in fields(ArrayPoint)]
        ratios = [f"{metric}_to_best" for metric in METRICS if metric != "energy"]
        writer = csv.DictWriter(out, ["network", *names, *ratios], lineterminator="\n")
        writer.writeheader()
        for network, points in self.points.items():
            least = {metric: min(getattr(p, metric) for p in points) for metric in METRICS}
            for point in points:
                extra = {f"{m}_to_best": ratio(getattr(point, m), least[m]) for m in METRICS if m != "energy"}
                writer.writerow({"network": network, **asdict(point), **extra})
        return out.getvalue()

    def layers_csv(self, arrays: Mapping[str, tuple[str, int, int]]) -> str:
        """Every layer of networks, a line each below a header; ``arrays``: dataflow, height and width by network."""
        out = io.StringIO()
        names = [field.name for field in fields(LayerPoint)]
        writer = csv.DictWriter(out, ["network", "dataflow", "height", "width", *names], lineterminator="\n")
        writer.writeheader()
        for network, (dataflow, height, width) in arrays.items():
            for layer in self.layers(network, dataflow, height, width):
                line = {"network": network, "dataflow": dataflow, "height": height, "width": width}
                writer.writerow({**line, **asdict(layer)})
        return out.getvalue()

    def plot(self, metric: str = "energy") -> str:
        """A heat map as SVG: a metric of `METRICS`, or "utilization", relative to each network's best.

        Raises:
            UsageError: there is no such metric.
        """
        return heat_map(self, metric)


def anonymous(layer: Layer) -> Layer:
    """The layer without its name: layers alike are counted once."""
    return replace(layer, name="")
