"""onnxruntime, opened the one way flowc uses it: graph optimizations off, few threads, quiet, errors as flowc's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper

from flowc.errors import ModelError

if TYPE_CHECKING:
    import onnxruntime as ort

__all__ = ["IR_VERSION", "OPSET", "open_session", "run_once", "run_session"]

IR_VERSION = 10
"""ONNX file format version of all flowc writes; onnxruntime reads it, but not always the newest."""
OPSET = 20
"""Newest standard operator set of flowc's model graph (models older than opset 19 keep to 18)."""

_ALONE = "run the model with onnxruntime alone to see the cause, and export it again"


def open_session(model: onnx.ModelProto, *, threads: int = 2) -> ort.InferenceSession:
    """A session that computes exactly the operators of `model`, in its order, without fusing any.

    Raises:
        ModelError: onnxruntime refuses the model.
    """
    import onnxruntime as ort  # a tenth of a small build's time, and most builds without verification never need it

    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    try:
        return ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise ModelError(f"onnxruntime can't run the model: {error}", remedy=_ALONE) from error


def run_session(
    session: ort.InferenceSession, outputs: Sequence[str], inputs: Mapping[str, npt.NDArray[Any]]
) -> list[npt.NDArray[Any]]:
    """Run a session once; returns the arrays named `outputs`.

    Raises:
        ModelError: onnxruntime fails on the model.
    """
    try:
        return [np.asarray(array) for array in session.run(list(outputs), dict(inputs))]
    except Exception as error:
        raise ModelError(f"onnxruntime can't compute the model: {error}", remedy=_ALONE) from error


def run_once(
    nodes: Sequence[onnx.NodeProto], constants: Mapping[str, npt.NDArray[Any]], outputs: Sequence[str], *, opset: int
) -> list[npt.NDArray[Any]]:
    """Run a few nodes on constants, once; returns the arrays named `outputs`.

    Raises:
        ModelError: onnxruntime refuses the nodes, or fails on them.
    """
    graph = helper.make_graph(
        list(nodes), "constants", [], [onnx.ValueInfoProto(name=name) for name in outputs],
        initializer=[numpy_helper.from_array(np.asarray(array), name) for name, array in constants.items()],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=IR_VERSION)
    return run_session(open_session(model, threads=1), outputs, {})
