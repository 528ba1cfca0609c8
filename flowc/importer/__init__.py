"""Import: a quantized ONNX model of any supported dialect -> flowc's canonical model graph.

The canonical graph is what every later stage reads; `load_model` documents it.
"""

from __future__ import annotations

import os

import onnx
import onnx_ir as ir

from flowc.errors import ModelError
from flowc.importer.annotations import input_annotations, quantize_annotated
from flowc.importer.build import build, declared_opset
from flowc.importer.channels_last import channels_first
from flowc.importer.check import check_graph, check_names
from flowc.importer.fold import fold_constants
from flowc.importer.integers import lower_integers
from flowc.importer.operators import check_operators
from flowc.importer.opsets import target_opset, upgrade
from flowc.importer.qonnx import lower_qonnx
from flowc.importer.read import read_model
from flowc.importer.rounding import quantize_rounding
from flowc.importer.shapes import require_static_shapes
from flowc.importer.simplify import simplify
from flowc.importer.suffix import cut_suffix
from flowc.model import ir as fir

__all__ = ["load_model"]


def load_model(source: str | os.PathLike[str] | onnx.ModelProto) -> ir.Model:
    """Read, check and normalise a model.

    Returns:
        The canonical model graph: standard operators of opset 20 (18 where the file is no newer) and flowc's own
        `Quantize` and `Dequantize` (domain "flowc", see `flowc.model.quantizers`), integers carried as float32, all shapes
        static with batch size 1, all constants as initializers.

    Raises:
        ModelError: the file can't be read or is malformed, or holds no quantizer.
        UnsupportedError: lists every operator flowc does not support.
    """
    proto = read_model(source)
    check_names(proto)
    declared_opset(proto)
    check_operators(proto)
    channels_first(proto.graph)
    check_graph(proto.graph)
    annotations = input_annotations(proto.graph)
    model = build(proto)
    fold_constants(model)
    cut_suffix(model, target_opset(model))
    upgrade(model)
    lower_qonnx(model)
    lower_integers(model)
    fold_constants(model)
    simplify(model)
    quantize_annotated(model, annotations)
    quantize_rounding(model)
    require_static_shapes(model.graph)
    _require_quantizers(model.graph)
    return model


def _require_quantizers(graph: ir.Graph) -> None:
    if not any(node.domain == fir.DOMAIN for node in graph):
        raise ModelError(
            "no quantized layer: the model computes in floats throughout",
            remedy="train or calibrate it with quantizers and export with Brevitas "
            "(brevitas.export.export_qonnx), or quantize it with onnxruntime.quantization",
        )
