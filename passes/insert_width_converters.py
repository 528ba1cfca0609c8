"""Puts a width converter where a stream's two ends carry different numbers of elements per beat.

Before::

    conv1 (pe 16) ──16──> conv2_window (simd 8)

After::

    conv1 (pe 16) ──16──> conv2_window_width (16 -> 8) ──8──> conv2_window (simd 8)
"""

from __future__ import annotations

from collections.abc import Container

from flowc.units import Unit, WidthConverter
from flowc.units.graph import Dataflow, Stream

__all__ = ["insert_width_converters", "remove_width_converters"]


def insert_width_converters(graph: Dataflow) -> Dataflow:
    """``graph`` with converters on every stream that needs one; `graph` itself if none does."""
    added: dict[Stream, Unit] = {}
    taken = set(graph.units)
    for stream in graph.streams:
        wide_in = graph[stream.src].out_widths[stream.src_port]
        wide_out = graph[stream.dst].in_widths[stream.dst_port]
        if wide_in == wide_out:
            continue
        name = _free_name(taken, f"{stream.dst}_width" + (str(stream.dst_port) if stream.dst_port else ""))
        taken.add(name)
        reader = graph[stream.dst]
        added[stream] = WidthConverter(
            name=name, origin=reader.origin, overlap=reader.overlap, structure=reader.structure,
            frame=graph.frame(stream), wide_in=wide_in, wide_out=wide_out,
        )  # fmt: skip
    return graph.insert(added) if added else graph


def remove_width_converters(graph: Dataflow) -> Dataflow:
    """``graph`` without converters: the inverse, for folding anew."""
    drop = {u.name for u in graph if isinstance(u, WidthConverter)}
    if not drop:
        return graph
    streams = []
    for s in graph.streams:
        if s.src in drop:
            continue
        end = s
        while end.dst in drop:
            (end,) = graph.out_of(end.dst)
        streams.append(Stream(s.src, end.dst, s.src_port, end.dst_port, tensor=s.tensor))
    return Dataflow(graph.name, [u for n, u in graph.units.items() if n not in drop], streams)


def _free_name(taken: Container[str], name: str) -> str:
    candidate, n = name, 2
    while candidate in taken:
        candidate, n = f"{name}_{n}", n + 1
    return candidate
