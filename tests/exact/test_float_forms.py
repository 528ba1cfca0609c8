"""What floats stand for, and how far off they may be, as literal values worked out by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from flowc.exact.affine import Affine, trace_affine, trace_sum
from flowc.exact.binades import slack
from flowc.exact.bounds import UNIT, SumBound, _each, _extremes, _make, sum_bound, together
from flowc.exact.chains import affine_chain, aligned, outward
from flowc.exact.partial import PartialSums
from flowc.exact.region import Region
from flowc.exact.sums import float_sum, float_sums, joint_sum
from tests.exact.graphs import S, const, dequantized, op, own, ranged

Array = np.ndarray[Any, Any]


# constants behind a sum


def test_affine_forms_and_their_offsets() -> None:
    """x = 0.5 (q - 3); + 2 moves the zero point by -4 units: magnitudes of 3, 1 and 4, of which twice the greatest is kept."""
    x, q = dequantized(S, 0.5, 3.0)
    form = trace_affine(op("Add", x, const(2.0), shape=S))
    assert form is not None
    assert (form.q, form.scale.item(), form.zero.item(), form.roundings, form.offset) == (q, 0.5, -1.0, 1, 8.0)
    assert (form.uniform, form.zero_int) == (True, -1)
    form = trace_affine(op("Sub", const(2.0), x, shape=S))
    assert form is not None
    assert (form.scale.item(), form.zero.item(), form.roundings, form.offset) == (-0.5, 7.0, 1, 14.0)
    form = trace_affine(op("Sub", x, const(0.25), shape=S))
    assert form is not None
    assert (form.zero.item(), form.zero_int, form.offset) == (3.5, None, 7.0)
    form = trace_affine(op("Mul", x, const(3.0), shape=S))
    assert form is not None
    assert (form.scale.item(), form.zero.item(), form.roundings, form.offset) == (1.5, 3.0, 1, 0.0)
    form = trace_affine(op("Div", x, const(4.0), shape=S))
    assert form is not None
    assert (form.scale.item(), form.roundings) == (0.125, 0)
    form = trace_affine(op("Neg", x, shape=S))
    assert form is not None
    assert (form.scale.item(), form.zero.item(), form.roundings) == (-0.5, 3.0, 0)
    assert trace_affine(op("Div", const(4.0), x, shape=S)) is None
    assert trace_affine(op("Mul", x, const(0.0), shape=S)) is None
    assert trace_affine(op("Div", x, const(0.0), shape=S)) is None
    assert trace_affine(op("Add", x, x, shape=S)) is None
    assert trace_affine(op("Max", x, const(1.0), shape=S)) is None
    assert trace_affine(None) is None
    third, _ = dequantized(S, 0.3)
    form = trace_affine(third)
    assert form is not None
    assert form.roundings == 1
    each, _ = dequantized(S, np.array([0.5, 0.25]).reshape(2, 1, 1), 1.0)
    form = trace_affine(each)
    assert form is not None
    assert (form.scale.shape, form.zero.shape, form.uniform, form.roundings) == ((1, 2, 1, 1), (1, 1, 1, 1), False, 0)
    assert Affine(q, np.ones(1), np.zeros(2), 0).uniform is False
    assert Affine(q, np.ones(1), np.zeros(2), 0).zero_int is None


def test_batch_normalization_is_affine() -> None:
    """gamma / sqrt(var) = 2 / 0.5 = 4 times 0.5 (q - 3), + 1 - 0.25 * 4: four roundings and one; magnitudes 3, 3 and (1 + 1) / 2."""
    x, _ = dequantized(S, 0.5, 3.0)
    parameters = [const(np.full(2, v)) for v in (2.0, 1.0, 0.25, 0.25)]
    form = trace_affine(op("BatchNormalization", x, *parameters, shape=S, epsilon=0.0))
    assert form is not None
    assert (form.scale.item(), form.zero.item(), form.roundings, form.offset) == (2.0, 3.0, 5, 6.0)


def test_sums_of_several_tensors() -> None:
    (x, p), (y, q) = dequantized(S, 0.5, 1.0, "p"), dequantized(S, 0.25, 0.0, "q")
    total = op("Add", op("Add", x, y, shape=S), const(2.0), shape=S)
    found = trace_sum(total)
    assert found is not None
    assert [(f.q, f.scale.item(), f.zero.item(), f.roundings, f.offset) for f in found] == [
        (p, 0.5, -3.0, 3, 8.0),
        (q, 0.25, 0.0, 2, 0.0),
    ]
    assert trace_sum(total, 1) is None
    assert trace_sum(total, 2) is not None
    alone = trace_sum(x)
    assert alone is not None
    assert [f.q for f in alone] == [p]
    assert trace_sum(None) is None
    assert trace_sum(op("Mul", x, y, shape=S)) is None


def region(y: ir.Value, q: ir.Value, low: int = -8, high: int = 7) -> Region:
    rank = (1,) * len(S)
    return Region(y, {q: (np.full(rank, low), np.full(rank, high))})


def test_what_a_runtime_may_multiply_into_weights() -> None:
    """x * 4 + 3, then - 1, then negated: factor -4, offset -2, of 3 + 1; the bias in front of the product is what is added before."""
    x, q = dequantized(S, 0.5)
    y = op("Add", op("Mul", op("Add", x, const(0.25), shape=S), const(4.0), shape=S), const(3.0), shape=S)
    y = op("Neg", op("Sub", y, const(1.0), shape=S), shape=S)
    bias, chain = affine_chain(region(y, q), x)
    assert bias.item() == 0.25
    assert chain is not None
    assert (chain.factor.item(), chain.offset.item(), chain.magnitude.item(), chain.roundings) == (
        -4.0,
        -3.0,
        5.0,
        3 + 5 * 5,
    )
    assert chain.output is y
    # Nothing scales: all of it is a bias.
    y = op("Sub", op("Add", x, const(0.25), shape=S), const(1.0), shape=S)
    bias, chain = affine_chain(region(y, q), x)
    assert (bias.item(), chain) == (-0.75, None)
    y = op("Sub", const(1.0), op("Div", x, const(2.0), shape=S), shape=S)
    bias, chain = affine_chain(region(y, q), x)
    assert bias.item() == 0.0
    assert chain is not None
    assert (chain.factor.item(), chain.offset.item(), chain.magnitude.item()) == (-0.5, 1.0, 1.0)
    # What is used twice, or is no such operation, ends it.
    twice = op("Mul", op("Add", x, const(1.0), shape=S), const(3.0), shape=S)
    y = op("Add", twice, op("Relu", twice, shape=S), shape=S)
    bias, chain = affine_chain(region(y, q), x)
    assert chain is not None
    assert (bias.item(), chain.factor.item(), chain.offset.item(), chain.output) == (1.0, 3.0, 3.0, twice)
    part = chain.of_rows(slice(0, 1))
    assert part.factor.item() == 3.0


@pytest.mark.parametrize(("value", "side", "wanted"), [
    (1.0, 1.0, 1.0), (1 + 2.0**-30, 1.0, 1 + 2.0**-23), (1 + 2.0**-30, -1.0, 1.0), (1 - 2.0**-30, -1.0, 1 - 2.0**-24),
    (1 - 2.0**-30, 1.0, 1.0), (1e39, -1.0, float(np.finfo(np.float32).max)), (1e39, 1.0, np.inf), (-1e39, 1.0, -float(np.finfo(np.float32).max)),
])  # fmt: skip
def test_floats_do_not_lie_further_in(value: float, side: float, wanted: float) -> None:
    found = outward(np.array([value]), side)
    assert found.dtype == np.float32
    assert float(found[0]) == wanted
    both = outward(np.array([[value], [value]]), np.array([[side], [-side]]))
    assert both[:, 0].tolist() == [wanted, float(outward(np.array([value]), -side)[0])]


@pytest.mark.parametrize(("bias", "top", "fine"), [
    (2.0, 100.0, True), (2.25, 100.0, False), (0.0, float(1 << 24) - 1, True), (0.0, float(1 << 24), False), (0.5, float(1 << 24) - 1, False),
    (-0.5, float(1 << 24) - 2, True),
])  # fmt: skip
def test_biases_on_the_grid_of_exact_sums(bias: float, top: float, fine: bool) -> None:
    bound = bound_of(np.array([[top]]), np.array([[0.0]]))
    assert aligned(np.array([[bias]]), np.array([[0.5]]), bound) == fine
    assert aligned(np.array([[2.0]]), np.array([[0.5]]), None)


# bounds


def bound_of(up: Array, down: Array, roundings: int = 0, inherited: float = 0.0) -> SumBound:
    up, down = np.asarray(up, float), np.asarray(down, float)
    return _make(
        _each(up, down),
        np.maximum(up, down).sum(axis=1),
        roundings,
        np.full(len(up), inherited),
        np.arange(len(up)).reshape(1, -1),
    )


def test_a_bound_is_made_of_the_extremes_of_its_terms() -> None:
    found = bound_of(np.array([[1, 5, 2]]), np.array([[3, 0, 2]]))
    assert found.up.dense().tolist() == [[0, 5, 7, 8]]
    assert found.down.dense().tolist() == [[0, 3, 5, 5]]
    assert (found.size.tolist(), found.carried.tolist(), found.rounded, found.exact) == ([10.0], [0.0], False, True)
    off = bound_of(np.array([[1, 5, 2]]), np.array([[3, 0, 2]]), 2, 0.25)
    assert (off.carried.tolist(), off.rounded, off.exact) == ([20 * UNIT + 0.25], True, False)
    assert (
        bound_of(np.array([[1.0]]), np.zeros((1, 1)), 1).exact,
        bound_of(np.array([[1.0]]), np.zeros((1, 1)), 0, 1e-9).exact,
    ) == (False, False)
    # Sums of 2^24 are not exact; a term of 2^24 is not even represented.
    half = float(1 << 23)
    for terms, rounded, exact in (
        ([half, half - 1], False, True),
        ([half, half], False, False),
        ([2 * half - 1], False, True),
        ([2 * half], True, False),
    ):
        one = bound_of(np.array([terms]), np.zeros((1, len(terms))))
        assert (one.rounded, one.exact) == (rounded, exact), terms
    assert PartialSums.of_terms(np.array([[1.0, 3.0, 2.0]])).dense().tolist() == [[0, 3, 5, 6]]
    assert slack(2) == 1 + 2.0**-10
    assert slack(1 << 20) == 1 + 2.0**-3


@pytest.mark.parametrize(
    ("low", "high", "zeros", "up", "down"),
    [
        (-8, 7, [0.0], 7, 8),
        (0, 15, [3.0], 12, 3),
        (2, 9, [1.0], 8, 0),
        (0, 15, [3.0, 5.0], 12, 5),
        (-5, -2, [0.0], 0, 5),
    ],
)
def test_extremes(low: int, high: int, zeros: list[float], up: float, down: float) -> None:
    assert _extremes((np.array([low]), np.array([high])), zeros) == (up, down)


def test_rows_of_bounds() -> None:
    found = bound_of(np.array([[1, 5], [7, 0]]), np.array([[3, 0], [1, 1]]), 0, 0.5)
    one = found.merged()
    assert (one.up.dense().tolist(), one.down.dense().tolist(), one.size.tolist(), one.carried.tolist()) == (
        [[0, 7, 7]],
        [[0, 3, 3]],
        [8.0],
        [0.5],
    )
    assert one.rows.tolist() == [[0]]
    assert one.of_rows(slice(1, 2)) is one
    assert found.of_rows(slice(1, 2)).size.tolist() == [8.0]
    assert found.at_rows(np.array([1, 0])).size.tolist() == [8.0, 8.0]


def test_sums_of_sums_are_bounded_together() -> None:
    """The second counts for -2 units of the whole: its least is the whole's greatest."""
    a, b = (
        bound_of(np.array([[1, 5]]), np.array([[3, 0]]), 0, 0.25),
        bound_of(np.array([[4.0]]), np.array([[1.0]]), 0, 0.5),
    )
    whole = together([a, b], [np.array([[1.0]]), np.array([[-2.0]])])
    assert whole.up.dense().tolist() == [[0, 5, 7, 8]]
    assert whole.down.dense().tolist() == [[0, 8, 11, 11]]
    assert whole.carried.tolist() == [0.25 + 1.0]
    assert not whole.exact
    clean = together([bound_of(np.array([[1.0]]), np.zeros((1, 1)))] * 2, [np.array([[1.0]])] * 2)
    assert clean.exact


def test_errors_of_exact_sums_are_none_unless_something_is_added_or_fused() -> None:
    exact = bound_of(np.array([[1, 5, 2]]), np.array([[3, 0, 2]]))
    total, scale = np.zeros((1, 1)), np.ones(1)
    assert exact.error(total, 0, scale, np.zeros(1)).item() == 0
    assert exact.error(total, 0, scale, np.ones(1)).item() > 0
    assert (
        exact.error(total, 0, scale, np.zeros(1), fused=True).item() > exact.error(total, 0, scale, np.ones(1)).item()
    )
    # One term: only what it carries, and the rounding of its product.
    one = bound_of(np.array([[4.0]]), np.zeros((1, 1)), 0, 0.5)
    assert one.error(total, 0, scale, np.zeros(1)).item() == pytest.approx((0.5 + UNIT * 4) * (1 + 2.0**-10), rel=1e-12)
    fused = one.error(total, 0, scale, np.zeros(1), fused=True).item()
    assert fused == pytest.approx((0.5 + 6 * UNIT * 4) * (1 + 2.0**-10), rel=1e-12)


def test_bounds_of_products() -> None:
    """Two outputs of two inputs in [0, 15] with zero point 3: 12 up and 3 down, by the sign of the weight."""
    q, ranges = ranged(1, 2, low=0, high=15)
    y = own("IntMatMul", [q, const([[2.0, -1.0], [0.0, 4.0]])], [1, 2], zeros=[3.0, 3.0], roundings=2, offset=0.5)
    found = sum_bound(y, ranges)
    assert found is not None
    assert found.up.dense().tolist() == [[0, 24, 24], [0, 48, 51]]
    assert found.down.dense().tolist() == [[0, 6, 6], [0, 12, 24]]
    assert found.size.tolist() == [24.0, 60.0]
    assert found.carried.tolist() == [2 * UNIT * (24 + 2 * 0.5), 2 * UNIT * (60 + 5 * 0.5)]
    assert found.rows.tolist() == [[0, 1]]
    exact = sum_bound(own("IntMatMul", [q, const([[2.0], [1.0]])], [1, 1], zeros=[0.0, 0.0], roundings=0), ranges)
    assert exact is not None
    assert exact.exact


def test_bounds_of_pools_and_joins() -> None:
    q, ranges = ranged(1, 2, 2, 3, low=0, high=15)
    for kind, attributes, taps in (("SumPool", {"kernel_shape": [2, 2]}, 4), ("GlobalSum", {}, 6)):
        found = sum_bound(own(kind, [q], [1, 2, 1, 1], zeros=[3.0], roundings=3, offset=0.5, **attributes), ranges)
        assert found is not None
        assert found.up.dense().tolist() == [[12.0 * k for k in range(taps + 1)]]
        assert found.down.dense().tolist() == [[3.0 * k for k in range(taps + 1)]]
        assert (found.size.tolist(), found.carried.tolist()) == ([12.0 * taps], [3 * UNIT * (12.5 * taps)])
    p, other = ranged(1, 2, 2, 3, low=-8, high=7, name="p")
    both = ranges | other
    shape = [1, 2, 2, 3]
    common: dict[str, Any] = {"left_zeros": [3.0], "right_zeros": [0.0], "roundings": 2, "offset": 0.5}
    found = sum_bound(own("Join", [q, p, const(2.0), const(-1.0)], shape, op="add", **common), both)
    assert found is not None
    # 2 * 12 and 8 up; 2 * 3 and 7 down; rounding relative to 2 * 12.5 + 8.5.
    assert (found.up.dense().tolist(), found.down.dense().tolist()) == ([[0, 24, 32]], [[0, 7, 13]])
    assert (found.size.tolist(), found.carried.tolist()) == ([32.0], [2 * UNIT * 33.5])
    found = sum_bound(own("Join", [q, p, const(1.0), const(1.0)], shape, op="mul", **common), both)
    assert found is not None
    # 12 * 7 or 3 * 8 up, 12 * 8 down; relative to 12.5 * 8.5.
    assert (found.up.dense().tolist(), found.down.dense().tolist()) == ([[0, 84]], [[0, 96]])
    assert found.carried.tolist() == [2 * UNIT * 12.5 * 8.5]
    assert sum_bound(q, ranges) is None
    assert sum_bound(own("Join", [q, p, const(1.0), const(1.0)], shape, op="add", **common), ranges) is None
    assert sum_bound(own("PixelPad", [q], shape), ranges) is None


def test_floats_that_stand_for_integers() -> None:
    """0.5 (q - 3) + 2: the zero point -1; 16 units at most and 8 of offset, two roundings."""
    x, q = dequantized(S, 0.5, 3.0)
    ranges = {q: (np.zeros((1, 1, 1, 1), np.int64), np.full((1, 1, 1, 1), 15))}
    y = op("Add", x, const(2.0), shape=S)
    found = float_sum(y, ranges)
    assert found is not None
    assert (found.tensor, found.reference, found.scale.item(), found.zero.item()) == ("q", y.name, 0.5, -1.0)
    assert found.error.item() == pytest.approx(2 * UNIT * (16 + 8 + 8), rel=1e-12)
    assert float_sum(y, {}) is None
    other, p = dequantized(S, 0.25, 0.0, "p")
    assert [s.reference for s in float_sums([y, other, x], q, ranges | {p: ranges[q]})] == [y.name, x.name]
    assert joint_sum(y, ranges) == []
