"""Products whose thresholds all step up: rows of weights with a falling activation are negated.

Before: ``acc = w . x``, one level less at every threshold t  →  after: ``-acc = (-w) . x``, one level more at every ``1 - t``.

A batch norm with negative scales makes some channels fall. One such channel gives the whole layer a step per threshold and a base per
channel; when all rise, counting thresholds is enough.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from flowc.exact.choose import as_thresholds
from flowc.exact.steps import assemble
from flowc.model.dtypes import IntType
from flowc.units.activation import Activation
from flowc.units.base import Array
from flowc.units.thresholds import Thresholds

__all__ = ["negate_falling"]


def negate_falling(
    weights: Array, weight_type: IntType, activation: Activation | None, acc: IntType
) -> tuple[Array, Activation | None, Array | None]:
    """Weights and activation with falling channels negated, and the sign of each row; as they were, and None, where not all can rise.

    Args:
        weights: (rows, n), `compact`, of ``weight_type``: where a negated row does not fit it, nothing is changed.
        activation: of the rows' sums, one parameter set per row.
        acc: type of the sums.
    """
    unchanged = weights, activation, None
    if not isinstance(activation, Thresholds) or activation.uniform_step is not None or activation.domain is None:
        return unchanged
    if len(activation.domain) != len(weights) or activation.channels != len(weights):
        return unchanged
    lo, hi = activation.domain.T
    values, step = activation.values, np.broadcast_to(activation.step, activation.values.shape)
    inside = (values > lo[:, None]) & (values <= hi[:, None]) & (step != 0)
    falling = (inside & (step < 0)).any(axis=1)
    if (falling & (inside & (step > 0)).any(axis=1)).any():
        return unchanged
    fits = (-weights[falling] >= weight_type.lo) & (-weights[falling] <= weight_type.hi)
    if not fits.all() or (-lo[falling] > acc.hi).any() or (-hi[falling] < acc.lo).any():
        return unchanged
    start = activation.base + (step * (values <= lo[:, None])).sum(axis=1)
    end = start + (step * inside).sum(axis=1)
    unit = 2 if activation.dtype.bipolar else 1
    events = []
    for row, falls in enumerate(falling):
        at = values[row][inside[row]]
        events.append((1 - at[::-1] if falls else at, np.full(len(at), unit)))
    steps = assemble(
        np.where(falling, -hi, lo), np.where(falling, -lo, hi), np.where(falling, end, start), events, unit
    )
    risen = as_thresholds(steps, activation.dtype)
    signs = np.where(falling, -1, 1)
    return (
        weights * signs[:, None].astype(weights.dtype),
        replace(risen, domain=np.stack([steps.lo, steps.hi], axis=1)),
        signs if falling.any() else None,
    )
