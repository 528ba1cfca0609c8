"""What only the layers' own numbers show: planted in templates, and in a generated project."""

import re
import subprocess
import sys

from flowc.backends.hls.lint import INSTANCE_RULES, lint_instances
from tests.backends.hls.lint.mistakes import MISTAKES
from tests.backends.hls.test_project import residual, written

LIBRARY = """
#include <ap_int.h>
#include <hls_stream.h>
namespace unit {
template <class Layer, unsigned SIZE>
void work(hls::stream<ap_uint<8>>& in, hls::stream<ap_uint<Layer::PE * 8>>& out, const int (&rom)[SIZE]) {  // ! stream-width
#pragma HLS INLINE
#pragma HLS BIND_STORAGE variable = rom type = rom_1p impl = lutram
  ap_uint<Layer::PE * 8> beat = 0;  // ! int-width
  ap_uint<16> lanes[Layer::PE];
#pragma HLS ARRAY_PARTITION variable = lanes type = complete  // ! partition-limit
  ap_uint<16> joined[2][Layer::PE];
#pragma HLS ARRAY_RESHAPE variable = joined type = complete dim = 2  // ! reshape-limit
  int ring[Layer::WORDS];
#pragma HLS BIND_STORAGE variable = ring type = rom_1p impl = bram  // ! rom-const
  for (unsigned step = 0; step < Layer::STEPS; ++step) {
#pragma HLS PIPELINE II = 1
#pragma HLS DEPENDENCE variable = ring type = inter direction = RAW distance = Layer::GAP dependent = true  // ! dependence-distance
    for (unsigned p = 0; p < Layer::PE; ++p) {
#pragma HLS UNROLL
      for (int i = 7; i >= 0; --i) {  // ! unroll-limit
#pragma HLS UNROLL
        lanes[p] += joined[step % 2][p] + rom[i];
      }
    }
    ring[step % Layer::WORDS] = in.read();
    out.write(beat + lanes[0]);
  }
}
}  // namespace unit
"""
LAYER = """
#include "unit.hpp"
struct {0}_layer {{
  static constexpr unsigned PE = {1};
  static constexpr unsigned WORDS = {2};
  static constexpr unsigned GAP = 4;
  static constexpr unsigned STEPS = 100;
}};
static const int {0}_rom[8] = {{1, 2, 3, 4, 5, 6, 7, 8}};
void {0}(hls::stream<ap_uint<8>>& in, hls::stream<ap_uint<{1} * 8>>& out) {{ unit::work<{0}_layer>(in, out, {0}_rom); }}
"""


def test_templates_are_judged_by_the_numbers_of_their_layers(tmp_path):
    (tmp_path / "unit.hpp").write_text("#pragma once\n" + LIBRARY.replace("// !", "//"))
    (tmp_path / "narrow.cpp").write_text(LAYER.format("narrow", 4, 16))
    wanted = {
        (2 + i, rule.split()[0])
        for i, line in enumerate(LIBRARY.split("\n"))
        if "// !" in line
        for rule in [line.split("// !")[1]]
    }
    only = {(line, rule) for line, rule in wanted if rule == "rom-const"}
    assert {(f.line, f.rule) for f in lint_instances(tmp_path)} == only
    (tmp_path / "wide.cpp").write_text(LAYER.format("wide", 1030, 3))
    found = lint_instances(tmp_path)
    planted = {f for f in found if f.file == "unit.hpp"}
    assert {(f.line, f.rule) for f in planted} == wanted, "\n".join(map(str, found))
    assert any("as wide.cpp:10 uses it" in f.message for f in planted if f.rule == "int-width")
    # A type that the vendor's header can't make at all is an error of its own, in what uses it.
    assert {f.rule for f in found} - {"compile-error"} == set(INSTANCE_RULES) - {"compile-error"}


def test_mistakes_in_a_generated_project_are_found(tmp_path):
    code = written(residual(8), tmp_path / "hls")
    command = [sys.executable, "-m", "flowc.backends.hls.lint", str(code)]
    clean = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (clean.returncode, clean.stdout, clean.stderr) == (0, "", "")
    planted = {name: mistake for name, mistake in MISTAKES.items() if mistake.where is not None}
    for name, mistake in planted.items():
        text, count = re.subn(mistake.pattern, mistake.planted, (code / mistake.file).read_text())
        assert count, name
        (code / mistake.file).write_text(text)
    found = lint_instances(code)
    for name, mistake in planted.items():
        assert any((f.rule, f.file) == (mistake.rule, mistake.where) and mistake.message in f.message for f in found), (
            name,
            found,
        )
