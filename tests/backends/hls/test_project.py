"""The generated project as a whole: text, formatting, Makefile, threads, errors."""

from __future__ import annotations

import errno
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from flowc.backends.hls import csim, generate
from flowc.backends.hls.lint import lint
from flowc.backends.programs import compiler
from flowc.errors import InfeasibleError, MismatchError, UsageError
from flowc.interface.names import name_design
from flowc.model.dtypes import SInt, UInt
from flowc.units import Activate, Array, Fork, Frame, InputPort, Join, Mvtu, OutputPort, Pad, Thresholds, Unit, Window
from flowc.units.cost import ARRIVING
from flowc.units.graph import Dataflow, Stream
from tests.backends.hls.random_units import MAKERS, accumulator, emulate, integers, side_by_side

HOSTILE = ("Conv */ #error\n#error??/\n\\", 'x"; system("id"); //')


def residual(depth: int | None) -> Dataflow:
    """x -> fork -> (pad, window, conv) and directly -> add -> y; the direct stream has the given depth."""
    rng = np.random.default_rng(0)
    frame = Frame(5, 5, 4, UInt(3))
    pad = Pad(name="conv_pad", frame=frame, out=Frame(7, 7, 4, UInt(3)), top=1, left=1, bottom=1, right=1, simd=2)
    window = Window(name="conv_window", frame=pad.out, kernel=(3, 3), block=4, simd=2)
    weights = integers(rng, SInt(4), (4, 36))
    acc = accumulator(weights, UInt(3))
    thresholds = Thresholds(
        dtype=UInt(3), values=np.sort(rng.integers(-150, 150, (4, 7)), axis=1), base=np.zeros(4, np.int64),
        step=np.ones((1, 1), np.int64),
    )  # fmt: skip
    conv = Mvtu(
        name="conv", origin=HOSTILE, frame=window.outputs[0], weights=weights, weight_type=SInt(4), acc=acc,
        activation=thresholds, taps=9, block=4, pe=4, simd=2,
    )  # fmt: skip
    one = np.ones(1, np.int64)
    add = Join(name="add", left=frame, right=frame, op="add", acc=UInt(4), left_scale=one, right_scale=one, pe=4)
    units: list[Unit] = [
        InputPort(name="x", tensor="x", tensor_shape=(4, 5, 5), frame=frame, simd=4),
        Fork(name="fork", frame=frame, simd=4, ways=2),
        pad.with_(simd=4), window.with_(simd=4), conv.with_(simd=4), add,
        OutputPort(name="y", tensor="y", tensor_shape=(4, 5, 5), frame=add.outputs[0], simd=4),
    ]  # fmt: skip
    streams = [
        Stream("x", "fork"), Stream("fork", "conv_pad"), Stream("conv_pad", "conv_window"), Stream("conv_window", "conv"),
        Stream("conv", "add"), Stream("fork", "add", 1, 1, depth=depth, tensor=HOSTILE[0]), Stream("add", "y"),
    ]  # fmt: skip
    return Dataflow("residual", units, streams)


def written(graph: Dataflow, out: Path, header: str = "A test\nof everything */") -> Path:
    generate(graph, out, part="xczu3eg-sbva484-1-e", clock_mhz=200, header=header)
    return out


def frames_for(graph: Dataflow, count: int = 4) -> list[Array]:
    rng = np.random.default_rng(1)
    return [integers(rng, port.frame.dtype, (count, *port.frame.shape)) for port in graph.inputs]


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a unit of every kind, and of every memory of weights."""
    rng = np.random.default_rng(7)
    units = [MAKERS[kind](rng, f"{kind}_0") for kind in MAKERS]
    units += [MAKERS[kind](rng, f"{kind}_{m}").with_(memory=m) for kind in ("mvtu", "vvtu") for m in ARRIVING]
    return written(side_by_side(units), tmp_path_factory.mktemp("everything"))


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_output_is_deterministic(tmp_path: Path) -> None:
    one, two = (files(written(residual(30), tmp_path / name)) for name in ("one", "two"))
    assert one == two
    assert {"top.cpp", "layers/conv.cpp", "params/conv.hpp", "flowc/mvtu.hpp", "Makefile", "vitis_hls.tcl"} <= set(one)


def test_the_lint_finds_nothing(everything: Path) -> None:
    assert [str(finding) for finding in lint(everything)] == []


@pytest.mark.skipif(importlib.util.find_spec("clang_format") is None, reason="clang-format is not installed")
def test_code_is_formatted(everything: Path) -> None:
    style = Path(__file__).parents[3] / ".clang-format"
    sources = [str(p) for pattern in ("*.cpp", "*.hpp", "*.h") for p in everything.rglob(pattern)]
    start = "import clang_format; clang_format.clang_format()"
    command = [sys.executable, "-c", start, f"--style=file:{style}", "--dry-run", "-Werror", *sources]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[:2000]


def test_names_and_comments(tmp_path: Path) -> None:
    out = written(residual(30), tmp_path)
    top = (out / "top.cpp").read_text()
    assert top.startswith("// A test\n// of everything * /\n")
    assert "void residual(hls::stream<flowc::Axis<2>>& x, hls::stream<flowc::Axis<2>>& y) {" in top
    assert "#pragma HLS STREAM variable = fork_to_add depth = 30" in top
    assert "Conv * / #error" in (out / "layers" / "conv.cpp").read_text()
    assert "-ipname residual" in (out / "vitis_hls.tcl").read_text()


def make(folder: Path, *targets: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "AP_INCLUDE": str(csim.ap_include()), "CXXFLAGS": "-std=c++14 -O1 -Wall -Wextra -Werror "
                   "-Wno-unknown-pragmas -Wno-uninitialized -Wno-maybe-uninitialized"}  # fmt: skip
    return subprocess.run(
        ["make", "-C", str(folder), *targets], env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_make_csim_compares_with_golden_vectors_without_a_warning(tmp_path: Path) -> None:
    graph = residual(30)
    out = written(graph, tmp_path)
    frames = frames_for(graph)
    golden = emulate(graph, frames)
    csim.write_vectors(out / "vectors", graph, frames, golden)
    done = make(out, "csim")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 frames, all outputs equal" in done.stdout
    golden[0][2, 3, 4, 1] ^= 1
    csim.write_vectors(out / "vectors", graph, frames, golden)
    done = make(out, "csim")
    assert done.returncode != 0
    assert "MISMATCH" in done.stdout
    assert "y: frame 2 beat 19" in done.stderr


def test_threads_agree_when_fifos_are_deep_enough_and_deadlock_is_told_when_not(tmp_path: Path) -> None:
    graph = residual(30)
    frames = frames_for(graph, 6)
    deep = csim.compile(written(graph, tmp_path / "deep"), threads=True)
    np.testing.assert_array_equal(csim.run(deep, graph, frames)[0], emulate(graph, frames)[0])
    shallow = csim.compile(written(residual(2), tmp_path / "shallow"), threads=True)
    with pytest.raises(MismatchError, match=r"deadlock.*fork_to_add: full \(2 beats\)"):
        csim.run(shallow, graph, frames)


def test_missing_headers_and_compiler_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = written(residual(30), tmp_path)
    with monkeypatch.context() as patch:
        patch.setenv("CXX", "ccache g++")
        with pytest.raises(UsageError, match=r"no compiler 'ccache g\+\+', as CXX says. Name one program"):
            csim.compile(out)
        patch.setenv("CXX", "")
        assert compiler() == shutil.which("g++")
        patch.delenv("CXX")
        patch.setenv("PATH", str(tmp_path))
        with pytest.raises(UsageError, match=r"needs g\+\+"):
            csim.compile(out)
    monkeypatch.delenv("AP_INCLUDE", raising=False)
    monkeypatch.delenv("XILINX_HLS", raising=False)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"pip install 'flowc\[csim\]'"):
        csim.compile(out)


@pytest.mark.parametrize(
    ("said", "remedy"),
    [
        ("collect2: fatal error: cannot find 'ld'", "Install the whole compiler"),
        ("g++: fatal error: cannot execute 'cc1plus': No such file or directory", "Install the whole compiler"),
        ("Fatal error: error writing to /tmp/x.s: No space left on device", "set TMPDIR"),
        ("Cannot create temporary file in /tmp/: Permission denied", "Set TMPDIR"),
    ],
)
def test_a_compiler_that_does_not_work_is_no_bug_of_flowc(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, remedy: str
) -> None:
    out = written(residual(30), tmp_path / "design")
    compiler = tmp_path / "g++"
    compiler.write_text(f'#!/bin/sh\necho "{said}" >&2\nexit 1\n')
    compiler.chmod(0o755)
    monkeypatch.setenv("CXX", str(compiler))
    with pytest.raises(UsageError, match="does not work here") as caught:
        csim.compile(out)
    assert remedy in str(caught.value)
    assert caught.value.exit_code == 2


def test_a_simulation_without_room_for_its_files_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csim.tempfile, "TemporaryDirectory", lambda prefix: _Full())
    with pytest.raises(UsageError, match="no temporary folder: No space left on device. Set TMPDIR"):
        csim.run(tmp_path / "csim", residual(30), frames_for(residual(30), 1))


class _Full:
    """A temporary folder on a full disk."""

    def __enter__(self) -> str:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def __exit__(self, *_: object) -> None:
        return None


def test_code_that_the_compiler_rejects_is_a_bug_of_flowc(tmp_path: Path) -> None:
    out = written(residual(30), tmp_path)
    (out / "top.cpp").write_text("#include <planted.h>\n")
    with pytest.raises(csim.GeneratedCodeError, match="planted") as caught:
        csim.compile(out)
    assert caught.value.exit_code == 1


# Words of C++, of its headers and macros, of Verilog and VHDL, of the generated files themselves; names that differ in case.
INPUTS = ["input", "frames", "watch", "Port", "register", "in", "x", "X", "stdin", "weights", "in_to_out", "a__b"]
UNITS = [
    "ap_uint",
    "int64_t",
    "Conv",
    "conv",
    "assert",
    "size_t",
    "errno",
    "unix",
    "first",
    "layers",
    "flowc",
    "conv_layer",
]
OUTPUTS = ["output", "out", "moved", "signal", "argv", "working", "std", "main", "run_threads", "y_port", "n_in", "a_b"]


@pytest.mark.parametrize(("name", "threads"), [("File", False), ("x_port", True)])
def test_names_that_mean_something_elsewhere(tmp_path: Path, name: str, threads: bool) -> None:
    rng = np.random.default_rng(0)
    frame = Frame(1, 2, 4, UInt(3))
    units: list[Unit] = []
    streams: list[Stream] = []
    for i, (source, middle, sink) in enumerate(zip(INPUTS, UNITS, OUTPUTS, strict=True)):
        values = np.sort(rng.integers(0, 8, (4, 3)), axis=1)
        steps = Thresholds(dtype=UInt(2), values=values, base=np.zeros(4, np.int64), step=np.ones((1, 1), np.int64))
        unit = Activate(name=middle, frame=frame, activation=steps, pe=2)
        units += [
            InputPort(name=source, tensor=f"x{i}", tensor_shape=(4, 1, 2), frame=frame, simd=2),
            unit,
            OutputPort(name=sink, tensor=f"y{i}", tensor_shape=(4, 1, 2), frame=unit.outputs[0], simd=2),
        ]
        streams += [Stream(source, middle), Stream(middle, sink)]
    graph = Dataflow(name, units, streams)
    names = name_design(graph)
    for apart in (names.layers.values(), names.ports.values()):
        assert len({n.lower() for n in apart}) == len(apart)
    assert {names.ports[n] for n in ("input", "in", "x", "signal", "n_in")} == {
        "n_input",
        "n_in",
        "x",
        "n_signal",
        "n_in_2",
    }
    frames = frames_for(graph)
    out = written(graph, tmp_path)
    results = csim.run(csim.compile(out, threads=threads), graph, frames)
    for port, result, expected in zip(graph.outputs, results, emulate(graph, frames), strict=True):
        np.testing.assert_array_equal(result, expected, err_msg=port.name)
    assert [str(finding) for finding in lint(out)] == []


def test_a_stream_wider_than_the_tools_allow_is_refused(tmp_path: Path) -> None:
    frame = Frame(1, 1, 600, UInt(8))
    ports = [
        InputPort(name="x", tensor="x", tensor_shape=(600,), frame=frame, simd=600),
        OutputPort(name="y", tensor="y", tensor_shape=(600,), frame=frame, simd=600),
    ]
    with pytest.raises(InfeasibleError, match="bits of a beat: 4,800, at most 4,096"):
        written(Dataflow("wide", ports, [Stream("x", "y")]), tmp_path)


def test_four_million_weights_take_little_text(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    weights = rng.integers(-8, 8, (2048, 2048))
    fc = Mvtu(
        name="fc",
        frame=Frame(1, 1, 2048, UInt(4)),
        weights=weights,
        weight_type=SInt(4),
        acc=SInt(20),
        block=2048,
        pe=8,
        simd=8,
    )
    out = written(side_by_side([fc]), tmp_path)
    text = (out / "params" / "fc.hpp").read_text()
    assert len(text) < 9e6
    words = [int(w, 16) for row in text.splitlines() if row.startswith("{0x") for w in row.strip("{}, ;").split(", ")]
    beats = np.array(words, np.uint64).view(np.uint8).reshape(-1, 32)
    expected = weights.reshape(256, 8, 256, 8).transpose(0, 2, 1, 3).reshape(-1, 64)
    np.testing.assert_array_equal(beats & 15, expected[:, 0::2] & 15)
    np.testing.assert_array_equal(beats >> 4, expected[:, 1::2] & 15)
