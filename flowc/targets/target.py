"""What a target is: the figures of a board that decide what fits, how fast it may run and which files are written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["FAMILIES", "LUTS_PER_LUT6", "PIN_ROLES", "WITHOUT_LUTRAM", "Target"]

FAMILIES = (
    "zynq-7000", "artix-7", "kintex-7", "zynq-ultrascale+", "kintex-ultrascale+", "virtex-ultrascale+", "ecp5", "ice40",
)  # fmt: skip
"""Device families, as a target file names them. They decide the shapes of DSP slices and memories."""

LUTS_PER_LUT6 = {"ecp5": 1.7, "ice40": 2.0}
"""Look-up tables with 4 inputs per one with 6, as yosys maps the same designs (docs/cost-model.md)."""

WITHOUT_LUTRAM = ("ice40",)
"""Families whose look-up tables can be no memories: small ones are registers there."""

PIN_ROLES = ("clock", "rx", "tx", "reset", "led", "high")
"""What a board's top level connects: crystal; serial line, from the host and to it; button; sign of life; pins that stay high."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """One board. A figure that nobody states is None, never 0.

    Attributes:
        name: what ``--target`` calls it.
        description: the board in a few words.
        part: the device's ordering name as the vendor's tools take it.
        family: one of `FAMILIES`.
        lut: look-up tables: with 6 inputs, on Lattice parts with 4.
        lutram: how many of the look-up tables can be memory (64 bits each) or shift registers (32 bits each).
        ff: flip-flops.
        bram18: block RAMs of 18 kbit; a 36 kbit block counts as two, six blocks of 4 kbit as one (they hold 512 x 36 bits).
        uram: UltraRAMs of 288 kbit.
        dsp: DSP slices, or multipliers of 18 (iCE40: 16) bits.
        clock_mhz: clock of a build that names none, in MHz.
        max_clock_mhz: ceiling of the part's global clock tree at this speed grade, in MHz. No design is promised to
            reach it.
        ddr_gbps: peak bandwidth of the external DRAM, in 10^9 bytes per second.
        ddr_efficiency: share of that peak that long bursts reach. 0.75, where a target says nothing: Manev, Vaishnav and Koch
            (FPT 2019) measured 0.75 on a ZCU102 and 0.925 on an Ultra96.
        ddr_bytes: size of the external DRAM, in bytes, all of it: an operating system takes its part.
        board_part: name of the board files in Vivado's board store.
        power_w: power budget of the board, in watts.
        made: whether the board is still made; None where that is not known.
        crystal_mhz: the clock that the board gives the part, in MHz; for boards that flowc writes a top level for.
        baud: bits per second of the serial line to the host; None: the board has none that flowc uses.
        pins: what the top level connects, by role (`PIN_ROLES`), to the part's pins; "!" before a pin: active low.
        sources: where figures come from: a key above (or several, separated by ", ") to the document.
    """

    name: str
    description: str
    part: str
    family: str
    lut: int
    ff: int
    bram18: int
    uram: int
    dsp: int
    clock_mhz: float
    max_clock_mhz: float
    lutram: int | None = None
    ddr_gbps: float | None = None
    ddr_efficiency: float = 0.75
    ddr_bytes: int | None = None
    board_part: str | None = None
    power_w: float | None = None
    made: bool | None = None
    crystal_mhz: float | None = None
    baud: int | None = None
    pins: Mapping[str, str] = field(default_factory=dict, hash=False)
    sources: Mapping[str, str] = field(default_factory=dict, hash=False, repr=False)

    @property
    def available(self) -> dict[str, int]:
        """The resources under the keys of ``report.json``: lut, ff, bram18, uram, dsp."""
        return {"lut": self.lut, "ff": self.ff, "bram18": self.bram18, "uram": self.uram, "dsp": self.dsp}

    @property
    def dsp_port(self) -> int:
        """Bits of the wide operand of a DSP slice: 25 on 7 series (DSP48E1), 27 on UltraScale (DSP48E2).

        0 on Lattice parts: their multipliers have no adders around them that products could be packed into.
        """
        return 0 if self.is_open else 27 if "ultrascale" in self.family else 25

    @property
    def read_cycles(self) -> int:
        """Cycles from the address of a block RAM to a comparison with its word: 1, or 2 with a register behind it.

        On Lattice parts a word comes so late that it needs one, 5.8 ns after the clock; on 7 series, 2.5 ns.
        """
        return 2 if self.is_open else 1

    @property
    def is_open(self) -> bool:
        """Whether open tools place and route the part: Lattice ECP5 and iCE40. It has no HLS tool, and flowc no Vivado scripts for it."""
        return self.family in LUTS_PER_LUT6

    @property
    def least_product(self) -> int:
        """Bits of a product from which on open tools put it into a multiplier: 11 on iCE40 (``DSP_Y_MINWIDTH`` of ``synth_ice40``)."""
        return 11 if self.family == "ice40" else 0

    @property
    def has_lutram(self) -> bool:
        """Whether look-up tables can be memories."""
        return self.family not in WITHOUT_LUTRAM

    @property
    def has_board(self) -> bool:
        """Whether flowc writes a top level for the target: it knows crystal, serial line and pins."""
        needed = {"clock", "rx", "tx"}
        return self.is_open and None not in (self.crystal_mhz, self.baud) and needed <= self.pins.keys()

    @property
    def outside(self) -> str:
        """What frames come from and go to, for people."""
        return "external memory" if self.baud is None else "serial line"

    @property
    def has_processor(self) -> bool:
        """Whether the part holds the processor that runs the driver (Zynq); elsewhere the user feeds every stream."""
        return self.family.startswith("zynq")
