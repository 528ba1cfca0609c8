"""What a verification found: for every tensor how its values were compared, how many differ, and why that may be right."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from flowc.errors import MismatchError, counted, shown
from flowc.exact.sums import FloatSum
from flowc.units.base import Array

__all__ = ["CAUSES", "Comparison", "Verification"]

CAUSES = {
    "window": "lie where float32 sums round differently depending on the order of additions, which ONNX leaves open: both are right",
    "tie": "are decided between values closer together than the rounding of the model's own float32 sums: either decision is right",
}
"""Why a value may differ from the reference and be right all the same; what stands before is 'N of M values of T'."""

_CLOSE = 1e-5


def room_of(entries: Sequence[FloatSum]) -> Array:
    """How far a float sum may lie from what its parts make of it, as a float."""
    return np.asarray(sum(np.abs(e.error * e.scale) for e in entries))


@dataclass
class Comparison:
    """What the comparison of one tensor found.

    Attributes:
        tensor: its name in the model; layer: the ONNX node that it comes from.
        exactly: values compared for equality, bit for bit or as integers.
        within: values of float sums compared within the bound that holds for any order of additions, because it is wider than an integer.
        skipped: values that could not be compared.
        mismatches: values that differ; ``causes``: of these, how many are right all the same, by cause.
        not_finite: values that are infinite or not a number in the reference.
    """

    tensor: str
    layer: str = ""
    exactly: int = 0
    within: int = 0
    skipped: int = 0
    mismatches: int = 0
    not_finite: int = 0
    causes: dict[str, int] = field(default_factory=dict)

    @property
    def values(self) -> int:
        """Values compared in one way or the other."""
        return self.exactly + self.within

    @property
    def explained(self) -> int:
        """Mismatches that are right all the same."""
        return sum(self.causes.values())

    def same(self, given: Array, right: Array, excuses: Mapping[str, Callable[[], Array]] | None = None) -> None:
        """Counts values that must be equal; NaN equals NaN, and nothing else.

        Args:
            given, right: arrays of one shape: computed here, and by the reference.
            excuses: cause -> function that says where (boolean, same size) a difference is no fault; asked in order, where one is needed.
        """
        with np.errstate(all="ignore"):
            wrong = (given != right) & ~((given != given) & (right != right))
        self.exactly += wrong.size
        self.mismatches += int(wrong.sum())
        self._note_finite(right)
        for cause, excuse in (excuses or {}).items():
            if wrong.any():
                right_too = wrong & excuse().reshape(wrong.shape)
                self._explain(cause, int(right_too.sum()))
                wrong = wrong & ~right_too

    def close(self, given: Array, right: Array) -> None:
        """Counts floats that the same operations computed from the same floats: equal, or off by rounding at most."""
        with np.errstate(all="ignore"):
            equal = (given == right) | ((given != given) & (right != right))
            room = _CLOSE * max(1.0, float(np.abs(right[np.isfinite(right)]).max(initial=0)))
            near = equal | (np.abs(given - right) <= room)
        self.exactly += int(equal.sum())
        self.within += int((~equal).sum())
        self.mismatches += int((~near).sum())
        self._note_finite(right)

    def sums(self, integers: Array, floats: Array, entry: FloatSum) -> None:
        """Counts integers against the float sums that the reference computed for them.

        Args:
            integers, floats: arrays of one shape, (1, ...).
            entry: how one stands for the other.
        """
        with np.errstate(all="ignore"):
            exact = integers.astype(np.float64)
            meant = ((exact - entry.zero) * entry.scale).astype(np.float32)
            off = np.abs(floats.astype(np.float64) / entry.scale + entry.zero - exact)
            room = np.broadcast_to(entry.error, off.shape)
            readable = room < 0.5
            good = np.where(readable, off < 0.5, off <= room) & np.isfinite(meant) & np.isfinite(floats)
            # A sum that overflows here as there.
            good |= np.isinf(meant) & (meant == floats)
        self.exactly += int(readable.sum())
        self.within += int((~readable).sum())
        self.mismatches += int((~good).sum())
        self._note_finite(floats)

    def joint(self, parts: Sequence[Array], floats: Array, entries: Sequence[FloatSum]) -> None:
        """Counts float sums of which several integer tensors are parts: within the bound of the whole.

        Args:
            parts: the integers, arrays of the shape of ``floats``; entries: what each stands for.
        """
        with np.errstate(all="ignore"):
            exact = sum((q.astype(np.float64) - e.zero) * e.scale for q, e in zip(parts, entries, strict=True))
            meant = np.asarray(exact).astype(np.float32)
            good = (np.abs(floats - exact) <= room_of(entries)) & np.isfinite(meant) & np.isfinite(floats)
            good |= np.isinf(meant) & (meant == floats)
        self.within += good.size
        self.mismatches += int((~good).sum())
        self._note_finite(floats)

    def dequantized(self, given: Array, right: Array, entries: Sequence[FloatSum]) -> None:
        """Counts outputs made from integers that `sums` found right, and that differ by more than the reference's sums and rounding."""
        with np.errstate(all="ignore"):
            equal = (given == right) | ((given != given) & (right != right))
            rounding = _CLOSE * max(1.0, float(np.abs(right[np.isfinite(right)]).max(initial=0)))
            room = np.broadcast_to(room_of(entries), right.shape) + rounding
            self.mismatches += int((~equal & ~(np.abs(given - right) <= room)).sum())

    def tied(self, differing: int) -> None:
        """Counts values that differ because a decision is a tie in the model; they were compared before, by what they follow from."""
        self.mismatches += differing
        self._explain("tie", differing)

    def _explain(self, cause: str, count: int) -> None:
        if count:
            self.causes[cause] = self.causes.get(cause, 0) + count

    def _note_finite(self, right: Array) -> None:
        if right.dtype.kind == "f":
            self.not_finite += int((~np.isfinite(right)).sum())


@dataclass
class Verification:
    """The whole comparison; ``tensors`` by name in graph order, outputs of the model last."""

    samples: int = 0
    tensors: dict[str, Comparison] = field(default_factory=dict)
    end_to_end: int = 0
    worst_output: float = 0.0
    layers: dict[str, str] = field(default_factory=dict, repr=False)

    def tensor(self, name: str) -> Comparison:
        """The entry of a tensor, made when first asked for."""
        if name not in self.tensors:
            self.tensors[name] = Comparison(name, self.layers.get(name, ""))
        return self.tensors[name]

    def _total(self, name: str) -> int:
        return int(sum(getattr(c, name) for c in self.tensors.values()))

    @property
    def mismatches(self) -> int:
        """Values that differ, over all tensors."""
        return self._total("mismatches")

    @property
    def explained(self) -> int:
        """Of these, how many the model itself leaves open."""
        return self._total("explained")

    @property
    def failing(self) -> list[Comparison]:
        """Tensors with mismatches that nothing explains."""
        return [c for c in self.tensors.values() if c.mismatches > c.explained]

    def error(self, values: int) -> MismatchError:
        """The error for mismatches that nothing explains, out of ``values`` compared."""
        first = self.failing[0]
        wrong = self.mismatches - self.explained
        message = f"{wrong} of {values} integers differ from onnxruntime, first in tensor '{shown(first.tensor)}'"
        if first.layer:
            message += f" of layer '{shown(first.layer)}'"
        if first.not_finite:
            odd = counted(first.not_finite, "value of the model itself is", "values of the model itself are")
            return MismatchError(
                f"{message}, where {odd} infinite or not a number",
                remedy="Its float32 arithmetic overflows or divides by zero there: correct the scales and constants of that layer",
            )
        return MismatchError(
            message, remedy="This is a bug in flowc unless the model computes in another precision than float32"
        )

    def as_dict(self, reference: str) -> dict[str, Any]:
        """The ``verification`` entry of a report."""
        return {
            "reference": reference,
            "samples": self.samples,
            "tensors": len(self.tensors),
            "values": self._total("values"),
            "compared_exactly": self._total("exactly"),
            "compared_within_bound": self._total("within"),
            "not_compared": self._total("skipped"),
            "not_finite": self._total("not_finite"),
            "mismatches": self.mismatches,
            "explained_by_ambiguous": self.explained,
            "explanations": [
                _explanation(c, cause, number) for c in self.tensors.values() for cause, number in c.causes.items()
            ],
            "end_to_end_mismatches": self.end_to_end,
            "worst_output_difference": self.worst_output if np.isfinite(self.worst_output) else None,
            "failing": [c.tensor for c in self.failing],
        }


def _explanation(found: Comparison, cause: str, number: int) -> dict[str, Any]:
    where = f"'{found.tensor}'" + (f" (layer '{found.layer}')" if found.layer else "")
    return {
        "tensor": found.tensor,
        "layer": found.layer or None,
        "cause": cause,
        "mismatches": number,
        "share": number / max(1, found.values),
        "text": f"{number:,} of {found.values:,} values of {where} {CAUSES[cause]}",
    }
