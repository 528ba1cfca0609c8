"""Single ONNX operators under onnxruntime on integer-valued floats, NCHW: what units are compared with."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

Array = npt.NDArray[Any]


def run_op(
    op: str, *inputs: Array, constants: tuple[Array | None, ...] = (), opset: int = 20, **attributes: Any
) -> Array:
    """The first output of one operator; ``constants`` follow the inputs (None: left out)."""
    names = [f"x{i}" for i in range(len(inputs))]
    extra = [f"c{i}" if c is not None else "" for i, c in enumerate(constants)]
    node = helper.make_node(op, names + extra, ["y"], **attributes)
    infos = [
        helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(a.dtype), list(a.shape))
        for n, a in zip(names, inputs, strict=True)
    ]
    weights = [
        numpy_helper.from_array(np.ascontiguousarray(c), n)
        for c, n in zip(constants, extra, strict=True)
        if c is not None
    ]
    kind = TensorProto.INT64 if op == "ArgMax" else helper.np_dtype_to_tensor_dtype(inputs[0].dtype)
    graph = helper.make_graph([node], "op", infos, [helper.make_tensor_value_info("y", kind, None)], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    result: Array = session.run(None, dict(zip(names, (np.ascontiguousarray(a) for a in inputs), strict=True)))[0]
    return result


def nchw(frames: Array) -> Array:
    """(N, H, W, C) -> float32 (N, C, H, W)."""
    return np.ascontiguousarray(frames.transpose(0, 3, 1, 2)).astype(np.float32)


def nhwc(tensor: Array) -> Array:
    """(N, C, H, W) -> (N, H, W, C)."""
    return tensor.transpose(0, 2, 3, 1)
