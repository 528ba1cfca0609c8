"""Moving, joining and picking elements as units."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto

from flowc.errors import FlowcError
from flowc.streamline.compile import compile_model
from flowc.units import ArgMax, Concat, Join, PixelPad, Split, Upsample
from tests.compare import check_model
from tests.netbuild import Net

F = np.float32


def graph_of(net: Net, y: str, channels: int) -> Any:
    return check_model(net.model(net.conv(y, channels, 2, 1))).compiled.graph


def resize(net: Net, x: str, scales: tuple[float, ...], **attributes: str) -> str:
    return net.op("Resize", x, "", net.const(np.array(scales, F)), **attributes)


@pytest.mark.parametrize(
    ("starts", "ends", "axes", "steps"),
    [
        ([1], [4], [1], [1]),
        ([-3], [2**62], [1], [1]),
        ([0], [6], [1], [2]),
        ([5], [-(2**62)], [1], [-1]),
        ([1, 2], [4, 5], [2, 3], [1, 1]),
        ([0, 1], [5, 6], [1, 3], [2, 2]),
    ],
)
def test_slices(starts: list[int], ends: list[int], axes: list[int], steps: list[int]) -> None:
    net = Net([1, 6, 5, 6])
    y = net.op("Slice", net.quant(net.x, 0.3), *(net.const(np.array(v), "i") for v in (starts, ends, axes, steps)))
    channels = len(range(6)[slice(starts[0], ends[0] if abs(ends[0]) < 100 else None, steps[0])]) if axes[0] == 1 else 6
    graph = graph_of(net, y, channels)
    assert [u for u in graph if isinstance(u, Split)]


def test_several_slices_of_one_tensor() -> None:
    net = Net([1, 6, 4, 4])
    x = net.quant(net.x, 0.3)
    parts = [net.op("Slice", x, *(net.const(np.array([v]), "i") for v in (a, a + 2, 1))) for a in (4, 0, 2)]
    check_model(net.model(net.conv(net.concat(*parts), 6, 2, 1)))


@pytest.mark.parametrize("equal", [True, False])
def test_concatenation(equal: bool) -> None:
    """One scale goes into any layer, different scales into a depthwise one."""
    net = Net([1, 2, 4, 4])
    scales = (0.3, 0.3) if equal else (0.3, 0.211)
    parts = [
        net.quant(net.op("Mul", net.x, net.const(F(k))), s, bits=b)
        for k, s, b in ((1, scales[0], 4), (2, scales[1], 3))
    ]
    y = net.concat(*parts)
    y = net.conv(y, 4, 3, 1) if equal else net.conv(y, 4, 4, group=4)
    graph = check_model(net.model(net.quant(y, 0.3061))).compiled.graph
    (unit,) = [u for u in graph if isinstance(u, Concat)]
    # The wider of the two types.
    assert unit.out.dtype.bits == 4


def test_concatenation_of_vectors_and_flattened_images() -> None:
    net = Net([1, 2, 4, 4])
    x = net.quant(net.x, 0.3)
    image = net.flatten(net.quant(net.conv(x, 2, 3, 1), 0.3061))
    vector = net.quant(net.linear(net.flatten(x), 32, 5), 0.3061)
    check_model(net.model(net.linear(net.concat(vector, image), 53, 3)))


MODES = [
    {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"},
    {"coordinate_transformation_mode": "half_pixel", "nearest_mode": "round_prefer_ceil"},
    {"coordinate_transformation_mode": "half_pixel"},
]


@pytest.mark.parametrize("modes", MODES)
@pytest.mark.parametrize("scales", [(1, 1, 2, 2), (1, 1, 1, 3)])
def test_upsampling(modes: dict[str, str], scales: tuple[int, ...]) -> None:
    net = Net([1, 3, 4, 3])
    graph = graph_of(net, resize(net, net.quant(net.x, 0.3), scales, mode="nearest", **modes), 3)
    (unit,) = [u for u in graph if isinstance(u, Upsample)]
    assert (unit.factor_h, unit.factor_w) == scales[2:]


@pytest.mark.parametrize(
    ("build", "reason"),
    [
        (lambda net, x: net.op("Transpose", net.concat(net.op("Transpose", x, perm=[0, 2, 1, 3]), net.op("Transpose", x, perm=[0, 2, 1, 3]), axis=3), perm=[0, 2, 1, 3]), ""),
    ],
)  # fmt: skip
def test_refused(build: Callable[[Net, str], str], reason: str) -> None:
    net = Net([1, 4, 4, 4])
    model = net.model(net.conv(build(net, net.quant(net.x, 0.3)), 4, 2, 1))
    if not reason:
        # Along rows instead of channels: done or refused, but never wrong.
        try:
            compile_model(model)
        except FlowcError:
            return
        check_model(model)
        return
    with pytest.raises(FlowcError, match=reason):
        compile_model(model)


def test_transposed_convolutions_insert_pixels() -> None:
    net = Net([1, 3, 4, 4])
    y = net.quant(net.conv_transpose(net.quant(net.x, 0.3, 2.0), 3, 4, 3, strides=[2, 3]), 0.317)
    graph = graph_of(net, y, 4)
    (unit,) = [u for u in graph if isinstance(u, PixelPad)]
    assert (unit.stride_h, unit.stride_w, unit.value) == (2, 3, 2)


@pytest.mark.parametrize("op", ["Add", "Sub", "Mul"])
def test_joins(op: str) -> None:
    net = Net([1, 3, 4, 4])
    x = net.quant(net.x, 0.3)
    a, b = net.quant(net.conv(x, 3, 3, 1), 0.4127, 1.0), net.quant(net.conv(x, 3, 3, 1), 0.2917, bits=3)
    graph = graph_of(net, net.quant(net.op(op, a, b), 0.317), 3)
    (unit,) = [u for u in graph if isinstance(u, Join)]
    assert unit.op == ("mul" if op == "Mul" else "add")


def test_a_tensor_joined_with_itself() -> None:
    net = Net([1, 3, 4, 4])
    x = net.quant(net.conv(net.quant(net.x, 0.3), 3, 3, 1), 0.4127)
    check_model(net.model(net.conv(net.quant(net.add(x, x), 0.3061), 3, 2, 1)))
    check_model(net.model(net.conv(net.quant(net.op("Mul", x, x), 0.3061), 3, 2, 1)))


def test_joins_of_streams_in_different_orders() -> None:
    """One side transposed: the other is brought into its order."""
    net = Net([1, 3, 4, 4])
    x = net.quant(net.conv(net.quant(net.x, 0.3), 3, 3, 1), 0.4127)
    y = net.op("Transpose", x, perm=[0, 1, 3, 2])
    check_model(net.model(net.conv(net.quant(net.add(x, y), 0.3061), 3, 2, 1)))


@pytest.mark.parametrize("bias", [False, True])
def test_argmax(bias: bool) -> None:
    net = Net([1, 8])
    y = net.linear(net.quant(net.x, 0.25), 8, 5, bias=bias)
    model = net.model(net.op("ArgMax", y, axis=1, keepdims=0), elem_type=TensorProto.INT64)
    checked = check_model(model, samples=20)
    (unit,) = [u for u in checked.compiled.graph if isinstance(u, ArgMax)]
    assert checked.compiled.tail is None
    assert unit.frame.c == 5


def test_argmax_of_an_image() -> None:
    net = Net([1, 3, 4, 5])
    y = net.conv(net.quant(net.x, 0.25), 3, 4, 1)
    check_model(net.model(net.op("ArgMax", y, axis=1, keepdims=1), elem_type=TensorProto.INT64), samples=5)
