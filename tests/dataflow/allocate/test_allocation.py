"""Allocation: rates, budgets, what the user fixes, and what is said when it can't be."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from flowc.dataflow.allocate import Limits, allocate, check, chosen_folding, read_folding, simulate
from flowc.dataflow.allocate.check import faults
from flowc.dataflow.allocate.layers import Layer, find_layers
from flowc.dataflow.allocate.timing import Pipeline
from flowc.dataflow.emulator import emulate
from flowc.errors import InfeasibleError, UsageError
from flowc.interface.memory import buses
from flowc.interface.wire import boundary
from flowc.model.dtypes import SInt, UInt
from flowc.targets import load_target
from flowc.units import InputPort, Mvtu, Pool, Vvtu, WidthConverter, Window
from flowc.units.cost import LUTS_PER_BLOCK, Resources
from flowc.units.graph import Dataflow
from tests.dataflow.allocate.nets import Net, cnv, residual

ULTRA96 = load_target("ultra96")


def small() -> Dataflow:
    net = Net(10, 10, 3, UInt(4))
    net.conv(12, SInt(3), UInt(3), pad=1)
    net.depthwise(SInt(3), UInt(3), stride=2)
    net.conv(16, SInt(3), UInt(3), k=1)
    net.pool()
    net.flatten()
    net.matrix(10, SInt(3), None)
    return net.done("small")


@pytest.mark.parametrize("fps", [100, 3_000, 20_000, 150_000])
def test_wanted_rate_is_reached_and_everything_adds_up(fps: float) -> None:
    found = allocate(small(), ULTRA96, clock_mhz=100, fps=fps)
    assert found.fps >= fps
    assert found.interval_cycles == max(u.interval for u in found.graph)
    assert found.graph[found.bottleneck].interval == found.interval_cycles
    check(found.graph)
    assert found.fits
    parts = [*found.unit_resources.values(), *found.fifo_resources.values()]
    assert found.resources == Resources.total(parts)
    assert simulate(found.graph, 3).interval == found.interval_cycles


@pytest.mark.parametrize("fps", [None, 3_000])
def test_what_is_alike_shares_options_loops_and_costs_and_gets_what_it_would_alone(
    fps: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph, limits = residual(3, 8, 8), Limits(lut=0.2)
    moved = []
    monkeypatch.setattr(Pipeline, "_moved", lambda *own, find=Pipeline._moved: moved.append(own[2]) or find(*own))
    assert len({layer.likeness for layer in find_layers(graph)}) < len(find_layers(graph))
    together = allocate(graph, ULTRA96, fps=fps, utilization=limits)
    shared = len(moved)
    monkeypatch.setattr(Layer, "likeness", property(id))
    monkeypatch.setattr("flowc.units.likeness.likeness", id)
    alone = allocate(graph, ULTRA96, fps=fps, utilization=limits)
    assert shared < len(moved) - shared
    assert together.unit_resources == alone.unit_resources
    assert together.occupancy == alone.occupancy
    assert (together.latency_cycles, together.graph.streams) == (alone.latency_cycles, alone.graph.streams)
    assert chosen_folding(together.graph) == chosen_folding(alone.graph)


def test_slower_is_cheaper() -> None:
    found = [allocate(small(), ULTRA96, fps=fps).resources for fps in (200, 5_000, 50_000, 300_000)]
    costs = [(r.lut or 0) + LUTS_PER_BLOCK * (r.bram18 or 0) for r in found]
    assert all(
        faster > 0.95 * slower for slower, faster in pairwise(costs)
    )  # DSP slices may take a little more off one of them
    assert costs[0] < costs[-1] / 1.5


def test_layers_only_just_keep_up() -> None:
    found = allocate(small(), ULTRA96, clock_mhz=100, fps=3_000)
    interval = 100e6 / 3_000
    for unit in found.graph:
        if isinstance(unit, Mvtu) and unit.pe * unit.simd > 1:
            halves = [unit.cycles * p for p in (2, 3) if unit.pe % p == 0 or unit.simd % p == 0]
            assert min(halves) > interval or unit.pe * unit.simd < 8


def test_best_fit_is_faster_with_more_to_spend() -> None:
    tight = allocate(residual(1, 16, 16), ULTRA96, utilization=Limits(lut=0.05, bram18=0.1, dsp=0.1))
    loose = allocate(residual(1, 16, 16), ULTRA96, utilization=Limits(lut=0.3))
    assert tight.fits
    assert loose.fits
    assert loose.fps > tight.fps
    assert (tight.resources.lut or 0) <= 0.05 * ULTRA96.lut
    assert (tight.resources.bram18 or 0) <= 0.1 * ULTRA96.bram18


def test_folding_does_not_change_the_function() -> None:
    graph = small()
    x = np.random.default_rng(0).integers(0, 16, (3, 10, 10, 3))
    expected = emulate(graph, {"x": x})["y"]
    for fps in (500, 40_000, None):
        found = allocate(graph, ULTRA96, fps=fps)
        assert np.array_equal(emulate(found.graph, {"x": x})["y"], expected)


def test_allocating_again_gives_the_same() -> None:
    once = allocate(small(), ULTRA96, fps=5_000)
    again = allocate(once.graph, ULTRA96, fps=5_000)
    assert again.resources == once.resources
    assert sorted(again.graph.units) == sorted(once.graph.units)


def test_input_of_any_width_ratio_is_converted() -> None:
    found = allocate(small(), ULTRA96, folding={"conv1": {"pe": 6, "simd": 9}, "dw2": {"pe": 4}})
    converters = [u for u in found.graph if isinstance(u, WidthConverter)]
    assert any(u.wide_in % u.wide_out and u.wide_out % u.wide_in for u in converters)


def test_residual_branches_are_balanced() -> None:
    found = allocate(residual(2, 8, 8), ULTRA96, fps=20_000)
    skips = [s for s in found.graph.streams if found.graph[s.src].kind == "fork"]
    assert max(s.depth or 0 for s in skips) > 16
    assert simulate(found.graph, 4).interval == found.interval_cycles


def test_fixed_folding_is_kept() -> None:
    folding = {
        "defaults": {"memory": "bram"},
        "conv1": {"pe": 4, "simd": 3, "multiplier": "dsp", "window_memory": "bram"},
        "dw2": {"pe": 6, "parallel": True},
        "fc5": {"memory": "lutram"},
    }
    found = allocate(small(), ULTRA96, folding=folding)
    conv, dw, last = (found.graph[n] for n in ("conv1", "dw2", "fc5"))
    assert isinstance(conv, Mvtu)
    assert (conv.pe, conv.simd, conv.multiplier, conv.memory) == (4, 3, "dsp", "bram")
    assert isinstance(dw, Vvtu)
    assert (dw.pe, dw.parallel, dw.memory) == (6, True, "bram")
    assert isinstance(last, Mvtu)
    assert last.memory == "lutram"
    window = found.graph["conv1_window"]
    assert isinstance(window, Window)
    assert window.memory == "bram"
    assert found.interval_cycles >= conv.cycles


def test_wholly_fixed_folding_that_does_not_fit_is_returned_and_says_so() -> None:
    graph = small()
    folding = {u.name: {"pe": u.mh, "simd": u.mw} for u in graph if isinstance(u, Mvtu)}
    folding |= {u.name: {"pe": u.channels} for u in graph if isinstance(u, Vvtu | Pool)}
    folding |= {"x": {"simd": 3}, "y": {"simd": 10}}
    found = allocate(graph, ULTRA96, folding=folding, utilization=Limits(lut=0.05))
    assert not found.fits
    assert any("does not fit" in note and "lut" in note for note in found.notes)


@pytest.mark.parametrize(
    ("folding", "text"),
    [
        ({"conv9": {"pe": 2}}, "unknown layer 'conv9'; did you mean 'conv3'? the layers are x, conv1, dw2"),
        ({"conv1": {"pe": 5}}, "folding 'conv1': 'pe' can't be 5; allowed are 1, 2, 3, 4, 6, 12"),
        ({"conv1": {"pe": "4"}}, "folding 'conv1': 'pe' must be an integer, not a string; allowed are 1, 2, 3"),
        ({"conv1": {"pe": True}}, "folding 'conv1': 'pe' must be an integer, not true"),
        ({"conv1": {"pe": 2.0}}, "folding 'conv1': 'pe' must be an integer, not a number"),
        (
            {"conv1": {"memory": "flash"}},
            'folding \'conv1\': \'memory\' can\'t be "flash"; allowed are "auto", "lutram", "bram", "uram", "stream"',
        ),
        ({"conv1": {"memory": "uram"}}, "folding 'conv1': 'memory' is uram, which target 'ultra96' does not have"),
        ({"defaults": {"window_memory": "uram"}}, "'window_memory' is uram, which target 'ultra96' does not have"),
        ({"conv1": {"pes": 4}}, "folding 'conv1': unknown key 'pes'; mvtu 'conv1' has pe, simd, memory, multiplier"),
        ({"conv1": 4}, "folding 'conv1': expected an object such as {\"pe\": 4}, not an integer"),
        ({"conv1_window": {"simd": 3}}, "unit 'conv1_window' folds with its layer 'conv1'"),
        (
            {"defaults": {"pe": 4}},
            "folding 'defaults': unknown key 'pe'; allowed are memory, multiplier, threshold_memory, window_memory",
        ),
        ({"defaults": {"memory": 7}}, "folding 'defaults': 'memory' must be a string, not an integer"),
        ([], "a folding is an object of layers, not a list"),
    ],
)
def test_folding_errors_name_the_key_and_what_is_allowed(folding: object, text: str) -> None:
    with pytest.raises(UsageError) as error:
        allocate(small(), ULTRA96, folding=folding)  # type: ignore[arg-type]
    assert text in str(error.value)
    assert error.value.exit_code == 2


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("{", "is not valid JSON"),
        ("[1]", "holds a list, not an object of layers"),
        ('{"a": {}, "a": {}}', "key 'a' stands twice"),
        ("\xff", "is not valid JSON"),
        ("[" * 100_000, "is not valid JSON"),
    ],
)
def test_folding_files_that_can_not_be_read(tmp_path: Path, content: str, text: str) -> None:
    path = tmp_path / "fold.json"
    path.write_bytes(content.encode("latin-1"))
    with pytest.raises(UsageError, match=text):
        read_folding(path)


def test_missing_folding_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot read the folding file .*: No such file"):
        read_folding(tmp_path / "none.json")


def test_folding_file_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "fold.json"
    path.write_text(json.dumps({"conv1": {"pe": 2}}))
    assert read_folding(path) == {"conv1": {"pe": 2}}


@pytest.mark.parametrize("fps", [0, -1, math.nan, math.inf])
def test_rates_that_make_no_sense(fps: float) -> None:
    with pytest.raises(UsageError, match="frame rate must be above 0"):
        allocate(small(), ULTRA96, fps=fps)


@pytest.mark.parametrize(
    ("clock", "text"), [(0, "above 0 MHz"), (math.nan, "above 0 MHz"), (5000, "above the limit of")]
)
def test_clocks_that_make_no_sense(clock: float, text: str) -> None:
    with pytest.raises(UsageError, match=text):
        allocate(small(), ULTRA96, clock_mhz=clock)


@pytest.mark.parametrize("share", [0, -0.1, 1.5, True, math.nan])
def test_limits_that_make_no_sense(share: float) -> None:
    with pytest.raises(UsageError, match="utilization limit 'lut'"):
        Limits(lut=share)


def test_rate_beyond_the_slowest_layer_names_it() -> None:
    with pytest.raises(
        InfeasibleError, match=r"layer '\w+' takes [\d,]+ cycles per frame even fully unfolded( \(.*\))?: at most"
    ) as error:
        allocate(small(), ULTRA96, clock_mhz=100, fps=50e6)
    assert error.value.exit_code == 3


def test_rate_beyond_a_fixed_layer_names_it() -> None:
    with pytest.raises(InfeasibleError, match="layer 'conv1' takes 32,400 cycles per frame as its folding is fixed"):
        allocate(small(), ULTRA96, clock_mhz=100, fps=10_000, folding={"conv1": {"pe": 1, "simd": 1}})


def test_rate_beyond_the_clock() -> None:
    with pytest.raises(InfeasibleError, match="more than the clock's 100,000,000 cycles per second"):
        allocate(small(), ULTRA96, clock_mhz=100, fps=1e9)


def test_rate_beyond_the_device_names_resource_layers_and_the_rate_that_fits() -> None:
    with pytest.raises(InfeasibleError) as error:
        allocate(residual(1, 16, 16), ULTRA96, clock_mhz=100, fps=300_000, utilization=Limits(lut=0.1))
    assert re.search(r"\w+ needed of [\d,]+ allowed; the biggest are 'conv", str(error.value))
    assert "The highest rate that fits is" in str(error.value)
    rate = float(str(error.value).split("The highest rate that fits is ")[1].split(" fps")[0].replace(",", ""))
    again = allocate(residual(1, 16, 16), ULTRA96, clock_mhz=100, fps=rate - 1, utilization=Limits(lut=0.1))
    assert again.fits


def test_network_that_never_fits_says_so() -> None:
    tiny = replace(ULTRA96, lut=1_000, bram18=2)
    with pytest.raises(
        InfeasibleError, match="does not fit on the chip, however slow: .* needed of .* allowed; the biggest are"
    ):
        allocate(small(), tiny)


def test_external_memory_limits_the_rate() -> None:
    slow = replace(ULTRA96, ddr_gbps=0.01)
    found = allocate(small(), slow, clock_mhz=100)
    assert found.bottleneck == "external memory"
    moved = sum(port.frame_bytes for port in boundary(found.graph))  # 100 beats of 2 bytes or more, and the outputs'
    assert moved > 200
    assert found.fps == pytest.approx(0.01e9 / moved, rel=0.01)
    with pytest.raises(InfeasibleError, match="external memory takes"):
        allocate(small(), slow, clock_mhz=100, fps=found.fps * 2)


def tfc(inputs: int = 784) -> Dataflow:
    net = Net(1, 1, inputs, UInt(8))
    for width in (64, 64, 64):
        net.matrix(width, SInt(2), UInt(2))
    net.matrix(10, SInt(2), None)
    return net.done("tfc")


def test_the_memory_ports_of_the_board_limit_the_rate() -> None:
    """784 bytes take 98 cycles at one port of 64 bits; a stream may use up to four, and takes no more than it needs."""
    board = load_target("pynq-z2")
    calm = allocate(tfc(), board, clock_mhz=100, fps=1_000_000)
    assert calm.graph["x"].ways == 1
    assert calm.interval_cycles in (98, 100)
    found = allocate(tfc(), board, clock_mhz=100, fps=2_000_000)
    (port,) = (p for p in boundary(found.graph) if p.is_input)
    assert port.ways == 2
    assert [e.name for e in port.engines] == ["x_0", "x_1"]
    assert found.interval_cycles <= 50
    reading = [bus for bus in buses(found.graph, "zynq-7000") if any(e.port.is_input for e in bus.engines)]
    assert len(reading) == 2  # each engine at a port of its own
    assert all(bus.read == port.frame_bytes / 2 for bus in reading)
    # The second engine is paid for.
    one = found.graph["x"].with_(ways=1)
    assert (found.graph["x"].resources.lut or 0) > (one.resources.lut or 0) + 500
    assert (found.graph["x"].resources.bram18 or 0) > 0
    with pytest.raises(InfeasibleError, match="'x' takes 28 cycles .* through 4 memory ports of 64 bits"):
        allocate(tfc(), board, clock_mhz=100, fps=5_000_000)


@pytest.mark.parametrize(("simd", "moved"), [(49, 16 * 64), (14, 56 * 16), (16, 49 * 16), (1, 784)])
def test_beats_cross_the_ports_filled_up_to_a_power_of_two(simd: int, moved: int) -> None:
    found = allocate(tfc(), load_target("pynq-z2"), clock_mhz=100, folding={"x": {"simd": simd}})
    ways = found.graph["x"].ways
    assert ways == {49: 4, 14: 2, 16: 2, 1: 1}[simd]
    assert found.interval_cycles >= moved / 8 / ways
    assert found.fps <= 100e6 / (moved / 8 / ways)


def test_drain_is_part_of_the_interval_unless_frames_overlap() -> None:
    graph = tfc(8)
    folding = {u.name: {"pe": u.mh, "simd": u.mw} for u in graph if isinstance(u, Mvtu)}
    board = load_target("u250")
    assert allocate(graph, board, clock_mhz=100, folding=folding).interval_cycles == 1
    pausing = graph.with_units({u.name: u.with_(overlap=False) for u in graph})
    found = allocate(pausing, board, clock_mhz=100, folding=folding)
    slowest = max((u for u in found.graph if isinstance(u, Mvtu)), key=lambda u: u.interval)
    assert slowest.cycles == 1
    assert found.interval_cycles >= 1 + slowest.stages + 2
    assert any("pass until a pipeline is empty" in note for note in found.notes)


def test_streams_share_memory_ports_only_where_they_must() -> None:
    found = allocate(tfc(), ULTRA96, clock_mhz=100, fps=1_000)
    assert [len(bus.engines) for bus in buses(found.graph, "zynq-ultrascale+")] == [2]
    assert buses(found.graph, "virtex-ultrascale+") == []
    net = Net(1, 1, 512, UInt(8))
    net.units.append(InputPort(name="x2", tensor="x2", tensor_shape=(1, 512, 1, 1), frame=net.frame))
    net.join("x", "x2", 0, UInt(8))
    two = allocate(net.done(), load_target("pynq-z2"), clock_mhz=100)
    assert [[e.name for e in bus.engines if e.port.is_input] for bus in buses(two.graph, "zynq-7000")] == [
        ["x"],
        ["x2"],
    ]
    assert two.interval_cycles < 2 * 512 / 8


@pytest.mark.parametrize("fps", [None, 3_000, 60_000])
@pytest.mark.parametrize("make", [small, lambda: residual(1, 8, 8)])
def test_the_folding_that_was_chosen_can_be_given_back(make: Callable[[], Dataflow], fps: float | None) -> None:
    first = allocate(make(), ULTRA96, fps=fps)
    folding = chosen_folding(first.graph)
    again = allocate(make(), ULTRA96, folding=json.loads(json.dumps(folding)))
    assert chosen_folding(again.graph) == folding
    assert again.resources == first.resources
    assert again.interval_cycles == first.interval_cycles
    name = next(n for n, keys in folding.items() if "pe" in keys)
    folding[name]["pe"] = 1
    assert allocate(make(), ULTRA96, folding=folding).graph[name].pe == 1


def test_without_a_rate_what_less_would_take_is_said() -> None:
    found = allocate(small(), ULTRA96, clock_mhz=100)
    (note,) = (n for n in found.notes if n.startswith("this is all that one pixel per cycle gives"))
    asked = re.search(r"--fps (\d+), would take about ([\d,]+) lut", note)
    assert asked is not None
    assert float(asked[1]) == pytest.approx(found.fps / 10, abs=1)
    slower = allocate(small(), ULTRA96, clock_mhz=100, fps=found.fps / 10)
    assert int(asked[2].replace(",", "")) == pytest.approx(slower.resources.lut, rel=0.1)
    assert not any("this is all that" in n for n in slower.notes)


def test_check_lists_every_fault() -> None:
    graph = small()
    broken = graph.with_units({"conv1": graph["conv1"].with_(pe=5, simd=2), "dw2": graph["dw2"].with_(pe=2)})
    texts = "; ".join(faults(broken))
    assert "conv1 (mvtu): pe = 5 does not divide the outputs per group = 12" in texts
    assert "simd = 2 does not divide the inputs per output = 27" in texts
    assert "stream conv1_window -> conv1: 1 elements per beat against 2; a width converter is missing" in texts
    assert "the window's block = 1, the reader's pe = 2" in texts
    with pytest.raises(UsageError, match="is not sound"):
        check(broken)
    assert not faults(graph)


def test_binary_cifar_network_at_3000_frames_per_second() -> None:
    found = allocate(cnv(1), ULTRA96, clock_mhz=100, fps=3_000)
    assert found.fps >= 3_000
    assert (found.resources.lut or 0) <= 22_500
    assert (found.resources.bram18 or 0) <= 125
    assert found.interval_cycles == max(u.interval for u in found.graph)


def test_binary_cifar_network_as_fast_as_fits() -> None:
    found = allocate(cnv(1), ULTRA96, clock_mhz=100)
    assert found.fits
    assert found.fps >= 10_000


def test_window_may_be_narrower_than_its_matrix_unit() -> None:
    net = Net(8, 8, 8, UInt(2))
    net.conv(16, SInt(2), UInt(2))
    found = allocate(net.done(), ULTRA96, folding={"conv1": {"pe": 4, "simd": 24, "window_simd": 4, "parallel": False}})
    window, conv = found.graph["conv1_window"], found.graph["conv1"]
    assert isinstance(window, Window)
    assert isinstance(conv, Mvtu)
    assert (window.simd, window.block, conv.simd, conv.block) == (4, 8, 24, 8)
    assert any(isinstance(u, WidthConverter) and (u.wide_in, u.wide_out) == (4, 24) for u in found.graph)


def test_contradictory_folding_is_refused() -> None:
    with pytest.raises(UsageError, match="folding 'conv1': simd = 2, parallel = true leaves no folding"):
        net = Net(8, 8, 8, UInt(2))
        net.conv(16, SInt(2), UInt(2))
        allocate(net.done(), ULTRA96, folding={"conv1": {"simd": 2, "parallel": True}})


def test_two_inputs_of_different_length_meet() -> None:
    net = Net(8, 8, 4, UInt(2))
    net.conv(4, SInt(2), UInt(2), pad=1)
    first = net.at
    second = InputPort(name="x2", tensor="x2", tensor_shape=(4, 8, 8), frame=net.frame)
    net.units.append(second)
    net.join(first, "x2", 0, UInt(2))
    found = allocate(net.done(), ULTRA96, fps=50_000)
    assert simulate(found.graph, 4).interval == found.interval_cycles
    assert found.fps >= 50_000
