"""Vivado scripts around a loopback engine: processor, engine, memory ports; the engine alone where there is no processor.

They are made of the same templates as those around a dataflow accelerator, `flowc.backends.vivado`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from flowc.backends.render import render, write
from flowc.backends.vivado import catalog, common, processor, segments, why_ip_only
from flowc.loopback.engine import BEAT_BYTES, Engine
from flowc.loopback.registers import BUNDLES, CELL, REGISTERS, TOP
from flowc.targets import Target

__all__ = ["generate_engine_vivado", "why_engine_only"]

_REGISTERS = "s_axi_control"
"""Interface of the registers: Vitis HLS calls the bundle "control" where no pragma names one (UG1399)."""
_WHAT = {"table": "commands, read", "weights": "weights, read", "acts": "activations, read", "results": "results, written"}  # fmt: skip


def generate_engine_vivado(engine: Engine, out: Path, *, target: Target, header: str) -> None:
    """Writes the scripts that make a bitstream of an engine: ``build.tcl`` and what it sources, README.

    Boards with a Zynq-7000 or Zynq UltraScale+ processor and known board files get a complete system; every other
    target gets a script that implements the engine alone and says why.

    Args:
        engine: exported by ``vitis_hls.tcl`` in the folder "hls" beside ``out``, as the IP ``flowc:hls:<TOP>:1.0``.
        out: folder to write to; made if it is not there.
        target: the board.
        header: what made the files from what, plain text of some lines; written at the top of each.

    Raises:
        UsageError: a file can't be written.
    """
    reason = why_engine_only(target)
    bits = {name: 8 * (engine.store_bytes if name == "results" else BEAT_BYTES) for name in BUNDLES}
    ports: list[dict[str, Any]] = [
        {"interface": f"m_axi_{bundle}", "what": _WHAT[name], "bits": bits[name]} for name, bundle in BUNDLES.items()
    ]
    values = common(target, engine.clock_mhz, header, reason, ip=f"flowc:hls:{TOP}:1.0") | {
        "rtl": False,
        "readers": [],
        "cell": CELL,
        "registers": _REGISTERS,
        "offsets": REGISTERS,
        "ports": ports,
    }
    if reason is not None:
        write(out / "build.tcl", render("vivado/ip_only.tcl.j2", **values))
    else:
        values |= processor(target, memory_ports=len(ports)) | {"modules": [], "masters": "the engine's"}
        family = values["family"]
        for port, memory in zip(ports, values["memory"], strict=True):
            port["memory"] = memory["interface"]
        values["narrow"] = family["memory_bits"] < 8 * BEAT_BYTES
        values["addresses"] = segments([f"{CELL}/{_REGISTERS}/Reg", "interrupts/S_AXI/Reg"], family["control_base"])
        write(out / "build.tcl", render("vivado/build.tcl.j2", **values))
        write(out / "system.tcl", render("vivado/engine_system.tcl.j2", **values))
    write(out / "README.md", render("vivado/engine_README.md.j2", **values))


def why_engine_only(target: Target) -> str | None:
    """Why `target` gets no complete system around an engine, and so no bitstream; None if it gets one."""
    if target.part in catalog()["platform"]:
        return "a card is reached through XRT kernels, which flowc writes around dataflow designs only."
    if target.family not in catalog()["family"]:
        return (
            f"parts of the family {target.family} have no processor; connect the engine's memory ports and registers in a design "
            "of your own."
        )
    return why_ip_only(target)
