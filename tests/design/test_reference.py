"""The reference in batches gives what it gives sample by sample."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import flowc
from flowc.design.reference import ReferenceRunner
from tests.netbuild import cnn


def model(
    nodes: list[onnx.NodeProto], outputs: list[str], initializers: tuple[onnx.TensorProto, ...] = ()
) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        "reference",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 4])],
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 4]) for n in outputs],
        initializers,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


X = {"x": np.random.default_rng(0).normal(0, 1, (9, 4)).astype(np.float32)}


def gathered(runner: ReferenceRunner) -> list[dict[str, np.ndarray]]:
    found = []
    for index, batch in runner.batches(X):
        assert index == len(found)
        found += batch
    return found


@pytest.mark.parametrize(
    ("nodes", "in_batches"),
    [
        ([helper.make_node("Relu", ["x"], ["y"])], True),
        ([helper.make_node("Reshape", ["x", "one"], ["r"]), helper.make_node("Neg", ["r"], ["y"])], True),
        (
            [
                helper.make_node("ReduceMax", ["x", "zero"], ["m"], keepdims=1),
                helper.make_node("Sub", ["x", "m"], ["y"]),
            ],
            False,
        ),
        ([helper.make_node("Reshape", ["x", "flat"], ["y"])], False),
    ],
)
def test_batches_where_samples_do_not_influence_one_another(nodes: list[onnx.NodeProto], in_batches: bool) -> None:
    shapes = {"one": [1, 4], "zero": [0], "flat": [-1]}
    initializers = tuple(helper.make_tensor(n, TensorProto.INT64, [len(v)], v) for n, v in shapes.items())
    runner = ReferenceRunner(model(nodes, ["y"], initializers))
    found = gathered(runner)
    assert runner.in_batches is in_batches
    assert len(found) == len(X["x"])
    for i, sample in enumerate(found):
        alone = ReferenceRunner(model(nodes, ["y"], initializers)).run(X, i)
        assert sample["y"].tobytes() == alone["y"].tobytes()
        assert sample["y"].shape == alone["y"].shape


def test_samples_that_influence_one_another_later_are_found_when_a_value_differs() -> None:
    """Two small samples come out of a batch as alone; what a batch says of others is not the last word."""
    nodes = [
        helper.make_node("ReduceMax", ["x", "axes"], ["m"], keepdims=1),
        helper.make_node("Max", ["m", "floor"], ["most"]),
        helper.make_node("Sub", ["x", "most"], ["y"]),
    ]
    initializers = (
        helper.make_tensor("axes", TensorProto.INT64, [1], [0]),
        helper.make_tensor("floor", TensorProto.FLOAT, [1], [0.0]),
    )
    x = {"x": -np.ones((6, 4), np.float32)}
    x["x"][4] = 3
    runner = ReferenceRunner(model(nodes, ["y"], initializers))
    ((_, batch),) = runner.batches(x)
    assert runner.in_batches
    assert not np.array_equal(batch[1]["y"], runner.run(x, 1)["y"])  # which is why a mismatch is looked at again, alone
    np.testing.assert_array_equal(runner.run(x, 1)["y"], x["x"][1:2])


def test_a_set_is_compared_chunk_by_chunk() -> None:
    design = flowc.build(cnn(), target="ultra96", verify=False)
    x = design.as_inputs(
        {n: np.random.default_rng(1).normal(0, 1, (7, *s.shape)).astype(s.dtype) for n, s in design.inputs.items()}
    )
    whole = design.verify(x)
    done: list[int] = []
    chunks = ({n: a[i : i + 3] for n, a in x.items()} for i in range(0, 7, 3))
    assert design.verify(chunks, progress=lambda n, _: done.append(n)) == whole
    assert whole["samples"] == 7
    assert done == sorted(done)
    assert done[-1] == 7
