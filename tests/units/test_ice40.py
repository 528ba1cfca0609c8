"""Memories on iCE40: what is counted, beside what yosys 0.70 makes of FIFOs whose memories it may lay where it likes."""

from __future__ import annotations

import pytest

import flowc
from flowc.dataflow.allocate.device import device_vector, gathered, in_cells, on_family
from flowc.dataflow.allocate.options import _multipliers
from flowc.targets import load_target
from flowc.units import Mvtu, cost, pipeline
from flowc.units.cost import Resources
from flowc.units.ice40 import blocks, constant, written
from tests import netbuild

FIFOS = [  # depth, bits, LUT4, flip-flops, EBR (synth_ice40 -device u, flowc_fifo of style "distributed")
    (4, 4, 37, 29, 0), (4, 16, 73, 77, 0), (8, 8, 83, 81, 0), (16, 4, 105, 85, 0), (17, 4, 123, 92, 0), (9, 8, 106, 92, 0),
    (4, 40, 145, 173, 0), (5, 40, 151, 216, 0), (4, 64, 217, 269, 0), (16, 5, 50, 23, 1), (19, 4, 56, 24, 1), (10, 8, 49, 25, 1),
    (5, 16, 46, 30, 1), (7, 16, 46, 30, 1), (16, 8, 52, 26, 1), (32, 4, 58, 25, 1), (8, 16, 52, 31, 1), (16, 16, 60, 34, 1),
    (32, 16, 71, 37, 1), (64, 16, 80, 40, 1), (32, 24, 78, 45, 2), (6, 40, 70, 54, 3),
]  # fmt: skip


@pytest.mark.parametrize(("depth", "bits", "lut", "ff", "ebr"), FIFOS)
def test_no_figure_of_a_fifo_is_better_than_synthesis(depth: int, bits: int, lut: int, ff: int, ebr: int) -> None:
    found = on_family(pipeline.fifo(depth, bits, "lutram"), "ice40")
    assert found.lut is not None
    assert found.ff is not None
    assert lut <= found.lut <= 1.4 * lut
    assert ff <= found.ff <= ff + 4
    assert found.ice40_ebrs == ebr
    assert found.bram18 == min(1, ebr)


def test_blocks_are_the_least_tiling() -> None:
    assert [blocks(*m) for m in ((256, 16), (257, 16), (512, 8), (2048, 2), (2048, 3), (100, 36))] == [1, 2, 1, 1, 2, 3]
    assert blocks(512, 36) == 5  # of 512 x 8 bits


def test_constants_beyond_a_quarter_of_a_block_lie_in_it() -> None:
    assert constant(64, 16, 16) == (16 * 6, 0, 0)  # four tables and three ways to choose, two tables
    assert constant(65, 16, 32) == (0, 0, 1)
    assert written(9, 8).ebr == 0
    assert written(10, 8).ebr == 1


def test_blocks_of_a_design_are_rounded_up_once() -> None:
    """Six memories, a block each, are one block of 18 kbit together; by itself each takes one."""
    one = on_family(pipeline.fifo(16, 16, "lutram"), "ice40")
    assert one.bram18 == 1
    assert gathered([one] * 6).bram18 == 1
    assert gathered([one] * 7).bram18 == 2
    assert device_vector(one)[2] == pytest.approx(1 / 6)


@pytest.mark.parametrize("family", ["zynq-ultrascale+", "ecp5"])
def test_other_families_keep_their_memories_in_tables(family: str) -> None:
    fifo = pipeline.fifo(16, 16, "lutram")
    found = on_family(fifo, family)
    assert (found.ff, found.bram18, found.ice40_ebrs) == (fifo.ff, 0, 0)
    assert on_family(cost.memory(512, 36, "bram", constant=True), family).bram18 == 1


@pytest.mark.parametrize(("bits", "dsps"), [(4, 0), (8, 1)])
def test_products_that_yosys_keeps_in_tables_count_as_tables(bits: int, dsps: int) -> None:
    """Of less than 11 bits: a unit of 4 x 4 that was modelled in multipliers took none of them."""
    target = load_target("icebreaker")
    graph = flowc.build(netbuild.mlp((6, 4), bits=bits), "pynq-z2", backend="rtl", verify=False).graph
    unit = next(u for u in graph if isinstance(u, Mvtu))
    kinds = _multipliers(unit.with_(dsp_port=target.dsp_port), target)
    assert kinds == ["lut", "dsp"][: 1 + dsps]


def test_cells_hold_a_table_and_what_it_gives() -> None:
    placed = (Resources(lut=1199, ff=814), 1300), (Resources(lut=2392, ff=1461), 2621)
    for modelled, cells in placed:  # ICESTORM_LC of nextpnr, of designs modelled so without cells of their own
        found = in_cells(modelled, load_target("icebreaker"))
        assert found.lut is not None
        assert cells <= found.lut <= 1.15 * cells
        assert in_cells(modelled, load_target("ulx3s-25f")) == modelled


def test_unknown_stays_unknown() -> None:
    assert on_family(Resources(None, None, None), "ice40") == Resources(None, None, None)
