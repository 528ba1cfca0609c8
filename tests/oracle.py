"""Independent answers for tests: the same network in standard ONNX operators, straight under onnxruntime.

`standard_form` writes every Quant and BipolarQuant of a model out by hand at the model's own opset; nothing of flowc is
used, and nothing else of the model is touched.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime as ort
from onnx import helper, numpy_helper

Array = npt.NDArray[Any]


def standard_form(model: onnx.ModelProto) -> onnx.ModelProto:
    """`model` with Quant (rounding ROUND, FLOOR or CEIL) and BipolarQuant written in operators of opset 9 and up.

    The integers of the quantizer with output `y` become the tensor `y/q`.
    """
    result = onnx.ModelProto()
    result.CopyFrom(model)
    constants = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    del result.graph.node[:]

    def op(op_type: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        result.graph.node.append(helper.make_node(op_type, inputs, [output], name=output, **attributes))
        return output

    def const(array: npt.ArrayLike, name: str) -> str:
        result.graph.initializer.append(numpy_helper.from_array(np.asarray(array, np.float32), name))
        return name

    for node in model.graph.node:
        y = node.output[0]
        if node.op_type == "BipolarQuant":
            # sign(sign(x) + 1/2) is +1 for x >= 0
            shifted = op("Add", [op("Sign", [node.input[0]], f"{y}/s"), const(0.5, f"{y}/half")], f"{y}/h")
            op("Mul", [op("Sign", [shifted], f"{y}/q"), node.input[1]], y)
        elif node.op_type == "Quant":
            attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
            bits = int(constants[node.input[3]].reshape(()))
            signed, narrow = attributes["signed"], attributes["narrow"]
            lo = -(2 ** (bits - 1)) + narrow if signed else 0
            hi = 2 ** (bits - 1) - 1 if signed else 2**bits - 1 - narrow
            rounding = {b"ROUND": "Round", b"FLOOR": "Floor", b"CEIL": "Ceil"}[attributes["rounding_mode"]]
            v = op("Div", [node.input[0], node.input[1]], f"{y}/d")
            v = op(rounding, [op("Add", [v, node.input[2]], f"{y}/a")], f"{y}/r")
            q = op("Min", [op("Max", [v, const(lo, f"{y}/lo")], f"{y}/m"), const(hi, f"{y}/hi")], f"{y}/q")
            op("Mul", [op("Sub", [q, node.input[2]], f"{y}/z"), node.input[1]], y)
        else:
            result.graph.node.append(node)
    kept = [o for o in model.opset_import if o.domain in ("", "com.microsoft")]
    del result.opset_import[:]
    result.opset_import.extend(kept)
    return result


def with_outputs(model: onnx.ModelProto, names: Sequence[str]) -> onnx.ModelProto:
    """`model` with more tensors as outputs."""
    result = onnx.ModelProto()
    result.CopyFrom(model)
    present = {o.name for o in result.graph.output}
    result.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names if name not in present)
    return result


def run_onnxruntime(model: onnx.ModelProto, inputs: dict[str, Array]) -> dict[str, Array]:
    """All outputs of a standard model, sample by sample, optimizations off."""
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    names = [o.name for o in session.get_outputs()]
    count = len(next(iter(inputs.values())))
    rows = [session.run(names, {k: v[i : i + 1] for k, v in inputs.items()}) for i in range(count)]
    return {name: np.concatenate([row[i] for row in rows]) for i, name in enumerate(names)}


def reference_integers(model: onnx.ModelProto, inputs: dict[str, Array]) -> dict[str, Array]:
    """Model outputs, and the integers `<y>/q` of every activation quantizer in the model, from onnxruntime."""
    standard = standard_form(model)
    constants = {t.name for t in standard.graph.initializer}
    for node in standard.graph.node:
        if node.input and all(name in constants for name in node.input):
            constants.update(node.output)
    quantized = [
        n.output[0] for n in standard.graph.node if n.output[0].endswith("/q") and n.output[0] not in constants
    ]
    integers = [
        n.output[0] for n in standard.graph.node if n.op_type == "QuantizeLinear" and n.output[0] not in constants
    ]
    return run_onnxruntime(with_outputs(standard, [*quantized, *integers]), inputs)
