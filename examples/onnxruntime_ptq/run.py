"""A network that was quantized after training, by onnxruntime alone: no Brevitas, no torch.

scikit-learn trains a perceptron on its digits in float; onnxruntime calibrates it and writes QuantizeLinear and DequantizeLinear; flowc
builds that file. Needs flowc[csim,plot], scikit-learn and g++.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

from examples.showing import Array, arguments, show


class Samples(CalibrationDataReader):  # type: ignore[misc]
    """What onnxruntime watches ranges on."""

    def __init__(self, x: Array) -> None:
        self.samples: Iterator[dict[str, Array]] = iter([{"x": x[i : i + 1]} for i in range(len(x))])

    def get_next(self) -> dict[str, Array] | None:
        return next(self.samples, None)


def float_model(net: Any) -> onnx.ModelProto:
    """scikit-learn's perceptron as ONNX: MatMul, Add, Relu."""
    nodes, constants, tensor = [], {}, "x"
    layers = list(zip(net.coefs_, net.intercepts_, strict=True))
    for i, (weights, bias) in enumerate(layers):
        constants |= {f"w{i}": weights, f"b{i}": bias}
        nodes.append(helper.make_node("MatMul", [tensor, f"w{i}"], [f"product{i}"], name=f"product{i}"))
        nodes.append(helper.make_node("Add", [f"product{i}", f"b{i}"], [f"sum{i}"], name=f"sum{i}"))
        tensor = f"sum{i}"
        if i + 1 < len(layers):
            nodes.append(helper.make_node("Relu", [tensor], [f"relu{i}"], name=f"relu{i}"))
            tensor = f"relu{i}"
    held = [numpy_helper.from_array(a.astype(np.float32), n) for n, a in constants.items()]
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["N", c]) for n, c in (("x", 64), (tensor, 10))]
    graph = helper.make_graph(nodes, "perceptron", ends[:1], ends[1:], held)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


def main() -> None:
    options = arguments(__doc__)
    digits = load_digits()
    x, test, y, labels = train_test_split(
        (digits.data / 16).astype(np.float32), digits.target, test_size=0.2, random_state=0
    )
    net = MLPClassifier((48, 32), max_iter=60, random_state=0).fit(x, y)
    print(f"{'scikit-learn':12} {net.score(test, labels):7.2%} of {len(test)} samples right, in float")
    folder = options.output / "models" / "onnxruntime_ptq"
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(float_model(net), folder / "float.onnx")
    quantize_static(
        folder / "float.onnx", folder / "model.onnx", Samples(x[:200]), quant_format=QuantFormat.QDQ,
        activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8, extra_options={"WeightSymmetric": True},
    )  # fmt: skip
    show(folder / "model.onnx", test, labels, options, fps=50_000)


if __name__ == "__main__":
    main()
