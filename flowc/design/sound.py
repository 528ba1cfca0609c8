"""Whether the parts of a design that was read from files belong together: ports, tensors, host parts, reference, outputs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping

import numpy as np
import onnx

from flowc.design.assembly import Assembly
from flowc.errors import DamagedError, shown
from flowc.exact.sums import FloatSum
from flowc.files.npz import InputSpec
from flowc.streamline.compile import TensorInfo
from flowc.units.sound import permutation_faults

__all__ = ["check_assembly"]


def check_assembly(design: Assembly) -> None:
    """Raises DamagedError that names the first thing that contradicts another."""
    fault = next(_faults(design), None)
    if fault is not None:
        raise DamagedError(fault)


def _faults(design: Assembly) -> Iterator[str]:
    yield from _reference(design)
    yield from _ports(design)
    yield from _tensors(design)
    yield from _flow(design)
    yield from _sums(design)
    yield from _windows(design)
    yield from _sampling(design)


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(f"'{shown(name)}'" for name in sorted(names))


def _specs(values: Iterable[onnx.ValueInfoProto]) -> dict[str, InputSpec]:
    """Shapes with their batch of 1, and dtypes, of the inputs or outputs of an ONNX graph."""
    found = {}
    for value in values:
        tensor = value.type.tensor_type
        shape = tuple(d.dim_value for d in tensor.shape.dim)
        found[value.name] = InputSpec(shape, onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type))
    return found


def _reference(design: Assembly) -> Iterator[str]:
    """The reference has the inputs of the design, and begins with its outputs."""
    graph = design.reference.graph
    constants = {tensor.name for tensor in graph.initializer}
    given = {n: s for n, s in _specs(graph.input).items() if n not in constants}
    wanted = {n: InputSpec((1, *s.shape), np.dtype(s.dtype)) for n, s in design.inputs.items()}
    if not wanted or given != wanted:
        yield f"the inputs {_quoted(wanted)} are not those of the reference, {_quoted(given)}"
    outputs = _specs(graph.output)
    first = {n: s.dtype for n, s in list(outputs.items())[: len(design.outputs)]}
    if not first or list(first.items()) != [(n, np.dtype(d)) for n, d in design.outputs.items()]:
        yield f"the outputs {_quoted(design.outputs)} are not those of the reference"


def _layout(name: str, info: TensorInfo) -> Iterator[str]:
    if min(info.shape, default=1) < 1:
        yield f"tensor '{shown(name)}' has the shape {info.shape}"
    elif info.order is not None:
        for text in permutation_faults("its order", info.order.reshape(-1), math.prod(info.shape)):
            yield f"tensor '{shown(name)}': {text}"


def _ports(design: Assembly) -> Iterator[str]:
    """Every port of the graph is described, and nothing else."""
    units = {u.name: u for u in (*design.graph.inputs, *design.graph.outputs)}
    if set(units) != set(design.ports):
        yield f"ports are described as {_quoted(design.ports)}, the graph has {_quoted(units)}"
        return
    for name, unit in units.items():
        yield from _layout(name, design.ports[name])
        if math.prod(design.ports[name].shape) != unit.frame.elements:
            yield f"port '{shown(name)}' carries {unit.frame.elements} elements, its tensor has the shape {design.ports[name].shape}"


def _bare(shape: tuple[int, ...]) -> tuple[int, ...]:
    """A shape without the ones in front."""
    first = next((i for i, n in enumerate(shape) if n != 1), len(shape))
    return shape[first:]


def _tensors(design: Assembly) -> Iterator[str]:
    """Every tensor of the reference that a stream carries is described, and so compared."""
    shapes = {n: s.shape for n, s in _specs(design.reference.graph.output).items()}
    for name, info in design.tensors.items():
        yield from _layout(name, info)
        if name in shapes and _bare(shapes[name]) != _bare(info.shape):
            yield f"tensor '{shown(name)}' has the shape {info.shape}, in the reference {shapes[name]}"
    graph = design.graph
    for stream in graph.streams:
        if stream.tensor is None:
            continue
        if stream.tensor in shapes and stream.tensor not in design.tensors:
            yield f"tensor '{shown(stream.tensor)}' of a stream is not described"
        elif stream.tensor in design.tensors:
            src = graph[stream.src]
            whole = src.unfolded(graph[stream.dst]) if src.is_padding else src  # without what fills its rows up
            elements, frame = math.prod(design.tensors[stream.tensor].shape), whole.outputs[stream.src_port]
            if elements != frame.elements:
                yield f"tensor '{shown(stream.tensor)}' has {elements} elements, its stream {frame.elements}"


def _flow(design: Assembly) -> Iterator[str]:
    """What each part takes another one gives, and nothing that is made is lost."""
    head_in, head_out = (design.head.inputs, design.head.outputs) if design.head is not None else ({}, ())
    tail_in, tail_out = (design.tail.inputs, design.tail.outputs) if design.tail is not None else ({}, ())
    arriving = [u.tensor for u in design.graph.inputs]
    leaving = [u.tensor for u in design.graph.outputs]
    if len(set(leaving)) < len(leaving):
        yield "two output ports carry one tensor"
    known = {*design.inputs, *head_out, *leaving}
    for what, needed, there in (
        ("the head takes", head_in, {*design.inputs}),
        ("the accelerator takes", arriving, {*head_out, *design.inputs}),
        ("the tail takes", tail_in, known),
        ("the outputs are", design.outputs, {*head_out, *leaving, *tail_out}),
    ):
        if missing := set(needed) - there:
            yield f"{what} {_quoted(missing)}, which nothing makes"
    sizes = {n: math.prod(s.shape) for n, s in design.inputs.items()}
    sizes |= {u.tensor: u.frame.elements for u in (*design.graph.inputs, *design.graph.outputs)}
    for what, shapes in (("head", head_in), ("tail", tail_in)):
        for name, shape in shapes.items():
            if name in sizes and math.prod(shape) != sizes[name]:
                yield f"the {what} takes '{shown(name)}' in the shape {tuple(shape)}, it has {sizes[name]} elements"
    used = {*arriving, *tail_in, *design.outputs}
    if lost := {*head_out, *leaving, *tail_out} - used:
        yield f"{_quoted(lost)} is made and not used"


def _sums(design: Assembly) -> Iterator[str]:
    """What stands for float sums of the reference: integers that leave the accelerator, and what activations are applied to."""
    shapes = {n: s.shape for n, s in _specs(design.reference.graph.output).items()}
    leaving = {u.tensor: math.prod(design.ports[u.name].shape) for u in design.graph.outputs}
    if design.head is not None:
        leaving |= {n: math.prod(s.shape) for n, s in _specs(design.head.model.graph.output).items()}
    for found in design.accumulators:
        if found.tensor not in leaving:
            yield f"the accumulator '{shown(found.tensor)}' leaves no port"
        else:
            yield from _sum(f"the accumulator '{shown(found.tensor)}'", found, leaving[found.tensor], shapes)
    flowing = {"", *(stream.tensor for stream in design.graph.streams)}
    for found in design.sums:
        if found.tensor not in design.tensors or found.stream not in flowing:
            yield f"the sums of tensor '{shown(found.tensor)}' lie on no stream"
        else:
            elements = math.prod(design.tensors[found.tensor].shape)
            yield from _sum(f"the sums of tensor '{shown(found.tensor)}'", found, elements, shapes)


def _sum(what: str, found: FloatSum, elements: int, shapes: Mapping[str, tuple[int, ...]]) -> Iterator[str]:
    if found.reference not in shapes:
        yield f"{what} {_are(what)} nothing in the reference"
        return
    shape = shapes[found.reference]
    for array in (found.scale, found.zero, found.error):
        if array.dtype.kind not in "fiu" or not np.isfinite(array).all():
            yield f"{what} {_have(what)} scales that are no numbers"
        elif np.broadcast_shapes(shape, array.shape) != shape:
            yield f"{what} {_have(what)} scales of the shape {array.shape} for {shape}"
    if (np.asarray(found.scale) == 0).any():
        yield f"{what} {_have(what)} a scale of 0"
    if math.prod(shape) != elements:
        yield f"{what} {_have(what)} not the size of '{shown(found.reference)}'"


def _are(what: str) -> str:
    return "are" if what.startswith("the sums") else "is"


def _have(what: str) -> str:
    return "have" if what.startswith("the sums") else "has"


def _windows(design: Assembly) -> Iterator[str]:
    for name, (low, high) in design.windows.items():
        if low.ndim != 2 or low.shape != high.shape or (low > high).any():
            yield f"the windows of tensor '{shown(name)}' are no ranges"
    for name, slack in design.argmax_slack.items():
        if slack.ndim != 1 or not slack.size or (slack < 0).any():
            yield f"the slack of tensor '{shown(name)}' is no list of distances"


def _sampling(design: Assembly) -> Iterator[str]:
    for name, (low, high, step) in design.sampling.items():
        numbers = (low, high) if step is None else (low, high, step)
        if name not in design.inputs or not all(isinstance(v, int | float) and math.isfinite(v) for v in numbers):
            yield f"the range of input '{shown(name)}' is no range of numbers"
        elif low > high or (step is not None and not (step > 0 and (high - low) / step < 1 << 40)):
            yield f"the range of input '{shown(name)}' is {low} to {high} in steps of {step}"
