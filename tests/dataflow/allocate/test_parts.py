"""What may be used, and what is said: limits just inside and just outside."""

from __future__ import annotations

from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from flowc.dataflow.allocate.allocation import _checked_interval, _notes, checked_clock
from flowc.dataflow.allocate.check import check, faults
from flowc.dataflow.allocate.device import on_device, vector
from flowc.dataflow.allocate.foldfile import _kind, chosen_folding, fixed_layers, folding_of
from flowc.dataflow.allocate.layers import Fold, find_layers
from flowc.dataflow.allocate.limits import RESOURCES, Limits
from flowc.dataflow.allocate.options import (
    Option,
)
from flowc.dataflow.allocate.search import Chosen, Search
from flowc.dataflow.allocate.select import Selection
from flowc.errors import InfeasibleError, UsageError
from flowc.model.dtypes import SInt, UInt
from flowc.targets import load_target
from flowc.units import Fork, Frame, InputPort, Mvtu, OutputPort, WidthConverter, Window
from flowc.units.cost import Resources
from flowc.units.graph import Dataflow, Stream
from tests.dataflow.allocate.nets import residual

ULTRA96, ECP5 = load_target("ultra96"), load_target("ulx3s-85f")
F = Frame(2, 3, 4, UInt(4))


def chain(*units: Any) -> Dataflow:
    names = [u.name for u in units]
    return Dataflow("chain", units, [Stream(a, b) for a, b in pairwise(names)])


def copies(simd: int = 1, behind: int = 1) -> Dataflow:
    """in -> a -> b -> out, of one width but the last."""
    return chain(
        InputPort(name="in", tensor="x", tensor_shape=(1, 4, 2, 3), frame=F, simd=simd), Fork(name="a", frame=F, ways=1, simd=simd),
        Fork(name="b", frame=F, ways=1, simd=simd), OutputPort(name="out", tensor="y", tensor_shape=(1, 4, 2, 3), frame=F, simd=behind),
    )  # fmt: skip


# what may be used


@pytest.mark.parametrize("share", [0.0, -0.1, 1.0000001, True, "0.5", float("nan")])
def test_shares_lie_above_zero_and_at_most_at_one(share: Any) -> None:
    assert Limits(lut=1).lut == Limits(lut=1.0).lut == 1
    assert Limits(lut=1e-9).lut == 1e-9
    with pytest.raises(UsageError, match="'lut' must be above 0 and at most 1"):
        Limits(lut=share)


def test_limits_in_words() -> None:
    found = Limits.parse(" lut = 0.7, bram18=90%,dsp=5e-1")
    assert found == Limits(lut=0.7, bram18=0.9, dsp=0.5)
    assert (found.ff, found.uram) == (0.8, 0.95)
    assert Limits() == Limits(0.8, 0.8, 0.95, 0.95, 0.95)
    assert Limits.of(None) is None
    assert Limits.of(found) is found
    assert Limits.of("lut=50%") == Limits(lut=0.5)
    for text, why in (
        ("lut", "RESOURCE=SHARE"),
        ("luts=0.5", "is no resource"),
        ("lut=0.5,lut=0.6", "stands twice"),
        ("lut=1.5", "at most 1"),
        ("lut=-", "not nan"),
    ):
        with pytest.raises(UsageError, match=why):
            Limits.parse(text)
    with pytest.raises(UsageError, match="is a text such as"):
        Limits.of(0.5)  # type: ignore[arg-type]
    target: Any = SimpleNamespace(available={"lut": 1001, "ff": 10, "bram18": 3, "uram": 0, "dsp": 7})
    assert Limits(lut=0.5, ff=1.0, bram18=0.95).budget(target) == {
        "lut": 500,
        "ff": 10,
        "bram18": 2,
        "uram": 0,
        "dsp": 6,
    }


def test_resources_in_order_and_in_the_targets_tables() -> None:
    assert RESOURCES == ("lut", "ff", "bram18", "uram", "dsp")
    assert vector(Resources(1, 2, None, 4, 5)).tolist() == [1, 2, 0, 4, 5]
    assert on_device(Resources(3, 7, 1, 2, 3), ECP5) == Resources(6, 7, 1, 2, 3)
    assert on_device(Resources(None, 7), ECP5) == Resources(None, 7)


@pytest.mark.parametrize(
    ("fps", "clock", "cycles"),
    [(1e6, 100.0, 100), (1e8, 100.0, 1), (0.99e8, 100.0, 1), (3.0, 1.0, 333_333), (1e-300, 100.0, 1 << 60)],
)
def test_a_rate_as_cycles(fps: float, clock: float, cycles: int) -> None:
    assert _checked_interval(fps, clock) == cycles


def test_rates_and_clocks_to_their_edge() -> None:
    assert _checked_interval(None, 100.0) is None
    with pytest.raises(InfeasibleError, match=r"100,000,001 fps are more than the clock's 100,000,000"):
        _checked_interval(100_000_001, 100.0)
    for fps in (0, -1, float("inf"), float("nan"), "7"):
        with pytest.raises(UsageError, match="must be above 0"):
            _checked_interval(fps, 100.0)  # type: ignore[arg-type]
    assert checked_clock(None, ULTRA96) == ULTRA96.clock_mhz
    assert checked_clock(ULTRA96.max_clock_mhz, ULTRA96) == ULTRA96.max_clock_mhz
    with pytest.raises(UsageError, match="above the limit"):
        checked_clock(ULTRA96.max_clock_mhz + 0.001, ULTRA96)
    for clock in (0, -5, float("inf"), "100"):
        with pytest.raises(UsageError, match="above 0 MHz"):
            checked_clock(clock, ULTRA96)  # type: ignore[arg-type]


# what is said


def test_faults_of_a_folded_graph() -> None:
    graph = copies(2, 4)
    (fault,) = faults(graph)
    assert fault == "stream b -> out: 2 elements per beat against 4; a width converter is missing"
    assert faults(graph, folded=False) == []
    with pytest.raises(UsageError, match="the folded graph 'chain' is not sound: stream b"):
        check(graph)
    check(copies(2, 2))
    assert "simd = 3 does not divide" in faults(copies(3, 3))[0]
    short = graph.with_units({"out": graph["out"].with_(frame=Frame(2, 3, 2, UInt(4)), simd=2)})
    assert faults(short) == ["stream b -> out: frames differ, (2, 3, 4) uint4 against (2, 3, 2) uint4"]
    signed = graph.with_units({"out": graph["out"].with_(frame=Frame(2, 3, 4, SInt(4)), simd=2)})
    assert "uint4 against (2, 3, 4) int4" in faults(signed)[0]
    # The order of a window is asked for through what only cuts it into other beats.
    window = Window(name="w", frame=Frame(4, 4, 4, UInt(4)), kernel=(2, 2), block=2, simd=2)
    main = Mvtu(
        name="m",
        frame=window.outputs[0],
        weights=np.ones((2, 16), np.int64),
        weight_type=SInt(2),
        acc=SInt(9),
        taps=4,
        block=4,
        simd=4,
    )
    between = WidthConverter(name="c", frame=window.outputs[0], wide_in=2, wide_out=4)
    assert faults(chain(window, between, main)) == ["stream c -> m: the window's block = 2, the reader's 4"]
    assert faults(chain(window.with_(block=4), between, main)) == []


def test_what_a_folding_may_be() -> None:
    kinds = [_kind(v) for v in (None, True, 3, 2.5, "a", [], {}, np.zeros(1))]
    assert kinds == ["null", "true", "an integer", "a number", "a string", "a list", "an object", "ndarray"]
    assert folding_of(None) is None
    assert folding_of({"a": {}}) == {"a": {}}
    with pytest.raises(UsageError, match="not an integer"):
        folding_of(3)  # type: ignore[arg-type]
    layers = find_layers(residual(1))
    name = next(layer.name for layer in layers if layer.window is not None)
    found = {
        layer.name: layer
        for layer in fixed_layers(layers, {"defaults": {"memory": "bram"}, name: {"memory": "auto", "pe": 1}})
    }
    assert found[name].fixed == {"pe": 1}
    assert found["x"].fixed == {}
    others = [layer for layer in found.values() if layer.allowed("memory") and layer.name != name]
    assert others
    assert all(layer.fixed == {"memory": "bram"} for layer in others)
    chosen = chosen_folding(residual(1))
    assert chosen[name] == {"pe": 1, "simd": 1, "parallel": False, "window_simd": 1}


def search(graph: Dataflow, **limits: float) -> Search:
    return Search(graph, find_layers(graph), ULTRA96, Limits(**limits), 0)


def test_ratings_and_what_overruns() -> None:
    found = search(copies())
    assert found.rating(found.budgets)[0] == 0.0
    assert found.rating(found.budgets * np.array([1.5, 1, 1, 1, 1.25]))[0] == pytest.approx(0.75)
    lut = np.array([found.available[0], 0, 0, 0, 0])
    assert found.rating(lut)[1] == pytest.approx(2.0)
    assert found.rating(np.array([0, found.available[1], 0, 0, 0]))[1] == pytest.approx(0.05)
    assert found.rating(np.array([0, 0, found.available[2], 0, 0]))[1] == pytest.approx(1.0)
    assert found.rating(np.array([0, 0, 0, 0, found.available[4]]))[1] == pytest.approx(0.5)
    options = [Option(Fold({}, 1, 1, 1), {}, np.array([amount, 0, 0, 0, 0])) for amount in (5.0, 70, 20, 9)]
    for bound, proven in ((1.1, False), (1.25, True)):
        text = found.overrun(Chosen(1, Selection((0,) * 4, found.budgets * 3, False, bound), options))
        assert text.startswith(
            f"{found.budgets[0] * 3:,.0f} lut needed of {found.budgets[0]:,.0f} allowed; the biggest are 'a' 70, 'b' 20, 'out' 9"
        )
        assert ("every folding takes 1.2 times" in text) == proven
    assert found.slowest_least()[0] == max(min(c) for c in found._cycles)


def test_the_slowest_of_the_fastest_layers_sets_the_floor() -> None:
    found = search(copies())
    floor, layer = found.slowest_least()
    assert (floor, layer.name) == (6, "in") if layer.name == "in" else floor == 6
    assert found.fastest().limit == 6
    assert found.reach(6).limit == 6
    with pytest.raises(InfeasibleError, match="takes 6 cycles per frame even fully unfolded"):
        found.reach(5)
    found.transfer_cycles = 9
    assert found.fastest().limit == 9
    assert found.reach(9).limit == 9
    with pytest.raises(InfeasibleError, match="takes 9 cycles to deliver"):
        found.reach(8)


def test_notes_name_what_is_tight_and_what_takes_most() -> None:
    graph = copies()
    units = {"in": Resources(lut=5), "a": Resources(lut=70), "b": Resources(lut=20), "out": Resources(lut=9, dsp=1)}
    fifos = {s: Resources(lut=2, bram18=1) for s in graph.streams}
    budget = {"lut": 100, "ff": 10, "bram18": 10, "uram": 0, "dsp": 10}

    def noted(graph: Dataflow, units: dict[str, Resources], budget: dict[str, int], interval: int) -> tuple[str, ...]:
        return _notes(graph, units, fifos, Resources.total([*units.values(), *fifos.values()]), budget, interval)

    notes = noted(graph, units, budget, 24)
    assert (
        notes[0]
        == "the tightest resource is lut: 110 of the 100 that may be used; most of it goes to 'a' 70, 'b' 20, 'out' 9"
    )
    assert notes[1] == "FIFOs take 6 lut, 3 bram18 and 0 uram of the total"
    assert notes[2].startswith("warning: does not fit: 10 lut too many; fold 'a' further")
    assert len(notes) == 3
    assert len(noted(graph, units, budget | {"lut": 110}, 24)) == 2
    uram = noted(graph, units | {"b": Resources(uram=1)}, budget, 24)
    assert uram[0].startswith("the tightest resource is uram: 1 of the 0")
    unknown = noted(graph, units | {"b": Resources(dsp=None)}, budget, 24)
    assert unknown[-1] == "not known for every unit, so not counted: dsp"
    slow = graph.with_units({n: graph[n].with_(overlap=False) for n in ("in", "a", "b", "out")})
    for interval, told in ((49, True), (50, False)):
        assert any("about 5 pass until a pipeline is empty" in n for n in noted(slow, units, budget, interval)) == told
