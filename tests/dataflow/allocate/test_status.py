"""The status block's cost: its formulas beside the registers that its sources declare, and what allocation does with it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import flowc
from flowc.dataflow.allocate import Limits, StatusBlock, allocate
from flowc.dataflow.allocate.status import mark, register_block
from flowc.errors import InfeasibleError
from flowc.targets import load_target
from flowc.units.cost import Resources
from tests import netbuild
from tests.dataflow.allocate.nets import residual

ULTRA96 = load_target("ultra96")
TEMPLATES = Path(__file__).parents[3] / "templates"


def declared(path: Path, skip: tuple[str, ...] = ()) -> tuple[int, int]:
    """Bits of the registers that a source of `flowc_status` declares: outside of its loop over ports, and inside."""
    text = re.sub(r"//.*", "", path.read_text())
    loop = text.index("begin : port")
    bits = [0, 0]
    for found in re.finditer(r"\breg\b\s*(?:\[(\d+):0\])?\s*([\w, ]+?)[;,]?\s*$", text, re.MULTILINE):
        names = [n.strip() for n in found[2].split(",") if n.strip() not in skip]
        inside = loop < found.start() < text.index("endgenerate")
        bits[inside] += (int(found[1] or 0) + 1) * len(names)
    return bits[0], bits[1]


@pytest.mark.parametrize("ports", [2, 3, 6])
def test_registers_are_those_that_the_source_declares(ports: int) -> None:
    """``value`` is the only variable of the kind reg that is a multiplexer."""
    whole, each = declared(TEMPLATES / "vivado" / "flowc_status.v", skip=("value",))
    assert register_block(ports).ff == whole + each * ports


@pytest.mark.parametrize(
    ("found", "lut", "ff"),
    [
        (mark(2), 7, 6),
        (mark(14), 10, 10),
        (mark(62), 15, 14),
        (mark(1000), 20, 20),
        (register_block(2), 182, 278),
        (register_block(3), 205, 374),
        (register_block(6), 357, 662),
    ],
)
def test_no_figure_is_better_than_synthesis(found: Resources, lut: int, ff: int) -> None:
    """Cells of yosys 0.70, ``synth_xilinx -family xcup``, which leaves out tables that only lead a bit to a carry chain."""
    assert found.ff == ff
    assert found.lut is not None
    assert found.lut >= lut


@pytest.mark.parametrize("marks", [False, True])
def test_it_is_counted_and_kept_within_the_budget(marks: bool) -> None:
    graph, status = residual(1, 16, 16), StatusBlock(marks)
    limits = Limits(lut=0.1)
    without = allocate(graph, ULTRA96, utilization=limits)
    found = allocate(graph, ULTRA96, utilization=limits, status=status)
    assert found.fits
    assert found.status_resources is not None
    assert found.status_resources == status.resources(found.graph)
    parts = [*found.unit_resources.values(), *found.fifo_resources.values(), found.status_resources]
    assert found.resources == Resources.total(parts)
    assert found.fps <= without.fps
    assert without.status_resources is None


def test_marks_cost_more_where_fifos_are_more_or_deeper() -> None:
    graph = allocate(residual(1, 16, 16), ULTRA96, fps=1_000).graph
    plain, marked = (StatusBlock(m).resources(graph) for m in (False, True))
    assert marked.ff == (plain.ff or 0) + sum(mark(s.depth or 2).ff or 0 for s in graph.streams) + max(
        (mark(s.depth or 2).ff or 0) // 2 for s in graph.streams
    )
    assert (marked.lut or 0) > (plain.lut or 0)


def test_a_design_that_fits_without_it_only_is_refused() -> None:
    graph = residual(1, 16, 16)
    used = allocate(graph, ULTRA96, fps=1_000).resources.lut or 0
    tight = Limits(lut=(used + 100) / ULTRA96.lut)
    allocate(graph, ULTRA96, fps=1_000, utilization=tight)
    with pytest.raises(InfeasibleError, match="does not fit: .* lut needed"):
        allocate(graph, ULTRA96, fps=1_000, utilization=tight, status=StatusBlock())


def test_the_report_says_what_it_takes() -> None:
    with_it, without = (
        flowc.build(netbuild.mlp(), target="pynq-z2", fps=1_000, backend="rtl", verify=False, status=wanted).report
        for wanted in (True, False)
    )
    assert without["status_resources"] is None
    assert with_it["status_resources"]["ff"] > 278
    parts = [with_it["status_resources"], with_it["fifo_resources"], *with_it["layers"]]
    assert with_it["resources"]["ff"] >= sum(part["ff"] for part in parts)
