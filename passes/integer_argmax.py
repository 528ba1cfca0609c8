"""The argmax that ends a classifier, on integers.

Before: ``ArgMax(Add(Dequantize(acc), bias))``  →  after: ``ArgMax(Requant(acc))``, where the requantizer ``acc * 2^k + offset[c]`` orders
all values of all channels just as the model's floats do, ties included (checked on every value that can occur). Without
per-channel constants the accumulators themselves are compared.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import onnx_ir as ir

from flowc.exact.affine import trace_affine
from flowc.exact.bounds import UNIT, sum_bound
from flowc.exact.region import Blocked, Region
from flowc.model.dtypes import IntType
from flowc.model.ir import Editor, int_attr, label, origins, shape_of
from flowc.passes.base import ModelPass
from flowc.passes.fold_activations import write_activation
from flowc.passes.integer_ranges import Ranges, integer_ranges
from flowc.passes.rename import rename
from flowc.units.activation import Requant
from flowc.units.base import Array

__all__ = ["IntegerArgmax"]

_MAX_VALUES = 1 << 22
_MAX_BITS = 20


@dataclass
class IntegerArgmax(ModelPass):
    """See the module.

    ``slack`` collects, per result, how much closer than what the unit compares two channels may be in a conforming runtime: int64
    (channels or 1,). Channels whose values differ by less than the sum of theirs are a tie that the model does not decide.
    """

    name: ClassVar[str] = "integer_argmax"
    slack: dict[str, Array] = field(default_factory=dict, repr=False)

    def rewrite(self, graph: ir.Graph) -> bool:
        editor = Editor(graph)
        changed = False
        for node in list(graph):
            if node.domain == "" and node.op_type == "ArgMax" and node.outputs[0].is_graph_output():
                reason = self._rewrite(editor, graph, node)
                changed |= reason is None
                if reason is not None:
                    self.note(label(node), f"stays on the host: {reason}")
        return changed

    def _rewrite(self, editor: Editor, graph: ir.Graph, node: ir.Node) -> str | None:
        source = node.inputs[0]
        if source is None or source.producer() is None:
            return "its input is not computed from integers"
        axis = int_attr(node, "axis", 0) % len(shape_of(source))
        if axis != 1 or int_attr(node, "select_last_index", 0):
            return "only the first maximum over the channels has a unit"
        ranges = integer_ranges(graph)
        try:
            region = Region(source, ranges)
        except Blocked as blocked:
            return blocked.reason
        if len(region.leaves) != 1 or region.leaves[0] not in ranges or set(region.axes) - {1}:
            return "its input is not a function of one integer tensor, channel by channel"
        (leaf,) = region.leaves
        lo, hi = region.limits(leaf)
        width = int((hi - lo).max()) + 1
        channels = shape_of(source)[1]
        if width * region.sets > _MAX_VALUES:
            return "its accumulators have too many values to check the order of all of them"
        q = np.minimum(lo[:, None] + np.arange(width), hi[:, None])
        try:
            values = np.broadcast_to(region.evaluate({leaf: q}), q.shape)
        except Blocked as blocked:
            return blocked.reason
        form = trace_affine(source)
        offsets = np.zeros(region.sets) if form is None else -region.as_sets(form.zero)[:, 0]
        found = self._order(q, values, np.broadcast_to(offsets, (region.sets,)))
        if found is None:
            return f"no integer offsets of up to {_MAX_BITS} bits order the channels as the model does"
        factor, offset = found
        target = leaf
        if factor != 1 or offset.any():
            least, most = int((q * factor + offset[:, None]).min()), int((q * factor + offset[:, None]).max())
            requant = Requant(
                dtype=IntType.for_range(least, most), mult=np.array([factor]), add=np.broadcast_to(offset, (channels,)).copy(), shift=0,
                lo=least, hi=most,
            )  # fmt: skip
            target = write_activation(editor, node, leaf, requant, (1,), (least, most), origins(node))
            target.shape = leaf.shape
        result = editor.insert(
            node, "ArgMax", [target], {n: a.value for n, a in node.attributes.items()}, hint=f"{label(node)}/index",
            shape=shape_of(node.outputs[0]), dtype=ir.DataType.INT64,
        )  # fmt: skip
        rename(editor, node, result)
        self.slack[result.name or ""] = self._slack(region, leaf, ranges, values, factor)
        return None

    @staticmethod
    def _slack(region: Region, leaf: ir.Value, ranges: Ranges, values: Array, factor: int) -> Array:
        """The float error of each channel's value, in units of what the unit compares."""
        scale = np.abs(region.scale(region.dequantized(leaf)[0])[0].astype(np.float64).reshape(-1))
        peak = np.abs(values).max(axis=1).astype(np.float64) / scale
        error = len(region.steps) * UNIT * peak
        bound = sum_bound(leaf, ranges)
        if bound is not None:
            anywhere = np.zeros((region.sets, 1))
            error = error + bound.at_sets(region).error(anywhere, float(peak.max()), scale, peak)[:, 0]
        return np.ceil(error * factor).astype(np.int64)

    @staticmethod
    def _order(q: Array, values: Array, offsets: Array) -> tuple[int, Array] | None:
        """Factor and offsets (sets,) such that ``q * factor + offset`` is ordered, ties included, as ``values`` is."""
        order = np.argsort(values, axis=None, kind="stable")
        step = np.sign(np.diff(values.reshape(-1)[order].astype(np.float64)))
        for bits in range(_MAX_BITS + 1):
            offset = np.rint(offsets * (1 << bits)).astype(np.int64)
            keys = (q * (1 << bits) + offset[:, None]).reshape(-1)[order]
            if np.array_equal(np.sign(np.diff(keys)), step):
                return 1 << bits, offset
        return None
