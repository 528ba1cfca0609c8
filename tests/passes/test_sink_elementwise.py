"""Constants in front of movement: the layers behind them still become hardware, integer for integer."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

import flowc
from tests.netbuild import Net


def _flattened() -> onnx.ModelProto:
    net = Net([1, 2, 6, 6], seed=1)
    x = net.quant(net.x, 1 / 16, bits=6, signed=True)
    y = net.conv(x, 2, 5, bias=True)
    y = net.bn(net.flatten(y), 5 * 16, signs=True)
    y = net.quant(net.relu(y), 0.11, bits=4, signed=False)
    return net.model(net.linear(y, 80, 3))


def _turned() -> onnx.ModelProto:
    net = Net([1, 6, 8], seed=2)
    x = net.quant(net.x, 1 / 16, bits=6, signed=True)
    y = net.op("Transpose", x, perm=[0, 2, 1])
    y = net.linear(y, 6, 7, form="MatMul", bias=True)
    y = net.bn(net.op("Transpose", y, perm=[0, 2, 1]), 7, signs=True)
    y = net.quant(net.relu(y), 0.11, bits=4, signed=False)
    return net.model(net.linear(net.flatten(y), 56, 3))


def _pooled() -> onnx.ModelProto:
    net = Net([1, 2, 8, 8], seed=3)
    x = net.quant(net.x, 1 / 16, bits=6, signed=True)
    y = net.bn(net.maxpool(net.conv(x, 2, 5, bias=True)), 5, signs=True)
    y = net.quant(net.relu(y), 0.11, bits=4, signed=False)
    return net.model(net.linear(net.flatten(y), 45, 3))


@pytest.mark.parametrize("make", [_flattened, _turned, _pooled])
def test_whole_network_reaches_hardware(make: object) -> None:
    design = flowc.build(make(), target="zcu104", verify=False)  # type: ignore[operator]
    found = design.verify(samples=12, seed=5)
    assert found["mismatches"] == found["explained_by_ambiguous"]
    assert sum(layer["unit"] == "mvtu" for layer in design.report["layers"]) == 2
    assert not any(node.op_type in ("Conv", "MatMul") for node in design.head.model.graph.node)
    rng = np.random.default_rng(0)
    shape = design.inputs["x"].shape
    assert design.run(rng.uniform(-1, 1, (5, *shape)).astype(np.float32)).shape == (5, 3)
