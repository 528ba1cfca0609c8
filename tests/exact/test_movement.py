"""Movement of index arrays against onnxruntime, and of constants against moving everything."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from flowc.exact.movement import MOVES, index_map, move_arrays
from flowc.importer import load_model
from flowc.units.base import Array
from tests.netbuild import Net
from tests.passes.test_sink_dequantizers import MOVES as BUILDERS
from tests.units.operators import run_op

INDEXED = ["Reshape", "Transpose", "Slice", "DepthToSpace", "SpaceToDepth"]


def node_of(move: str) -> ir.Node:
    net = Net([1, 4, 6, 6])
    return next(n for n in load_model(net.model(BUILDERS[move](net, net.quant(net.x)))).graph if n.op_type == move)


def by_onnxruntime(node: ir.Node, array: Array) -> Array:
    constants = tuple(None if v is None else v.const_value.numpy() for v in node.inputs[1:])  # type: ignore[union-attr]
    attributes: dict[str, Any] = {n: a.value for n, a in node.attributes.items()}
    return run_op(node.op_type, array.astype(np.float32), constants=constants, opset=18, **attributes)


@pytest.mark.parametrize("move", INDEXED)
def test_index_map(move: str) -> None:
    node = node_of(move)
    indices = np.arange(144).reshape(1, 4, 6, 6)
    np.testing.assert_array_equal(index_map(node, indices), by_onnxruntime(node, indices))


def test_index_map_of_other_forms() -> None:
    indices = np.arange(144).reshape(1, 4, 6, 6)
    for attributes in ({"blocksize": 2, "mode": "DCR"}, {"blocksize": 2}):
        node = ir.node("DepthToSpace", [ir.Value(name="x")], attributes)
        np.testing.assert_array_equal(
            index_map(node, indices), run_op("DepthToSpace", indices.astype(np.float32), **attributes)
        )
    node = ir.node("Transpose", [ir.Value(name="x")], {})
    np.testing.assert_array_equal(index_map(node, indices), indices.T)
    net = Net([1, 4, 6, 6])
    ends = [np.array(v) for v in ([5, -1], [-100, -(2**62)], [3, 2], [-2, -1])]
    y = net.op("Slice", net.quant(net.x), *(net.const(v) for v in ends))
    node = next(n for n in load_model(net.model(y)).graph if n.op_type == "Slice")
    np.testing.assert_array_equal(
        index_map(node, indices), run_op("Slice", indices.astype(np.float32), constants=tuple(ends))
    )


@pytest.mark.parametrize("move", MOVES)
@pytest.mark.parametrize("shape", [(1, 1, 1, 1), (1, 4, 1, 1), (1, 1, 6, 1), (1, 1, 1, 6), (1, 4, 6, 6), (6,), ()])
def test_constants_move_with_their_elements(move: str, shape: tuple[int, ...]) -> None:
    """What a constant becomes, broadcast to everything and moved: the same, where the operator does not mix."""
    rng = np.random.default_rng(0)
    array = rng.integers(1, 99, shape)
    full = np.broadcast_to(array, (1, 4, 6, 6))
    if move == "Concat":
        net = Net([1, 4, 6, 6])
        x = net.quant(net.x)
        node = next(
            n for n in load_model(net.model(net.concat(x, net.quant(x), axis=1))).graph if n.op_type == "Concat"
        )
        found = move_arrays(node, [array, array + 1], [(1, 4, 6, 6)] * 2)
        wanted = np.concatenate([full, full + 1], axis=1)
    else:
        node = node_of(move)
        found = move_arrays(node, [array], [(1, 4, 6, 6)])
        if move in ("MaxPool", "Pad", "Resize") and len(np.unique(full[0, 0])) > 1:
            assert found is None
            return
        wanted = full if move == "Pad" else by_onnxruntime(node, full)
    assert found is not None
    out = node.outputs[0].shape.numpy()  # type: ignore[union-attr]
    assert found.ndim == len(out)
    if move != "Pad":
        np.testing.assert_array_equal(np.broadcast_to(found, out), wanted)
    # As small as it can be.
    assert all(n == 1 or (np.take(found, [0], axis) != found).any() for axis, n in enumerate(found.shape))
