"""The cost model beside yosys: small kernels are written as Verilog, synthesized for UltraScale+, and their LUTs counted.

Needs the package ``pyosys`` (tried: 0.70; counts differ between versions of yosys). Run from the repository: ``python -m
benchmarks.kernels [--write]``. It takes a quarter of an hour. Multipliers are kept out of DSP slices (``-nodsp``), weights of matrix
units are in block RAM.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import math
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.tables import fill, markdown
from flowc.model.dtypes import BIPOLAR, IntType, SInt, UInt
from flowc.units import Frame, Mvtu, Thresholds, cost

PAGE = Path(__file__).parents[1] / "docs" / "cost-model.md"


def tree(terms: list[tuple[str, int]], keep: bool, prefix: str = "") -> tuple[list[str], str, int]:
    """Verilog of a balanced adder tree over signed wires (name, width); with ``keep``, one adder per node stays one adder."""
    lines, level, stage = [], terms, 0
    while len(level) > 1:
        sums = []
        for i in range(0, len(level) - 1, 2):
            width = max(level[i][1], level[i + 1][1]) + 1
            name = f"{prefix}s{stage}_{i}"
            mark = "(* keep *) " if keep else ""
            lines.append(f"{mark}wire signed [{width - 1}:0] {name} = {level[i][0]} + {level[i + 1][0]};")
            sums.append((name, width))
        level, stage = sums + level[len(level) // 2 * 2 :], stage + 1
    return lines, *level[0]


def products(w: IntType, a: IntType, terms: int, weights: str, inputs: str) -> tuple[list[str], list[tuple[str, int]]]:
    """Verilog of ``terms`` products of packed operands; bipolar pairs give (product + 1) / 2, one bit without sign."""
    lines, wires = [], []
    for i in range(terms):
        x = f"{inputs}[{i * a.bits} +: {a.bits}]"
        y = f"{weights}[{i * w.bits} +: {w.bits}]"
        if w.bipolar and a.bipolar:
            width, value = 2, f"{{1'b0, ~({x} ^ {y})}}"
        elif w.bipolar:
            width = a.bits + 1
            value = f"{y} ? $signed({{1'b0, {x}}}) : -$signed({{1'b0, {x}}})"
        else:
            width, value = w.bits + a.bits, f"$signed({y}) * $signed({{1'b0, {x}}})"
        lines.append(f"wire signed [{width - 1}:0] {weights}{i} = {value};")
        wires.append((f"{weights}{i}", width))
    return lines, wires


def dot(w: IntType, a: IntType, terms: int, keep: bool) -> str:
    """A module that sums products of its inputs."""
    lines, wires = products(w, a, terms, "w", "a")
    more, name, width = tree(wires, keep)
    body = "\n".join(lines + more)
    ports = f"input [{terms * w.bits - 1}:0] w, input [{terms * a.bits - 1}:0] a, output signed [{width - 1}:0] y"
    return f"module m({ports});\n{body}\nassign y = {name};\nendmodule\n"


def thresholds(levels: int, bits: int) -> str:
    """A module that counts the thresholds reached."""
    wires = [f"wire c{i} = $signed(x) >= $signed(t[{i * bits} +: {bits}]);" for i in range(levels)]
    count = levels.bit_length()
    total = " + ".join(f"{{{count - 1}'b0, c{i}}}" if count > 1 else f"c{i}" for i in range(levels))
    ports = f"input [{bits - 1}:0] x, input [{levels * bits - 1}:0] t, output [{count - 1}:0] y"
    return f"module m({ports});\n" + "\n".join(wires) + f"\nassign y = {total};\nendmodule\n"


def constants(depth: int, width: int) -> str:
    """A module that is a constant memory with a registered output."""
    rng = np.random.default_rng(0)
    words = (int.from_bytes(rng.bytes(width // 8 + 1)) % (1 << width) for _ in range(depth))
    lines = "\n".join(f"{i}: q <= {width}'h{word:x};" for i, word in enumerate(words))
    ports = f"input clk, input [{math.ceil(math.log2(depth)) - 1}:0] at, output reg [{width - 1}:0] q"
    return f"module m({ports});\nalways @(posedge clk) case (at)\n{lines}\nendcase\nendmodule\n"


def widening(bits: int, narrow: int, wide: int) -> str:
    """A width converter that shifts beats into a wide word."""
    small, ways = narrow * bits, wide // narrow
    count = math.ceil(math.log2(ways + 1))
    return f"""module m(input clk, input rst, input [{small - 1}:0] x, input iv, output ir, output [{wide * bits - 1}:0] y,
output ov, input orr);
reg [{wide * bits - 1}:0] word; reg [{count - 1}:0] n; assign y = word; assign ov = n == {ways}; assign ir = !ov || orr;
always @(posedge clk) if (rst) n <= 0; else begin
if (iv && ir) begin word <= {{x, word[{wide * bits - 1}:{small}]}}; n <= ov ? 1 : n + 1; end
else if (ov && orr) n <= 0; end
endmodule
"""


def narrowing(bits: int, wide: int, narrow: int) -> str:
    """A width converter that shifts a wide word out."""
    small, ways = narrow * bits, wide // narrow
    count = math.ceil(math.log2(ways + 1))
    return f"""module m(input clk, input rst, input [{wide * bits - 1}:0] x, input iv, output ir, output [{small - 1}:0] y,
output ov, input orr);
reg [{wide * bits - 1}:0] word; reg [{count - 1}:0] n; assign y = word[{small - 1}:0]; assign ov = n != 0;
assign ir = n == 0 || (n == 1 && orr);
always @(posedge clk) if (rst) n <= 0; else if (iv && ir) begin word <= x; n <= {ways}; end
else if (ov && orr) begin word <= word >> {small}; n <= n - 1; end
endmodule
"""


def matrix_unit(unit: Mvtu) -> str:
    """A whole matrix unit: input buffer, weights in block RAM, products, accumulators, thresholds, counters, handshake."""
    assert isinstance(unit.activation, Thresholds)
    w, a, acc = unit.weight_type, unit.frame.dtype, unit.acc.bits
    rows, columns = unit.mh // unit.pe, unit.mw // unit.simd
    levels, out = unit.activation.levels, unit.activation.levels.bit_length()
    wide, held = unit.pe * unit.simd * w.bits, unit.simd * a.bits
    rng = np.random.default_rng(0)
    address, fold = (max(1, math.ceil(math.log2(n))) for n in (rows * columns, rows))
    text = [
        (
            f"module m(input clk, input rst, input [{held - 1}:0] in, input iv, output ir, output [{unit.pe * out - 1}:0] y, "
            "output ov, input orr);"
        ),
        f'(* ram_style = "block" *) reg [{wide - 1}:0] rom [0:{rows * columns - 1}]; reg [{wide - 1}:0] w;',
        f"reg [{held - 1}:0] buffer [0:{columns - 1}]; reg [{held - 1}:0] x; reg valid, first, last; reg [{fold - 1}:0] blk;",
        f"reg [9:0] col; reg [{fold - 1}:0] row; reg [{address - 1}:0] at;",
        "integer i; initial begin",
        *(
            f"rom[{i}] = {wide}'h{int.from_bytes(rng.bytes(wide // 8 + 1)) % (1 << wide):x};"
            for i in range(rows * columns)
        ),
        "end",
        f"wire need = row == 0; wire lastc = col == {columns - 1}; wire stall = valid && last && !orr;",
        "wire go = (!need || iv) && !stall; assign ir = need && !stall; assign ov = valid && last;",
        "always @(posedge clk) if (rst) begin col <= 0; row <= 0; at <= 0; valid <= 0; end else if (!stall) begin",
        "valid <= go; if (go) begin w <= rom[at]; x <= need ? in : buffer[col]; if (need) buffer[col] <= in;",
        f"first <= col == 0; last <= lastc; blk <= row; at <= at == {rows * columns - 1} ? 0 : at + 1;",
        f"if (lastc) begin col <= 0; row <= row == {rows - 1} ? 0 : row + 1; end else col <= col + 1; end end",
    ]
    for p in range(unit.pe):
        part = unit.simd * w.bits
        text.append(f"wire [{part - 1}:0] w{p}_ = w[{p * part} +: {part}];")
        lines, wires = products(w, a, unit.simd, f"w{p}_", "x")
        more, sum_, _ = tree(wires, True, f"p{p}_")
        text += [*lines, *more]
        scaled = f"2 * {sum_} - {unit.simd}" if w.bipolar and a.bipolar else sum_
        text.append(f"reg signed [{acc - 1}:0] a{p}; wire signed [{acc - 1}:0] n{p} = (first ? 0 : a{p}) + ({scaled});")
        text.append(f"always @(posedge clk) if (valid && !stall) a{p} <= n{p};")
        text.append(f"reg [{levels * acc - 1}:0] t{p}; always @* case (blk)")
        for r in range(rows):
            text.append(
                f"{r}: t{p} = {levels * acc}'h{int.from_bytes(rng.bytes(levels * acc // 8 + 1)) % (1 << levels * acc):x};"
            )
        text.append(f"default: t{p} = 0; endcase")
        terms = [f"{{{out}'b0, n{p} >= $signed(t{p}[{k * acc} +: {acc}])}}" for k in range(levels)]
        text.append(f"assign y[{p * out} +: {out}] = {' + '.join(terms)};")
    return "\n".join([*text, "endmodule\n"])


def luts(source: str) -> int:
    """Look-up tables that yosys makes of module ``m``. It runs in a process of its own, since it prints as it goes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        (path / "m.v").write_text(source)
        commands = (
            "read_verilog -sv m.v",
            "synth_xilinx -family xcup -top m -flatten -noiopad -noclkbuf -nodsp",
            "tee -q -o stat.json stat -json",
        )
        program = (
            "import sys; from pyosys import libyosys as y; d = y.Design(); [y.run_pass(c, d) for c in sys.argv[1:]]"
        )
        done = subprocess.run(
            [sys.executable, "-c", program, *commands], cwd=path, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise SystemExit(done.stderr[-2000:] or "pyosys failed")
        cells = json.loads((path / "stat.json").read_text())["design"]["num_cells_by_type"]
    return sum(count for kind, count in cells.items() if kind.startswith(("LUT", "RAM32", "RAM64", "SRL")))


def units() -> Iterator[Mvtu]:
    """Matrix units of 64 x 64 weights."""
    rng = np.random.default_rng(1)
    for w, a, out in ((BIPOLAR, BIPOLAR, BIPOLAR), (SInt(2), UInt(2), UInt(2)), (SInt(4), UInt(4), UInt(4))):
        for pe, simd in ((2, 8), (4, 16), (8, 8), (16, 16)):
            bound = 64 * max(1, -w.lo) * a.hi
            acc = IntType.for_range(-bound, bound)
            levels = 1 if out.bipolar else out.hi
            activation = Thresholds(
                dtype=out,
                values=np.sort(rng.integers(acc.lo, acc.hi, (64, levels)), axis=1),
                base=np.zeros(64, np.int64),
                step=np.array([[2 if out.bipolar else 1]]),
            )
            yield Mvtu(
                name=f"{w} x {a}, pe {pe}, simd {simd}",
                frame=Frame(1, 1, 64, a),
                weights=np.ones((64, 64), np.int64),
                weight_type=w,
                acc=acc,
                activation=activation,
                block=64,
                pe=pe,
                simd=simd,
                memory="bram",
                multiplier="lut",
            )


def kernels() -> Iterator[tuple[str, float, list[str]]]:
    """Name, modelled look-up tables, and one or more ways to write each kernel: the dearest counts."""
    types = [
        (BIPOLAR, BIPOLAR),
        (BIPOLAR, UInt(8)),
        *((SInt(b), UInt(b)) for b in (2, 3, 4, 5, 6, 8)),
        (SInt(2), UInt(8)),
    ]
    for w, a in types:
        for terms in (8, 32):
            ways = [dot(w, a, terms, keep) for keep in (False, True)]
            yield f"sum of {terms} products {w} x {a}", cost.dot_luts(terms, w, a), ways
    for levels, bits in ((1, 10), (3, 12), (7, 14), (15, 16)):
        modelled = levels * cost.comparator_luts(bits) + cost.popcount_luts(levels)
        yield f"{levels} thresholds of {bits} bits", modelled, [thresholds(levels, bits)]
    for depth, width in ((16, 32), (64, 32), (256, 16)):
        modelled = cost.memory(depth, width, "lutram", constant=True).lut or 0
        yield f"constant memory, {depth} words of {width} bits", modelled, [constants(depth, width)]
    for bits, narrow, wide in ((4, 2, 8), (2, 4, 32)):
        up, down = cost.converter(bits, narrow, wide).lut or 0, cost.converter(bits, wide, narrow).lut or 0
        yield f"width converter, {narrow} to {wide} of {bits} bits", up, [widening(bits, narrow, wide)]
        yield f"width converter, {wide} to {narrow} of {bits} bits", down, [narrowing(bits, wide, narrow)]
    for unit in units():
        yield f"matrix unit {unit.name}", unit.resources.lut or 0, [matrix_unit(unit)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help=f"put the table into docs/{PAGE.name}")
    arguments = parser.parse_args()
    if importlib.util.find_spec("pyosys") is None:
        raise SystemExit("the package 'pyosys' is needed: pip install pyosys")
    rows = []
    print(f"{'LUTs of':44s} {'model':>8s} {'yosys':>8s} {'error':>8s}")
    for name, modelled, ways in kernels():
        measured = max(map(luts, ways))
        rows.append([name, f"{modelled:,.0f}", f"{measured:,}", f"{modelled / measured - 1:+.0%}"])
        print("{:44s} {:>8s} {:>8s} {:>8s}".format(*rows[-1]), flush=True)
    if arguments.write:
        fill(PAGE, "kernels", markdown(["LUTs of", "model>", "yosys>", "error>"], rows))


if __name__ == "__main__":
    main()
