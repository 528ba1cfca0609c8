"""``flowc info`` of any ONNX file: its nodes, what each would become, what stands in the way.

Nothing is compiled here. Shapes come from `flowc.arrays.onnx_shapes`, widths from the quantizers in front of each layer
(`flowc.survey.bits`), the units from the kind of each operator (`flowc.survey.becomes`).
"""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import onnx

from flowc.arrays.onnx_shapes import Shapes, infer
from flowc.errors import FlowcError, ModelError, UnsupportedError
from flowc.importer.check import check_names
from flowc.importer.operators import check_operators, is_qonnx
from flowc.importer.read import read_model
from flowc.report.summary import Info
from flowc.survey.becomes import HOST, PRODUCTS, becomes
from flowc.survey.bits import Bits
from flowc.version import __version__

__all__ = ["survey"]

_NONE = Shapes("", (), {}, frozenset(), frozenset())
_SAME_SHAPE = ("Cast", "Clip", "DequantizeLinear", "Identity", "QuantizeLinear")
"""Operators that weights pass through, shape unchanged, where the rest of the shapes is not known."""
_FLOAT_INPUT = "its input is not quantized"
_FLOAT_WEIGHTS = "its weights are not quantized"


def survey(source: str | os.PathLike[str] | onnx.ModelProto, reason: FlowcError) -> Info:
    """What a model that can't be compiled holds.

    Args:
        source: path of an ONNX file, or a model in memory.
        reason: why it can't be compiled.

    Raises:
        ModelError: it can't be read at all.
    """
    model = read_model(source)
    check_names(model)
    shapes = _shapes(source)
    view = _View(model, shapes, _refusals(model, reason))
    nodes = [view.entry(node) for node in model.graph.node if not view.is_constant(node)]
    name = model.graph.name or "model"
    digest = hashlib.sha256(
        model.SerializeToString(deterministic=True)
        if isinstance(source, onnx.ModelProto)
        else Path(source).read_bytes()
    )
    return Info(
        {
            "schema": 1,
            "flowc": __version__,
            "model": {
                "name": name if isinstance(source, onnx.ModelProto) else Path(source).stem,
                "sha256": digest.hexdigest(),
            },
            "compiles": False,
            "reason": str(reason),
            "inputs": _ports(model.graph.input, {t.name for t in model.graph.initializer}),
            "outputs": {o.name: _dtype(o) for o in model.graph.output},
            "macs": _sum(n["macs"] for n in nodes if n["op"] in PRODUCTS),
            "bops": _sum(n["bops"] for n in nodes if n["op"] in PRODUCTS),
            "weights": _sum(n["weights"] for n in nodes if n["op"] in PRODUCTS),
            "layers": [],
            "nodes": nodes,
        }
    )


def _shapes(source: str | os.PathLike[str] | onnx.ModelProto) -> Shapes:
    """Shapes as far as they are known: none where they are dynamic or contradict each other."""
    try:
        return infer(source, {})
    except ModelError:
        return _NONE


def _refusals(model: onnx.ModelProto, reason: FlowcError) -> dict[str, str]:
    """Per node why it is refused: what was raised, and every operator that flowc does not read."""
    found: dict[str, str] = {}
    if reason.node is not None:
        found[reason.node] = reason.message
    raised = [reason]
    try:
        check_operators(model)
    except UnsupportedError as error:
        raised.append(error)
    for each in raised:
        if isinstance(each, UnsupportedError):
            found |= {offence.node: offence.reason for offence in each.offences}
    return found


def _sum(values: Any) -> int | None:
    """The sum; None where a part is not known, or there is none."""
    parts = list(values)
    return sum(parts) if parts and None not in parts else None


def _ports(values: Any, constants: set[str]) -> dict[str, Any]:
    return {
        value.name: {
            "shape": [d.dim_value if d.HasField("dim_value") else None for d in value.type.tensor_type.shape.dim],
            "dtype": _dtype(value),
        }
        for value in values
        if value.name not in constants
    }


def _dtype(value: onnx.ValueInfoProto) -> str:
    kind = value.type.tensor_type.elem_type
    try:
        return str(onnx.helper.tensor_dtype_to_np_dtype(kind))
    except (KeyError, ValueError, TypeError):
        return "unknown"


class _View:
    """A graph with what is known of its tensors."""

    def __init__(self, model: onnx.ModelProto, shapes: Shapes, refusals: Mapping[str, str]) -> None:
        graph = model.graph
        self._found = dict(shapes.found) | {t.name: tuple(t.dims) for t in graph.initializer}
        self._constant = {t.name for t in graph.initializer}
        for node in graph.node:
            if all(name in self._constant for name in node.input if name):
                self._constant.update(node.output)
                like = self._found.get(node.input[0]) if node.input else None
                if like is not None and (node.op_type in _SAME_SHAPE or is_qonnx(node.domain, node.op_type)):
                    for name in node.output:
                        self._found.setdefault(name, like)
        self._bits = Bits(graph.node, graph.initializer, graph.input)
        self._refusals = refusals
        self._early = _leading_to_layers(graph.node)

    def is_constant(self, node: onnx.NodeProto) -> bool:
        """Whether the node depends on no input: weights and their quantizers."""
        return all(name in self._constant for name in node.output if name)

    def entry(self, node: onnx.NodeProto) -> dict[str, Any]:
        """The node's line."""
        label = node.name or next(filter(None, node.output), "(unnamed)")
        out = next(filter(None, node.output), "")
        shape = self._found.get(out)
        found: dict[str, Any] = {
            "node": label,
            "op": node.op_type,
            "shape": None if shape is None else " x ".join(map(str, shape)),
            "macs": None, "bops": None, "weights": None, "weight_bits": None, "input_bits": None,
            "output_bits": self._bits.of(out),
        }  # fmt: skip
        kernel = channels = None
        if node.op_type in PRODUCTS:
            data, weights = (node.input[i] if i < len(node.input) else "" for i in PRODUCTS[node.op_type])
            kernel, first = self._found.get(weights), self._found.get(data)
            channels = first[1] if first is not None and len(first) > 1 else None
            found |= self._product(node, data, weights, shape)
        refused = self._refusals.get(label)
        if refused is None and node.op_type in PRODUCTS:
            refused = self._floats(found, node)
        became = becomes(node, self._constant, kernel, channels)
        if refused is None and became in (None, HOST) and self._early.intersection(node.output):
            refused = "no hardware for it, and quantized layers lie behind it"
        elif refused is None and became is None:
            became = HOST
        return found | {"became": None if refused else became, "refused": refused}

    def _product(self, node: onnx.NodeProto, data: str, weights: str, out: tuple[int, ...] | None) -> dict[str, Any]:
        first, second = self._found.get(data), self._found.get(weights)
        macs = _macs(node, first, second, out)
        width, entering = self._bits.of(weights), self._bits.of(data)
        bops = None
        if macs and width is not None and entering is not None and out is not None and first is not None:
            terms = max(1, macs // max(1, math.prod(first if node.op_type == "ConvTranspose" else out)))
            bops = macs * (width * entering + entering + width + math.ceil(math.log2(terms)))
        fixed = weights in self._constant and second is not None
        return {
            "macs": macs,
            "weights": math.prod(second) if fixed and second is not None else None,
            "weight_bits": width,
            "input_bits": entering,
            "bops": bops,
        }

    def _floats(self, found: Mapping[str, Any], node: onnx.NodeProto) -> str | None:
        """What is missing in front of a product: quantizers."""
        missing = [
            text for key, text in (("input_bits", _FLOAT_INPUT), ("weight_bits", _FLOAT_WEIGHTS)) if found[key] is None
        ]
        operands = [node.input[i] for i in PRODUCTS[node.op_type] if i < len(node.input)]
        if not any(name in self._constant for name in operands):
            return "both of its operands are computed at run time"
        return " and ".join(missing) if missing else None


def _leading_to_layers(nodes: Sequence[onnx.NodeProto]) -> set[str]:
    """Tensors from which a quantizer or a matrix product is reached."""
    early: set[str] = set()
    for node in reversed(nodes):
        layer = node.op_type in PRODUCTS or node.op_type == "QuantizeLinear" or is_qonnx(node.domain, node.op_type)
        if layer or early.intersection(node.output):
            early.update(node.input)
    return early


def _macs(
    node: onnx.NodeProto, first: tuple[int, ...] | None, second: tuple[int, ...] | None, out: tuple[int, ...] | None
) -> int | None:
    """Multiply-accumulates per sample batch of a product; None where a shape is not known."""
    if not first or not second or out is None:
        return None
    if node.op_type == "ConvTranspose":
        return math.prod(first) * math.prod(second[1:])
    if "Conv" in node.op_type:
        return math.prod(out) * math.prod(second[1:])
    turned = next((a.i for a in node.attribute if a.name == "transA"), 0)
    return math.prod(out) * (first[-2] if turned and len(first) > 1 else first[-1])
