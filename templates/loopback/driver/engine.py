"""The engine's numbers, as ``accelerator.json`` holds them."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Mapping

__all__ = ["BEAT_BYTES", "Engine", "read_engine"]

BEAT_BYTES = 16
"""Bytes that a memory port of the engine moves per cycle."""


@dataclass(frozen=True)
class Engine:
    """An array of ``rows`` x ``columns`` multipliers for each of ``lanes`` pixels, and the memories around it.

    Attributes:
        rows, columns: output and input channels computed at once.
        lanes: pixels computed at once.
        digit: bits of the native operands.
        act_words, weight_words, parameter_words, table_words: words of the buffers.
        acc_bits: width of the accumulators.
    """

    rows: int
    columns: int
    lanes: int
    digit: int
    act_words: int
    weight_words: int
    parameter_words: int
    table_words: int
    acc_bits: int

    @property
    def word_bytes(self) -> int:
        """Bytes of an activation word: a digit of each of ``columns`` channels."""
        return self.columns * self.digit // 8

    @property
    def weight_word_bytes(self) -> int:
        """Bytes of a weight word."""
        return self.rows * self.word_bytes

    @property
    def parameter_word_bytes(self) -> int:
        """Bytes of a word of parameters or tables."""
        return 8 * self.rows

    @property
    def row_bytes(self) -> int:
        """What the bytes of a row of pixels in the external memory are rounded up to."""
        return max(BEAT_BYTES, self.word_bytes)

    @property
    def spread(self) -> int:
        """Activation words per digit of a block of ``rows`` outputs."""
        return self.rows // self.columns


def read_engine(description: Mapping[str, Any]) -> Engine:
    """The engine that ``accelerator.json`` describes."""
    return Engine(**{f.name: description["engine"][f.name] for f in fields(Engine)})
