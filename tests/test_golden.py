"""Generated trees of two small designs, committed: a change of what flowc writes shows as a diff.

``pytest tests/test_golden.py --update-golden`` rewrites them. Files that are copies of a template are not committed a
second time; that they are such copies is checked.
"""

import difflib
import importlib.resources
import shutil
from pathlib import Path

import numpy as np
import pytest

import flowc
from flowc.backends.driver import generate_driver
from flowc.backends.hls import generate
from flowc.backends.render import commented
from flowc.backends.vivado import generate_vivado
from tests import netbuild
from tests.backends.graphs import two_inputs

GOLDEN = Path(__file__).parent / "golden"
HEADER = "flowc: golden design {name} for {target} at 100 MHz"
COPIES = {"hls": "hls/project", "hls/flowc": "hls/flowc", "driver": "driver", "vivado": "vivado"}
"""Folder of a design to folder of templates: what is in both is a copy."""


def by_hand():
    """Two inputs, a join, orders, widths that are no whole bytes; on a Zynq-7000."""
    graph = two_inputs()
    return graph.with_streams({s: s.__class__(**{**vars(s), "depth": 4}) for s in graph.streams}), "pynq-z2"


def by_build():
    """A residual CNN with thresholds, max pool and linear layer, as `flowc build` makes it; on a Zynq UltraScale+."""
    return flowc.build(netbuild.cnn(residual=True), target="kv260", verify=False).graph, "kv260"


DESIGNS = {"two_inputs": by_hand, "residual": by_build}


def written(name, folder):
    """Generates a design and returns its text files by path: (those to compare, those that are copies of templates)."""
    graph, target_name = DESIGNS[name]()
    target = flowc.load_target(target_name)
    header = HEADER.format(name=name, target=target_name)
    results = {unit.tensor: str(np.dtype(np.float32)) for unit in graph.outputs}
    generate(graph, folder / "hls", part=target.part, clock_mhz=100, header=header)
    generate_vivado(graph, folder / "vivado", target=target, clock_mhz=100, header=header)
    generate_driver(graph, folder / "driver", target=target, header=header, results=results)
    compared, copies = {}, {}
    templates = importlib.resources.files("flowc.templates")
    for path in sorted(p for p in folder.rglob("*") if p.is_file() and p.suffix != ".npz"):
        inside = path.relative_to(folder)
        source = COPIES.get(inside.parent.as_posix())
        template = templates.joinpath(*source.split("/"), inside.name) if source else None
        if template is not None and template.is_file():
            mark = "#" if path.suffix == ".py" else "//"
            copies[inside.as_posix()] = (path.read_text(), commented(header, mark) + template.read_text())
        else:
            compared[inside.as_posix()] = path.read_text()
    return compared, copies


@pytest.mark.parametrize("name", DESIGNS)
def test_generated_files_are_the_golden_ones(name, tmp_path, update_golden):
    compared, copies = written(name, tmp_path)
    assert all(text == template for text, template in copies.values())
    folder = GOLDEN / name
    if update_golden:
        shutil.rmtree(folder, ignore_errors=True)
        for path, text in compared.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text)
    golden = {p.relative_to(folder).as_posix(): p.read_text() for p in sorted(folder.rglob("*")) if p.is_file()}
    differences = []
    for path in sorted({*golden, *compared}):
        old, new = golden.get(path, ""), compared.get(path, "")
        if path not in golden or path not in compared or old != new:
            lines = difflib.unified_diff(
                old.splitlines(), new.splitlines(), f"golden/{path}", f"now/{path}", lineterm=""
            )
            differences.append("\n".join(lines) or f"{path} is there only {'now' if path in compared else 'in golden'}")
    hint = "If this is what you want: pytest tests/test_golden.py --update-golden\n\n"
    assert not differences, hint + "\n".join(differences)[:10_000]


@pytest.mark.parametrize("name", DESIGNS)
def test_equal_designs_give_equal_files(name, tmp_path):
    first, second = tmp_path / "a", tmp_path / "b"
    written(name, first)
    written(name, second)
    for path in (p for p in first.rglob("*") if p.is_file()):
        assert path.read_bytes() == (second / path.relative_to(first)).read_bytes(), path
