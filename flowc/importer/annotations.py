"""FINN's data types of model inputs: what a float32 input really holds.

Before: x (annotated finn_datatype UINT8) -> Conv
After:  x -> Quantize[0, 255](., 1, 0) -> Dequantize(., 1, 0) -> Conv

FINN and the qonnx package keep integers in float32 tensors and write their type beside them. On values of that type the
quantizer changes nothing; it is how the accelerator learns that it is sent integers.
"""

from __future__ import annotations

import re

import numpy as np
import onnx
import onnx_ir as ir

from flowc.importer.emit import Array, Emitter, Quantizer
from flowc.model import ir as fir
from flowc.model.dtypes import IntType

__all__ = ["input_annotations", "quantize_annotated"]

_KEY = "finn_datatype"
_NAMED = {"BINARY": (0, 1), "TERNARY": (-1, 1)}
_MOST_BITS = 16
_ONE: Array = np.ones((), np.float32)
_ZERO: Array = np.zeros((), np.float32)


def input_annotations(graph: onnx.GraphProto) -> dict[str, Quantizer]:
    """The integer type of every graph input that has one; other types (floats, fixed point) are left out."""
    inputs = {i.name for i in graph.input} - {t.name for t in graph.initializer}
    found = {}
    for annotation in graph.quantization_annotation:
        kinds = [e.value for e in annotation.quant_parameter_tensor_names if e.key == _KEY]
        quantizer = _quantizer(kinds[0]) if kinds and annotation.tensor_name in inputs else None
        if quantizer is not None:
            found[annotation.tensor_name] = quantizer
    return found


def _quantizer(kind: str) -> Quantizer | None:
    if kind == "BIPOLAR":
        return Quantizer(bits=1, signed=True, lo=-1, hi=1, style="bipolar")
    match = re.fullmatch(r"(U?)INT([1-9][0-9]?)", kind, re.ASCII)
    if match is not None and int(match[2]) <= _MOST_BITS:
        bits = int(match[2])
        lo, hi = (0, 2**bits - 1) if match[1] else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    elif kind in _NAMED:
        lo, hi = _NAMED[kind]
    else:
        return None
    dtype = IntType.for_range(lo, hi)
    return Quantizer(dtype.bits, dtype.signed, lo, hi)


def quantize_annotated(model: ir.Model, annotations: dict[str, Quantizer]) -> None:
    """Put the quantizer of its type behind every annotated float input that has none yet."""
    if not annotations:
        return
    emitter = Emitter(model.graph)
    for value in list(model.graph.inputs):
        users = list(value.uses())
        quantizer = annotations.get(value.name or "")
        quantized = all(fir.is_op(use.node, "Quantize", fir.DOMAIN) for use in users)
        if quantizer is None or value.dtype != ir.DataType.FLOAT or quantized:
            continue
        first = next(node for node in model.graph if any(use.node is node for use in users))
        name = value.name or ""
        q = emitter.quantize(first, value, _ONE, _ZERO, quantizer, name)
        x = emitter.dequantize(first, q, _ONE, _ZERO, name)
        for node in (q.producer(), x.producer()):
            if node is not None:
                node.metadata_props[fir.ORIGIN] = fir.origin_text([name])
        for use in users:
            use.node.replace_input_with(use.idx, x)
