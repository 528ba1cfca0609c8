"""Removes sliding windows that cover the whole frame: their one position is the frame itself, in the order that it comes in.

Before (kernel 3 x 3 on a frame of 3 x 3 pixels)::

    conv5 -> conv6_window -> conv6

After::

    conv5 -> conv6

The last convolutions of small networks are like this. The unit behind must be a matrix unit of one group.
"""

from __future__ import annotations

from dataclasses import replace

from flowc.units import Mvtu, Unit, Window
from flowc.units.graph import Dataflow

__all__ = ["remove_whole_windows"]


def remove_whole_windows(graph: Dataflow) -> Dataflow:
    """``graph`` without such windows; `graph` itself if there are none."""
    readers: dict[str, Mvtu] = {}
    for unit in graph:
        if isinstance(unit, Window) and _covers(unit):
            (out,) = graph.out_of(unit.name)
            reader = graph[out.dst]
            if isinstance(reader, Mvtu) and reader.groups == 1:
                readers[unit.name] = reader
    if not readers:
        return graph
    channels = {reader.name: reader.mw // reader.taps for reader in readers.values()}
    units: list[Unit] = [
        u.with_(block=channels[n]) if n in channels else u for n, u in graph.units.items() if n not in readers
    ]
    streams = [
        replace(s, dst=readers[s.dst].name, dst_port=0) if s.dst in readers else s
        for s in graph.streams
        if s.src not in readers
    ]
    return Dataflow(graph.name, units, streams)


def _covers(window: Window) -> bool:
    return window.kernel == (window.frame.h, window.frame.w) and window.dilation == (1, 1) and window.kernel != (1, 1)
