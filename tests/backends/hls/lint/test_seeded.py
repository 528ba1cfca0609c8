"""The lint on generated projects: none of its rules fires on them, and a mistake that is planted in one is found."""

import re
import shutil

import numpy as np
import pytest

from flowc.backends.hls.lint import lint
from tests.backends.graphs import mlp, two_inputs
from tests.backends.hls.random_units import MAKERS, side_by_side
from tests.backends.hls.test_project import residual, written
from tests.backends.hls.test_split import UNITS


@pytest.fixture(scope="module")
def clean(tmp_path_factory):
    """A generated project with a fork, a window, a matrix product and a join."""
    return written(residual(8), tmp_path_factory.mktemp("clean") / "hls")


@pytest.mark.parametrize("graph", [mlp, two_inputs, lambda: residual(8)], ids=["mlp", "two_inputs", "residual"])
def test_generated_projects_have_no_findings(graph, tmp_path):
    assert [str(f) for f in lint(written(graph(), tmp_path / "hls"))] == []


CALL = r"layers::conv_pad\(.*\);"
LOOP = r"#pragma HLS PIPELINE[^\n]*\n"
SEEDS = {
    # name: (file, pattern, replacement, rule)
    "no DATAFLOW": ("top.cpp", r"#pragma HLS DATAFLOW\n", "", "missing-dataflow"),
    "no INTERFACE of a port": ("top.cpp", r"#pragma HLS INTERFACE mode = axis port = y\n", "", "missing-interface"),
    "no control protocol": ("top.cpp", r"#pragma HLS INTERFACE mode = ap_ctrl_none[^\n]*\n", "", "missing-interface"),
    "a conditional call": ("top.cpp", CALL, r"if (!x_to_fork.full()) \g<0>", "dataflow-form"),
    "a conditional call in braces": ("top.cpp", CALL, r"if (true) { \g<0> }", "dataflow-form"),
    "a second reader": ("top.cpp", r"layers::y\(add_to_y", "layers::y(conv_to_add", "stream-ends"),
    "no writer": ("top.cpp", r"layers::conv\(.*\);", "", "stream-ends"),
    "a process twice": ("top.cpp", CALL, r"\g<0> \g<0>", "stream-ends"),
    "a stream by value": ("layers/conv.cpp", r"(void conv\(hls::stream<\S+)&", r"\1", "stream-value"),
    "a prototype by value": ("layers.hpp", r"(void conv\(hls::stream<\S+)&", r"\1", "stream-value"),
    "no PIPELINE": ("layers/fork.cpp", LOOP, "", "missing-pipeline"),
    "no PIPELINE in the library": ("flowc/mvtu.hpp", LOOP, "", "missing-pipeline"),
    "PIPELINE above the loop": (
        "layers/fork.cpp", r"(  for [^\n]*\n)(#pragma HLS PIPELINE[^\n]*\n)", r"\2\1", "pipeline-nest",
    ),
    "PIPELINE above a loop of the library": (
        "layers/conv.cpp", r"(  flowc::mvtu)", r"#pragma HLS PIPELINE\n\1", "pipeline-nest",
    ),
    "no UNROLL in a pipeline": ("flowc/element.hpp", r"#pragma HLS UNROLL\n", "", "missing-pipeline"),
    "no partition": ("flowc/mvtu.hpp", r"#pragma HLS ARRAY_PARTITION variable = partial[^\n]*\n", "", "missing-partition"),
    "a partition of the wrong kind": (
        "flowc/mvtu.hpp", r"(ARRAY_PARTITION variable = partial type = )complete", r"\1cyclic factor = 2",
        "missing-partition",
    ),
    "no registers for slices of a row": (
        "flowc/mvtu.hpp", r"#pragma HLS ARRAY_PARTITION variable = weight_row.words[^\n]*\n", "", "missing-partition",
    ),
    "one memory for all lanes of an activation": (
        "layers/conv.cpp", r"#pragma HLS ARRAY_PARTITION variable = conv_activation_keys1[^\n]*\n", "", "missing-partition",
    ),
    "a partition along the wrong dimension": (
        "layers/conv.cpp", r"(conv_activation_keys2 type = complete dim = )1", r"\g<1>2", "missing-partition",
    ),
    "a line buffer of nothing": ("layers/conv_window.cpp", r"#pragma HLS BIND_STORAGE[^\n]*\n", "", "unbound-array"),
    "a ROM that is no constant": ("params/conv.hpp", r"static const uint64_t", "static uint64_t", "rom-const"),
    "a division": ("layers/fork.cpp", r"out1.write\(beat\)", "out1.write(beat / 3)", "divider"),
    "a remainder": ("layers/fork.cpp", r"out1.write\(beat\)", "if (step % 5 == 0) out1.write(beat)", "divider"),
    "a question to a stream": ("layers/fork.cpp", r"(const ap_uint<12> beat)", r"if (!in.empty()) \1", "stream-probe"),
    "a static variable of two processes": (
        "layers.hpp", r"namespace layers \{\n", "namespace layers {\nstatic int frames = 0;\n", "shared-static",
    ),
    "a static variable in the library": (
        "flowc/count.hpp", r"(#pragma HLS INLINE\n)", r"\1  static unsigned calls = 0;\n  ++calls;\n", "shared-static",
    ),
}  # fmt: skip


def seeded(clean, folder, file, pattern, replacement):
    """A copy of a project with every match of a pattern in a file replaced; there must be one."""
    copy = shutil.copytree(clean, folder / "hls")
    text = (copy / file).read_text()
    changed, count = re.subn(pattern, replacement, text)
    assert count, f"'{pattern}' is not in {file}"
    (copy / file).write_text(changed)
    return copy


@pytest.mark.parametrize("name", SEEDS)
def test_a_mistake_in_a_generated_project_is_found(name, clean, tmp_path):
    file, pattern, replacement, rule = SEEDS[name]
    copy = seeded(clean, tmp_path, file, pattern, replacement)
    if name == "a static variable of two processes":
        for layer in ("conv", "add"):
            path = copy / "layers" / f"{layer}.cpp"
            path.write_text(path.read_text().replace(f"FLOWC_UNIT({layer});", f"FLOWC_UNIT({layer});\n  ++frames;"))
    found = lint(copy)
    assert rule in {f.rule for f in found}, "\n".join(map(str, found))


ARRAYS = re.compile(r"#pragma HLS ARRAY_(?:PARTITION|RESHAPE) variable = (\S+) type = complete(?: dim = (\d))?\n")


def test_every_partition_and_reshape_is_missed(tmp_path):
    rng = np.random.default_rng(12)
    kinds = ["activate", "mvtu", "vvtu", "lookup", "permute", "activate", "mvtu", "activate", "mvtu"]
    units = [MAKERS[kind](rng, f"{kind}_{i}") for i, kind in enumerate(kinds)]
    code = written(side_by_side([*units, *UNITS[:2]]), tmp_path / "hls")
    assert lint(code) == []
    stated = set()
    for path in [*code.glob("layers/*.cpp"), *code.glob("flowc/*.hpp")]:
        text = path.read_text()
        stated |= {(name, int(dim or 1)) for name, dim in ARRAYS.findall(text)}
        path.write_text(ARRAYS.sub("", text))
    found = " ".join(map(str, lint(code)))
    members = {name.split(".")[1] for name, _ in stated if "." in name}
    assert {"values", "words"} <= members, "constants of activations, and rows, are among them"
    kept = {
        (name, dim)
        for name, dim in stated
        if f"'{name}' is used in parallel along dimension {dim}:" not in found and f"'{name}' is registers" not in found
    }
    assert kept <= {("held", 1)}, kept  # one word, where a unit's inputs are used once
