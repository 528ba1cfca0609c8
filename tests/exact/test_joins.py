"""Functions of two integers as one integer sum or product: against onnxruntime on every pair."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qonnx.custom_op.general.quant import quant as qonnx_quant

from flowc.exact.choose import choose_activation
from flowc.exact.joins import JoinForm, find_join
from flowc.exact.region import Region
from flowc.model.ir import DOMAIN, is_op
from flowc.passes.integer_ranges import integer_ranges
from tests.exact.analysis import streamlined
from tests.netbuild import Net
from tests.oracle import Array, run_onnxruntime

F = np.float32
CHANNELS = 3
Meet = Callable[[Net, str, str], str]


def two_inputs(width: int) -> Net:
    net = Net([1, CHANNELS, 1, width])
    net.input("b", [1, CHANNELS, 1, width])
    return net


def region_of(
    meet: Meet, left: dict[str, Any], right: dict[str, Any], result: dict[str, Any]
) -> tuple[Region, list[str]]:
    net = two_inputs(1)
    y = meet(net, net.quant(net.x, **left), net.quant("b", **right))
    graph = streamlined(net.model(net.quant(y, **result) if result else net.bipolar(y))).graph
    ranges = integer_ranges(graph)
    node = [n for n in graph if is_op(n, "Quantize", DOMAIN)][-1]
    region = Region(node.outputs[0], ranges)
    sides = [leaf.producer().inputs[0].name for leaf in region.leaves]  # type: ignore[union-attr]
    return region, [s or "" for s in sides]


def integers(q: dict[str, Any]) -> Array:
    bits = q["bits"]
    return np.arange(-(2 ** (bits - 1)), 2 ** (bits - 1)) if q.get("signed", True) else np.arange(2**bits)


def dequantized(q: Array, options: dict[str, Any]) -> Array:
    scale, zero = np.asarray(options["scale"], F), np.asarray(options.get("zero_point", 0.0), F)
    return ((q.astype(F) - zero) * scale).astype(F)


def every_pair(
    meet: Meet, left: dict[str, Any], right: dict[str, Any], result: dict[str, Any]
) -> tuple[Array, Array, Array]:
    """(a, b, levels): all pairs, and levels (channels, pairs) by onnxruntime and qonnx."""
    a, b = (g.reshape(-1) for g in np.meshgrid(integers(left), integers(right), indexing="ij"))
    net = two_inputs(len(a))
    model = net.model(meet(net, "x", "b"))
    spread = [np.broadcast_to(v, (1, CHANNELS, 1, len(a))) for v in (a, b)]
    feeds = {"x": dequantized(spread[0], left), "b": dequantized(spread[1], right)}
    y = run_onnxruntime(model, {n: np.ascontiguousarray(v) for n, v in feeds.items()})[model.graph.output[0].name]
    if not result:
        return a, b, np.where(y >= 0, 1, -1)[0, :, 0].astype(np.int64)
    scale, zero = np.asarray(result["scale"], F), np.asarray(result.get("zero_point", 0.0), F)
    x = qonnx_quant(
        y, scale, zero, F(result["bits"]), result.get("signed", True), False, result.get("rounding", "ROUND")
    )
    return a, b, np.rint(x / scale + zero)[0, :, 0].astype(np.int64)


def check(meet: Meet, left: dict[str, Any], right: dict[str, Any], result: dict[str, Any]) -> JoinForm:
    region, sides = region_of(meet, left, right, result)
    form = find_join(region, 1 if result else 2)
    assert isinstance(form, JoinForm), form
    a, b, wanted = every_pair(meet, left, right, result)
    if sides == ["b", "x"]:
        a, b = b, a
    for channel in range(CHANNELS):
        row = min(channel, region.sets - 1)
        if form.op == "add":
            u = form.left[row % len(form.left)] * a + form.right[row % len(form.right)] * b
        else:
            u = (a - form.left_offset) * (b - form.right_offset)
        full = np.broadcast_to(u, (region.sets, len(u)))
        np.testing.assert_array_equal(form.steps(full)[row], wanted[channel])
        assert form.steps.lo[row] <= u.min()
        assert u.max() <= form.steps.hi[row]
        # The hardware form may use the freedom between the sums that occur.
        activation = choose_activation(form.steps, bipolar=not result)
        np.testing.assert_array_equal(activation.apply(full.T).T[row], wanted[channel])
    return form


def q(scale: Any, bits: int = 4, zero: Any = 0.0, **options: Any) -> dict[str, Any]:
    return {"scale": scale, "bits": bits, "zero_point": zero, **options}


def add(net: Net, a: str, b: str) -> str:
    return net.add(a, b)


def residual(net: Net, a: str, b: str) -> str:
    return net.relu(net.add(a, b))


def test_equal_scales_take_plain_sums() -> None:
    form = check(residual, q(0.3), q(0.3, signed=False), q(0.3, signed=False))
    assert (np.abs(form.left), np.abs(form.right)) == (1, 1)
    check(add, q(0.25, 8), q(0.25, 8), q(0.5, 8))


@pytest.mark.parametrize("ratio", [2.0, 0.5, 1.37, 3.0])
def test_other_scales(ratio: float) -> None:
    check(residual, q(0.3), q(0.3 * ratio), q(0.41, signed=False))
    check(add, q(0.3, 6), q(0.3 * ratio, 5), q(0.9, 4))


@pytest.mark.parametrize("rounding", ["ROUND", "CEIL", "FLOOR", "UP", "DOWN", "HALF_UP", "HALF_DOWN"])
def test_rounding_modes_with_ties(rounding: str) -> None:
    check(add, q(0.25), q(0.5), q(0.5, rounding=rounding))
    check(add, q(0.3), q(0.17), q(0.25, rounding=rounding))


def test_differences_zero_points_and_tails() -> None:
    check(lambda net, a, b: net.op("Sub", a, b), q(0.3), q(0.2), q(0.31))
    check(lambda net, a, b: net.op("Sub", b, a), q(0.3, zero=2.0), q(0.2, zero=-3.0), q(0.31, zero=1.0))
    check(lambda net, a, b: net.bn(net.add(a, b), CHANNELS, signs=True), q(0.3), q(0.2), q(0.31))
    check(lambda net, a, b: net.add(net.op("Neg", a), net.op("Mul", b, net.const(F(1.7)))), q(0.3), q(0.2), q(0.31))
    check(lambda net, a, b: net.op("Sigmoid", net.add(a, b)), q(0.3), q(0.2), q(0.07, signed=False))


def test_scales_per_channel() -> None:
    scales = np.random.default_rng(0).uniform(0.1, 0.5, (1, CHANNELS, 1, 1)).astype(F)
    form = check(residual, q(scales), q(0.2), q(0.31, signed=False))
    assert len(form.left) == CHANNELS


def test_bipolar_results() -> None:
    check(add, q(0.3), q(0.7), {})


def test_products() -> None:
    form = check(lambda net, a, b: net.op("Mul", a, b), q(0.3, zero=1.0), q(0.2, zero=-2.0), q(0.1, 6))
    assert form.op == "mul"
    assert {form.left_offset, form.right_offset} == {1, -2}
    assert check(lambda net, a, b: net.relu(net.op("Mul", a, b)), q(0.3), q(0.2), q(0.1)).op == "mul"


def test_small_domains_have_a_form_whatever_the_function() -> None:
    """A gate: neither a sum nor a product. Numbering the pairs always does."""
    form = check(lambda net, a, b: net.op("Mul", a, net.op("Sigmoid", b)), q(0.3), q(0.5), q(0.2))
    assert form.op == "add"
    check(lambda net, a, b: net.op("Max", a, b), q(0.3), q(0.2), q(0.31))


def test_large_domains_without_a_form_are_refused() -> None:
    region, _ = region_of(
        lambda net, a, b: net.bn(net.op("Mul", a, net.op("Tanh", b)), CHANNELS), q(0.03, 8), q(0.02, 8), q(0.01, 8)
    )
    reason = find_join(region, 1)
    assert isinstance(reason, str)
    assert "65,536 pairs" in reason


@settings(max_examples=25, deadline=None)
@given(
    st.floats(0.05, 2), st.floats(0.05, 2), st.floats(0.05, 2), st.integers(2, 6), st.integers(2, 6), st.integers(1, 6),
    st.booleans(), st.booleans(),
)  # fmt: skip
def test_any_scales(
    left: float, right: float, result: float, left_bits: int, right_bits: int, bits: int, signed: bool, relu: bool
) -> None:
    meet = residual if relu else add
    check(meet, q(left, left_bits, signed=signed), q(right, right_bits), q(result, bits, signed=False))
