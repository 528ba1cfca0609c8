"""Cards: movers compiled by g++ around the accelerator, the link script against the code, the driver on a stand-in for XRT."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from flowc.backends import find
from flowc.backends.alveo import generate_alveo, movers
from flowc.backends.driver import generate_driver
from flowc.backends.hls.csim import ap_include
from flowc.backends.hls.lint import lint
from flowc.backends.programs import compiler
from flowc.dataflow.emulator import emulate
from flowc.interface.names import name_design
from flowc.model.dtypes import SInt, UInt
from flowc.targets import load_target
from flowc.units.graph import Dataflow
from tests.backends.fake_pyxrt import make_pyxrt
from tests.backends.graphs import mlp, random_values, two_inputs
from tests.backends.test_driver import imported
from tests.backends.test_vivado import needs_tclsh, run

TARGET = load_target("u250")
HEADER = "made by flowc"
FRAMES = 3


def streamed(style: str) -> Dataflow:
    graph = mlp(f"fed_{style}")
    return graph.with_units({"fc": graph["fc"].with_(memory=style)})


def wide() -> Dataflow:
    """Beats of 130 bytes in, which take four words, and of 100 out, which take two."""
    return mlp("wide", dtype=UInt(8), inputs=260, outputs=200, simd=130, out=SInt(8), pe=100)


GRAPHS = {
    "two inputs": two_inputs,
    "wide": wide,
    "weights again": lambda: streamed("stream"),
    "weights once": lambda: streamed("uram"),
}

SIMULATED = [
    "wide",
    "weights again",
    *(pytest.param(n, marks=pytest.mark.slow) for n in ("two inputs", "weights once")),
]


def frames_of(graph: Dataflow) -> dict[str, Any]:
    rng = np.random.default_rng(4)
    return {u.name: random_values(rng, u.frame.dtype, (FRAMES, *u.frame.shape)) for u in graph.inputs}


def written(graph: Dataflow, out: Path, backend: str = "hls") -> Path:
    find(backend).write(graph, out / backend, part=TARGET.part, clock_mhz=200, header=HEADER)
    frames = frames_of(graph)
    results = emulate(graph, frames)
    find(backend).write_vectors(
        out / backend / "vectors", graph, list(frames.values()), [results[u.name] for u in graph.outputs]
    )
    generate_alveo(graph, out / "alveo", target=TARGET, clock_mhz=200, header=HEADER, backend=backend)
    return out / "alveo"


def simulated(folder: Path) -> subprocess.CompletedProcess[str]:
    flags = [
        "-std=c++14",
        "-O0",
        "-Wall",
        "-Wextra",
        "-Werror",
        "-Wno-unknown-pragmas",
        "-Wno-uninitialized",
        "-Wno-maybe-uninitialized",
    ]
    subprocess.run(
        [compiler(), *flags, "-isystem", ap_include(), "-o", folder / "csim", folder / "csim.cpp"], check=True
    )
    return subprocess.run(
        [folder / "csim", folder.parent / "hls" / "vectors"], capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("name", SIMULATED)
def test_frames_go_from_memory_to_memory_as_the_emulator_says(tmp_path: Path, name: str) -> None:
    graph = GRAPHS[name]()
    folder = written(graph, tmp_path)
    done = simulated(folder)
    assert (done.returncode, done.stdout) == (0, f"{FRAMES} frames from memory to memory, all outputs equal\n")
    # One other bit of the golden results, and it is found.
    golden = tmp_path / "hls" / "vectors" / f"{name_design(graph).ports[graph.outputs[0].name]}.bin"
    data = bytearray(golden.read_bytes())
    data[-1] ^= 1
    golden.write_bytes(bytes(data))
    done = subprocess.run([folder / "csim", tmp_path / "hls" / "vectors"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "MISMATCH" in done.stdout


@pytest.mark.parametrize("name", GRAPHS)
def test_the_link_script_names_what_is_in_the_code(tmp_path: Path, name: str) -> None:
    graph = GRAPHS[name]()
    folder = written(graph, tmp_path)
    top = name_design(graph).top
    axis = {
        (top, port, bytes_)
        for bytes_, port in re.findall(r"Axis<(\d+)>>& (\w+)", (tmp_path / "hls" / "top.hpp").read_text())
    }
    for path in (folder / "kernels").glob("*.cpp"):
        text = path.read_text()
        (signature,) = re.findall(rf'^extern "C" void {path.stem}\(.*\);', text, re.MULTILINE)
        axis |= {(path.stem, port, bytes_) for bytes_, port in re.findall(r"Axis<(\d+)>>& (\w+)", signature)}
        assert re.search(r"ap_uint<512>\* memory", signature)
        assert "mode = ap_ctrl_chain port = return" in text
        for _, port, _ in [a for a in axis if a[0] == path.stem]:
            assert f"mode = axis port = {port}\n" in text
    kernels, joined, memories = {}, [], []
    section, *lines = [
        line for line in (folder / "link.cfg").read_text().splitlines() if line and not line.startswith("#")
    ]
    assert section == "[connectivity]"
    for line in lines:
        key, _, value = line.partition("=")
        if key == "nk":
            kernel, count, unit = value.split(":")
            assert count == "1"
            kernels[unit] = kernel
        elif key == "sc":
            joined.append([tuple(end.split(".")) for end in value.split(":")])
        else:
            assert key == "sp"
            memories.append(value)
    widths = {(kernel, port): bytes_ for kernel, port, bytes_ in axis}
    ends = []
    for source, sink in joined:
        assert widths[kernels[source[0]], source[1]] == widths[kernels[sink[0]], sink[1]]
        ends += [(kernels[unit], port) for unit, port in (source, sink)]
    assert sorted(ends) == sorted(widths)  # every stream once, none left open
    assert sorted(memories) == sorted(f"{m.kernel}_1.memory:DDR[{i % 4}]" for i, m in enumerate(movers(graph)))


def test_kernels_are_what_vitis_hls_takes(tmp_path: Path) -> None:
    folder = written(wide(), tmp_path)
    (folder / "vitis_hls.tcl").write_text("".join(f"set_top {m.kernel}\n" for m in movers(wide())))
    (folder / "csim.cpp").unlink()
    assert lint(folder) == []
    # Their loops run over as many frames as the host says, which each of them states.
    mover = folder / "flowc" / "mover.hpp"
    mover.write_text(re.sub("#pragma HLS LOOP_TRIPCOUNT.*", "", mover.read_text()))
    assert {(f.file, f.rule) for f in lint(folder)} == {("flowc/mover.hpp", "unbounded-loop")}


@needs_tclsh
def test_systemverilog_becomes_a_kernel_that_runs_freely(tmp_path: Path) -> None:
    folder = written(mlp(), tmp_path, "rtl")
    assert not (folder / "csim.cpp").exists()
    code, err, _, calls = run(folder, boards="", script="package_xo.tcl")
    assert (code, err) == (0, "")
    component = str(tmp_path / "rtl" / "ip" / "component.xml")
    order = [call[0] for call in calls]
    assert order.index("ipx::package_project") < order.index("ipx::open_core") < order.index("package_xo")
    assert ["ipx::open_core", component] in calls
    assert {("sdx_kernel", "true"), ("sdx_kernel_type", "rtl")} <= {
        tuple(call[1:3]) for call in calls if call[0] == "set_property"
    }
    (packaged,) = [call for call in calls if call[0] == "package_xo"]
    options = dict(zip(packaged[2::2], packaged[3::2], strict=True))
    assert options == {
        "-xo_path": str(folder / "build" / "tiny.xo"), "-kernel_name": "tiny", "-ip_directory": str(Path(component).parent),
        "-ctrl_protocol": "ap_ctrl_none",
    }  # fmt: skip


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed: Makefile not tried")
@pytest.mark.parametrize(("goal", "target"), [("xclbin", "hw"), ("emulation", "hw_emu")])
@pytest.mark.parametrize("backend", ["hls", "rtl"])
def test_all_kernels_are_compiled_for_what_they_are_linked_for(
    tmp_path: Path, goal: str, target: str, backend: str
) -> None:
    folder = written(mlp(), tmp_path, backend)
    done = subprocess.run(["make", "-n", goal], cwd=folder, capture_output=True, text=True, check=True)
    commands = [line.split() for line in done.stdout.replace("\\\n", " ").splitlines() if line.startswith("v++")]
    kernels = [m.kernel for m in movers(mlp())] + (["tiny"] if backend == "hls" else [])
    assert [c[c.index("--kernel") + 1] for c in commands[:-1]] == kernels
    assert all(c[c.index("--target") + 1] == target for c in commands)
    for command in commands[:-1]:
        sources = [word for word in command if word.endswith(".cpp")]
        assert sources
        assert all((folder / source).is_file() for source in sources)
    linked = [word for word in commands[-1] if word.endswith(".xo")]
    assert linked == [f"build/{target}/{name}.xo" for name in [*(m.kernel for m in movers(mlp())), "tiny"]]


@pytest.fixture
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Generates a driver for a card and opens it on the stand-in; returns (accelerator, fake pyxrt, package)."""

    def make(graph: Dataflow, batch: int = 4, **fake: Any) -> Any:
        folder = tmp_path / graph.name / "driver"
        results = {u.tensor: "int64" for u in graph.outputs}
        generate_driver(graph, folder, target=TARGET, header=HEADER, results=results)
        (folder / "design.xclbin").touch()
        package = imported(monkeypatch, folder, f"card_of_{graph.name}")
        xrt = make_pyxrt(graph, **fake)
        monkeypatch.setitem(sys.modules, "pyxrt", xrt)
        return package.Accelerator(batch=batch), xrt, package

    return make


@pytest.mark.parametrize("frames", [0, 1, 4, 11])
@pytest.mark.parametrize("name", GRAPHS)
def test_integers_through_the_card_equal_the_emulator(opened: Any, name: str, frames: int) -> None:
    graph = GRAPHS[name]()
    accelerator, xrt, package = opened(graph)
    assert accelerator.backend == "fpga"
    assert all(
        f"kernel `{m.kernel}`" in (Path(package.__file__).parent / "README.md").read_text()
        for m in movers(graph)
        if m.per_frame is None
    )
    rng = np.random.default_rng(frames)
    feeds, ports = {}, {}
    for unit in graph.inputs:
        x = feeds[unit.tensor] = random_values(rng, unit.frame.dtype, (frames, *unit.tensor_shape[1:]))
        flat = x.reshape(frames, unit.frame.elements)
        ports[unit.name] = (flat if unit.order is None else flat[:, unit.order]).reshape(frames, *unit.frame.shape)
    got = accelerator(feeds)
    (unit,) = graph.outputs
    assert got.shape == (frames, *unit.tensor_shape[1:])
    if frames:
        stream = emulate(graph, ports)[unit.name].reshape(frames, -1)
        expected = np.empty_like(stream)
        expected[:, np.arange(stream.shape[1]) if unit.order is None else unit.order] = stream
        assert np.array_equal(got, expected.reshape(frames, *unit.tensor_shape[1:]))
    assert xrt.cards[0].batches == [4] * (frames // 4) + ([frames % 4] if frames % 4 else [])
    accelerator.close()


def test_what_the_card_lacks_is_said(opened: Any, tmp_path: Path) -> None:
    with pytest.raises(Exception, match="the card has no memory for"):
        opened(mlp(), memory=0)
    _, _, package = opened(mlp())
    with pytest.raises(Exception, match="a batch of 0 frames"):
        package.Accelerator(batch=0)
    described = tmp_path / "tiny" / "driver" / "accelerator.json"
    content = json.loads(described.read_text())
    next(iter(content["kernels"].values()))["kernel"] = "load_other"
    described.write_text(json.dumps(content))
    with pytest.raises(Exception, match="no such kernel 'load_other'"):
        package.Accelerator()
