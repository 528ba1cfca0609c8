"""Loopback execution as users meet it: build, save, load, verify, other models on one engine, the choice of the style."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from flowc.api import build, estimate
from flowc.design.design import load
from flowc.errors import InfeasibleError, UsageError
from flowc.loopback.engine import Engine
from flowc.targets import load_target
from tests.netbuild import Net, cnn, mlp

NEW_KEYS = {
    "engine",
    "batch",
    "stripes",
    "traffic",
    "roofline",
    "energy",
    "external_memory_bytes",
    "descriptors",
    "host",
}
LAYER_KEYS = {"compute_cycles", "ddr_read_bytes", "ddr_write_bytes", "utilization", "binds", "tile"}


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("loopback") / "cnn"
    build(cnn(residual=True), "ultra96", execution="loopback", output=folder)
    return folder


def test_a_design_is_verified_saved_and_loaded(saved: Path) -> None:
    report = json.loads((saved / "report.json").read_text())
    assert report["execution"] == "loopback"
    assert report["verification"]["mismatches"] == report["verification"]["end_to_end_mismatches"] == 0
    assert report["verification"]["values"] > 500
    design = load(saved)
    assert design.verify(samples=2, seed=7)["mismatches"] == 0
    dataflow = build(cnn(residual=True), "ultra96", execution="dataflow", verify=False)
    inputs = design.samples(3, 5)
    for name, values in design.run_all(inputs).items():
        np.testing.assert_array_equal(values, dataflow.run_all(inputs)[name])


def test_what_a_build_leaves(saved: Path) -> None:
    report = json.loads((saved / "report.json").read_text())
    assert report.keys() >= NEW_KEYS
    assert Engine.read(saved / "engine.json").as_dict() == report["engine"]
    table = np.fromfile(saved / "loopback" / "descriptors.bin", "<u4").reshape(-1, 16)
    assert len(table) == report["descriptors"]
    assert (saved / "loopback" / "weights.bin").stat().st_size <= report["external_memory_bytes"]
    assert "flowc:hls:loopback_engine:1.0" in (saved / "vivado" / "build.tcl").read_text()
    assert "m_axi_gmem3" in (saved / "vivado" / "system.tcl").read_text()
    assert "which `../vivado` makes, once" in (saved / "driver" / "README.md").read_text()
    assert not any("makes no bitstream" in note for note in report["notes"])
    page = (saved / "report.html").read_text()
    assert "A batch over time" in page
    for layer in report["layers"]:
        assert layer.keys() >= LAYER_KEYS
        assert layer["binds"] in ("compute", "memory")
        assert layer["lut"] is None
    moved = sum(layer["ddr_read_bytes"] + layer["ddr_write_bytes"] for layer in report["layers"])
    assert report["traffic"]["bytes_per_image"] == pytest.approx(moved / report["batch"])
    assert report["traffic"]["lower_bound_bytes"] <= report["traffic"]["bytes_per_image"]
    assert report["roofline"]["reached_gops"] <= report["roofline"]["attainable_gops"] * 1.001
    assert report["fits"]
    assert all(report["resources"][k] <= report["available"][k] for k in report["resources"])


def test_without_a_processor_the_engine_is_alone_and_the_build_says_so(tmp_path: Path) -> None:
    design = build(mlp((30, 20, 5)), "arty-a7-100t", execution="loopback", verify=False, output=tmp_path / "out")
    (note,) = (note for note in design.report["notes"] if "makes no bitstream" in note)
    assert "parts of the family artix-7 have no processor" in note
    assert "**On the emulator only:**" in (tmp_path / "out" / "driver" / "README.md").read_text()
    assert not (tmp_path / "out" / "vivado" / "system.tcl").exists()


def test_another_model_on_the_same_engine(saved: Path) -> None:
    design = build(mlp((30, 20, 5)), "ultra96", engine=saved / "engine.json")
    assert design.report["engine"] == json.loads((saved / "engine.json").read_text())
    assert design.report["verification"]["mismatches"] == 0
    assert any("an engine is given" in note for note in design.report["notes"])


def wide() -> onnx.ModelProto:
    net = Net([1, 40, 9, 9])
    return net.model(net.conv(net.quant(net.conv(net.quant(net.x, 0.3), 40, 64, pads=[1] * 4), 0.4), 64, 8))


def test_an_engine_that_is_too_small_or_none(saved: Path, tmp_path: Path) -> None:
    small = Engine.read(saved / "engine.json").as_dict() | {"weight_words": 8}
    (tmp_path / "small.json").write_text(json.dumps(small))
    with pytest.raises(
        InfeasibleError,
        match=r"layer '.*' has no tile .* half of its weight buffer holds 256 bytes, and the smallest tile takes",
    ):
        build(wide(), "ultra96", engine=tmp_path / "small.json", verify=False)
    (tmp_path / "old.json").write_text(json.dumps(small | {"schema": 0}))
    with pytest.raises(UsageError, match="schema 0"):
        build(wide(), "ultra96", engine=tmp_path / "old.json", verify=False)
    with pytest.raises(UsageError, match="runs at"):
        build(wide(), "ultra96", engine=saved / "engine.json", clock_mhz=77, verify=False)


def test_auto_takes_loopback_where_dataflow_does_not_fit() -> None:
    report = estimate(wide(), "ultra96")
    assert report["execution"] == "dataflow"
    assert not any("loopback" in note for note in report["notes"])
    big = mlp((1500, 1500, 8))
    report = estimate(big, "ultra96")
    assert report["execution"] == "loopback"
    assert report["fits"]
    (reason,) = (note for note in report["notes"] if "loopback" in note)
    assert reason.startswith("loopback execution, because dataflow can't: the network does not fit on the chip")
    with pytest.raises(InfeasibleError, match=r"Loopback execution can't either: .*out of reach"):
        estimate(big, "ultra96", fps=1e8)


def test_rates_batches_and_latencies() -> None:
    fastest = estimate(wide(), "ultra96", execution="loopback")
    least = estimate(wide(), "ultra96", execution="loopback", fps=fastest["fps"] / 8)
    assert least["fps"] >= fastest["fps"] / 8
    assert least["resources"]["lut"] < fastest["resources"]["lut"]
    single = estimate(wide(), "ultra96", execution="loopback", batch=1)
    assert single["stripes"]
    assert single["latency_ms"] < fastest["latency_ms"]
    limit = (single["latency_ms"] + fastest["latency_ms"]) / 2
    assert estimate(wide(), "ultra96", execution="loopback", latency_ms=limit)["latency_ms"] <= limit
    with pytest.raises(
        InfeasibleError, match=r"out of reach of loopback execution: the fastest engine found gives .* binds in layer"
    ):
        estimate(wide(), "ultra96", execution="loopback", fps=1e9)
    with pytest.raises(InfeasibleError, match="a latency of 1e-06 ms is out of reach"):
        estimate(wide(), "ultra96", execution="loopback", latency_ms=1e-6)
    with pytest.raises(UsageError, match="folding"):
        estimate(wide(), "ultra96", execution="loopback", folding={"n_Conv_10": {"pe": 1}})


def test_batches_that_the_external_memory_has_no_room_for() -> None:
    board = replace(load_target("ultra96"), ddr_bytes=1 << 20)
    batch = 6 * 1000
    with pytest.raises(
        InfeasibleError,
        match=r"a batch of \d+ images takes [\d,]+ bytes of external memory, .* largest tensor, '.*'; .* has 1,048,576",
    ):
        estimate(wide(), board, execution="loopback", batch=batch)
    with pytest.raises(
        InfeasibleError, match=r"a batch of 1000\d+ images .*; the target's external memory has 2,147,483,648"
    ):
        estimate(wide(), "ultra96", execution="loopback", batch=10**9)
    # A batch that nobody asked for is as large as there is room.
    usual = estimate(wide(), "ultra96", execution="loopback")
    little = replace(board, ddr_bytes=usual["external_memory_bytes"] - 1)
    assert estimate(wide(), little, execution="loopback")["batch"] < usual["batch"]
    with pytest.raises(InfeasibleError, match="a batch of 1 image takes"):
        estimate(wide(), replace(board, ddr_bytes=1000), execution="loopback")


@pytest.mark.parametrize("execution", ["dataflow", "loopback"])
def test_outputs_that_are_scalars_are_compared(execution: str) -> None:
    net = Net([1, 6])
    x = net.quant(net.x, 0.25)
    net.nodes.append(onnx.helper.make_node("Identity", [net.const(np.float32(0.25))], ["scale"]))
    design = build(net.model(net.quant(net.linear(x, 6, 3), 0.5), "scale"), "ultra96", execution=execution)
    assert design.report["verification"]["mismatches"] == 0
