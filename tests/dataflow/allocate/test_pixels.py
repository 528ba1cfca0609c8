"""Several pixels of a row per cycle: where a rate asks for them, by a folding file, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from flowc.backends.hls.caps import exceeded
from flowc.backends.hls.split import split_large
from flowc.backends.rtl.backend import RtlBackend
from flowc.dataflow.allocate import allocate, check, chosen_folding, simulate
from flowc.dataflow.allocate.layers import find_layers
from flowc.dataflow.allocate.pixels import counts, window_counts
from flowc.dataflow.emulator import emulate
from flowc.errors import InfeasibleError, UsageError
from flowc.model.dtypes import IntType, SInt, UInt
from flowc.targets import load_target
from flowc.units import Mvtu, Pad, Pool, Window
from flowc.units.cost import Resources
from flowc.units.graph import Dataflow
from tests.dataflow.allocate.nets import Net

BOARD = load_target("zcu102")
WEIGHT, ACT = SInt(2), UInt(3)


def everything(size: int = 16) -> Dataflow:
    """Convolutions of stride 1 and 2, of one tap and depthwise, paddings, a join, a maximum and an average pool."""
    net = Net(size, size, 2, UInt(4))
    net.conv(4, WEIGHT, ACT, pad=1)
    fork = net.fork()
    net.conv(6, WEIGHT, ACT, k=1)
    left = net.conv(4, WEIGHT, ACT, pad=1)
    net.join(left, fork, 1, ACT)
    net.depthwise(WEIGHT, ACT)
    net.window("average", 3, 1, 1, 1)
    sums = IntType.for_range(0, 9 * ACT.hi)
    net.add(Pool(name="average", frame=net.frame, channels=4, op="sum", acc=sums))
    net.matrix(4, WEIGHT, ACT)
    net.pool()
    net.conv(6, WEIGHT, ACT, stride=2, pad=1)
    return net.done("everything")


def several(graph: Dataflow) -> dict[str, int]:
    """Pixels per cycle of all units that take more than one."""
    return {u.name: p for u in graph if (p := getattr(u, "pixels", 1)) > 1}


def steady(graph: Dataflow) -> int | None:
    """The interval once the pipeline has filled."""
    return simulate(graph, len(graph.units) + 10, settled=max(u.interval for u in graph)).interval


@pytest.mark.parametrize("fps", [6e5, 1e6, 2.5e6])
def test_a_rate_beyond_a_pixel_per_cycle(fps: float) -> None:
    graph = everything()
    found = allocate(graph, BOARD, clock_mhz=200, fps=fps)
    assert found.fps >= fps
    assert found.interval_cycles == max(u.interval for u in found.graph)
    assert steady(found.graph) == found.interval_cycles
    check(found.graph)
    assert found.fits
    assert found.resources == Resources.total([*found.unit_resources.values(), *found.fifo_resources.values()])
    assert bool(several(found.graph)) == (fps > 6e5)
    assert exceeded(split_large(found.graph)) == []
    again = allocate(found.graph, BOARD, clock_mhz=200, folding=chosen_folding(found.graph))
    assert chosen_folding(again.graph) == chosen_folding(found.graph)
    assert (again.interval_cycles, again.resources) == (found.interval_cycles, found.resources)
    frames = {"x": np.random.default_rng(0).integers(0, 16, (3, 16, 16, 2))}
    expected, results = emulate(graph, frames), emulate(found.graph, frames)
    assert all(np.array_equal(expected[name], results[name]) for name in expected)


def test_without_a_rate_a_pixel_per_cycle_is_the_bound_and_is_said() -> None:
    found = allocate(everything(), BOARD, clock_mhz=200)
    assert several(found.graph) == {}
    (note,) = [n for n in found.notes if "one pixel of a row per cycle" in n]
    assert f"--fps above {found.fps:,.0f}".replace(",", "") in note


def test_pixels_can_be_fixed() -> None:
    folding = {"conv1": {"pixels": 4}, "x": {"simd": 8}}
    found = allocate(everything(), BOARD, clock_mhz=200, folding=folding)
    conv = found.graph["conv1"]
    assert isinstance(conv, Mvtu)
    assert (conv.pixels, conv.pe, conv.simd) == (4, conv.mh, conv.mw)
    window, pad = found.graph["conv1_window"], found.graph["conv1_pad"]
    assert isinstance(window, Window)
    assert isinstance(pad, Pad)
    assert window.pixels == pad.pixels == 4
    assert pad.outputs[0].w == 20  # 18 pixels, filled up
    assert window.cycles == 18 * 5


def test_a_window_of_several_pixels_may_feed_a_folded_product() -> None:
    net = Net(16, 16, 2, UInt(4))
    net.conv(8, WEIGHT, ACT, stride=2, pad=1)
    graph = net.done()
    found = allocate(graph, BOARD, folding={"conv1": {"window_pixels": 4, "pixels": 1, "pe": 4, "simd": 9}})
    conv, window = found.graph["conv1"], found.graph["conv1_window"]
    assert isinstance(conv, Mvtu)
    assert isinstance(window, Window)
    assert (conv.pixels, conv.pe, conv.simd, window.pixels, window.given) == (1, 4, 9, 4, 2)
    assert found.interval_cycles == conv.cycles == 64 * 2 * 2
    assert steady(found.graph) == found.interval_cycles


@pytest.mark.parametrize(
    ("folding", "text"),
    [
        (
            {"pixels": 3},
            "'pixels' can't be 3; allowed are 1, 2, 4, 8, 16. Pixels into the window must divide rows of 16, give rows of 16 positions",
        ),
        ({"window_pixels": 5}, "'window_pixels' can't be 5; allowed are 1, 2, 4, 8, 16"),
        ({"pixels": "2"}, "'pixels' must be an integer, not a string"),
        ({"pixels": 2, "pe": 2}, "pixels = 2 asks for pixels that are computed whole, pe = 4, not 2"),
        (
            {"pixels": 2, "parallel": False},
            "pixels = 2 takes windows whole from beats of whole pixels, and leaves nothing for 'parallel'",
        ),
        ({"pixels": 2, "memory": "stream"}, "pixels = 2 excludes weights that come from memory ('stream')"),
        ({"pixels": 4, "window_pixels": 2}, "the window gives 2 positions per cycle, which is no multiple"),
    ],
)
def test_what_contradicts_several_pixels(folding: dict[str, Any], text: str) -> None:
    with pytest.raises(UsageError) as error:
        allocate(everything(), BOARD, folding={"conv1": folding})
    assert text in str(error.value)
    assert error.value.exit_code == 2


def test_rows_that_no_number_divides_stay_at_a_pixel_per_cycle() -> None:
    net = Net(17, 17, 2, UInt(4))
    net.conv(4, WEIGHT, ACT, pad=1)
    graph = net.done()
    (layer,) = [one for one in find_layers(graph) if one.name == "conv1"]
    assert window_counts(layer) == counts(layer) == []
    with pytest.raises(InfeasibleError, match="'conv1' takes 361 cycles per frame even fully unfolded.*rows of 17"):
        allocate(graph, BOARD, clock_mhz=200, fps=1e6)


def test_units_in_system_verilog_take_several_pixels_too() -> None:
    graph = everything()
    pipeline = graph.with_units({u.name: replace(u, structure="pipeline") for u in graph})
    found, loops = (allocate(g, BOARD, clock_mhz=200, fps=2.5e6) for g in (pipeline, graph))
    assert found.interval_cycles == loops.interval_cycles
    assert several(found.graph) == several(loops.graph)
    RtlBackend().check(found.graph)
