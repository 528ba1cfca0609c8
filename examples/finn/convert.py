"""Streamlines the digits network and writes it in FINN's form: thresholds and integers instead of scales. Needs flowc alone.

What FINN's streamlining does to a chain of layers: the scale of weights and activations, the batch normalization and the ReLU between
two products all grow with the sum of products, so that together with the quantizer behind them they are a staircase over its integers.
What is left is a product of integers, held as float, and a MultiThreshold that counts the thresholds reached
(Umuroglu and Jahre, Streamlined Deployment for Quantized Neural Networks, 2017).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

HERE = Path(__file__).resolve().parent
DIGITS = HERE.parent / "digits" / "digits_cnn_w4a4.onnx"
QONNX = "qonnx.custom_op.general"

Array = NDArray[Any]


class Streamliner:
    """Walks a chain of layers in QONNX form and holds the graph that it becomes.

    At every point a value of the old graph is ``scale`` times the integer of the new one; ``tail`` are the functions of that
    value (batch normalization, ReLU) for which the new graph has no node, because the next thresholds hold them.
    """

    def __init__(self, old: onnx.GraphProto) -> None:
        self.old = old
        self.constants = {i.name: numpy_helper.to_array(i) for i in old.initializer}
        self.nodes: list[onnx.NodeProto] = []
        self.held: dict[str, Array] = {}
        self.types: dict[str, str] = {}  # of tensors, as FINN annotates them
        self.weights: dict[str, tuple[Array, float]] = {}  # tensor of the old graph -> integers, scale
        self.tensor, self.top = old.input[0].name, 0
        self.scale = 1.0
        self.tail: list[Callable[[Array], Array]] = []

    def run(self) -> onnx.ModelProto:
        for node in self.old.node:
            getattr(self, node.op_type.lower())(node, {a.name: helper.get_attribute_value(a) for a in node.attribute})
        self.emit("Mul", self.hold("scale", np.float32(self.scale)))
        self.nodes[-1].output[0] = self.old.output[0].name
        held = [numpy_helper.from_array(a.astype(np.float32), n) for n, a in self.held.items()]
        graph = helper.make_graph(self.nodes, "digits", self.old.input, self.old.output, held)
        for tensor, kind in self.types.items():
            entry = onnx.StringStringEntryProto(key="finn_datatype", value=kind)
            graph.quantization_annotation.append(
                onnx.TensorAnnotation(tensor_name=tensor, quant_parameter_tensor_names=[entry])
            )
        opsets = [helper.make_opsetid("", 13), helper.make_opsetid(QONNX, 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=8, producer_name="flowc finn example")

    def emit(self, kind: str, *inputs: str, domain: str = "", **attributes: Any) -> None:
        name = f"{kind}_{len(self.nodes)}"
        self.nodes.append(
            helper.make_node(kind, [self.tensor, *inputs], [f"{name}_out"], name=name, domain=domain, **attributes)
        )
        self.tensor = f"{name}_out"

    def hold(self, name: str, value: Any) -> str:
        self.held[name] = np.asarray(value)
        return name

    def quant(self, node: onnx.NodeProto, options: dict[str, Any]) -> None:
        """Of weights: their integers. Of activations: thresholds."""
        scale, bits = float(self.constants[node.input[1]]), int(self.constants[node.input[3]])
        low = -(1 << bits - 1) + options["narrow"] if options["signed"] else 0
        high = (1 << bits - options["signed"]) - 1
        if node.input[0] in self.constants:
            integers = np.rint(self.constants[node.input[0]] / np.float32(scale)).clip(low, high)
            self.weights[node.output[0]] = integers, scale
            return
        levels = np.arange(low + 1, high + 1)
        rows = self.on_integers(levels, scale) if self.tail else self.on_floats(levels, scale)
        kind = f"{'' if options['signed'] else 'U'}INT{bits}"
        thresholds = self.hold(f"thresholds_{len(self.nodes)}", rows)
        self.emit("MultiThreshold", thresholds, domain=QONNX, out_dtype=kind, out_bias=float(low))
        self.types[self.tensor] = kind
        self.scale, self.top, self.tail = scale, max(-low, high), []

    def on_floats(self, levels: Array, scale: float) -> Array:
        """The least float32 that reaches each level, (1, levels): the rounding of division and ties is in them."""
        least = np.float32((levels - 0.5) * scale)
        for _ in range(4):
            below = np.nextafter(least, np.float32(-np.inf))
            above = np.nextafter(least, np.float32(np.inf))
            low, high = (np.rint(t / np.float32(scale)) >= levels for t in (below, least))
            least = np.where(low, below, np.where(high, least, above))
        return least[None]

    def on_integers(self, levels: Array, scale: float) -> Array:
        """The least sum of products that reaches each level, (channels, levels).

        A channel that falls is turned around: its weights change sign.
        """
        name = next(n for n in reversed(self.held) if n.startswith("weights"))
        weights = self.held[name]
        outputs = np.moveaxis(weights, -1 if weights.ndim == 2 else 0, 0)  # a view
        reach = int(abs(outputs).reshape(len(outputs), -1).sum(1).max()) * self.top + 1
        sums = np.arange(-reach, reach + 1)
        value = np.repeat(sums[None] * self.scale, len(outputs), axis=0)
        for function in self.tail:
            value = function(value)
        reached = np.rint(value / scale)
        falls = reached[:, 0] > reached[:, -1]
        outputs[falls] *= -1
        reached[falls] = reached[falls, ::-1]
        return np.stack([np.searchsorted(row, levels) - reach for row in reached])

    def batchnormalization(self, node: onnx.NodeProto, options: dict[str, Any]) -> None:
        gamma, beta, mean, variance = (self.constants[n].astype(np.float64)[:, None] for n in node.input[1:])
        deviation = np.sqrt(variance + options["epsilon"])
        self.tail.append(lambda x: (x - mean) / deviation * gamma + beta)

    def relu(self, _node: onnx.NodeProto, _options: dict[str, Any]) -> None:
        self.tail.append(lambda x: x.clip(0))

    def transpose(self, node: onnx.NodeProto, options: dict[str, Any]) -> None:
        integers, scale = self.weights[node.input[0]]
        self.weights[node.output[0]] = integers.transpose(options["perm"]), scale

    def conv(self, node: onnx.NodeProto, options: dict[str, Any]) -> None:
        integers, scale = self.weights[node.input[1]]
        weights = self.hold(f"weights_{len(self.nodes)}", integers.copy())
        self.types[weights] = "INT4"
        self.emit(node.op_type, weights, **options)
        self.scale *= scale

    matmul = conv

    def maxpool(self, node: onnx.NodeProto, options: dict[str, Any]) -> None:
        """Of integers what it was of values: scales are positive."""
        self.emit(node.op_type, **options)

    flatten = maxpool


def main() -> None:
    onnx.save(Streamliner(onnx.load(DIGITS).graph).run(), HERE / "model.onnx")


if __name__ == "__main__":
    main()
