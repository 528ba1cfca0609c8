"""The networks of the speed measurements as ONNX files, made without a training framework.

    python -m benchmarks.models FOLDER

Weights are random, but every quantizer is scaled by the statistics that its layer's inputs would have, so that all levels occur:
speed depends on shapes, types and the spread of the activations alone. The same call writes the same bytes.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

__all__ = ["MODELS", "Model", "write_model"]

Array = NDArray[Any]
_QONNX = "qonnx.custom_op.general"


class Model:
    """An ONNX graph under construction; methods add nodes to the end and return the new tensor's name.

    Activations are kept at a standard deviation of about one in front of each quantizer by a BatchNormalization.
    """

    def __init__(
        self, name: str, shape: tuple[int, ...], *, weight_bits: int, bits: int, dialect: str = "qonnx"
    ) -> None:
        self.name, self.weight_bits, self.bits, self.dialect = name, weight_bits, bits, dialect
        self.rng = np.random.default_rng(0)
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []
        self.input = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", *shape])
        self.power = {"x": 1 / 3}  # mean square of each tensor, for the scales behind it

    def const(self, value: Any, dtype: Any = np.float32) -> str:
        name = f"c{len(self.initializers)}"
        self.initializers.append(numpy_helper.from_array(np.asarray(value, dtype), name))
        return name

    def op(self, kind: str, *inputs: str, power: float = 1.0, domain: str = "", **attributes: Any) -> str:
        name = f"{kind.lower()}{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], name=name, domain=domain, **attributes))
        self.power[name] = power
        return name

    def quant(self, x: str, scale: float, bits: int, *, signed: bool, narrow: bool = False, power: float = 1.0) -> str:
        """Quant, or QuantizeLinear and DequantizeLinear."""
        if self.dialect == "qdq":
            kind = np.int8 if signed else np.uint8
            parameters = self.const(scale), self.const(0, kind)
            return self.op("DequantizeLinear", self.op("QuantizeLinear", x, *parameters), *parameters, power=power)
        if bits == 1:
            return self.op("BipolarQuant", x, self.const(scale), domain=_QONNX, power=power)
        inputs = x, self.const(scale), self.const(0.0), self.const(float(bits))
        return self.op(
            "Quant", *inputs, domain=_QONNX, power=power, signed=int(signed), narrow=int(narrow), rounding_mode="ROUND"
        )

    def image(self) -> str:
        """The input as eight-bit integers, 0 to 1."""
        return self.quant("x", 1 / 255, 8, signed=False, power=1 / 3)

    def weight(self, shape: tuple[int, ...], bits: int) -> tuple[str, float]:
        """A weight tensor behind its quantizer, and its mean square."""
        values = self.rng.normal(0, 1, shape)
        scale = 1.0 if bits == 1 else 3 / (1 << (bits - 1)) if bits > 2 else 1.0
        return self.quant(self.const(values), scale, bits, signed=True, narrow=True), 1.0

    def product(self, kind: str, x: str, shape: tuple[int, ...], bits: int | None, **attributes: Any) -> str:
        """Conv or MatMul with quantized weights."""
        fan_in = int(np.prod(shape[1:])) if kind == "Conv" else shape[0]
        weight, power = self.weight(shape, self.weight_bits if bits is None else bits)
        return self.op(kind, x, weight, power=self.power[x] * power * fan_in, **attributes)

    def conv(
        self,
        x: str,
        cin: int,
        cout: int,
        k: int = 3,
        *,
        stride: int = 1,
        pad: int = 0,
        group: int = 1,
        bits: int | None = None,
    ) -> str:
        return self.product(
            "Conv",
            x,
            (cout, cin // group, k, k),
            bits,
            kernel_shape=(k, k),
            strides=(stride, stride),
            pads=(pad,) * 4,
            group=group,
        )

    def normed(self, x: str, channels: int) -> str:
        """BatchNormalization to a deviation of about one, with some spread between channels."""
        rng = self.rng
        parameters = (
            rng.uniform(0.8, 1.2, channels), rng.normal(0, 0.2, channels), np.zeros(channels),
            self.power[x] * rng.uniform(0.8, 1.2, channels),
        )  # fmt: skip
        return self.op("BatchNormalization", x, *(self.const(p) for p in parameters))

    def active(self, x: str) -> str:
        """The activation's quantizer: bipolar, or behind a ReLU."""
        if self.bits == 1:
            return self.quant(x, 1.0, 1, signed=True)
        return self.quant(self.op("Relu", x), 2.5 / ((1 << self.bits) - 1), self.bits, signed=False, power=0.5)

    def layer(self, x: str, cin: int, cout: int, k: int = 3, **options: Any) -> str:
        return self.active(self.normed(self.conv(x, cin, cout, k, **options), cout))

    def dense(self, x: str, inputs: int, outputs: int) -> str:
        return self.product("MatMul", x, (inputs, outputs), None)

    def flat(self, x: str) -> str:
        return self.op("Flatten", x, power=self.power[x], axis=1)

    def block(self, x: str, cin: int, cout: int, stride: int) -> str:
        """A basic residual block; both branches are quantized alike before they are added."""
        main = self.layer(x, cin, cout, stride=stride, pad=1)
        main = self.active(self.normed(self.conv(main, cout, cout, pad=1), cout))
        short = self.layer(x, cin, cout, 1, stride=stride) if stride > 1 or cin != cout else x
        return self.active(self.op("Add", main, short))

    def done(self, y: str) -> onnx.ModelProto:
        self.nodes[-1].output[0] = "y"
        assert self.nodes[-1].name == y
        output = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
        graph = helper.make_graph(self.nodes, self.name, [self.input], [output], self.initializers)
        opsets = [helper.make_opsetid("", 17), helper.make_opsetid(_QONNX, 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=9, producer_name="flowc.benchmarks")


def tfc(bits: int = 2) -> onnx.ModelProto:
    """784-64-64-64-10, the FINN papers' perceptron."""
    m = Model(f"tfc_{bits}w{bits}a", (1, 28, 28), weight_bits=bits, bits=bits)
    x, inputs = m.flat(m.image()), 784
    for _ in range(3):
        x, inputs = m.active(m.normed(m.dense(x, inputs, 64), 64)), 64
    return m.done(m.dense(x, 64, 10))


def cnv(bits: int) -> onnx.ModelProto:
    """The FINN papers' VGG-like CIFAR-10 network."""
    m = Model(f"cnv_{bits}w{bits}a", (3, 32, 32), weight_bits=bits, bits=bits)
    x, cin = m.image(), 3
    for cout, pool in ((64, False), (64, True), (128, False), (128, True), (256, False), (256, False)):
        x, cin = m.layer(x, cin, cout), cout
        if pool:
            x = m.op("MaxPool", x, power=m.power[x], kernel_shape=(2, 2), pads=[0, 0, 0, 0], strides=(2, 2))
    x = m.flat(x)
    for inputs in (256, 512):
        x = m.active(m.normed(m.dense(x, inputs, 512), 512))
    return m.done(m.dense(x, 512, 10))


def resnet18(bits: int = 4) -> onnx.ModelProto:
    """ResNet-18 for 32 x 32 images, 555 million products."""
    m = Model(f"resnet18_{bits}w{bits}a", (3, 32, 32), weight_bits=bits, bits=bits)
    x, cin = m.layer(m.image(), 3, 64, pad=1, bits=8), 64
    for cout, stride in ((64, 1), (64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), (512, 1)):
        x, cin = m.block(x, cin, cout, stride), cout
    x = m.flat(m.quant(m.op("GlobalAveragePool", x), 2.5 / 15, bits, signed=False, power=0.3))
    return m.done(m.dense(x, 512, 10))


def mobilenet_v1(bits: int = 4) -> onnx.ModelProto:
    """MobileNetV1 for 224 x 224 images, 568 million products."""
    m = Model(f"mobilenet_v1_{bits}w{bits}a", (3, 224, 224), weight_bits=bits, bits=bits)
    x, cin = m.layer(m.image(), 3, 32, stride=2, pad=1, bits=8), 32
    steps = [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5, (1024, 2), (1024, 1)]
    for cout, stride in steps:
        x = m.layer(x, cin, cin, stride=stride, pad=1, group=cin)
        x, cin = m.layer(x, cin, cout, 1), cout
    x = m.flat(m.quant(m.op("GlobalAveragePool", x), 2.5 / 15, bits, signed=False, power=0.3))
    return m.done(m.dense(x, 1024, 1000))


def resnet8() -> onnx.ModelProto:
    """The ResNet-8 of MLPerf Tiny for CIFAR-10, int8 with QuantizeLinear and DequantizeLinear."""
    m = Model("resnet8_int8", (3, 32, 32), weight_bits=8, bits=8, dialect="qdq")
    x, cin = m.layer(m.image(), 3, 16, pad=1), 16
    for cout, stride in ((16, 1), (32, 2), (64, 2)):
        x, cin = m.block(x, cin, cout, stride), cout
    x = m.flat(m.quant(m.op("GlobalAveragePool", x), 2.5 / 255, 8, signed=False, power=0.3))
    return m.done(m.dense(x, 64, 10))


MODELS: dict[str, Callable[[], onnx.ModelProto]] = {
    "tfc-2w2a": tfc,
    "cnv-1w1a": lambda: cnv(1),
    "cnv-2w2a": lambda: cnv(2),
    "resnet18-4w4a": resnet18,
    "mobilenetv1-4w4a": mobilenet_v1,
    "resnet8-int8": resnet8,
}


def write_model(name: str, folder: Path) -> Path:
    """``folder/name.onnx``, made unless it is there."""
    path = folder / f"{name}.onnx"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        onnx.save(onnx.shape_inference.infer_shapes(MODELS[name]()), path)
    return path


def main() -> None:
    for name in MODELS:
        print(write_model(name, Path(sys.argv[1])))


if __name__ == "__main__":
    main()
