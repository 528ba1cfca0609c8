"""Random float nets through onnxruntime's own static quantization, in both of its forms, and compared with onnxruntime.

Nothing here is written by the generator of quantized nets: models are what `quantize_static` makes of float ones.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import pytest
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

from flowc.design.verify import compare
from flowc.streamline.compile import compile_model
from tests.fuzz.checking import OUTPUT_TOLERANCE, unfolded
from tests.fuzz.choices import Choices
from tests.netbuild import Net
from tests.oracle import run_onnxruntime

Array = npt.NDArray[Any]
pytestmark = pytest.mark.filterwarnings("ignore")


class _Samples(CalibrationDataReader):  # type: ignore[misc]
    def __init__(self, x: Array) -> None:
        self._samples: Iterator[dict[str, Array]] = iter([{"x": x[i : i + 1]} for i in range(len(x))])

    def get_next(self) -> dict[str, Array] | None:
        return next(self._samples, None)


class _FloatNet:
    """A float convolutional net under construction."""

    def __init__(self, c: Choices) -> None:
        self.c = c
        self.channels, self.h, self.w = c.pick((3, 1, 2)), c.integer(4, 8), c.integer(4, 8)
        self.net = Net([1, self.channels, self.h, self.w], opset=c.pick((17, 13, 18)), seed=c.integer(0, 9999))
        self.dims = (self.channels, self.h, self.w)
        self.x = "x"

    def conv(self, x: str, outputs: int, kernel: int = 3, group: int = 1) -> str:
        net, fan_in = self.net, self.channels // group
        shape = (outputs, fan_in, kernel, kernel)
        w = net.const(net.rng.normal(0, 1 / np.sqrt(fan_in * kernel**2), shape), "w")
        bias = [net.const(net.rng.normal(0, 0.2, outputs), "b")] if self.c.chance(70) else []
        return net.op("Conv", x, w, *bias, kernel_shape=[kernel] * 2, pads=[kernel // 2] * 4, group=group)

    def block(self) -> None:
        net, c, x, n = self.net, self.c, self.x, self.channels
        kind = c.pick(("conv", "residual", "concat", "max", "depthwise", "average", "leaky", "clip", "sigmoid", "gate"))
        small = min(self.h, self.w) < 4
        if kind == "residual":
            total = net.add(self.conv(net.relu(self.conv(x, n)), n), x)
            self.x = net.relu(total) if c.chance(60) else total
        elif kind == "concat":
            self.x, self.channels = net.concat(net.relu(self.conv(x, 2, 1)), self.conv(x, 3)), 5
        elif kind in ("max", "average") and not small:
            self.x = net.maxpool(x) if kind == "max" else net.avgpool(x)
            self.h, self.w = self.h // 2, self.w // 2
        elif kind == "depthwise":
            self.x = net.relu(self.conv(x, n, group=n))
        elif kind == "leaky":
            self.x = net.op("LeakyRelu", self.conv(x, n), alpha=0.1)
        elif kind == "clip":
            bounds = (net.const(np.float32(v)) for v in (0, 6))
            self.x = net.op("Clip", self.conv(x, n), *bounds)
        elif kind == "sigmoid":
            self.x = net.op("Sigmoid", self.conv(x, n))
        elif kind == "gate":
            self.x = net.op("Mul", x, net.op("Sigmoid", self.conv(x, n)))
        else:
            self.x, self.channels = net.relu(self.conv(x, 4)), 4

    def model(self) -> onnx.ModelProto:
        net, c = self.net, self.c
        for _ in range(c.integer(1, 5)):
            self.block()
        pooled = c.chance(50)
        features = self.channels if pooled else self.channels * self.h * self.w
        x = net.flatten(net.op("GlobalAveragePool", self.x) if pooled else self.x)
        w = net.const(net.rng.normal(0, 1 / np.sqrt(features), (5, features)), "w")
        y = net.op("Gemm", x, w, net.const(net.rng.normal(0, 0.2, 5), "b"), transB=1)
        model = net.model(net.op("Softmax", y, axis=1) if c.chance(40) else y)
        for size in (1, 5):
            model.graph.output[0].type.tensor_type.shape.dim.add().dim_value = size
        return model


def saturates(form: QuantFormat, signed: bool, weights: QuantType) -> bool:
    """Whether onnxruntime's own kernel for u8 x s8 may saturate its 16-bit sums (on x86 without VNNI): 7-bit weights do not."""
    return form == QuantFormat.QOperator and not signed and weights == QuantType.QInt8


@pytest.mark.parametrize("seed", range(12))
def test_random_float_net(seed: int, tmp_path: Path) -> None:
    c = Choices(Random(seed))
    net = _FloatNet(c)
    onnx.save(net.model(), tmp_path / "float.onnx")
    x = np.random.default_rng(seed).normal(0, 1, (8, *net.dims)).astype(np.float32)
    signed = c.chance(50)
    form = c.pick((QuantFormat.QDQ, QuantFormat.QOperator))
    weights = QuantType.QInt8 if signed or c.chance(70) else QuantType.QUInt8
    quantize_static(
        tmp_path / "float.onnx",
        tmp_path / "quantized.onnx",
        _Samples(x),
        quant_format=form,
        activation_type=QuantType.QInt8 if signed else QuantType.QUInt8,
        weight_type=weights,
        per_channel=c.chance(50),
        reduce_range=saturates(form, signed, weights),
        extra_options={"ActivationSymmetric": c.chance(30)},
    )
    model = onnx.load(tmp_path / "quantized.onnx")
    design = unfolded(compile_model(model))
    found = compare(design, {"x": x})
    assert found.mismatches == found.explained
    name = model.graph.output[0].name
    expected = run_onnxruntime(model, {"x": x})[name]
    if found.mismatches == 0:
        assert np.abs(design.run_all({"x": x})[name] - expected).max() <= OUTPUT_TOLERANCE * max(
            1, np.abs(expected).max()
        )
