"""``flowc run``: the emulated design on files of samples."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest

from flowc.kernels import KernelsUnavailableError
from tests.cli.helpers import Run, refused, samples, tree
from tests.oracle import standard_form


def test_run_gives_what_onnxruntime_gives(run: Run, model: Path, design: Path) -> None:
    network = onnx.load(model)
    session = ort.InferenceSession(standard_form(network).SerializeToString())
    (name,) = [output.name for output in network.graph.output]
    for batch in (1, 5):
        x = samples(batch)
        np.savez("in.npz", x=x)
        done = run("run", design, "--input", "in.npz", "--output", "out.npz")
        assert done.code == 0
        assert f"{batch} sample" in done.out
        with np.load("out.npz") as outputs:
            assert outputs.files == [name]
            expected = np.concatenate([session.run([name], {"x": x[i : i + 1]})[0] for i in range(batch)])
            assert outputs[name].dtype == expected.dtype
            np.testing.assert_allclose(outputs[name], expected, rtol=1e-5, atol=1e-5)


def test_bad_samples(run: Run, design: Path) -> None:
    def attempt(**arrays: np.ndarray) -> str:
        np.savez("in.npz", **arrays)
        message = refused(run("run", design, "--input", "in.npz", "--output", "out.npz"))
        assert refused(run("verify", design, "--input", "in.npz")) == message
        return message

    assert "lacks the array 'x'; it holds 'image'" in attempt(image=samples(1))
    assert "has shape (1, 2, 8, 9), must be (N, 2, 8, 8)" in attempt(x=np.zeros((1, 2, 8, 9), np.float32))
    assert "has dtype float64, must be float32" in attempt(x=np.zeros((1, 2, 8, 8)))
    assert "holds Python objects" in attempt(x=np.array([[None]]))
    assert tree(Path()) == ["in.npz"]


def test_outputs_that_cannot_be_written(run: Run, design: Path) -> None:
    np.savez("in.npz", x=samples(1))
    assert "cannot write 'no/out.npz'" in refused(run("run", design, "--input", "in.npz", "--output", "no/out.npz"))


def test_a_directory_that_is_no_design(run: Run, design: Path, tmp_path: Path) -> None:
    np.savez("in.npz", x=samples(1))
    for path in (tmp_path / "none", tmp_path, design / "hls"):
        assert "flowc design" in refused(run("run", path, "--input", "in.npz", "--output", "out.npz"))


def test_figures_as_json(run: Run, design: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    x, labels = samples(6), np.array([0, 1, 2, 3, 4, 0])
    np.savez("in.npz", x=x, y=labels)
    arguments = ("run", design, "--input", "in.npz", "--output", "out.npz")
    for emulator in ("numpy", "native"):
        done = run(*arguments, "--labels", "y", "--json", "--emulator", emulator)
        assert (done.code, done.err) == (0, "")
        with np.load("out.npz") as outputs:
            right = (outputs[outputs.files[0]].argmax(1) == labels).mean()
        found = done.document
        assert (found["samples"], found["emulator"], found["top1"], found["top5"]) == (6, emulator, right, None)
        assert found["samples_per_s"] == pytest.approx(6 / found["seconds"])
    assert run(*arguments, "--json").document["top1"] is None
    why = KernelsUnavailableError("no C++ compiler was found (g++ or clang++)")
    monkeypatch.setattr("flowc.kernels.loading._loaded", lambda: why)
    done = run(*arguments)
    assert done.err == f"flowc: computed in numpy, which is slower: {why.message}\n"
    assert run("-q", *arguments).err == ""
    assert run(*arguments, "--emulator", "numpy").err == ""
    assert "no C++ compiler was found" in refused(run(*arguments, "--emulator", "native"))


def test_what_is_read_is_not_written(run: Run, design: Path) -> None:
    np.savez("in.npz", x=samples(2))
    np.save("y.npy", np.zeros(2, np.int64))
    Path("link").symlink_to("in.npz")
    before = Path("in.npz").read_bytes()
    for output in ("in.npz", "link", "y.npy"):
        told = refused(run("run", design, "--input", "in.npz", "--labels", "y.npy", "--output", output))
        assert told == f"'{output}' is what is read. Name another file for the output."
    assert Path("in.npz").read_bytes() == before
