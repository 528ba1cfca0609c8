"""Designs: run, save, load, and what they say when they are asked wrongly."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto

from flowc.api import build
from flowc.design.design import Design, load
from flowc.errors import FlowcError, UsageError
from tests.netbuild import Net, cnn, mlp
from tests.oracle import Array, run_onnxruntime, standard_form


def two_ends() -> onnx.ModelProto:
    """Two inputs, two outputs: floats behind a linear layer, and an index."""
    net = Net([1, 6])
    net.input("b", [1, 4])
    a, b = net.quant(net.x, 0.25), net.quant("b", 0.25)
    y = net.linear(net.concat(a, b), 10, 5)
    model = net.model(net.op("Softmax", y, axis=1), net.op("ArgMax", y, axis=1, keepdims=0))
    model.graph.output[1].type.tensor_type.elem_type = TensorProto.INT64
    return model


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("designs") / "cnn"
    build(cnn(residual=True), "ultra96", output=folder, verify=False)
    return folder


def random_inputs(design: Design, samples: int) -> dict[str, Array]:
    rng = np.random.default_rng(3)
    return {n: rng.normal(0, 1.2, (samples, *s.shape)).astype(np.float32) for n, s in design.inputs.items()}


@pytest.mark.parametrize("model", [mlp(), cnn(), two_ends()], ids=["mlp", "cnn", "two"])
def test_results_are_onnxruntimes(model: onnx.ModelProto) -> None:
    design = build(model, "ultra96", verify=False)
    inputs = random_inputs(design, 5)
    wanted = run_onnxruntime(standard_form(model), inputs)
    found = design.run_all(inputs)
    assert set(found) == {o.name for o in model.graph.output}
    for name, values in found.items():
        assert values.dtype == wanted[name].dtype
        assert values.shape == wanted[name].shape
        np.testing.assert_allclose(values, wanted[name], rtol=1e-4, atol=1e-5)


def test_what_run_takes_and_gives() -> None:
    design = build(mlp(), "ultra96", verify=False)
    inputs = random_inputs(design, 3)
    result = design.run(inputs["x"])
    assert result.shape == (3, 6)
    np.testing.assert_array_equal(design.run(inputs), result)
    # Every sample is computed on its own.
    np.testing.assert_array_equal(np.concatenate([design.run(inputs["x"][i : i + 1]) for i in range(3)]), result)
    both = build(two_ends(), "ultra96", verify=False)
    found = both.run(random_inputs(both, 2))
    assert isinstance(found, dict)
    assert len(found) == 2


def test_a_single_array_may_be_called_x() -> None:
    model = mlp()
    for node in model.graph.node:
        node.input[:] = ["pixels" if i == "x" else i for i in node.input]
    model.graph.input[0].name = "pixels"
    design = build(model, "ultra96", verify=False)
    x = np.random.default_rng(0).normal(0, 1, (2, 12)).astype(np.float32)
    np.testing.assert_array_equal(design.run({"x": x}), design.run({"pixels": x}))


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({}, "x"),
        ({"y": np.zeros((1, 12), np.float32)}, "x"),
        (np.zeros((1, 13), np.float32), "13"),
        (np.zeros(12, np.float32), "12"),
        (np.zeros((1, 12), np.int64), "int64"),
        (np.zeros((1, 12), object), "object"),
        (np.zeros((0, 12), np.float32), "0"),
    ],
)
def test_wrong_inputs(given: Array | dict[str, Array], text: str) -> None:
    design = build(mlp(), "ultra96", verify=False)
    with pytest.raises(UsageError, match=text):
        design.run(given)


def test_two_inputs_need_names_and_one_length() -> None:
    design = build(two_ends(), "ultra96", verify=False)
    with pytest.raises(UsageError, match="the model has the inputs x, b. Give a dict"):
        design.run(np.zeros((1, 6), np.float32))
    with pytest.raises(UsageError):
        design.run({"x": np.zeros((2, 6), np.float32), "b": np.zeros((3, 4), np.float32)})


def test_loading_gives_the_same_design(saved: Path) -> None:
    built = build(cnn(residual=True), "ultra96", verify=False)
    loaded = load(saved)
    inputs = random_inputs(built, 4)
    np.testing.assert_array_equal(loaded.run(inputs), built.run(inputs))
    assert loaded.verify(inputs)["mismatches"] == 0
    assert loaded.graph.streams == built.graph.streams
    assert loaded.windows.keys() == built.windows.keys()
    assert loaded.directory == saved
    assert loaded.target == built.target
    for name, info in built.tensors.items():
        assert loaded.tensors[name].shape == info.shape
    samples = built.samples(3, 7)
    for name, values in loaded.samples(3, 7).items():
        np.testing.assert_array_equal(values, samples[name])


def test_designs_of_schema_1_still_load() -> None:
    """Schema 1 (version 0.1.0) knew neither execution styles nor backends."""
    old = load(Path(__file__).with_name("data") / "schema1")
    built = build(cnn(residual=True), "ultra96", verify=False)
    assert (old.plan.execution, old.plan.fits, old.plan.fps) == ("dataflow", True, old.report["fps"])
    inputs = random_inputs(built, 4)
    np.testing.assert_array_equal(old.run(inputs), built.run(inputs))
    assert old.verify(inputs)["mismatches"] == 0


def test_windows_and_ties_survive(tmp_path: Path) -> None:
    """An 8-bit network has thresholds that the model leaves open; an argmax has ties."""
    net = Net([1, 12])
    y = net.quant(net.relu(net.linear(net.quant(net.x, 0.01, bits=8), 12, 6, bits=8)), 0.013, bits=8, signed=False)
    y = net.op("ArgMax", net.linear(y, 6, 4, bits=8, bias=True), axis=1)
    built = build(net.model(y, elem_type=TensorProto.INT64), "ultra96", output=tmp_path / "d", verify=False)
    assert built.windows
    loaded = load(tmp_path / "d")
    for name, (low, high) in built.windows.items():
        np.testing.assert_array_equal(loaded.windows[name][0], low)
        np.testing.assert_array_equal(loaded.windows[name][1], high)
        assert loaded.windows[name][0].dtype == np.int64
    assert loaded.argmax_slack.keys() == built.argmax_slack.keys()
    assert loaded.verify(samples=2)["mismatches"] == 0


def test_saving_again_gives_the_same_files(saved: Path, tmp_path: Path) -> None:
    load(saved).save(tmp_path / "again")
    for name in ("design.json", "head.onnx", "tail.onnx", "reference.onnx"):
        assert (tmp_path / "again" / name).read_bytes() == (saved / name).read_bytes()
    with np.load(saved / "weights.npz") as a, np.load(tmp_path / "again" / "weights.npz") as b:
        assert set(a.files) == set(b.files)
        for key in a.files:
            assert a[key].dtype == b[key].dtype
            np.testing.assert_array_equal(a[key], b[key])


def test_saving_over_something_else_needs_force(saved: Path, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "thesis.tex").write_text("years of work")
    design = load(saved)
    with pytest.raises(UsageError):
        design.save(folder)
    assert (folder / "thesis.tex").exists()
    design.save(folder, force=True)
    assert load(folder).graph.streams == design.graph.streams


def drop(key: str) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        document = json.loads((folder / "design.json").read_text())
        del document[key]
        (folder / "design.json").write_text(json.dumps(document))

    return damage


def sums_lie(where: Any) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        document = json.loads((folder / "design.json").read_text())
        document["sums"][0]["stream"] = where
        (folder / "design.json").write_text(json.dumps(document))

    return damage


def cut(name: str) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        whole = (folder / name).read_bytes()
        (folder / name).write_bytes(whole[: len(whole) // 2])

    return damage


def without_array(folder: Path) -> None:
    with np.load(folder / "weights.npz") as stored:
        arrays = {n: stored[n] for n in stored.files}
    arrays.pop(next(n for n in arrays if n.startswith("accumulator")))
    np.savez(folder / "weights.npz", **arrays)


@pytest.mark.parametrize(
    "damage",
    [
        *(drop(key) for key in ("schema", "units", "streams", "inputs", "outputs", "windows", "host", "accumulators", "target", "sampling", "name")),
        *(cut(name) for name in ("design.json", "report.json", "weights.npz", "head.onnx", "reference.onnx")),
        lambda folder: (folder / "weights.npz").write_bytes(b""),
        lambda folder: (folder / "weights.npz").unlink(),
        lambda folder: (folder / "design.json").write_text("[1, 2]"),
        lambda folder: (folder / "design.json").write_text(""),
        *(sums_lie(where) for where in ({"a": 1}, ["h"], 3, "nowhere")),
        without_array,
        lambda folder: shutil.rmtree(folder),
    ],
)  # fmt: skip
def test_damaged_designs_are_refused(saved: Path, tmp_path: Path, damage: Callable[[Path], None]) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(saved, folder)
    damage(folder)
    with pytest.raises(FlowcError):
        load(folder)


def test_samples_cover_what_the_quantizer_covers() -> None:
    design = build(mlp(), "ultra96", verify=False)
    x = design.samples(400, 0)["x"]
    assert x.dtype == np.float32
    # Quantized at 0.25 with 4 bits, signed.
    assert set(np.unique(x)) == set((np.arange(-8, 8) * 0.25).astype(np.float32))
    np.testing.assert_array_equal(design.samples(400, 0)["x"], x)
    assert (design.samples(400, 1)["x"] != x).any()


def test_csim_needs_files() -> None:
    design = build(mlp(), "ultra96", verify=False)
    with pytest.raises(UsageError, match="Save it first"):
        design.csim(np.zeros((1, 12), np.float32))


def test_samples_are_numbers_where_the_quantizer_reaches_beyond_them() -> None:
    net = Net([1, 6])
    design = build(net.model(net.linear(net.quant(net.x, 1e38), 6, 3)), "ultra96", verify=False)
    x = design.samples(50, 0)["x"]
    assert np.isfinite(x).all()
    assert x.min() == np.finfo(np.float32).min
