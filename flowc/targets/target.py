"""What a target is: the figures of a board that decide what fits, how fast it may run and which files are written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["FAMILIES", "Target"]

FAMILIES = ("zynq-7000", "artix-7", "kintex-7", "zynq-ultrascale+", "kintex-ultrascale+", "virtex-ultrascale+")
"""Device families, as a target file names them. They decide the shapes of DSP slices and memories."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """One board. A figure that nobody states is None, never 0.

    Attributes:
        name: what ``--target`` calls it.
        description: the board in a few words.
        part: the device's ordering name as the vendor's tools take it.
        family: one of `FAMILIES`.
        lut: look-up tables with 6 inputs.
        lutram: how many of the look-up tables can be memory (64 bits each) or shift registers (32 bits each).
        ff: flip-flops.
        bram18: block RAMs of 18 kbit; a 36 kbit block counts as two.
        uram: UltraRAMs of 288 kbit.
        dsp: DSP slices.
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
    sources: Mapping[str, str] = field(default_factory=dict, hash=False, repr=False)

    @property
    def available(self) -> dict[str, int]:
        """The resources under the keys of ``report.json``: lut, ff, bram18, uram, dsp."""
        return {"lut": self.lut, "ff": self.ff, "bram18": self.bram18, "uram": self.uram, "dsp": self.dsp}

    @property
    def dsp_port(self) -> int:
        """Bits of the wide operand of a DSP slice: 25 on 7 series (DSP48E1), 27 on UltraScale (DSP48E2)."""
        return 27 if "ultrascale" in self.family else 25

    @property
    def has_processor(self) -> bool:
        """Whether the part holds the processor that runs the driver (Zynq); elsewhere the user feeds every stream."""
        return self.family.startswith("zynq")
