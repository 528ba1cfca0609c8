"""The generated driver, run against a stand-in for pynq whose accelerator is the emulator."""

import importlib.util
import json
import subprocess
import sys

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

import flowc
from flowc.backends.driver import generate_driver
from flowc.dataflow.emulator import emulate
from flowc.model.dtypes import BIPOLAR, SInt, UInt
from flowc.targets import load_target
from tests import netbuild
from tests.backends.fake_pynq import make_pynq
from tests.backends.graphs import mlp, random_values, two_inputs
from tests.backends.test_vivado import shared

TARGET = load_target("pynq-z2")
HEADER = "made by flowc"


def onnx_part(nodes, inputs, outputs, constants):
    graph = helper.make_graph(
        nodes,
        "host",
        [helper.make_tensor_value_info(n, t, s) for n, (t, s) in inputs.items()],
        [helper.make_tensor_value_info(n, t, s) for n, (t, s) in outputs.items()],
        [numpy_helper.from_array(np.asarray(a), n) for n, a in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    onnx.checker.check_model(model)
    return model.SerializeToString()


def head(size=12, levels=7):
    """Quantizes x: clip(round(x / 0.13 + 1), 0, levels)."""
    nodes = [
        helper.make_node("Div", ["x", "s"], ["a"]),
        helper.make_node("Add", ["a", "z"], ["b"]),
        helper.make_node("Round", ["b"], ["c"]),
        helper.make_node("Clip", ["c", "lo", "hi"], ["x_q"]),
    ]
    shapes = {"x": (TensorProto.FLOAT, [1, size])}, {"x_q": (TensorProto.FLOAT, [1, size])}
    constants = {"s": np.float32(0.13), "z": np.float32(1), "lo": np.float32(0), "hi": np.float32(levels)}
    return onnx_part(nodes, *shapes, constants)


def tail(size=6, softmax=False):
    """Dequantizes y_q by per-channel scales, then perhaps a softmax."""
    nodes = [
        helper.make_node("Mul", ["y_q", "s"], ["m"]),
        helper.make_node("Add", ["m", "b"], ["z" if softmax else "y"]),
        *([helper.make_node("Softmax", ["z"], ["y"], axis=1)] if softmax else []),
    ]
    rng = np.random.default_rng(5)
    constants = {n: rng.normal(size=(1, size)).astype(np.float32) for n in ("s", "b")}
    shape = (TensorProto.FLOAT, [1, size])
    return onnx_part(nodes, {"y_q": shape}, {"y": shape}, constants)


def run_onnx(data, feeds):
    session = onnxruntime.InferenceSession(data)
    frames = len(next(iter(feeds.values())))
    parts = [session.run(None, {n: v[i : i + 1] for n, v in feeds.items()}) for i in range(frames)]
    return {o.name: np.concatenate([p[k] for p in parts]) for k, o in enumerate(session.get_outputs())}


def imported(monkeypatch, folder, name):
    """The driver in a folder, as a package of that name."""
    for loaded in [m for m in sys.modules if m.split(".")[0] == name]:
        monkeypatch.delitem(sys.modules, loaded)
    spec = importlib.util.spec_from_file_location(
        name, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    package = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, name, package)
    spec.loader.exec_module(package)
    return package


@pytest.fixture
def generated(tmp_path, monkeypatch):
    """Generates a driver and imports it as the package it is; returns (package, fake pynq)."""

    def make(graph, *, results, host=None, length_bits=26, board=True):
        folder = tmp_path / "design" / "driver"
        generate_driver(graph, folder, target=TARGET, header=HEADER, results=results, host=host)
        (folder / "design.bit").touch()
        package = imported(monkeypatch, folder, f"driver_of_{graph.name}")
        pynq = make_pynq(graph, length_bits)
        pynq.__spec__ = importlib.util.spec_from_loader("pynq", None)
        if board:
            monkeypatch.setitem(sys.modules, "pynq", pynq)
        return package, pynq

    return make


@pytest.mark.parametrize("frames", [0, 1, 5, 7, 8, 23])
@pytest.mark.parametrize(
    "graph",
    [
        mlp(),
        mlp("wide", dtype=SInt(5), simd=12, out=SInt(3), pe=3),
        mlp("bits", dtype=BIPOLAR, inputs=11, simd=11, out=BIPOLAR, pe=6),
        mlp("bytes", dtype=UInt(8), inputs=130, simd=130, out=UInt(4), pe=1),
        two_inputs(),
        shared(),
    ],
    ids=lambda g: g.name,
)
def test_integers_through_the_board_equal_the_emulator(generated, graph, frames):
    package, pynq = generated(graph, results={u.tensor: "int64" for u in graph.outputs})
    accelerator = package.Accelerator("design.bit", batch=7)
    assert accelerator.backend == "fpga"
    rng = np.random.default_rng(frames)
    feeds, ports = {}, {}
    for unit in graph.inputs:
        x = feeds[unit.tensor] = random_values(rng, unit.frame.dtype, (frames, *unit.tensor_shape[1:]))
        flat = x.reshape(frames, unit.frame.elements)
        ports[unit.name] = (flat if unit.order is None else flat[:, unit.order]).reshape(frames, *unit.frame.shape)
    got = accelerator(feeds)
    if frames:
        (unit,) = graph.outputs
        stream = emulate(graph, ports)[unit.name].reshape(frames, -1)
        expected = np.empty_like(stream)
        expected[:, np.arange(stream.shape[1]) if unit.order is None else unit.order] = stream
        assert np.array_equal(got, expected.reshape(frames, *unit.tensor_shape[1:]))
    assert got.dtype == np.int64
    assert got.shape == (frames, *graph.outputs[0].tensor_shape[1:])
    assert pynq.overlays[0].batches == [7] * (frames // 7) + ([frames % 7] if frames % 7 else [])
    accelerator.close()


def test_head_and_tail_equal_onnxruntime(generated):
    graph = mlp()
    package, _ = generated(graph, results={"y": "float32"}, host={"head.onnx": head(), "tail.onnx": tail()})
    x = np.random.default_rng(1).normal(0, 0.5, (50, 12)).astype(np.float32)
    x[0, :4] = np.array([0.065, -0.065, 0.195, 0.13], np.float32)  # on and near the half-way points
    integers = run_onnx(head(), {"x": x})["x_q"]
    middle = emulate(graph, {"x": integers.astype(np.int64).reshape(50, 1, 1, 12)})["y"].reshape(50, 6)
    expected = run_onnx(tail(), {"y_q": middle.astype(np.float32)})["y"]
    accelerator = package.Accelerator("design.bit", batch=16)
    for given in (x, {"x": x}):
        got = accelerator(given)
        assert got.dtype == np.float32
        assert np.array_equal(got, expected)


def test_a_long_frame_makes_the_batch_short(generated):
    # Length register of 8 bits: 255 bytes; a frame has 2 beats of 4 bytes, so 31 frames fit.
    package, pynq = generated(mlp(), results={"y_q": "int64"}, length_bits=8)
    accelerator = package.Accelerator("design.bit")
    assert accelerator.device.batch == 31
    accelerator(np.zeros((70, 12), np.int64))
    assert pynq.overlays[0].batches == [31, 31, 8]


def test_what_can_not_be_fed_is_said(generated):
    package, _ = generated(two_inputs(), results={"s_q": "int64"})
    accelerator = package.Accelerator("design.bit")
    a, b = np.zeros((2, 5, 2, 3), np.int64), np.ones((2, 5, 2, 3), np.int64)
    with pytest.raises(ValueError, match=r"the model has 2 inputs: give them by name \(a_q, b_q\)"):
        accelerator(a)
    with pytest.raises(ValueError, match="missing inputs: b_q"):
        accelerator({"a_q": a})
    with pytest.raises(ValueError, match=r"tensor 'a_q' has shape \(2, 30\), must be \(N, 5, 2, 3\)"):
        accelerator({"a_q": a.reshape(2, 30), "b_q": b})
    with pytest.raises(ValueError, match="tensor 'a_q' holds values other than the integers -4 to 3"):
        accelerator({"a_q": a + 4, "b_q": b})
    with pytest.raises(ValueError, match="tensor 'a_q' holds values other than the integers"):
        accelerator({"a_q": a + 0.5, "b_q": b})
    with pytest.raises(ValueError, match="tensor 'a_q' holds values other than the integers"):
        accelerator({"a_q": a + np.nan, "b_q": b})
    with pytest.raises(ValueError, match=r"tensor 'b_q' holds values other than -1 and \+1"):
        accelerator({"a_q": a, "b_q": 0 * b})
    with pytest.raises(ValueError, match="different numbers of frames"):
        accelerator({"a_q": a, "b_q": b[:1]})
    with pytest.raises(ValueError, match="input 'a_q' must be an array of numbers"):
        accelerator({"a_q": a.astype(str), "b_q": b})
    with pytest.raises(package.MissingError, match=r"no bitstream other\.bit"):
        package.Accelerator("other.bit")


def test_several_outputs_come_by_name(generated):
    package, _ = generated(mlp(), results={"y": "float32", "y_q": "int32"}, host={"tail.onnx": tail()})
    got = package.Accelerator("design.bit")(np.ones((3, 12), np.int64))
    assert list(got) == ["y", "y_q"]
    assert got["y_q"].dtype == np.int32
    assert np.array_equal(run_onnx(tail(), {"y_q": got["y_q"].astype(np.float32)})["y"], got["y"])


def test_without_a_board_the_emulator_computes_the_integers(tmp_path, monkeypatch):
    """A built design's driver, as it stands in its folder, against the design itself."""
    model = netbuild.cnn(residual=True)
    design = flowc.build(model, target="pynq-z2", verify=False, output=tmp_path / "out")
    package = imported(monkeypatch, tmp_path / "out" / "driver", "driver_emulated")
    accelerator = package.Accelerator(batch=3)
    assert (accelerator.backend, accelerator.lacks) == ("emulator", [])
    x = design.samples(5, 0)["x"]
    assert np.array_equal(accelerator(x), design.run(x))
    assert accelerator(x[:0]).shape == (0, 5)
    integers = accelerator.head(x)
    assert all(np.array_equal(v, np.rint(v)) for v in integers.values())
    assert np.array_equal(accelerator.tail(accelerator.run_integers(integers)), design.run(x))
    with pytest.raises(package.MissingError, match="throughput is measured on a board; this is the emulator"):
        importlib.import_module("driver_emulated.throughput").measure(accelerator, 10)


# Runs in a folder that holds nothing but the driver, by a Python that finds neither flowc nor pynq nor onnxruntime.
ALONE = """
import sys, importlib.util as u
find = u.find_spec
u.find_spec = lambda n, *a: None if n in ("flowc", "pynq", "onnxruntime", "onnx") else find(n, *a)
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("flowc", "pynq", "onnxruntime", "onnx"):
            raise ImportError(name)
sys.meta_path.insert(0, Absent())
import numpy as np
sys.path.insert(0, ".")
"""


def alone(folder, script, *arguments):
    command = [sys.executable, "-I", "-c", ALONE + script, *map(str, arguments)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_a_copied_folder_runs_head_and_tail_in_numpy_and_says_what_it_lacks(tmp_path):
    host = {"head.onnx": head(), "tail.onnx": tail(softmax=True)}
    generate_driver(mlp(), tmp_path / "driver", target=TARGET, header=HEADER, results={"y": "float32"}, host=host)
    x = np.random.default_rng(0).normal(0, 0.5, (9, 12)).astype(np.float32)
    y_q = np.random.default_rng(1).integers(-20, 20, (9, 6))
    np.savez(tmp_path / "given.npz", x=x, y_q=y_q)
    script = """
from driver import Accelerator, MissingError
given = np.load("given.npz")
accelerator = Accelerator()
print(accelerator.backend)
np.savez("found.npz", head=accelerator.head(given["x"])["x_q"], tail=accelerator.tail({"y_q": given["y_q"]}))
try:
    accelerator(given["x"])
except MissingError as error:
    print(error)
"""
    done = alone(tmp_path, script)
    assert done.stderr == ""
    backend, lacks = done.stdout.splitlines()
    assert backend == "host"
    assert lacks == (
        "the accelerator can't run here: no board (pynq is not installed), and no emulator: flowc is not installed. "
        "head() and tail() can"
    )
    found = np.load(tmp_path / "found.npz")
    assert np.array_equal(found["head"], run_onnx(head(), {"x": x})["x_q"])
    expected = run_onnx(tail(softmax=True), {"y_q": y_q.astype(np.float32)})["y"]
    np.testing.assert_allclose(found["tail"], expected, rtol=3e-6)

    done = alone(tmp_path, "import runpy; sys.argv = ['driver']; runpy.run_module('driver', run_name='__main__')")
    assert done.stdout.splitlines() == [
        "inputs: x", "head: runs in numpy", "tail: runs in numpy", "accelerator: lacking",
        "lacks: no board (pynq is not installed), and no emulator: flowc is not installed",
    ]  # fmt: skip


def test_a_tail_that_numpy_does_not_know_is_named(tmp_path):
    nodes = [helper.make_node("CumSum", ["y_q", "axis"], ["z"]), helper.make_node("Det", ["z"], ["y"])]
    shape = (TensorProto.FLOAT, [1, 6, 6])
    exotic = onnx_part(nodes, {"y_q": shape}, {"y": (TensorProto.FLOAT, [1])}, {"axis": np.int64(1)})
    host = {"head.onnx": head(), "tail.onnx": exotic}
    generate_driver(mlp(), tmp_path / "driver", target=TARGET, header=HEADER, results={"y": "float32"}, host=host)
    script = """
import struct
struct.calcsize = lambda code: BYTES
from driver import Accelerator
accelerator = Accelerator()
print(accelerator.lacks[0])
try:
    accelerator.tail({"y_q": np.zeros((1, 6, 6))})
except RuntimeError as error:
    print(error)
"""
    for size, remedy in ((8, "pip install onnxruntime"), (4, "there is no build of it for 32-bit processors")):
        done = alone(tmp_path, script.replace("BYTES", str(size)))
        assert done.stderr == ""
        first, second = done.stdout.splitlines()
        assert first == second
        assert f"the model's tail needs onnxruntime for CumSum, Det, and it is not installed: {remedy}" in first


def test_throughput_and_accuracy_scripts(generated, capsys, tmp_path, monkeypatch):
    package, _ = generated(mlp(), results={"y": "float32"}, host={"head.onnx": head(), "tail.onnx": tail()})
    accelerator = package.Accelerator("design.bit", batch=4)
    throughput = importlib.import_module(f"{package.__name__}.throughput")
    figures = throughput.measure(accelerator, 10)
    assert figures["batch"] == 4
    assert figures["frames"] == 8
    assert all(figures[key] > 0 for key in ("accelerator_fps", "end_to_end_fps", "latency_ms"))

    x = np.random.default_rng(2).normal(size=(40, 12)).astype(np.float32)
    y = accelerator(x)
    labels = y.argmax(axis=1)
    labels[:10] = (labels[:10] + 1) % 6
    np.savez(tmp_path / "samples.npz", x=x, labels=labels)
    accuracy = importlib.import_module(f"{package.__name__}.accuracy")
    monkeypatch.setattr(sys, "argv", ["accuracy", str(tmp_path / "samples.npz")])
    accuracy.main()
    assert capsys.readouterr().out == "30 of 40 correct (75.00%) on the fpga\n"
    monkeypatch.setattr(sys, "argv", ["throughput", "--frames", "8", "--batch", "4"])
    throughput.main()
    assert "accelerator_fps" in capsys.readouterr().out
    with pytest.raises(ValueError, match="40 samples, but 39 labels"):
        accuracy.correct(accelerator, x, labels[:-1])
    assert accuracy.correct(lambda _: labels.reshape(-1, 1), x, labels) == 40  # a model that ends in an argmax
    two = {"a": y, "b": -y}
    assert accuracy.correct(lambda _: two, x, labels, "a") == 30
    with pytest.raises(ValueError, match="choose one of the model's outputs: a, b"):
        accuracy.correct(lambda _: two, x, labels)
    with pytest.raises(ValueError, match="one number per sample that is no class"):
        accuracy.correct(lambda _: y[:, :1] + 0.5, x, labels)


X, LABELS = np.zeros((4, 12), np.float32), np.zeros(4, np.int64)
BAD = {
    "no file": (None, [], "can't be read as an .npz file"),
    "no archive": (b"text", [], "can't be read as an .npz file"),
    "an empty file": (b"", [], "can't be read as an .npz file"),
    "an array": (X, [], "is no .npz file with arrays x and labels"),
    "a truncated archive": (b"PK\x03\x04", [], "can't be read as an .npz file"),
    "objects": ({"x": np.array([None] * 4), "labels": LABELS}, [], "can't be read as an .npz file"),
    "no labels": ({"x": X}, [], "lacks the arrays labels; it holds x"),
    "nothing": ({}, [], "lacks the arrays x, labels; it holds none"),
    "fewer labels": ({"x": X, "labels": LABELS[:3]}, [], "4 samples of 'x', but 3 labels"),
    "one-hot labels": ({"x": X, "labels": np.eye(4, 6)}, [], "labels must be whole numbers, one per sample"),
    "labels that are floats": ({"x": X, "labels": LABELS + 0.5}, [], "labels must be whole numbers, one per sample"),
    "labels that are text": ({"x": X, "labels": LABELS.astype(str)}, [], "labels must be whole numbers"),
    "labels beyond": ({"x": X, "labels": LABELS + 6}, [], "label 6 for a model of 6 classes (0 to 5)"),
    "labels below": ({"x": X, "labels": LABELS - 1}, [], "label -1 for a model of 6 classes (0 to 5)"),
    "no samples": ({"x": X[:0], "labels": LABELS[:0]}, [], "holds no samples"),
    "a scalar": ({"x": np.float32(1), "labels": LABELS}, [], "0 samples of 'x', but 4 labels"),
    "a wrong shape": ({"x": X[:, :5], "labels": LABELS}, [], "input 'x' has shape (4, 5), must be (N, 12)"),
    "text": ({"x": X.astype(str), "labels": LABELS}, [], "input 'x' must be an array of numbers"),
    "complex numbers": ({"x": X + 1j, "labels": LABELS}, [], "input 'x' must be an array of numbers"),
    "no number": ({"x": X * np.nan, "labels": LABELS}, [], "tensor 'x_q' holds values other than the integers 0 to 7"),
    "no bitstream": ({"x": X, "labels": LABELS}, ["--bitfile", "other.bit"], "no bitstream other.bit"),
    "an empty batch": ({"x": X, "labels": LABELS}, ["--batch", "0"], "invalid number above 0 value: '0'"),
    "words": ({"x": X, "labels": LABELS}, ["--batch", "many"], "invalid number above 0 value: 'many'"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_of_accuracy_ends_with_a_message(generated, capsys, tmp_path, monkeypatch, name):
    content, options, expected = BAD[name]
    package, _ = generated(mlp(), results={"y": "float32"}, host={"head.onnx": head(), "tail.onnx": tail()})
    path = tmp_path / "samples.npz"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif isinstance(content, dict):
        np.savez(path, **content)
    elif content is not None:
        with path.open("wb") as file:
            np.save(file, content)
    monkeypatch.setattr(sys, "argv", ["accuracy", str(path), *options])
    with pytest.raises(SystemExit) as caught:
        importlib.import_module(f"{package.__name__}.accuracy").main()
    assert caught.value.code == 2
    err = capsys.readouterr().err
    assert expected in err
    assert "Traceback" not in err


@pytest.mark.parametrize("script", ["accuracy", "throughput", "__main__"])
def test_scripts_without_a_board_or_of_half_a_folder(tmp_path, script):
    host = {"head.onnx": head(), "tail.onnx": tail()}
    generate_driver(mlp(), tmp_path / "driver", target=TARGET, header=HEADER, results={"y": "float32"}, host=host)
    np.savez(tmp_path / "samples.npz", x=X, labels=LABELS)
    argv = [script, *(["samples.npz"] if script == "accuracy" else [])]
    run = f"import runpy; sys.argv = {argv!r}; runpy.run_module('driver.{script}', run_name='__main__')"
    done = alone(tmp_path, run)
    assert "Traceback" not in done.stderr
    if script != "__main__":
        assert done.returncode == 2
        assert "pynq" in done.stderr
    (tmp_path / "driver" / "accelerator.json").unlink()
    done = alone(tmp_path, run)
    assert done.returncode == 2
    assert "copy the whole driver folder" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_batch_fits_the_contiguous_memory(generated, monkeypatch, tmp_path):
    package, pynq = generated(mlp(), results={"y_q": "int64"})
    device = importlib.import_module(f"{package.__name__}.device")
    frame = 2 * 4 + 6 * 4  # bytes of a frame's input and output; see the streams in accelerator.json
    streams = json.loads((tmp_path / "design" / "driver" / "accelerator.json").read_text())
    frame = sum(s["elements"] // s["per_beat"] * s["beat_bytes"] for s in (*streams["inputs"], *streams["outputs"]))
    meminfo = tmp_path / "meminfo"
    monkeypatch.setattr(device, "_MEMINFO", meminfo)
    monkeypatch.setattr(device, "_SPARE", 0)
    meminfo.write_text("MemTotal:  1000 kB\nCmaTotal:  131072 kB\nCmaFree:       1 kB\n")
    accelerator = package.Accelerator("design.bit", batch=10_000)
    assert accelerator.device.batch == 1024 // (2 * frame)
    x = np.random.default_rng(0).integers(0, 8, (100, 12))
    expected = emulate(mlp(), {"x": x.reshape(100, 1, 1, 12)})["y"].reshape(100, 6)
    assert np.array_equal(accelerator(x), expected)
    assert sum(pynq.overlays[0].batches) == 100
    meminfo.write_text("CmaFree:       0 kB\n")
    with pytest.raises(
        package.MissingError, match=f"a frame takes {frame} bytes of contiguous memory twice; 0 are free"
    ):
        package.Accelerator("design.bit")
    meminfo.unlink()
    assert device.cma_bytes() == 128 << 20  # what PYNQ's images reserve
    with pytest.raises(package.InputError, match="a batch of 0 frames"):
        package.Accelerator("design.bit", batch=0)


def test_memory_in_pieces_makes_the_batch_shorter(generated):
    package, pynq = generated(mlp(), results={"y_q": "int64"})
    whole, freed = pynq.allocate, []

    def allocate(shape, dtype):
        if shape[0] > 200:
            raise RuntimeError("Failed to allocate Memory!")
        buffer = whole(shape, dtype)
        freed.append(buffer)
        return buffer

    pynq.allocate = allocate
    accelerator = package.Accelerator("design.bit", batch=64)
    assert 1 <= accelerator.device.batch < 64
    assert sum(not b.freed for b in freed) == 4  # what an attempt took that failed is given back
    pynq.allocate = lambda shape, dtype: (_ for _ in ()).throw(MemoryError("none"))
    with pytest.raises(package.MissingError, match="no contiguous memory for a single frame: none"):
        package.Accelerator("design.bit", batch=64)


def test_a_bitstream_of_another_design_is_named(generated):
    package, pynq = generated(mlp(), results={"y_q": "int64"})
    original = pynq.Overlay.__init__

    def other(self, bitfile):
        original(self, bitfile)
        del self.dma_x

    pynq.Overlay.__init__ = other
    with pytest.raises(package.MissingError, match="the bitstream has no 'dma_x': it is of another design"):
        package.Accelerator("design.bit")
    pynq.Overlay.__init__ = lambda self, bitfile: (_ for _ in ()).throw(RuntimeError("No Devices Found"))
    with pytest.raises(package.MissingError, match="pynq can't load .*design.bit: No Devices Found"):
        package.Accelerator("design.bit")


def test_files_are_the_same_every_time_and_headed(tmp_path):
    host = {"head.onnx": head(), "tail.onnx": tail()}
    trees = []
    for name in ("a", "b"):
        out = tmp_path / name
        generate_driver(two_inputs(), out, target=TARGET, header=HEADER, results={"s_q": "int64"}, host=host)
        trees.append({f.name: f.read_bytes() for f in out.iterdir()})
    assert trees[0] == trees[1]
    assert all(data.startswith(b"# made by flowc\n") for name, data in trees[0].items() if name.endswith(".py"))
    described = json.loads(trees[0]["accelerator.json"])
    assert described["inputs"][0] == {
        "name": "a", "tensor": "a_q", "shape": [5, 2, 3], "bits": 3, "signed": True, "bipolar": False, "elements": 30,
        "per_beat": 5, "beat_bytes": 2, "ways": 1,
    }  # fmt: skip
    assert described["results"] == [["s_q", "int64"]]


def test_the_readme_says_where_there_is_no_bitstream(tmp_path):
    for name, expected in (("arty-a7-100t", True), ("pynq-z2", False), ("u250", False)):
        out = tmp_path / name
        generate_driver(mlp(), out, target=load_target(name), header=HEADER, results={"y": "float32"})
        readme = (out / "README.md").read_text()
        assert ("**On the emulator only:** `../vivado` makes no bitstream" in readme) == expected
        assert ("**On a card, through XRT:**" in readme) == (name == "u250")
        assert f"Not run on a {'card' if name == 'u250' else 'board'} by the project" in readme
        assert ("pynq" in readme) == (name != "u250")


def test_the_driver_is_python_3_8(tmp_path):
    """The oldest PYNQ image in use has Python 3.8; newer grammar would not load there."""
    import ast

    generate_driver(mlp(), tmp_path, target=TARGET, header=HEADER, results={"y": "float32"})
    for file in tmp_path.glob("*.py"):
        tree = ast.parse(file.read_text(), feature_version=(3, 8))
        assert not [n for n in ast.walk(tree) if isinstance(n, ast.Match)]
        imports = {a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
        known = {"numpy", "pynq", "onnxruntime", "flowc"}
        assert imports <= known | set(sys.stdlib_module_names) | {"importlib.util"}
