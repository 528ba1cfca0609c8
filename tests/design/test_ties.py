"""Ties: sums at which onnxruntime itself has two answers, so that no function of the sum, and no hardware, could agree with it."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest

from flowc.design.verify import compare
from flowc.streamline.compile import compile_model
from tests.compare import design_of
from tests.netbuild import Net

Array = np.ndarray[Any, Any]
SCALE, WEIGHT, STEP = 0.1, 0.05, 0.04
"""Decimal scales that share a factor: a level is eight units of the sum, and every eighth sum lies on a half."""


def net_and_integers(sign: float) -> tuple[Any, Array]:
    """One dense layer and its quantizer; the weights as integers (24, 5)."""
    net = Net([1, 24], seed=8)
    w = net.rng.integers(-7, 8, (24, 5))
    scale = np.float32(sign * WEIGHT)
    weights = net.op("Mul", net.const(w.astype(np.float32)), net.const(scale))
    y = net.op("MatMul", net.quant(net.x, SCALE, bits=4), weights)
    return net.model(net.quant(y, STEP, bits=10)), w


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_the_same_sum_has_two_answers_in_onnxruntime(sign: float) -> None:
    model, w = net_and_integers(sign)
    q = np.random.default_rng(3).integers(-8, 8, (400, 1, 24))
    x = (q * np.float32(SCALE)).astype(np.float32)
    built = design_of(compile_model(model))
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(built.reference.SerializeToString(), options)
    name = next(iter(built.outputs))
    levels = np.stack([session.run([name], {"x": one})[0] for one in x]) / np.float32(STEP)
    answers: dict[int, set[int]] = defaultdict(set)
    for total, level in zip(
        (q @ w).reshape(-1).tolist(), np.rint(levels).astype(int).reshape(-1).tolist(), strict=True
    ):
        answers[total].add(level)
    twice = {total for total, found in answers.items() if len(found) > 1}
    # All of them are sums on a half: total * 0.1 * 0.05 / 0.04 = total / 8.
    assert twice
    assert all(abs(total) % 8 == 4 for total in twice)
    found = compare(built, {"x": x[:, 0]})
    assert found.mismatches == found.explained > 0
    assert {cause for c in found.tensors.values() for cause in c.causes} == {"window"}
    given = np.rint(built.run(x[:, 0]) / np.float32(STEP)).astype(int).reshape(-1)
    exact = (q @ w).reshape(-1) * sign / 8
    off = np.abs(np.clip(exact, -512, 511) - given)
    assert (off <= 0.5).all()
