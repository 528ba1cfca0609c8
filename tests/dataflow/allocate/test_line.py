"""The serial line's cost: its formula beside synthesized cells, and what allocation does with it."""

from __future__ import annotations

from math import ceil

import pytest

from flowc.dataflow.allocate import Limits, allocate
from flowc.dataflow.allocate.device import gathered
from flowc.dataflow.allocate.line import line_resources
from flowc.errors import InfeasibleError
from flowc.model.dtypes import UInt
from flowc.targets import load_target
from tests.backends.graphs import mlp

ULX3S, ICEBREAKER, ULTRA96 = load_target("ulx3s-25f"), load_target("icebreaker"), load_target("ultra96")
SMALL = mlp(inputs=24, outputs=12, simd=1, pe=1)


@pytest.mark.parametrize(
    ("cycles", "bytes_in", "bytes_out", "ecp5", "ice40", "ff"),
    [
        (8, 1, 1, 502, 460, 299),
        (8, 4, 2, 542, 494, 407),
        (8, 16, 4, 655, 608, 811),
        (33, 12, 6, 649, 602, 706),
        (9, 100, 20, 1480, 1419, 3635),
    ],
)
def test_no_figure_is_better_than_synthesis(
    cycles: int, bytes_in: int, bytes_out: int, ecp5: int, ice40: int, ff: int
) -> None:
    """Cells of ``flowc_link`` by yosys 0.70: look-up tables on either part, flip-flops, EBR; the board's reset has 11 flip-flops more."""
    graph = mlp(inputs=bytes_in, outputs=bytes_out, dtype=UInt(8), out=UInt(8), simd=bytes_in, pe=bytes_out)
    for target, measured, blocks in ((ULX3S, ecp5, 2), (ICEBREAKER, ice40, 1)):  # iCE40: two of 4 kbit, of six
        found = line_resources(graph, target, cycles * 3)
        assert found is not None
        assert found.lut is not None
        cells = (
            0 if target.has_lutram else ceil((ff + 11) / 3)
        )  # those of flip-flops that no table gives what they hold
        assert measured <= found.lut - cells <= 1.2 * measured
        assert found.ff == ff + 11
        assert found.bram18 == blocks


def test_it_is_counted_where_the_board_has_one() -> None:
    for target in (ULX3S, ICEBREAKER):
        found = allocate(SMALL, target, fps=1_000)
        assert found.line_resources is not None
        assert found.line_resources == line_resources(found.graph, target, target.clock_mhz)
        parts = [*found.unit_resources.values(), *found.fifo_resources.values(), found.line_resources]
        assert found.resources == gathered(parts)
    assert allocate(SMALL, ULTRA96, fps=1_000).line_resources is None


def test_a_design_that_fits_without_it_only_is_refused() -> None:
    found = allocate(SMALL, ICEBREAKER, fps=1_000)
    assert found.line_resources is not None
    own = (found.resources.lut or 0) - (found.line_resources.lut or 0)
    with pytest.raises(InfeasibleError, match="lut needed of .* times what is left for units"):
        allocate(SMALL, ICEBREAKER, fps=1_000, utilization=Limits(lut=(own + 100) / ICEBREAKER.lut))
