"""build, estimate and info: what they return, and their refusals."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import flowc
from flowc.api import build, estimate, info
from flowc.errors import FlowcError, InfeasibleError, MismatchError, ModelError, TargetError, UsageError
from flowc.units import Mvtu
from tests.netbuild import Net, cnn, mlp

REPORT: dict[str, tuple[type, ...]] = {
    "schema": (int,), "flowc": (str,), "target": (str,), "clock_mhz": (float, int), "execution": (str,), "fps": (float, int),
    "latency_ms": (float, int, type(None)), "bottleneck": (str,), "fits": (bool,), "layers": (list,), "fifos": (list,),
    "certificate": (dict,), "verification": (dict, type(None)), "csim": (dict, type(None)), "rtlsim": (dict, type(None)), "vendor": (dict, type(None)), "seconds": (dict,), "model": (dict,),
    "resources": (dict,), "available": (dict,),
}  # fmt: skip
RESOURCES = {"lut", "ff", "bram18", "uram", "dsp"}
LAYER = {
    "name", "unit", "onnx_nodes", "macs", "bops", "pe", "simd", "cycles", "weight_bits", "input_bits", "output_bits",
    "accumulator_bits", "lut", "ff", "bram18", "uram", "dsp", "memory",
}  # fmt: skip
CERTIFICATE = {"thresholds", "exact", "proven", "proven_unfused", "ambiguous", "ambiguous_value_share"}
VERIFICATION = {"reference", "samples", "tensors", "values", "mismatches", "explained_by_ambiguous"}


@pytest.fixture(scope="module")
def design() -> flowc.Design:
    return build(cnn(residual=True), "ultra96")


def test_report_holds_everything(design: flowc.Design) -> None:
    report = design.report
    for key, kinds in REPORT.items():
        assert isinstance(report[key], kinds), key
    assert report["schema"] == 1
    assert report["flowc"] == flowc.__version__
    assert set(report["model"]) >= {"name", "sha256"}
    assert set(report["resources"]) == set(report["available"]) == RESOURCES
    assert set(report["certificate"]) == CERTIFICATE
    assert set(report["verification"]) >= VERIFICATION
    assert report["csim"] is None
    assert set(report["seconds"]) >= {"import", "streamline", "lower", "allocate", "verify"}
    assert report["fits"]
    assert report["target"] == "ultra96"
    assert report["execution"] == "dataflow"
    assert report["verification"]["mismatches"] == 0
    # Plain JSON throughout: no NaN, no numpy scalars.
    json.dumps(report, allow_nan=False)


def test_layers_of_the_report(design: flowc.Design) -> None:
    layers = {entry["name"]: entry for entry in design.report["layers"]}
    for entry in layers.values():
        assert set(entry) >= LAYER
        assert entry["cycles"] > 0
    units = {u.name: u for u in design.graph if u.kind not in ("input", "output")}
    assert set(layers) == set(units)
    for name, unit in units.items():
        if isinstance(unit, Mvtu):
            frame = unit.frame.pixels
            assert layers[name]["macs"] == frame * unit.weights.size
            assert layers[name]["bops"] == layers[name]["macs"] * (
                unit.weight_type.bits * unit.frame.dtype.bits + unit.acc.bits
            )
            assert layers[name]["pe"] * layers[name]["simd"] * layers[name]["cycles"] == layers[name]["macs"]
        else:
            # What a unit does not have is unknown, not zero.
            assert layers[name]["weight_bits"] is None
            assert layers[name]["macs"] is None
    assert design.report["bottleneck"] in layers | {u.name: u for u in design.graph}
    slowest = max(u.cycles for u in design.graph)
    assert design.report["fps"] == pytest.approx(
        design.report["clock_mhz"] * 1e6 / max(slowest, design.report["interval_cycles"])
    )


def test_fifos_of_the_report(design: flowc.Design) -> None:
    fifos = {(f["from"], f["to"]): f for f in design.report["fifos"]}
    for stream in design.graph.streams:
        entry = fifos[stream.src, stream.dst]
        assert entry["depth"] == stream.depth
        assert (
            entry["width"]
            == design.graph.frame(stream).dtype.bits * design.graph[stream.src].out_widths[stream.src_port]
        )


def test_certificate_of_the_report() -> None:
    net = Net([1, 12])
    y = net.quant(net.relu(net.linear(net.quant(net.x, 0.01, bits=8), 12, 6, bits=8)), 0.013, bits=8, signed=False)
    found = build(net.model(net.linear(y, 6, 3)), "ultra96", verify=False).report["certificate"]
    assert found["thresholds"] == found["exact"] + found["proven"] + found["proven_unfused"] + found["ambiguous"] > 255
    assert 0 < found["ambiguous_value_share"] < 0.01


def test_estimate_writes_and_verifies_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    report = estimate(mlp(), "ultra96")
    assert report["verification"] is None
    assert report["fits"]
    assert list(tmp_path.iterdir()) == []


def test_building_without_output_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    design = build(mlp(), "ultra96")
    assert design.directory is None
    assert design.report["verification"]["mismatches"] == 0
    assert list(tmp_path.iterdir()) == []


def test_info() -> None:
    found = info(cnn())
    assert found["inputs"] == {"x": {"shape": [2, 8, 8], "dtype": "float32"}}
    assert list(found["outputs"].values()) == ["float32"]
    # 3 x 3 over 8 x 8 pixels, 3 x 3 over 4 x 4 pixels, 64 to 5.
    assert found["macs"] == 64 * 4 * 2 * 9 + 16 * 4 * 4 * 9 + 64 * 5
    assert found["weights"] == 4 * 2 * 9 + 4 * 4 * 9 + 64 * 5
    assert found["bops"] > found["macs"]
    assert {n["node"] for n in found["nodes"]}
    json.dumps(found, allow_nan=False)


def test_paths_and_models_give_the_same(tmp_path: Path) -> None:
    model = mlp()
    onnx.save(model, tmp_path / "net.onnx")
    a, b = build(tmp_path / "net.onnx", "ultra96", verify=False), build(model, "ultra96", verify=False)
    x = np.random.default_rng(0).normal(0, 1, (3, 12)).astype(np.float32)
    np.testing.assert_array_equal(a.run(x), b.run(x))


def test_progress_names_the_stages(tmp_path: Path) -> None:
    stages: list[str] = []
    build(mlp(), "ultra96", output=tmp_path / "d", progress=stages.append)
    assert stages == ["import", "streamline", "lower", "allocate", "verify", "render"]


def test_passes_are_dumped_and_checked(tmp_path: Path) -> None:
    build(cnn(residual=True), "ultra96", output=tmp_path / "d", dump_passes=True, verify_passes=True, verify=False)
    files = sorted(p.name for p in (tmp_path / "d" / "passes").iterdir())
    assert files[0] == "00_import.onnx"
    assert any(name.endswith("fold_activations.onnx") for name in files)
    for name in files:
        onnx.checker.check_model(onnx.load(tmp_path / "d" / "passes" / name))


def test_a_pass_that_breaks_the_graph_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from flowc.exact import choose
    from flowc.passes import fold_activations

    def wrong(steps: Any, *, bipolar: bool = False) -> Any:
        form = choose.as_thresholds(steps, choose.result_type(steps, bipolar))
        form.values[:] += 2
        return form

    monkeypatch.setattr(fold_activations, "choose_activation", wrong)
    with pytest.raises(MismatchError, match="the pass fold_activations changed"):
        build(mlp(), "ultra96", verify_passes=True)
    # Without checking around the passes, verification of the whole finds it.
    with pytest.raises(MismatchError, match="integers differ from onnxruntime"):
        build(mlp(), "ultra96")


@pytest.mark.parametrize(
    ("options", "kind", "text"),
    [
        ({"target": "toaster"}, TargetError, "ultra96"),
        ({"fps": 0}, UsageError, "fps"),
        ({"fps": float("nan")}, UsageError, "fps"),
        ({"fps": -3}, UsageError, "fps"),
        ({"execution": "magic"}, UsageError, "execution must be auto, dataflow or loopback"),
        ({"batch": 0}, UsageError, "at least one image"),
        ({"execution": "dataflow", "batch": 2}, UsageError, "loopback execution only"),
        ({"csim": True}, UsageError, "Give an output directory"),
        ({"input_type": "float"}, UsageError, "input type"),
        ({"fps": 1e12}, InfeasibleError, "."),
        ({"folding": {"nobody": {"pe": 3}}}, UsageError, "nobody"),
    ],
)
def test_refusals(options: dict[str, Any], kind: type[FlowcError], text: str) -> None:
    arguments: dict[str, Any] = {"target": "ultra96"} | options
    with pytest.raises(kind, match=text):
        build(mlp(), **arguments)


def test_refusals_leave_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(InfeasibleError):
        build(mlp(), "ultra96", output=tmp_path / "d", fps=1e12)
    net = Net([1, 4])
    with pytest.raises(ModelError):
        build(net.model(net.relu(net.x)), "ultra96", output=tmp_path / "d")
    assert list(tmp_path.iterdir()) == []


def test_wanted_rates_are_met() -> None:
    slow, fast = (estimate(cnn(), "ultra96", fps=f) for f in (1000.0, 200_000.0))
    assert slow["fps"] >= 1000
    assert fast["fps"] >= 200_000
    assert slow["resources"]["lut"] < fast["resources"]["lut"]
