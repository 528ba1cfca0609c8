"""The reference: a model graph of any stage -> standard ONNX operators, run by onnxruntime with optimizations off.

Every flowc operator has one expander in `EXPANSIONS`, which writes it in standard operators of opset 20, with exactly
the float32 operations of its definition (`flowc.model.quantizers`). Passes that introduce operators register theirs with
`register`, so that the graph stays executable after every pass. Constant Dequantize nodes are evaluated
beforehand, by the same float32 operations.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnx_ir as ir
from onnx import helper, numpy_helper

from flowc.errors import ModelError, UsageError
from flowc.model import ir as fir
from flowc.model.quantizers import dequantize
from flowc.model.runtime import IR_VERSION, OPSET, open_session, run_session
from flowc.model.suffix import suffix_of

__all__ = ["EXPANSIONS", "Expander", "ExpansionBuilder", "Reference", "expand", "register"]

Array = npt.NDArray[Any]
Expander = Callable[[ir.Node, "ExpansionBuilder"], None]
"""Writes one flowc node in standard operators; must define every output name of the node."""


class ExpansionBuilder:
    """Collects the standard nodes and constants that an expander writes."""

    def __init__(self, taken: Iterable[str]) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: dict[str, Array] = {}
        self._taken = set(taken)
        self._count = 0

    def fresh(self, hint: str) -> str:
        """A tensor name nothing else has."""
        while True:
            self._count += 1
            name = f"{hint}/{self._count}"
            if name not in self._taken:
                self._taken.add(name)
                return name

    def constant(self, array: npt.ArrayLike, hint: str = "constant") -> str:
        """A constant tensor; returns its name."""
        name = self.fresh(hint)
        self.initializers[name] = np.asarray(array)
        return name

    def op(self, op_type: str, inputs: Sequence[str], output: str | None = None, **attributes: Any) -> str:
        """A standard one-output node; returns the name of its output (`output`, or a fresh one)."""
        name = output if output is not None else self.fresh(op_type)
        self.nodes.append(helper.make_node(op_type, list(inputs), [name], name=f"{name}/{op_type}", **attributes))
        return name


EXPANSIONS: dict[str, Expander] = {}
"""Operator of domain "flowc" -> its expander."""


def register(op_type: str) -> Callable[[Expander], Expander]:
    """Decorator: make a function the expander of a flowc operator."""

    def add(expander: Expander) -> Expander:
        EXPANSIONS[op_type] = expander
        return expander

    return add


def _round(builder: ExpansionBuilder, x: str, mode: str) -> str:
    """`x` rounded as `flowc.model.quantizers.ROUNDINGS[mode]` does."""
    match mode:
        case "ROUND":
            return builder.op("Round", [x])
        case "FLOOR":
            return builder.op("Floor", [x])
        case "CEIL":
            return builder.op("Ceil", [x])
    magnitude, sign = builder.op("Abs", [x]), builder.op("Sign", [x])
    half = builder.constant(np.float32(0.5))
    match mode:
        case "UP":
            magnitude = builder.op("Ceil", [magnitude])
        case "DOWN":
            magnitude = builder.op("Floor", [magnitude])
        case "HALF_UP":
            magnitude = builder.op("Floor", [builder.op("Add", [magnitude, half])])
        case "HALF_DOWN":
            magnitude = builder.op("Ceil", [builder.op("Sub", [magnitude, half])])
        case _:
            raise ModelError(f"the rounding mode '{mode}' is unknown", remedy="use ROUND, or another of QONNX's")
    return builder.op("Mul", [sign, magnitude])


def _is_zero(value: ir.Value) -> bool:
    array = fir.array_of(value)
    return array is not None and not array.any()


@register("Quantize")
def _quantize(node: ir.Node, builder: ExpansionBuilder) -> None:
    """Adding a zero point that is zero changes nothing and is left out."""
    x, scale, zero, *more = (value.name or "" for value in node.inputs if value is not None)
    output = node.outputs[0].name or ""
    style = fir.str_attr(node, "style", "qonnx")
    if style == "bipolar":
        positive = builder.op("GreaterOrEqual", [x, builder.constant(np.float32(0))])
        ones = [builder.constant(np.float32(v)) for v in (1, -1)]
        builder.op("Where", [positive, *ones], output)
        return
    bounds = [builder.constant(np.float32(fir.int_attr(node, name, 0))) for name in ("lo", "hi")]
    if style == "levels":
        builder.op("Clip", [_levels(node, builder), *bounds], output)
        return
    if style == "shift":
        scale, zero, factor, x = (
            builder.op("Cast", [n], to=onnx.TensorProto.DOUBLE) for n in (scale, zero, more[0], x)
        )
        y = builder.op("Div", [builder.op("Add", [builder.op("Mul", [x, factor]), zero]), scale])
        y = builder.op("Cast", [builder.op("Floor", [y])], to=onnx.TensorProto.FLOAT)
        builder.op("Clip", [y, *bounds], output)
        return
    shifted = not _is_zero(fir.required(node, 2))
    y = builder.op("Div", [x, scale])
    if style == "qonnx":
        y = builder.op("Add", [y, zero]) if shifted else y
        y = _round(builder, y, fir.str_attr(node, "rounding", "ROUND"))
    else:
        y = builder.op("Round", [y])
        y = builder.op("Add", [y, zero]) if shifted else y
    builder.op("Clip", [y, *bounds], output)


def _levels(node: ir.Node, builder: ExpansionBuilder) -> str:
    """The least level and one more for each threshold that x reaches: compared along a new last axis, and counted there."""
    x = fir.required(node, 0)
    rank = len(fir.shape_of(x))
    given = [np.asarray(fir.array_of(value), np.float32) for value in node.inputs[3:]]
    full = np.broadcast_arrays(*(t.reshape((1,) * (rank - t.ndim) + t.shape) for t in given))
    last = builder.constant(np.array([rank], np.int64))
    wide = builder.op("Unsqueeze", [x.name or "", last])
    reached = builder.op("GreaterOrEqual", [wide, builder.constant(np.stack(full, axis=rank))])
    reached = builder.op("Cast", [reached], to=onnx.TensorProto.FLOAT)
    count = builder.op("ReduceSum", [reached, last], keepdims=0)
    return builder.op("Add", [count, builder.constant(np.float32(fir.int_attr(node, "lo", 0)))])


@register("Dequantize")
def _dequantize(node: ir.Node, builder: ExpansionBuilder) -> None:
    output = node.outputs[0].name or ""
    arrays = [fir.array_of(value) for value in node.inputs]
    q, scale, zero = arrays
    if q is not None and scale is not None and zero is not None:
        builder.initializers[output] = dequantize(q, scale, zero)
        return
    names = [value.name or "" for value in node.inputs if value is not None]
    wide = scale is not None and scale.dtype == np.float64
    y = builder.op("Cast", [names[0]], to=onnx.TensorProto.DOUBLE) if wide else names[0]
    if not _is_zero(fir.required(node, 2)):
        wide_zero = builder.constant(zero.astype(np.float64)) if wide and zero is not None else names[2]
        y = builder.op("Sub", [y, wide_zero])
    if wide:
        builder.op("Cast", [builder.op("Mul", [y, names[1]])], output, to=onnx.TensorProto.FLOAT)
    else:
        builder.op("Mul", [y, names[1]], output)


def expand(model: ir.Model, *, extra_outputs: Iterable[str] = (), without: Container[ir.Node] = ()) -> onnx.ModelProto:
    """`model` in standard ONNX operators only, ready for onnxruntime; the model itself is not changed.

    Args:
        model: a model graph of any stage, from import on.
        extra_outputs: names of inner values to make graph outputs too, after the model's own.
        without: nodes that are left out, with the constants that only they read. What is written of the others stays the same.

    Raises:
        ModelError: a flowc operator has no expansion, or an extra output does not exist.
    """
    graph = model.graph
    taken = {v.name or "" for v in graph.inputs} | set(graph.initializers)
    values = {o.name or "": o for node in graph for o in node.outputs}
    builder = ExpansionBuilder(taken | set(values))
    for node in graph:
        written, constants = len(builder.nodes), len(builder.initializers)
        _write(node, builder)
        if node in without:
            del builder.nodes[written:]
            while len(builder.initializers) > constants:
                builder.initializers.popitem()
    suffix = suffix_of(model)
    outputs = [_info(value) for value in graph.outputs]
    if suffix is not None:
        builder.nodes.extend(suffix.model.graph.node)
        builder.initializers |= {t.name: numpy_helper.to_array(t) for t in suffix.model.graph.initializer}
        infos = {o.name: o for o in (*outputs, *suffix.model.graph.output)}
        outputs = [infos[name] for name in suffix.results]
    named = {output.name for output in outputs}
    for name in dict.fromkeys(extra_outputs):
        if name not in values:
            raise ModelError(f"there is no tensor '{name}' to make an output", remedy="name a tensor of the model")
        if name not in named:
            outputs.append(_info(values[name]))
    read = {name for node in builder.nodes for name in node.input} | {o.name for o in outputs}
    arrays = {n: a for n, v in graph.initializers.items() if n in read and (a := fir.array_of(v)) is not None}
    arrays |= builder.initializers
    expanded = helper.make_graph(
        builder.nodes, graph.name or "model", [_info(value) for value in graph.inputs], outputs
    )
    opset = helper.make_opsetid("", graph.opset_imports.get("", OPSET))
    proto = helper.make_model(expanded, opset_imports=[opset], ir_version=IR_VERSION)
    for name in [n for n in arrays if n in read]:  # one by one, as large constants would be in memory several times
        proto.graph.initializer.add().CopyFrom(numpy_helper.from_array(arrays.pop(name), name))
    proto.producer_name = "flowc"
    return proto


def _write(node: ir.Node, builder: ExpansionBuilder) -> None:
    """One node of a model graph in standard operators. Raises ModelError where a flowc operator has no expansion."""
    if node.domain != fir.DOMAIN:
        proto: onnx.NodeProto = ir.serde.serialize_node(node)
        del proto.metadata_props[:]
        builder.nodes.append(proto)
        return
    expander = EXPANSIONS.get(node.op_type)
    if expander is None:
        message = f"flowc has no expansion of its operator {node.op_type}"
        raise ModelError(message, node=fir.label(node), remedy="register one (flowc.model.reference.expansion)")
    expander(node, builder)


def _info(value: ir.Value) -> onnx.ValueInfoProto:
    dtype = int(value.dtype) if value.dtype is not None else onnx.TensorProto.FLOAT
    return helper.make_tensor_value_info(value.name or "", dtype, fir.shape_of(value))


class Reference:
    """A model graph under onnxruntime, one sample at a time: what flowc's integers are compared with.

    onnxruntime's float results depend on the batch size, so the reference always computes sample by sample, as the
    hardware does.

    Args:
        model: a model graph of any stage with batch size 1.
        outputs: inner values to give besides the model's outputs; by default every Quantize output.
        threads: threads of onnxruntime within one operator.

    Raises:
        ModelError: the model can't be expanded, or onnxruntime refuses it.
    """

    def __init__(self, model: ir.Model, *, outputs: Iterable[str] | None = None, threads: int = 2) -> None:
        quantized = [n.outputs[0].name or "" for n in model.graph if fir.is_op(n, "Quantize", fir.DOMAIN)]
        extra = list(outputs) if outputs is not None else quantized
        proto = expand(model, extra_outputs=extra)
        self.inputs = {v.name or "": fir.shape_of(v) for v in model.graph.inputs}
        self.outputs = tuple(v.name for v in proto.graph.output)
        self._constants = {v.name: a for v in model.graph.outputs if v.name and (a := fir.array_of(v)) is not None}
        self._computed = [name for name in self.outputs if name not in self._constants]
        self._dtypes = {v.name or "": v.dtype.numpy() for v in model.graph.inputs if v.dtype is not None}
        self._session = open_session(proto, threads=threads)

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Run any number of samples.

        Args:
            inputs: graph input name -> array of shape (N, ...), one N for all of them.

        Returns:
            output name -> array of shape (N, ...): float32 for graph outputs (int64 for an argmax), integer-valued
            float32 for Quantize outputs. Outputs that are constants of the model come as they are, without N.

        Raises:
            UsageError: an input is missing, unknown or of the wrong shape.
        """
        count = self._check(inputs)
        columns: list[list[Array]] = [[] for _ in self._computed]
        for index in range(count):
            feed = {n: np.ascontiguousarray(inputs[n][index : index + 1], self._dtypes[n]) for n in self.inputs}
            for column, array in zip(columns, run_session(self._session, self._computed, feed), strict=True):
                column.append(array)
        computed = {name: _stack(column) for name, column in zip(self._computed, columns, strict=True)}
        return {name: computed[name] if name in computed else self._constants[name] for name in self.outputs}

    def _check(self, inputs: Mapping[str, Array]) -> int:
        if set(inputs) != set(self.inputs):
            expected, given = (", ".join(sorted(names)) or "none" for names in (self.inputs, inputs))
            raise UsageError(
                f"the model has the inputs {expected}, but was given {given}",
                remedy="Give an array for each of them, and no other",
            )
        counts = set()
        for name, shape in self.inputs.items():
            array = inputs[name]
            if array.ndim != len(shape) or array.shape[1:] != shape[1:] or not len(array):
                wanted = ", ".join(map(str, ("N", *shape[1:])))
                raise UsageError(
                    f"input '{name}' has shape {list(array.shape)}; the model takes [{wanted}]",
                    remedy="Give samples of that shape, with a leading axis for their number",
                )
            counts.add(len(array))
        if len(counts) != 1:
            raise UsageError(
                "the inputs hold different numbers of samples", remedy="Give as many samples of each input"
            )
        return counts.pop()


def _stack(arrays: list[Array]) -> Array:
    """Samples one after another: along the batch axis, or a new one for results that have none."""
    return np.stack(arrays) if arrays[0].ndim == 0 else np.concatenate(arrays)
