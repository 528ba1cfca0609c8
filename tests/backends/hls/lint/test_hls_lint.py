"""The lint: planted violations prove that every rule fires, where it should; sound code stays without findings."""

import subprocess
import sys

import pytest

from flowc.backends.hls.lint import RULES, Finding, lint
from flowc.errors import UsageError
from tests.backends.hls.lint.violations import PLANTED

CLEAN = """
#include <ap_int.h>
#include <hls_stream.h>
#include "unit.hpp"
/* while (new virtual) in a comment, and a "string with while" */
void top(hls::stream<ap_uint<8>>& x, hls::stream<ap_uint<8>>& y) {
#pragma HLS INTERFACE mode=axis port=x
#pragma HLS INTERFACE axis port=y register_mode=both
#pragma HLS INTERFACE mode=ap_ctrl_none port=return
#pragma HLS DATAFLOW
  hls::stream<ap_uint<64>> middle("middle");
#pragma HLS STREAM variable=middle depth=2 type=fifo
#pragma HLS BIND_STORAGE variable = middle type = fifo impl = srl
  unit::widen<8>(x, middle);
  unit::narrow(middle, y);
}
"""
UNIT = """
#ifndef UNIT_HPP
#define UNIT_HPP
#ifndef __SYNTHESIS__
#include <vector>
static std::vector<int> seen;
#elif defined(NEVER) && NEVER > 3
float never;
#else
static const int always = 1;
#endif
namespace unit {
constexpr unsigned RATIO = 8;
struct Layer { static constexpr unsigned STEPS = 4 * RATIO; };
static const int table[4] = {
1, 2,
3, 4};
template <unsigned N, class In, class Out>
inline void widen(hls::stream<In>& in, hls::stream<Out>& out) {
#pragma HLS INLINE
  ap_uint<8> held[N][4];
#pragma HLS ARRAY_PARTITION variable=held type=complete dim=0
#pragma HLS ARRAY_PARTITION variable=table type=cyclic factor=2 dim=1
  const unsigned total = N * Layer::STEPS;
  for (unsigned step = 0; step < total; ++step) {
#pragma HLS PIPELINE II=1 style=flp
#pragma HLS DEPENDENCE variable=held type=inter false
    for (int i = int(N) - 1; i >= 0; --i) {
#pragma HLS UNROLL
      const ap_uint<8> value = in.read();
#pragma HLS BIND_OP variable=value op=mul impl=dsp
      held[i][0] = value;
    }
    if (step % RATIO == 0) out.write(held[0][0]);
  }
}
template <class In, class Out>
void narrow(hls::stream<In>& in, hls::stream<Out>& out) {
  Narrow: for (unsigned i = 0; i < RATIO; i++) {
#pragma HLS pipeline
    out.write(Out(in.read()));
  }
}
}  // namespace unit
#endif
"""


@pytest.fixture
def project(tmp_path):
    """Writes a project; ``unit`` replaces or extends the unit header, ``extra`` is added to the top file."""

    def make(extra="", *, unit=UNIT, top=CLEAN):
        (tmp_path / "top.cpp").write_text(top + extra)
        (tmp_path / "unit.hpp").write_text(unit)
        (tmp_path / "vitis_hls.tcl").write_text("set_top top\nset_top second\n")
        (tmp_path / "testbench.cpp").write_text("#include <vector>\nint main() { while (true) new int; }\n")
        (tmp_path / "sim").mkdir(exist_ok=True)
        (tmp_path / "sim" / "threads.hpp").write_text("#include <thread>\n")
        return tmp_path

    return make


def planted(code):
    """(code, line numbers after ``CLEAN`` with a ``// !`` mark, by rule)."""
    start = CLEAN.count("\n") + 1
    marks = []
    for number, line in enumerate(code.split("\n"), start):
        if "// !" in line:
            marks.extend((number, rule) for rule in line.split("// !")[1].split())
    return sorted(marks)


def test_sound_code_has_no_findings(project):
    assert lint(project()) == []


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_fires_where_it_should(project, rule):
    code = PLANTED[rule]
    found = lint(project(code.replace("// !", "//")))
    assert sorted((f.line, f.rule) for f in found) == planted(code), "\n".join(map(str, found))
    assert all(f.file == "top.cpp" and f.message for f in found)
    assert rule in {f.rule for f in found}


TOP_FAULTS = {
    "port=x\n": ("port=z\n", "pragma-variable", "port 'z' is no parameter of top"),
    "mode=axis port=x": ("port=x mode=axis", "pragma-option", "the mode must come first"),
    "mode=ap_ctrl_none port=return": ("mode=ap_ctrl_none port=x", "pragma-option", "belongs to port=return"),
    "register_mode=both": ("bundle=control", "pragma-option", "mode=axis has no option 'bundle'"),
    "variable=middle depth=2 type=fifo": ("variable=x depth=2", "pragma-variable", "an argument of the top function"),
}


@pytest.mark.parametrize("sound", TOP_FAULTS)
def test_faults_of_the_top_function(project, sound):
    broken, rule, message = TOP_FAULTS[sound]
    found = lint(project(top=CLEAN.replace(sound, broken)))
    (finding,) = (f for f in found if f.rule != "missing-interface")  # of the port that lost its own
    assert finding.rule == rule
    assert message in finding.message


def test_headers_are_checked_once_and_by_their_own_name(project, tmp_path):
    project(unit=UNIT + "static float x;\n")
    (tmp_path / "other.cpp").write_text('#include "unit.hpp"\n')
    (tmp_path / "alone.hpp").write_text("double y;\n")
    assert lint(tmp_path) == [
        Finding("alone.hpp", 1, "floating-point", "'double'"),
        Finding("unit.hpp", UNIT.count("\n") + 1, "floating-point", "'float'"),
    ]


def test_what_is_not_synthesized_is_not_checked(project):
    code = """
#ifndef __SYNTHESIS__
void debug() { while (true) printf("x"); }
#endif
#if !defined(__SYNTHESIS__) || 0
float a;
#elif defined __SYNTHESIS__ && !defined(FLOWC_EXACT) && __cplusplus >= 201402
int b;
#else
float c;
#endif
#define CALL printf("x")
"""
    (finding,) = lint(project(code))
    assert (finding.rule, finding.message) == ("system-call", "'printf'")


def test_the_ap_int_limit_follows_the_macro(project):
    code = "\nap_uint<2000> wide;\n"
    assert [f.rule for f in lint(project(code))] == ["int-width"]
    top = CLEAN.replace("#include <ap_int.h>", "#define AP_INT_MAX_W 4096\n#include <ap_int.h>")
    assert lint(project(code, top=top)) == []


def test_rows_of_numbers_are_passed_over(project):
    rows = ",\n".join("{" + ", ".join(["0x00c0ffee"] * 40) + "}" for _ in range(2000))
    assert lint(project(f"\nstatic const unsigned weights[2000][40] = {{\n{rows}}};\nint after[2];\n")) == []


def test_the_command(project, tmp_path):
    def run(*arguments):
        command = [sys.executable, "-m", "flowc.backends.hls.lint", "--no-compile", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    clean = run(str(project()))
    assert (clean.returncode, clean.stdout, clean.stderr) == (0, "", "")
    dirty = run(str(project("\nfloat x;\n")))
    assert dirty.returncode == 1
    assert dirty.stdout == f"top.cpp:{CLEAN.count(chr(10)) + 2}: floating-point: 'float'\n"
    (tmp_path / "empty").mkdir()
    assert run(str(tmp_path / "empty")).returncode == 2
    assert "rules:" in run().stderr


def test_a_folder_without_code_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r"holds no C\+\+\. Name the hls/ folder of a generated design\."):
        lint(tmp_path)
