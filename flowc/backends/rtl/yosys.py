"""Synthesis by yosys (the Python package pyosys): a process per run, cells counted as the device's resources.

Counts follow the vendors' user guides: UG474 and UG574 (look-up tables that a distributed RAM takes), TN1264 (ECP5).
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import re
import subprocess
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from flowc.backends.programs import run_python
from flowc.errors import FlowcError, UsageError

__all__ = [
    "FAMILIES",
    "WITHOUT_LUTRAM",
    "SynthesisError",
    "count",
    "mapping",
    "reading",
    "run",
    "statistics",
    "version",
]

FAMILIES = {
    "xcup": "synth_xilinx -family xcup -noiopad -flatten",
    "xc7": "synth_xilinx -family xc7 -noiopad -flatten",
    "ecp5": "synth_ecp5",
    "ice40": "synth_ice40 -device u",
}
"""Families that can be synthesized for, and yosys' command for each."""

WITHOUT_LUTRAM = (
    "setattr -unset ram_style a:ram_style=distributed",
    "setattr -unset ram_style -unset rom_style a:ram_style=logic",
)
"""For iCE40, which has no memories in look-up tables: what was meant for them becomes block RAM, or registers where it is small."""

_MEMORIES_APART = "setattr -mod -set keep_hierarchy 1 *flowc_rom$* *flowc_lutram$*"
"""Memories of constants stay modules of their own. Mapped with what stands around them, those in look-up tables take up to 4.6 tables
per bit and 64 words: the paths beside them are longer, so that yosys looks for area, and it shares pieces of the decoder that a table of
six inputs has for nothing. Weights and thresholds alike: a matrix unit of 512 x 512, 2 x 4, whose 512 thresholds lie in tables, takes 464
tables without this and 251 with it. So do memories of FIFOs in look-up tables, or yosys takes the register of the read address for the
memory's and makes it a second time: a bit of it costs a register and a table."""

_LUT6_2 = """
(* blackbox *) module LUT6_2 #(parameter [63:0] INIT = '0) (
    input I0, input I1, input I2, input I3, input I4, input I5, output O5, output O6);
endmodule
"""
_DSP48E2 = """
(* blackbox *) module DSP48E2 #(
    parameter A_INPUT = "", parameter B_INPUT = "", parameter AMULTSEL = "", parameter BMULTSEL = "", parameter PREADDINSEL = "",
    parameter USE_MULT = "", parameter USE_SIMD = "", parameter USE_PATTERN_DETECT = "", parameter USE_WIDEXOR = "",
    parameter AREG = 1, parameter ACASCREG = 1, parameter BREG = 1, parameter BCASCREG = 1, parameter CREG = 1,
    parameter DREG = 1, parameter ADREG = 1, parameter MREG = 1, parameter PREG = 1, parameter ALUMODEREG = 1,
    parameter CARRYINREG = 1, parameter CARRYINSELREG = 1, parameter INMODEREG = 1, parameter OPMODEREG = 1
) (
    input CLK, input [29:0] A, input [17:0] B, input [47:0] C, input [26:0] D, input [29:0] ACIN, input [17:0] BCIN,
    input [47:0] PCIN, input CARRYCASCIN, input MULTSIGNIN, input CARRYIN, input [2:0] CARRYINSEL, input [3:0] ALUMODE,
    input [4:0] INMODE, input [8:0] OPMODE, input CEA1, input CEA2, input CEB1, input CEB2, input CEC, input CED, input CEAD,
    input CEM, input CEP, input CEALUMODE, input CECARRYIN, input CECTRL, input CEINMODE, input RSTA, input RSTB, input RSTC,
    input RSTD, input RSTM, input RSTP, input RSTALLCARRYIN, input RSTALUMODE, input RSTCTRL, input RSTINMODE,
    output [47:0] P, output [47:0] PCOUT, output [29:0] ACOUT, output [17:0] BCOUT, output CARRYCASCOUT,
    output [3:0] CARRYOUT, output MULTSIGNOUT, output OVERFLOW, output UNDERFLOW, output PATTERNDETECT,
    output PATTERNBDETECT, output [7:0] XOROUT);
endmodule
"""
_PRIMITIVES = {"xcup": {"FLOWC_LUT6_2": _LUT6_2, "FLOWC_DSP48E2": _DSP48E2}, "xc7": {"FLOWC_LUT6_2": _LUT6_2}}
"""Per family the primitives that the modules ask for by name, and what makes them do so. Yosys infers slices of 7 series whole, with
their adders, registers and cascades; of UltraScale+ it infers the multiplier alone."""

_INSTALL = "Install it: pip install 'flowc[rtl]'"
_CHILD = """
import json, sys
from pyosys import libyosys
design = libyosys.Design()
for command in json.loads(sys.argv[1]):
    libyosys.run_pass(command, design)
"""
_RAM_LUTS = {
    "RAM32M": 4, "RAM32M16": 8, "RAM64M": 4, "RAM64M8": 8, "RAM32X1D": 2, "RAM64X1D": 2, "RAM128X1D": 4, "RAM256X1D": 8,
    "RAM32X1S": 1, "RAM64X1S": 1, "RAM128X1S": 2, "RAM256X1S": 4, "RAM512X1S": 8, "SRL16E": 1, "SRLC32E": 1, "SRL16": 1,
    "SRLC16E": 1,
}  # fmt: skip
"""Look-up tables of a slice that a memory or shift register takes."""


class SynthesisError(FlowcError):
    """Yosys refuses what flowc wrote: a bug of flowc, or a yosys that it was never tried with."""

    exit_code = 1


def version() -> str:
    """Version of the package pyosys.

    Raises:
        UsageError: it is not installed.
    """
    if importlib.util.find_spec("pyosys") is None:
        raise UsageError("synthesis needs yosys (the package pyosys), which was not found", remedy=_INSTALL)
    return importlib.metadata.version("pyosys")


def run(folder: Path, commands: Sequence[str], *, timeout: float, what: str) -> None:
    """Runs yosys commands in a process of its own, in ``folder``.

    Raises:
        UsageError: pyosys is not installed, or the run takes longer than ``timeout`` seconds.
        SynthesisError: a command fails; holds what yosys says.
    """
    version()
    try:
        done = run_python(_CHILD, [json.dumps(list(commands))], folder=folder, timeout=timeout)
    except subprocess.TimeoutExpired as error:
        raise UsageError(
            f"synthesis of {what} was stopped after {timeout:.0f} s", remedy="Fold it more, or give --timeout"
        ) from error
    if done.returncode != 0:
        lines = [line for line in (done.stdout + done.stderr).splitlines() if "ERROR" in line or "error:" in line]
        said = " | ".join(lines[:3]) or f"exit status {done.returncode}"
        raise SynthesisError(f"yosys rejects {what}: {said}", remedy="Please report this, with the model")


def reading(
    sources: Iterable[str],
    top: str,
    family: str,
    scratch: Path,
    parameters: Mapping[str, int] | None = None,
    *,
    apart: bool = False,
) -> str:
    """The command that reads SystemVerilog, with the primitives that the modules name.

    Args:
        sources: files, relative to the folder that yosys runs in.
        top: the module.
        family: one of `FAMILIES`.
        scratch: an existing folder for the primitives.
        parameters: of the module.
        apart: whether modules stay apart, for `mapping` to decide.
    """
    given = [f"-G {name}={value}" for name, value in (parameters or {}).items()]
    if apart:
        given.append("--keep-hierarchy")
    if named := _PRIMITIVES.get(family):
        stubs = scratch / "primitives.sv"
        stubs.write_text("".join(named.values()), encoding="utf-8")
        given += [*(f"-D {macro}" for macro in named), str(stubs)]
    if family == "ecp5":
        given.append("-D FLOWC_DSP18")
    return f"read_slang --top {top} {' '.join([*given, *sources])}"


def mapping(family: str, top: str, *, dsp: bool) -> list[str]:
    """The commands that make cells of what was read; arguments as of `statistics`."""
    command = f"{FAMILIES[family]} -top {top}"
    if family == "ice40":
        return [*WITHOUT_LUTRAM, command + (" -dsp" if dsp else "")]
    command += "" if dsp else " -nodsp"
    return [_MEMORIES_APART, command] if family in _PRIMITIVES else [command]


def statistics(
    folder: Path,
    sources: Iterable[str],
    top: str,
    family: str,
    *,
    dsp: bool,
    timeout: float,
    what: str,
    parameters: Mapping[str, int] | None = None,
) -> dict[str, int]:
    """Cells by type of a synthesized module.

    Args:
        folder: where the sources are.
        sources, top, family, parameters: as of `reading`.
        dsp: whether products may become DSP slices.
        timeout, what: as of `run`.
    """
    with tempfile.TemporaryDirectory(prefix="flowc-synth-") as scratch:
        out = Path(scratch) / "stat.json"
        read = reading(sources, top, family, Path(scratch), parameters, apart=family in _PRIMITIVES)
        commands = [read, *mapping(family, top, dsp=dsp), f"tee -q -o {out} stat -json"]
        run(folder, commands, timeout=timeout, what=what)
        cells: dict[str, int] = json.loads(out.read_text(encoding="utf-8"))["design"]["num_cells_by_type"]
    return cells


def count(cells: Mapping[str, int], family: str) -> dict[str, int]:
    """lut, ff, bram18 and dsp of cells by type.

    On ECP5: LUT4, flip-flops, 18 kbit EBR, 18 x 18 multipliers. On iCE40: LUT4, flip-flops, EBR (six of 4 kbit as one), multipliers.
    """

    def total(pattern: str, weight: int = 1) -> int:
        return weight * sum(n for cell, n in cells.items() if re.fullmatch(pattern, cell))

    if family == "ecp5":
        return {
            "lut": total("LUT4") + total("CCU2C", 2) + total("TRELLIS_DPR16X4", 4),
            "ff": total("TRELLIS_FF"),
            "bram18": total("DP16KD|PDPW16KD"),
            "dsp": total("MULT18X18D"),
        }
    if family == "ice40":
        return {
            "lut": total("SB_LUT4"),
            "ff": total("SB_DFF.*"),
            "bram18": -(-total("SB_RAM40_4K.*") // 6),
            "dsp": total("SB_MAC16"),
        }
    memories = sum(_RAM_LUTS.get(cell, 0) * n for cell, n in cells.items())
    return {
        "lut": total("LUT[1-6]|LUT6_2|INV") + memories,
        "ff": total("FD[A-Z]*"),
        "bram18": total("RAMB18E.") + total("RAMB36E.", 2),
        "dsp": total("DSP48E.*"),
    }
