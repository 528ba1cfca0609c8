"""Thresholds found by one comparator in turn: where that is open, what it costs and takes, and that allocation chooses it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.synthesis_units import alone, matrix
from flowc.backends.rtl.backend import RtlBackend
from flowc.dataflow.allocate import allocate
from flowc.model.dtypes import IntType, SInt, UInt
from flowc.targets import load_target
from flowc.units import Mvtu, Thresholds

ACC = SInt(14)


def stairs(channels: int, levels: int, style: str = "auto", memory: str = "auto") -> Thresholds:
    values = np.sort(np.random.default_rng(1).integers(ACC.lo, ACC.hi, (channels, levels)), axis=1)
    base, step = np.zeros(channels, np.int64), np.ones((1, 1), np.int64)
    out = UInt(levels.bit_length())
    return Thresholds(dtype=out, values=values, base=base, step=step, style=style, memory=memory)


@pytest.mark.parametrize(("levels", "memory", "read_cycles", "most"), [
    (3, "auto", 2, 4), (15, "auto", 2, 8), (15, "bram", 2, 12), (200, "auto", 2, 24), (15, "bram", 1, 8), (200, "auto", 1, 16),
])  # fmt: skip
def test_open_where_all_steps_fit_between_two_results(levels: int, memory: str, read_cycles: int, most: int) -> None:
    """Two cycles a step, three with a register behind block RAM; and as many from an argument to its result, or one more."""
    act = replace(stairs(16, levels, memory=memory), read_cycles=read_cycles)
    shape = 2, 16, ACC
    assert act.form(*shape, most) == "serial"
    assert act.form(*shape, most - 1) != "serial" != act.form(*shape)
    assert act.stages(*shape, most) == (most + 1 if act.pace(*shape) == 2 else most)
    forced = replace(act, style="serial")
    assert (forced.form(*shape, most), forced.form(*shape, most - 1)) == ("serial", "search")


def test_the_cheapest_is_taken_and_one_threshold_is_compared() -> None:
    for levels, channels, lanes in (
        (1, 16, 4),
        (2, 8, 8),
        (3, 64, 8),
        (7, 512, 1),
        (15, 64, 2),
        (15, 16, 4),
        (60, 4, 4),
    ):
        act = stairs(channels, levels)
        price = {}
        for style in ("compare", "search", "serial"):
            used = replace(act, style=style).resources(lanes, channels, ACC, 99)
            price[style] = (used.lut or 0) + 160 * (used.bram18 or 0)
        chosen = act.form(lanes, channels, ACC, 99)
        assert price[chosen] == min(price.values()) or (levels, chosen) == (1, "compare")


@pytest.mark.parametrize(("lanes", "levels", "acc", "channels", "luts", "blocks"), [
    (4, 3, SInt(9), 64, 65, 0), (8, 3, SInt(9), 64, 125, 0), (2, 15, SInt(14), 64, 361, 0), (4, 15, SInt(14), 16, 101, 0),
    (2, 255, SInt(14), 32, 25, 8), (1, 255, SInt(13), 8, 14, 2),
])  # fmt: skip
def test_what_yosys_was_seen_to_make(lanes: int, levels: int, acc: IntType, channels: int, luts: int, blocks: int) -> None:  # fmt: skip
    """The shapes of docs/cost-model.md, of whose matrix units yosys makes within 3% of the model."""
    values = np.tile(np.arange(levels), (channels, 1))
    act = replace(stairs(channels, levels, "serial"), values=values)
    used = act.resources(lanes, channels, acc, 99)
    assert (used.lut, used.bram18) == (luts, blocks)


def test_allocation_takes_it_for_systemverilog_and_never_for_loops() -> None:
    """A matrix of 64 x 64 with two-bit results at 16 products a cycle: no slower, and fewer look-up tables than without."""
    unit = matrix("m", SInt(2), UInt(2), UInt(2), (64, 64), (1, 1))
    graph = alone([unit])
    target = load_target("pynq-z2")

    def chosen(found: Mvtu) -> str:
        act = found.activation
        assert isinstance(act, Thresholds)
        return act.form(found.pe, found.mh, found.acc, found.activation_spacing(found.simd))

    fps = 100e6 / 256
    loops = allocate(graph, target, clock_mhz=100, fps=fps).graph["m"]
    pipes = allocate(RtlBackend().prepare(graph), target, clock_mhz=100, fps=fps).graph["m"]
    assert (chosen(loops), chosen(pipes)) == ("search", "serial")
    without = pipes.with_(activation=replace(pipes.activation, style="search"))
    assert pipes.interval == without.interval == 256
    assert (pipes.resources.lut or 0) < (without.resources.lut or 0)
    assert pipes.stages == without.stages + 1
