"""Products by AMX. The library is compiled with the tile instructions in plain C++ (emulated.h), so that its very kernel runs on every machine;
the real instructions are compiled, and asked for where they may be missing."""

from __future__ import annotations

import ctypes
import os
import platform
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowc.dataflow import native
from flowc.dataflow.emulator import emulate, unfolded
from flowc.dataflow.native import Plan
from flowc.kernels import Library, OperationKind
from flowc.kernels.build import SOURCES, library_path
from flowc.kernels.layout import aligned
from flowc.kernels.loading import proven
from flowc.kernels.selftest import accept, tiles_are_right
from flowc.model.dtypes import BIPOLAR, IntType, SInt, UInt, compact
from flowc.streamline.compile import compile_model
from flowc.units import Frame, Mvtu, Thresholds, Window
from flowc.units.base import Array
from flowc.units.graph import Dataflow
from tests.dataflow.native.test_units import accumulator, alone, chain, dense, outputs, same
from tests.dataflow.test_emulator import random_frames
from tests.netbuild import cnn

HEADER = Path(__file__).with_name("emulated.h")


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FLOWC_CACHE", str(tmp_path_factory.mktemp("cache")))
        return library_path(accept, flags=("-O0", "-Wno-psabi", "-include", str(HEADER)))


def switch(library: Library, name: str) -> ctypes.c_int32:
    return ctypes.c_int32.in_dll(library.handle, f"emulated_{name}")


@pytest.fixture
def library(compiled: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Library]:
    """The machine's library, as long as a test lasts; no instruction may have been refused, and no thread's tiles remain."""
    found = proven(compiled)
    assert found.tiles
    monkeypatch.setattr("flowc.kernels.loading._loaded", lambda: found)
    yield found
    assert switch(found, "exceptions").value == 0
    assert switch(found, "configured").value == 0


def dots(library: Library, graph: Dataflow, frames: dict[str, Array], threads: int = 1) -> int:
    """Products of tiles that a run takes; its results are numpy's."""
    before = switch(library, "dots").value
    found = native.run(graph, frames, threads=threads)
    for name, values in outputs(graph, frames).items():
        np.testing.assert_array_equal(found[name], values)
    return switch(library, "dots").value - before


def tiles(count: int, size: int) -> int:
    return -(-count // size)


@settings(max_examples=60, deadline=None)
@given(
    size=st.tuples(st.integers(3, 9), st.integers(3, 9)), channels=st.integers(1, 40), groups=st.integers(1, 3), rows=st.integers(1, 70),
    kernel=st.tuples(st.integers(1, 3), st.integers(1, 3)), stride=st.integers(1, 2), dilation=st.integers(1, 2),
    kind=st.sampled_from([UInt(8), SInt(8), UInt(5), SInt(3)]), levels=st.integers(0, 3), samples=st.integers(1, 3), seed=st.integers(0, 99),
)  # fmt: skip
def test_any_shape(
    compiled: Path, size: tuple[int, int], channels: int, groups: int, rows: int, kernel: tuple[int, int], stride: int, dilation: int,
    kind: IntType, levels: int, samples: int, seed: int,
) -> None:  # fmt: skip
    """Every remainder of pixels, channels and depth, in groups and with activations; tiles are used where a quarter of them is filled."""
    rng = np.random.default_rng(seed)
    if (kernel[1] - 1) * dilation >= size[1] or (kernel[0] - 1) * dilation >= size[0]:
        dilation = 1
    frame = Frame(*size, channels * groups, kind)
    window = Window(
        name="w", frame=frame, kernel=kernel, stride=(stride, stride), dilation=(dilation, dilation), block=channels
    )
    taps = kernel[0] * kernel[1]
    w = rng.choice([-128, 127, 3, -77], (rows * groups, taps * channels))
    acc = accumulator(w, kind)
    values = np.sort(rng.integers(acc.lo, acc.hi + 1, (rows * groups, levels)), axis=1)
    activation = Thresholds(dtype=UInt(2), values=values, base=np.zeros(rows * groups, np.int64), step=np.array([[1]]))
    unit = Mvtu(
        name="m", frame=window.outputs[0], weights=compact(w), weight_type=SInt(8), acc=acc, groups=groups, taps=taps, block=channels,
        activation=activation if levels else None,
    )  # fmt: skip
    library, graph = proven(compiled), chain(window, unit)
    plan, frames = Plan(graph, library), random_frames(graph, samples, seed)
    before = switch(library, "dots").value
    found = native.run_plan(plan, frames)
    for name, values in outputs(graph, frames).items():
        np.testing.assert_array_equal(found[name], values)
    assert not plan.numpy_units
    (call,) = (c for s in plan.steps for c in s.calls if c.kind == OperationKind.BYTES)
    steps, positions = call.fields["segments"] * call.fields["length"], window.out_h * window.out_w * samples
    used = 4 * steps * positions >= 256 * tiles(steps, 16) * tiles(positions, 16)
    assert switch(library, "dots").value - before == used * groups * tiles(positions, 16) * tiles(rows, 16) * tiles(
        steps, 16
    )
    assert switch(library, "exceptions").value == switch(library, "configured").value == 0


def test_sums_at_the_edge_of_int32(library: Library) -> None:
    """65,792 products of 255 and -128 are 32,768 from the least int32; thresholds lie at the sums and beside them."""
    depth = 65792
    w = np.stack([np.full(depth, -128), np.full(depth, 127), np.arange(depth) % 256 - 128])
    sums = 255 * w.sum(axis=1)
    assert sums[0] == -(2**31) + 32768
    values = sums[:, None] + np.array([-1, 0, 1])
    activation = Thresholds(dtype=UInt(2), values=values, base=np.zeros(3, np.int64), step=np.array([[1]]))
    graph = alone(dense(UInt(8), w, activation=activation))
    before = switch(library, "dots").value
    found = native.run(graph, {"m_x0": np.full((3, 2, 3, depth), 255)}, threads=1)["m_y0"]
    assert (found == 2).all()
    assert switch(library, "dots").value - before == 2 * tiles(depth, 64)


def test_planted_faults_are_found(library: Library) -> None:
    """A library whose tiles compute wrongly is used without them."""
    path = Path(library.handle._name)
    for fault in range(1, 8):
        switch(library, "fault").value = fault
        found, kept = tiles_are_right(library), proven(path).tiles
        switch(library, "fault").value = 0
        assert not found, fault
        assert not kept, fault
    assert tiles_are_right(library)


def test_without_permission_vectors_do_it(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    switch(library, "refused").value = 1
    refused = proven(Path(library.handle._name))
    switch(library, "refused").value = 0
    assert not refused.tiles
    monkeypatch.setattr("flowc.kernels.loading._loaded", lambda: refused)
    rng = np.random.default_rng(0)
    graph = alone(dense(UInt(4), rng.integers(-128, 128, (64, 64))))
    assert dots(refused, graph, random_frames(graph, 4)) == 0


@pytest.mark.parametrize("threads", [1, 3])
def test_threads_share_a_product(library: Library, threads: int) -> None:
    """By windows, where there are many, else by blocks of channels; inputs of more windows than are copied at once."""
    rng = np.random.default_rng(1)
    for channels, rows, size, samples in ((32, 80, 32, 1), (512, 240, 4, 1), (512, 40, 4, 8)):
        window = Window(name="w", frame=Frame(size + 2, size + 2, channels, UInt(8)), kernel=(3, 3), block=channels)
        w = rng.integers(-128, 128, (rows, 9 * channels))
        unit = Mvtu(
            name="m", frame=window.outputs[0], weights=compact(w), weight_type=SInt(8), acc=accumulator(w, UInt(8)), taps=9, block=channels,
        )  # fmt: skip
        graph = chain(window, unit)
        frames = random_frames(graph, samples)
        wanted = samples * tiles(size * size, 16) * tiles(rows, 16) * tiles(9 * channels, 64)
        assert dots(library, graph, frames, threads) == wanted


def kinds(plan: Plan) -> list[tuple[OperationKind, int]]:
    return [(c.kind, c.fields["factor"]) for s in plan.steps for c in s.calls if c.kind != OperationKind.PACK]


@pytest.mark.parametrize("kind", [BIPOLAR, UInt(2)], ids=str)
def test_products_of_few_bits_leave_lookups_for_full_tiles(library: Library, kind: IntType) -> None:
    """Not layers of one pixel, and not those whose depth or channels are few."""
    w = np.random.default_rng(2).integers(0, 2, (128, 64)) * 2 - 1

    def chosen(weights: Array, pixels: int) -> OperationKind:
        unit = dense(kind, weights)
        graph = alone(Mvtu(**{**vars(unit), "frame": Frame(1, pixels, weights.shape[1], kind)}))
        ((found, factor),) = kinds(same(graph))
        assert factor == 1 or found == OperationKind.LOOKUP
        return found

    assert chosen(w, 32) == OperationKind.BYTES
    assert chosen(w, 1) == OperationKind.LOOKUP
    assert chosen(w[:, :16], 32) == OperationKind.LOOKUP


def test_whole_networks(library: Library) -> None:
    for residual in (False, True):
        graph = unfolded(compile_model(cnn(residual=residual)).graph)
        frames = random_frames(graph, 9)
        before = switch(library, "dots").value
        found = emulate(graph, frames, emulator="native")
        assert switch(library, "dots").value > before
        for name, values in emulate(graph, frames, emulator="numpy").items():
            np.testing.assert_array_equal(found[name], values)


def test_weights_begin_with_a_cache_line() -> None:
    for dtype in (np.int8, np.int16):
        values = np.arange(60, dtype=dtype).reshape(3, 20)
        copy = aligned(values)
        np.testing.assert_array_equal(copy, values)
        assert copy.ctypes.data % 64 == 0
        assert copy.flags.c_contiguous
        assert copy.base is not None


def test_the_real_instructions(tmp_path: Path) -> None:
    """They are in the compiled kernel; and a process without them, or without permission, is told so and not killed."""
    compiler = os.environ.get("CXX") or shutil.which("g++") or shutil.which("clang++")
    if platform.machine() != "x86_64" or platform.system() != "Linux":
        pytest.skip("tiles are an extension of x86-64, and their permission is asked of Linux")
    program, text = tmp_path / "main.cpp", tmp_path / "main.s"
    program.write_text(
        '#include "tiles.h"\n'
        "void product(const Operation& op, const uint8_t* in, void* out, int64_t* starts) {\n"
        "    tiles::Worker worker;\n"
        "    if (worker.reserve(op, 1)) tiles::product(op, in, out, 1, Share{}, starts, worker);\n}\n"
        "int main() { return tiles::available(); }\n"
    )
    flags = [
        "-std=c++17",
        "-O0",
        "-mavx2",
        "-mfma",
        "-mamx-tile",
        "-mamx-int8",
        "-Wall",
        "-Wextra",
        "-I",
        str(SOURCES),
        "-S",
    ]
    done = subprocess.run(
        [str(compiler), *flags, str(program), "-o", str(text)], capture_output=True, text=True, check=False
    )
    if "unrecognized" in done.stderr or "unknown argument" in done.stderr:
        pytest.skip("this compiler does not know AMX")
    assert (done.returncode, done.stderr) == (0, "")
    written = text.read_text()
    for instruction in ("ldtilecfg", "tileloadd", "tdpbusd", "tilestored", "tilezero", "tilerelease"):
        assert instruction in written
    subprocess.run([str(compiler), str(text), "-o", str(tmp_path / "main")], check=True)
    here = "amx_int8" in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    assert subprocess.run([str(tmp_path / "main")], check=False).returncode <= here
