"""Choices of the allocation one by one: ties, what just fits and what does not, folds as literal numbers."""

from __future__ import annotations

from itertools import pairwise, product
from typing import Any

import numpy as np
import pytest

from flowc.dataflow.allocate import options, select
from flowc.dataflow.allocate.device import vector
from flowc.dataflow.allocate.layers import MAX_LANES, Fold, Layer, find_layers, fold_cycles
from flowc.dataflow.allocate.options import (
    OptionTable,
    _pareto,
    _Styled,
    _Styles,
    _unbeaten,
)
from flowc.dataflow.allocate.select import Edge, Node, PairTables, Problem, _thin
from flowc.errors import InfeasibleError
from flowc.model.dtypes import SInt, UInt
from flowc.targets import load_target
from flowc.units import Frame, GlobalSum, Mvtu, Upsample, Window, cost
from flowc.units.cost import Resources
from flowc.units.graph import Dataflow, Stream
from tests.dataflow.allocate.nets import Net, residual

ULTRA96, ECP5 = load_target("ultra96"), load_target("ulx3s-85f")
F = Frame(2, 3, 4, UInt(4))


def chain(*units: Any) -> Dataflow:
    names = [u.name for u in units]
    return Dataflow("chain", units, [Stream(a, b) for a, b in pairwise(names)])


# choosing


def test_the_least_price_for_every_pair_of_widths_and_of_equals_the_last() -> None:
    uses = np.array([[3.0], [3.0], [5.0], [1.0], [4.0]])
    node = Node(uses, np.array([0, 0, 1, 0, 1]), np.array([0, 0, 0, 1, 0]), (2, 2))
    other = Node(uses[:2], np.array([1, 0]), np.array([0, 0]), (2, 1))
    large, small = PairTables([node, other])(np.array([2.0]))
    assert large.least.tolist() == [[6, 2], [8, np.inf]]
    assert (large.option(0, 0), large.option(0, 1), large.option(1, 0)) == (1, 3, 4)
    assert (small.least.tolist(), small.option(0, 0), small.option(1, 0)) == ([[6], [6]], 1, 0)


def test_states_are_thinned_to_the_cheapest_widths(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of five widths the two cheapest stay, in their order; where that is not enough, the next axis is halved."""
    state = np.array([[9.0, 2, 7, 1, 5], [9, 9, 9, 9, 4]])
    labels = {7: np.arange(2), 8: np.arange(5) * 10}
    monkeypatch.setattr(select, "_MOST_STATES", 9)
    found = _thin(state, [7, 8], labels)
    assert found.tolist() == [[2, 1], [9, 9]]
    assert (labels[7].tolist(), labels[8].tolist()) == ([0, 1], [10, 30])
    monkeypatch.setattr(select, "_MOST_STATES", 10)
    assert _thin(state, [7, 8], {7: np.arange(2), 8: np.arange(5)}) is state
    monkeypatch.setattr(select, "_MOST_STATES", 1)
    labels = {7: np.arange(2), 8: np.arange(5)}
    assert _thin(state, [7, 8], labels).tolist() == [[1]]
    assert (labels[7].tolist(), labels[8].tolist()) == ([0], [3])


def two() -> Problem:
    """A node of tables or of slices (each of one width), and one of either width, which a converter may join."""
    first = Node(np.array([[10.0, 0], [2, 3], [6, 1]]), np.array([0, 0, 0]), np.array([0, 1, 0]), (1, 2))
    second = Node(np.array([[4.0, 0], [1, 1]]), np.array([0, 1]), np.array([0, 0]), (2, 1))
    return Problem([first, second], [Edge(0, 1, np.array([[[0.0, 0], [5, 0]], [[7, 0], [0, 0]]]))])


def test_what_choices_use() -> None:
    problem = two()
    uses = {c: problem.use(c).tolist() for c in product(range(3), range(2))}
    assert uses == {(0, 0): [14, 0], (0, 1): [16, 1], (1, 0): [13, 3], (1, 1): [3, 4], (2, 0): [10, 1], (2, 1): [12, 2]}
    assert problem._local(0, problem.nodes[0], [0, 1]).tolist() == [[15, 0], [2, 3], [11, 1]]
    assert problem._local(1, problem.nodes[1], [1, 0]).tolist() == [[11, 0], [1, 1]]


@pytest.mark.parametrize(("budgets", "weights", "choice", "fits"), [
    ([99, 99], [1, 1], (1, 1), True), ([99, 99], [1, 9], (0, 0), True), ([99, 1], [1, 0], (2, 0), True), ([99, 0], [1, 1], (0, 0), True),
    ([3, 4], [1, 1], (1, 1), True), ([10, 1], [1, 1], (2, 0), True), ([9, 1], [1, 1], None, False), ([2, 4], [1, 1], None, False),
])  # fmt: skip
def test_the_cheapest_choice_that_keeps_the_budgets(
    budgets: list[int], weights: list[int], choice: tuple[int, int] | None, fits: bool
) -> None:
    """Budgets that are just kept are kept."""
    found = two().solve(np.array(budgets, float), np.array(weights, float))
    assert found.fits == fits
    assert choice is None or found.choice == choice
    assert found.use.tolist() == two().use(found.choice).tolist()
    if not fits:
        shares = [
            max(u / max(b, 1e-9) for u, b in zip(two().use(c), budgets, strict=True))
            for c in product(range(3), range(2))
        ]
        assert found.bound <= min(shares) + 1e-9


def test_exchanges_first_lower_the_excess_then_the_cost() -> None:
    problem = two()
    assert problem._improve((0, 1), np.array([10.0, 1.0]), np.array([1.0, 1.0])) == (2, 0)
    assert problem._improve((1, 0), np.array([99.0, 99.0]), np.array([1.0, 1.0])) == (2, 0)  # one after the other
    equal = Problem([Node(np.array([[1.0], [1.0]]), np.array([0, 0]), np.array([0, 0]), (1, 1))], [])
    assert equal._improve((1,), np.array([9.0]), np.array([1.0])) == (1,)  # nothing is gained: it stays
    assert equal._improve((0,), np.array([9.0]), np.array([1.0])) == (0,)


def test_options_that_another_of_the_same_widths_beats_are_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Flip-flops do not count; of equals one stays; other widths are another matter."""
    worse, more_ffs, best, dsps, wider = (
        [6, 0, 0, 0, 0],
        [5, 99, 0, 0, 0],
        [5, 5, 0, 0, 0],
        [2, 0, 0, 0, 1],
        [9, 0, 0, 0, 9],
    )
    use = np.array([worse, more_ffs, best, dsps, wider], float)
    assert _pareto(use, np.ones(5, int), np.array([1, 1, 1, 1, 2])).tolist() == [3, 1, 4]
    assert _pareto(use, np.array([7, 7, 7, 7, 2]), np.ones(5, int)).tolist() == [3, 1, 4]
    rows, group = np.array([[1, 5], [1, 5], [2, 4], [2, 6], [3, 3], [3, 3], [4, 1]]), np.array([0] * 5 + [5] * 2)
    for at_once in (400, 1):
        monkeypatch.setattr(options, "_AT_ONCE", at_once)
        assert _unbeaten(rows, group).tolist() == [0, 2, 4, 5, 6]


def test_every_combination_of_styles_of_a_fold() -> None:
    """The last unit's style changes first; what is used adds up, and the slowest unit sets the cycles."""
    window = _Styles(
        "w", [{"memory": m} for m in ("bram", "lutram")], np.array([[1.0, 0.0], [2.0, 0.0]]), np.array([0, 5])
    )
    main = _Styles(
        "m",
        [{"multiplier": m} for m in ("lut", "dsp", "packed")],
        np.array([[0.0, 10.0], [0.0, 20.0], [0.0, 30.0]]),
        np.array([9, 3, 0]),
    )
    styled = _Styled.of(Fold({}, 1, 1, 1), [window, main], np.array([100.0, 0]))
    assert styled.cycles.tolist() == [9, 3, 0, 9, 5, 5]
    for number, (one, other) in enumerate(product(range(2), range(3))):
        found = styled.option(number)
        assert found.changes == {"w": window.changes[one], "m": main.changes[other]}
        assert found.use.tolist() == styled.use[number].tolist() == [100 + window.use[one, 0], main.use[other, 1]]
    assert len(styled.use) == 6


def test_styles_that_no_exchange_rate_favours_are_dropped() -> None:
    """A block is worth 8 to 2,560 tables: 2,560 tables against one block are a draw at most, 2,561 never pay, 7 always do."""

    def kept(*uses: list[float]) -> list[int]:
        changes = [{"number": k} for k in range(len(uses))]
        styles = _Styles("u", changes, np.array(uses, float), np.arange(len(uses)))
        found = styles.worthwhile()
        numbers = [c["number"] for c in found.changes]
        assert found.cycles.tolist() == numbers
        assert found.use.tolist() == [list(uses[k]) for k in numbers]
        return numbers

    block = [0, 0, 1, 0, 0]
    for luts, left in ((7, [0]), (9, [0, 1]), (2559, [0, 1]), (2561, [1])):
        assert kept([luts, 0, 0, 0, 0], block) == left, luts
    for rate, amount in ((10, 3), (1, 4)):  # an UltraRAM is worth ten times as much
        one = [0, 0, *(float(k == amount) for k in (2, 3, 4))]
        assert kept([8 * rate - 1, 0, 0, 0, 0], one) == [0]
        assert kept([2560 * rate + 1, 0, 0, 0, 0], one) == [1]
    assert kept(block) == [0]


def test_streams_between_layers_cost_a_fifo_or_a_converter_between_two() -> None:
    net = Net(2, 3, 4, UInt(4))
    net.matrix(4, SInt(2), None)
    graph = net.done("one")
    table = OptionTable(graph, find_layers(graph), ULTRA96, uram=False, uram_weights=False)
    same, other = table._pair(4, 2, 2), table._pair(4, 2, 4)
    assert same.tolist() == vector(cost.fifo(2, 8, "srl")).tolist()
    parts = [cost.fifo(2, 8, "srl"), cost.converter(4, 2, 4), cost.fifo(2, 16, "srl")]
    assert other.tolist() == vector(Resources.total(parts)).tolist()
    with pytest.raises(InfeasibleError, match="can't keep up with 1 cycles"):
        table.problem(1)


# layers


def test_layers_and_what_they_allow() -> None:
    graph = residual(1)
    layers = {layer.name: layer for layer in find_layers(graph)}
    assert next(iter(find_layers(graph))).name == "x"
    convs = [layer for layer in layers.values() if layer.window is not None]
    assert convs
    one = convs[0]
    assert [u.kind for u in one.units] == ["pad", "window", "mvtu"]
    assert one.first is one.pads[0]
    assert one.allowed("window_memory") == ["auto", "lutram", "bram", "uram"]
    assert one.allowed("parallel") == [False, True]
    assert one.allowed("window_simd") == [1, 3]
    assert one.allowed("nothing") == []
    assert not one.pinned
    assert one.with_fixed({"pe": 1, "simd": 1}).pinned
    assert not one.with_fixed({"pe": 1}).pinned
    port = layers["x"]
    assert port.allowed("window_memory") == port.allowed("memory") == port.allowed("parallel") == []
    wide = Layer(Mvtu(
        name="m", frame=Frame(1, 1, 4, UInt(2)), weights=np.ones((2 * MAX_LANES, 4), np.int64), weight_type=SInt(2), acc=SInt(8), block=4))  # fmt: skip
    assert max(wide.allowed("pe")) == MAX_LANES
    assert (
        max(
            Layer(Upsample(name="u", frame=Frame(1, 1, 2 * MAX_LANES, UInt(2)), factor_h=1, factor_w=1)).allowed("simd")
        )
        == 2 * MAX_LANES
    )


def test_folds_keep_the_limit_and_the_widest_stream() -> None:
    """A sum of 24 elements of 4 bits: 1 to 4 lanes; as wide as a stream may be, and no wider."""
    layer = Layer(GlobalSum(name="s", frame=F, acc=UInt(12)))
    assert [(f.cycles, f.in_width, f.out_width, f.changes) for f in layer.folds(24)] == [
        (24, 1, 1, {"s": {"pe": 1}}), (12, 2, 2, {"s": {"pe": 2}}), (6, 4, 4, {"s": {"pe": 4}})
    ]  # fmt: skip
    assert [f.cycles for f in layer.folds(12)] == [12, 6]
    assert [f.cycles for f in layer.folds(11)] == [6]
    assert fold_cycles(layer) == [6, 12, 24]
    assert [f.cycles for f in layer.with_fixed({"pe": 2}).folds(24)] == [12]
    wide = Layer(GlobalSum(name="s", frame=Frame(1, 1, 512, UInt(8)), acc=UInt(16)))
    assert max(f.in_width for f in Layer(wide.main.with_(acc=UInt(8))).folds(4)) == 512  # 4,096 bits
    assert max(f.in_width for f in wide.folds(4)) == 256  # sums of 16 bits


def test_matrix_folds_are_the_least_inputs_for_every_number_of_lanes() -> None:
    """Six rows of eight at six positions: 288 products; of 48 cycles at most, six lanes need one input."""
    unit = Mvtu(
        name="m",
        frame=Frame(2, 3, 8, UInt(4)),
        weights=np.ones((6, 8), np.int64),
        weight_type=SInt(2),
        acc=SInt(8),
        block=8,
    )
    layer = Layer(unit)
    found = {(f.changes["m"]["pe"], f.changes["m"]["simd"]): f.cycles for f in layer.folds(48)}
    assert found == {
        (1, 8): 36,
        (2, 4): 36,
        (2, 8): 18,
        (3, 2): 48,
        (3, 4): 24,
        (3, 8): 12,
        (6, 1): 48,
        (6, 2): 24,
        (6, 4): 12,
        (6, 8): 6,
    }
    assert fold_cycles(layer) == [6, 12, 18, 24, 36, 48, 72, 96, 144, 288]
    slow = Layer(unit.with_(overlap=False))
    drain = 4 + 1 + 2
    assert {f.cycles for f in slow.with_fixed({"pe": 6, "simd": 1}).folds(99)} == {48 + drain}
    assert min(fold_cycles(slow)) == 6 + 4 + 1 + 2 + 2  # a tree of eight takes two more


def test_windows_in_front_get_spare_rows_only_where_they_need_them() -> None:
    window = Window(name="w", frame=Frame(9, 9, 4, UInt(4)), kernel=(3, 3), stride=(2, 2), block=4)
    main = Mvtu(
        name="m", frame=window.outputs[0], weights=np.ones((2, 36), np.int64), weight_type=SInt(2), acc=SInt(9), taps=9, block=4)  # fmt: skip
    layer = Layer(main, window)
    rows = {spare: window.with_(simd=1, spare=spare).cycles for spare in (0, 1)}
    assert rows[1] < rows[0]
    for limit, spare in ((rows[0], 0), (rows[0] - 1, 1), (rows[1], 1), (rows[1] - 1, 0)):
        changes, cycles = layer._front(1, 4, False, limit)
        assert (changes["w"]["spare"], cycles) == (spare, rows[spare])
    assert layer._front(4, 4, True, 1)[0]["w"] == {"simd": 4, "block": 4, "parallel": True, "spare": 0}
    assert Layer._window_widths(6, 4) == [2, 1, 4] or Layer._window_widths(6, 4) == [1, 2, 4]
    assert Layer._window_widths(2, 4) == [2, 1, 4]
    assert Layer._window_widths(8, 6) == [1, 2, 3, 6]
    assert Layer._window_widths(4, 12) == [4, 1, 2, 12, 3, 6]  # even ratios before the others


def test_weights_of_a_cycle_fit_what_brings_them() -> None:
    """4,096 bits for each row: 512 inputs of eight bits. Over a stream for all rows together, and 2,048 products."""
    unit = Mvtu(
        name="m", frame=Frame(1, 1, 1024, UInt(1)), weights=np.ones((4, 1024), np.int64), weight_type=SInt(8), acc=SInt(20), block=1024
    )  # fmt: skip
    most = {pe: max(f.in_width for f in Layer(unit).folds(10**6) if f.out_width == pe) for pe in (1, 2, 4)}
    assert most == {1: 8, 2: 8, 4: 8}  # the four least of each
    few = {pe: [f.in_width for f in Layer(unit).folds(4096 // (256 * pe)) if f.out_width == pe] for pe in (1, 2, 4)}
    assert few == {1: [256, 512], 2: [256, 512], 4: [256, 512]}
    streamed = Layer(unit, fixed={"memory": "stream"})
    few = {pe: [f.in_width for f in streamed.folds(4096 // (128 * pe)) if f.out_width == pe] for pe in (1, 2, 4)}
    assert few == {1: [128, 256, 512], 2: [128, 256], 4: [128]}
    narrow = Layer(unit.with_(weight_type=SInt(2), acc=SInt(14)), fixed={"memory": "stream"})
    few = {pe: [f.in_width for f in narrow.folds(4096 // (512 * pe)) if f.out_width == pe] for pe in (1, 2, 4)}
    assert few == {1: [512, 1024], 2: [512, 1024], 4: [512]}
    wide = Layer(unit.with_(frame=Frame(1, 1, 1024, UInt(8)), weight_type=SInt(2)))  # inputs of eight bits: 512 of them
    assert [f.in_width for f in wide.folds(4096 // 256) if f.out_width == 1] == [256, 512]
    results = Layer(
        unit.with_(weights=np.ones((512, 4), np.int64), frame=Frame(1, 1, 4, UInt(1)), block=4, acc=SInt(20))
    )
    assert max(f.out_width for f in results.folds(10**6)) == 128  # results of 20 bits: 204 at most, of divisors 128
