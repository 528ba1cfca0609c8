"""The last activation of a model, as the compiler sees it on its way to thresholds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx
import onnx_ir as ir

import flowc.model.expansions  # noqa: F401
from flowc.exact.bounds import SumBound, sum_bound
from flowc.exact.certificate import TensorCertificate, certify, windows
from flowc.exact.intervals import level_bounds, levels_of
from flowc.exact.region import Region
from flowc.exact.steps import Steps, steps_of
from flowc.importer import load_model
from flowc.model.ir import DOMAIN, is_op, remove_dead
from flowc.passes.fold_activations import FoldActivations
from flowc.passes.integer_ranges import Ranges, integer_ranges
from flowc.streamline.pipeline import STREAMLINE
from flowc.units.base import Array


@dataclass(frozen=True, eq=False)
class Analysis:
    """One activation: its region, its only leaf, the ranges of all tensors, and its steps."""

    region: Region
    leaf: ir.Value
    ranges: Ranges
    steps: Steps

    @property
    def bound(self) -> SumBound | None:
        return sum_bound(self.leaf, self.ranges)

    @property
    def certificate(self) -> TensorCertificate:
        return certify("t", self.region, self.steps, self.leaf, sum_bound(self.leaf, self.ranges))

    def windows(self, *, fused: bool) -> tuple[Array, Array]:
        return windows(self.region, self.steps, self.leaf, self.ranges, fused=fused)

    def open_at(self, channel: Array, q: Array, *, fused: bool) -> Array:
        """Whether a window holds q, for pairs of channel (parameter set) and integer."""
        low, high = self.windows(fused=fused)
        row = np.minimum(channel, len(low) - 1)
        result: Array = ((low[row] <= q[:, None]) & (q[:, None] < high[row])).any(axis=1)
        return result

    def levels_at(self, channel: Array, q: Array) -> Array:
        """The reference function, for pairs of channel (parameter set) and integer."""
        row = np.minimum(channel, self.region.sets - 1)
        every = self.steps(np.broadcast_to(q, (self.region.sets, len(q))))
        return every[row, np.arange(len(q))]


def streamlined(model: onnx.ModelProto) -> ir.Model:
    """The model graph just before its activations are folded."""
    imported = load_model(model)
    for group in STREAMLINE:
        if FoldActivations in group:
            break
        again = True
        while again:
            again = False
            for kind in group:
                if kind()(imported).modified:
                    remove_dead(imported.graph)
                    again = len(group) > 1
    return imported


def last_activation(model: onnx.ModelProto, *, unit: int = 1) -> Analysis:
    """The last quantizer of the model that depends on one integer tensor."""
    graph = streamlined(model).graph
    ranges = integer_ranges(graph)
    node = [n for n in graph if is_op(n, "Quantize", DOMAIN)][-1]
    region = Region(node.outputs[0], ranges)
    (leaf,) = region.leaves
    lo, hi = region.limits(leaf)

    bounds = level_bounds(region, leaf)
    direction, ripples = region.monotone(leaf), region.by_runtime
    steps = steps_of(levels_of(region, leaf), lo, hi, direction, unit, bounds, ripples=ripples)
    return Analysis(region, leaf, ranges, steps)
