"""ceil_mode with a stride beyond the kernel: a last window that would begin behind the input does not exist.

Shape inference of ONNX counts it before operator set 22; onnxruntime and PyTorch do not. flowc used to trust the former and
crashed in a later reshape.
"""

from __future__ import annotations

import numpy as np
import pytest

from flowc.importer import load_model
from flowc.model.ir import shape_of
from tests.netbuild import Net
from tests.regressions.exact import assert_exact, grid


@pytest.mark.parametrize("opset", [10, 13, 18, 19, 21])
@pytest.mark.parametrize(("size", "kernel", "stride", "pads"), [(5, 1, 3, 0), (6, 2, 3, 0), (7, 2, 4, 0), (6, 2, 5, 1)])
def test_max_pool(opset: int, size: int, kernel: int, stride: int, pads: int) -> None:
    net = Net([1, 2, size, size], opset=opset)
    x = net.quant(net.x, 0.25)
    y = net.maxpool(net.conv(x, 2, 3, 1), kernel, stride, ceil_mode=1, pads=[0, 0, pads, pads])
    y = net.quant(net.relu(y), 0.5, signed=False)
    assert_exact(net.model(net.conv(y, 3, 2, 1)), grid((3, 2, size, size), 0.25))


def test_average_pool() -> None:
    net = Net([1, 2, 6, 6], opset=13)
    y = net.avgpool(net.quant(net.x, 0.25), 2, 3, ceil_mode=1)
    model = net.model(net.conv(net.quant(y, 0.25), 2, 2, 1))
    assert [shape_of(n.outputs[0])[2:] for n in load_model(model).graph if n.op_type == "AveragePool"] == [(2, 2)]
    assert_exact(model, grid((3, 2, 6, 6), 0.25))


def test_two_in_a_row() -> None:
    """The second one sees the shape that the first one really gives."""
    net = Net([1, 1, 1, 14], opset=12)
    x = net.quant(net.x, 0.25)
    for _ in range(2):
        x = net.op("MaxPool", x, kernel_shape=[1, 2], strides=[1, 3], ceil_mode=1)
    outcome = assert_exact(net.model(net.conv(x, 1, 2, 1)), grid((4, 1, 1, 14), 0.25))
    assert np.isfinite(outcome.worst_output)
