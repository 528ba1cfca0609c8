"""The scripts of Vitis HLS, executed by a plain Tcl interpreter in which its commands are stubs that record."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import onnx
import pytest

from flowc.backends.hls.csim import ap_include
from flowc.backends.programs import compiler
from flowc.cli import main
from tests.netbuild import cnn
from tests.report.vendor_files import csynth_xml

STUB = Path(__file__).with_name("vitis_stub.tcl")
pytestmark = pytest.mark.skipif(shutil.which("tclsh") is None, reason="tclsh is not installed: scripts not executed")
FIGURES = {"lut": 321, "ff": 123, "bram18": 1, "uram": 0, "dsp": 2}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scripts")
    onnx.save(cnn(), folder / "net.onnx")
    command = ["build", str(folder / "net.onnx"), "--target", "pynq-z2", "-o", str(folder / "out"), "--no-verify", "-q"]
    assert main(command) == 0
    return folder / "out"


@pytest.fixture
def design(built: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(built, tmp_path / "out"))


def environment(folder: Path, **more: str) -> dict[str, str]:
    (folder / "sample.xml").write_text(csynth_xml("TOP", FIGURES))
    stub = {
        "STUB_RECORD": str(folder / "record"),
        "STUB_REPORT": str(folder / "sample.xml"),
        "STUB_FAIL": "",
        "STUB_HANG": "",
    }
    return {**os.environ, **stub, **more}


def steps(design: Path, chosen: str | None) -> tuple[int, str, list[list[str]]]:
    """Runs vitis_hls.tcl; returns (exit code, stderr, calls)."""
    record = design / "record"
    record.unlink(missing_ok=True)
    given = environment(design, **({} if chosen is None else {"FLOWC_STEPS": chosen}))
    done = subprocess.run(
        ["tclsh", STUB, design / "hls" / "vitis_hls.tcl"],
        env=given,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    calls = [line.split("\x1f") for line in record.read_text().splitlines()] if record.exists() else []
    return done.returncode, done.stderr, calls


def named(calls: list[list[str]], *commands: str) -> list[str]:
    return [call[0] for call in calls if call[0] in commands]


STEPS = ("csim_design", "csynth_design", "cosim_design", "export_design")


def test_all_steps_in_their_order_with_the_clock_before_them(design: Path) -> None:
    code, err, calls = steps(design, None)
    assert (code, err) == (0, "")
    order = ("open_project", "set_top", "open_solution", "set_part", "create_clock", "set_clock_uncertainty", *STEPS)
    assert named(calls, *order) == list(order)
    assert ["set_clock_uncertainty", "27%"] in calls
    assert all("-Wno-unknown-pragmas" not in word for call in calls for word in call)
    assert {call[-1] for call in calls if call[0] == "add_files"} >= {"top.cpp", "testbench.cpp"}


def test_steps_run_alone_and_keep_what_others_made(design: Path) -> None:
    code, err, _ = steps(design, "export")
    assert code == 1
    assert "export needs the results of csynth, which vitis_net has not" in err
    assert steps(design, "csynth")[0] == 0
    for chosen, expected in (
        ("export", ["export_design"]),
        ("cosim,export", ["cosim_design", "export_design"]),
        ("csim", ["csim_design"]),
    ):
        code, err, calls = steps(design, chosen)
        assert (code, err, named(calls, *STEPS)) == (0, "", expected)
        assert not any("-reset" in call for call in calls)
    _, _, calls = steps(design, "csynth")
    assert ["open_project", "-reset", "vitis_net"] in calls
    assert ["open_solution", "-reset", "solution", "-flow_target", "vivado"] in calls


def test_a_step_that_is_none_is_refused(design: Path) -> None:
    code, err, calls = steps(design, "csynth synth")
    assert code == 1
    assert "FLOWC_STEPS names 'synth'; the steps are csim, csynth, cosim and export" in err
    assert not calls


def fake_vitis(folder: Path) -> Path:
    """A folder for the PATH, with a vitis_hls that is the stub."""
    folder.mkdir()
    program = folder / "vitis_hls"
    program.write_text(f'#!/bin/sh\n[ "$1" = -f ] && exec tclsh {STUB} "$2"\n')
    program.chmod(0o755)
    return folder


def units(design: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, design / "hls" / "units.py", *arguments],
        env=environment(design, **more), capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip


def test_every_unit_is_synthesized_alone_and_comes_back(design: Path) -> None:
    path = f"{fake_vitis(design / 'bin')}:{os.environ['PATH']}"
    done = units(design, "--jobs", "2", PATH=path)
    assert (done.returncode, done.stderr) == (0, "")
    layers = sorted(p.stem for p in (design / "hls" / "layers").glob("*.cpp"))
    assert f"{len(layers)} of {len(layers)} units synthesized" in done.stdout
    calls = [line.split("\x1f") for line in (design / "record").read_text().splitlines()]
    assert sorted(call[1] for call in calls if call[0] == "set_top") == [f"unit_{name}" for name in layers]
    assert all(Path(call[-1]).is_file() for call in calls if call[0] == "add_files")
    assert main(["report", "import", str(design), "-q"]) == 0
    report = json.loads((design / "report.json").read_text())
    assert all(layer["estimated"] == FIGURES for layer in report["vendor"]["layers"])
    assert report["vendor"]["notes"] == []


def test_the_unit_that_fails_and_the_one_that_never_ends_are_found(design: Path) -> None:
    first, second = sorted(p.stem for p in (design / "hls" / "layers").glob("*.cpp"))[:2]
    path = f"{fake_vitis(design / 'bin')}:{os.environ['PATH']}"
    done = units(design, "--minutes", "0.05", PATH=path, STUB_FAIL=f"unit_{first}", STUB_HANG=f"unit_{second}")
    assert done.returncode == 1
    lines = {re.split(r" s  unit_", line)[1].split()[0]: line for line in done.stdout.splitlines() if " s  " in line}
    assert lines[first].startswith("failed ")
    assert "ERROR: [HLS 200-474] Only pointers of one type are allowed." in lines[first]
    assert lines[second].startswith("timed out")
    assert f"not: unit_{first}, unit_{second}" in done.stdout


def test_units_that_are_none_and_a_missing_tool(design: Path) -> None:
    done = units(design, "nothing")
    assert done.returncode == 2
    assert "there is no unit nothing in units/" in done.stderr
    done = units(design, PATH=str(design))
    assert done.returncode == 2
    assert "neither vitis_hls nor vitis-run is on the PATH" in done.stderr


def test_tops_of_units_are_cpp(design: Path) -> None:
    hls = design / "hls"
    flags = ["-std=c++14", "-fsyntax-only", "-Wno-unknown-pragmas", "-isystem", str(ap_include())]
    together = "".join(f'#include "{path}"\n' for path in sorted((hls / "units").glob("*.cpp")))
    done = subprocess.run(
        [compiler(), *flags, "-x", "c++", "-"], input=together, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    text = (hls / "units" / "unit_in_x.cpp").read_text()
    assert "mode = axis port = in\n" in text
    assert "mode = ap_fifo port = out\n" in text
