"""A product that takes several accumulators, as one exact sum.

Before: ``Add(Dequantize(a, s), Dequantize(b, t))``  →  after: ``Dequantize(Join(a, b, P, N), unit)`` with ``P : N = s : t`` exactly

Two-level ternary weights (-Wn, 0, +Wp) give two accumulators, an input of several unrelated scales one for each. Float32
numbers have a common unit, so their exact sum is an integer whatever the scales. As for every product, the exact dot
product, rounded once, is the reference function. Once that function is known, smaller multipliers take the place of P and N
where they give the same function (`flowc.exact.narrow`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np
import onnx_ir as ir

from flowc.exact.certificate import TensorCertificate
from flowc.exact.choose import choose_activation
from flowc.exact.narrow import narrow
from flowc.exact.region import Region
from flowc.exact.spans import covered
from flowc.exact.steps import Steps
from flowc.model.ir import DOMAIN, Editor, array_of, int_attr, label, shape_of, str_attr
from flowc.passes.integer_ranges import Ranges, node_range
from flowc.units.base import Array

__all__ = ["are_halves", "join_halves", "mark_halves", "narrow_halves"]

_HALF = "half_of"
_MOST = 1 << 40


def mark_halves(parts: Sequence[ir.Value], name: str) -> None:
    """Notes on the products behind ``parts`` (their Dequantize outputs) that they are parts of the product ``name``."""
    for part in parts:
        node = part.producer()
        source = None if node is None else node.inputs[0]
        producer = None if source is None else source.producer()
        assert producer is not None
        producer.attributes[_HALF] = ir.AttrString(_HALF, name)


def are_halves(region: Region) -> bool:
    """Whether the leaves of a region, two or more, are parts of one product."""
    names = [str_attr(p, _HALF, "") if (p := leaf.producer()) is not None else "" for leaf in region.leaves]
    return len(names) > 1 and names[0] != "" and len(set(names)) == 1


def join_halves(editor: Editor, region: Region) -> ir.Node | None:
    """Puts one exact sum in the place of the parts that are added in ``region``; returns the last Join, None where there are none."""
    if not are_halves(region) or any(region.monotone(leaf) is None for leaf in region.leaves):
        # What rises and falls must be walked through: pairs of two small integers, not one large one.
        return None
    entries = [(leaf, *region.dequantized(leaf)) for leaf in region.leaves]
    if any(len(e) != 2 for e in entries):
        return None
    # Of two levels, the half of the positive one first.
    entries.sort(key=lambda entry: -float(region.scale(entry[1])[0].flat[0]))
    leaves, floats = zip(*entries, strict=True)
    add = _whole_sum(region, floats)
    if add is None:
        return None
    scales, zeros = zip(*((a.astype(np.float64) for a in region.scale(f)) for f in floats), strict=True)
    sets = max(len(s) for s in scales)
    ratios = [_ratio([float(np.broadcast_to(s, (sets, 1))[i, 0]) for s in scales]) for i in range(sets)]
    if any(max(map(abs, r[0])) >= _MOST for r in ratios) or (sets > 1 and len(region.axes) > 1):
        return None
    unit = np.array([r[1] for r in ratios])
    factors = np.array([r[0] for r in ratios], np.int64).T
    rank, shape = len(shape_of(add.outputs[0])), shape_of(add.outputs[0])
    axis = region.axes[0] if region.axes else 1
    column = tuple(-1 if i == axis else 1 for i in range(rank))
    joined, own = leaves[0], factors[0]
    for leaf, factor in zip(leaves[1:], factors[1:], strict=True):
        joined = editor.insert(
            add,
            "Join",
            [joined, leaf, *(editor.constant(f.astype(np.float64), "ratio") for f in (own, factor))],
            {"op": "add", "left_offset": 0, "right_offset": 0, "halves": 1, "axis": axis},
            domain=DOMAIN,
            hint=f"{label(add)}/acc",
            shape=shape,
        )
        own = np.ones_like(own)
    offset = sum(f.reshape(-1, 1) * z for f, z in zip(factors, zeros, strict=True))
    parts = [
        editor.constant(np.asarray(a, np.float64).reshape(column), n) for a, n in ((unit, "scale"), (offset, "zero"))
    ]
    total = editor.insert(add, "Dequantize", [joined, *parts], domain=DOMAIN, hint=f"{label(add)}/sum", shape=shape)
    editor.replace(add, total)
    return joined.producer()


def _whole_sum(region: Region, floats: Sequence[ir.Value]) -> ir.Node | None:
    """The addition in which all the parts have come together, where nothing but additions of them is in between."""
    sums: dict[ir.Value, frozenset[ir.Value]] = {f: frozenset([f]) for f in floats}
    for step in region.steps:
        if step.node.op_type == "Add" and all(v in sums for v in step.inputs):
            sums[step.output] = frozenset().union(*(sums[v] for v in step.inputs if v is not None))
            if len(sums[step.output]) == len(floats):
                return step.node
    return None


def narrow_halves(
    editor: Editor, joined: ir.Value, steps: Steps, certificate: TensorCertificate, ranges: Ranges
) -> tuple[Steps, TensorCertificate]:
    """Gives the Join of two halves smaller multipliers where the function behind it allows; anything else stays as it is."""
    node = joined.producer()
    if node is None or not int_attr(node, "halves", 0) or len(list(joined.uses())) != 1:
        return steps, certificate
    axis, sets = int_attr(node, "axis", 1), len(steps.lo)
    factors = tuple(np.asarray(array_of(v)).astype(np.int64) for v in node.inputs[2:4])
    limits = [
        (_per_set(ranges[v][0], axis, sets, np.min), _per_set(ranges[v][1], axis, sets, np.max))
        for v in node.inputs[:2]
        if v is not None
    ]
    found = narrow(steps, certificate.windows, (factors[0], factors[1]), (limits[0], limits[1]))
    if found is None or _dearer(steps, found.steps):
        return steps, certificate
    for i, factor in ((2, found.left), (3, found.right)):
        small = factor[:1] if (factor == factor[0]).all() else factor
        node.replace_input_with(i, editor.constant(small.astype(np.float64), "ratio"))
    again = node_range(node, ranges)
    assert again is not None
    ranges[joined] = again
    values = int((found.steps.hi - found.steps.lo + 1).sum())
    low, high = found.windows or (None, None)
    inside = 0 if low is None or high is None else covered(low, high)
    # Windows that no pair can hit, for the model as written: nothing is said here of a fused one.
    unfused = certificate.proven_unfused + certificate.ambiguous - found.ambiguous
    return found.steps, replace(
        certificate, proven_unfused=unfused, ambiguous=found.ambiguous, low=low, high=high, inside=inside, values=values
    )


def _dearer(before: Steps, after: Steps) -> bool:
    """Whether a requantizer would be lost: that outweighs narrower sums."""
    kinds = [choose_activation(s).kind for s in (before, after)]
    return kinds[0] == "requant" != kinds[1]


def _per_set(bounds: Array, axis: int, sets: int, worst: Callable[[Array], Array]) -> Array:
    """Range bounds (int64) of a tensor per parameter set, those sets lying along ``axis``."""
    own = np.moveaxis(bounds, axis, 0).reshape(bounds.shape[axis], -1)
    return own[:, 0] if own.shape == (sets, 1) else np.broadcast_to(worst(bounds), (sets,))


def _ratio(scales: Sequence[float]) -> tuple[list[int], float]:
    """(factors, unit) with ``scale == factor * unit`` exactly, factors as small as they can be, the first one positive."""
    exact = [Fraction(scale) for scale in scales]
    bottom = math.lcm(*(f.denominator for f in exact))
    whole = [int(f * bottom) for f in exact]
    common = math.gcd(*whole) * (1 if whole[0] > 0 else -1)
    factors = [w // common for w in whole]
    return factors, scales[0] / factors[0]
