"""The lint on generated projects: none of its rules fires on them, and a mistake that is planted in one is found."""

import re
import shutil

import numpy as np
import pytest

from flowc.backends.hls.lint import INSTANCE_RULES, RULES, lint
from tests.backends.graphs import mlp, two_inputs
from tests.backends.hls.lint.mistakes import KINDS, MISTAKES
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


def seeded(clean, folder, file, pattern, replacement):
    """A copy of a project with every match of a pattern in a file replaced; there must be one."""
    copy = shutil.copytree(clean, folder / "hls")
    text = (copy / file).read_text()
    changed, count = re.subn(pattern, replacement, text)
    assert count, f"'{pattern}' is not in {file}"
    (copy / file).write_text(changed)
    return copy


def test_every_kind_of_mistake_is_planted():
    assert len(MISTAKES) >= 27
    assert {mistake.kind for mistake in MISTAKES.values()} == set(KINDS)
    assert {mistake.rule for mistake in MISTAKES.values()} <= RULES.keys() | INSTANCE_RULES.keys()


@pytest.mark.parametrize("name", [name for name, mistake in MISTAKES.items() if mistake.where is None])
def test_a_mistake_in_a_generated_project_is_found(name, clean, tmp_path):
    mistake = MISTAKES[name]
    copy = seeded(clean, tmp_path, mistake.file, mistake.pattern, mistake.planted)
    if name.endswith("a static variable of two processes"):
        for layer in ("conv", "add"):
            path = copy / "layers" / f"{layer}.cpp"
            path.write_text(path.read_text().replace(f"FLOWC_UNIT({layer});", f"FLOWC_UNIT({layer});\n  ++frames;"))
    found = lint(copy)
    assert mistake.rule in {f.rule for f in found}, "\n".join(map(str, found))


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
