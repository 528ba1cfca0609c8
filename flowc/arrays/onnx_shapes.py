"""The static shape of every tensor of an ONNX model, whatever quantizers are in it.

Works on a light copy: large constants are declared without their values, quantizers of all dialects and onnxruntime's own
operators are spelled as standard operators of the same shape, shape arithmetic is computed, and what the file itself says of
inner shapes is not read.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import TensorProto, helper, inliner, numpy_helper, shape_inference

from flowc.errors import ModelError, shown
from flowc.importer.channels_last import CHANNELS_LAST, CHANNELS_LAST_DOMAIN, channels_first
from flowc.importer.check import check_graph, check_names
from flowc.importer.operators import CONTRIB_DOMAIN, is_qonnx
from flowc.importer.read import read_model
from flowc.model.runtime import IR_VERSION, run_once

__all__ = ["Shapes", "infer"]

_SMALL = 4096
_ROUNDS = 64
_LARGEST_DIMENSION = 2**31
_STANDARD = ("", "ai.onnx")
_PASS_ON = frozenset(
    {
        "BiasGelu", "DequantizeLinear", "FastGelu", "Gelu", "QLinearLeakyRelu", "QLinearSigmoid", "QLinearSoftmax",
        "QuantizeLinear", "QuickGelu", "SkipLayerNormalization",
    }
)  # fmt: skip
_LIKE: Mapping[str, tuple[str, tuple[int, ...]]] = {
    "QLinearAdd": ("Add", (0, 3)),
    "QLinearMul": ("Mul", (0, 3)),
    "QLinearAveragePool": ("AveragePool", (0,)),
    "QLinearGlobalAveragePool": ("GlobalAveragePool", (0,)),
    "QGemm": ("Gemm", (0, 3)),
    "FusedGemm": ("Gemm", (0, 1)),
    "FusedConv": ("Conv", (0, 1)),
    "QLinearConv": ("Conv", (0, 3)),
    "MatMulIntegerToFloat": ("MatMul", (0, 1)),
    "DynamicQuantizeMatMul": ("MatMul", (0, 1)),
    "FusedMatMul": ("MatMul", (0, 1)),
}
"""onnxruntime's operators whose result has the shape that a standard operator gives some of their inputs."""
_ATTRIBUTES = frozenset(
    {"transA", "transB", "kernel_shape", "strides", "pads", "dilations", "group", "auto_pad", "ceil_mode", "axis"}
)
_NOT_FOLDED = frozenset({"RandomNormal", "RandomUniform", "If", "Loop", "Scan"})
_OTHER_LAYOUT = frozenset({"channels_last", "transA", "transB", "transBatchA", "transBatchB"})
"""Attributes of onnxruntime's operators with which the shape rule of the standard operator does not hold."""
_UNBOUNDED = frozenset({"ConstantOfShape", "Expand", "Pad", "Range", "Resize", "Tile"})
"""Operators whose result may be large where their inputs are small: computed once the size is known."""


@dataclass(frozen=True)
class Shapes:
    """Shapes of a model.

    Attributes:
        name: of its graph.
        nodes: as the file has them, in topological order.
        found: shape by tensor name, where it is known and static.
        constant: names of tensors that depend on no input.
        unknown: operators that no shape rule is known for.
    """

    name: str
    nodes: tuple[onnx.NodeProto, ...]
    found: Mapping[str, tuple[int, ...]]
    constant: frozenset[str]
    unknown: frozenset[str]

    def of(self, tensor: str, node: str) -> tuple[int, ...]:
        """The shape of a tensor that ``node`` uses.

        Raises:
            ModelError: it is not known.
        """
        if tensor not in self.found:
            remedy = "Export the model with static shapes, for instance by torch.onnx.export with dynamo=False and no dynamic_axes"
            if self.unknown:
                remedy += f"; flowc knows no shape rule for {', '.join(shown(op) for op in sorted(self.unknown))}"
            raise ModelError(f"the shape of its tensor '{shown(tensor)}' is not known", node=node, remedy=remedy)
        return self.found[tensor]


def infer(source: str | os.PathLike[str] | onnx.ModelProto, inputs: Mapping[str, Sequence[int]]) -> Shapes:
    """Shapes of all tensors of a model.

    Args:
        source: path of an ONNX file, or a model in memory.
        inputs: shapes of inputs by name, in place of what the model says.

    Raises:
        ModelError: the model can't be read, its shapes contradict each other, or an input's are dynamic.
    """
    model = read_model(source)
    check_names(model)
    if model.functions:
        model = inliner.inline_local_functions(model)
    if all(n.op_type in CHANNELS_LAST for n in model.graph.node if n.domain == CHANNELS_LAST_DOMAIN):
        channels_first(model.graph)
    check_graph(model.graph)
    nodes = tuple(model.graph.node)
    constant = _constants(model.graph)
    light = _light(model, inputs)
    unknown = frozenset(
        f"{node.domain}::{node.op_type}" if node.domain else node.op_type
        for node in light.graph.node
        if not _known(node)
    )
    for _ in range(_ROUNDS):
        found = _infer(light)
        if not _fold(light, found):
            break
    return Shapes(model.graph.name, nodes, found, constant, unknown)


def _known(node: onnx.NodeProto) -> bool:
    return node.domain in _STANDARD and onnx.defs.has(node.op_type)


def _constants(graph: onnx.GraphProto) -> frozenset[str]:
    """Tensors that depend on no input; an initializer that is also listed as an input is a default value, and a constant here."""
    constant = {tensor.name for tensor in graph.initializer}
    for node in graph.node:
        if all(name in constant for name in node.input if name):
            constant.update(name for name in node.output if name)
    return frozenset(constant)


def _light(model: onnx.ModelProto, inputs: Mapping[str, Sequence[int]]) -> onnx.ModelProto:
    """A copy without large constants and without operators that ONNX has no shape rule for, where one is known."""
    graph = onnx.GraphProto(name="shapes")
    held = {tensor.name for tensor in model.graph.initializer}
    given = [value for value in model.graph.input if value.name not in held]
    for name in inputs:
        if name not in {value.name for value in given}:
            raise ModelError(
                f"the model has no input '{shown(name)}'",
                remedy=f"Its inputs are {', '.join(shown(v.name) for v in given) or 'none'}",
            )
    for value in given:
        dims = _input_shape(value, inputs.get(value.name))
        kind = value.type.tensor_type.elem_type or TensorProto.FLOAT
        graph.input.append(helper.make_tensor_value_info(value.name, kind, dims))
    for tensor in model.graph.initializer:
        if np.prod(tensor.dims, dtype=np.float64) <= _SMALL:
            graph.initializer.append(tensor)
        else:
            graph.input.append(helper.make_tensor_value_info(tensor.name, tensor.data_type, list(tensor.dims)))
    graph.node.extend(_stand_in(node) for node in model.graph.node)
    opset = next((o.version for o in model.opset_import if o.domain in _STANDARD), None)
    if opset is None:
        raise ModelError("the model does not say which ONNX operator set it uses", remedy="export it again")
    imports = [helper.make_opsetid("", opset)]
    imports += [
        helper.make_opsetid(domain, 1) for domain in sorted({node.domain for node in graph.node} - {"", "ai.onnx"})
    ]
    light = onnx.ModelProto(ir_version=IR_VERSION, graph=graph)
    light.opset_import.extend(imports)
    return light


def _input_shape(value: onnx.ValueInfoProto, given: Sequence[int] | None) -> list[int]:
    """The shape of a graph input; a dynamic first dimension is the batch, and 1.

    Raises:
        ModelError: it is dynamic elsewhere, or what is given does not fit it.
    """
    kind = value.type.tensor_type
    known = value.type.HasField("tensor_type") and kind.HasField("shape")
    declared = [d.dim_value if d.HasField("dim_value") else None for d in kind.shape.dim] if known else None
    example = f"--input-shape {shown(value.name, 40)}=1,3,224,224"
    if given is not None:
        dims = [int(size) for size in given]
        if not all(1 <= size <= _LARGEST_DIMENSION for size in dims):
            raise ModelError(
                f"the shape {dims} of input '{shown(value.name)}' has a size that is not at least 1",
                remedy=f"Example: {example}",
            )
        if declared is not None and len(declared) != len(dims):
            message = f"input '{shown(value.name)}' has {len(declared)} dimensions, and {dims} are given for it"
            raise ModelError(message, remedy="give one size for each")
        return dims
    if declared is None:
        raise ModelError(
            f"the model does not say the shape of input '{shown(value.name)}'", remedy=f"Give it: {example}"
        )
    if declared and declared[0] in (None, 0):
        declared[0] = 1
    dynamic = [i for i, size in enumerate(declared) if size is None or size < 1]
    if dynamic:
        names = ", ".join(f"{i} ('{shown(kind.shape.dim[i].dim_param or '?', 40)}')" for i in dynamic)
        raise ModelError(
            f"input '{shown(value.name)}' has dynamic dimensions: {names}; counts need numbers",
            remedy=f"Give its shape: {example}",
        )
    return [size for size in declared if size is not None]


def _stand_in(node: onnx.NodeProto) -> onnx.NodeProto:
    """A standard operator whose result has the same shape, where the node's own is not standard."""
    quantizer = is_qonnx(node.domain, node.op_type) and is_qonnx(
        "", node.op_type
    )  # by its name too: not all of that domain are
    if quantizer or (node.domain == CONTRIB_DOMAIN and node.op_type in _PASS_ON):
        return _like(node, "Identity", (0,))
    other = any(a.name in _OTHER_LAYOUT and a.i for a in node.attribute) and node.op_type not in ("QGemm", "FusedGemm")
    if node.domain == CONTRIB_DOMAIN and other:
        return _copy(node)
    if node.domain == CONTRIB_DOMAIN and node.op_type == "QLinearConcat":
        return _like(node, "Concat", tuple(range(2, len(node.input), 3)))
    if node.domain == CONTRIB_DOMAIN and node.op_type in _LIKE:
        return _like(node, *_LIKE[node.op_type])
    return _copy(node)


def _copy(node: onnx.NodeProto) -> onnx.NodeProto:
    copy = onnx.NodeProto()
    copy.CopyFrom(node)
    if node.domain == "ai.onnx":
        copy.domain = ""
    return copy


def _like(node: onnx.NodeProto, op_type: str, places: Sequence[int]) -> onnx.NodeProto:
    inputs = [node.input[i] for i in places if i < len(node.input)]
    copy = helper.make_node(op_type, inputs, list(node.output)[:1], name=node.name)
    if op_type != "Identity":
        copy.attribute.extend(a for a in node.attribute if a.name in _ATTRIBUTES)
    return copy


def _infer(light: onnx.ModelProto) -> dict[str, tuple[int, ...]]:
    """Static shapes by ONNX' own rules."""
    try:
        inferred = shape_inference.infer_shapes(light, strict_mode=True, data_prop=True)
    except Exception as error:
        raise ModelError(f"the shapes in the model contradict each other: {error}", remedy="export it again") from error
    found: dict[str, tuple[int, ...]] = {tensor.name: tuple(tensor.dims) for tensor in light.graph.initializer}
    for value in [*light.graph.input, *inferred.graph.value_info]:
        dims = value.type.tensor_type.shape.dim
        if value.type.tensor_type.HasField("shape") and all(d.HasField("dim_value") for d in dims):
            found[value.name] = tuple(d.dim_value for d in dims)
    return found


def _fold(light: onnx.ModelProto, found: Mapping[str, tuple[int, ...]]) -> bool:
    """Compute what is small and depends on nothing but constants and known shapes; whether anything was.

    Only where a shape is still unknown: that is when ONNX' own propagation of shape arithmetic has stopped.
    """
    outputs = [name for node in light.graph.node for name in node.output if name]
    if all(name in found for name in outputs):
        return False
    constants = {t.name: t for t in light.graph.initializer}
    chosen: list[onnx.NodeProto] = []
    computed: list[str] = []
    ready = set(constants)
    for node in light.graph.node:
        if node.op_type == "Shape" and node.domain == "" and node.input and node.input[0] in found:
            chosen.append(_shape_constant(node, found[node.input[0]]))
        elif _foldable(node, found) and all(name in ready for name in node.input if name):
            chosen.append(node)
        else:
            continue
        names = [name for name in node.output if name]
        ready.update(names)
        computed += names
    if not chosen:
        return False
    opset = light.opset_import[0].version
    used = {name: _array(t) for name, t in constants.items() if any(name in n.input for n in chosen)}
    arrays = run_once(chosen, used, computed, opset=opset)
    kept = [node for node in light.graph.node if not set(node.output) & set(computed)]
    del light.graph.node[:]
    light.graph.node.extend(kept)
    light.graph.initializer.extend(numpy_helper.from_array(a, n) for n, a in zip(computed, arrays, strict=True))
    return True


def _array(tensor: onnx.TensorProto) -> np.ndarray:
    """The values of a constant. Raises ModelError where it holds fewer or more than its shape says, or none of a known type."""
    try:
        return numpy_helper.to_array(tensor)
    except (ValueError, TypeError, LookupError) as error:
        raise ModelError(
            f"the constant '{shown(tensor.name)}' is damaged: {error}", remedy="export it again"
        ) from error


def _foldable(node: onnx.NodeProto, found: Mapping[str, tuple[int, ...]]) -> bool:
    """Whether a node may be computed where its inputs are known: its results are small, and no control flow is in it."""
    if not _known(node) or node.op_type in _NOT_FOLDED or any(a.HasField("g") for a in node.attribute):
        return False
    sizes = [found.get(name) for name in node.output if name]
    if node.op_type in _UNBOUNDED and None in sizes:
        return False
    return all(size is None or float(np.prod(size, dtype=np.float64)) <= _SMALL for size in sizes)


def _shape_constant(node: onnx.NodeProto, shape: tuple[int, ...]) -> onnx.NodeProto:
    start = next((a.i for a in node.attribute if a.name == "start"), 0)
    end = next((a.i for a in node.attribute if a.name == "end"), len(shape))
    value = numpy_helper.from_array(np.array(shape[start:end], np.int64))
    return helper.make_node("Constant", [], list(node.output), name=node.name, value=value)
