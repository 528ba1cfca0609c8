"""The test bench of a project: C++ for Verilator that drives the ports and watches every stream; and its vectors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from flowc.backends.render import commented, render
from flowc.backends.rtl.wiring import wires
from flowc.interface.names import name_design
from flowc.interface.packing import pack_rows, unpack_rows
from flowc.interface.weights import weight_ports
from flowc.model.dtypes import IntType
from flowc.units import Array, InputPort, OutputPort
from flowc.units.graph import Dataflow, Stream

__all__ = ["bench_files", "flowing", "read_results", "write_golden", "write_port_vectors"]


@dataclass(frozen=True)
class _Port:
    """A port of the accelerator as the bench sees it; ``stream`` is the number of the stream that an output port takes."""

    name: str
    bytes: int
    is_input: bool
    beats: int = 0
    stream: int = 0
    weights: bool = False
    repeats: bool = False


def bench_files(graph: Dataflow, header: str) -> dict[str, str]:
    """The bench's files, by name relative to the project's folder."""
    names = name_design(graph)
    streams = list(graph.streams)
    ports = [_Port(names.ports[u.name], _port_bytes(u), True) for u in graph.inputs]
    ports += [_Port(p.name, p.stream_bytes, True, weights=True, repeats=p.repeats) for p in weight_ports(graph)]
    ports += [
        _Port(names.ports[u.name], _port_bytes(u), False, u.cycles, streams.index(graph.into(u.name)[0]))
        for u in graph.outputs
    ]
    values = {"top": names.top, "wires": list(wires(graph).values()), "ports": ports}
    return {
        "sim/bench.cpp": render("rtl/sim/bench.cpp.j2", heading=commented(header, "//"), **values),
        "sim/public.vlt": render("rtl/sim/public.vlt.j2", **values),
    }


def _port_bytes(unit: InputPort | OutputPort) -> int:
    return -(-unit.simd * unit.frame.dtype.bits // 8)


def _words(values: Array, dtype: IntType, lanes: int) -> bytes:
    """Integers as beats of whole 32-bit words."""
    size = 4 * -(-lanes * dtype.bits // 32)
    return pack_rows(np.asarray(values).astype(np.int64).reshape(-1, lanes), dtype, size).tobytes()


def flowing(graph: Dataflow, inputs: Sequence[Array]) -> dict[Stream, Array]:
    """What flows on every stream: the emulation of the folded graph, unit by unit.

    Args:
        inputs: integers (N, H, W, C) per input port.

    Returns:
        Integers (N, H, W, C) per stream.
    """
    given: Mapping[str, Array] = dict(zip((u.name for u in graph.inputs), inputs, strict=True))
    values: dict[Stream, Array] = {}
    for unit in graph:
        if isinstance(unit, OutputPort):
            continue
        if isinstance(unit, InputPort):
            xs = [np.asarray(given[unit.name])]
        else:
            frames = zip(graph.into(unit.name), unit.inputs, strict=True)
            xs = [values[s].reshape(-1, *f.shape) for s, f in frames]
        results = unit.emulate(*xs)
        for stream in graph.out_of(unit.name):
            values[stream] = results[stream.src_port]
    return values


def write_port_vectors(folder: Path, graph: Dataflow, inputs: Sequence[Array], outputs: Sequence[Array] = ()) -> None:
    """Writes the beats of the ports, those of weights included, and what must pass to the output ports.

    Args:
        folder: made if missing.
        inputs, outputs: integers (N, H, W, C) per port.
    """
    names = name_design(graph)
    (folder / "streams").mkdir(parents=True, exist_ok=True)
    for unit, frames in zip(graph.inputs, inputs, strict=True):
        data = _words(frames, unit.frame.dtype, unit.simd)
        (folder / f"{names.ports[unit.name]}.bin").write_bytes(data)
    for port in weight_ports(graph):
        padded = np.pad(port.data, ((0, 0), (0, -port.data.shape[1] % 4)))
        (folder / f"{port.name}.bin").write_bytes(padded.tobytes())
    write_golden(folder, graph, {graph.into(u.name)[0]: y for u, y in zip(graph.outputs, outputs, strict=False)})


def write_golden(folder: Path, graph: Dataflow, values: Mapping[Stream, Array]) -> None:
    """Writes what must pass on streams: integers (N, H, W, C) of each."""
    found = wires(graph)
    for stream, frames in values.items():
        width = graph[stream.src].out_widths[stream.src_port]
        data = _words(frames, graph.frame(stream).dtype, width)
        (folder / "streams" / f"{found[stream].name}.bin").write_bytes(data)


def read_results(folder: Path, graph: Dataflow) -> dict[str, Array]:
    """What left the output ports: int64 (N, H, W, C) per port; frames that did not end are left out."""
    names = name_design(graph)
    results = {}
    for unit in graph.outputs:
        size = 4 * -(-unit.simd * unit.frame.dtype.bits // 32)
        data = np.frombuffer((folder / f"{names.ports[unit.name]}.bin").read_bytes(), np.uint8).reshape(-1, size)
        values = unpack_rows(data, unit.frame.dtype, unit.simd).reshape(-1)
        whole = values.size // unit.frame.elements
        results[unit.name] = values[: whole * unit.frame.elements].reshape(whole, *unit.frame.shape)
    return results
