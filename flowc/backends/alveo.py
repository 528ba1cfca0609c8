"""XRT kernels for Alveo cards: movers between the card's memory and the accelerator's streams, and what links them.

The accelerator itself is a kernel without a host interface (``ap_ctrl_none``), in whatever language it was written. A mover has an AXI
master and the block protocol ``ap_ctrl_chain``; one call moves a batch of frames.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from flowc.backends.hls.split import split_large
from flowc.backends.hls.text import comment
from flowc.backends.render import commented, copied, render, write
from flowc.backends.vivado import catalog
from flowc.interface.names import name_design
from flowc.interface.weights import WeightPort, weight_ports
from flowc.interface.wire import HostPort, boundary
from flowc.targets import Target
from flowc.units.graph import Dataflow
from flowc.units.names import short

__all__ = ["Mover", "generate_alveo", "movers", "platform"]

_WORD = 64
"""Bytes that a mover reads or writes in a cycle: 512 bits, the widest master of the cards' memory ports."""


class Mover(NamedTuple):
    """A kernel that moves one stream.

    Attributes:
        kernel: its name.
        port: the accelerator's port.
        is_load: from memory to the accelerator, else back.
        stream_bytes, memory_bytes: of a beat.
        beats: of a frame; of weights: all words.
        scalar: its second argument: "frames", or "times" that weights are sent.
        per_frame: how often weights are sent for a frame; None for frames, 0 for weights that are sent once.
        about: what it moves.
    """

    kernel: str
    port: str
    is_load: bool
    stream_bytes: int
    memory_bytes: int
    beats: int
    scalar: str
    per_frame: int | None
    about: str

    @property
    def end(self) -> str:
        """Its stream argument."""
        return (
            "beats_out" if self.is_load else "beats_in"
        )  # plain "in" and "out" are VHDL words, which Vitis HLS renames

    @property
    def log_beat(self) -> int:
        """Logarithm of the bytes of a beat in memory."""
        return self.memory_bytes.bit_length() - 1

    @property
    def log_word(self) -> int:
        """Logarithm of the bytes of a word."""
        return _WORD.bit_length() - 1

    @property
    def scalar_about(self) -> str:
        """What the second argument counts, for people."""
        if self.per_frame is None:
            return "frames of the batch"
        return f"{self.per_frame} per frame" if self.per_frame else "1, once after programming"


def platform(target: Target) -> dict[str, Any] | None:
    """What the catalogue knows of the platform of a card; None where the target is none."""
    found: dict[str, Any] | None = catalog()["platform"].get(target.part)
    return found


def movers(graph: Dataflow) -> list[Mover]:
    """Inputs, weights that arrive, outputs.

    Raises:
        InfeasibleError: a stream is too wide.
    """
    top = name_design(graph).top
    ports = boundary(graph)
    loads = [_of_port(p, top) for p in ports if p.is_input] + [_of_weights(p, top) for p in weight_ports(graph)]
    return loads + [_of_port(p, top) for p in ports if not p.is_input]


def _of_port(port: HostPort, top: str) -> Mover:
    kernel = _apart(f"{'load' if port.is_input else 'store'}_{port.name}", top)
    about = f"{port.per_beat} x {port.dtype}, {port.beats} beats per frame,"
    return Mover(
        kernel, port.name, port.is_input, port.stream_bytes, port.memory_bytes, port.beats, "frames", None, about
    )


def _of_weights(port: WeightPort, top: str) -> Mover:
    about = f"{port.words} words of {port.per_word} x {port.dtype} weights"
    often = port.positions if port.repeats else 0
    kernel = _apart(f"load_{port.name}", top)
    return Mover(kernel, port.name, True, port.stream_bytes, port.memory_bytes, port.words, "times", often, about)


def _apart(kernel: str, top: str) -> str:
    name = short(kernel)
    return f"{name}_2" if name.lower() == top.lower() else name


def generate_alveo(graph: Dataflow, out: Path, *, target: Target, clock_mhz: float, header: str, backend: str) -> None:
    """Writes the movers, and what compiles and links all kernels.

    Args:
        graph: the accelerator.
        out: folder to write to; made if it is not there.
        target: the card.
        clock_mhz: clock of the kernels, in MHz.
        header: what made the files from what.
        backend: which one wrote the accelerator, in the folder of that name beside ``out``.

    Raises:
        InfeasibleError: a stream is too wide.
        UsageError: a file can't be written.
    """
    card = platform(target)
    assert card is not None, "generate_alveo is for cards"
    kernels, names = movers(graph), name_design(graph)
    values: dict[str, Any] = {
        "graph": comment(graph.name),
        "target": target.description,
        "part": comment(target.part),
        "top": names.top,
        "movers": kernels,
        "word": _WORD,
        "platform": card["name"],
        "memories": card["memories"],
        "clock_mhz": f"{clock_mhz:g}",
        "backend": backend,
    }
    heading = commented(header, "#")
    for mover in kernels:
        text = render("alveo/kernel.cpp.j2", heading=commented(header, "//"), mover=mover, word=_WORD)
        write(out / "kernels" / f"{mover.kernel}.cpp", text)
    write(out / "flowc" / "mover.hpp", copied("alveo/mover.hpp", header, "//"))
    write(out / "flowc" / "ap.hpp", copied("hls/flowc/ap.hpp", header, "//"))
    scripts = ["link.cfg", "report.tcl", *(["package_xo.tcl"] if backend == "rtl" else [])]
    for name in scripts:
        write(out / name, render(f"alveo/{name}.j2", heading=heading, **values))
    write(out / "README.md", render("alveo/README.md.j2", **values))
    if backend == "hls":
        parts = split_large(graph)
        ends = [*names.ports.values(), *names.weights.values()]
        values |= {"layers": list(name_design(parts).layers.values()), "arguments": ends}
        write(out / "csim.cpp", render("alveo/csim.cpp.j2", heading=commented(header, "//"), **values))
    flags = "-std=c++14 -O2 -Wall -Wextra -Wno-unknown-pragmas -Wno-uninitialized -Wno-maybe-uninitialized"
    write(out / "Makefile", render("alveo/Makefile.j2", heading=heading, flags=flags, **values))
