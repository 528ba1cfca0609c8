"""Writes a dataflow graph as a self-contained HLS C++ project."""

from __future__ import annotations

import importlib.resources
from itertools import chain, count
from pathlib import Path
from typing import Any, NamedTuple

from flowc import progress
from flowc.backends.hls.alone import unit_files
from flowc.backends.hls.caps import exceeded
from flowc.backends.hls.layer import Layer, word
from flowc.backends.hls.readers import reader_files
from flowc.backends.hls.split import split_large
from flowc.backends.hls.text import comment
from flowc.backends.hls.writers import WRITERS
from flowc.backends.hls.writers.port import port_bytes
from flowc.backends.render import commented, copied, render, write
from flowc.errors import InfeasibleError, UnsupportedError
from flowc.interface.names import Names, identifier, name_design
from flowc.interface.weights import WeightPort, weight_ports
from flowc.units import InputPort, OutputPort, Unit
from flowc.units.graph import Dataflow, Stream

__all__ = ["generate"]

FLAGS = "-std=c++14 -O2 -march=native -Wall -Wextra -Wno-unknown-pragmas -Wno-uninitialized -Wno-maybe-uninitialized"
"""g++ options of the C simulation; the last two because the default constructor of ap_int reads its own value."""

_DEFAULT_DEPTH = 2  # of a stream that nothing has sized: what Vitis HLS takes itself
_COMMON_EFFORT = 8  # of compiling top level and test bench, in layers


class _Wire(NamedTuple):
    """A stream between units as C++."""

    name: str
    bits: int
    depth: int
    memory: str | None
    about: str

    @property
    def type(self) -> str:
        return word(self.bits)


class _Port(NamedTuple):
    """A port of the accelerator as C++."""

    name: str
    bytes: int
    beats: int
    is_input: bool
    about: str
    weights: WeightPort | None = None

    @property
    def times(self) -> str:
        """How often its beats come, for people."""
        if self.weights is None:
            return "per frame"
        return f"per position, {self.weights.positions} per frame" if self.weights.repeats else "once, after reset"


def generate(graph: Dataflow, out: Path, *, part: str, clock_mhz: float, header: str) -> None:
    """Writes the HLS C++ project of a dataflow graph.

    Args:
        graph: the design; streams without a depth get 2.
        out: folder to write into, made if missing. Files of an earlier design in it stay: give an empty one.
        part: full device name, for the Vitis HLS script.
        clock_mhz: clock wanted from synthesis.
        header: what made the project from what; every file starts with it as a comment.

    Raises:
        UsageError: ``out`` can't be written.
        UnsupportedError: the graph has units that this backend doesn't know.
        InfeasibleError: a unit is beyond a cap of `flowc.backends.hls.caps`.
    """
    unknown = [
        (", ".join(u.origin) or u.name, u.kind, "no HLS C++ for this unit") for u in graph if u.kind not in WRITERS
    ]
    if unknown:
        raise UnsupportedError(unknown, remedy="register a writer for it (flowc.backends.hls.writers)")
    parts = split_large(graph)
    beyond = exceeded(parts)
    if beyond:
        raise InfeasibleError(
            f"Vitis HLS can't take this folding: {'; '.join(map(str, beyond))}",
            remedy="Fold these layers more (smaller PE or SIMD)",
        )
    project = _Project(parts, header)
    layers = project.layers
    files = {
        "top.hpp": project.render("top.hpp", signature=project.top_signature),
        "top.cpp": project.top(),
        "layers.hpp": project.render("layers.hpp", signatures=[*project.signatures.values()]),
        "testbench.cpp": project.render("testbench.cpp", ports=project.ports, top=project.name),
        "README.md": project.render(
            "README.md", top=project.name, part=comment(part), clock_mhz=f"{clock_mhz:g}", ports=project.ports
        ),
        **project.layer_files(),
        **reader_files(project.graph, project.header),
        **project.simulation(),
    }
    sources = [f"layers/{layer.name}.cpp" for layer in layers]
    device = {"part": comment(part), "period": f"{1000 / clock_mhz:.4g}"}
    files["vitis_hls.tcl"] = project.render(
        "vitis_hls.tcl", top=project.name, files=sources, **device,
        readers=[p.reader for p in project.weights],
    )  # fmt: skip
    files |= unit_files(project.signatures, project.header, **device)
    for name, text in files.items():
        write(out / name, text)


def _wires(graph: Dataflow, names: Names) -> dict[Stream, _Wire]:
    """The C++ stream of every stream of the graph."""
    wires: dict[Stream, _Wire] = {}
    taken = set(names.arguments)
    for stream in graph.streams:
        src, dst = graph[stream.src], graph[stream.dst]
        bits = src.out_widths[stream.src_port] * src.outputs[stream.src_port].dtype.bits
        base = f"{identifier(src.name)}_to_{identifier(dst.name)}"
        name = next(n for n in chain([base], (f"{base}_{i}" for i in count(2))) if n.lower() not in taken)
        taken.add(name.lower())
        frame = graph.frame(stream)
        about = f"{frame.h} x {frame.w} x {frame.c} {frame.dtype}, {src.out_widths[stream.src_port]} per beat"
        if stream.tensor is not None:
            about += f": {comment(stream.tensor)}"
        wires[stream] = _Wire(name, bits, stream.depth or _DEFAULT_DEPTH, stream.memory, about)
    return wires


class _Project:
    """The files of one project."""

    def __init__(self, graph: Dataflow, header: str) -> None:
        self.graph = graph
        self.names = name_design(graph)
        self.layers = [WRITERS[unit.kind](unit.with_(name=self.names.layers[unit.name])) for unit in graph]
        self.weights = weight_ports(graph)
        self.wires = _wires(graph, self.names)
        self.header = "\n".join(comment(line) for line in header.splitlines())
        self.name = self.names.top
        ports: list[InputPort | OutputPort] = [*graph.inputs, *graph.outputs]
        self.ports = [*(self._port(u) for u in ports), *(_weight_port(w) for w in self.weights)]
        self.signatures = {layer.name: self._signature(layer) for layer in self.layers}
        self.top_signature = f"void {self.name}({', '.join(f'{_axis(p.bytes)} {p.name}' for p in self.ports)})"

    def _port(self, unit: InputPort | OutputPort) -> _Port:
        frame = unit.frame
        about = f"{unit.simd} per beat of {frame.h} x {frame.w} x {frame.c} {frame.dtype}"
        name = self.names.ports[unit.name]
        return _Port(name, port_bytes(unit), unit.cycles, isinstance(unit, InputPort), about)

    def render(self, name: str, **values: Any) -> str:
        mark = {"README.md": "", "vitis_hls.tcl": "#", "Makefile": "#"}.get(name, "//")
        heading = commented(self.header, mark) if mark else ""
        return render(f"hls/project/{name}.j2", heading=heading, **values)

    # -- functions --------------------------------------------------------------------------------------------------

    @staticmethod
    def _names(kind: str, count: int) -> list[str]:
        return [kind] if count == 1 else [f"{kind}{i}" for i in range(count)]

    def _signature(self, layer: Layer) -> str:
        """Declaration of a layer's function."""
        unit = layer.unit
        ins = [
            f"{_stream(w * f.dtype.bits)} {n}"
            for n, w, f in zip(self._names("in", len(unit.inputs)), unit.in_widths, unit.inputs, strict=True)
        ]
        outs = [
            f"{_stream(w * f.dtype.bits)} {n}"
            for n, w, f in zip(self._names("out", len(unit.outputs)), unit.out_widths, unit.outputs, strict=True)
        ]
        if isinstance(unit, InputPort):
            ins = [f"{_axis(port_bytes(unit))} in"]
        if isinstance(unit, OutputPort):
            outs = [f"{_axis(port_bytes(unit))} out"]
        outs += [
            f"{_axis(w.stream_bytes)} weights" for w in self.weights if self.names.layers[w.unit.name] == layer.name
        ]
        return f"void {layer.name}({', '.join(ins + outs)})"

    def arguments(self, unit: Unit) -> list[str]:
        """The streams that a layer's function is called with: inputs, outputs, weights."""
        ins = [self.wires[s].name for s in self.graph.into(unit.name)]
        outs = [self.wires[s].name for s in self.graph.out_of(unit.name)]
        if isinstance(unit, InputPort):
            ins = [self.names.ports[unit.name]]
        if isinstance(unit, OutputPort):
            outs = [self.names.ports[unit.name]]
        return ins + outs + [w for name, w in self.names.weights.items() if name == unit.name]

    @property
    def calls(self) -> list[str]:
        """The calls of all layers, in topological order."""
        return [
            f"{layer.name}({', '.join(self.arguments(unit))})"
            for layer, unit in zip(self.layers, self.graph, strict=True)
        ]

    def top(self) -> str:
        ports, streams = [p.name for p in self.ports], list(self.wires.values())
        return self.render("top.cpp", signature=self.top_signature, ports=ports, streams=streams, calls=self.calls)

    # -- files ------------------------------------------------------------------------------------------------------

    def layer_files(self) -> dict[str, str]:
        """One source per layer, one header per layer with parameters, and the unit headers they need."""
        files: dict[str, str] = {}
        heading = commented(self.header, "//")
        for layer in self.layers:
            unit = layer.unit
            progress.at(unit.name)
            origin = comment(", ".join(unit.origin)) if unit.origin else "no ONNX node of its own"
            files[f"layers/{layer.name}.cpp"] = render(
                f"hls/units/{layer.template}",
                layer=layer,
                heading=heading,
                origin=origin,
                shapes=_shapes(unit),
                signature=self.signatures[layer.name],
                ins=self._names("in", len(unit.inputs)),
                outs=self._names("out", len(unit.outputs)),
                bits_in=[w * f.dtype.bits for w, f in zip(unit.in_widths, unit.inputs, strict=True)],
                **layer.values,
            )
            if layer.constants:
                files[f"params/{layer.name}.hpp"] = self.render("params.hpp", layer=layer, origin=origin)
        library = importlib.resources.files("flowc.templates").joinpath("hls", "flowc")
        for path in sorted(p.name for p in library.iterdir() if p.name.endswith(".hpp")):
            files[f"flowc/{path}"] = copied(f"hls/flowc/{path}", self.header, "//")
        return files

    def simulation(self) -> dict[str, str]:
        """What only the C simulation needs: parts that compile several sources at once, threads, the Makefile."""
        groups = _parts([f"layers/{layer.name}.cpp" for layer in self.layers])
        parts = len(groups)
        files = {
            f"sim/part{i}.cpp": self.render("part.cpp", part=i + 1, parts=parts, files=group)
            for i, group in enumerate(groups)
        }
        ports = ", ".join(f"{_axis(p.bytes)} {p.name}" for p in self.ports)
        signature = f"void run_threads(std::size_t frames, {ports})"
        files["sim/threads.hpp"] = self.render("threads.hpp", signature=signature)
        files["sim/threads.cpp"] = self.render(
            "threads.cpp", signature=signature, streams=list(self.wires.values()), calls=self.calls
        )
        files["sim/bounded/hls_stream.h"] = copied("hls/sim/hls_stream.h", self.header, "//")
        files["Makefile"] = self.render("Makefile", flags=FLAGS, parts=parts)
        return files


def _parts(layers: list[str]) -> list[list[str]]:
    """The sources of the C simulation in two parts of about equal effort, or in one if there are few."""
    common = ["top.cpp", "sim/threads.cpp", "testbench.cpp"]
    if len(layers) < 2 * _COMMON_EFFORT:
        return [[*common, *layers]]
    alone = layers[: (len(layers) + _COMMON_EFFORT) // 2]
    return [[*common, *layers[len(alone) :]], alone]


def _weight_port(port: WeightPort) -> _Port:
    about = f"{port.per_word} {port.dtype} weights of {port.unit.name}"
    return _Port(port.name, port.stream_bytes, port.words, True, about, port)


def _axis(count: int) -> str:
    return f"hls::stream<flowc::Axis<{count}>>&"


def _stream(bits: int) -> str:
    return f"hls::stream<{word(bits)}>&"


def _shapes(unit: Unit) -> list[str]:
    """What enters and leaves a unit, and how fast, for the comment."""

    def port(frame: Any, width: int) -> str:
        return f"({frame.h}, {frame.w}, {frame.c}) {frame.dtype}, {width} per beat"

    ins = "; ".join(port(f, w) for f, w in zip(unit.inputs, unit.in_widths, strict=True))
    outs = "; ".join(port(f, w) for f, w in zip(unit.outputs, unit.out_widths, strict=True))
    return [f"In: {ins}.", f"Out: {outs}.", f"{unit.cycles} cycles per frame."]
