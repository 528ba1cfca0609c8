"""A design's units one by one, for a prompt or a notebook: ``design.layers["conv1"].activations(x)``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import escape

from flowc.dataflow.emulator import unfolded
from flowc.design.assembly import Assembly
from flowc.errors import UsageError, shown, similar
from flowc.report.summary import html_table
from flowc.report.text import number, visible
from flowc.units import Unit
from flowc.units.base import Array
from flowc.units.graph import Stream

__all__ = ["Histogram", "Layer", "Layers"]

_SAMPLES = 16
_BAR = 40
_MOST_ROWS = 32


@dataclass(frozen=True, eq=False, repr=False)
class Histogram:
    """How often each integer occurred.

    Attributes:
        layer: unit that gave them.
        values: int64 (K,), ascending.
        counts: int64 (K,), each above 0.
    """

    layer: str
    values: Array
    counts: Array

    @property
    def total(self) -> int:
        """Integers counted."""
        return int(self.counts.sum())

    def _rows(self) -> list[tuple[str, int]]:
        """Values, or ranges of them where there are many, and their counts."""
        if len(self.values) <= _MOST_ROWS:
            return [(f"{v:,}", int(n)) for v, n in zip(self.values.tolist(), self.counts, strict=True)]
        edges = np.linspace(self.values[0], self.values[-1] + 1, _MOST_ROWS + 1).astype(np.int64)
        sums = np.histogram(self.values, edges, weights=self.counts)[0].astype(int)
        return [(f"{a:,} to {b - 1:,}", int(n)) for a, b, n in zip(edges[:-1], edges[1:], sums, strict=True)]

    def __repr__(self) -> str:
        rows = self._rows()
        most, wide = max((n for _, n in rows), default=1) or 1, max((len(name) for name, _ in rows), default=0)
        bars = (f"{name:>{wide}} {'#' * round(_BAR * n / most):<{_BAR}} {n:,}" for name, n in rows)
        return "\n".join([f"<{self.total:,} integers of {shown(self.layer)}>", *bars])

    def _repr_html_(self) -> str:
        rows = self._rows()
        most = max((n for _, n in rows), default=1) or 1
        height = 18 * len(rows)
        bars = "".join(
            f'<text x="130" y="{18 * i + 13}" text-anchor="end" fill="currentColor">{escape(name)}</text>'
            f'<rect x="136" y="{18 * i + 3}" width="{400 * n / most:.1f}" height="12" fill="#2f6db3"><title>{n:,}</title></rect>'
            for i, (name, n) in enumerate(rows)
        )
        title = escape(str(visible(f"{self.total:,} integers of {self.layer}")))
        return (
            f'<p>{title}</p><svg width="560" height="{height}" role="img" aria-label="{title}" '
            f'font-size="12" font-family="sans-serif">{bars}</svg>'
        )


class Layer:
    """One unit of a design.

    Attributes:
        unit: as the hardware has it.
        figures: its entry in ``report.json``; empty for ports, and for loopback's units that share a layer.
    """

    def __init__(self, design: Assembly, unit: Unit, figures: Mapping[str, Any]) -> None:
        self._design = design
        self.unit = unit
        self.figures = dict(figures)

    @property
    def name(self) -> str:
        """Name of the unit."""
        return self.unit.name

    def __repr__(self) -> str:
        shapes = ", ".join(f"{f.h} x {f.w} x {f.c} of {f.dtype}" for f in self.unit.outputs) or "nothing"
        cycles = self.figures.get("cycles")
        more = "" if cycles is None else f", {number(cycles)} cycles"
        nodes = ", ".join(shown(n) for n in self.unit.origin)
        return f"<{self.unit.kind} {shown(self.name)}: gives {shapes}{more}{f'; of {nodes}' if nodes else ''}>"

    def activations(self, x: Array | Mapping[str, Array], *, emulator: str | None = None) -> Array:
        """The integers that leave the unit, for a batch.

        Args:
            x: as of `Design.run`.
            emulator: as of `Design.run`.

        Returns:
            int64: (N, ...) in the shape of the model's tensor where the stream carries one, else (N, H, W, C);
            of a sliding window, the elements under the kernel in the order of `flowc.dataflow.emulator.unfolded`.

        Raises:
            UsageError: an input does not fit the model, or the unit is an output port: nothing leaves it.
        """
        design = self._design
        graph, name = design.graph, self.name
        if not graph.out_of(name):
            raise UsageError(f"'{shown(name)}' is an output port", remedy="Ask the unit in front of it")
        while graph[name].is_width_converter:  # it gives what it takes
            name = graph.into(name)[0].src
        out = unfolded(graph).out_of(name)
        inputs = design.as_inputs(x)
        caught: list[Array] = []

        def probe(stream: Stream, frames: Array) -> Array:
            if stream == out[0]:
                caught.append(frames.astype(np.int64))
            return frames

        design.plan.run(design.to_ports(design.run_head(inputs)), probe=probe, streams={out[0]}, emulator=emulator)
        if not caught:
            raise UsageError(
                f"what leaves '{shown(self.name)}' can't be seen in {design.plan.execution} execution",
                remedy="Build the design with --execution dataflow to see inside",
            )
        frames = np.concatenate(caught)
        info = design.tensors.get(out[0].tensor or "")
        if info is None:
            return frames
        values: Array = info.from_stream(frames)
        return values.reshape(len(values), *info.shape[1:])

    def histogram(
        self, x: Array | Mapping[str, Array] | None = None, *, samples: int = _SAMPLES, seed: int = 0
    ) -> Histogram:
        """How often each integer leaves the unit.

        Args:
            x: as of `Design.run`; random inputs if None.
            samples, seed: how many random ones.
        """
        values, counts = np.unique(
            self.activations(self._design.samples(samples, seed) if x is None else x), return_counts=True
        )
        return Histogram(self.name, values, counts)


class Layers(Mapping[str, Layer]):
    """The units of a design by name, in the order of the stream; the name of an ONNX node gives the unit that holds its product."""

    def __init__(self, design: Assembly, report: Mapping[str, Any]) -> None:
        self._design = design
        self._figures = {entry["name"]: entry for entry in report.get("layers", [])}

    def __iter__(self) -> Iterator[str]:
        return (unit.name for unit in self._design.graph)

    def __len__(self) -> int:
        return len(self._design.graph.units)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self._unit(name) is not None

    def __getitem__(self, name: str) -> Layer:
        unit = self._unit(name)
        if unit is None:
            near = similar(name, self, 3, 0.4)
            hint = (
                f"; did you mean {' or '.join(map(repr, near))}?"
                if near
                else f"; there are {', '.join(list(self)[:8])}, ..."
            )
            raise KeyError(f"no unit and no node is called {shown(name)!r}{hint}")
        return Layer(self._design, unit, self._figures.get(unit.name, {}))

    def _unit(self, name: str) -> Unit | None:
        graph = self._design.graph
        if name in graph.units:
            return graph.units[name]
        of_node = [unit for unit in graph if name in unit.origin]
        return max(of_node, key=lambda unit: unit.macs, default=None)

    def __repr__(self) -> str:
        return f"<{len(self)} units: {', '.join(shown(n, 40) for n in list(self)[:12])}{', ...' if len(self) > 12 else ''}>"

    def _repr_html_(self) -> str:
        rows = [
            (u.name, u.kind, " x ".join(map(str, u.outputs[0].shape)) if u.outputs else None, ", ".join(u.origin))
            for u in self._design.graph
        ]
        return html_table(f"{len(self)} units", ("unit", "kind", "gives (H x W x C)", "ONNX nodes"), rows)
