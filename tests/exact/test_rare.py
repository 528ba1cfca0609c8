"""Paths that only large or odd functions take, made small: hulls, lists that are too long, sums in halves, two scales of one sum."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from flowc.exact import join_windows, lines, ops
from flowc.exact.bounds import sum_bound
from flowc.exact.certificate import TensorCertificate, certify
from flowc.exact.intervals import interval
from flowc.exact.lines import _hull, _padded
from flowc.exact.movement import source_map
from flowc.exact.partial import PartialSums
from flowc.exact.region import Region
from flowc.exact.requant import find_requant
from flowc.exact.steps import Steps
from flowc.model.dtypes import IntType
from flowc.model.ir import DOMAIN
from flowc.streamline.compile import compile_model
from tests.exact.graphs import S, const, dequantized, op, shaped
from tests.netbuild import Net

Array = np.ndarray[Any, Any]


# requantizers of many levels


@pytest.mark.parametrize("seed", range(8))
def test_corners_of_hulls_are_all_that_counts(seed: int) -> None:
    """For every slope the highest point above (or the lowest below) a line is a corner; every corner is one of the points."""
    rng = np.random.default_rng(seed)
    x, y = rng.integers(-50, 50, 40), rng.integers(-50, 50, 40)
    for side in (1, -1):
        cx, cy = _hull(x, y, side)
        assert {*zip(cx.tolist(), cy.tolist(), strict=True)} <= {*zip(x.tolist(), y.tolist(), strict=True)}
        assert len(cx) < 40
        for slope in np.linspace(-20, 20, 41):
            assert (side * (cy - slope * cx)).max() == pytest.approx((side * (y - slope * x)).max())
    assert [e.tolist() for e in _hull(np.arange(5), 2 * np.arange(5), 1)] == [[0, 4], [0, 8]]
    assert [e.tolist() for e in _hull(np.array([3, 1]), np.array([0, 7]), 1)] == [[1, 3], [7, 0]]
    assert _padded([np.array([1, 2]), np.array([3])], -9).tolist() == [[1, 2], [3, -9]]
    assert _padded([np.zeros(0, np.int64)], 5).tolist() == [[5]]


@pytest.mark.parametrize("falling", [False, True])
def test_corners_give_the_same_requantizer(falling: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    q = np.arange(-300, 300)
    found = 0
    for _ in range(8):
        shift, sign = int(rng.integers(3, 8)), -1 if falling else 1
        mult, add = sign * rng.integers(1, 1 << shift, (3, 1)), rng.integers(-(1 << 9), 1 << 9, (3, 1))
        level = np.clip((q * mult + add) >> shift, -4, 11)
        delta = np.diff(level, axis=1)
        width = int(np.abs(delta).sum(axis=1).max())
        at = np.full((3, width), 300)
        step = np.zeros((3, width), np.int64)
        for row, d in enumerate(delta):
            where = np.repeat(np.flatnonzero(d), np.abs(d[d != 0]))
            at[row, : len(where)], step[row, : len(where)] = q[where + 1], sign
        steps = Steps(np.full(3, -300), np.full(3, 299), level[:, 0], at, step)
        assert (steps(np.broadcast_to(q, (3, 600))) == level).all()
        whole = find_requant(steps, IntType(5, True))
        with monkeypatch.context() as patch:
            patch.setattr(lines, "_PAIRWISE", 0)
            reduced = find_requant(steps, IntType(5, True))
        assert (whole is None) == (reduced is None)
        if whole is not None and reduced is not None:
            found += 1
            assert (whole.mult.tolist(), whole.add.tolist(), whole.shift) == (
                reduced.mult.tolist(),
                reduced.add.tolist(),
                reduced.shift,
            )
    assert found > 4


def test_addends_of_sets_that_never_move_stay_small() -> None:
    """One set climbs eight levels; one stays on the least, one on the greatest: an addend near the only bound that there is."""
    climbing = np.arange(8) * 10
    at = np.stack([climbing, np.full(8, 101), np.full(8, -100)])
    steps = Steps(np.full(3, -100), np.full(3, 100), np.zeros(3, np.int64), at, np.ones((1, 1), np.int64))
    found = find_requant(steps, IntType(4))
    assert found is not None
    assert (found.apply(np.array([[-100, -100, -100], [100, 100, 100]])) == [[0, 0, 8], [8, 0, 8]]).all()
    assert (np.abs(found.add) <= (9 << found.shift) + 101 * np.abs(found.mult)).all()


# joins


def join_of(net: Net, y: str) -> TensorCertificate:
    compiled = compile_model(net.model(net.conv(y, 3, 2, 1)))
    (join,) = [t for t in compiled.certificate.tensors if t.tensor == f"{y}/q"]
    return join


def averaged() -> TensorCertificate:
    net = Net([1, 3, 6, 6], seed=0)
    x = net.quant(net.x, 0.1, bits=3)
    y = net.quant(net.conv(x, 3, 3, 3, pads=[1] * 4), 0.2, bits=3)
    return join_of(net, net.quant(net.add(net.avgpool(x, 3, 1, pads=[1] * 4, count_include_pad=1), y), 0.2 / 9, bits=8))


def members(found: TensorCertificate) -> list[set[int]]:
    assert found.windows is not None
    low, high = (a.tolist() for a in found.windows)
    return [{q for a, b in zip(*row, strict=True) for q in range(a, b)} for row in zip(low, high, strict=True)]


def test_too_many_pairs_leave_everything_open(monkeypatch: pytest.MonkeyPatch) -> None:
    known = averaged()
    monkeypatch.setattr(join_windows, "_MOST", 0)
    unknown = averaged()
    assert unknown.windows is None
    assert (unknown.exact, unknown.proven, unknown.ambiguous, unknown.inside) == (0, 0, known.thresholds, 0)
    assert (unknown.thresholds, unknown.values) == (known.thresholds, known.values)


def test_halves_of_one_sum_are_further_off_than_each_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two-level ternary weights: the terms of both accumulators are added in any order."""

    def ternary() -> TensorCertificate:
        net = Net([1, 24], seed=1)
        w = net.rng.choice([0.1, 0.0, -0.15], (24, 6)).astype(np.float32)
        y = net.quant(
            net.relu(net.op("MatMul", net.quant(net.x, 0.25, bits=6), net.const(w))), 0.025, bits=8, signed=False
        )
        compiled = compile_model(net.model(net.linear(y, 6, 2)))
        (join,) = [t for t in compiled.certificate.tensors if t.tensor == f"{y}/q"]
        return join

    together = ternary()
    monkeypatch.setattr(join_windows, "_interleaved", lambda operands, bounds: operands)
    alone = ternary()
    assert 0 < alone.inside <= together.inside
    assert all(a <= b for a, b in zip(members(alone), members(together), strict=True))
    assert together.proven + together.ambiguous == together.thresholds


def test_room_of_interleaved_sums() -> None:
    """Every term of both rounds relative to what both add up to: 3 and 4 terms of |2 (7 - 1)| + 5 and 0.5 * 9."""

    def operand(lo: int, hi: int, factor: float, zero: float, offset: float) -> Any:
        one = np.ones((1, 1))
        leaf: Any = None
        return join_windows._Operand(
            leaf, np.array([lo]), np.array([hi]), None, factor * one, zero * one, offset * one, 0.25 * one, one, one
        )  # fmt: skip

    a, b = operand(0, 7, -2.0, 1.0, -5.0), operand(-9, 8, 0.5, 0.0, 0.0)
    assert (a.size.item(), b.size.item()) == (17.0, 4.5)
    three: Any = type("B", (), {"up": PartialSums.of_terms(np.zeros((1, 2)))})()
    four: Any = type("B", (), {"up": PartialSums.of_terms(np.zeros((1, 3)))})()
    wide = [o.wide.item() for o in join_windows._interleaved([a, b], [three, four])]
    assert wide == [0.25 + 7 * 2.0**-24 * 21.5] * 2
    assert join_windows._interleaved([a, b], [three, None])[0].wide.item() == 0.25 + 3 * 2.0**-24 * 21.5


# one sum, two scales


@pytest.mark.parametrize("open_", [False, True])
def test_a_sum_that_is_scaled_twice_is_proven_only_where_nothing_is_open(open_: bool) -> None:
    x, q = dequantized(S, 0.5)
    again = shaped(ir.node("Dequantize", [q, const(0.3), const(0.0)], domain=DOMAIN), S)
    y = op("Add", x, op("Sigmoid", again, shape=S) if open_ else again, shape=S)
    level = shaped(ir.node("Quantize", [y, const(1.0), const(0.0)], {"lo": -8, "hi": 7}, domain=DOMAIN), S)
    region = Region(level, {q: (np.full((1, 1, 1, 1), -8), np.full((1, 1, 1, 1), 7))})
    assert len(region.dequantized(q)) == 2
    steps = Steps(np.array([-8]), np.array([7]), np.array([-6]), np.array([[-7, 0, 7, 8]]), np.ones((1, 1), np.int64))
    found = certify("t", region, steps, q, sum_bound(q, {q: region._limits[q]}))
    assert (found.thresholds, found.exact, found.proven, found.proven_unfused, found.ambiguous, found.inside, found.values) == (
        (3, 0, 0, 0, 3, 0, 16) if open_ else (3, 0, 3, 0, 0, 0, 16)
    )  # fmt: skip
    assert found.windows is None


# operations


def node(kind: str, inputs: int = 1, domain: str = "", **attributes: Any) -> ir.Node:
    return ir.node(kind, [ir.Value(name=f"x{i}") for i in range(inputs)], attributes, domain=domain)


def test_what_can_not_be_bounded_may_be_anything() -> None:
    one, two = np.ones((2, 1), np.float32), np.full((2, 1), 2, np.float32)
    for args, kind in (
        ([(one, two), (one, two)], node("Pow", 2)),
        ([(one, two)], node("Swish", alpha=-1.0)),
        ([(one, two)], node("ThresholdedRelu", alpha=-1.0)),
    ):
        low, high = interval(kind, args)
        assert np.isneginf(low).all()
        assert np.isposinf(high).all()
        assert low.shape == high.shape == (2, 1)
    low, high = interval(node("Pow", 2), [(-one, two), (two, two)])
    assert (low.max(), high.min()) == (pytest.approx(0, abs=1e-5), pytest.approx(4, abs=1e-5))


def test_directions_of_quantizers() -> None:
    """Levels of a table rise; a shift follows the sign of its factor; all others that of their scale."""
    levels, shift = node("Quantize", 4, DOMAIN, style="levels"), node("Quantize", 4, DOMAIN, style="shift")
    down, up = np.full((1, 1), -2.0), np.full((1, 1), 3.0)
    found = ops.direction(levels, [None, down, down, down], 0)
    assert found is not None
    assert found.item() == 1
    for factor, sign in ((down, -1), (up, 1)):
        found = ops.direction(shift, [None, up, up, factor], 0)
        assert found is not None
        assert found.item() == sign
        for kind in ("Quantize", "Dequantize"):
            found = ops.direction(node(kind, 3, DOMAIN), [None, factor, down], 0)
            assert found is not None
            assert found.item() == sign
    assert ops.direction(shift, [None, up, up, None], 0) is None
    assert ops.direction(node("Quantize", 3, DOMAIN), [None, None, up], 0) is None
    assert ops.direction(node("Selu", alpha=1.0, gamma=-1.0), [None], 0) is None
    assert ops.direction(node("Elu", alpha=-0.5), [None], 0) is None
    rising = ops.direction(node("Elu", alpha=0.0), [None], 0)
    assert rising is not None


@pytest.mark.parametrize(
    ("mode", "wanted"), [("edge", [0, 0, 1, 2, 2, 2]), ("reflect", [1, 0, 1, 2, 1, 0]), ("wrap", [2, 0, 1, 2, 0, 1])]
)
def test_where_padded_elements_come_from(mode: str, wanted: list[int]) -> None:
    pad = ir.node("Pad", [ir.Value(name="x"), const_int([0, 0, 0, 1, 0, 0, 0, 2])], {"mode": mode})
    assert source_map(pad, np.arange(3).reshape(1, 1, 1, 3)).reshape(-1).tolist() == wanted


def test_where_resized_elements_come_from() -> None:
    kind = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    resize = ir.node("Resize", [ir.Value(name="x"), ir.Value(name=""), const([1.0, 1.0, 2.0, 1.5])], kind)
    resize.inputs[0].shape = ir.Shape([1, 1, 1, 4])  # type: ignore[union-attr]
    resize.outputs[0].name = "y"
    found = source_map(resize, np.array([5, 6, 7, 1 << 23]).reshape(1, 1, 1, 4))
    assert found.dtype == np.int64
    assert found.reshape(2, 6).tolist() == [[5, 5, 6, 7, 7, 1 << 23]] * 2


def const_int(values: list[int]) -> ir.Value:
    tensor = ir.tensor(np.array(values, np.int64))
    value = ir.Value(name="pads", const_value=tensor, shape=ir.Shape(tensor.shape), type=ir.TensorType(tensor.dtype))
    KEPT.append(ir.Graph([], [], nodes=[], initializers=[value], opset_imports={"": 20}))
    return value


KEPT: list[ir.Graph] = []
