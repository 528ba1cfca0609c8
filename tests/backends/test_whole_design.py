"""A design as `flowc build` writes it: its driver on a stand-in board, on the emulator, and its C++ under the lint."""

import importlib.util
import re
import shutil
import sys

import numpy as np
import pytest

import flowc
from flowc.backends.hls.lint import lint
from tests import netbuild
from tests.backends.fake_pynq import make_pynq


@pytest.fixture(scope="module")
def design(tmp_path_factory):
    model = netbuild.cnn(residual=True)
    made = flowc.build(model, target="pynq-z2", verify=False)
    made.save(tmp_path_factory.mktemp("build") / "cnn")
    return made


def driver_of(design, monkeypatch):
    """The written driver, imported as the package it is."""
    folder = design.directory / "driver"
    spec = importlib.util.spec_from_file_location(
        "written_driver", folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    package = importlib.util.module_from_spec(spec)
    for name in [name for name in sys.modules if name.startswith("written_driver")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "written_driver", package)
    spec.loader.exec_module(package)
    return package


def test_the_driver_gives_what_the_design_gives(design, monkeypatch):
    x = next(iter(design.samples(9, 3).values()))
    expected = design.run(x)
    package = driver_of(design, monkeypatch)
    emulated = package.Accelerator(emulate=True)
    assert emulated.backend == "emulator"
    assert np.array_equal(emulated(x), expected)

    pynq = make_pynq(design.graph)
    pynq.__spec__ = importlib.util.spec_from_loader("pynq", None)
    monkeypatch.setitem(sys.modules, "pynq", pynq)
    (design.directory / "driver" / "design.bit").touch()
    accelerator = package.Accelerator("design.bit", batch=4)
    assert accelerator.backend == "fpga"
    got = accelerator(x)
    assert got.dtype == expected.dtype
    assert np.array_equal(got, expected)
    assert pynq.overlays[0].batches == [4, 4, 1]


def test_the_generated_code_passes_the_lint(design):
    assert lint(design.directory) == []
    assert lint(design.directory / "hls") == []


FAULTS = {
    "flowc/mvtu.hpp": (r"HLS PIPELINE II\b", "HLS PIPELINE I", "pragma-option"),
    "flowc/window.hpp": (r"step < Layer::CYCLES", "step < received", "unbounded-loop"),
    "flowc/element.hpp": (r"struct Bipolar \{", "struct Bipolar { virtual void f();", "virtual"),
    "top.cpp": (r"HLS DATAFLOW", r"HLS DATAFLOW\n  int n = 0;\n  n = 1;", "dataflow-form"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_in_the_generated_code_is_found(design, tmp_path, name):
    sound, broken, rule = FAULTS[name]
    folder = tmp_path / "hls"
    shutil.copytree(design.directory / "hls", folder)
    text, count = re.subn(sound, broken, (folder / name).read_text())
    assert count
    (folder / name).write_text(text)
    findings = lint(folder)
    assert {(f.file, f.rule) for f in findings} == {(name, rule)}
