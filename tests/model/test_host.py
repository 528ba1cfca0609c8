"""Host parts: one sample without onnxruntime, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from flowc.model.host import HostGraph


def head(*operators: str) -> HostGraph:
    """x behind the operators, one after the other, those with two operands with 0.3 as the second."""
    nodes = [
        helper.make_node(op, [name, "c"] if op in ("Div", "Add", "Mul") else [name], [f"y{i}"])
        for i, (op, name) in enumerate(zip(operators, ["x", *(f"y{i}" for i in range(9))], strict=False))
    ]
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 5, 7]) for n in ("x", f"y{len(nodes) - 1}")]
    constant = numpy_helper.from_array(np.array(0.3, np.float32), "c")
    return HostGraph(helper.make_model(helper.make_graph(nodes, "head", ends[:1], ends[1:], [constant])))


@pytest.mark.parametrize("operators", [("Div", "Round", "Relu"), ("Add", "Floor"), ("Mul", "Tanh")])
def test_one_sample_is_the_same_without_onnxruntime(operators: tuple[str, ...]) -> None:
    part = head(*operators)
    x = {"x": np.random.default_rng(0).normal(0, 3, (1, 5, 7)).astype(np.float32)}
    for name, right in part.run(x).items():
        found = part.run_one(x)[name]
        assert (found.dtype, found.shape) == (right.dtype, right.shape)
        np.testing.assert_array_equal(found.view(np.uint32), right.view(np.uint32))


def many(part: HostGraph, x: np.ndarray) -> bool:
    """Whether samples are run together; asserts that they are as each by itself."""
    ((name, found),) = part.run({"x": x}).items()
    alone = np.concatenate([part.run({"x": x[i : i + 1]})[name] for i in range(len(x))])
    assert (found.dtype, found.shape) == (alone.dtype, alone.shape)
    assert found.tobytes() == alone.tobytes()
    return part._together is not None


def test_samples_are_run_together_where_none_touches_another() -> None:
    x = np.random.default_rng(0).normal(0, 3, (9, 5, 7)).astype(np.float32)
    assert many(head("Div", "Round", "Relu"), x)
    assert many(head("Add", "Floor", "Mul"), x[:, None].reshape(9, 1, 5, 7))
    assert not many(head("Mul", "Tanh"), x)
    assert not many(head("Softmax"), x)
    for dims, together in (([7], True), ([1, 5, 1], True), ([5, 7], True), ([2, 1, 1], False), ([2, 1, 5, 7], False)):
        part = head("Mul", "Round")
        constant = np.random.default_rng(1).normal(0, 1, dims).astype(np.float32)
        part.model.graph.initializer[0].CopyFrom(numpy_helper.from_array(constant, "c"))
        part.model.graph.output[0].type.tensor_type.ClearField("shape")
        assert (part._together is not None) == together
        assert many(part, x) == together


def test_what_no_input_reaches_keeps_samples_apart() -> None:
    part = head("Mul", "Round")
    part.model.graph.node[0].input[0] = "c"
    assert part._together is None


def test_what_is_not_exact_in_numpy_is_left_to_onnxruntime(monkeypatch: pytest.MonkeyPatch) -> None:
    opened = []
    monkeypatch.setattr(HostGraph, "run", lambda self, arrays: opened.append(self) or {})
    x = {"x": np.zeros((1, 5, 7), np.float32)}
    head("Div", "Round").run_one(x)
    assert not opened
    head("Mul", "Tanh").run_one(x)
    assert len(opened) == 1
