"""Whether a folded dataflow graph is sound: divisors, stream widths, block orders, frames."""

from __future__ import annotations

from flowc.errors import UsageError
from flowc.units import Unit
from flowc.units.graph import Dataflow

__all__ = ["check", "faults"]


def check(graph: Dataflow) -> None:
    """Raises UsageError that lists every fault of ``graph``."""
    found = faults(graph)
    if found:
        raise UsageError(
            f"the folded graph '{graph.name}' is not sound: " + "; ".join(found),
            remedy="Leave out the folding file, or the entries of these units",
        )


def faults(graph: Dataflow, *, folded: bool = True) -> list[str]:
    """Every fault of ``graph``, in topological order; empty where it is sound.

    Args:
        folded: whether neighbours must have one width, as in hardware.
    """
    found = [f"{u.name} ({u.kind}): {text}" for u in graph for text in u.faults()]
    for s in graph.streams:
        src, dst = graph[s.src], graph[s.dst]
        where = f"stream {s.src} -> {s.dst}"
        left, right = graph.frame(s), dst.inputs[s.dst_port]
        if left.elements != right.elements or left.dtype != right.dtype:
            found.append(f"{where}: frames differ, {left.shape} {left.dtype} against {right.shape} {right.dtype}")
        wide_in, wide_out = src.out_widths[s.src_port], dst.in_widths[s.dst_port]
        if folded and wide_in != wide_out:
            found.append(f"{where}: {wide_in} elements per beat against {wide_out}; a width converter is missing")
        found += [f"{where}: {text}" for text in _order_faults(graph, s.src, dst)]
    return found


def _order_faults(graph: Dataflow, src: str, dst: Unit) -> list[str]:
    """The order of elements within a window must be the one that its reader expects."""
    at = graph[src]
    while at.is_width_converter:
        at = graph[graph.into(at.name)[0].src]
    return dst.order_faults(at) if at.is_window else []
