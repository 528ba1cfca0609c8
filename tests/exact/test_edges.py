"""Joins, what a runtime may choose, and the record: to the edge, as literal values worked out by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from flowc.exact import joins, ops
from flowc.exact.bounds import SumBound
from flowc.exact.certificate import Certificate, TensorCertificate
from flowc.exact.intervals import levels_of
from flowc.exact.join_windows import _runs, listed
from flowc.exact.joins import Crossings, ratios, separate
from flowc.exact.narrow import narrow
from flowc.exact.partial import PartialSums
from flowc.exact.region import Region
from flowc.exact.spans import packed
from flowc.exact.steps import Steps, steps_of
from flowc.exact.windows import Windows
from flowc.model.ir import DOMAIN
from tests.exact.graphs import S, const, dequantized, op, shaped

Array = np.ndarray[Any, Any]
ONES = np.ones(1, np.int64)


# joins


def test_ratios_are_ever_more_exact() -> None:
    """1 : 0.4 is 2 : 1 to one bit, 4 : 2, then 8 : 3, 16 : 6, and 32 : 13."""
    found = [(int(m[0]), int(n[0])) for m, n in ratios(np.array([0.5]), np.array([0.2]))]
    assert found[:5] == [(2, 1), (2, 1), (8, 3), (8, 3), (32, 13)]
    assert len(found) == 24
    assert [(int(m[0]), int(n[0])) for m, n in ratios(np.array([-3.0]), np.array([2.0]))][:3] == [
        (-1, 1),
        (-2, 1),
        (-4, 3),
    ]
    each = next(iter(ratios(np.array([1.0, 4.0]), np.array([1.0, -4.0]))))
    assert [e.tolist() for e in each] == [[1, 1], [1, -1]]


def test_sums_separate_levels_or_do_not() -> None:
    """f = [a + b >= 3] for a, b in [0, 3]; a + b is 3 or more exactly there, 2 a + b is not."""
    b = np.arange(4)
    ends = np.zeros((1, 4), np.int64), np.full((1, 4), 3), np.ones((1, 4), np.int64)
    crossings = Crossings((3 - b)[None, :, None].clip(0, 4), b, *ends, 0)
    found = separate(crossings, ONES, ONES, 1)
    assert found is not None
    assert (found.lo.tolist(), found.hi.tolist(), found.at.tolist()) == ([0], [6], [[3]])
    assert found.free is not None
    assert found.free.tolist() == [[3]]
    assert separate(crossings, 2 * ONES, ONES, 1) is None
    wide = separate(crossings, 10 * ONES, 10 * ONES, 1)
    assert wide is not None
    assert wide.free is not None
    assert (wide.at.tolist(), wide.free.tolist()) == ([[30]], [[21]])
    never = Crossings(np.full((1, 4, 1), 4), b, *ends, 5)
    found = separate(never, ONES, ONES, 2)
    assert found is not None
    assert (found.at.tolist(), found.base.tolist(), found.step.tolist()) == ([[7]], [5], [[2]])


def test_multipliers_that_only_pairs_need_get_smaller() -> None:
    """999 a + 1001 b >= 3000 for a, b in [0, 3]: a + b >= 3 but for (3, 0), which 2997 misses; 3 a + 4 b or the like tells them apart."""
    steps = Steps(np.array([0]), np.array([6000]), np.array([0]), np.array([[2998]]), np.ones((1, 1), np.int64))
    limits = (np.array([0]), np.array([3])), (np.array([0]), np.array([3]))
    factors = np.array([999]), np.array([1001])
    found = narrow(steps, None, factors, limits)
    assert found is not None
    assert found.left[0] < 999
    assert (found.windows, found.ambiguous) == (None, 0)
    for a in range(4):
        for b in range(4):
            u = np.array([[a * found.left[0] + b * found.right[0]]])
            assert found.steps(u).item() == int(999 * a + 1001 * b >= 2998), (a, b)
    # A window that holds 2997 alone holds the pair (3, 0) alone; one between the sums that occur holds nothing.
    hit = narrow(steps, (np.array([[2997]]), np.array([[2998]])), factors, limits)
    assert hit is not None
    assert hit.windows is not None
    assert (hit.windows[0].tolist(), hit.windows[1].tolist(), hit.ambiguous) == (
        [[3 * hit.left[0]]],
        [[3 * hit.left[0] + 1]],
        1,
    )
    none = narrow(steps, (np.array([[2996]]), np.array([[2997]])), factors, limits)
    assert none is not None
    assert (none.windows, none.ambiguous) == (None, 0)
    assert narrow(steps, None, (np.array([-999]), np.array([1001])), limits) is None
    assert narrow(Steps(steps.lo, steps.hi, steps.base, steps.at, -steps.step), None, factors, limits) is None
    plain = Steps(np.array([0]), np.array([6]), np.array([0]), np.array([[3]]), np.ones((1, 1), np.int64))
    assert narrow(plain, None, (ONES, ONES), limits) is None


def test_ambiguous_sums_are_listed_or_too_many() -> None:
    """In the first set a = 2, 3 at 3 a + 10, and a = 5 at 3 a + 20; in the second nothing."""
    open_ = np.array([[True, False, True], [False, False, False]])
    first, last = np.array([[2, 0, 5], [0, 0, 0]]), np.array([[4, 9, 6], [9, 9, 9]])
    found = listed(open_, first, last, np.array([[3], [1]]), np.array([[10, 15, 20], [0, 0, 0]]))
    assert found is not None
    assert [u.tolist() for u in found] == [[16, 19, 35], []]
    many = np.array([[1 << 14]])
    assert listed(np.array([[True]]), 0 * many, many, ONES[None], 0 * many) is not None
    assert listed(np.array([[True]]), 0 * many, many + 1, ONES[None], 0 * many) is None


def test_runs_of_hits_along_the_sums() -> None:
    low, high = _runs(np.array([5, 1, 3, 3, 9]), np.array([True, False, True, False, False]))
    assert (low.tolist(), high.tolist()) == ([3], [6])
    low, high = _runs(np.array([5, 1, 3]), np.array([False, True, False]))
    assert (low.tolist(), high.tolist()) == ([1], [2])
    low, high = _runs(np.array([1, 2, 3, 4]), np.array([True, False, True, True]))
    assert (low.tolist(), high.tolist()) == ([1, 3], [2, 5])
    assert [e.size for e in _runs(np.array([1, 2]), np.zeros(2, bool))] == [0, 0]


def test_small_domains_are_numbered_and_larger_ones_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """A maximum is neither a sum nor a product: 16 x 16 pairs may be numbered where so many may; else it is refused."""
    (x, p), (y, q) = dequantized(S, 0.5, 0.0, "p"), dequantized(S, 0.25, 0.0, "q")
    level = shaped(
        ir.node("Quantize", [op("Max", x, y, shape=S), const(0.5), const(0.0)], {"lo": -8, "hi": 7}, domain=DOMAIN), S
    )
    low, high = np.full((1, 1, 1, 1), -8), np.full((1, 1, 1, 1), 7)
    both = Region(level, {p: (low, high), q: (low, high)})
    monkeypatch.setattr(joins, "_NUMBERED_IN_ALL", 0)
    for most, fine in ((256, True), (255, False)):
        monkeypatch.setattr(joins, "_NUMBERED", most)
        found = joins.find_join(both, 1)
        assert isinstance(found, joins.JoinForm) == fine
    assert "on all 256 pairs" in str(found)
    monkeypatch.setattr(joins, "_NUMBERED_IN_ALL", 256)
    form = joins.find_join(both, 1)
    assert isinstance(form, joins.JoinForm)
    assert (form.op, form.left.tolist(), form.right.tolist(), form.numbered) == ("add", [16], [1], True)
    a, b = np.meshgrid(np.arange(-8, 8), np.arange(-8, 8), indexing="ij")
    scales = [0.5, 0.25] if both.leaves[0] is p else [0.25, 0.5]
    wanted = np.rint(np.maximum(a * scales[0], b * scales[1]) / 0.5).clip(-8, 7)
    assert (form.steps((16 * a + b).reshape(1, -1)) == wanted.reshape(1, -1)).all()


# what a runtime may choose


@pytest.mark.parametrize(("kind", "x", "result", "wide"), [
    # Eight floats of the result, and 2^-22 of the argument: of 1 at least, of 4 at most where the function is bounded.
    ("Exp", 0.5, 1.0, 8 * 2.0**-23 + 2.0**-22), ("Exp", 100.0, 1.0, 8 * 2.0**-23 + 100 * 2.0**-22), ("Sigmoid", 100.0, 1.0, 8 * 2.0**-23 + 4 * 2.0**-22),
    ("Tanh", 3.0, -2.0, 8 * 2.0**-22 + 3 * 2.0**-22),
])  # fmt: skip
def test_ripple(kind: str, x: float, result: float, wide: float) -> None:
    node = ir.node(kind, [ir.Value(name="x")])
    found = ops.ripple(node, np.array([[x]], np.float32), np.array([[result]], np.float32))
    assert found is not None
    assert found.item() == pytest.approx(wide, rel=1e-6)
    assert ops.ripple(ir.node("Relu", [ir.Value(name="x")]), np.ones((1, 1)), np.ones((1, 1))) is None


def test_nudges_stay_within_a_few_floats_of_what_the_function_can_give() -> None:
    node, at = ir.node("Sigmoid", [ir.Value(name="x")]), [np.array([[9.0]], np.float32)]
    top = np.float32(1 + 2.0**-21)
    assert ops.nudged(node, at, np.ones((1, 1), np.float32), 1).item() == top
    assert ops.nudged(node, at, np.zeros((1, 1), np.float32), -1).item() == 0
    low, high = ops.widened(node, at[0], np.full((1, 1), 0.25, np.float32), np.full((1, 1), 0.5, np.float32))
    wide = 8 * 2.0**-24 + 4 * 2.0**-22
    assert (low.item(), high.item()) == (pytest.approx(0.25 - wide, abs=1e-8), pytest.approx(0.5 + wide, abs=1e-8))
    relu = ir.node("Relu", [ir.Value(name="x")])
    assert ops.nudged(relu, at, at[0], 1) is at[0]
    assert ops.widened(relu, at[0], at[0], at[0]) == (at[0], at[0])


# windows


@pytest.mark.parametrize(("high", "spans", "open_", "beyond"), [
    # Levels of 1,000 that begin half-way: at 501, which is not reached, and below -500. Sums may be off by 200.2.
    (400, [(-400, -299), (300, 401)], 0, 2), (299, [(-400, -299)], 0, 1), (300, [(-400, -299), (300, 301)], 0, 2),
    # What is reached has a window on both sides; another level beyond, from 1,500 on, is not in sight, then is.
    (1000, [(-400, -299), (300, 701)], 1, 1), (1299, [(-400, -299), (300, 701)], 1, 1), (1300, [(-400, -299), (300, 701), (1300, 1301)], 1, 2),
])  # fmt: skip
def test_windows_are_as_wide_as_the_error(high: int, spans: list[tuple[int, int]], open_: int, beyond: int) -> None:
    x, q = dequantized(S, 1.0)
    level = shaped(ir.node("Quantize", [x, const(1000.0), const(0.0)], {"lo": -4, "hi": 3}, domain=DOMAIN), S)
    region = Region(level, {q: (np.full((1, 1, 1, 1), -400), np.full((1, 1, 1, 1), high))})
    steps = steps_of(levels_of(region, q), np.array([-400]), np.array([high]), region.monotone(q), 1)
    one = PartialSums.of_terms(np.array([[1.0]]))
    bound = SumBound(one, one, np.zeros(1), np.array([200.0]), False, False, np.zeros((1, 1, 1, 1), np.int64))
    found = Windows(region, q, steps, slice(None), bound).written()
    (kept,) = packed(found.low, found.high)
    assert sorted(zip(kept[0].tolist(), kept[1].tolist(), strict=True)) == spans
    assert (int(found.open_.sum()), found.beyond) == (open_, beyond)
    none = Windows(region, q, steps, slice(None), None).written()
    assert [s[0].size for s in packed(none.low, none.high)] == [0]


# the record


def test_certificates_add_up() -> None:
    low = np.array([[3]])
    one = TensorCertificate("a", 10, 1, 2, 3, 4, 5, 50, low, low + 1)
    two = TensorCertificate("b", 7, 7, 0, 0, 0, 0, 150)
    both = Certificate((one, two))
    assert both.as_dict() == {
        "thresholds": 17,
        "exact": 8,
        "proven": 2,
        "proven_unfused": 3,
        "ambiguous": 4,
        "ambiguous_value_share": 0.025,
    }
    assert Certificate(()).as_dict()["ambiguous_value_share"] == 0.0
    assert list(both.windows) == ["a"]
    assert (one.windows, two.windows) == ((low, one.high), None)
    assert TensorCertificate("c", 0, 0, 0, 0, 0, 0, 0, low).windows is None
    assert [t.tensor for t in both.renamed({"b": "z"}).tensors] == ["a", "z"]
