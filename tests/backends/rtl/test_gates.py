"""Units as netlists for ECP5, registers moved into block RAMs and multipliers, in place of their modules: equal to the emulation."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path

import numpy as np
import pytest

from benchmarks.synthesis_units import alone, matrix
from flowc.backends.rtl import simulate, yosys
from flowc.backends.rtl.ecp5 import use_block_registers
from flowc.backends.rtl.generate import generate
from flowc.backends.rtl.pieces import PROBE, cut
from flowc.model.dtypes import SInt, UInt
from flowc.units import Activate, Frame, Table
from tests.backends.hls.random_units import integers
from tests.backends.rtl.checking import expect_equal, needs_verilator
from tests.backends.rtl.ecp5_blocks import MODELS, RENAMED

pytestmark = [
    pytest.mark.slow,
    needs_verilator,
    pytest.mark.skipif(importlib.util.find_spec("pyosys") is None, reason="pyosys is not installed"),
]
FRAMES = 4


def as_gates(folder: Path, name: str) -> dict[str, int]:
    """Puts a netlist in the place of a unit of the project in ``folder``; its cells by type."""
    pieces, sources = cut(folder)
    (text,) = [piece.text for piece in pieces if piece.name == name and not piece.is_fifo]
    gates = f"gates_{name}"
    (folder / "probe.sv").write_text(text.replace(PROBE, gates))
    read = yosys.reading([*sources, "probe.sv"], gates, "ecp5", folder)
    yosys.run(folder, [read, f"synth_ecp5 -top {gates} -json net.json"], timeout=300, what=name)
    assert use_block_registers(folder / "net.json") > 0
    commands = ["read_json net.json", *(f"chtype -set {model} t:{cell}" for cell, model in RENAMED.items())]
    yosys.run(folder, [*commands, f"write_verilog -noattr {gates}.v"], timeout=300, what=name)
    files = (folder / "files.f").read_text().split()
    top = folder / files[-1]
    ports = ", ".join(f".{port}" for port in re.findall(r"\] (\w+)", text.split(");")[0]))
    changed, count = re.subn(
        rf"^  flowc_\w+ #\([^;]*\) u_{name} \(.*?\);$", f"  {gates} u_{name} ({ports});", top.read_text(), flags=re.DOTALL | re.MULTILINE
    )  # fmt: skip
    assert count == 1
    top.write_text(changed)
    (folder / "files.f").write_text("\n".join([f"{gates}.v", *files]) + "\n")
    cells = json.loads((folder / "net.json").read_text())["modules"][gates]["cells"].values()
    return {kind: sum(cell["type"] == kind for cell in cells) for kind in RENAMED}


def with_models(folder: Path) -> None:
    """Adds the simulation models of ECP5's cells to the project's sources."""
    share = Path(importlib.util.find_spec("pyosys").origin).parent / "share"
    (folder / "blocks.sv").write_text(MODELS)
    files = (folder / "files.f").read_text()
    (folder / "files.f").write_text(
        f"--timescale 1ns/1ps\n+incdir+{share / 'ecp5'}\n+incdir+{share}\nblocks.sv\n{share / 'ecp5' / 'cells_sim.v'}\n{files}"
    )


def test_registers_in_block_rams_and_multipliers(tmp_path: Path) -> None:
    """A product whose words of 32 bits come out of a block RAM into eight multipliers."""
    unit = matrix("unit", SInt(4), UInt(4), None, (4, 64), (2, 4), multiplier="dsp")
    graph = alone([unit.with_(structure="pipeline", dsp_port=0)])
    generate(graph, tmp_path, header="A test")
    cells = as_gates(tmp_path, "unit")
    assert cells["DP16KD"] > 0
    assert cells["MULT18X18D"] == 8
    with_models(tmp_path)
    rng = np.random.default_rng(0)
    frames = [integers(rng, port.frame.dtype, (FRAMES, *port.frame.shape)) for port in graph.inputs]
    binary = simulate.compile(tmp_path, graph, quick=True)
    for stalls in (0, 60):
        expect_equal(graph, simulate.run(binary, graph, frames, stalls=stalls), frames)
    # Blocks that go on while the pipeline waits.
    gates = tmp_path / "gates_unit.v"
    sound = gates.read_text()
    for enable in ("OCEB", "CE2"):
        broken, count = re.subn(rf"\.{enable}\(\w+\)", f".{enable}(1'h1)", sound)
        assert count > 0
        gates.write_text(broken)
        seen = simulate.run(simulate.compile(tmp_path, graph, quick=True), graph, frames, stalls=60)
        assert any(passed.wrong for passed in seen.streams.values())


def test_registers_in_front_of_the_multiplexer_of_banks(tmp_path: Path) -> None:
    """A table of 8192 words of nine bits: four banks of 2048, chosen by two bits of the address."""
    rng = np.random.default_rng(1)
    table = Table(dtype=SInt(9), lo=-128, values=rng.integers(-256, 256, (32, 256)))
    unit = Activate(name="unit", frame=Frame(1, 8, 32, SInt(8)), activation=table, pe=1).with_(structure="pipeline")
    graph = alone([unit])
    generate(graph, tmp_path, header="A test")
    assert as_gates(tmp_path, "unit")["DP16KD"] == 4
    module = json.loads((tmp_path / "net.json").read_text())["modules"]["gates_unit"]
    modes = [
        c["parameters"][f"REGMODE_{side}"] for c in module["cells"].values() if c["type"] == "DP16KD" for side in "AB"
    ]
    assert modes.count("OUTREG") == 4
    with_models(tmp_path)
    frames = [integers(rng, port.frame.dtype, (FRAMES, *port.frame.shape)) for port in graph.inputs]
    binary = simulate.compile(tmp_path, graph, quick=True)
    for stalls in (0, 60):
        expect_equal(graph, simulate.run(binary, graph, frames, stalls=stalls), frames)
    # What selects goes on while the pipeline waits.
    gates = tmp_path / "gates_unit.v"
    broken, count = re.subn(r"(\\flowc\$bank\$\d+ +\([^;]*\.CE)\([^)]*\)", r"\1(1'h0)", gates.read_text())
    assert '.CEMUX("INV")' in broken
    assert count == 2
    gates.write_text(broken)
    seen = simulate.run(simulate.compile(tmp_path, graph, quick=True), graph, frames, stalls=60)
    assert any(passed.wrong for passed in seen.streams.values())
