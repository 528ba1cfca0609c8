"""Movement below dequantization: integers are moved, per-channel scales with them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from flowc.model.ir import array_of
from flowc.passes.remedies import ONE_SCALE
from flowc.passes.sink_dequantizers import SinkDequantizers
from tests.netbuild import Net
from tests.passes.graphs import only, operators, same_before_and_after

F = np.float32
SCALES = np.random.default_rng(5).uniform(0.1, 0.6, (1, 4, 1, 1)).astype(F)

MOVES: dict[str, Callable[[Net, str], str]] = {
    "MaxPool": lambda net, x: net.maxpool(x, 3, 2, pads=[1, 0, 1, 1]),
    "Reshape": lambda net, x: net.reshape(x, [1, 2, 2, 36]),
    "Transpose": lambda net, x: net.op("Transpose", x, perm=[0, 2, 3, 1]),
    "Slice": lambda net, x: net.op("Slice", x, *(net.const(np.array(v), "i") for v in ([1, 0], [4, 5], [1, 3], [2, 1]))),
    "DepthToSpace": lambda net, x: net.op("DepthToSpace", x, blocksize=2, mode="CRD"),
    "SpaceToDepth": lambda net, x: net.op("SpaceToDepth", x, blocksize=2),
    "Resize": lambda net, x: net.op(
        "Resize", x, "", net.const([1, 1, 2, 3], dtype=F), mode="nearest", nearest_mode="floor", coordinate_transformation_mode="asymmetric"
    ),
    "Pad": lambda net, x: net.op("Pad", x, net.const(np.array([0, 0, 1, 2, 0, 0, 0, 1])), net.const(F(0))),
}  # fmt: skip


@pytest.mark.parametrize("move", MOVES)
@pytest.mark.parametrize("per_channel", [False, True])
def test_moves(move: str, per_channel: bool) -> None:
    net = Net([1, 4, 6, 6])
    scale: Any = SCALES if per_channel else 0.3
    model = net.model(
        net.op("Mul", MOVES[move](net, net.quant(net.x, scale, 0.0 if move == "Pad" else 2.0)), net.const(F(1.5)))
    )
    step = SinkDequantizers()
    if per_channel and move == "DepthToSpace":
        # Elements of four channels become one channel's: the scale varies over positions then.
        changed = same_before_and_after(model, step)
        assert only(changed, "Dequantize").inputs[1].shape.numpy() == (1, 1, 12, 12)  # type: ignore[union-attr]
        return
    changed = same_before_and_after(model, step)
    assert step.changed
    assert operators(changed) == ["Quantize", move, "Dequantize", "Mul"]
    scales = array_of(only(changed, "Dequantize").inputs[1])
    assert scales is not None
    assert scales.size == 1 or per_channel


def test_concat_of_different_scales_gets_one_scale_per_channel() -> None:
    net = Net([1, 2, 4, 4])
    parts = [net.quant(net.x, 0.3, 1.0), net.quant(net.x, 0.2), net.quant(net.x, SCALES[:, :2])]
    step = SinkDequantizers()
    changed = same_before_and_after(net.model(net.concat(*parts)), step)
    assert operators(changed)[-2:] == ["Concat", "Dequantize"]
    scale, zero = (array_of(v) for v in only(changed, "Dequantize").inputs[1:])
    assert scale is not None
    assert zero is not None
    np.testing.assert_array_equal(scale.reshape(-1), np.array([0.3, 0.3, 0.2, 0.2, *SCALES[0, :2, 0, 0]], F))
    np.testing.assert_array_equal(zero.reshape(-1), [1, 1, 0, 0, 0, 0])


def test_constant_weights_are_moved_at_once() -> None:
    """Weights that are cut out of a larger tensor: no operator is left at run time."""
    net = Net([1, 4])
    w = net.op("Slice", net.weight([5, 4], 4, per_channel=True), *(net.const(np.array([v]), "i") for v in (1, 4, 0)))
    w = net.op("Transpose", w, perm=[1, 0])
    changed = same_before_and_after(
        net.model(net.op("MatMul", net.quant(net.x), w)), SinkDequantizers(), SinkDequantizers()
    )
    assert operators(changed).count("Slice") == operators(changed).count("Transpose") == 0


def test_pad_values_become_integers() -> None:
    net = Net([1, 4, 4, 4])
    x = net.quant(net.x, 0.5, 3.0)
    pads = net.const(np.array([0, 0, 1, 1, 0, 0, 1, 1]))
    changed = same_before_and_after(net.model(net.op("Pad", x, pads, net.const(F(1.5)))), SinkDequantizers())
    fill = array_of(only(changed, "Pad").inputs[2])
    assert fill is not None
    assert fill == 6


def test_declines_with_a_reason() -> None:
    net = Net([1, 4, 4, 4])
    pads = net.const(np.array([0, 0, 1, 1, 0, 0, 1, 1]))
    cases: dict[str, tuple[str, str]] = {
        "pad": (
            net.op("Pad", net.quant(net.x, 0.5), pads, net.const(F(0.7))),
            (
                "the pad value 0.699999988079071 is no integer of the padded tensor; "
                "pad with a multiple of the scale, for instance 0"
            ),
        ),
        "float": (net.maxpool(net.relu(net.quant(net.x))), ""),
    }
    for result, reason in cases.values():
        step = SinkDequantizers()
        same_before_and_after(net.model(result), step)
        assert not step.changed
        assert [n.text for n in step.notes] == ([reason] if reason else [])


def test_maximum_over_positions_of_different_scales() -> None:
    net = Net([1, 2, 4, 4])
    scale = np.random.default_rng(0).uniform(0.1, 0.4, (1, 1, 4, 1))
    step = SinkDequantizers()
    same_before_and_after(net.model(net.maxpool(net.quant(net.x, scale))), step)
    assert not step.changed
    assert [n.text for n in step.notes] == [f"MaxPool mixes elements of different scales; use {ONE_SCALE}"]
