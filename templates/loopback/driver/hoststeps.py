"""What the processor does around the engine's runs: the steps of ``accelerator.json``, in numpy.

Values are int64 (frames, elements). What only moves elements is a ``gather``; the rest are the layers for which the engine has no form.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, Dict, Mapping

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

__all__ = ["COMPUTES", "compute"]

Arrays = Mapping[str, "Array"]


def compute(step: Mapping[str, Any], values: Dict[int, Array], arrays: Arrays) -> Array:
    """The value that a step of the processor gives."""
    return COMPUTES[step["do"]](step, [values[v] for v in step["sources"]], arrays)


def _gather(step: Mapping[str, Any], sources: Any, arrays: Arrays) -> Array:
    constants = arrays[step["constants"]]
    frames = len(sources[0]) if sources else 1
    parts = [*sources, np.broadcast_to(constants, (frames, len(constants)))]
    return np.take(np.concatenate(parts, axis=1), arrays[step["index"]], axis=1)


def _matrix(step: Mapping[str, Any], sources: Any, arrays: Arrays) -> Array:
    weights = arrays[step["weights"]]
    # Integers below 2^53 are exact in float64, and a product of floats is many times faster than one of integers.
    sums = (sources[0].reshape(-1, len(weights)).astype(np.float64) @ weights.astype(np.float64)).astype(np.int64)
    return _activated(step, sums.reshape(len(sources[0]), -1), arrays)


def _depthwise(step: Mapping[str, Any], sources: Any, arrays: Arrays) -> Array:
    weights = arrays[step["weights"]]  # (channels, outputs of each, taps)
    taps = sources[0].reshape(len(sources[0]), -1, weights.shape[0], weights.shape[2])
    sums = np.einsum("fpct,cmt->fpcm", taps, weights)
    return _activated(step, sums.reshape(len(taps), -1), arrays)


def _reduce(step: Mapping[str, Any], sources: Any, arrays: Arrays) -> Array:
    taps = sources[0].reshape(len(sources[0]), -1, step["taps"])
    return _activated(step, taps.max(axis=2) if step["op"] == "max" else taps.sum(axis=2), arrays)


def _activate(step: Mapping[str, Any], sources: Any, arrays: Arrays) -> Array:
    return _activated(step, sources[0], arrays)


def _join(step: Mapping[str, Any], sources: Any, arrays: Arrays) -> Array:
    left, right = (x.reshape(len(x), -1, step["channels"]) for x in sources)
    if step["op"] == "add":
        total = left * arrays[step["left_scale"]] + right * arrays[step["right_scale"]]
    else:
        total = (left - step["left_offset"]) * (right - step["right_offset"])
    return _activated(step, total.reshape(len(left), -1), arrays)


def _argmax(step: Mapping[str, Any], sources: Any, arrays: Arrays) -> Array:
    return sources[0].reshape(len(sources[0]), -1, step["channels"]).argmax(axis=2)


def _lookup(step: Mapping[str, Any], sources: Any, arrays: Arrays) -> Array:
    table = arrays[step["table"]]
    rows = np.clip(sources[0] - step["first"], 0, len(table) - 1)
    return table[rows].reshape(len(rows), -1)


def _activated(step: Mapping[str, Any], sums: Array, arrays: Arrays) -> Array:
    """Sums (frames, pixels * channels) under the step's activation."""
    how = step["activation"]
    if how is None:
        return sums
    shaped = sums.reshape(len(sums), -1, step["channels"])
    return _ACTIVATIONS[how["kind"]](how, shaped, arrays).astype(np.int64).reshape(len(sums), -1)


def _thresholds(how: Mapping[str, Any], acc: Array, arrays: Arrays) -> Array:
    at, step = arrays[how["at"]], arrays[how["step"]]
    result = np.broadcast_to(arrays[how["base"]], acc.shape).copy()
    for k in range(at.shape[1]):
        result += (acc >= at[:, k]) * (step[:, k] if step.shape[1] > 1 else step[:, 0])
    return result


def _requant(how: Mapping[str, Any], acc: Array, arrays: Arrays) -> Array:
    mult, shift, lo, hi = arrays[how["mult"]], how["shift"], how["lo"], how["hi"]
    wide = acc * mult + arrays[how["add"]]
    level = wide >> shift
    rest = wide - (level << shift)
    if how["half_even"] and shift:
        half = 1 << (shift - 1)
        level = level + ((rest > half) | ((rest == half) & (level & 1 == 1)))
    elif how["late"] is not None:
        late = arrays[how["late"]]
        found = late[np.arange(len(late)), np.clip(level - lo - 1, 0, hi - lo - 1)]
        level = level - ((level > lo) & (level <= hi) & (rest < found * np.abs(mult)))
    return np.clip(level, lo, hi)


def _table(how: Mapping[str, Any], acc: Array, arrays: Arrays) -> Array:
    values = arrays[how["values"]]
    return values[np.arange(len(values)) if len(values) > 1 else 0, acc - how["lo"]]


_ACTIVATIONS: Dict[str, Callable[[Mapping[str, Any], Array, Arrays], Array]] = {
    "thresholds": _thresholds,
    "requant": _requant,
    "table": _table,
}

COMPUTES: Dict[str, Callable[[Mapping[str, Any], Any, Arrays], Array]] = {
    "gather": _gather,
    "matrix": _matrix,
    "depthwise": _depthwise,
    "reduce": _reduce,
    "activate": _activate,
    "join": _join,
    "argmax": _argmax,
    "lookup": _lookup,
}
"""The steps that the processor computes, by name."""
