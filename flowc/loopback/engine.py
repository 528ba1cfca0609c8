"""What a loopback engine is: the array, its buffers and its clock. One bitstream, described by one ``engine.json``."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from flowc.errors import UsageError, shown

__all__ = ["BEAT_BYTES", "ENGINE_SCHEMA", "MOST_LANES", "Engine"]

ENGINE_SCHEMA = 1
BEAT_BYTES = 16
"""Bytes that a load port of the engine moves per cycle (AXI4, 128 bits)."""
MOST_LANES = 32


@dataclass(frozen=True, kw_only=True)
class Engine:
    """An array of ``rows`` x ``columns`` multipliers for each of ``lanes`` pixels, and the memories around it.

    A *word* of a lane's activation buffer holds one digit of each of ``columns`` channels of a pixel; a word of the weight buffer
    one digit of each weight of a block of ``rows`` outputs for ``columns`` inputs; a word of the parameter (table) memory 64 bits
    for each of ``rows`` outputs.

    Attributes:
        rows: output channels computed at once (R); a multiple of ``columns``.
        columns: input channels of which products are summed at once (C).
        dsp_lanes: pixels computed at once with multipliers in DSP slices; even with digits of 4 bits, of which a slice multiplies two
            pixels.
        lut_lanes: further pixels, with multipliers in look-up tables.
        digit: bits of the native operands, 4 or 8; wider numbers are several digits.
        act_words: words of a lane's activation buffer, both halves.
        weight_words: words of the weight buffer, both halves.
        parameter_words: words of the parameter memory, both halves.
        table_words: words of the table memory (early masks, search tables); 0: the engine has none.
        search_depth: steps of the deepest binary search of the activation unit; 0: it has none.
        out_words: words of a lane's output FIFO.
        results: requantized results per cycle.
        acc_bits: width of the accumulators.
        clock_mhz: clock.
    """

    rows: int
    columns: int
    dsp_lanes: int
    lut_lanes: int = 0
    digit: int = 4
    act_words: int = 8192
    weight_words: int = 1024
    parameter_words: int = 512
    table_words: int = 0
    search_depth: int = 0
    out_words: int = 1024
    results: int = 16
    acc_bits: int = 32
    clock_mhz: float = 200.0

    def __post_init__(self) -> None:
        reason = self._fault()
        if reason is not None:
            raise UsageError(
                f"no loopback engine can be like this: {reason}",
                remedy="Take a preset of the target, or change what is named",
            )

    def _fault(self) -> str | None:
        for f in fields(self):
            value = getattr(self, f.name)
            kinds = (int, float) if f.name == "clock_mhz" else (int,)
            if isinstance(value, bool) or not isinstance(value, kinds) or value < 0:
                return f"'{f.name}' must be a number of at least 0, not {value!r}"
        tests = (
            (self.digit in (4, 8), f"'digit' must be 4 or 8, not {self.digit}"),
            (self.columns > 0 and self.rows % self.columns == 0 and self.rows > 0, "'rows' must be a multiple of 'columns'"),
            (self.columns * self.digit in (64, 128, 256), "'columns' * 'digit' must be 64, 128 or 256"),
            (self.dsp_lanes % self.shared == 0, "'dsp_lanes' must be even where digits have 4 bits"),
            (1 <= self.lanes <= MOST_LANES, f"it must have 1 to {MOST_LANES} lanes"),
            (8 <= self.acc_bits <= 48, "'acc_bits' must be 8 to 48"),
            (1 <= self.results <= self.rows * self.lanes, "'results' must be 1 to rows * lanes"),
            (4 <= self.act_words <= 1 << 16, "'act_words' must be 4 to 65,536"),
            (2 <= self.weight_words <= 1 << 16, "'weight_words' must be 2 to 65,536"),
            (2 <= self.parameter_words <= 1 << 12, "'parameter_words' must be 2 to 4,096"),
            (self.table_words <= 1 << 16, "'table_words' must be at most 65,536"),
            (self.search_depth <= 8, "'search_depth' must be at most 8"),
            (self.out_words >= 1, "'out_words' must be at least 1"),
            (self.clock_mhz > 0, "'clock_mhz' must be above 0"),
        )  # fmt: skip
        return next((text for good, text in tests if not good), None)

    @property
    def shared(self) -> int:
        """Pixels that a DSP slice multiplies at once."""
        return 2 if self.digit == 4 else 1

    @property
    def lanes(self) -> int:
        """Pixels computed at once (P)."""
        return self.dsp_lanes + self.lut_lanes

    @property
    def macs(self) -> int:
        """Multiply-accumulate operations of native digits per cycle."""
        return self.rows * self.columns * self.lanes

    @property
    def word_bytes(self) -> int:
        """Bytes of an activation word."""
        return self.columns * self.digit // 8

    @property
    def store_bytes(self) -> int:
        """Bytes that the store port moves per cycle: a word, or a beat where a word is more."""
        return min(BEAT_BYTES, self.word_bytes)

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

    def planes(self, bits: int) -> int:
        """Digits of an unsigned number of ``bits`` bits."""
        return -(-bits // self.digit)

    def as_dict(self) -> dict[str, Any]:
        """The content of ``engine.json``."""
        return {"schema": ENGINE_SCHEMA, "kind": "loopback", **asdict(self), "lanes": self.lanes}

    @staticmethod
    def from_dict(document: Any, name: str = "engine") -> Engine:
        """The engine in a document. Raises UsageError where it is none, or of another schema."""
        if not isinstance(document, dict) or document.get("kind") != "loopback":
            raise UsageError(f"'{shown(name)}' describes no loopback engine", remedy="Take the engine.json of a build")
        if document.get("schema") != ENGINE_SCHEMA:
            raise UsageError(
                f"'{shown(name)}' is of schema {shown(repr(document.get('schema')))}; this version reads schema {ENGINE_SCHEMA}",
                remedy="Build the engine anew with this version of flowc",
            )
        known = {f.name for f in fields(Engine)}
        missing = sorted(known - document.keys())
        strange = sorted(document.keys() - known - {"schema", "kind", "lanes"})
        if missing or strange:
            what = f"lacks '{missing[0]}'" if missing else f"holds the unknown key '{shown(strange[0])}'"
            raise UsageError(f"'{shown(name)}' {what}", remedy="Give engine.json of a build as flowc wrote it")
        return Engine(**{key: document[key] for key in known})

    @staticmethod
    def read(path: str | os.PathLike[str]) -> Engine:
        """The engine in a file. Raises UsageError where it can't be read or is none."""
        try:
            document = json.loads(Path(path).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise UsageError(
                f"the engine file '{shown(str(path))}' can't be read: {error}",
                remedy="Give engine.json of a build",
            ) from error
        return Engine.from_dict(document, str(path))

    def write(self, path: Path) -> None:
        """Writes ``engine.json``."""
        path.write_text(json.dumps(self.as_dict(), indent=1) + "\n", encoding="utf-8")
