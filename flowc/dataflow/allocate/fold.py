"""One way to fold a layer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from flowc.units import Unit, Window

__all__ = ["MAX_LANES", "Changes", "Fold", "Folding"]

MAX_LANES = 1024
"""Most lanes of one unit (limit of HLS array partitioning)."""

Changes = Mapping[str, Mapping[str, Any]]
"""Unit name -> field -> value."""


@dataclass(frozen=True)
class Fold:
    """One way to fold a layer, without its memory and multiplier styles.

    Attributes:
        changes: unit name -> field -> value.
        cycles: from frame to frame, of the layer's slowest unit.
        in_width, out_width: elements per beat at the layer's ends.
        converter: (element bits, wide in, wide out) of a width converter inside the layer, in front of its main unit.
    """

    changes: Changes
    cycles: int
    in_width: int
    out_width: int
    converter: tuple[int, int, int] | None = None


class Folding(Protocol):
    """What a layer is to those who list its folds; `flowc.dataflow.allocate.layers.Layer` says what each of these is."""

    @property
    def name(self) -> str: ...
    @property
    def main(self) -> Unit: ...
    @property
    def window(self) -> Window | None: ...
    @property
    def pads(self) -> tuple[Unit, ...]: ...
    @property
    def fixed(self) -> Mapping[str, Any]: ...
    def allowed(self, key: str) -> list[Any]: ...
    def wanted(self, key: str, values: Iterable[Any]) -> list[Any]: ...
