"""Programs of the kernels under construction: buffers, and calls that read and write them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from flowc import kernels
from flowc.dataflow.native.activations import Lowered, pointer
from flowc.dataflow.native.codes import Code
from flowc.kernels.library import OperationKind
from flowc.units.base import Array

__all__ = ["Buffer", "Call", "Value", "allocate", "sized"]

_ALIGN = 64


@dataclass(eq=False)
class Buffer:
    """Bytes of the arena, per sample; ``offset`` (per sample as well) is known once all buffers are."""

    size: int
    offset: int = -1


@dataclass(frozen=True, eq=False)
class Value:
    """Frames in the arena: a buffer, and what its codes mean."""

    buffer: Buffer
    code: Code


@dataclass(eq=False)
class Call:
    """One operation: its operands, its fields by name, its activation, the arrays that the fields point to."""

    kind: OperationKind
    inp: Buffer
    out: Buffer
    inp2: Buffer | None = None
    fields: dict[str, int] = field(default_factory=dict)
    act: Lowered | None = None
    arrays: list[Array] = field(default_factory=list)

    def point(self, name: str, array: Array) -> None:
        """Lets a field point to an array (contiguous, of the type that the kernel expects)."""
        assert array.flags.c_contiguous
        self.arrays.append(array)
        self.fields[name] = pointer(array)

    @property
    def buffers(self) -> list[Buffer]:
        """Operands and result."""
        return [b for b in (self.inp, self.inp2, self.out) if b is not None]

    def write(self, operation: kernels.Operation) -> None:
        """Fills in the structure that the library reads."""
        operation.kind = self.kind
        operation.inp, operation.out = self.inp.offset, self.out.offset
        operation.inp2 = 0 if self.inp2 is None else self.inp2.offset
        for name, value in self.fields.items():
            setattr(operation, name, value)
        if self.act is not None:
            operation.act = self.act.act


def allocate(lives: list[tuple[Buffer, int, int]]) -> int:
    """Gives buffers places that those alive at the same time don't share; largest first, each at the lowest free place.

    Args:
        lives: buffer, the step that writes it, the last step that uses it.

    Returns:
        Bytes of the arena per sample.
    """
    placed: list[tuple[Buffer, int, int]] = []
    for buffer, first, last in sorted(lives, key=lambda life: -life[0].size):
        size = _rounded(buffer.size)
        taken = sorted(
            (other.offset, other.offset + _rounded(other.size))
            for other, start, end in placed
            if start <= last and first <= end
        )
        offset = 0
        for begin, end in taken:
            if begin - offset >= size:
                break
            offset = max(offset, end)
        buffer.offset = offset
        placed.append((buffer, first, last))
    return max((b.offset + _rounded(b.size) for b, _, _ in placed), default=0)


def _rounded(size: int) -> int:
    return -(-size // _ALIGN) * _ALIGN


def sized(**fields: Any) -> dict[str, int]:
    """Fields as plain integers."""
    return {name: int(value) for name, value in fields.items()}
