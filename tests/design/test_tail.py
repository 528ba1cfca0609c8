"""The host's tail under verification: on the floats of the reference it gives the reference's outputs."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

from flowc.design.tail import TailCheck
from flowc.exact.sums import FloatSum
from flowc.model.host import HostGraph


def tail_of(*, floats: bool) -> Any:
    """y = s * q, z = ArgMax(y); with a float input that passes by: w = y + v."""
    infos = [
        helper.make_tensor_value_info("q", TensorProto.FLOAT, [1, 3]),
        helper.make_tensor_value_info("v", TensorProto.FLOAT, [1, 3]),
    ]
    nodes = [helper.make_node("Mul", ["q", "s"], ["y"]), helper.make_node("ArgMax", ["y"], ["z"], axis=1, keepdims=0)]
    outputs = [helper.make_tensor_value_info("z", TensorProto.INT64, [1])]
    if floats:
        nodes.append(helper.make_node("Add", ["y", "v"], ["w"]))
        outputs.append(helper.make_tensor_value_info("w", TensorProto.FLOAT, [1, 3]))
    scale = helper.make_tensor("s", TensorProto.FLOAT, [1], [0.5])
    graph = helper.make_graph(nodes, "tail", infos[: 1 + floats], outputs, [scale])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return HostGraph(model)


def test_a_tail_runs_on_the_floats_of_the_reference() -> None:
    """Cut where the sums are known; what the reference does not have leaves it open; the inputs of the model are given."""
    design: Any = SimpleNamespace(
        tail=tail_of(floats=True),
        accumulators=[FloatSum("q", "y", np.array([0.5]), np.zeros(1), np.zeros(1))],
        inputs={"v": None},
    )
    floats = {"y": np.array([[1.0, 7.0, 3.0]], np.float32)}
    check = TailCheck(design, floats)
    assert sorted(check.outputs) == ["w", "z"]
    assert check.open_ == []
    found = check.run({"v": np.array([[1.0, 1.0, 1.0]], np.float32)}, floats)
    assert found["z"].reshape(-1).tolist() == [1]
    assert found["w"].reshape(-1).tolist() == [2.0, 8.0, 4.0]
    design.inputs = {}
    assert TailCheck(design, floats).open_ == ["v"]
    assert TailCheck(design, {**floats, "v": floats["y"]}).open_ == []
    assert sorted(TailCheck(design, {}).open_) == ["q", "v"]
    design.tail = None
    empty = TailCheck(design, floats)
    assert (empty.outputs, empty.open_, empty.run({}, floats)) == ([], [], {})
