"""Whether a folded dataflow graph is sound: divisors, stream widths, block orders, frames."""

from __future__ import annotations

from flowc.dataflow.allocate.layers import MAX_STREAM_BITS
from flowc.errors import UsageError
from flowc.units import (
    Activate,
    ArgMax,
    Concat,
    GlobalSum,
    Join,
    Mvtu,
    Pad,
    Permute,
    PixelPad,
    Pool,
    Split,
    Unit,
    Upsample,
    Vvtu,
    WidthConverter,
    Window,
)
from flowc.units.cost import packs
from flowc.units.graph import Dataflow

__all__ = ["check", "faults"]


def check(graph: Dataflow) -> None:
    """Raises UsageError that lists every fault of ``graph``."""
    found = faults(graph)
    if found:
        raise UsageError(f"the folded graph '{graph.name}' is not sound: " + "; ".join(found))


def faults(graph: Dataflow) -> list[str]:
    """Every fault of ``graph``, in topological order; empty where it is sound."""
    found = [f"{u.name} ({u.kind}): {text}" for u in graph for text in _unit_faults(u)]
    for s in graph.streams:
        src, dst = graph[s.src], graph[s.dst]
        where = f"stream {s.src} -> {s.dst}"
        left, right = graph.frame(s), dst.inputs[s.dst_port]
        if left.elements != right.elements or left.dtype != right.dtype:
            found.append(f"{where}: frames differ, {left.shape} {left.dtype} against {right.shape} {right.dtype}")
        wide_in, wide_out = src.out_widths[s.src_port], dst.in_widths[s.dst_port]
        if wide_in != wide_out:
            found.append(f"{where}: {wide_in} elements per beat against {wide_out}; a width converter is missing")
        found += [f"{where}: {text}" for text in _order_faults(graph, s.src, dst)]
    return found


def _divides(unit: Unit, key: str, whole: int, what: str) -> list[str]:
    value = getattr(unit, key)
    return [] if value >= 1 and whole % value == 0 else [f"{key} = {value} does not divide {what} = {whole}"]


def _style_faults(unit: Mvtu | Vvtu) -> list[str]:
    found = []
    if unit.multiplier == "packed" and not (isinstance(unit, Mvtu) and packs(unit.weight_type, unit.frame.dtype)):
        found.append(f"a DSP slice can't hold two products of {unit.weight_type} and {unit.frame.dtype}")
    if unit.pe >= 1 and unit.weights_arrive and unit.weight_memory[1] > MAX_STREAM_BITS:
        found.append(f"a stream can't bring {unit.weight_memory[1]} bits of weights per cycle")
    return found


def _unit_faults(unit: Unit) -> list[str]:
    if isinstance(unit, Mvtu):
        found = _divides(unit, "pe", unit.mh // unit.groups, "the outputs per group")
        found += _divides(unit, "simd", unit.mw, "the inputs per output") + _style_faults(unit)
        return found + _divides(unit, "block", unit.mw // unit.taps, "the channels per group")
    if isinstance(unit, Vvtu):
        return _divides(unit, "pe", unit.channels, "the channels") + _style_faults(unit)
    if isinstance(unit, Pool):
        return _divides(unit, "pe", unit.channels, "the channels")
    if isinstance(unit, Activate | GlobalSum | ArgMax):
        return _divides(unit, "pe", unit.frame.c, "the channels")
    if isinstance(unit, Join):
        return _divides(unit, "pe", unit.left.c, "the channels")
    if isinstance(unit, Window):
        found = _divides(unit, "block", unit.frame.c, "the channels") + _divides(unit, "simd", unit.block, "the block")
        if unit.parallel and unit.simd != unit.block:
            found.append(f"a parallel window has simd = block, not {unit.simd} and {unit.block}")
        return found
    if isinstance(unit, Concat):
        return [f for frame in unit.frames for f in _divides(unit, "simd", frame.c, "an input's channels")]
    if isinstance(unit, Split):
        parts = [*unit.starts, *unit.sizes, unit.frame.c]
        return [f for part in parts for f in _divides(unit, "simd", part, "a start, size or channel count")]
    if isinstance(unit, WidthConverter):
        found = _divides(unit, "wide_in", unit.frame.elements, "the frame's elements")
        return found + _divides(unit, "wide_out", unit.frame.elements, "the frame's elements")
    if isinstance(unit, Permute):
        return []
    whole, what = unit.inputs[0].c, "the channels"
    if not isinstance(unit, Pad | PixelPad | Upsample) and unit.kind in ("input", "output"):
        whole, what = unit.inputs[0].elements, "the frame's elements"
    return _divides(unit, "simd", whole, what)


def _order_faults(graph: Dataflow, src: str, dst: Unit) -> list[str]:
    """The order of elements within a window must be the one that its reader expects."""
    at = graph[src]
    while isinstance(at, WidthConverter):
        at = graph[graph.into(at.name)[0].src]
    if not isinstance(at, Window):
        return []
    if isinstance(dst, Mvtu) and dst.taps > 1 and dst.block != at.block:
        return [f"the window's block = {at.block}, the reader's {dst.block}"]
    if isinstance(dst, Vvtu | Pool) and dst.pe != at.block:
        return [f"the window's block = {at.block}, the reader's pe = {dst.pe}"]
    if isinstance(dst, Vvtu) and dst.parallel != at.parallel:
        return [f"the window's parallel = {at.parallel}, the reader's {dst.parallel}"]
    return []
