"""Elementwise operations in numpy against onnxruntime, bit for bit, and what they claim of their direction."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir
import pytest
from onnx import TensorProto, helper

from flowc.exact import ops
from tests.oracle import Array, run_onnxruntime

F = np.float32
SETS = 5


def node_of(op: str, inputs: int, attributes: dict[str, Any] | None = None) -> ir.Node:
    return ir.node(op, [ir.Value(name=f"x{i}") for i in range(inputs)], attributes or {})


def by_onnxruntime(op: str, arrays: list[Array], attributes: dict[str, Any]) -> Array:
    names = [f"x{i}" for i in range(len(arrays))]
    infos = [
        helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, *a.shape]) for n, a in zip(names, arrays, strict=True)
    ]
    node = helper.make_node(op, names, ["y"], **attributes)
    graph = helper.make_graph([node], "op", infos, [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
    # The oracle runs sample by sample: the first axis is a batch of one here.
    feeds = {n: a[None] for n, a in zip(names, arrays, strict=True)}
    return run_onnxruntime(model, feeds)["y"][0]


def values(rng: np.random.Generator) -> Array:
    special = [0.0, -0.0, 0.5, -0.5, 1.5, 2.5, 1e-40, -1e-40, 1e30, -1e30, 16777216.0, 8388608.5]
    rows = rng.normal(0, 1, (SETS, 400)) * 10.0 ** rng.integers(-4, 5, (SETS, 400))
    return np.concatenate([rows, np.tile(special, (SETS, 1))], axis=1).astype(F)


CASES: dict[str, tuple[str, int, dict[str, Any]]] = {
    **{op: (op, 1, {}) for op in ("Abs", "Ceil", "Floor", "Neg", "Relu", "Round", "Sign")},
    **{op: (op, 2, {}) for op in ("Add", "Sub", "Mul", "Div", "Max", "Min", "PRelu")},
    "LeakyRelu": ("LeakyRelu", 1, {"alpha": 0.1}),
    "LeakyRelu that falls": ("LeakyRelu", 1, {"alpha": -0.3}),
    **{
        op: (op, 1, {})
        for op in ("Elu", "Erf", "HardSigmoid", "HardSwish", "Selu", "Sigmoid", "Softplus", "Softsign", "Tanh")
    },
    "Elu with alpha": ("Elu", 1, {"alpha": 0.7}),
}


@pytest.mark.parametrize("name", CASES)
def test_same_bits_as_onnxruntime(name: str) -> None:
    op, count, attributes = CASES[name]
    rng = np.random.default_rng(1)
    arrays = [values(rng)]
    if count == 2:
        arrays.append(rng.normal(0, 2, (SETS, 1)).astype(F))
    found = ops.evaluate(node_of(op, count, attributes), arrays)
    wanted = by_onnxruntime(op, arrays, attributes)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, wanted)
    if count == 2 and op != "PRelu":
        swapped = arrays[::-1]
        np.testing.assert_array_equal(ops.evaluate(node_of(op, 2), swapped), by_onnxruntime(op, swapped, {}))


def test_what_follows_from_constants_alone_changes_no_bit() -> None:
    rng = np.random.default_rng(3)
    x = rng.normal(0, 10, (64, 500)).astype(F)
    columns = [rng.uniform(0.1, 3, (64, 1)).astype(F) for _ in range(4)]
    node = node_of("BatchNormalization", 5, {"epsilon": 1e-3})
    parts = ops.split(node, columns)
    assert parts is not None
    function, constants = parts
    np.testing.assert_array_equal(function(x, *constants), ops.evaluate(node, [x, *columns]))
    assert ops.split(node, [*columns[:3], None]) is None
    assert ops.split(node, [c.astype(np.float64) for c in columns]) is None
    assert ops.split(node_of("Mul", 2), columns[:1]) is None


def test_batch_normalization_is_onnxruntimes_own_form() -> None:
    """Other algebraic forms differ in the last bit for many values."""
    rng = np.random.default_rng(2)
    sets = 64
    x = rng.normal(0, 10, (sets, 500)).astype(F)
    gamma, beta, mean = (rng.normal(0, 1, sets).astype(F) for _ in range(3))
    var = rng.uniform(0.1, 3, sets).astype(F)
    columns = [p[:, None] for p in (gamma, beta, mean, var)]
    found = ops.evaluate(node_of("BatchNormalization", 5, {"epsilon": 1e-3}), [x, *columns])
    names = ["x", "g", "b", "m", "v"]
    node = helper.make_node("BatchNormalization", names, ["y"], epsilon=1e-3)
    infos = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, sets, 500])]
    parameters = [
        helper.make_tensor(n, TensorProto.FLOAT, [sets], p)
        for n, p in zip(names[1:], (gamma, beta, mean, var), strict=True)
    ]
    out = [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)]
    graph = helper.make_graph([node], "bn", infos, out, parameters)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=8)
    wanted = run_onnxruntime(model, {"x": x[None]})["y"][0]
    np.testing.assert_array_equal(found, wanted)
    other = (x - columns[2]) / np.sqrt(columns[3] + F(1e-3)) * columns[0] + columns[1]
    assert (other != wanted).mean() > 0.05


def test_clip_with_and_without_bounds() -> None:
    x = values(np.random.default_rng(3))
    low, high = np.full((1, 1), -1.5, F), np.full((1, 1), 2.25, F)
    node = node_of("Clip", 3)
    np.testing.assert_array_equal(ops.evaluate(node, [x, low, high]), np.clip(x, low, high))
    np.testing.assert_array_equal(ops.evaluate(node, [x, None, high]), np.minimum(x, high))
    np.testing.assert_array_equal(ops.evaluate(node, [x, low]), np.maximum(x, low))


@pytest.mark.parametrize("name", [*CASES, "Clip", "Sqrt"])
def test_directions_hold(name: str) -> None:
    """Where an operation claims to be monotone, sorted arguments give sorted results, for every constant."""
    op, count, attributes = CASES.get(name, (name, 1, {}))
    rng = np.random.default_rng(4)
    x = np.sort(values(rng), axis=1)
    if op == "Sqrt":
        x = np.abs(x)[:, ::-1] if (np.abs(x)[:, 0] > np.abs(x)[:, -1]).all() else np.sort(np.abs(x), axis=1)
    constants = [rng.normal(0, 2, (SETS, 1)).astype(F)] if count == 2 else []
    for moving in range(count):
        arguments: list[Any] = [*constants]
        arguments.insert(moving, x)
        claimed = ops.direction(node_of(op, count, attributes), [None if a is x else a for a in arguments], moving)
        if claimed is None:
            continue
        node = node_of(op, count, attributes)
        result = ops.evaluate(node, arguments) * np.broadcast_to(claimed, (SETS, 1)).astype(F)
        # Functions of the runtime's choice may ripple by what they leave open.
        top = ops.nudged(node, arguments, result, 1)
        assert (np.maximum.accumulate(result, axis=1) <= top).all()


def test_directions_that_are_not_known() -> None:
    slope = np.array([[-0.1], [0.2]], F)
    assert ops.direction(node_of("PRelu", 2), [None, slope], 0) is None
    assert ops.direction(node_of("LeakyRelu", 1, {"alpha": -0.1}), [None], 0) is None
    assert ops.direction(node_of("HardSwish", 1), [None], 0) is None
    assert ops.direction(node_of("Abs", 1), [None], 0) is None
    assert ops.direction(node_of("Div", 2), [slope, None], 1) is None
    assert ops.direction(node_of("Mul", 2), [None, None], 0) is None
    np.testing.assert_array_equal(ops.direction(node_of("Mul", 2), [None, slope], 0), [[-1], [1]])
    np.testing.assert_array_equal(ops.direction(node_of("Mul", 2), [None, np.zeros((1, 1), F)], 0), [[0]])


@pytest.mark.parametrize(
    "op", ["Sigmoid", "Tanh", "Elu", "Erf", "Softplus", "HardSigmoid", "HardSwish", "Gelu", "Mish", "Selu"]
)
def test_nudges_cover_what_a_perfect_runtime_computes(op: str) -> None:
    """The functions in float64, rounded once: within the margin that the certificate leaves around onnxruntime's results."""
    exact = {
        "Sigmoid": lambda v: 1 / (1 + np.exp(-v)),
        "Tanh": np.tanh,
        "Elu": lambda v: np.where(v > 0, v, np.expm1(v)),
        "Erf": np.vectorize(__import__("math").erf),
        "Softplus": lambda v: np.logaddexp(0, v),
        "HardSigmoid": lambda v: np.clip(v * np.float64(F(0.2)) + 0.5, 0, 1),
        "HardSwish": lambda v: v * np.clip(v / 6 + 0.5, 0, 1),
        "Gelu": lambda v: 0.5 * v * (1 + np.vectorize(__import__("math").erf)(v / np.sqrt(2))),
        "Mish": lambda v: v * np.tanh(np.logaddexp(0, v)),
        "Selu": lambda v: 1.0507009873554805 * np.where(v > 0, v, 1.6732632423543772 * np.expm1(v)),
    }[op]
    rng = np.random.default_rng(5)
    x = np.concatenate([np.linspace(-20, 20, 20001), rng.normal(0, 1, 5000), rng.normal(0, 1e-3, 5000)]).astype(F)[None]
    node = node_of(op, 1)
    found = ops.evaluate(node, [x])
    perfect = exact(x.astype(np.float64)).astype(F)
    low, high = (ops.nudged(node, [x], found, sign) for sign in (-1, 1))
    assert (low <= perfect).all()
    assert (perfect <= high).all()
    assert (high - low).max() < 1e-4
    np.testing.assert_array_equal(ops.nudged(node_of("Add", 2), [x, x], x, 1), x)
