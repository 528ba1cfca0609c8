"""What a conforming runtime may decide otherwise: both searches of joins agree, errors are those of their sums, portions are the whole."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from flowc.exact import certificate, join_windows, search, steps
from flowc.exact.bounds import UNIT, SumBound
from flowc.exact.forms import SumForms, Together
from flowc.exact.join_windows import _by_crossings, _by_pairs, _Operand
from flowc.exact.joins import JoinForm, find_join
from flowc.exact.partial import PartialSums
from flowc.exact.region import Region
from flowc.exact.windows import Windows
from flowc.model.ir import DOMAIN
from tests.exact.analysis import last_activation
from tests.exact.graphs import S, const, dequantized, op, shaped
from tests.netbuild import Net

Array = np.ndarray[Any, Any]
ONE = PartialSums.of_terms(np.array([[1.0]]))


def off_by(carried: float, terms: int = 1) -> SumBound:
    """A sum that is off by so much, whatever its value."""
    return SumBound(ONE, ONE, np.zeros(1), np.array([carried]), False, False, np.zeros((1, 1, 1, 1), np.int64))


def limits(low: int, high: int) -> tuple[Array, Array]:
    return np.full((1, 1, 1, 1), low), np.full((1, 1, 1, 1), high)


def quantized(x: ir.Value, scale: float = 1.0, low: int = -8, high: int = 7) -> ir.Value:
    return shaped(ir.node("Quantize", [x, const(scale), const(0.0)], {"lo": low, "hi": high}, domain=DOMAIN), S)


@pytest.mark.parametrize(("left", "right", "scale"), [
    (0.5, 0.25, 1.0), (-0.5, 0.25, 1.0), (0.5, -0.25, 0.6), (-0.5, -0.25, 0.6), (0.25, 0.5, 1.0), (-0.25, 0.5, 1.0), (0.3, [0.2, -0.5], 0.9),
    ([-0.3, 0.4], 0.1, 0.7),
])  # fmt: skip
@pytest.mark.parametrize("ranges", [((-6, 5), (0, 3)), ((0, 3), (-6, 5)), ((-1, 0), (-3, 9))])
def test_crossings_find_what_all_pairs_show(
    left: Any, right: Any, scale: float, ranges: tuple[tuple[int, int], tuple[int, int]]
) -> None:
    """Either search marks the same sums of integers that occur: rising or falling, per channel, whichever range is the wider."""
    shape = (2, 1, 1) if isinstance(left, list) else ()
    x, p = dequantized(S, np.reshape(left, shape) if shape else left, 0.0, "p")
    shape = (2, 1, 1) if isinstance(right, list) else ()
    y, q = dequantized(S, np.reshape(right, shape) if shape else right, 1.0, "q")
    region = Region(quantized(op("Add", x, y, shape=S), scale), {p: limits(*ranges[0]), q: limits(*ranges[1])})
    form = find_join(region, 1)
    assert isinstance(form, JoinForm)
    assert (form.op, form.numbered) == ("add", False)
    hits = 0
    for error in (0.3, 0.8):
        operands = [
            _Operand.of(region, leaf, off_by(error if leaf is p else 0.1), region.monotone(leaf))
            for leaf in region.leaves
        ]
        crossed, paired = _by_crossings(region, form, operands, 1), _by_pairs(region, form, operands)
        assert crossed is not None
        a, b = np.meshgrid(
            np.arange(operands[0].lo[0], operands[0].hi[0] + 1), np.arange(operands[1].lo[0], operands[1].hi[0] + 1)
        )
        for row in range(region.sets):
            m, n = (int(np.broadcast_to(f, (region.sets,))[row]) for f in (form.left, form.right))
            u = np.unique(m * a + n * b)
            inside = [
                ((u[:, None] >= found[0][row]) & (u[:, None] < found[1][row])).any(axis=1)
                for found in (crossed, paired)
            ]
            assert (inside[0] == inside[1]).all(), (row, error)
            hits += int(inside[0].sum())
    assert hits > 0


@pytest.mark.parametrize(("left", "right"), [(0.5, 0.25), (-0.5, 0.25), (0.5, -0.3), (-0.3, -0.25)])
def test_where_listing_is_too_long_a_window_spans_what_is_open_of_a_level(
    left: float, right: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the least to the greatest sum that is open: both are, and all that are listed lie between."""
    (x, p), (y, q) = dequantized(S, left, 0.0, "p"), dequantized(S, right, 1.0, "q")
    region = Region(quantized(op("Add", x, y, shape=S)), {p: limits(-6, 5), q: limits(0, 3)})
    form = find_join(region, 1)
    assert isinstance(form, JoinForm)
    operands = [_Operand.of(region, leaf, off_by(0.4), region.monotone(leaf)) for leaf in region.leaves]
    listed = _by_crossings(region, form, operands, 1)
    monkeypatch.setattr(join_windows, "_LISTED", 0)
    spanned = _by_crossings(region, form, operands, 1)
    assert listed is not None
    assert spanned is not None
    assert listed[2] == spanned[2] == int((spanned[1] > spanned[0]).sum()) > 1
    single = {u for a, b in zip(listed[0][0].tolist(), listed[1][0].tolist(), strict=True) for u in range(a, b)}
    spans = [(a, b) for a, b in zip(spanned[0][0].tolist(), spanned[1][0].tolist(), strict=True) if b > a]
    assert all(a in single and b - 1 in single for a, b in spans)
    assert single <= {u for a, b in spans for u in range(a, b)}
    monkeypatch.setattr(join_windows, "_MOST", 0)
    assert _by_crossings(region, form, operands, 1) is None


def test_how_far_an_operand_is_off() -> None:
    """0.5 (q - 3), times 4, plus 3: 2 (q - 3) + 3. Integers 0 to 15 lie up to 12 from 3."""
    x, q = dequantized(S, 0.5, 3.0)
    y = op("Add", op("Mul", x, const(4.0), shape=S), const(3.0), shape=S)
    region = Region(quantized(y), {q: limits(0, 15)})
    bound = SumBound(ONE, ONE, np.array([2.0]), np.array([0.25]), True, False, np.zeros((1, 1, 1, 1), np.int64))
    found = _Operand.of(region, q, bound, region.monotone(q))
    assert found.target is y
    assert (found.factor.item(), found.zero.item(), found.offset.item(), found.rising.item(), found.toward.item()) == (
        2.0,
        3.0,
        3.0,
        1,
        1,
    )
    assert found.size.item() == 2 * 12 + 3
    # A bias of 1.5 units may be added first: half an ulp of sums below 2 (12 + 1.5) ...
    error = bound.error(np.zeros((1, 1)), 12.0, np.array([2.0]), np.array([1.5]), fused=True).item()
    # ... in units of 0.5, times four; 13 roundings of the offset's 3 and of 2 * 12.
    assert found.wide.item() == pytest.approx(4 * error * 0.5 + 13 * UNIT * (3 + 24), rel=1e-12)
    down = region.evaluate({q: np.array([[3]])}, {y: found.pushed(np.array([[3]]), -1.0, slice(0, 1))})
    up = region.evaluate({q: np.array([[3]])}, {y: found.pushed(np.array([[3]]), 1.0, slice(0, 1))})
    assert (down.item(), up.item()) == (np.rint(3 - found.wide.item()), np.rint(3 + found.wide.item()))
    plain = _Operand.of(region, q, None, None)
    assert (plain.target, plain.wide.item(), plain.factor.item()) == (None, 0.0, 0.5)
    falling = op("Neg", x, shape=S)
    other = Region(quantized(falling), {q: limits(0, 15)})
    found = _Operand.of(other, q, bound, other.monotone(q))
    assert (found.factor.item(), found.rising.item(), found.toward.item()) == (
        0.5,
        -1,
        -1,
    )  # nothing scales: the sum itself is pushed


def test_errors_of_windows_are_those_around_their_sums() -> None:
    """The sum is the integer less its zero point; the offset is the bias in units of it, or what normalization adds."""
    x, q = dequantized(S, 0.5, 3.0)
    asked: list[tuple[Any, ...]] = []

    def ways(scale: Array, offset: Array, fused: Array, sets: int) -> Any:
        def error(total: Array, span: float) -> Array:
            asked.append((total.tolist(), span, scale.tolist(), offset.tolist(), fused.tolist(), sets))
            return np.zeros(total.shape)

        return SimpleNamespace(error=error)

    stub: Any = SimpleNamespace(exact=False, size=np.ones(1), ways=ways)
    y = op("Mul", op("Add", x, const(0.75), shape=S), const(-4.0), shape=S)
    sums = SumForms(Region(quantized(y), {q: limits(0, 15)}), q, slice(None), off_by(0.1))
    sums.bound = stub
    assert sums.fused is not None
    at = np.array([[5, 2]])
    assert Together(sums, [sums.written]).error(at, 7).shape == (1, 1, 2)
    assert Together(sums, [sums.written, sums.fused]).error(at, 7).shape == (2, 1, 2)
    assert asked == [
        ([[2.0, -1.0]], 7, [[0.5]], [[1.5]], [False], 1),
        ([[2.0, -1.0]], 7, [[0.5], [-2.0]], [[1.5], [1.5]], [False, True], 1),
    ]


def normalized() -> Any:
    """Four channels of their own scales and a batch normalization."""
    net = Net([1, 64, 2, 2], seed=3)
    y = net.bn(net.conv(net.quant(net.x, 0.0713, bits=8), 64, 4, 1, bits=8, per_channel=True), 4)
    return last_activation(net.model(net.quant(net.relu(y), 0.084, bits=6, signed=False)))


@pytest.mark.parametrize("apart", ["values", "searches"])
def test_windows_found_together_are_those_found_one_by_one(monkeypatch: pytest.MonkeyPatch, apart: str) -> None:
    """Of three floats evaluated in one step, and of searches that look at several integers."""
    seen = normalized()
    wanted = [seen.windows(fused=fused) for fused in (False, True)]
    assert all((high > low).any() for low, high in wanted)
    if apart == "values":
        monkeypatch.setattr("flowc.exact.forms._TOGETHER", 0)
    else:
        monkeypatch.setattr("flowc.exact.windows.first_near", search.bisect)
    for (low, high), fused in zip(wanted, (False, True), strict=True):
        found = seen.windows(fused=fused)
        assert (low == found[0]).all()
        assert (high == found[1]).all()


def test_forms_that_are_searched_together_have_their_own_windows() -> None:
    """Written and fused differ in their errors, so in how far around a threshold is looked at."""
    seen = normalized()
    view = Windows(seen.region, seen.leaf, seen.steps, slice(None), seen.bound)
    both = view.both()
    assert both[0].open_.any()
    assert (both[1].open_ & ~both[0].open_).any()
    for found, alone in zip(both, (view.written(), view.fused()), strict=True):
        assert (found.low == alone.low).all()
        assert (found.high == alone.high).all()
        assert (found.open_ == alone.open_).all()
        assert found.beyond == alone.beyond


@pytest.mark.parametrize("by", [-1, 1])
def test_a_threshold_that_lies_wrong_is_never_proven(by: int) -> None:
    """The reference's own level is looked at beside every threshold: one that was moved has a window, whatever the sum's bound."""
    seen = normalized()
    right = Windows(seen.region, seen.leaf, seen.steps, slice(None), off_by(0.0)).written()
    t = seen.steps
    row, column = 2, int(np.flatnonzero((t.at[2] > t.lo[2] + 1) & (t.at[2] < t.hi[2]) & ~right.open_[2])[3])
    at = t.at.copy()
    at[row, column] += by
    found = Windows(seen.region, seen.leaf, replace(t, at=at), slice(None), off_by(0.0)).written()
    assert not right.open_[row, column]
    assert found.open_[row, column]
    assert found.open_.sum() == right.open_.sum() + 1


def test_portions_make_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set by set, block by block, the same is found."""
    whole = normalized()
    expected = whole.certificate
    assert expected.windows is not None
    assert whole.region.sets == 4
    monkeypatch.setattr(certificate, "_THRESHOLDS_AT_ONCE", 1)
    assert len(list(certificate._parts(whole.steps))) == 4
    found = whole.certificate
    assert found.windows is not None
    for name in ("thresholds", "exact", "proven", "proven_unfused", "ambiguous", "inside", "values"):
        assert getattr(found, name) == getattr(expected, name), name
    assert [a.tolist() for a in found.windows] == [a.tolist() for a in expected.windows]
    monkeypatch.setattr("flowc.exact.bounds._CHUNK", 100)
    monkeypatch.setattr(steps, "_CHUNK", 4000)
    again = normalized()
    assert (again.steps.at == whole.steps.at).all()
    assert (again.steps.base == whole.steps.base).all()
    assert again.certificate.windows is not None
    assert [a.tolist() for a in again.certificate.windows] == [a.tolist() for a in expected.windows]


def test_pairs_are_tried_in_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    each, p = dequantized(S, np.array([0.5, 0.3]).reshape(2, 1, 1), 0.0, "p")
    y, q = dequantized(S, 0.25, 1.0, "q")
    region = Region(quantized(op("Add", each, y, shape=S)), {p: limits(-4, 3), q: limits(0, 3)})
    form = find_join(region, 1)
    assert isinstance(form, JoinForm)
    operands = [_Operand.of(region, leaf, off_by(0.7), region.monotone(leaf)) for leaf in region.leaves]
    whole = _by_pairs(region, form, operands)
    monkeypatch.setattr(join_windows, "_CHUNK", 1)
    part = _by_pairs(region, form, operands)
    assert [a.tolist() for a in part[:2]] == [a.tolist() for a in whole[:2]]
    assert part[2] == whole[2] > 0
