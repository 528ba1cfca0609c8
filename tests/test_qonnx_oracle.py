"""The qonnx package's executor as a second opinion: its integers and the emulated hardware's, on small QONNX nets.

qonnx executes node by node with numpy quantizers of its own; nothing of flowc's import or reference is involved. Every
activation integer that flows through the emulated design is compared; nets with power-of-two scales are exact everywhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import pytest
from onnx import numpy_helper

from flowc.dataflow.emulator import emulate
from flowc.design.design import Design
from flowc.model.quantizers import ROUNDINGS
from flowc.streamline.compile import compile_model
from tests.fuzz.checking import unfolded
from tests.fuzz.generator import RandomNet, random_net
from tests.netbuild import Net, cnn, mlp

pytest.importorskip("qonnx")
pytestmark = pytest.mark.filterwarnings("ignore")

Array = npt.NDArray[Any]


@pytest.fixture(autouse=True)
def _ir_version(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """qonnx makes models of onnx's newest file format, which onnxruntime may not read yet."""
    monkeypatch.setattr(onnx, "IR_VERSION", 10)
    yield


def qonnx_tensors(model: onnx.ModelProto, x: Array) -> dict[str, Array]:
    """Every tensor of the model for one sample, by qonnx."""
    from qonnx.core.modelwrapper import ModelWrapper
    from qonnx.core.onnx_exec import execute_onnx
    from qonnx.transformation.infer_shapes import InferShapes

    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    copy.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1
    wrapped = ModelWrapper(copy).transform(InferShapes())
    tensors: dict[str, Array] = execute_onnx(wrapped, {copy.graph.input[0].name: x}, return_full_exec_context=True)
    return tensors


def qonnx_integers(model: onnx.ModelProto, tensors: dict[str, Array]) -> dict[str, Array]:
    """The integers behind every quantizer's floats, under flowc's names; exact, as a grid's floats are far apart."""
    constants = {t.name: numpy_helper.to_array(t).astype(np.float64) for t in model.graph.initializer}
    found = {}
    for node in model.graph.node:
        y = tensors[node.output[0]].astype(np.float64)
        if node.op_type in ("Quant", "BipolarQuant"):
            zero = constants[node.input[2]] if node.op_type == "Quant" else 0.0
            found[f"{node.output[0]}/q"] = np.rint(y / constants[node.input[1]] + zero)
        elif node.op_type == "Trunc":
            scale = constants[node.input[4 if len(node.input) == 6 else 1]]
            divisor = scale / constants[node.input[1]]
            found[f"{node.output[0]}/q"] = np.rint(
                y / scale + constants[node.input[2]] / np.exp2(np.rint(np.log2(divisor)))
            )
    return found


def emulated_integers(design: Design, x: Array) -> dict[str, Array]:
    """Every integer tensor that flows through the emulated design, in the model's own layout."""
    seen: dict[str, Array] = {}

    def probe(stream: Any, frames: Array) -> Array:
        if stream.tensor in design.tensors:
            seen[stream.tensor] = design.tensors[stream.tensor].from_stream(frames)[0]
        return frames

    heads = design.run_head({next(iter(design.inputs)): x})
    emulate(design.graph, design.to_ports(heads), probe=probe)
    return seen


def compared(model: onnx.ModelProto, inputs: Array) -> int:
    """Compares all samples; the number of integers compared, input quantizers left out."""
    design = unfolded(compile_model(model))
    count = 0
    for index in range(len(inputs)):
        x = inputs[index : index + 1]
        tensors = qonnx_tensors(model, x)
        expected, ours = qonnx_integers(model, tensors), emulated_integers(design, x)
        names = [name for name in ours if name in expected]
        assert names
        for name in names:
            assert np.array_equal(ours[name], expected[name]), name
            count += ours[name].size
        for name, value in design.run_all({next(iter(design.inputs)): x}).items():
            scale = max(1.0, float(np.abs(tensors[name]).max(initial=0)))
            assert np.abs(value.astype(np.float64) - tensors[name]).max(initial=0) <= 1e-5 * scale
    return count


def samples(shape: tuple[int, ...], seed: int = 0) -> Array:
    return np.random.default_rng(seed).normal(0, 1, shape).astype(np.float32)


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_mlp(bits: int) -> None:
    assert compared(mlp(bits=bits, seed=bits), samples((3, 12))) > 0


@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("bits", [2, 4])
def test_cnn(bits: int, residual: bool) -> None:
    assert compared(cnn(bits=bits, residual=residual, seed=bits), samples((2, 2, 8, 8))) > 500


@pytest.mark.parametrize("rounding", ROUNDINGS)
@pytest.mark.parametrize("scale", [0.25, 0.3])
def test_rounding_modes(rounding: str, scale: float) -> None:
    """Dyadic values hit every half-way tie; the zero point shifts them."""
    net = Net([1, 6], seed=3)
    x = net.quant(net.x, 0.5, bits=6)
    w = net.quant(net.const(net.rng.integers(-3, 4, (5, 6)) * 0.25), 0.25, bits=3)
    y = net.op("Gemm", x, w, transB=1)
    y = net.quant(y, scale, zero_point=1.0, bits=5, rounding=rounding)
    z = net.quant(net.op("LeakyRelu", y, alpha=0.125), scale * 2, bits=4, rounding=rounding)
    assert compared(net.model(net.linear(z, 5, 3)), samples((8, 6)) * 4) > 0


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("rounding", ["FLOOR", "ROUND", "CEIL"])
def test_trunc(version: int, rounding: str) -> None:
    net = Net([1, 3, 4, 4], seed=1)
    x = net.quant(net.conv(net.quant(net.x, 0.25, bits=4), 3, 4, pads=[1] * 4), 0.5, bits=4, signed=False)
    pooled = net.op("Mul", net.avgpool(x, 2), net.const(np.float32(4)))
    y = net.trunc(pooled, 0.5, 6, 4, rounding=rounding, out_scale=2.0 if version == 2 else None)
    assert compared(net.model(net.linear(net.flatten(y), 16, 3)), samples((3, 3, 4, 4))) > 0


def test_weights_with_zero_points_and_channel_scales() -> None:
    net = Net([1, 4, 5, 5], seed=2)
    x = net.quant(net.x, 0.1, zero_point=3.0, bits=4, signed=False)
    w = net.quant(net.const(net.rng.normal(0, 1, (6, 4, 3, 3))), net.rng.uniform(0.2, 0.5, (6, 1, 1, 1)), 2.0, bits=4)
    y = net.quant(net.op("Conv", x, w, kernel_shape=[3, 3], pads=[1, 0, 2, 1]), 0.5, bits=4)
    # A sum may be exactly 0, on the edge of the sign: powers of two keep it so in every order of summation.
    v = net.bipolar(net.const(net.rng.normal(0, 1, (6, 1, 2, 2))), 2.0 ** net.rng.integers(-3, 1, (6, 1, 1, 1)))
    z = net.bipolar(net.op("Conv", y, v, kernel_shape=[2, 2], group=6), 0.5)
    assert compared(net.model(net.conv(z, 6, 2, 1)), samples((3, 4, 5, 5))) > 0


def _random_qonnx_nets(count: int) -> Iterator[tuple[int, RandomNet]]:
    number = 0
    for seed in range(10_000):
        net = random_net(Random(seed))
        exact = "scales pow2" in net.tags
        if "dialect qonnx" in net.tags and net.input_type is None and exact and len(net.model.graph.node) <= 50:
            yield seed, net
            number += 1
            if number == count:
                return


def test_random_nets() -> None:
    """Nets of the fuzz generator with power-of-two scales."""
    total = 0
    for seed, net in _random_qonnx_nets(12):
        try:
            total += compared(net.model, net.inputs["x"][:2])
        except AssertionError as error:
            raise AssertionError(f"random_net(Random({seed}))") from error
    assert total > 1000
