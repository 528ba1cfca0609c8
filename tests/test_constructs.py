"""Every construct that becomes hardware: compiled, emulated, and compared with onnxruntime integer by integer.

Scales are chosen so that no float result lies on a rounding boundary by accident: the comparison is of equality.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto

from flowc.errors import FlowcError, UnsupportedError
from flowc.model.input_type import InputType
from flowc.streamline.compile import compile_model
from tests.compare import Checked, check_model
from tests.netbuild import QONNX, Net

F = np.float32
Build = Callable[[Net], str]
IMAGE, VECTOR, SERIES = [1, 4, 7, 7], [1, 12], [1, 4, 12]


def q(net: Net, x: str, scale: Any = None, **options: Any) -> str:
    """A quantizer; no two have the same scale unless they are told to."""
    scale = 0.3173 + 0.00171 * len(net.nodes) if scale is None else scale
    return net.quant(x, scale, options.pop("zero_point", 0.0), options.pop("bits", 4), **options)


def image(net: Net, channels: int = 4, **options: Any) -> str:
    """A quantized tensor that comes from a convolution."""
    return q(net, net.relu(net.conv(net.quant(net.x, 0.3), 4, channels, 3)), signed=False, **options)


def end(net: Net, y: str, channels: int = 4) -> str:
    """A last layer."""
    return (
        net.conv(y, channels, 3, 1)
        if len(net.inputs[0].type.tensor_type.shape.dim) == 4
        else net.conv(y, channels, 3, (1,))
    )


def shaped(shape: list[int], build: Build, **options: Any) -> Callable[[], tuple[onnx.ModelProto, dict[str, Any]]]:
    def make() -> tuple[onnx.ModelProto, dict[str, Any]]:
        net = Net(shape, **{k: v for k, v in options.items() if k in ("dialect", "opset", "seed")})
        y = build(net)
        return net.model(y), {k: v for k, v in options.items() if k in ("oracle", "input_type", "samples")}

    return make


# layers and biases


def conv(*arguments: Any, outputs: int = 6, **options: Any) -> Build:
    return lambda net: q(net, net.conv(net.quant(net.x, 0.3), 4, outputs, *arguments, **options))


def quantized_bias(bits: int) -> Build:
    def build(net: Net) -> str:
        w, b = net.weight([6, 12], 4), net.quant(net.const(net.rng.normal(0, 1, 6)), 0.3 * 3 / 8, bits=bits)
        return q(net, net.op("Gemm", net.quant(net.x, 0.3), w, b, transB=1))

    return build


def alpha_beta(net: Net) -> str:
    b = net.const(net.rng.normal(0, 1, (1, 6)))
    return q(net, net.op("Gemm", net.quant(net.x, 0.3), net.weight([12, 6], 4), b, alpha=0.7, beta=1.3))


LAYERS: dict[str, Any] = {
    **{f"linear, {form}": shaped(VECTOR, lambda net, form=form: q(net, net.linear(net.quant(net.x, 0.3), 12, 6, form=form)))
       for form in ("Gemm", "MatMul", "plain")},
    "linear, float bias": shaped(VECTOR, lambda net: q(net, net.linear(net.quant(net.x, 0.3), 12, 6, bias=True))),
    **{f"linear, bias of {bits} bits": shaped(VECTOR, quantized_bias(bits)) for bits in (8, 16, 32)},
    "Gemm with alpha and beta": shaped(VECTOR, alpha_beta),
    "linear on a sequence": shaped([1, 5, 8], lambda net: q(net, net.linear(net.quant(net.x, 0.3), 8, 6, form="plain", bias=True))),
    "convolution": shaped(IMAGE, conv(3)),
    "convolution, bias": shaped(IMAGE, conv(3, bias=True)),
    "convolution, 1 x 1": shaped(IMAGE, conv(1)),
    "convolution, stride": shaped(IMAGE, conv(3, strides=[2, 3])),
    "convolution, dilation": shaped(IMAGE, conv(3, dilations=[2, 1])),
    "convolution, rectangular": shaped(IMAGE, conv((2, 5))),
    "convolution, symmetric padding": shaped(IMAGE, conv(3, pads=[1, 1, 1, 1])),
    "convolution, asymmetric padding": shaped(IMAGE, conv(3, pads=[0, 1, 2, 0])),
    **{f"convolution, {mode}": shaped(IMAGE, conv(3, auto_pad=mode, strides=[2, 2])) for mode in ("SAME_UPPER", "SAME_LOWER", "VALID")},
    "convolution, grouped": shaped(IMAGE, conv(3, group=2)),
    "convolution, per-channel scales": shaped(IMAGE, conv(3, per_channel=True)),
    "depthwise": shaped(IMAGE, conv(3, group=4, outputs=4)),
    "depthwise, multiplier 2": shaped(IMAGE, conv(3, group=4, outputs=8, pads=[1] * 4)),
    "convolution, one dimension": shaped(SERIES, conv((3,), strides=[2], pads=[1, 0])),
    "depthwise, one dimension": shaped(SERIES, conv((5,), group=4, outputs=4, dilations=[2])),
    "padding with a zero point": shaped(IMAGE, lambda net: q(net, net.conv(net.quant(net.x, 0.3, 3.0), 4, 3, pads=[1] * 4))),
    "transposed convolution": shaped(IMAGE, lambda net: q(net, net.conv_transpose(net.quant(net.x, 0.3), 4, 3))),
    "transposed convolution, stride 2": shaped(IMAGE, lambda net: q(net, net.conv_transpose(
        net.quant(net.x, 0.3), 4, 3, 3, strides=[2, 2], pads=[1] * 4, output_padding=[1, 1]))),
    "transposed convolution, grouped": shaped(IMAGE, lambda net: q(net, net.conv_transpose(
        net.quant(net.x, 0.3), 4, 6, 3, group=2, strides=[2, 2], pads=[1] * 4))),
    "transposed convolution, depthwise": shaped(IMAGE, lambda net: q(net, net.conv_transpose(
        net.quant(net.x, 0.3), 4, 4, 4, group=4, strides=[2, 2], pads=[1] * 4))),
    "activation that never moves": shaped(IMAGE, lambda net: q(net, net.conv(net.quant(net.conv(net.quant(net.x, 0.01), 4, 3), 80.0), 3, 2))),
    "relu behind a quantizer": shaped(IMAGE, lambda net: q(net, net.conv(net.relu(net.quant(net.x, 0.3)), 4, 3))),
    "transposed convolution, one dimension": shaped(SERIES, lambda net: q(net, net.op(
        "ConvTranspose", net.quant(net.x, 0.3), net.weight([4, 3, 4], 4), strides=[2], pads=[1, 1]))),
    "two linear layers without an activation": shaped(VECTOR, lambda net: q(net, net.linear(net.linear(net.quant(net.x, 0.25), 12, 5, bits=2), 5, 4, bits=2), 1.173)),
}  # fmt: skip

# normalization and constants


def tensor_norm(net: Net) -> str:
    y = net.linear(net.quant(net.x, 0.3), 12, 6)
    mean, var, gain, shift = (net.const(F(v)) for v in (0.13, 2.7, 1.37, -0.21))
    y = net.op("Div", net.op("Sub", y, mean), net.op("Pow", var, net.const(F(0.5))))
    return q(net, net.op("Add", net.op("Mul", y, gain), shift))


NORMS: dict[str, Any] = {
    "batch norm of any sign": shaped(IMAGE, lambda net: q(net, net.bn(net.conv(net.quant(net.x, 0.3), 4, 4), 4, signs=True))),
    "batch norm behind relu": shaped(IMAGE, lambda net: q(net, net.bn(net.relu(net.conv(net.quant(net.x, 0.3), 4, 4)), 4, signs=True))),
    "batch norm behind a quantizer": shaped(IMAGE, lambda net: q(net, net.bn(image(net), 4))),
    "batch norm of a vector": shaped(VECTOR, lambda net: q(net, net.bn(net.linear(net.quant(net.x, 0.3), 12, 6), 6, signs=True))),
    "tensor norm": shaped(VECTOR, tensor_norm),
    "constants": shaped(IMAGE, lambda net: q(net, net.op("Sub", net.op("Div", net.op("Mul", net.conv(net.quant(net.x, 0.3), 4, 3),
        net.const(net.rng.uniform(-2, 2, (1, 3, 1, 1)))), net.const(F(1.7))), net.const(net.rng.normal(0, 1, (3, 1, 1)))))),
    "constants in front of a layer": shaped(IMAGE, lambda net: q(net, net.conv(net.op("Mul", net.quant(net.x, 0.3), net.const(F(2))), 4, 3))),
}  # fmt: skip

# activations


def activation(op: Callable[[Net, str], str], **options: Any) -> Build:
    return lambda net: end(net, q(net, op(net, net.conv(net.quant(net.x, 0.3), 4, 4)), **options))


def unary(op: str, **attributes: Any) -> Callable[[Net, str], str]:
    return lambda net, y: net.op(op, y, **attributes)


FUNCTIONS: dict[str, Callable[[Net, str], str]] = {
    "relu": unary("Relu"),
    "relu6": lambda net, y: net.op("Clip", y, net.const(F(0)), net.const(F(6))),
    "hardtanh": lambda net, y: net.op("Clip", y, net.const(F(-1)), net.const(F(1))),
    "leaky relu": unary("LeakyRelu", alpha=0.1),
    "prelu": lambda net, y: net.op("PRelu", y, net.const(net.rng.uniform(0, 0.5, (4, 1, 1)))),
    "sigmoid": unary("Sigmoid"),
    "tanh": unary("Tanh"),
    "hard sigmoid": unary("HardSigmoid", alpha=1 / 6, beta=0.5),
    "hard swish": unary("HardSwish"),
    "hard swish as written by exporters": lambda net, y: net.op(
        "Mul", y, net.op("HardSigmoid", y, alpha=1 / 6, beta=0.5)
    ),
    "silu": lambda net, y: net.op("Mul", y, net.op("Sigmoid", y)),
    "elu": unary("Elu"),
    "identity": lambda net, y: y,
}
ACTIVATIONS: dict[str, Any] = {
    **{name: shaped(IMAGE, activation(op, scale=0.0673 if "igm" in name or name == "tanh" else 0.3173)) for name, op in FUNCTIONS.items()},
    **{f"{bits} bits": shaped(IMAGE, activation(FUNCTIONS["relu"], bits=bits, scale=9.17 / 2**bits, signed=False)) for bits in range(1, 9)},
    "16 bits": shaped(IMAGE, activation(FUNCTIONS["relu"], bits=16, scale=0.0173, signed=False)),
    "narrow": shaped(IMAGE, activation(FUNCTIONS["identity"], narrow=True)),
    "unsigned and narrow": shaped(IMAGE, activation(FUNCTIONS["relu"], narrow=True, signed=False)),
    "zero point": shaped(IMAGE, activation(FUNCTIONS["leaky relu"], zero_point=5.0, signed=False)),
    "negative zero point": shaped(IMAGE, activation(FUNCTIONS["identity"], zero_point=-3.0)),
    "ternary": shaped(IMAGE, activation(FUNCTIONS["identity"], bits=2, narrow=True, scale=1.173)),
    "binary": shaped(IMAGE, lambda net: end(net, net.bipolar(net.bn(net.conv(net.bipolar(net.x, 0.7), 4, 4), 4, signs=True), 1.3))),
    "binary, padded with zeros": shaped(IMAGE, lambda net: q(net, net.conv(net.bipolar(net.x, 0.7), 4, 4, pads=[1] * 4))),
    "one unsigned bit": shaped(IMAGE, activation(FUNCTIONS["relu"], bits=1, scale=1.173, signed=False)),
    "scale per channel into a depthwise layer": shaped(IMAGE, lambda net: q(net, net.conv(
        image(net, scale=net.rng.uniform(0.2, 0.4, (1, 4, 1, 1))), 4, 4, group=4))),
    "scale per channel, multiples of one unit, into a dense layer": shaped(IMAGE, lambda net: q(net, net.conv(
        image(net, scale=np.array([0.25, 0.5, 0.75, 0.25]).reshape(1, 4, 1, 1)), 4, 3))),
    **{f"rounding {mode}": shaped(IMAGE, activation(FUNCTIONS["identity"], rounding=mode), oracle=mode in ("FLOOR", "CEIL"))
       for mode in ("FLOOR", "CEIL", "UP", "DOWN", "HALF_UP", "HALF_DOWN", "ROUND_TO_ZERO", "half_up")},
    **{f"rounding {mode} with ties": shaped(IMAGE, lambda net, mode=mode: q(net, net.conv(net.quant(net.x, 0.25), 4, 4, bits=3), 1.5, rounding=mode), oracle=mode == "ROUND")
       for mode in ("ROUND", "HALF_UP", "HALF_DOWN")},
}  # fmt: skip

# weights


def weights(make: Callable[[Net], str]) -> Build:
    return lambda net: q(net, net.op("MatMul", net.quant(net.x, 0.3), make(net)), 0.7173)


def normal(net: Net) -> str:
    return net.const(net.rng.normal(0, 1, (12, 6)))


WEIGHTS: dict[str, Any] = {
    "binary weights": shaped(VECTOR, weights(lambda net: net.bipolar(normal(net), 0.37))),
    "binary weights, scale per channel": shaped(VECTOR, weights(lambda net: net.bipolar(normal(net), net.rng.uniform(0.2, 0.5, (1, 6))))),
    "ternary weights": shaped(VECTOR, weights(lambda net: net.quant(normal(net), 0.6, bits=2, narrow=True))),
    "two-level ternary weights": shaped(VECTOR, weights(lambda net: net.const(net.rng.choice([-0.37, 0.0, 0.81], (12, 6))))),
    **{f"weights of {bits} bits": shaped(VECTOR, weights(lambda net, bits=bits: net.quant(normal(net), 3.1 / 2 ** (bits - 1), bits=bits))) for bits in range(2, 9)},
    "wide weights": shaped(VECTOR, weights(lambda net: net.quant(normal(net), 0.37, narrow=False))),
    "weights with a zero point": shaped(VECTOR, weights(lambda net: net.quant(normal(net), 0.21, 6.0, signed=False))),
    "weights at a power of two": shaped(VECTOR, weights(lambda net: net.quant(normal(net), 0.25))),
    "float weights on a grid": shaped(VECTOR, weights(lambda net: net.const((np.concatenate([np.ones((1, 6)), net.rng.integers(-7, 8, (11, 6))]) * F(0.213)).astype(F)))),
    "one weight tensor for two layers": shaped([1, 6], lambda net: (lambda w: q(net, net.op("MatMul", q(net, net.op("MatMul", net.quant(net.x, 0.3), w)), w)))(net.weight([6, 6], 4))),
}  # fmt: skip

# joins and routing


def residual(scale: float, depth: int = 1) -> Build:
    def build(net: Net) -> str:
        x = y = image(net, scale=0.3173)
        for _ in range(depth):
            y = q(net, net.relu(net.conv(y, 4, 4, pads=[1] * 4)), signed=False)
        other = q(net, net.conv(y, 4, 4, 1), scale)
        return end(net, q(net, net.relu(net.add(other, x)), 0.4127, signed=False))

    return build


def shared_quantizer(net: Net) -> str:
    """Brevitas' residual: both sides through quantizers on the same initializers."""
    parameters = [net.const(v) for v in (F(0.3173), F(0), F(4))]
    x = image(net, scale=0.2917)
    a, b = (
        net.op("Quant", v, *parameters, domain=QONNX, signed=1, narrow=0, rounding_mode="ROUND")
        for v in (net.conv(x, 4, 4, 1), net.conv(x, 4, 4, 1))
    )
    return end(net, q(net, net.relu(net.add(a, b)), signed=False))


def deep_fork(net: Net) -> str:
    parts = [image(net, scale=0.3173)]
    for bits in (3, 5, 6):
        joined = net.concat(*parts) if len(parts) > 1 else parts[0]
        parts.append(q(net, net.bn(net.conv(joined, 4 * len(parts), 4, 1, bits=bits), 4), 0.3173))
    return end(net, net.concat(*parts), 16)


def three_summands(net: Net) -> str:
    x = net.quant(net.x, 0.25)
    return q(
        net, net.add(net.add(net.conv(x, 4, 3, 1, bits=3), net.conv(x, 4, 3, 1, bits=3)), net.conv(x, 4, 3, 1, bits=3))
    )


def gate(net: Net) -> str:
    x = image(net)
    g = q(net, net.op("Sigmoid", net.conv(net.op("GlobalAveragePool", x), 4, 4, 1)), 0.0673, signed=False)
    return end(net, q(net, net.op("Mul", x, g), 0.1373, signed=False))


def split(net: Net) -> str:
    first = net.op("Split", image(net, 8), outputs=2, num_outputs=2, axis=1)
    a, b = q(net, net.conv(first, 4, 4, 1), 0.3173), q(net, net.conv(f"{first}.1", 4, 4, 1), 0.3173)
    return end(net, net.concat(a, b), 8)


def sliced(net: Net) -> str:
    return end(net, net.op("Slice", image(net, 8), *(net.const(np.array([v])) for v in (2, 7, 1))), 5)


def resize(net: Net, x: str) -> str:
    scales = net.const(np.array([1, 1, 2, 2], F))
    return net.op(
        "Resize", x, "", scales, mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor"
    )


JOINS: dict[str, Any] = {
    "residual, equal scales": shaped(IMAGE, residual(0.3173)),
    "residual, other scales": shaped(IMAGE, residual(0.2211)),
    "residual over three layers": shaped(IMAGE, residual(0.2211, 3)),
    "residual, shared quantizer": shaped(IMAGE, shared_quantizer),
    "fork of a fork": shaped(IMAGE, deep_fork),
    "sum of three accumulators": shaped(IMAGE, three_summands),
    "concat, equal scales": shaped(IMAGE, lambda net: end(net, net.concat(image(net, scale=0.3173), image(net, scale=0.3173)), 8)),
    "concat, other scales": shaped(IMAGE, lambda net: q(net, net.conv(net.concat(image(net, scale=0.3173), image(net, scale=0.211)), 8, 8, group=8))),
    "concat of accumulators": shaped(IMAGE, lambda net: end(net, q(net, net.relu(net.concat(*(net.conv(net.quant(net.x, 0.3), 4, 4) for _ in (1, 2)))), signed=False), 8)),
    "split": shaped(IMAGE, split, opset=18),
    "slice of channels": shaped(IMAGE, sliced),
    "product of two tensors": shaped(IMAGE, lambda net: end(net, q(net, net.op("Mul", image(net), image(net)), 0.4127, signed=False))),
    "difference of two tensors": shaped(IMAGE, lambda net: end(net, q(net, net.op("Sub", image(net), image(net, scale=0.2211))))),
    "gate per channel": shaped(IMAGE, gate),
}  # fmt: skip

# pools and movement


def pooled(op: Callable[[Net, str], str], channels: int = 4) -> Build:
    return lambda net: end(net, op(net, image(net)), channels)


def averaged(op: Callable[[Net, str], str], **options: Any) -> Build:
    return lambda net: end(net, q(net, op(net, image(net)), options.get("scale", 0.1373), signed=False))


def truncated(rounding: str) -> Build:
    def build(net: Net) -> str:
        y = net.avgpool(image(net, scale=0.25), 2, 2)
        return end(net, net.trunc(y, 0.25 / 4, 6, 4, rounding=rounding))

    return build


def unrelated_scales(net: Net) -> str:
    return end(net, image(net, scale=net.rng.uniform(0.2, 0.4, (1, 4, 1, 1))))


MOVES: dict[str, Any] = {
    "reflected border": shaped(IMAGE, lambda net: end(net, net.op("Pad", image(net), net.const(np.array([0, 0, 1, 1, 0, 0, 1, 1])), mode="reflect"))),
    "concat of unrelated scales into a convolution": shaped(IMAGE, unrelated_scales),
    "max pool": shaped(IMAGE, pooled(lambda net, x: net.maxpool(x))),
    "max pool, overlapping and padded": shaped(IMAGE, pooled(lambda net, x: net.maxpool(x, 3, 2, pads=[1] * 4))),
    "max pool, ceil mode": shaped(IMAGE, pooled(lambda net, x: net.maxpool(x, 2, 2, ceil_mode=1))),
    "max pool in front of the quantizer": shaped(IMAGE, lambda net: end(net, q(net, net.maxpool(net.relu(net.conv(net.quant(net.x, 0.3), 4, 4)), 2), signed=False))),
    "max pool of negative batch norm": shaped(IMAGE, lambda net: end(net, q(net, net.bn(net.maxpool(net.conv(net.quant(net.x, 0.3), 4, 4), 2), 4, signs=True)))),
    "average pool": shaped(IMAGE, averaged(lambda net, x: net.avgpool(x, 3, 1))),
    "average pool, padded": shaped(IMAGE, averaged(lambda net, x: net.avgpool(x, 3, 2, pads=[1] * 4))),
    "average pool, padding counted": shaped(IMAGE, averaged(lambda net, x: net.avgpool(x, 3, 2, pads=[1] * 4, count_include_pad=1))),
    "average pool, ceil mode": shaped(IMAGE, averaged(lambda net, x: net.avgpool(x, 2, 2, ceil_mode=1))),
    "global average": shaped(IMAGE, averaged(lambda net, x: net.op("GlobalAveragePool", x), scale=0.0731)),
    "mean over positions": shaped(IMAGE, averaged(lambda net, x: net.op("ReduceMean", x, axes=[2, 3], keepdims=1), scale=0.0731)),
    "average and Trunc, floor": shaped(IMAGE, truncated("FLOOR"), oracle=False),
    "average and Trunc, round": shaped(IMAGE, truncated("ROUND"), oracle=False),
    "pad": shaped(IMAGE, pooled(lambda net, x: net.op("Pad", x, net.const(np.array([0, 0, 1, 0, 0, 0, 2, 1])), net.const(F(0))))),
    "upsample": shaped(IMAGE, pooled(resize)),
    "depth to space": shaped(IMAGE, pooled(lambda net, x: net.op("DepthToSpace", x, blocksize=2, mode="CRD"), 1)),
    "flatten": shaped(IMAGE, lambda net: net.linear(net.flatten(image(net)), 100, 5)),
    "reshape to a vector": shaped(IMAGE, lambda net: net.linear(net.reshape(image(net), [1, -1]), 100, 5)),
    "transpose in front of a linear layer": shaped(IMAGE, lambda net: net.linear(net.flatten(net.op("Transpose", image(net), perm=[0, 2, 3, 1])), 100, 5)),
    "channels last": shaped([1, 7, 7, 4], lambda net: net.op("Transpose", end(net, q(net, net.conv(net.op("Transpose", net.quant(net.x, 0.3), perm=[0, 3, 1, 2]), 4, 4))), perm=[0, 2, 3, 1])),
    "identity, dropout and cast": shaped(IMAGE, pooled(lambda net, x: net.op("Cast", net.op("Dropout", net.op("Identity", x)), to=TensorProto.FLOAT))),
}  # fmt: skip

# ends


def indices(net: Net) -> str:
    return net.op("ArgMax", net.linear(net.quant(net.x, 0.25), 12, 6), axis=1, keepdims=0)


ENDS: dict[str, Any] = {
    "softmax": shaped(VECTOR, lambda net: net.op("Softmax", net.linear(net.quant(net.x, 0.3), 12, 6), axis=1)),
    "scaled logits": shaped(VECTOR, lambda net: net.op("Mul", net.linear(net.quant(net.x, 0.3), 12, 6, bias=True), net.const(F(0.1)))),
    "quantized logits": shaped(VECTOR, lambda net: net.quant(net.linear(net.quant(net.x, 0.3), 12, 6), 0.3173, bits=8)),
    "float preprocessing": shaped(IMAGE, lambda net: q(net, net.conv(net.quant(net.op("Div", net.op("Sub", net.x, net.const(F(0.4))), net.const(F(0.3))), 0.3), 4, 3))),
    "preprocessing of bytes, with an input type": shaped(IMAGE, lambda net: q(net, net.conv(net.quant(net.op("Div", net.op("Sub", net.x, net.const(F(0.45))), net.const(F(0.23))), 0.11, bits=6), 4, 3)), input_type=InputType(8, False, 1 / 255)),
    "bytes straight into a layer, with an input type": shaped(IMAGE, lambda net: q(net, net.conv(net.op("Sub", net.op("Mul", net.x, net.const(F(2))), net.const(F(1))), 4, 3)), input_type=InputType(8, False, 1 / 255)),
    "dynamic batch": shaped(["N", 12], lambda net: q(net, net.linear(net.quant(net.x, 0.3), 12, 6))),
    "QCDQ": shaped(IMAGE, lambda net: q(net, net.relu(net.conv(net.quant(net.x, 0.3), 4, 3, bits=8, per_channel=True)), signed=False), dialect="qcdq"),
    "opset 9": shaped(IMAGE, lambda net: q(net, net.relu(net.conv(net.quant(net.x, 0.3), 4, 3)), signed=False), opset=9, oracle=False),
    "opset 11": shaped(IMAGE, lambda net: q(net, net.relu(net.conv(net.quant(net.x, 0.3), 4, 3)), signed=False), opset=11),
    "opset 21": shaped(IMAGE, lambda net: q(net, net.relu(net.conv(net.quant(net.x, 0.3), 4, 3)), signed=False), opset=21),
}  # fmt: skip

CASES = LAYERS | NORMS | ACTIVATIONS | WEIGHTS | JOINS | MOVES | ENDS


def checked(name: str) -> Checked:
    model, options = CASES[name]()
    return check_model(model, **({"samples": 2} | options))


@pytest.mark.parametrize("name", CASES)
def test_becomes_hardware(name: str) -> None:
    result = checked(name)
    assert any(u.kind in ("mvtu", "vvtu") for u in result.compiled.graph)
    assert result.found.mismatches == result.found.explained == 0
    if result.compiled.tail is not None:
        # What is left to the host behind the last integers is dequantizing, scaling and the like.
        left = {n.op_type for n in result.compiled.tail.model.graph.node}
        assert left <= {
            "Cast",
            "Sub",
            "Mul",
            "Add",
            "Div",
            "Softmax",
            "Transpose",
            "Clip",
            "Round",
            "Conv",
            "MatMul",
        } - {"Conv", "MatMul"}


def test_argmax_ends_in_hardware() -> None:
    net = Net(VECTOR)
    result = check_model(net.model(indices(net), elem_type=TensorProto.INT64), samples=10)
    assert result.compiled.tail is None
    assert result.compiled.graph.outputs[0].frame.c == 1


# refused


def attention(net: Net) -> str:
    x = net.quant(net.x, 0.3)
    queries, keys = (q(net, net.linear(x, 8, 8, form="plain")) for _ in (1, 2))
    scores = net.op("MatMul", queries, net.op("Transpose", keys, perm=[0, 2, 1]))
    return q(net, scores)


def recurrent(net: Net) -> str:
    x = net.quant(net.x, 0.3)
    w, r = (net.const(net.rng.normal(0, 1, (1, 16, n))) for n in (8, 4))
    y = net.op("LSTM", x, w, r, hidden_size=4, outputs=3)
    return q(net, net.linear(q(net, net.reshape(y, [1, 20])), 20, 3))


def float_quantized(net: Net) -> str:
    x = net.op("FloatQuant", net.x, *(net.const(F(v)) for v in (1, 4, 3, 7, 448)), domain=QONNX)
    return net.linear(x, 12, 6)


REFUSED: dict[str, tuple[list[int], Build, str]] = {
    "attention": ([1, 5, 8], attention, "both operands are computed at run time"),
    "LSTM": ([1, 5, 8], recurrent, "LSTM"),
    "FP8": (VECTOR, float_quantized, "FloatQuant"),
    "float layer between quantized ones": (VECTOR, lambda net: q(net, net.linear(q(net, net.op("Softmax", net.linear(net.quant(net.x, 0.3), 12, 6), axis=1)), 6, 4)), "Softmax"),
    "cumulative sum": (VECTOR, lambda net: q(net, net.linear(q(net, net.op("CumSum", net.quant(net.x, 0.3), net.const(np.array(1)))), 12, 4)), "CumSum"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_refused_by_name_and_reason(name: str) -> None:
    shape, build, reason = REFUSED[name]
    net = Net(shape)
    model = net.model(build(net))
    with pytest.raises(FlowcError) as caught:
        compile_model(model)
    text = str(caught.value)
    assert reason in text
    assert caught.value.exit_code == 2
    culprits = [
        n.name
        for n in model.graph.node
        if n.op_type in ("MatMul", "LSTM", "FloatQuant", "Conv", "Softmax", "Pad", "CumSum")
    ]
    assert any(f"'{c}'" in text for c in culprits)
    assert isinstance(caught.value, UnsupportedError) or "unsupported" in text or caught.value.node
