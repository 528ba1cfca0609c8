"""What ports are called: ``in_<model input>``, ``out_<model output>``, whatever the integer tensors in between are called.

Between the model's input ``x`` and the accelerator's first integers lies at least a quantizer, whose result an exporter calls
``Quant_0_out0``. The user knows ``x``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

import onnx_ir as ir

from flowc.streamline.partition import Partition
from flowc.units.names import legal

__all__ = ["port_hint", "port_hints"]


def port_hints(graph: ir.Graph, parts: Partition) -> dict[ir.Value, str]:
    """A name for the port of each entry and exit: after the model's input that it is made from, or the output made from it.

    Of several, one that belongs to no other port is taken, else the first. Names need not be apart yet.
    """
    inner = set(parts.nodes)

    def made_from(value: ir.Value) -> list[ir.Value]:
        node = value.producer()
        return [] if node is None else [v for v in node.inputs if v is not None]

    def made_into(value: ir.Value) -> list[ir.Value]:
        return [v for use in value.uses() if use.node not in inner for v in use.node.outputs]

    ins = _named(parts.entries, list(graph.inputs), made_from)
    outs = _named(parts.exits, list(graph.outputs), made_into)
    return {v: port_hint("in", n) for v, n in ins.items()} | {v: port_hint("out", n) for v, n in outs.items()}


def port_hint(kind: str, name: str) -> str:
    """``in_x`` for ("in", "x"); something behind the underscore even where no letter of the name is one of hardware's."""
    hint = f"{kind}_{name}"
    return hint if legal(hint) != kind else f"{kind}_{legal(name, 'tensor')}"


def _named(
    ports: Iterable[ir.Value], ends: Sequence[ir.Value], onward: Callable[[ir.Value], list[ir.Value]]
) -> dict[ir.Value, str]:
    reached = {port: [end for end in ends if end in found] for port in ports for found in [_reach(port, onward)]}
    shared = Counter(end for found in reached.values() for end in found)
    return {
        port: (min(found, key=lambda end: shared[end] > 1) if found else port).name or ""
        for port, found in reached.items()
    }


def _reach(value: ir.Value, onward: Callable[[ir.Value], list[ir.Value]]) -> set[ir.Value]:
    """Everything that lies behind a value, itself included."""
    seen = {value}
    waiting = [value]
    while waiting:
        for other in onward(waiting.pop()):
            if other not in seen:
                seen.add(other)
                waiting.append(other)
    return seen
