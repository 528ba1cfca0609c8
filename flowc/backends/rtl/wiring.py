"""The wires of a design's streams, and text that is safe in comments."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import chain, count

from flowc.backends.rtl.instance import ram_style
from flowc.interface.names import identifier
from flowc.units.graph import Dataflow, Stream

__all__ = ["Wire", "plain", "wires"]

DEFAULT_DEPTH = 2  # of a stream that nothing has sized


@dataclass(frozen=True)
class Wire:
    """A stream between units: a bundle of wires into its FIFO (``<name>_in_*``) and one out of it (``<name>_out_*``)."""

    stream: Stream
    name: str
    bits: int
    depth: int
    style: str
    about: str


def wires(graph: Dataflow) -> dict[Stream, Wire]:
    """The wires of every stream of the graph."""
    found: dict[Stream, Wire] = {}
    taken: set[str] = set()
    for stream in graph.streams:
        src = graph[stream.src]
        frame, width = graph.frame(stream), src.out_widths[stream.src_port]
        bits, depth = width * frame.dtype.bits, stream.depth or DEFAULT_DEPTH
        port = f"_{stream.src_port}" if len(src.outputs) > 1 else ""
        base = re.sub("__+", "_", f"{identifier(stream.src)}{port}").rstrip("_")
        name = next(n for n in chain([base], (f"{base}_{i}" for i in count(2))) if n.lower() not in taken)
        taken.add(name.lower())
        style = "registers" if depth <= DEFAULT_DEPTH else ram_style(stream.memory or "auto", depth, bits)
        about = f"To {plain(stream.dst)}: {frame.h} x {frame.w} x {frame.c} {frame.dtype}, {width} per beat"
        if stream.tensor is not None:
            about += f"; {plain(stream.tensor)}"
        found[stream] = Wire(stream, name, bits, max(depth, DEFAULT_DEPTH), style, about)
    return found


def plain(text: str, limit: int = 400) -> str:
    """Arbitrary text, such as ONNX names, made safe inside a comment: one line of printable ASCII without backslashes."""
    safe = "".join(c if " " <= c <= "~" else "?" for c in " ".join(text.split())).replace("\\", "/")
    return safe if len(safe) <= limit else safe[: limit - 3] + "..."
