"""Mistakes in generated code that Vitis HLS would refuse, or make slow hardware of: what is planted, and the rule that finds it."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["KINDS", "MISTAKES", "Mistake"]


class Mistake(NamedTuple):
    """A mistake in the project of `tests.backends.hls.test_project.residual`.

    Attributes:
        kind: one of `KINDS`.
        file, pattern, planted: what is replaced where, a regular expression.
        rule: what finds it: of `RULES`, or of `INSTANCE_RULES` where a compiler has to judge the layers' own numbers.
        where, message: file of a compiler's finding, and part of its text.
    """

    kind: str
    file: str
    pattern: str
    planted: str
    rule: str
    where: str | None = None
    message: str = ""


KINDS = (
    "a wide template argument",
    "a template argument of many parts",
    "a misspelt struct member",
    "a conditional call in the dataflow region",
    "a stream with two readers",
    "a stream without a writer",
    "no DATAFLOW",
    "no INTERFACE",
    "no PIPELINE",
    "a PIPELINE above a loop",
    "no reshape or partition",
    "a wrong reshape or partition",
    "a stream by value",
    "a write to a const ROM",
    "a DEPENDENCE on an array too short",
    "a division by a number that is no power of two",
    "a remainder by a number that is no power of two",
    "a stream asked whether it is empty",
    "a static variable of two processes",
    "an array left to the tool",
)
"""What a mistake can be of."""

CALL = r"layers::conv_pad\(.*\);"
LOOP = r"#pragma HLS PIPELINE[^\n]*\n"
MISTAKES = {
    "01 a wide word": Mistake(
        "a wide template argument",
        "layers/conv_pad.cpp",
        "SIMD = 4;",
        "SIMD = 1400;",
        "int-width",
        "flowc/pad.hpp",
        "layers/conv_pad.cpp",
    ),
    "02 many parts": Mistake(
        "a template argument of many parts",
        "layers/conv.cpp",
        "PE = 4;",
        "PE = 2048;",
        "partition-limit",
        "flowc/mvtu.hpp",
        "layers/conv.cpp",
    ),
    "03 a misspelt member": Mistake(
        "a misspelt struct member",
        "layers/conv_window.cpp",
        " SPARE = ",
        " SPARES = ",
        "compile-error",
        "flowc/window.hpp",
        "SPARE",
    ),
    "04 a conditional call": Mistake(
        "a conditional call in the dataflow region", "top.cpp", CALL, r"if (!x_to_fork.full()) \g<0>", "dataflow-form"
    ),
    "05 a conditional call in braces": Mistake(
        "a conditional call in the dataflow region", "top.cpp", CALL, r"if (true) { \g<0> }", "dataflow-form"
    ),
    "06 a second reader": Mistake(
        "a stream with two readers", "top.cpp", r"layers::y\(add_to_y", "layers::y(conv_to_add", "stream-ends"
    ),
    "07 no writer": Mistake("a stream without a writer", "top.cpp", r"layers::conv\(.*\);", "", "stream-ends"),
    "08 a process twice": Mistake("a stream with two readers", "top.cpp", CALL, r"\g<0> \g<0>", "stream-ends"),
    "09 no DATAFLOW": Mistake("no DATAFLOW", "top.cpp", r"#pragma HLS DATAFLOW\n", "", "missing-dataflow"),
    "10 no INTERFACE of a port": Mistake(
        "no INTERFACE", "top.cpp", r"#pragma HLS INTERFACE mode = axis port = y\n", "", "missing-interface"
    ),
    "11 no control protocol": Mistake(
        "no INTERFACE", "top.cpp", r"#pragma HLS INTERFACE mode = ap_ctrl_none[^\n]*\n", "", "missing-interface"
    ),
    "12 no PIPELINE": Mistake("no PIPELINE", "layers/fork.cpp", LOOP, "", "missing-pipeline"),
    "13 no PIPELINE in the library": Mistake("no PIPELINE", "flowc/mvtu.hpp", LOOP, "", "missing-pipeline"),
    "14 no UNROLL in a pipeline": Mistake(
        "no PIPELINE", "flowc/element.hpp", r"#pragma HLS UNROLL\n", "", "missing-pipeline"
    ),
    "15 PIPELINE above the loop": Mistake(
        "a PIPELINE above a loop",
        "layers/fork.cpp",
        r"(  for [^\n]*\n)(#pragma HLS PIPELINE[^\n]*\n)",
        r"\2\1",
        "pipeline-nest",
    ),
    "16 PIPELINE above a loop of the library": Mistake(
        "a PIPELINE above a loop", "layers/conv.cpp", "(  flowc::mvtu)", r"#pragma HLS PIPELINE\n\1", "pipeline-nest"
    ),
    "17 no partition": Mistake(
        "no reshape or partition",
        "flowc/mvtu.hpp",
        r"#pragma HLS ARRAY_PARTITION variable = partial[^\n]*\n",
        "",
        "missing-partition",
    ),
    "18 no registers for slices of a row": Mistake(
        "no reshape or partition",
        "flowc/mvtu.hpp",
        r"#pragma HLS ARRAY_PARTITION variable = weight_row.words[^\n]*\n",
        "",
        "missing-partition",
    ),
    "19 one memory for all lanes of an activation": Mistake(
        "no reshape or partition",
        "layers/conv.cpp",
        r"#pragma HLS ARRAY_PARTITION variable = conv_activation_keys1[^\n]*\n",
        "",
        "missing-partition",
    ),
    "20 a partition of the wrong kind": Mistake(
        "a wrong reshape or partition",
        "flowc/mvtu.hpp",
        "(ARRAY_PARTITION variable = partial type = )complete",
        r"\1cyclic factor = 2",
        "missing-partition",
    ),
    "21 a partition along the wrong dimension": Mistake(
        "a wrong reshape or partition",
        "layers/conv.cpp",
        "(conv_activation_keys2 type = complete dim = )1",
        r"\g<1>2",
        "missing-partition",
    ),
    "22 a stream by value": Mistake(
        "a stream by value", "layers/conv.cpp", r"(void conv\(hls::stream<\S+)&", r"\1", "stream-value"
    ),
    "23 a prototype by value": Mistake(
        "a stream by value", "layers.hpp", r"(void conv\(hls::stream<\S+)&", r"\1", "stream-value"
    ),
    "24 a written ROM": Mistake(
        "a write to a const ROM",
        "layers/conv.cpp",
        r"FLOWC_UNIT\(conv\);",
        "FLOWC_UNIT(conv);\n  conv_weights[0] = 3;",
        "compile-error",
        "layers/conv.cpp",
        "read-only",
    ),
    "25 a ROM that is no constant": Mistake(
        "a write to a const ROM", "params/conv.hpp", "static const uint64_t", "static uint64_t", "rom-const"
    ),
    "26 a short array": Mistake(
        "a DEPENDENCE on an array too short",
        "flowc/window.hpp",
        "distance = RING_GAP",
        "distance = 100 * RING_GAP",
        "dependence-distance",
        "flowc/window.hpp",
        "line has fewer words",
    ),
    "27 a division": Mistake(
        "a division by a number that is no power of two",
        "layers/fork.cpp",
        r"out1.write\(beat\)",
        "out1.write(beat / 3)",
        "divider",
    ),
    "28 a remainder": Mistake(
        "a remainder by a number that is no power of two",
        "layers/fork.cpp",
        r"out1.write\(beat\)",
        "if (step % 5 == 0) out1.write(beat)",
        "divider",
    ),
    "29 a question to a stream": Mistake(
        "a stream asked whether it is empty",
        "layers/fork.cpp",
        "(const ap_uint<12> beat)",
        r"if (!in.empty()) \1",
        "stream-probe",
    ),
    "30 a static variable of two processes": Mistake(
        "a static variable of two processes",
        "layers.hpp",
        r"namespace layers \{\n",
        "namespace layers {\nstatic int frames = 0;\n",
        "shared-static",
    ),
    "31 a static variable in the library": Mistake(
        "a static variable of two processes",
        "flowc/count.hpp",
        r"(#pragma HLS INLINE\n)",
        r"\1  static unsigned calls = 0;\n  ++calls;\n",
        "shared-static",
    ),
    "32 a line buffer of nothing": Mistake(
        "an array left to the tool", "layers/conv_window.cpp", r"#pragma HLS BIND_STORAGE[^\n]*\n", "", "unbound-array"
    ),
}
