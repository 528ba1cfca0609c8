"""From an ONNX model to a dataflow graph, its host parts and its reference: everything that does not depend on a target."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir

import flowc.model.expansions  # noqa: F401  (registers the expanders)
from flowc.errors import shown
from flowc.exact.certificate import Certificate
from flowc.exact.movement import index_map
from flowc.exact.sums import FloatSum
from flowc.files.npz import InputSpec
from flowc.importer import load_model
from flowc.model.dtypes import BIPOLAR, IntType
from flowc.model.host import HostGraph
from flowc.model.input_type import InputType
from flowc.model.ir import DOMAIN, int_attr, is_op, label, shape_of, str_attr
from flowc.model.reference import expand
from flowc.model.suffix import result_types
from flowc.passes import lower_activations, lower_pools, lower_products, lower_routing  # noqa: F401  (register the lowerings)
from flowc.passes.apply_input_type import ApplyInputType
from flowc.passes.base import Note
from flowc.passes.integer_ranges import Ranges, integer_ranges
from flowc.passes.lower import Lowering, canonical_order
from flowc.streamline.causes import cause_of
from flowc.streamline.evidence import inner_sums, last_sums, stream_windows
from flowc.streamline.partition import INPUT_TYPE_ADVICE, NOT_QUANTIZED, Partition, partition
from flowc.streamline.pipeline import Observer, streamline
from flowc.streamline.port_names import port_hints
from flowc.units.base import Array
from flowc.units.graph import Dataflow
from flowc.units.port import Port

__all__ = ["Compiled", "TensorInfo", "compile_model", "explanations"]


@dataclass(frozen=True, eq=False)
class TensorInfo:
    """An integer tensor of the reference as it lies on a stream: ONNX shape (batch 1) and order (None: canonical)."""

    shape: tuple[int, ...]
    order: Array | None

    def to_stream(self, values: Array, frame_shape: tuple[int, int, int]) -> Array:
        """(N, *shape) -> (N, H, W, C)."""
        order = canonical_order(self.shape) if self.order is None else self.order
        flat = np.take(values.reshape(len(values), -1), order.reshape(-1), axis=1)
        return flat.reshape(len(values), *frame_shape)

    def from_stream(self, frames: Array) -> Array:
        """(N, H, W, C) -> (N, *shape)."""
        order = canonical_order(self.shape) if self.order is None else self.order
        flat = np.empty((len(frames), order.size), frames.dtype)
        flat[:, order.reshape(-1)] = frames.reshape(len(frames), -1)
        return flat.reshape(len(frames), *self.shape)


@dataclass(eq=False)
class Compiled:
    """A model in all its parts.

    Attributes:
        graph: hardware units and streams, not yet folded.
        head, tail: float parts on the host, or None.
        tensors: integer tensors by name: where the reference's value of the same name is found on a stream.
        ports: input and output ports by name: how the tensor of each lies on its stream.
        inputs: model inputs; outputs: model outputs with dtype.
        accumulators: last integer tensors and what they are in the reference.
        sums: the same for what activations are applied to; each under the name of the activation's result.
        windows: tensor -> (low, high), where the model leaves results open (see `flowc.streamline.evidence.stream_windows`).
        reference: standard ONNX model with every integer tensor as an extra output.
        certificate: what is proven of each activation.
        argmax_slack: argmax result -> how close channels must be to count as a tie (see the pass integer_argmax).
        advice: what the user should know, and may want to do, about layers that stay on the host.
        notes: what became of each node.
    """

    name: str
    sha256: str
    graph: Dataflow
    head: HostGraph | None
    tail: HostGraph | None
    tensors: dict[str, TensorInfo]
    ports: dict[str, TensorInfo]
    inputs: dict[str, InputSpec]
    outputs: dict[str, np.dtype[Any]]
    accumulators: list[FloatSum]
    sums: list[FloatSum]
    windows: dict[str, tuple[Array, Array]]
    reference: onnx.ModelProto
    certificate: Certificate
    argmax_slack: dict[str, Array]
    advice: list[str]
    notes: list[Note]
    model: ir.Model
    seconds: dict[str, float] = field(default_factory=dict)


def compile_model(
    model: str | os.PathLike[str] | onnx.ModelProto,
    *,
    input_type: InputType | None = None,
    observer: Observer | None = None,
    progress: Callable[[str], None] | None = None,
) -> Compiled:
    """Imports, streamlines and lowers a model.

    Args:
        model: path of an ONNX file, or a model in memory.
        input_type: integer type of float inputs (see `flowc.model.input_type.InputType`).
        observer: called as ``observer(stage, model)`` after the import and every pass that changed the graph.
        progress: called with the name of each stage as it begins.

    Raises:
        ModelError: the model can't be read, or holds what can't be exact integer arithmetic.
    """
    tell = progress or (lambda stage: None)
    seconds: dict[str, float] = {}
    tell("import")
    start = time.perf_counter()
    imported = load_model(model)
    ApplyInputType(input_type=input_type)(imported)
    name, digest = _identity(model, imported)
    if observer is not None:
        observer("import", imported)
    seconds["import"], start = time.perf_counter() - start, time.perf_counter()
    tell("streamline")
    quantized = [n.outputs[0].name or "" for n in imported.graph if is_op(n, "Quantize", DOMAIN)]
    reference = expand(imported, extra_outputs=[*quantized, *_floats(imported)])
    named = {str(o.name) for o in reference.graph.output}
    streamlined = streamline(imported, observer, named)
    ranges = integer_ranges(imported.graph)
    parts = partition(imported, ranges, streamlined.notes)
    accumulators = last_sums([*parts.exits, *parts.passed], ranges, named)
    seconds["streamline"], start = time.perf_counter() - start, time.perf_counter()
    tell("lower")
    low = _lower(name, imported.graph, parts, ranges, set(quantized))
    graph = low.dataflow()
    inner = inner_sums(streamlined.certificate, low, named)
    keep: set[str | None] = {*result_types(imported), *quantized}
    _keep_outputs(reference, keep | {s.reference for s in (*accumulators, *inner)})
    shapes = {v.name or "": shape_of(v) for node in parts.nodes for v in node.outputs}
    seconds["lower"] = time.perf_counter() - start
    return Compiled(
        name=name,
        sha256=digest,
        graph=graph,
        head=None if parts.head is None else HostGraph(parts.head),
        tail=None if parts.tail is None else HostGraph(parts.tail),
        tensors={n: TensorInfo(shape, order) for n, (shape, order) in low.tensors({s.tensor for s in inner}).items()},
        ports={u.name: _port(u) for u in (*graph.inputs, *graph.outputs)},
        inputs={v.name or "": InputSpec(shape_of(v)[1:], _dtype(v)) for v in imported.graph.inputs},
        outputs={name: np.dtype(dtype.numpy()) for name, dtype in result_types(imported).items()},
        accumulators=accumulators,
        sums=inner,
        windows=stream_windows(streamlined.certificate, low, shapes),
        reference=reference,
        certificate=streamlined.certificate.renamed(low.aliases()),
        argmax_slack=streamlined.argmax_slack,
        advice=_advice(parts, imported.graph, streamlined.notes),
        notes=streamlined.notes,
        model=imported,
        seconds=seconds,
    )


def _port(unit: Port) -> TensorInfo:
    order = np.arange(unit.frame.elements) if unit.order is None else unit.order
    return TensorInfo(unit.tensor_shape, order)


def _dtype(value: ir.Value) -> np.dtype[Any]:
    return np.dtype(np.float32) if value.dtype is None else np.dtype(value.dtype.numpy())


def _identity(model: str | os.PathLike[str] | onnx.ModelProto, imported: ir.Model) -> tuple[str, str]:
    if isinstance(model, onnx.ModelProto):
        return imported.graph.name or "model", hashlib.sha256(model.SerializeToString(deterministic=True)).hexdigest()
    path = Path(model)
    return path.stem, hashlib.sha256(path.read_bytes()).hexdigest()


def _advice(parts: Partition, graph: ir.Graph, notes: Sequence[Note]) -> list[str]:
    """What to say of layers that stay on the host, and why they do."""
    why = {note.node: note.text for note in notes}
    said = []
    waiting = _host_layers(parts.tail)
    causes = [
        c for n in graph
        if n.outputs[0].name in waiting and why.get(label(n)) == NOT_QUANTIZED and (c := cause_of(n.inputs[0], why)) is not None
    ]  # fmt: skip
    said += [f"layers stay on the host: {cause}" for cause in dict.fromkeys(causes)]
    for host, text in (
        (parts.head, f"read a float input and stay on the host; {INPUT_TYPE_ADVICE}"),
        (
            None if causes else parts.tail,
            "have float weights and stay on the host; quantize them to have them in hardware",
        ),
    ):
        layers = _host_layers(host)
        if layers:
            names = ", ".join(f"'{shown(name)}'" for name in list(layers.values())[:5])
            one = text.replace("read ", "reads ", 1).replace("have ", "has ", 1).replace("stay ", "stays ", 1)
            verbs = text if len(layers) > 1 else one
            said.append(f"{len(layers)} layer{'s' if len(layers) > 1 else ''} ({names}) {verbs}")
    return said


def _host_layers(host: onnx.ModelProto | None) -> dict[str, str]:
    """Matrix products and convolutions of a host part: output and name."""
    if host is None:
        return {}
    products = [n for n in host.graph.node if n.op_type in ("Conv", "MatMul", "Gemm", "ConvTranspose")]
    return {n.output[0]: n.name.removesuffix("/" + n.op_type) or n.output[0] for n in products}


def _floats(model: ir.Model) -> list[str]:
    """Float tensors of a model: what an integer tensor may stand for."""
    values = [v for node in model.graph if node.domain == "" for v in node.outputs if v.name and v.shape is not None]
    return [v.name or "" for v in values if v.dtype in (None, ir.DataType.FLOAT) and not v.is_graph_output()]


def _keep_outputs(reference: onnx.ModelProto, keep: set[str | None]) -> None:
    kept = [o for o in reference.graph.output if o.name in keep]
    del reference.graph.output[:]
    reference.graph.output.extend(kept)


def _lower(name: str, graph: ir.Graph, parts: Partition, ranges: Ranges, known: set[str]) -> Lowering:
    low = Lowering(name, ranges, known)
    hints = port_hints(graph, parts)
    inner = set(parts.nodes)
    for value in parts.entries:
        if any(use.node in inner for use in value.uses()):
            low.input(value, _entry_type(value, ranges), _entry_order(value, inner), hints[value])
    low.run(parts.nodes)
    for value in parts.exits:
        low.output(value, hints[value])
    return low


def _entry_type(value: ir.Value, ranges: Ranges) -> IntType:
    node = value.producer()
    if node is not None and is_op(node, "Quantize", DOMAIN) and str_attr(node, "style", "qonnx") == "bipolar":
        return BIPOLAR
    if node is not None and is_op(node, "Quantize", DOMAIN):
        return IntType.for_range(int_attr(node, "lo", 0), int_attr(node, "hi", 0))
    lo, hi = ranges[value]
    return IntType.for_range(int(lo.min()), int(hi.max()))


def _entry_order(value: ir.Value, inner: set[ir.Node]) -> Array:
    """The host packs as the first consumer likes it, seen through what only renumbers the elements in between.

    A matrix product over the last axis wants that innermost, everything else its channels.
    """
    shape = shape_of(value)
    waiting = [(value, np.arange(int(np.prod(shape))).reshape(shape))]
    while waiting:
        current, source = waiting.pop(0)
        for use in current.uses():
            node = use.node
            if node not in inner:
                continue
            if node.op_type in ("Reshape", "Transpose"):
                waiting.append((node.outputs[0], index_map(node, source)))
            elif node.op_type in ("Requant", "Table", "Threshold"):
                waiting.append((node.outputs[0], source))
            else:
                last = node.op_type == "IntMatMul" and source.ndim != 4
                return source.reshape(-1)[canonical_order(source.shape, channels_last=last)]
    return canonical_order(shape)


def explanations(compiled: Compiled) -> list[tuple[str, str]]:
    """For each ONNX node: which hardware unit it became, or where else it went."""
    became: dict[str, list[str]] = {}
    for unit in compiled.graph:
        for origin in unit.origin:
            became.setdefault(origin, []).append(f"{unit.kind} '{unit.name}'")
    lines = [(node, " + ".join(units)) for node, units in became.items()]
    for host, place in (
        (compiled.head, "host, before the accelerator"),
        (compiled.tail, "host, after the accelerator"),
    ):
        if host is not None:
            lines += [(node.output[0], f"{place}: {node.op_type}") for node in host.model.graph.node]
    # A product waits for the quantizers in front of it: what was said of it before they came holds only where none did.
    left = {label(node) for node in compiled.model.graph if node.domain == ""}
    notes = (note for note in compiled.notes if note.text != NOT_QUANTIZED or note.node in left)
    return [*lines, *((note.node, note.text) for note in notes)]
