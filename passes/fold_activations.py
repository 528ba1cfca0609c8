"""Elementwise tails become integer functions.

Before: ``acc → Dequantize → BatchNormalization → Relu → Quantize``  →  after: ``acc → Threshold`` (or Requant, or Table).
Before: ``Add(Dequantize(a), Dequantize(b)) → Relu → Quantize``  →  after: ``Join(a, b) → Threshold``.

The function is found by evaluating those very operations on the integers that can occur, and written in the cheapest form
that is equal everywhere. A quantizer that changes nothing disappears.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any, ClassVar

import numpy as np
import onnx_ir as ir

from flowc import progress
from flowc.exact.bounds import SumBound, sum_bound
from flowc.exact.budget import Budget, TooLarge
from flowc.exact.certificate import TensorCertificate, certify
from flowc.exact.choose import choose_activation
from flowc.exact.intervals import level_bounds, levels_of
from flowc.exact.join_windows import certify_join
from flowc.exact.joins import find_join
from flowc.exact.region import Blocked, Region
from flowc.exact.steps import Steps, steps_of
from flowc.exact.sums import FloatSum, float_sums
from flowc.model.dtypes import BIPOLAR, IntType
from flowc.model.ir import DOMAIN, Editor, array_of, int_attr, ints_attr, is_op, label, origins, shape_of, str_attr
from flowc.passes.base import ModelPass
from flowc.passes.halves import are_halves, join_halves, narrow_halves
from flowc.passes.integer_ranges import Ranges, node_range, uniform_range
from flowc.passes.remedies import ONE_SCALE
from flowc.passes.rename import rename
from flowc.units.activation import Activation, Requant, Table
from flowc.units.thresholds import Thresholds

__all__ = ["FoldActivations", "read_activation", "write_activation"]


@dataclass
class FoldActivations(ModelPass):
    """See the module.

    Attributes:
        certificates: what is proven of each activation.
        budget: what the functions may take, shared by all runs of the pass on a model.
        compared: names of the float tensors that integers can be compared with: of each activation the first is described
            (`flowc.exact.sums.FloatSum`). None: of all tensors, all.
    """

    name: ClassVar[str] = "fold_activations"
    certificates: list[TensorCertificate] = field(default_factory=list, repr=False)
    budget: Budget = field(default_factory=Budget, repr=False)
    compared: Container[str] | None = field(default=None, repr=False)

    def rewrite(self, graph: ir.Graph) -> bool:
        editor = Editor(graph)
        ranges: Ranges = {}
        changed = False
        for node in list(graph):
            if is_op(node, "Quantize", DOMAIN):
                progress.at(f"{self.name} of {label(node)}")
                reason = self._fold(editor, node, ranges)
                if reason is None:
                    changed = True
                    continue
                self.note(label(node), reason)
            found = node_range(node, ranges)
            if found is not None:
                ranges[node.outputs[0]] = found
        return changed

    def _fold(self, editor: Editor, node: ir.Node, ranges: Ranges) -> str | None:
        try:
            region = Region(node.outputs[0], ranges)
            known = _signature(region, ranges)
            if known in self.budget.refused:
                return self.budget.refused[known]
            try:
                return self._fold_region(editor, node, region, ranges)
            except TooLarge as reason:
                return self.budget.refused.setdefault(known, str(reason))
        except Blocked as blocked:
            if blocked.value.is_graph_input():
                return f"quantizes the input '{blocked.value.name}' on the host"
            return blocked.reason

    def _fold_region(self, editor: Editor, node: ir.Node, region: Region, ranges: Ranges) -> str | None:
        if any(leaf not in ranges for leaf in region.leaves):
            return "the range of an integer tensor is not known; quantize what leads to it"
        bipolar = str_attr(node, "style", "qonnx") == "bipolar"
        unit = 2 if bipolar else 1
        if len(region.leaves) == 1:
            return self._fold_one(editor, node, region, ranges, unit)
        whole = join_halves(editor, region)
        if whole is not None:
            self._add_ranges(whole, ranges)
            return self._fold(editor, node, ranges)
        if len(region.leaves) == 2:
            form = find_join(region, unit, self.budget)
            if isinstance(form, str):
                return form
            shape = shape_of(node.outputs[0])
            attributes: dict[str, Any] = {
                "op": form.op,
                "left_offset": form.left_offset,
                "right_offset": form.right_offset,
                "axis": region.axes[0] if region.axes else 1,
            }
            fewest = [_fewest(f) for f in (form.left, form.right)]
            if any(f.size > 1 for f in fewest) and len(region.axes) > 1:
                return f"its scales vary over positions; use {ONE_SCALE}"
            factors = [editor.constant(f.astype(np.float64), "ratio") for f in fewest]
            joined = editor.insert(
                node, "Join", [*region.leaves, *factors], attributes, domain=DOMAIN,
                hint=f"{label(node)}/join", origin=_origin(region), shape=shape,
            )  # fmt: skip
            found = node_range(joined.producer(), ranges)  # type: ignore[arg-type]
            assert found is not None
            ranges[joined] = found
            certificate = certify_join(
                node.outputs[0].name or "", region, form, ranges, unit, halves=are_halves(region)
            )
            self._replace(editor, node, region, form.steps, joined, bipolar, ranges, certificate)
            return None
        return (
            f"it depends on {len(region.leaves)} integer tensors at once; put a quantizer behind each sum of two "
            "(Brevitas: a QuantIdentity), or share one quantizer on all branches"
        )

    def _add_ranges(self, join: ir.Node, ranges: Ranges) -> None:
        """Ranges of a chain of new joins, of which ``join`` is the last."""
        first = join.inputs[0].producer() if join.inputs[0] is not None else None
        if first is not None and is_op(first, "Join", DOMAIN) and join.inputs[0] not in ranges:
            self._add_ranges(first, ranges)
        found = node_range(join, ranges)
        assert found is not None
        ranges[join.outputs[0]] = found

    def _fold_one(self, editor: Editor, node: ir.Node, region: Region, ranges: Ranges, unit: int) -> str | None:
        (leaf,) = region.leaves
        lo, hi = region.limits(leaf)

        levels, bounds = levels_of(region, leaf), level_bounds(region, leaf)
        direction = region.monotone(leaf)
        steps = steps_of(levels, lo, hi, direction, unit, bounds, self.budget, ripples=region.by_runtime)
        name = node.outputs[0].name or ""
        if self._identity(steps):
            self.note(label(node), "changes nothing on the integers that occur")
            value = node.outputs[0]
            if not value.is_graph_output():
                value.replace_all_uses_with(leaf)
                editor.drop(node)
                return None
        bound = sum_bound(leaf, ranges)
        certificate = certify(name, region, steps, leaf, bound)
        whole = steps
        steps, certificate = narrow_halves(editor, leaf, steps, certificate, ranges)
        if steps is whole:
            certificate = replace(certificate, sums=self._sums(region, leaf, ranges, bound))
        self._replace(editor, node, region, steps, leaf, unit == 2, ranges, certificate)
        return None

    def _sums(self, region: Region, leaf: ir.Value, ranges: Ranges, bound: SumBound | None) -> tuple[FloatSum, ...]:
        """Float tensors of the model that stand for what the activation is applied to."""
        values = [step.output for step in region.steps]
        if self.compared is None:
            return tuple(float_sums(values, leaf, ranges, {leaf: bound}))
        known = [v for v in values if (v.name or "") in self.compared]
        return tuple(islice(float_sums(known, leaf, ranges, {leaf: bound}), 1))

    @staticmethod
    def _identity(steps: Steps) -> bool:
        if steps.reached != (int(steps.lo.min()), int(steps.hi.max())):
            return False
        ends = np.stack([steps.lo, steps.hi], axis=1)
        if not np.array_equal(steps(ends), ends) or int((steps.hi - steps.lo).max()) > 1 << 16:
            return False
        q = np.minimum(steps.lo[:, None] + np.arange(int((steps.hi - steps.lo).max()) + 1), steps.hi[:, None])
        return np.array_equal(steps(q), q)

    def _replace(
        self,
        editor: Editor,
        node: ir.Node,
        region: Region,
        steps: Steps,
        source: ir.Value,
        bipolar: bool,
        ranges: Ranges,
        certificate: TensorCertificate,
    ) -> None:
        self.certificates.append(replace(certificate, axes=region.axes))
        activation = choose_activation(steps, bipolar=bipolar)
        lo, hi = steps.reached
        value = write_activation(editor, node, source, activation, region.axes, (lo, hi), _origin(region))
        value.shape = ir.Shape(region.shape)
        rename(editor, node, value)
        ranges[value] = uniform_range(value, lo, hi)
        kind = {"thresholds": f"{steps.at.shape[1]} thresholds"}.get(activation.kind, activation.kind)
        sets = f"{region.sets} parameter set{'s' if region.sets > 1 else ''}"
        self.note(value.name or "", f"{' → '.join(n.op_type for n in region.nodes)} became {kind} with {sets}")


def _signature(region: Region, ranges: Ranges) -> tuple[str, ...]:
    """What tells the function of a region from what it was, or becomes, when passes change what leads to it."""
    ends = [f"{leaf.name} {[int(e.sum()) for e in ranges[leaf]]}" for leaf in region.leaves if leaf in ranges]
    return (region.output.name or "", *(step.output.name or "" for step in region.steps), *ends)


def _fewest(factors: np.ndarray) -> np.ndarray:
    return factors[:1] if (factors == factors[0]).all() else factors


def _origin(region: Region) -> Sequence[str]:
    return list(
        dict.fromkeys(name for node in region.nodes if not is_op(node, "Dequantize", DOMAIN) for name in origins(node))
    )


def write_activation(
    editor: Editor,
    before: ir.Node,
    source: ir.Value,
    activation: Activation,
    axes: Sequence[int],
    reached: tuple[int, int],
    origin: Sequence[str],
) -> ir.Value:
    """An activation as a node of the model graph: ``Threshold``, ``Requant`` or ``Table`` in flowc's domain."""
    attributes: dict[str, Any] = {"dtype": str(activation.dtype), "lo": reached[0], "hi": reached[1]}
    if axes:
        attributes["axes"] = list(axes)
    if activation.domain is not None:
        attributes["domain"] = activation.domain.reshape(-1).tolist()
    if isinstance(activation, Thresholds):
        op, arrays = "Threshold", [activation.values, activation.base, activation.step]
    elif isinstance(activation, Requant):
        op, arrays = "Requant", [activation.mult, activation.add]
        if activation.late is not None:
            arrays.append(activation.late)
        attributes |= {"shift": activation.shift, "least": activation.lo, "greatest": activation.hi}
        attributes["half_even"] = int(activation.half_even)
    else:
        assert isinstance(activation, Table)
        op, arrays = "Table", [activation.values]
        attributes["first"] = activation.lo
    inputs = [source, *(editor.constant(a, op.lower()) for a in arrays)]
    return editor.insert(before, op, inputs, attributes, domain=DOMAIN, hint=f"{label(before)}/{op}", origin=origin)


def read_activation(node: ir.Node) -> tuple[Activation, tuple[int, ...]]:
    """The activation that a node stands for, and the axes along which its parameter sets vary."""
    arrays = [np.asarray(array_of(v)) for v in node.inputs[1:]]
    text = str_attr(node, "dtype", "")
    dtype = BIPOLAR if text == "bipolar" else IntType.parse(text)
    axes = ints_attr(node, "axes") or ()
    ends = ints_attr(node, "domain")
    domain = None if ends is None else np.array(ends, np.int64).reshape(-1, 2)
    if node.op_type == "Threshold":
        return Thresholds(dtype=dtype, domain=domain, values=arrays[0], base=arrays[1], step=arrays[2]), axes
    if node.op_type == "Requant":
        activation = Requant(
            dtype=dtype, domain=domain, mult=arrays[0], add=arrays[1], shift=int_attr(node, "shift", 0), lo=int_attr(node, "least", 0),
            hi=int_attr(node, "greatest", 0), half_even=bool(int_attr(node, "half_even", 0)), late=arrays[2] if len(arrays) > 2 else None,
        )  # fmt: skip
        return activation, axes
    return Table(dtype=dtype, domain=domain, lo=int_attr(node, "first", 0), values=arrays[0]), axes
