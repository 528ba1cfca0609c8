"""Writes a dataflow graph as a SystemVerilog project: a rendered top level, the modules that it needs, and memory contents."""

from __future__ import annotations

import importlib.resources
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import wrap

from flowc.backends.render import commented, copied, render, write
from flowc.backends.rtl.bench import bench_files
from flowc.backends.rtl.instance import Bits, Instance, Value
from flowc.backends.rtl.wiring import Wire, plain, wires
from flowc.backends.rtl.writers import WRITERS
from flowc.interface.names import Names, name_design
from flowc.interface.weights import WeightPort, weight_ports
from flowc.units import InputPort, OutputPort, Unit
from flowc.units.graph import Dataflow, Stream

__all__ = ["generate"]


@dataclass(frozen=True)
class _Port:
    """A port of the accelerator: an AXI4-Stream."""

    name: str
    bytes: int
    is_input: bool
    about: str

    @property
    def last(self) -> bool:
        """Whether it has TLAST and TKEEP."""
        return not self.is_input


@dataclass(frozen=True)
class _Block:
    """An instance as text.

    Attributes:
        about: lines of comment.
        parameters: lines of ``.NAME(value)``.
        ports: lines of ``.name(wire)``.
    """

    module: str
    name: str
    about: Sequence[str]
    parameters: Sequence[str]
    ports: Sequence[str]


def generate(graph: Dataflow, out: Path, *, header: str, marks: bool = False) -> None:
    """Writes the SystemVerilog project of a dataflow graph.

    ``out`` gets ``<top>.sv``, ``lib/`` and ``units/`` with the modules, ``data/`` with the contents of memories, and ``files.f``,
    the list of sources in the order that tools want. The top module has the name and the ports of the HLS backend's IP.

    Args:
        graph: the design; streams without a depth get 2.
        out: folder to write into, made if missing. Files of an earlier design in it stay: give an empty one.
        header: what made the project from what; every file starts with it as a comment.
        marks: with the two ports that give the FIFOs' high-water marks.

    Raises:
        UsageError: ``out`` can't be written.
        InfeasibleError: weights that come over a port have words wider than the widest stream.
    """
    names = name_design(graph)
    instances = [WRITERS[u.kind](u.with_(name=names.layers[u.name])) for u in graph]
    modules = _modules(i.module for i in instances)
    text = _top(graph, names, instances, header, marks)
    top = f"{names.top}.sv"
    files = {top: text, "files.f": "\n".join([*modules, top]) + "\n"}
    files |= {name: copied(f"rtl/{name}", header, "//") for name in modules}
    files |= {m.file: m.text for i in instances for m in i.memories}
    files |= bench_files(graph, header)
    for name, content in files.items():
        write(out / name, content)


def _modules(units: Iterable[str]) -> list[str]:
    """Source files: the library, then the units that are used, with what they use."""
    folder = importlib.resources.files("flowc.templates").joinpath("rtl")
    library = sorted(p.name for p in folder.joinpath("lib").iterdir() if p.name.endswith(".sv"))
    return [f"lib/{name}" for name in library] + [f"units/flowc_{name}.sv" for name in sorted(set(units))]


def _top(graph: Dataflow, names: Names, instances: Sequence[Instance], header: str, marks: bool) -> str:
    streams = wires(graph)
    weights = {p.unit.name: p for p in weight_ports(graph)}
    ends: list[InputPort | OutputPort] = [*graph.inputs, *graph.outputs]
    ports = [_port(u, names) for u in ends]
    ports += [_Port(p.name, p.stream_bytes, True, f"weights of {p.unit.name}") for p in weights.values()]
    blocks = [
        _block(graph, unit, instance, streams, names, weights.get(unit.name))
        for unit, instance in zip(graph, instances, strict=True)
    ]
    return render(
        "rtl/top.sv.j2", heading=commented(header, "//"), name=names.top, ports=ports, wires=list(streams.values()),
        blocks=blocks, marks=marks,
    )  # fmt: skip


def _port(unit: InputPort | OutputPort, names: Names) -> _Port:
    frame = unit.frame
    about = f"{unit.simd} per beat of {frame.h} x {frame.w} x {frame.c} {frame.dtype}: {plain(unit.tensor)}"
    width = -(-unit.simd * frame.dtype.bits // 8)
    return _Port(names.ports[unit.name], width, isinstance(unit, InputPort), about)


def _block(
    graph: Dataflow,
    unit: Unit,
    instance: Instance,
    streams: Mapping[Stream, Wire],
    names: Names,
    port: WeightPort | None,
) -> _Block:
    ins = [streams[s].name for s in graph.into(unit.name)]
    outs = [streams[s].name for s in graph.out_of(unit.name)]
    connected = [".clk(ap_clk)", ".rst"]
    if isinstance(unit, InputPort):
        connected += _axis("in", names.ports[unit.name])
    else:
        connected += _bundle("in", [f"{n}_out" for n in ins])
    if instance.weights:
        connected += _weights(port)
    if isinstance(unit, OutputPort):
        name = names.ports[unit.name]
        connected += [*_axis("out", name), f".out_last({name}_TLAST)"]
    else:
        connected += _bundle("out", [f"{n}_in" for n in outs])
    origin = ", ".join(map(plain, unit.origin))
    about = [
        f"{instance.unit.name}: {unit.kind}, {unit.cycles} cycles per frame" + (f", from {origin}" if origin else "")
    ]
    parameters = [f".{name}({_literal(value)})" for name, value in instance.parameters.items()]
    return _Block(f"flowc_{instance.module}", f"u_{instance.unit.name}", about, _lines(parameters), _lines(connected))


def _bundle(side: str, bundles: Sequence[str]) -> list[str]:
    """Connections of a unit's port to one stream, or to several, the first in the least significant bits."""

    def joined(what: str) -> str:
        wires = [f"{b}_{what}" for b in reversed(bundles)]
        return wires[0] if len(wires) == 1 else "{" + ", ".join(wires) + "}"

    return [f".{side}_{what}({joined(what)})" for what in ("data", "valid", "ready")]


def _axis(side: str, name: str) -> list[str]:
    return [f".{side}_{what}({name}_T{what.upper()})" for what in ("data", "valid", "ready")]


def _weights(port: WeightPort | None) -> list[str]:
    if port is None:
        return [".weights_data('0)", ".weights_valid(1'b0)", ".weights_ready()"]
    bits = port.unit.weight_memory[1]
    return [
        f".weights_data({port.name}_TDATA[{bits - 1}:0])",
        f".weights_valid({port.name}_TVALID)",
        f".weights_ready({port.name}_TREADY)",
    ]


def _literal(value: Value) -> str:
    """A parameter's value in SystemVerilog."""
    if isinstance(value, bool):
        return f"1'b{int(value)}"
    if isinstance(value, Bits):
        mask = (1 << value.width) - 1
        numbers = [f"{value.width}'h{number & mask:x}" for number in reversed(value.numbers)]
        return numbers[0] if len(numbers) == 1 else "{" + ", ".join(numbers) + "}"
    if isinstance(value, str):
        return f'"{value}"'
    return str(value) if -(1 << 31) <= value < 1 << 31 else f"64'sh{value & ((1 << 64) - 1):x}"


def _lines(parts: Sequence[str]) -> list[str]:
    """Parts separated by commas, in lines of readable length."""
    text = ", ".join(part.replace(" ", "\0") for part in parts)
    return [line.replace("\0", " ") for line in wrap(text, 108, break_long_words=False, break_on_hyphens=False)]
