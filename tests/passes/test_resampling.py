"""Resizing, padding by what is inside, and reductions over any axes: compared with onnxruntime on random shapes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.compare import Checked, check_model
from tests.netbuild import Net

SHAPE = [1, 3, 4, 5]


def quantized(shape: list[int] = SHAPE, *, opset: int = 18, seed: int = 0, signed: bool = False) -> Net:
    """A net that has come to a quantized tensor of this shape, ``net.x``."""
    net = Net(shape, dialect="qcdq", opset=opset, seed=seed)
    net.x = net.quant(net.x, 0.0213, 0 if signed else 128, bits=8, signed=signed)
    return net


def finished(net: Net, y: str, *, scale: float = 0.0317) -> Checked:
    """Requantized, so that the integers of ``y`` are compared, and all in hardware."""
    checked = check_model(net.model(net.quant(y, scale, 100, bits=8, signed=False)), samples=3)
    assert checked.compiled.tail is not None
    assert {n.op_type for n in checked.compiled.tail.model.graph.node} <= {"Sub", "Mul", "Cast", "Identity"}
    return checked


@pytest.mark.parametrize("coordinates", ["asymmetric", "half_pixel", "pytorch_half_pixel", "align_corners"])
@pytest.mark.parametrize("rounding", ["floor", "ceil", "round_prefer_floor", "round_prefer_ceil"])
def test_nearest_resizing_by_any_factor(coordinates: str, rounding: str) -> None:
    net = quantized(seed=len(coordinates))
    sizes = net.const(np.array([1, 3, 7, 3]))
    how = {"coordinate_transformation_mode": coordinates, "nearest_mode": rounding, "mode": "nearest"}
    finished(net, net.op("Resize", net.x, "", "", sizes, **how))


@pytest.mark.parametrize("scales", [(1.0, 1.6), (0.5, 0.6), (1.5, 2.5), (3.0, 0.4)])
def test_nearest_resizing_by_scales(scales: tuple[float, float]) -> None:
    net = quantized()
    given = net.const(np.array([1, 1, *scales], np.float32))
    finished(net, net.op("Resize", net.x, "", given, coordinate_transformation_mode="asymmetric", nearest_mode="floor"))


@pytest.mark.parametrize("mode", ["reflect", "edge", "wrap"])
@pytest.mark.parametrize("pads", [(1, 2, 0, 1), (3, 0, 0, 4), (0, 0, 2, 0)])
def test_padding_by_what_is_inside(mode: str, pads: tuple[int, ...]) -> None:
    net = quantized(opset=19)
    top, left, bottom, right = pads
    amounts = net.const(np.array([0, 0, top, left, 0, 0, bottom, right]))
    y = net.conv(net.op("Pad", net.x, amounts, mode=mode), 3, 4, 2)
    finished(net, y, scale=0.1171)


def test_padding_in_front_of_a_quantizer_over_one_axis() -> None:
    net = quantized([1, 3, 8])
    y = net.op("Pad", net.relu(net.conv(net.x, 3, 4, (3,))), net.const(np.array([0, 0, 2, 0, 0, 3])), mode="reflect")
    finished(net, y, scale=0.0517)


@pytest.mark.parametrize("coordinates", ["half_pixel", "asymmetric"])
@pytest.mark.parametrize("factors", [(2, 2), (3, 1), (4, 3)])
def test_bilinear_resizing_by_whole_factors(coordinates: str, factors: tuple[int, int]) -> None:
    net = quantized(seed=factors[0])
    scales = net.const(np.array([1, 1, *factors], np.float32))
    y = net.op("Resize", net.x, "", scales, mode="linear", coordinate_transformation_mode=coordinates)
    finished(net, y, scale=0.0317)


def test_linear_resizing_of_one_axis_between_layers() -> None:
    net = quantized([1, 3, 6])
    x = net.quant(net.relu(net.conv(net.x, 3, 4, (3,), pads=[1, 1])), 0.0417, bits=8, signed=False)
    x = net.op("Resize", x, "", net.const(np.array([1, 1, 2], np.float32)), mode="linear")
    finished(net, net.conv(net.quant(x, 0.0391, bits=6, signed=False), 4, 3, (1,)), scale=0.1171)


@pytest.mark.parametrize("op", ["ReduceMax", "ReduceMin", "ReduceMean", "ReduceSum"])
@pytest.mark.parametrize(
    ("axes", "keepdims"), [((2, 3), 1), ((1,), 1), ((3,), 0), ((1, 3), 0), ((-2,), 1), ((1, 2, 3), 1)]
)
def test_reductions_over_any_axes(op: str, axes: tuple[int, ...], keepdims: int) -> None:
    net = quantized()
    y = net.op(op, net.x, net.const(np.array(axes)), keepdims=keepdims)
    finished(net, y, scale=0.0317 if op != "ReduceSum" else 0.117)


@pytest.mark.parametrize("op", ["ReduceMax", "GlobalMaxPool"])
def test_reductions_of_a_layer_in_front_of_its_quantizer(op: str) -> None:
    net = quantized([1, 3, 6, 7])
    y = net.relu(net.bn(net.conv(net.x, 3, 4), 4))
    axes: list[Any] = [] if op == "GlobalMaxPool" else [net.const(np.array([2, 3]))]
    y = net.quant(net.op(op, y, *axes), 0.0513, bits=8, signed=False)
    finished(net, net.conv(y, 4, 3, 1), scale=0.1171)


def test_a_maximum_over_negative_scales() -> None:
    net = Net([1, 4, 6, 6])
    x = net.quant(net.x, np.array([0.1, -0.13, 0.07, -0.2]).reshape(1, 4, 1, 1), bits=6)
    y = net.quant(net.conv(net.maxpool(x, 2), 4, 3, 1), 0.3017, bits=6)
    checked = check_model(net.model(y))
    assert [u.kind for u in checked.compiled.graph].count("pool") == 1
