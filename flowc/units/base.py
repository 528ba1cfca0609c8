"""What every hardware unit is: frames in, frames out, cycles, and its integer function.

A *frame* is one sample's tensor, streamed in (H, W, C) order, C innermost. A stream carries a fixed number of
elements per beat (``in_widths`` / ``out_widths``); a frame is the flat HWC sequence cut into beats.
Units are backend-neutral frozen dataclasses: a backend (HLS C++, ...) knows how to write each down.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields, replace
from functools import cache
from typing import Any, ClassVar

from flowc.model.dtypes import Array, IntType
from flowc.units.cost import Resources
from flowc.units.schedule import Schedule, every
from flowc.units.sound import MOST_ELEMENTS

__all__ = ["RESTART", "Array", "Frame", "OneToOne", "Unit", "divisors"]

RESTART = 2
"""Cycles from the last beat of a frame out of a unit's pipeline to the first iteration for the next: handshakes of its function."""


@dataclass(frozen=True)
class Frame:
    """Type of one sample's tensor on a stream: height, width, channels and the element type."""

    h: int
    w: int
    c: int
    dtype: IntType

    @property
    def elements(self) -> int:
        """Elements per frame."""
        return self.h * self.w * self.c

    @property
    def pixels(self) -> int:
        """Positions (h * w) per frame."""
        return self.h * self.w

    @property
    def shape(self) -> tuple[int, int, int]:
        """(H, W, C)."""
        return (self.h, self.w, self.c)


@dataclass(frozen=True, eq=False, kw_only=True)
class Unit(ABC):
    """One hardware unit.

    Attributes:
        name: unique in its graph, readable, made of ``[A-Za-z0-9_]``.
        origin: names of the ONNX nodes that it realizes.
        overlap: whether the loop goes on with the next frame while the last iterations of this one are still in the
            pipeline. A loop of Vitis HLS does so if it may rewind, that is, if nothing stands in front of it (`Mvtu.drain`).
        structure: loop, as HLS makes a unit; or pipeline, as it is in SystemVerilog: counters in front of a rigid pipeline. Function
            and schedule are the same, costs are not, nor `stages` where an activation takes its steps in turn.
    """

    kind: ClassVar[str]
    is_port: ClassVar[bool] = False
    """Whether the unit is an end of the graph, where integers enter or leave."""
    is_window: ClassVar[bool] = False
    """Whether the unit is a sliding window."""
    is_padding: ClassVar[bool] = False
    """Whether the unit pads; it folds with the sliding window behind it."""
    takes_window: ClassVar[bool] = False
    """Whether the unit reads the pixels under a kernel; it folds with the sliding window in front of it."""
    is_width_converter: ClassVar[bool] = False
    """Whether the unit only cuts the same elements into other beats."""
    by_shape: ClassVar[frozenset[str]] = frozenset()
    """Arrays of which no more than the shape decides cycles, schedule and cost."""
    name: str
    origin: tuple[str, ...] = ()
    overlap: bool = True
    structure: str = "loop"

    @property
    @abstractmethod
    def inputs(self) -> tuple[Frame, ...]:
        """Frame type of each input port."""

    @property
    @abstractmethod
    def outputs(self) -> tuple[Frame, ...]:
        """Frame type of each output port."""

    @property
    @abstractmethod
    def in_widths(self) -> tuple[int, ...]:
        """Elements per beat of each input port."""

    @property
    @abstractmethod
    def out_widths(self) -> tuple[int, ...]:
        """Elements per beat of each output port."""

    @property
    @abstractmethod
    def cycles(self) -> int:
        """Cycles per frame: the trip count of the unit's pipelined loop (initiation interval 1)."""

    @abstractmethod
    def emulate(self, *xs: Array) -> tuple[Array, ...]:
        """The unit's exact integer function.

        Args:
            xs: one array (N, H, W, C) per input port, integer-valued, of any numpy dtype that holds them exactly.

        Returns:
            One array (N, H, W, C) per output port, integer-valued.
        """

    def accumulate(self, *xs: Array) -> Array | None:  # noqa: ARG002
        """The integers in front of the unit's activation, (N, H, W, C), for inputs as `emulate` takes them; None: it has none."""
        return None

    @property
    def moves(self) -> bool:
        """Whether every integer that leaves is one that entered, or a constant: moved, copied, picked, never computed."""
        return False

    def trace(self, *marks: Array) -> tuple[Array, ...] | None:
        """Where marked integers end up, in a unit that `moves` them.

        Args:
            marks: per input port (N, H, W, C), 1 where an integer is marked, else 0.

        Returns:
            The same per output port; None for a unit that computes.
        """
        return self.emulate(*marks) if self.moves else None

    def unfolded(self, reader: Unit) -> Unit:  # noqa: ARG002
        """The same unit in the order that numpy likes, where `reader` takes what leaves it: windows of whole pixels."""
        return self

    def window_block(self, channels: int) -> int:
        """Block of channels in which an unfolded window of ``channels`` channels gives this unit its input."""
        return channels

    def behind(self, block: int) -> Unit:  # noqa: ARG002
        """The same unit behind an unfolded window of that block."""
        return self

    def folding(self) -> dict[str, list[int]]:
        """Legal values of the folding keys ``pe`` and ``simd`` that the unit has, ascending."""
        return {"simd": divisors(self.inputs[0].c)}

    def styles(self) -> dict[str, list[str]]:
        """Legal values of the keys ``memory`` and ``multiplier`` that the unit has."""
        return {}

    def unsound(self) -> list[str]:
        """What contradicts itself in the unit's fields, folding aside: shapes, types, ranges.

        Where this is not empty, nothing else of the unit may be asked. Fields have the types that they are declared with.
        """
        return []

    def frame_faults(self) -> list[str]:
        """What is wrong with the frames at the ports of a unit that is not `unsound`."""
        if getattr(self, "pixels", 1) < 1:
            return [f"pixels = {getattr(self, 'pixels', 1)} is below 1"]
        frames = [*self.inputs, *self.outputs]
        wrong = [f for f in frames if min(f.shape) < 1 or f.elements > MOST_ELEMENTS]
        return [f"a frame of {f.h} x {f.w} x {f.c} elements" for f in wrong]

    def faults(self) -> list[str]:
        """What is wrong with the unit's folding; empty where it is sound."""
        return self.divides("simd", self.inputs[0].c, "the channels")

    def divides(self, key: str, whole: int, what: str) -> list[str]:
        """A fault where the field ``key`` does not divide ``whole``, which ``what`` names."""
        value = getattr(self, key)
        return [] if value >= 1 and whole % value == 0 else [f"{key} = {value} does not divide {what} = {whole}"]

    def order_faults(self, window: Unit) -> list[str]:  # noqa: ARG002
        """What is wrong with the order of elements that a sliding window gives the unit; empty where they agree."""
        return []

    @abstractmethod
    def schedule(self) -> Schedule:
        """In which of its `cycles` iterations the unit takes and gives which beats."""

    @property
    def stages(self) -> int:
        """Clock cycles from taking beats to giving what follows from them: the depth of the pipeline, estimated."""
        return 3

    @property
    def interval(self) -> int:
        """Cycles from frame to frame at best: `cycles`, and what passes until the pipeline is empty and the loop begins anew."""
        return self.cycles + self.drain

    @property
    def drain(self) -> int:
        """Cycles between the last iteration for a frame and the first for the next."""
        return 0 if self.overlap else self.stages + RESTART

    @property
    @abstractmethod
    def resources(self) -> Resources:
        """What the unit costs, modelled (`docs/cost-model.md`); styles that are ``auto`` are taken as the model would choose."""

    def style_cost(self, style: str) -> Resources:  # noqa: ARG002
        """The part of `resources` that the style ``style`` (memory, multiplier, ...) decides: nothing else differs if this one does."""
        return self.resources

    @property
    def macs(self) -> int:
        """Multiply-accumulate operations per frame."""
        return 0

    def entry(self) -> dict[str, Any]:
        """The unit's figures in report.json; what does not apply to it is null."""
        acc, activation = getattr(self, "acc", None), getattr(self, "activation", None)
        return {
            "name": self.name,
            "unit": self.kind,
            "onnx_nodes": list(self.origin),
            "macs": self.macs or None,
            "bops": None,
            "pe": getattr(self, "pe", None),
            "simd": getattr(self, "simd", None),
            "pixels": getattr(self, "pixels", None),
            "cycles": self.cycles,
            "weights": None,
            "weight_bits": None,
            "input_bits": self.inputs[0].dtype.bits,
            "output_bits": self.outputs[0].dtype.bits,
            "accumulator_bits": None if acc is None else acc.bits,
            "activation": None if activation is None else activation.kind,
            "memory": None if getattr(self, "memory", "auto") == "auto" else getattr(self, "memory", None),
        }

    def with_(self, **changes: Any) -> Any:
        """A copy with some fields changed, or of its activation's thresholds the memory (``threshold_memory``) or ``read_cycles``."""
        activation: Any = getattr(self, "activation", None)
        if "threshold_memory" in changes:
            changes["activation"] = activation = activation.kept_in(changes.pop("threshold_memory"))
        if "read_cycles" in changes:
            changes["activation"] = replace(activation, read_cycles=changes.pop("read_cycles"))
        return self._copied(changes)

    def _copied(self, changes: dict[str, Any]) -> Any:
        """As `dataclasses.replace`, field by field without the constructor: an allocation makes thousands of copies."""
        own, names = self.__dict__, _field_names(type(self))
        if not changes.keys() <= names:
            raise TypeError(f"{type(self).__name__} has no {', '.join(sorted(changes.keys() - names))}")
        made = object.__new__(type(self))
        made.__dict__.update({name: own[name] for name in names} | changes)
        return made

    @property
    def threshold_memory(self) -> str | None:
        """Style of the memory of the activation's thresholds; None where the unit has none."""
        found: str | None = getattr(getattr(self, "activation", None), "memory", None)
        return found


@cache
def _field_names(kind: type[Unit]) -> frozenset[str]:
    return frozenset(f.name for f in fields(kind))


@dataclass(frozen=True, eq=False, kw_only=True)
class OneToOne(Unit):
    """What units with one input share: as many elements per beat on all sides.

    If nothing else is said, a beat leaves in every cycle.

    Attributes:
        frame: type of the input.
    """

    frame: Frame

    @property
    @abstractmethod
    def lanes(self) -> int:
        """Elements per beat."""

    @property
    def inputs(self) -> tuple[Frame, ...]:
        return (self.frame,)

    @property
    def in_widths(self) -> tuple[int, ...]:
        return (self.lanes,)

    @property
    def out_widths(self) -> tuple[int, ...]:
        return (self.lanes,) * len(self.outputs)

    @property
    def cycles(self) -> int:
        return self.outputs[0].elements // self.lanes

    def schedule(self) -> Schedule:
        beats = every(self.cycles)
        return Schedule(self.cycles, (beats,), (beats,) * len(self.outputs))


def divisors(n: int) -> list[int]:
    """The divisors of ``n`` in ascending order."""
    small = [d for d in range(1, int(n**0.5) + 1) if n % d == 0]
    return small + [n // d for d in reversed(small) if d * d != n]
