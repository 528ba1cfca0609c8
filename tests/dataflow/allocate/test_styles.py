"""Styles of memories and multipliers, and the folds they are tried for, against what each unit says of itself."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest

from flowc.dataflow.allocate.device import vector
from flowc.dataflow.allocate.layers import Layer, find_layers, fold_cycles
from flowc.dataflow.allocate.options import OptionTable
from flowc.dataflow.allocate.simulation import Deadlock, progress, simulate
from flowc.model.dtypes import BIPOLAR, IntType, SInt, UInt
from flowc.targets import load_target
from flowc.units import Fork, Frame, GlobalSum, InputPort, Join, Mvtu, OutputPort, Permute, Pool, Upsample, Vvtu, Window
from flowc.units.graph import Dataflow, Stream
from tests.dataflow.allocate.nets import Net

ULTRA96 = load_target("ultra96")


def matrix(**fields: Any) -> Mvtu:
    rng = np.random.default_rng(0)
    common = {
        "name": "m",
        "frame": Frame(2, 3, 32, UInt(4)),
        "weights": rng.integers(-7, 8, (16, 32)),
        "weight_type": SInt(4),
        "acc": SInt(16),
        "block": 32,
    }
    return Mvtu(**(common | fields))  # type: ignore[arg-type]


def table(*, uram: bool, uram_weights: bool) -> OptionTable:
    net = Net(2, 3, 4, UInt(4))
    graph = net.done("empty")
    return OptionTable(graph, find_layers(graph), ULTRA96, uram=uram, uram_weights=uram_weights)


def tried(unit: Any, fixed: dict[str, Any] | None = None, **kinds: bool) -> dict[tuple[Any, ...], np.ndarray]:
    """Styles that come through, whatever the exchange rate, with what they use."""
    layer = Layer(unit, fixed=fixed or {})
    styles = table(**({"uram": False, "uram_weights": False} | kinds))._styles(
        layer, unit, {"pe": 4} if not isinstance(unit, Window) else {"simd": 2}
    )
    keys = ((changes.get("memory"), changes.get("multiplier")) for changes in styles.changes)
    return dict(zip(keys, styles.use, strict=True))


@pytest.mark.parametrize(("fields", "kinds", "memories", "multipliers"), [
    ({}, {}, {"lutram", "bram"}, {"lut", "packed"}), ({}, {"uram_weights": True}, {"lutram", "bram", "uram"}, {"lut", "packed"}),
    # 8 x 8 bits do not share a slice of 25 bits with a chain; still two do. One bit needs no slice.
    ({"weight_type": BIPOLAR, "weights": np.ones((16, 32), np.int64)}, {}, {"lutram", "bram"}, {"lut", "packed"}),
    ({"weight_type": BIPOLAR, "weights": np.ones((16, 32), np.int64), "frame": Frame(2, 3, 32, BIPOLAR)}, {}, {"lutram", "bram"}, {"lut"}),
    ({"frame": Frame(2, 3, 32, IntType(18))}, {}, {"lutram", "bram"}, {"lut", "dsp"}),
])  # fmt: skip
def test_styles_of_a_matrix_unit(
    fields: dict[str, Any], kinds: dict[str, bool], memories: set[str], multipliers: set[str]
) -> None:
    """What each uses is what the unit with it says, and every style of the unit's kind is tried."""
    unit = matrix(**fields)
    seen: dict[str, set[Any]] = {"memory": set(), "multiplier": set()}
    choosing = table(**({"uram": False, "uram_weights": False} | kinds))
    original = choosing._varied

    def watched(folded: Any, choices: dict[str, list[str]]) -> Any:
        for key, values in choices.items():
            seen[key] |= set(values)
        varied, uses = original(folded, choices)
        assert varied == [dict(zip(choices, v, strict=True)) for v in product(*choices.values())]
        for changes, use in zip(varied, uses, strict=True):
            assert use.tolist() == pytest.approx(vector(folded.with_(**changes).resources).tolist())
        return varied, uses

    choosing._varied = watched  # type: ignore[method-assign]
    assert choosing._styles(Layer(unit), unit, {"pe": 4, "simd": 2})
    assert (seen["memory"], seen["multiplier"]) == (memories, multipliers)
    assert choosing._styles(Layer(unit), unit, {"pe": 4, "simd": 2}) is choosing._styles(
        Layer(unit), unit, {"pe": 4, "simd": 2}
    )


def test_styles_that_are_fixed() -> None:
    assert set(tried(matrix(), {"memory": "bram", "multiplier": "dsp"})) == {("bram", "dsp")}
    window = Window(name="w", frame=Frame(9, 200, 4, UInt(4)), kernel=(3, 3), block=4)
    assert {m for m, _ in tried(window)} <= {"lutram", "bram"}
    assert set(tried(window, {"window_memory": "lutram"})) == {("lutram", None)}
    deep = window.with_(frame=Frame(9, 60_000, 4, UInt(8)))
    assert "uram" in {m for m, _ in tried(deep, uram=True)}
    assert "uram" not in {m for m, _ in tried(deep)}
    plain = Upsample(name="u", frame=Frame(1, 1, 4, UInt(4)), factor_h=2, factor_w=2)
    styles = table(uram=False, uram_weights=False)._styles(Layer(plain), plain, {"simd": 2})
    assert (styles.changes, styles.use.tolist()) == ([{"simd": 2}], [vector(plain.with_(simd=2).resources).tolist()])


def test_weights_come_into_ultrarams_only_as_wide_as_a_stream() -> None:
    """4,096 bits of weights a cycle may arrive, and 2,048 products."""
    for pe, simd, bits, fine in (
        (16, 32, 8, True),
        (16, 32, 4, True),
        (16, 64, 4, True),
        (16, 64, 5, False),
        (64, 32, 2, True),
        (64, 33, 1, False),
    ):
        weights = np.zeros((pe, simd), np.int64)
        unit = matrix(weights=weights, weight_type=IntType(bits), frame=Frame(1, 1, simd, UInt(4)), block=simd)
        choosing = table(uram=True, uram_weights=True)
        seen = []
        choosing._varied = lambda folded, choices, seen=seen: seen.append(choices["memory"]) or ([{}], np.zeros((1, 5)))  # type: ignore[method-assign, misc]
        choosing._styles(Layer(unit), unit, {"pe": pe, "simd": simd})
        assert ("uram" in seen[0]) == fine, (pe, simd, bits)


def test_units_within_a_layer_cost_their_fifos() -> None:
    """Of a window and its matrix unit: one FIFO as wide as what the matrix unit takes, and a converter where the window is narrower."""
    net = Net(6, 6, 4, UInt(4))
    net.conv(8, SInt(2), None, pad=0)
    graph = net.done("conv")
    layer = next(one for one in find_layers(graph) if one.window is not None)
    choosing = OptionTable(graph, find_layers(graph), ULTRA96, uram=False, uram_weights=False)
    folds = list(layer.folds(10**6))
    assert {f.converter is None for f in folds} == {True, False}
    for fold in folds[:12]:
        styled = choosing._styled(layer, fold)
        parts = [choosing._styles(layer, u, fold.changes[u.name]) for u in layer.units]
        least = sum(float(styles.use[:, 0].min()) for styles in parts)
        main = layer.main.with_(**fold.changes[layer.name])
        extra = choosing._pair(4, main.in_widths[0], main.in_widths[0])[0]
        if fold.converter is not None:
            bits, narrow, wide = fold.converter
            assert (bits, narrow, wide) == (4, fold.in_width, main.in_widths[0]) != (4, wide, wide)
            extra += choosing._pair(*fold.converter)[0]
        assert styled.use[:, 0].min() == pytest.approx(least + extra)


def test_folds_of_pools_and_depthwise_units() -> None:
    """Eight channels of four taps at 25 positions: up to four numbers of lanes each, serial or all taps at once."""
    window = Window(name="w", frame=Frame(6, 6, 8, UInt(4)), kernel=(2, 2), block=1)
    pool = Pool(name="p", frame=window.outputs[0], channels=8, op="max", acc=UInt(4))
    layer = Layer(pool, window)
    found = [(f.changes["p"]["parallel"], f.changes["p"]["pe"], f.cycles) for f in layer.folds(10**6)]
    ring = {pe: window.with_(simd=pe, block=pe).cycles for pe in (1, 2, 4, 8)}
    assert found == [
        *((False, pe, max(ring[pe], 25 * 8 // pe * 4)) for pe in (1, 2, 4, 8)), *((True, pe, 36 * 8 // pe) for pe in (1, 2, 4, 8)),
    ]  # fmt: skip
    assert all(f.in_width == f.out_width == f.changes["w"]["block"] == f.changes["p"]["pe"] for f in layer.folds(10**6))
    assert {f.changes["p"]["parallel"] for f in layer.with_fixed({"parallel": True}).folds(10**6)} == {True}
    assert [f.changes["p"]["pe"] for f in layer.folds(36)] == [8]
    assert [f.changes["p"]["pe"] for f in layer.folds(35)] == []
    assert min(fold_cycles(layer)) == 36
    depthwise = Vvtu(
        name="v",
        frame=window.outputs[0],
        channels=8,
        weights=np.ones((16, 4), np.int64),
        weight_type=SInt(2),
        acc=SInt(9),
    )
    folds = list(Layer(depthwise, window).folds(10**6))
    assert [f.out_width for f in folds] == [2 * f.changes["v"]["pe"] for f in folds]
    assert OptionTable._in_width(depthwise, {"pe": 4, "parallel": True}) == 16
    assert OptionTable._in_width(depthwise, {"pe": 4}) == 4
    assert OptionTable._in_width(pool, {"pe": 4}) == 4
    assert OptionTable._in_width(pool, {}) == 1


def skip() -> tuple[Dataflow, Stream]:
    """A fork of which one branch sums whole frames up, and the other waits for it: 23 of 24 elements wait."""
    frame = Frame(2, 3, 4, UInt(4))
    units = [
        InputPort(name="in", tensor="x", tensor_shape=(1, 4, 2, 3), frame=frame), Fork(name="f", frame=frame, ways=2),
        GlobalSum(name="s", frame=frame, acc=UInt(8)), OutputPort(name="o", tensor="y", tensor_shape=(1, 4), frame=Frame(1, 1, 4, UInt(8))),
        OutputPort(name="p", tensor="z", tensor_shape=(1, 4, 2, 3), frame=frame),
    ]  # fmt: skip
    streams = [Stream("in", "f"), Stream("f", "s"), Stream("s", "o"), Stream("f", "p", 1)]
    return Dataflow("skip", units, streams), streams[3]


def test_frames_through_a_fork() -> None:
    """In fills three stages behind its read; each unit adds three cycles and a cycle on the stream; 24 elements in 24 cycles."""
    graph, _ = skip()
    seen = simulate(graph, 3)
    assert (seen.interval, seen.latency, seen.ends) == (24, 36, (36, 60, 84))
    assert simulate(graph, 1).interval is None
    assert len(simulate(graph, 9, settled=24).ends) == 2
    assert len(simulate(graph, 3, settled=23).ends) == 3
    assert all(held <= 2 for held in seen.occupancy.values())
    progress(graph, dict.fromkeys(graph.streams, 1))


def test_what_is_stuck_is_named() -> None:
    """Two branches of one fork meet again, and one of them holds a frame back: the other needs room for all but its last element."""
    frame = Frame(2, 3, 4, UInt(4))
    ones = np.ones(1, np.int64)
    units = [
        Fork(name="f", frame=frame, ways=2), Permute(name="t", frame=frame, out=frame, order=np.arange(24)[::-1]),
        Join(name="j", left=frame, right=frame, op="add", acc=UInt(5), left_scale=ones, right_scale=ones),
        OutputPort(name="o", tensor="y", tensor_shape=(1, 4, 2, 3), frame=Frame(2, 3, 4, UInt(5))),
    ]  # fmt: skip
    streams = [Stream("f", "t"), Stream("t", "j", 0, 1), Stream("f", "j", 1), Stream("j", "o")]
    graph = Dataflow("stuck", units, streams)
    depths = dict.fromkeys(streams, 2)
    need = next(d for d in range(2, 60) if not stuck(graph, depths | {streams[2]: d}))
    assert need == 24
    with pytest.raises(Deadlock, match=r"stuck: f, t, j, o can't go on; full FIFOs: f -> j \(23\)"):
        progress(graph, depths | {streams[2]: 23})


def stuck(graph: Dataflow, depths: dict[Stream, int]) -> bool:
    try:
        progress(graph, depths)
    except Deadlock:
        return True
    return False
