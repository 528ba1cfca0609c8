"""Vivado scripts around the accelerator: a whole system for boards with a processor, the IP alone for others."""

from __future__ import annotations

import functools
import hashlib
import importlib.resources
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from flowc.backends.hls.text import comment
from flowc.backends.render import commented, copied, render, write
from flowc.errors import InfeasibleError
from flowc.interface.memory import READERS_PER_GROUP, Bus, buses
from flowc.interface.names import name_design
from flowc.interface.weights import WeightPort, weight_ports
from flowc.interface.wire import DMA_LENGTH_BITS, DmaEngine, boundary
from flowc.targets import Target
from flowc.units.graph import Dataflow

__all__ = ["SYSTEM", "catalog", "common", "generate_vivado", "identity", "processor", "segments", "why_ip_only"]

SYSTEM = "flowc_system"
"""Name of the block design and of the project."""

_SEGMENT = 0x10000


@functools.cache
def catalog() -> dict[str, Any]:
    """The table of vendor names (``templates/vivado/catalog.toml``)."""
    return tomllib.loads(importlib.resources.files("flowc.templates").joinpath("vivado", "catalog.toml").read_text())


def generate_vivado(
    graph: Dataflow,
    out: Path,
    *,
    target: Target,
    clock_mhz: float,
    header: str,
    backend: str = "hls",
    status: bool = False,
    fifos: int = 0,
) -> None:
    """Writes the scripts that make a bitstream of the exported accelerator: ``build.tcl`` and what it sources, README.

    Boards with a Zynq-7000 or Zynq UltraScale+ processor and known board files get a complete system; every other
    target gets a script that implements the accelerator alone and says why.

    Args:
        graph: the accelerator; its ports become DMA engines, layers without weights in the bitstream get their readers.
        out: folder to write to; made if it is not there.
        target: the board.
        clock_mhz: clock of the accelerator, in MHz.
        header: what made the files from what, plain text of some lines; written at the top of each.
        backend: which one wrote the accelerator, in the folder of that name beside ``out``: it is the IP
            ``flowc:<backend>:<top>:1.0``. That of "hls" is exported by Vitis HLS, that of "rtl" is packaged by build.tcl.
        status: with the register block that counts what streams do, and resets the accelerator alone.
        fifos: how many FIFOs' high-water marks the accelerator gives it.

    Raises:
        InfeasibleError: the graph's ports are too many or too wide for the board's DMA engines.
        UsageError: a file can't be written.
    """
    ports, readers = boundary(graph), weight_ports(graph)
    names = name_design(graph)
    reason = why_ip_only(target)
    values = common(target, clock_mhz, header, reason, ip=f"flowc:{backend}:{names.top}:1.0") | {
        "graph": comment(graph.name),
        "rtl": backend == "rtl",
        "status": identity(header) if status else None,
        "fifos": fifos,
        "ports": ports,
        "readers": readers,
        "addresses": [],
    }
    if reason is not None:
        write(out / "build.tcl", render("vivado/ip_only.tcl.j2", **values))
    else:
        family = catalog()["family"][target.family]
        values["engines"] = engines = [engine for port in ports for engine in port.engines]
        values["shared"] = any(port.ways > 1 for port in ports)
        most = catalog()["ip"]["smartconnect"]["most_ports"]
        values["groups"] = groups = [
            readers[i : i + READERS_PER_GROUP] for i in range(0, len(readers), READERS_PER_GROUP)
        ]
        taken = 3 if status else 2
        if len(engines) + len(groups) > most - taken:
            raise InfeasibleError(
                f"the accelerator's streams want {len(engines)} DMA engines, {len(readers)} layers have weights in the external memory; "
                f"the block design has room for {most - taken} DMA engines, each {READERS_PER_GROUP} such layers taking the place of one",
                remedy="Merge inputs or outputs of the model by a Concat",
            )
        values["buses"] = shared = buses(graph, target.family)
        values |= processor(target, memory_ports=len(shared))
        values["seats"] = _seats(shared)
        values["length_bits"] = DMA_LENGTH_BITS
        values["addresses"] = _addresses(engines, readers, family["control_base"], status=status)
        values["masters"] = "the DMA engines' and readers'" if readers else "the DMA engines'"
        modules = [*catalog()["module"], *(catalog()["shared"] if values["shared"] else ())]
        values["modules"] = [*modules, *(catalog()["status"] if status else ())]
        write(out / "build.tcl", render("vivado/build.tcl.j2", **values))
        write(out / "system.tcl", render("vivado/system.tcl.j2", **values))
        for module in values["modules"]:
            write(out / f"{module}.v", copied(f"vivado/{module}.v", header, "//"))
    write(out / "README.md", render("vivado/README.md.j2", **values))


def common(target: Target, clock_mhz: float, header: str, reason: str | None, *, ip: str) -> dict[str, Any]:
    """What the templates of all scripts want.

    Args:
        reason: why there is no complete system; None if there is one.
        ip: name of the accelerator's IP, vendor:library:name:version.
    """
    return {
        "heading": commented(header, "#"),
        "target": target.description,
        "version": catalog()["vivado"]["version"],
        "system": SYSTEM,
        "part": target.part,
        "board_part": target.board_part,
        "accelerator": ip,
        "clock_mhz": f"{clock_mhz:g}",
        "period_ns": f"{1000 / clock_mhz:.3f}",
        "ip_only": reason is not None,
        "reason": reason,
        "note": f"**IP only:** {reason}" if reason else f"Block design and bitstream scripts for part `{target.part}`.",
    }


def processor(target: Target, *, memory_ports: int) -> dict[str, Any]:
    """What templates want of a target's processor: its names, those of all IPs, and the memory ports in use, the first ones."""
    family = catalog()["family"][target.family]
    return {
        "family": {**family, "rule": catalog()["ip"][family["processor"]]["rule"]},
        "ip": {name: _vlnv(name) for name in catalog()["ip"]} | {"processor": _vlnv(family["processor"])},
        "memory": family["memory"][:memory_ports],
    }


def segments(names: Sequence[str], base: int) -> list[tuple[str, str]]:
    """(address, segment) of register blocks, from `base` on, 64 KiB each."""
    return [(f"0x{base + i * _SEGMENT:08X}", name) for i, name in enumerate(names)]


def identity(header: str) -> tuple[int, int]:
    """Two numbers of 31 bits that tell a build from others: registers of its bitstream, and in its driver."""
    digest = hashlib.sha256(header.encode()).digest()
    low, high = (int.from_bytes(digest[i : i + 4], "little") & 0x7FFFFFFF for i in (0, 4))
    return low, high


def _vlnv(name: str) -> str:
    """The name of an IP as create_bd_cell takes it."""
    entry = catalog()["ip"][name]
    return str(entry["vlnv"].rpartition(":")[0] if entry.get("any_version") else entry["vlnv"])


def why_ip_only(target: Target) -> str | None:
    """Why `target` gets no complete system, and so no bitstream; None if it gets one."""
    if target.family not in catalog()["family"]:
        if target.part in catalog()["platform"]:
            return "a card is reached through XRT kernels: ../alveo compiles and links them."
        return f"parts of the family {target.family} have no processor; connect the streams in a design of your own."
    if target.board_part is None:
        return "the target names no board_part, and the processor's DRAM is set up by the board files."
    return None


def _seats(shared: list[Bus]) -> dict[str | int, str]:
    """Where each stream (by name) and each group of readers (by number) is plugged into the memory buses."""
    seats: dict[str | int, str] = {}
    for number, bus in enumerate(shared):
        users: list[str | int] = [*(engine.name for engine in bus.engines), *bus.groups]
        seats |= {user: f"memory{number}/S{place:02d}_AXI" for place, user in enumerate(users)}
    return seats


def _addresses(
    engines: list[DmaEngine], readers: list[WeightPort], base: int, *, status: bool
) -> list[tuple[str, str]]:
    """(address, segment) of every register block."""
    names = ["frames/S_AXI/Reg", "interrupts/S_AXI/Reg", *(f"dma_{e.name}/S_AXI_LITE/Reg" for e in engines)]
    names += [f"{reader.reader}/s_axi_control/Reg" for reader in readers]
    return segments(names + (["status/s_axi/reg0"] if status else []), base)
