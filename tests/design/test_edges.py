"""Verification's parts one by one, each to its edge: which pairs pin a step down, which window holds what, which difference is a tie."""

from __future__ import annotations

from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from onnx import helper

from flowc.design import comparison, join_probes, probes
from flowc.design.comparison import Comparison, Verification, room_of
from flowc.design.excuses import flowed, in_windows, tie_excuse, window_excuse, windows_fit
from flowc.design.probes import _arguments
from flowc.design.verify import _known, _last, _layers, _relative, compare
from flowc.errors import MismatchError
from flowc.exact.sums import FloatSum
from flowc.model.dtypes import SInt, UInt
from flowc.streamline.compile import compile_model
from flowc.units import ArgMax, Fork, Frame, InputPort, Join, OutputPort, Pool, Thresholds, Window
from flowc.units.graph import Dataflow, Stream
from tests.compare import design_of
from tests.netbuild import Net

Array = np.ndarray[Any, Any]


def join(op: str, channels: int = 1, **fields: Any) -> Join:
    frame = Frame(2, 3, channels, SInt(8))
    ones = np.ones(1, np.int64)
    return Join(name="j", left=frame, right=frame, op=op, acc=SInt(20), left_scale=ones, right_scale=ones).with_(
        **fields
    )  # type: ignore[no-any-return]


# pairs of integers that pin a step down


@pytest.mark.parametrize(("fields", "left", "right"), [
    ({"op": "add", "left_scale": np.array([7]), "right_scale": np.array([3])}, (-5, 6), (-4, 9)),
    ({"op": "add", "left_scale": np.array([-7]), "right_scale": np.array([3])}, (-5, 6), (2, 2)),
    ({"op": "add", "left_scale": np.array([7]), "right_scale": np.array([-3])}, (-5, 6), (1, 1)),
    ({"op": "mul", "left_offset": 2, "right_offset": -1}, (-6, 7), (-3, 4)),
    ({"op": "mul", "left_offset": 2, "right_offset": 3}, (-6, 7), (5, 5)), ({"op": "mul", "right_offset": 6}, (-6, 7), (3, 3)),
])  # fmt: skip
def test_the_nearest_pairs_on_either_side_of_a_step(
    fields: dict[str, Any], left: tuple[int, int], right: tuple[int, int]
) -> None:
    """Of all pairs, the one that reaches the step with the least to spare, and the one that misses it by least: by trying them all."""
    unit = join(**fields)
    grid = np.meshgrid(np.arange(left[0], left[1] + 1), np.arange(right[0], right[1] + 1), indexing="ij")
    sums = np.unique(unit.accumulate(*(g.reshape(1, 1, -1, 1) for g in grid)))
    at = np.concatenate([sums[1:], sums[1:] - 1])
    at = np.unique(at[(at > sums[0]) & (at <= sums[-1])])
    ends = [(np.array([low]), np.array([high])) for low, high in (left, right)]
    a, b = join_probes._around(unit, ends[0], ends[1], 0, at)
    assert len(a) == len(b) == 2 * len(at) + 64
    for side, low, high in ((a, *left), (b, *right)):
        assert side.min() >= low
        assert side.max() <= high
    if left[0] < left[1]:
        assert a[2 * len(at) :].max() == left[1]  # the last of what may occur is drawn as well
    u = unit.accumulate(a.reshape(1, 1, -1, 1), b.reshape(1, 1, -1, 1)).reshape(-1)
    assert u[: len(at)].tolist() == [sums[sums >= t].min() for t in at]
    assert u[len(at) : 2 * len(at)].tolist() == [sums[sums < t].max() for t in at]


def test_steps_and_operands_that_are_too_many_are_thinned(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every third step of seven where three may be looked at; of one operand as many as pairs allow, of a channel without steps zero."""
    unit = join("add")
    ends = np.array([-100]), np.array([100])
    monkeypatch.setattr(join_probes, "_STEPS", 3)
    a, b = join_probes._around(unit, ends, ends, 0, np.arange(7) * 10)
    assert (a + b)[:3].tolist() == [0, 30, 60]
    assert (a + b)[3:6].tolist() == [-1, 29, 59]
    assert len(a) == 6 + 64
    monkeypatch.setattr(join_probes, "_PAIRS", 6)
    monkeypatch.setattr(join_probes, "_TRIED", 1)
    a, b = join_probes._around(unit, ends, ends, 0, np.arange(7) * 10)
    assert len(set(b[:6].tolist())) <= 2
    assert (a + b)[:3].tolist() == [0, 30, 60]
    a, b = join_probes._around(unit, ends, ends, 0, np.zeros(0, np.int64))
    assert (a + b)[:2].tolist() == [0, -1]


def test_operands_are_drawn_from_all_that_may_occur(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of four integers three are drawn, for every channel others: neither end is left out."""
    monkeypatch.setattr(join_probes, "_PAIRS", 3)
    monkeypatch.setattr(join_probes, "_TRIED", 1)
    ends = np.full(24, -100), np.full(24, 100)
    few = np.full(24, 2), np.full(24, 5)
    drawn = [join_probes._around(join("add", 24), ends, few, c, np.array([7]))[1][:2] for c in range(24)]
    assert {int(b) for one in drawn for b in one} == {2, 3, 4, 5}


def test_as_many_operands_are_drawn_as_pairs_allow(monkeypatch: pytest.MonkeyPatch) -> None:
    """60 pairs for three steps are 20 each, of which three times as many are looked at; of 60 operands none is drawn; then 64 anywhere."""
    asked: list[Any] = []

    class Rng:
        def integers(self, low: int, high: int, size: int) -> Array:
            asked.append((int(low), int(high), size))
            return np.full(size, low)

    monkeypatch.setattr(join_probes, "_PAIRS", 60)
    monkeypatch.setattr(join_probes, "_TRIED", 3)
    monkeypatch.setattr(np.random, "default_rng", lambda seed: Rng())
    left = np.array([-9]), np.array([9])
    for high in (60, 59):
        join_probes._around(join("add"), left, (np.array([0]), np.array([high])), 0, np.arange(3))
    assert asked == [(0, 61, 60), (-9, 10, 64), (0, 61, 64), (-9, 10, 64), (0, 60, 64)]


def test_how_much_is_tried_is_a_decision() -> None:
    """Pairs per channel and join, steps, arguments per set and activation: some seconds, and some hundred megabytes, at most."""
    assert (join_probes._PAIRS, join_probes._ELEMENTS, join_probes._STEPS, join_probes._TRIED) == (
        4096,
        2_097_152,
        2048,
        16,
    )
    assert (probes._MOST, probes._ELEMENTS, probes._ROUNDING) == (8192, 4_194_304, 1 / 16)
    assert comparison._CLOSE == 1e-5


def test_all_pairs_are_tried_where_they_are_few_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three by four pairs in one channel, two by two in the other: twelve may be tried, of eleven only those around the steps."""
    steps = Thresholds(
        dtype=UInt(1), values=np.array([[0], [1]]), base=np.zeros(2, np.int64), step=np.ones((1, 1), np.int64), domain=np.array([[-9, 9], [-9, 9]])
    )  # fmt: skip
    unit = join("add", 2, activation=steps)
    left, right = (np.array([-1, 0]), np.array([1, 1])), (np.array([-2, 0]), np.array([1, 1]))
    monkeypatch.setattr(join_probes, "_PAIRS", 12)
    pairs = join_probes._pairs(unit, left, right)
    assert pairs is not None
    assert [p.shape for p in pairs] == [(12, 2), (12, 2)]
    assert list(zip(*(p[:, 0].tolist() for p in pairs), strict=True)) == [
        (x, y) for x in (-1, 0, 1) for y in (-2, -1, 0, 1)
    ]
    # The shorter column goes on with its last pair.
    assert list(zip(*(p[:, 1].tolist() for p in pairs), strict=True)) == [(0, 0), (0, 1), (1, 0)] + 9 * [(1, 1)]
    for name, value in (("_PAIRS", 11), ("_ELEMENTS", 23)):
        monkeypatch.setattr(join_probes, "_PAIRS", 12)
        monkeypatch.setattr(join_probes, name, value)
        pairs = join_probes._pairs(unit, left, right)
        assert pairs is not None
        assert len(pairs[0]) == 2 + 64
        assert sorted({int(x + y) for x, y in zip(pairs[0][:2, 0], pairs[1][:2, 0], strict=True)}) == [-1, 0]
    monkeypatch.setattr(join_probes, "_ELEMENTS", 24)
    pairs = join_probes._pairs(unit, left, right)
    assert pairs is not None
    assert len(pairs[0]) == 12


@pytest.mark.parametrize(("rows", "frames"), [(1, 1), (6, 1), (7, 2), (12, 2), (13, 3)])
def test_pairs_fill_frames(rows: int, frames: int) -> None:
    columns = np.arange(rows * 2).reshape(rows, 2)
    found = join_probes._frames(columns, (2, 3, 2))
    assert found.shape == (frames, 2, 3, 2)
    flat = found.reshape(-1, 2)
    assert (flat[:rows] == columns).all()
    assert (flat[rows:] == columns[-1]).all()


def test_reach_is_the_least_and_the_greatest_so_far() -> None:
    reach = join_probes.Reach()
    info = SimpleNamespace(to_stream=lambda a, frame: a.reshape(1, *frame))
    design: Any = SimpleNamespace(tensors={"t": info})
    assert reach.of(design, "t", (1, 2, 2)) is None
    for sample in ([3, -1, 2, 5], [1, 0, 4, -7]):
        reach.see("t", np.array([sample]))
    found = reach.of(design, "t", (1, 2, 2))
    assert found is not None
    assert [e.tolist() for e in found] == [[1, -7], [4, 5]]
    assert [e.dtype for e in found] == [np.int64, np.int64]


# arguments of activations


@pytest.mark.parametrize(("sets", "frame", "frames"), [(1, (2, 3, 4), 7), (4, (2, 3, 4), 7), (2, (1, 1, 2), 38)])
def test_arguments_fill_frames(sets: int, frame: tuple[int, int, int], frames: int) -> None:
    """Two sides of two steps, two ends, 32 anywhere: 38 arguments for each channel, over the positions of as many frames as that takes."""
    values = np.array([[0, 5]]) + np.arange(sets)[:, None] * 10
    domain = np.array([[-20, 50]]) + np.arange(sets)[:, None]
    steps = Thresholds(
        dtype=UInt(2), values=values, base=np.zeros(sets, np.int64), step=np.ones((1, 1), np.int64), domain=domain
    )
    found = _arguments(steps, frame)
    assert found is not None
    assert found.shape == (frames, *frame)
    for channel in range(frame[2]):
        own = channel if sets > 1 else 0
        seen = found[..., channel].reshape(-1)
        assert seen[:6].tolist() == [values[own, 0] - 1, values[own, 1] - 1, *values[own], *domain[own]]
        assert (seen.min(), seen.max()) == tuple(domain[own])
        assert (seen[38:] == seen[37]).all()
    assert _arguments(steps, (2, 3, 2 * sets - 1)) is None or sets == 1


# windows


@pytest.mark.parametrize(("count", "fits"), [(1, True), (2, True), (12, True), (3, False), (6, False), (0, False)])
def test_windows_are_for_all_channels_each_or_each_element(count: int, fits: bool) -> None:
    windows = np.zeros((count, 1)), np.ones((count, 1))
    assert windows_fit(windows, Frame(2, 3, 2, SInt(8))) == fits


@pytest.mark.parametrize("per", ["frame", "channel", "element"])
def test_a_window_begins_at_its_low_end_and_stops_before_its_high_one(per: str) -> None:
    frame = Frame(2, 3, 2, SInt(8))
    count = {"frame": 1, "channel": 2, "element": 12}[per]
    low = np.arange(count)[:, None] * 100 + np.array([[0, 50]])
    high = low + np.array([[3, 1]])
    index = np.arange(12).reshape(frame.shape) % count if per != "element" else np.arange(12).reshape(frame.shape)
    for offset, inside in ((-1, False), (0, True), (2, True), (3, False), (49, False), (50, True), (51, False)):
        acc = (index * 100 + offset)[None]
        assert (in_windows(acc, (low, high), frame) == inside).all(), offset
    if count > 1:
        acc = np.where(index == 1, 100, -1)[None]
        assert (in_windows(acc, (low, high), frame) == (index == 1)[None]).all()


def moving(pools: int = 1) -> tuple[Any, Dataflow, Stream]:
    """in -> window -> maximum over pairs -> out, where a requantizer went in front."""
    pool = Pool(name="p", frame=Frame(1, 1, 2, SInt(8)), channels=1, op="max", acc=SInt(8))
    units = [
        Join(
            name="j", left=Frame(1, 2, 1, SInt(8)), right=Frame(1, 2, 1, SInt(8)), op="add", acc=SInt(8), left_scale=np.ones(1, np.int64),
            right_scale=np.ones(1, np.int64),
        ),
        Window(name="w", frame=Frame(1, 2, 1, SInt(8)), kernel=(1, 2), block=1), pool,
        *(Fork(name=f"f{i}", frame=Frame(1, 1, 1, SInt(8)), ways=1) for i in range(pools)),
    ]  # fmt: skip
    names = [u.name for u in units]
    streams = [Stream(a, b, tensor="inner" if a == "j" else None) for a, b in pairwise(names)]
    return (
        SimpleNamespace(windows={"inner": (np.array([[4]]), np.array([[5]]))}),
        Dataflow("d", units, streams),
        streams[-1],
    )


def test_marks_follow_what_is_moved() -> None:
    """A sum of four is in the window: a maximum over it is excused, and one over five is not; nothing is, where the sum was compared."""
    design, graph, stream = moving()
    before = {
        "j.0": np.array([[1, 4]]),
        "j.1": np.array([[1, 0]]),
        "w.0": np.array([[2, 4]]),
        "p.0": np.array([[2, 4]]),
        "f0.0": np.array([[4]]),
    }
    excuse = window_excuse(design, graph, stream, before, set())
    assert excuse().tolist() == [[[[True]]]]
    before["j.0"] = np.array([[1, 5]])
    assert excuse().tolist() == [[[[False]]]]
    assert window_excuse(design, graph, stream, before, {"inner"}) is None
    assert window_excuse(SimpleNamespace(windows={}), graph, stream, before, set()) is None
    (inner,) = graph.into("w")
    assert window_excuse(design, graph, inner, before, set())().reshape(-1).tolist() == [False, False]
    wrong: Any = SimpleNamespace(windows={"inner": (np.zeros((5, 1)), np.ones((5, 1)))})
    assert window_excuse(wrong, graph, inner, before, set()) is None


def test_what_flowed_into_a_unit_has_the_shape_of_its_frames() -> None:
    unit = join("add", 2)
    before = {"j.0": np.arange(24).reshape(2, 12), "j.1": np.arange(24)}
    assert [a.shape for a in flowed(unit, before)] == [(2, 2, 3, 2), (2, 2, 3, 2)]
    assert [a.reshape(-1).tolist() for a in flowed(unit, before)] == [list(range(24))] * 2


# ties


@pytest.mark.parametrize(
    ("slack", "gap", "tie"),
    [([2], 4, True), ([2], 5, False), ([0, 3, 9], 3, True), ([0, 3, 9], 4, False), ([0, 0, 0], 0, True)],
)
def test_a_tie_is_as_wide_as_both_slacks_together(slack: list[int], gap: int, tie: bool) -> None:
    """Channel 1 is picked here, channel 0 by the reference."""
    unit = ArgMax(name="a", frame=Frame(1, 1, 3, SInt(8)))
    graph = Dataflow("d", [unit, Fork(name="f", frame=unit.outputs[0], ways=1)], [Stream("a", "f", tensor="t")])
    design: Any = SimpleNamespace(argmax_slack={"t": np.array(slack)})
    before = {"a.0": np.array([[10, 10 + gap, -50]])}
    given, right = np.array([[[[1]]]]), np.array([[[[0]]]])
    (stream,) = graph.streams
    assert tie_excuse(design, graph, stream, before, given, right)().tolist() == [[[[tie]]]]
    assert tie_excuse(SimpleNamespace(argmax_slack={}), graph, stream, before, given, right) is None  # type: ignore[arg-type]
    other = Dataflow(
        "d", [Fork(name="a", frame=unit.frame, ways=1), Fork(name="f", frame=unit.frame, ways=1)], [stream]
    )
    assert tie_excuse(design, other, stream, before, given, right) is None


# counting


def test_what_one_cause_explains_is_not_left_for_the_next() -> None:
    given, right = np.array([1, 2, 3, 4, 5, 6]), np.array([1, 0, 0, 0, 0, 6])
    found = Comparison("q")
    causes = {"window": [1, 1, 0, 0, 0, 1], "tie": [1, 1, 1, 1, 0, 1]}
    found.same(given, right, {name: lambda where=where: np.array(where, bool) for name, where in causes.items()})  # type: ignore[misc]
    assert found.causes == {"window": 1, "tie": 2}
    assert (found.mismatches, found.explained) == (4, 3)


def entry(reference: str, error: float = 0.0, scale: float = 1.0, tensor: str = "q") -> FloatSum:
    return FloatSum(tensor, reference, np.array([scale]), np.array([0.0]), np.array([error]))


@pytest.mark.parametrize(
    ("integers", "value", "wrong"),
    [(40, np.inf, 0), (-40, -np.inf, 0), (40, -np.inf, 1), (1, np.inf, 1), (40, 3e38, 1), (40, np.nan, 1)],
)
def test_joint_sums_that_overflow(integers: int, value: float, wrong: int) -> None:
    found = Comparison("y")
    found.joint(
        [np.array([integers]), np.array([0])],
        np.array([value], np.float32),
        [entry("y", 0.0, 1e38), entry("y", 0.0, 1.0)],
    )
    assert (found.mismatches, found.within, found.not_finite) == (wrong, 1, int(not np.isfinite(value)))


def test_the_room_of_several_sums_adds_up() -> None:
    assert room_of([entry("y", 0.5, -2.0), entry("y", 0.25, 4.0)]).tolist() == [2.0]


def test_where_the_model_itself_is_not_finite_the_error_says_so() -> None:
    for bad, text in (
        ([np.inf, 1], "1 value of the model itself is infinite"),
        ([np.nan, np.inf], "2 values of the model itself are infinite"),
    ):
        found = Verification()
        found.tensor("y").same(np.zeros(2, np.float32), np.array(bad, np.float32))
        assert text in str(found.error(2))
        assert found.tensor("y").layer == ""
    found = Verification()
    found.tensor("y").same(np.array([1.0]), np.array([2.0]))
    found.tensor("y").tied(1)
    assert (found.mismatches, found.explained) == (2, 1)
    assert str(found.error(9)).startswith("1 of 9 integers differ from onnxruntime, first in tensor 'y'. This is a bug")
    found.tensor("y").tied(0)
    assert found.tensor("y").causes == {"tie": 1}


@pytest.mark.parametrize(("given", "right", "wanted"), [
    ([1.5, 0.0], [1.0, 0.25], 0.5), ([10.0, -4.0], [8.0, -4.0], 0.25), ([0.1], [0.0], 0.1), ([np.inf, 3.0], [1e9, 2.0], 0.5), ([np.nan], [1.0], 0.0),
    ([3.0, 2.0], [np.inf, -2.0], 2.0),
])  # fmt: skip
def test_the_worst_difference_is_relative_to_the_greatest_finite_value(
    given: list[float], right: list[float], wanted: float
) -> None:
    assert _relative(np.array(given), np.array(right)) == pytest.approx(wanted)


@pytest.mark.parametrize("outputs", [5, 7])
def test_outputs_of_another_shape_are_an_error(outputs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    net = Net([1, 8], seed=2)
    built = design_of(compile_model(net.model(net.linear(net.quant(net.x, 0.3), 8, 6))))
    given = {next(iter(built.outputs)): np.zeros((1, outputs), np.float32)}
    monkeypatch.setattr(type(built), "finish", lambda *_: given)
    with pytest.raises(MismatchError, match=rf"has the shape \(1, {outputs}\), in onnxruntime \(1, 6\)"):
        compare(built, {"x": np.zeros((1, 8), np.float32)})


def test_what_is_shown_of_a_verification() -> None:
    assert "layers" not in repr(Verification(layers={"a": "b"}))


def test_sums_are_gathered_by_the_float_that_they_make() -> None:
    entries = [entry("y", tensor="a"), entry("z", tensor="b"), entry("y", tensor="c")]
    design: Any = SimpleNamespace(accumulators=entries)
    assert {n: [e.tensor for e in found] for n, found in _last(design).items()} == {"y": ["a", "c"], "z": ["b"]}


def test_layers_are_named_by_the_node_that_units_come_from() -> None:
    frame = Frame(1, 1, 2, SInt(4))
    units = [
        InputPort(name="i", tensor="x", tensor_shape=(1, 2), frame=frame), Fork(name="f", frame=frame, ways=1, origin=("Conv_0", "Relu_1")),
        OutputPort(name="o", tensor="y", tensor_shape=(1, 2), frame=frame),
    ]  # fmt: skip
    graph = Dataflow("d", units, [Stream("i", "f", tensor="x"), Stream("f", "o", tensor="y")])
    nodes = [
        helper.make_node("Relu", ["x"], ["y", "w"], name="/a/Relu"),
        helper.make_node("Neg", ["y"], ["z"], name="last"),
    ]
    model = helper.make_model(helper.make_graph(nodes, "g", [], []))
    design: Any = SimpleNamespace(reference=model, graph=graph)
    assert _layers(design, graph) == {"y": "Relu_1", "w": "/a", "z": "last"}
    known = _known(design, {"x": np.ones(2), "y": np.ones(2)})
    assert list(known) == ["x"]
