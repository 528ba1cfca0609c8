"""The forms in which runtimes may compute what follows a float sum: as it is written, or fused.

Fused, a batch normalization is multiplied into the weights, or computed in another way. In either form some float (its target) lies
in an interval around the exact value, and all operations behind it are prescribed. Several forms are looked at together: what an
evaluation takes depends little on how many integers it is of.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import onnx_ir as ir

from flowc.exact.bounds import UNIT, SumBound, Ways
from flowc.exact.chains import Chain, affine_chain, aligned, outward
from flowc.exact.intervals import Interval, enclose
from flowc.exact.region import NO_LEVEL, Region
from flowc.units.base import Array

__all__ = ["Form", "SumForms", "Together"]

_SIDES = np.array([-1, 1])[:, None, None]
_TOGETHER = 1 << 15
"""Values that are evaluated in one step: as fast as in several, or faster."""


@dataclass(frozen=True, eq=False)
class Form:
    """One form.

    Attributes:
        target: the float that may lie off its exact value.
        chain: what is fused, which leads from the sum to the target; None as written, where the target is the sum.
        unit, offset: of the sum as the runtime adds it up: the value of one unit, and the magnitude of a bias in units, (sets,).
        rounded: whether that sum rounds.
        pushed: whether the target may lie off at all; else only later operations leave something open.
    """

    target: ir.Value
    chain: Chain | None
    unit: Array
    offset: Array
    rounded: bool
    pushed: bool

    def reach(self, x: Array, spread: Array) -> tuple[Array, Array]:
        """The least and the greatest value that the target may have.

        Of a fused form the weights are multiplied by the factor, one rounding each, and the offset is folded; or it is computed in any
        other way.

        Args:
            x: the exact sum; spread: how far off the runtime's may be.
        """
        wide = spread
        if self.chain is not None:
            a, b = self.chain.factor, self.chain.offset
            scaled = x * a
            wide = np.abs(a) * spread + self.chain.roundings * UNIT * (self.chain.magnitude + np.abs(scaled))
            x = scaled + b
        return x - wide, x + wide

    def reach_between(self, ends: Sequence[Array], spread: Array, rows: Array) -> Interval:
        """As `reach` for all sums between two, of the parameter sets ``rows``."""
        wide = spread
        if self.chain is not None:
            a, b, magnitude = (_picked(c, rows) for c in (self.chain.factor, self.chain.offset, self.chain.magnitude))
            peak = np.maximum(*(np.abs(x * a) for x in ends))
            ends = [x * a + b for x in ends]
            wide = np.abs(a) * spread + self.chain.roundings * UNIT * (magnitude + peak)
        return outward(np.minimum(*ends) - wide, -1.0), outward(np.maximum(*ends) + wide, 1.0)


class SumForms:
    """The forms of one activation's float sum, for some of its parameter sets.

    Args:
        region: the operations; leaf: the integer tensor that they depend on.
        rows: the parameter sets.
        bound: of the float sum that the leaf stands for; None where it is exact up to one rounding.
    """

    def __init__(self, region: Region, leaf: ir.Value, rows: slice, bound: SumBound | None) -> None:
        self.region, self.leaf, self.part, self.rows = region, leaf, rows, np.arange(region.sets)[rows]
        self.bound = None if bound is None else bound.at_sets(region).of_rows(rows)
        (self.entry,) = region.dequantized(leaf)
        scale, zero = region.scale(self.entry)
        self.scale, self.zero = (_picked(a.astype(np.float64), rows) for a in (scale, zero))
        bias, chain = affine_chain(region, self.entry)
        self.bias = _picked(bias, rows)
        # Without a sum there are no weights to multiply into; only batch normalization may be computed in more than one way.
        normalized = any(n.op_type == "BatchNormalization" for n in region.nodes)
        self.chain = chain.of_rows(rows) if chain is not None and (bound is not None or normalized) else None

    @cached_property
    def aligned(self) -> bool:
        """Whether exact sums stay exact wherever the bias is added."""
        return aligned(self.bias, self.scale, self.bound)

    @cached_property
    def written(self) -> Form:
        """As the model is written."""
        summed = self.bound is not None
        rounded = self.bound is not None and not (self.bound.exact and self.aligned)
        return self._form(self.entry, None, self.scale, np.abs(self.bias / self.scale), rounded, summed)

    @cached_property
    def fused(self) -> Form | None:
        """With what can be fused, fused; None where nothing can."""
        if self.chain is None:
            return None
        a, b = self.chain.factor, self.chain.offset
        unit = self.scale * np.where(a == 0, 1, a)
        offset = np.maximum(np.abs(self.bias / self.scale), np.abs(np.where(a == 0, 0, b) / unit))
        return self._form(self.chain.output, self.chain, unit, offset, self.bound is not None, True)

    def _form(
        self, target: ir.Value, chain: Chain | None, unit: Array, offset: Array, rounded: bool, pushed: bool
    ) -> Form:
        sets = len(self.rows)
        unit, offset = (a[:, 0] if len(a) == sets else np.full(sets, a[0, 0]) for a in (unit, offset))
        return Form(target, chain, unit, offset, rounded, pushed)

    def enclosed(self, form: Form, rows: Array, first: Array, last: Array, error: Array) -> Interval:
        """Bounds of the levels of the integers [first, last], (n, 1) each, of parameter sets ``rows``, under every conforming runtime."""
        scale, zero = (_picked(a, rows) for a in (self.scale, self.zero))
        known: dict[ir.Value, Interval] = {self.leaf: (first, last)}
        if form.pushed:
            ends = [(q - zero) * scale for q in (first, last)]
            known[form.target] = form.reach_between(ends, error * np.abs(scale), rows)
        return enclose(self.region, known, self.rows[rows])


class Together:
    """Several forms of a sum, evaluated together. Arrays are (forms, sets, K)."""

    def __init__(self, sums: SumForms, forms: Sequence[Form]) -> None:
        self.sums, self.forms = sums, forms
        self.rounded = [i for i, form in enumerate(forms) if form.rounded]
        self.ways: Ways | None = None
        if sums.bound is not None and self.rounded:
            rounded = [forms[i] for i in self.rounded]
            unit, offset = np.array([f.unit for f in rounded]), np.array([f.offset for f in rounded])
            fused = np.array([f.chain is not None for f in rounded])
            self.ways = sums.bound.ways(unit, offset, fused, len(sums.rows))

    def error(self, at: Array, span: Array | int) -> Array:
        """Bound of the sum's error up to ``span`` integers around each of ``at``, in units of the integers, float64.

        Args:
            at: int64, or (sets, K) for all forms.
            span: one for all, or (forms, 1, 1).
        """
        shape = len(self.forms), *at.shape[-2:]
        if self.ways is None:
            return np.zeros(shape)
        total = at - self.sums.zero
        if len(self.rounded) == len(self.forms):
            return np.broadcast_to(self.ways.error(total, span), shape)
        error = np.zeros(shape)
        some = total if total.ndim == 2 else total[self.rounded]
        error[self.rounded] = self.ways.error(some, span if isinstance(span, int) else span[self.rounded])
        return error

    def levels(self, q: Array, error: Array) -> Array:
        """Levels of integers at the reference's value, and at the ends of the interval of values that a runtime may compute.

        Args:
            q: int64.
            error: of the sums, or (forms, sets, 1).

        Returns:
            int64 (n, forms, sets, K), the reference's first.
        """
        sums, region = self.sums, self.sums.region
        x, spread = (q - sums.zero) * sums.scale, error * np.abs(sums.scale)
        reach = [form.reach(*own) for form, *own in zip(self.forms, x, spread, strict=True) if form.pushed]
        moved = iter(outward(np.array(reach), _SIDES) if reach else ())
        ends: list[tuple[Array, ...]] = [tuple(next(moved)) if form.pushed else () for form in self.forms]
        if all(ends) and not region.by_runtime and 3 * q[0].size <= _TOGETHER:
            return self._levels_together(q, ends)
        found = []
        for form, own, pushed in zip(self.forms, q, ends, strict=True):
            given: list[dict[ir.Value, Array]] = [{form.target: end} for end in pushed] or [{}, {}]
            levels = [region.evaluate({sums.leaf: own}, rows=sums.part)]
            for floats in given:
                for nudge in region.nudges:
                    levels.append(region.evaluate({sums.leaf: own}, floats, rows=sums.part, nudge=nudge))
            found.append([np.broadcast_to(level, own.shape) for level in levels])
        return np.moveaxis(np.array(found).astype(np.int64), 1, 0)

    def _levels_together(self, q: Array, ends: Sequence[tuple[Array, ...]]) -> Array:
        """As `levels`, side by side: what follows a target depends on nothing else, so one evaluation does for all that passes there."""
        sums, evaluate = self.sums, self.sums.region.evaluate
        count, sets, width = q.shape
        own = np.concatenate(list(q), axis=1)
        targets = [form.target for form in self.forms]
        found = evaluate({sums.leaf: own}, rows=sums.part, of=targets[0])
        for target, later, pushed in zip(targets, (*targets[1:], None), ends, strict=True):
            found = np.concatenate([found, *pushed], axis=1)
            found = evaluate({}, {target: found}, rows=sums.part, of=later)
        if found.min() <= NO_LEVEL:  # which integers that can occur must not come to: this says so
            evaluate({sums.leaf: own}, rows=sums.part)
        # The reference's of all forms, then both ends of each.
        columns = found.reshape(sets, 3 * count, width)
        each = columns[:, :count, None], columns[:, count:].reshape(sets, count, 2, width)
        return np.concatenate(each, axis=2).transpose(2, 1, 0, 3).astype(np.int64)


def _picked(array: Array, rows: Array | slice) -> Array:
    return array if len(array) == 1 else array[rows]
