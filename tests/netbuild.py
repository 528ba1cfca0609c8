"""Small quantized networks for tests, written straight with onnx.helper: nothing of flowc is used here.

    net = Net([1, 2, 8, 8])
    x = net.quant(net.x, 0.1, bits=4)
    x = net.relu(net.bn(net.conv(x, 2, 4), 4))
    x = net.quant(x, 0.2, bits=4, signed=False)
    model = net.model(net.linear(net.flatten(x), 4 * 64, 10))

In dialect "qcdq" the same calls write QuantizeLinear, Clip and DequantizeLinear instead of Quant (zero points are then
those of unsigned or signed 8-bit integers). Weights are random but the same for the same seed.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

QONNX = "qonnx.custom_op.general"
Array = npt.NDArray[Any]


class Net:
    """One graph under construction; every method adds nodes and returns the name of the new tensor.

    Args:
        shape: of the input "x"; strings are dynamic dimensions.
        dialect: "qonnx" or "qcdq".
        opset: of the standard domain.
        seed: of the random weights.
    """

    def __init__(
        self, shape: Sequence[int | str], *, dialect: str = "qonnx", opset: int = 17, seed: int = 0, domain: str = QONNX
    ) -> None:
        self.rng = np.random.default_rng(seed)
        self.dialect, self.opset, self.domain = dialect, opset, domain
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []
        self.inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, list(shape))]
        self.x = "x"
        self._count = 0

    def fresh(self, hint: str) -> str:
        self._count += 1
        return f"{hint}_{self._count}"

    def const(self, array: npt.ArrayLike, hint: str = "c", dtype: npt.DTypeLike | None = None) -> str:
        """An initializer; floats become float32 unless `dtype` says otherwise."""
        data = np.asarray(array)
        data = data.astype(dtype if dtype is not None else np.float32 if data.dtype.kind == "f" else data.dtype)
        name = self.fresh(hint)
        self.initializers.append(numpy_helper.from_array(data, name))
        return name

    def input(self, name: str, shape: Sequence[int | str], elem_type: int = TensorProto.FLOAT) -> str:
        """Another graph input."""
        self.inputs.append(helper.make_tensor_value_info(name, elem_type, list(shape)))
        return name

    def op(self, op_type: str, *inputs: str, domain: str = "", outputs: int = 1, **attributes: Any) -> str:
        """Any node of one output (of several, the first is returned and the rest are named <name>.1, <name>.2 ...)."""
        name = self.fresh(op_type)
        names = [name, *(f"{name}.{i}" for i in range(1, outputs))]
        self.nodes.append(helper.make_node(op_type, inputs, names, name=f"n_{name}", domain=domain, **attributes))
        return name

    # quantizers

    def quant(
        self, x: str, scale: npt.ArrayLike = 0.1, zero_point: npt.ArrayLike = 0.0, bits: int = 4, *,
        signed: bool = True, narrow: bool = False, rounding: str = "ROUND", axis: int = 1,
    ) -> str:  # fmt: skip
        """Quant in QONNX; QuantizeLinear -> Clip -> DequantizeLinear in QCDQ (there: at most 8 bits)."""
        if self.dialect == "qonnx":
            inputs = [x, *(self.const(np.asarray(v, np.float32), "q") for v in (scale, zero_point, float(bits)))]
            attributes: dict[str, Any] = {"signed": int(signed), "narrow": int(narrow), "rounding_mode": rounding}
            return self.op("Quant", *inputs, domain=self.domain, **attributes)
        kind = np.int8 if signed else np.uint8
        lo = -(2 ** (bits - 1)) + int(narrow) if signed else 0
        hi = 2 ** (bits - 1) - 1 if signed else 2**bits - 1 - int(narrow)
        s = np.asarray(scale, np.float32)
        s = s.reshape(-1) if s.size > 1 else s.reshape(())
        parameters = [self.const(s, "s"), self.const(np.broadcast_to(np.asarray(zero_point), s.shape), "z", kind)]
        along: dict[str, Any] = {"axis": axis} if s.size > 1 else {}
        q = self.op("QuantizeLinear", x, *parameters, **along)
        if bits < 8 or narrow:
            q = self.op("Clip", q, self.const(lo, "lo", kind), self.const(hi, "hi", kind))
        return self.op("DequantizeLinear", q, *parameters, **along)

    def bipolar(self, x: str, scale: npt.ArrayLike = 1.0) -> str:
        return self.op("BipolarQuant", x, self.const(np.asarray(scale, np.float32), "s"), domain=self.domain)

    def trunc(
        self, x: str, scale: float, in_bits: int, out_bits: int, *, zero_point: float = 0.0, rounding: str = "FLOOR",
        out_scale: float | None = None, signed: bool = False, narrow: bool = False,
    ) -> str:  # fmt: skip
        """Trunc version 1, or version 2 where `out_scale` is given."""
        numbers = [scale, zero_point, in_bits, *([out_scale] if out_scale is not None else []), out_bits]
        inputs = [x, *(self.const(np.float32(v), "t") for v in numbers)]
        attributes: dict[str, Any] = {"rounding_mode": rounding}
        if out_scale is not None:
            attributes |= {"signed": int(signed), "narrow": int(narrow)}
        return self.op("Trunc", *inputs, domain=self.domain, **attributes)

    def weight(self, shape: Sequence[int], bits: int = 4, *, per_channel: bool = False, axis: int = 0) -> str:
        """A random weight tensor behind its quantizer: bits 1 is bipolar, otherwise signed and narrow."""
        w = self.const(self.rng.normal(0, 1, shape), "w")
        scale: npt.ArrayLike = 1.0
        if per_channel:
            thin = [1] * len(shape)
            thin[axis] = shape[axis]
            scale = self.rng.uniform(0.5, 1.5, thin)
        if bits == 1:
            return self.bipolar(w, np.asarray(scale) * 0.5)
        return self.quant(w, np.asarray(scale) * 3 / 2 ** (bits - 1), bits=bits, narrow=True, axis=axis)

    # layers

    def conv(
        self, x: str, cin: int, cout: int, kernel: int | Sequence[int] = 3, *, bits: int = 4, per_channel: bool = False,
        bias: bool = False, group: int = 1, **attributes: Any,
    ) -> str:  # fmt: skip
        """Conv with quantized weights; 2-D unless `kernel` is a sequence of another length."""
        size = (kernel, kernel) if isinstance(kernel, int) else tuple(kernel)
        inputs = [x, self.weight([cout, cin // group, *size], bits, per_channel=per_channel)]
        if bias:
            inputs.append(self.const(self.rng.normal(0, 0.3, cout), "b"))
        return self.op("Conv", *inputs, group=group, kernel_shape=size, **attributes)

    def conv_transpose(self, x: str, cin: int, cout: int, kernel: int = 2, *, bits: int = 4, **attributes: Any) -> str:
        group = attributes.get("group", 1)
        return self.op("ConvTranspose", x, self.weight([cin, cout // group, kernel, kernel], bits), **attributes)

    def linear(
        self, x: str, n_in: int, n_out: int, *, bits: int = 4, per_channel: bool = False, bias: bool = False,
        form: str = "Gemm",
    ) -> str:  # fmt: skip
        """A linear layer as "Gemm" (transB), as "MatMul" (weights behind a Transpose) or "plain" (as [in, out])."""
        if form == "plain":
            w = self.weight([n_in, n_out], bits, per_channel=per_channel, axis=1)
        else:
            w = self.weight([n_out, n_in], bits, per_channel=per_channel)
        b = self.const(self.rng.normal(0, 0.3, n_out), "b") if bias else None
        if form == "Gemm":
            return self.op("Gemm", x, w, *([b] if b else []), transB=1)
        y = self.op("MatMul", x, self.op("Transpose", w, perm=[1, 0]) if form == "MatMul" else w)
        return self.op("Add", y, b) if b else y

    def bn(self, x: str, channels: int, *, signs: bool = False, epsilon: float = 1e-5) -> str:
        """Batch normalization; with `signs`, some gammas are negative and one is zero."""
        gamma = self.rng.uniform(0.5, 1.5, channels)
        if signs:
            gamma[::2] *= -1
            gamma[-1] = 0
        parameters = (gamma, *self.rng.normal(0, 0.5, (2, channels)), self.rng.uniform(0.5, 2, channels))
        return self.op("BatchNormalization", x, *(self.const(p, "bn") for p in parameters), epsilon=epsilon)

    def relu(self, x: str) -> str:
        return self.op("Relu", x)

    def maxpool(self, x: str, kernel: int = 2, stride: int | None = None, **attributes: Any) -> str:
        step = [stride or kernel] * 2
        return self.op("MaxPool", x, kernel_shape=[kernel, kernel], strides=step, **attributes)

    def avgpool(self, x: str, kernel: int = 2, stride: int | None = None, **attributes: Any) -> str:
        step = [stride or kernel] * 2
        return self.op("AveragePool", x, kernel_shape=[kernel, kernel], strides=step, **attributes)

    def add(self, a: str, b: str) -> str:
        return self.op("Add", a, b)

    def concat(self, *parts: str, axis: int = 1) -> str:
        return self.op("Concat", *parts, axis=axis)

    def flatten(self, x: str) -> str:
        return self.op("Flatten", x, axis=1)

    def reshape(self, x: str, shape: Sequence[int]) -> str:
        return self.op("Reshape", x, self.const(np.asarray(shape, np.int64)))

    # results

    def model(self, *outputs: str, elem_type: int = TensorProto.FLOAT) -> onnx.ModelProto:
        """The finished model with these tensors as outputs, of undeclared shape."""
        infos = [onnx.ValueInfoProto(name=name) for name in outputs]
        for info in infos:
            info.type.tensor_type.elem_type = elem_type
        graph = helper.make_graph(self.nodes, "net", self.inputs, infos, self.initializers)
        imports = [helper.make_opsetid("", self.opset)]
        domains = {n.domain for n in self.nodes} - {""}
        version = 2 if any(n.op_type == "Trunc" and len(n.input) == 6 for n in self.nodes) else 1
        imports += [helper.make_opsetid(domain, version) for domain in sorted(domains)]
        return helper.make_model(graph, opset_imports=imports, ir_version=8 if self.opset < 19 else 10)


def mlp(widths: Sequence[int] = (12, 8, 6), *, bits: int = 4, dialect: str = "qonnx", seed: int = 0) -> onnx.ModelProto:
    """Quantized input, then linear -> batch norm -> ReLU -> quantizer per layer; the last layer is linear alone."""
    net = Net([1, widths[0]], dialect=dialect, seed=seed)
    x = net.quant(net.x, 0.25, bits=bits)
    for n_in, n_out in pairwise(widths[:-1]):
        x = net.relu(net.bn(net.linear(x, n_in, n_out, bits=bits), n_out))
        x = net.quant(x, 0.3, bits=bits, signed=False)
    return net.model(net.linear(x, widths[-2], widths[-1], bits=bits, bias=True))


def cnn(*, bits: int = 4, dialect: str = "qonnx", seed: int = 0, residual: bool = False) -> onnx.ModelProto:
    """A small CNN on [1, 2, 8, 8]: conv, batch norm, ReLU, quantizer, max pool; conv (residual on request); linear."""
    net = Net([1, 2, 8, 8], dialect=dialect, seed=seed)
    x = net.quant(net.x, 0.25, bits=bits)
    x = net.relu(net.bn(net.conv(x, 2, 4, bits=bits, per_channel=True, pads=[1] * 4), 4))
    x = net.maxpool(net.quant(x, 0.3, bits=bits, signed=False))
    y = net.bn(net.conv(x, 4, 4, bits=bits, pads=[1] * 4), 4, signs=True)
    y = net.quant(y, 0.3, bits=bits)
    if residual:
        y = net.quant(net.relu(net.add(y, x)), 0.3, bits=bits, signed=False)
    return net.model(net.linear(net.flatten(y), 64, 5, bits=bits))
