"""Dot products on heaps of bits, compressor by compressor, and in DSP slices: every pair of kinds of factors, equal to the emulation."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from flowc.backends.rtl import simulate
from flowc.backends.rtl.generate import generate
from flowc.backends.rtl.lint import lint
from flowc.backends.rtl.tools import verilator_root
from flowc.model.dtypes import BIPOLAR, IntType, SInt, UInt
from flowc.units import Activate, Frame, Mvtu, Requant, Unit
from tests.backends.hls.random_units import accumulator, integers, side_by_side
from tests.backends.rtl.checking import expect_equal, needs_verilator

pytestmark = needs_verilator
PAIRS: list[tuple[IntType, IntType, int]] = [
    (BIPOLAR, BIPOLAR, 18), (BIPOLAR, UInt(2), 9), (BIPOLAR, SInt(2), 4), (SInt(3), BIPOLAR, 7), (UInt(1), SInt(1), 24),
    (SInt(2), UInt(2), 13), (SInt(2), SInt(3), 3), (UInt(2), UInt(2), 2), (SInt(4), UInt(1), 1), (SInt(1), SInt(2), 6),
]  # fmt: skip
"""Weights, inputs, terms."""
PACKED: list[tuple[IntType, IntType, int, int, int]] = [
    (SInt(4), UInt(4), 8, 4, 27), (SInt(4), UInt(4), 12, 4, 25), (SInt(8), UInt(8), 6, 2, 27), (SInt(2), SInt(3), 18, 5, 27),
    (BIPOLAR, UInt(2), 7, 3, 25), (SInt(4), BIPOLAR, 5, 3, 27), (UInt(3), UInt(3), 1, 2, 25),
]  # fmt: skip
"""Weights, inputs, terms, rows, bits of the wide operand: several products to a DSP slice."""
OVERLAPPING: list[tuple[IntType, IntType, int, int, int]] = [
    (SInt(4), UInt(4), 8, 8, 27), (SInt(4), UInt(4), 9, 7, 27), (SInt(4), SInt(4), 4, 4, 25), (UInt(4), UInt(4), 5, 4, 27),
    (SInt(4), UInt(8), 9, 5, 27), (SInt(4), UInt(2), 6, 4, 27), (SInt(3), SInt(4), 3, 11, 27), (UInt(4), SInt(4), 1, 4, 27),
    (SInt(2), UInt(8), 16, 3, 25),
]  # fmt: skip
"""The same of sums that overlap; overlaps of one to three bits, chains of all lengths and some that wait for others."""
LUT6_2 = """
module LUT6_2 #(parameter bit [63:0] INIT = '0) (
    input logic I0, input logic I1, input logic I2, input logic I3, input logic I4, input logic I5,
    output logic O5, output logic O6);
  wire [31:0] low = INIT[31:0], high = INIT[63:32];
  wire [4:0] at = {I4, I3, I2, I1, I0};
  assign O5 = low[at];
  assign O6 = I5 ? high[at] : low[at];
endmodule
"""
"""The primitive as UG574 describes it."""
DSP48E2 = Path(__file__).parent / "proofs" / "dsp48e2.sv"


def _line(rng: np.random.Generator, half_even: bool) -> Activate:
    """A product and a sum in one slice, of 20 x 15 bits."""
    mult, add = rng.integers(-(1 << 14), 1 << 14, 3), rng.integers(-(1 << 32), 1 << 32, 3)
    line = Requant(dtype=SInt(8), mult=mult, add=add, shift=27, lo=-128, hi=127, half_even=half_even)
    return Activate(name=f"line_{half_even}".lower(), frame=Frame(1, 1, 3, SInt(20)), activation=line)


@pytest.mark.slow
@pytest.mark.parametrize("named", [False, True], ids=["portable", "named"])
def test_every_pair_of_kinds(tmp_path: Path, named: bool) -> None:
    """Table by table and slice by slice: as any tool makes them, and as AMD's are asked for by name."""
    rng = np.random.default_rng(0)
    units: list[Unit] = []
    for i, (w, x, terms) in enumerate(PAIRS):
        weights = integers(rng, w, (2, 2 * terms))
        units.append(
            Mvtu(
                name=f"dot_{i}", frame=Frame(1, 1, 2 * terms, x), weights=weights, weight_type=w, block=2 * terms,
                acc=accumulator(weights, x), pe=2, simd=terms, multiplier="lut",
            )
        )  # fmt: skip
    for i, (w, x, terms, rows, port) in enumerate(PACKED + OVERLAPPING):
        weights = np.concatenate([
            integers(rng, w, (rows - 1, 2 * terms)), integers(rng, w, (2, 2 * terms), extreme=True),
            integers(rng, w, (rows - 1, 2 * terms)),
        ])  # fmt: skip
        unit = Mvtu(
            name=f"packed_{i}", frame=Frame(1, 1, 2 * terms, x), weights=weights, weight_type=w, block=2 * terms,
            acc=accumulator(weights, x), pe=rows, simd=terms, dsp_port=port,
            **({"multiplier": "packed"} if i < len(PACKED) else {"multiplier": "overlapped", "structure": "pipeline"}),
        )  # fmt: skip
        assert unit.packing is not None
        assert (unit.packing.known > 0) == (i >= len(PACKED))
        units.append(unit)
    units += [_line(rng, half_even) for half_even in (False, True)]
    graph = side_by_side(units)
    generate(graph, tmp_path, header="A test")
    assert lint(tmp_path) == []
    frames = [
        np.concatenate([
            integers(rng, port.frame.dtype, (30, *port.frame.shape)),
            integers(rng, port.frame.dtype, (2, *port.frame.shape), extreme=True),
        ])
        for port in graph.inputs
    ]  # fmt: skip
    (tmp_path / "primitives.sv").write_text(LUT6_2 + DSP48E2.read_text(encoding="utf-8"), encoding="utf-8")
    primitives = tmp_path / "primitives.sv" if named else None
    binary = simulate.compile(tmp_path, graph, quick=True, tables=True, primitives=primitives)
    expect_equal(graph, simulate.run(binary, graph, frames, stalls=20), frames)


def test_a_slice_is_a_few_lines_of_a_simulation(tmp_path: Path) -> None:
    """In arrays, registers of chains took a million characters of C++ for 32 slices, and g++ minutes for a small network of many."""
    root, library = verilator_root(), Path(__file__).parents[3] / "templates" / "rtl" / "lib"
    command = [str(root / "bin" / "verilator_bin"), "--cc", "-O3", "-Wno-fatal", "--Mdir", str(tmp_path), "-y", "."]
    command += ["--x-assign", "fast", "--x-initial", "fast", "-GTERMS=32", "-GCHAIN=16", "-GSTAGES=20"]
    command += ["--top-module", "flowc_dot_packed", "flowc_dot_packed.sv"]
    environment = {**os.environ, "VERILATOR_ROOT": str(root)}
    subprocess.run(command, cwd=library, check=True, capture_output=True, env=environment)
    assert sum(path.stat().st_size for path in tmp_path.glob("*.cpp")) < 10_000 * 32
