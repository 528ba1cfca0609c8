"""The exactness certificate: which thresholds every conforming float32 runtime must agree on.

A float sum has no prescribed order. Around each threshold lies a window of accumulator values in which runtimes that follow the ONNX
specification may differ. The bound on the sum's error (`flowc.exact.bounds`) and its derivation are in docs/exactness.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import onnx_ir as ir

from flowc.exact.bounds import SumBound, sum_bound
from flowc.exact.region import Region
from flowc.exact.spans import covered, packed, stacked
from flowc.exact.steps import Steps
from flowc.exact.sums import FloatSum
from flowc.exact.windows import Windows
from flowc.units.base import Array

__all__ = ["Certificate", "TensorCertificate", "certify", "windows"]

_THRESHOLDS_AT_ONCE = 1 << 16
_NONE = np.empty(0, np.int64)


@dataclass(frozen=True, eq=False)
class TensorCertificate:
    """The certificate of one activation.

    Attributes:
        tensor: name of the integer tensor.
        thresholds: thresholds inside the range; of these ``exact`` (arithmetic is exact), ``proven`` (no accumulator value can be decided
            otherwise, batch normalization fused into the weights or not), ``proven_unfused`` (as written only) and ``ambiguous``.
        inside: accumulator values in a window; values: accumulator values in all.
        low, high: int64 (sets, K): values in [low, high) are ambiguous; None where there is none.
        axes: axes of the tensor along which parameter sets vary, in their order.
        sums: float tensors of the model that stand for what the activation is applied to.
    """

    tensor: str
    thresholds: int
    exact: int
    proven: int
    proven_unfused: int
    ambiguous: int
    inside: int
    values: int
    low: Array | None = None
    high: Array | None = None
    axes: tuple[int, ...] = ()
    sums: tuple[FloatSum, ...] = ()

    @property
    def windows(self) -> tuple[Array, Array] | None:
        """(low, high), or None where there is no window."""
        return None if self.low is None or self.high is None else (self.low, self.high)


@dataclass(frozen=True)
class Certificate:
    """The certificates of all activations."""

    tensors: tuple[TensorCertificate, ...]

    def renamed(self, aliases: Mapping[str, str]) -> Certificate:
        """The same, with tensors under the names by which they are compared."""
        return Certificate(tuple(replace(t, tensor=aliases.get(t.tensor, t.tensor)) for t in self.tensors))

    def as_dict(self) -> dict[str, float | int]:
        """The ``certificate`` entry of a report."""
        names = ("thresholds", "exact", "proven", "proven_unfused", "ambiguous")
        sums: dict[str, float | int] = {n: sum(getattr(t, n) for t in self.tensors) for n in names}
        values = sum(t.values for t in self.tensors)
        return sums | {"ambiguous_value_share": sum(t.inside for t in self.tensors) / values if values else 0.0}

    @property
    def windows(self) -> dict[str, tuple[Array, Array]]:
        """Tensor -> (low, high) where there is a window."""
        return {t.tensor: t.windows for t in self.tensors if t.windows is not None}


def certify(tensor: str, region: Region, steps: Steps, leaf: ir.Value, bound: SumBound | None) -> TensorCertificate:
    """The certificate of an activation of one integer tensor (joins of two: `flowc.exact.join_windows`).

    Args:
        tensor: its name.
        region: the operations that it stands for.
        steps: the function that was found.
        leaf: the integer tensor it is a function of.
        bound: of the float sum that the leaf stands for (`flowc.exact.bounds.sum_bound`).
    """
    values = int((steps.hi - steps.lo + 1).sum())
    if len(region.dequantized(leaf)) != 1:
        # Nothing is proven of functions of one sum that is scaled in two ways.
        count, open_ = len(steps.inside), region.by_runtime or bound is not None
        return TensorCertificate(tensor, count, 0, 0 if open_ else count, 0, count if open_ else 0, 0, values)
    found = [_certify_part(region, steps, leaf, bound, rows) for rows in _parts(steps)]
    low, high = stacked([span for part in found for span in part.windows])
    exact, proven, unfused, ambiguous = (
        sum(getattr(p, name) for p in found) for name in ("exact", "proven", "unfused", "ambiguous")
    )
    total = exact + proven + unfused + ambiguous
    if not low.shape[1]:
        return TensorCertificate(tensor, total, exact, proven, unfused, ambiguous, 0, values)
    inside = covered(low, high)
    return TensorCertificate(tensor, total, exact, proven, unfused, ambiguous, inside, values, low, high)


@dataclass(frozen=True)
class _Part:
    """What is known of some parameter sets: counts of thresholds, and the windows (low, high) of each set as written."""

    exact: int
    proven: int
    unfused: int
    ambiguous: int
    windows: list[tuple[Array, Array]]


def _parts(steps: Steps) -> Iterator[slice]:
    """Parameter sets in portions that fit into memory however many thresholds there are."""
    many = max(1, _THRESHOLDS_AT_ONCE // (steps.at.shape[1] + 2))
    for start in range(0, len(steps.lo), many):
        yield slice(start, start + many)


def _certify_part(region: Region, whole: Steps, leaf: ir.Value, bound: SumBound | None, rows: slice) -> _Part:
    steps = whole.of_rows(rows)
    count, none = len(steps.inside), [(_NONE, _NONE)] * len(steps.lo)
    view = Windows(region, leaf, steps, rows, bound)
    if not region.by_runtime and view.forms.fused is None:
        if bound is None:
            return _Part(0, count, 0, 0, none)
        if not view.forms.written.rounded:
            return _Part(count, 0, 0, 0, none)
    real = view.thresholds.real[:, :-2]
    found, fused = view.both()
    open_, fused_open = found.open_, fused.open_
    return _Part(
        0,
        int((real & ~open_ & ~fused_open).sum()),
        # What is ambiguous as written is so whatever a fused form shows.
        int((real & ~open_ & fused_open).sum()),
        # A level beyond those that are reached counts as a threshold where the model leaves open whether it is.
        int(open_.sum()) + found.beyond,
        packed(found.low, found.high),
    )


def windows(
    region: Region, steps: Steps, leaf: ir.Value, ranges: Mapping[ir.Value, tuple[Array, Array]], *, fused: bool = False
) -> tuple[Array, Array]:
    """(low, high), int64 (sets, K): at integers in [low, high) a conforming runtime may decide otherwise than the reference function.

    Args:
        fused: the runtime may multiply a batch normalization into the weights, or compute it in another way; else as written.
    """
    view = Windows(region, leaf, steps, slice(None), sum_bound(leaf, ranges))
    found = view.fused() if fused else view.written()
    return found.low, found.high
