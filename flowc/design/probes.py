"""Activations under verification, at the arguments where they change: samples seldom reach every threshold of every channel.

An activation is applied to integers on either side of each of its own steps, and the reference's operations, run by onnxruntime, to
the floats that those integers stand for. A step that is in the wrong place is wrong on one of its sides.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from flowc.design.assembly import Assembly
from flowc.exact.budget import TooLarge
from flowc.exact.steps import steps_of_activation
from flowc.exact.sums import FloatSum
from flowc.model.runtime import open_session, run_session
from flowc.streamline.partition import extract
from flowc.units import Activation
from flowc.units.base import Array, Unit

__all__ = ["Probed", "probe"]

_MOST = 1 << 13
"""Arguments per parameter set."""
_ELEMENTS = 1 << 22
_ANYWHERE = 32
_ROUNDING = 2.0**-4
"""Part of an integer that a few roundings of one float may make; what is further off is a sum's, of which the certificate has windows."""


@dataclass(frozen=True, eq=False)
class Probed:
    """Arguments of an activation, (N, H, W, C), what it gives for them, and what the reference gives.

    ``loose`` (None: nowhere) is where they differ and the reference's result is not known: the float that it would have computed lies
    within a rounding of a place where its result changes.
    """

    arguments: Array
    given: Array
    right: Array
    loose: Array | None = None


def probe(design: Assembly, unit: Unit, entry: FloatSum, expected: Mapping[str, Array]) -> Probed | None:
    """An activation and the reference, side by side; None where the reference has no such function.

    Args:
        design: the design.
        unit: the unit that applies the activation; entry: the sums that it is applied to.
        expected: tensors of the reference, of one sample.
    """
    activation: Any = getattr(unit, "activation", None)
    info = design.tensors.get(entry.tensor)
    if (
        activation is None
        or activation.domain is None
        or info is None
        or not {entry.tensor, entry.reference} <= expected.keys()
    ):
        return None
    shape = expected[entry.reference].shape
    part = extract(design.reference, {entry.reference: shape}, [entry.tensor], {})
    if part is None or [i.name for i in part.graph.input] != [entry.reference] or shape != tuple(info.shape):
        return None
    arguments = _arguments(activation, unit.outputs[0].shape)
    if arguments is None:
        return None
    signs = getattr(unit, "signs", None)  # -1 where the unit computes the negated sum
    integers = info.from_stream(arguments if signs is None else arguments * signs)
    session = open_session(part, threads=1)
    rounding = np.where(entry.error <= _ROUNDING, entry.error, 0.0)

    def levels(frames: Array, side: float) -> Array:
        floats = ((frames - entry.zero + side * rounding) * entry.scale).astype(np.float32)
        found = [run_session(session, [entry.tensor], {entry.reference: f})[0] for f in floats.reshape(-1, *shape)]
        return info.to_stream(np.stack([v.reshape(info.shape) for v in found]), arguments.shape[1:])

    given, right = activation.apply(arguments), levels(integers, 0.0)
    differs = (given != right).reshape(len(given), -1).any(axis=1)
    loose = np.zeros(given.shape, bool)
    if differs.any():
        loose[differs] = levels(integers[differs], -1.0) != levels(integers[differs], 1.0)
    loose &= given != right
    return Probed(arguments, given, right, loose)


def _arguments(activation: Activation, frame: tuple[int, int, int]) -> Array | None:
    """Frames that show each channel the arguments around its steps, and some others, spread over positions."""
    try:
        steps = steps_of_activation(activation)
    except TooLarge:
        return None
    height, width, channels = frame
    sets = len(steps.lo)
    if channels % sets or channels * min(_MOST, 2 * steps.at.shape[1]) > _ELEMENTS:
        return None
    rng = np.random.default_rng(0)
    at = steps.at[:, :: -(-2 * steps.at.shape[1] // _MOST)] if steps.at.shape[1] else steps.at
    some = rng.integers(steps.lo[:, None], steps.hi[:, None] + 1, (sets, _ANYWHERE))
    ends = np.stack([steps.lo, steps.hi], axis=1)
    each = np.concatenate([at - 1, at, ends, some], axis=1)
    each = np.clip(each, steps.lo[:, None], steps.hi[:, None])
    frames = -(-each.shape[1] // (height * width))
    each = np.pad(each, ((0, 0), (0, frames * height * width - each.shape[1])), mode="edge")
    whole = np.broadcast_to(each.T, (each.shape[1], channels)) if sets == 1 else each.T
    return np.ascontiguousarray(whole.reshape(frames, height, width, channels))
