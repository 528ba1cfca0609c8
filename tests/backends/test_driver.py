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

from flowc.backends.driver import generate_driver
from flowc.dataflow.emulator import emulate
from flowc.model.dtypes import BIPOLAR, SInt, UInt
from flowc.targets import load_target
from tests.backends.fake_pynq import make_pynq
from tests.backends.graphs import mlp, random_values, two_inputs

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


@pytest.fixture
def generated(tmp_path, monkeypatch):
    """Generates a driver and imports it as the package it is; returns (package, fake pynq)."""

    def make(graph, *, results, host=None, length_bits=26, board=True):
        folder = tmp_path / "design" / "driver"
        generate_driver(graph, folder, target=TARGET, header=HEADER, results=results, host=host)
        (folder / "design.bit").touch()
        name = f"driver_of_{graph.name}"
        for loaded in [m for m in sys.modules if m.split(".")[0] == name]:
            monkeypatch.delitem(sys.modules, loaded)
        spec = importlib.util.spec_from_file_location(
            name, folder / "__init__.py", submodule_search_locations=[str(folder)]
        )
        package = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, name, package)
        spec.loader.exec_module(package)
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
    assert accelerator.board.batch == 31
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
    with pytest.raises(FileNotFoundError, match=r"no bitstream other\.bit"):
        package.Accelerator("other.bit")


def test_several_outputs_come_by_name(generated):
    package, _ = generated(mlp(), results={"y": "float32", "y_q": "int32"}, host={"tail.onnx": tail()})
    got = package.Accelerator("design.bit")(np.ones((3, 12), np.int64))
    assert list(got) == ["y", "y_q"]
    assert got["y_q"].dtype == np.int32
    assert np.array_equal(run_onnx(tail(), {"y_q": got["y_q"].astype(np.float32)})["y"], got["y"])


def test_without_a_board_the_emulator_runs_the_model(generated, monkeypatch, tmp_path):
    package, _ = generated(mlp(), results={"y": "float32"}, board=False)
    asked = []

    class Design:
        def run(self, x):
            return x + 1

    flowc = sys.modules["flowc"]
    monkeypatch.setattr(flowc, "load", lambda path: asked.append(path) or Design(), raising=False)
    accelerator = package.Accelerator()
    assert accelerator.backend == "emulator"
    assert asked == [tmp_path / "design"]
    assert np.array_equal(accelerator(np.arange(3)), [1, 2, 3])
    with pytest.raises(RuntimeError, match="integers go in and out on a board only"):
        accelerator.run_integers({})


def test_without_board_and_flowc_it_says_so(tmp_path):
    generate_driver(mlp(), tmp_path / "driver", target=TARGET, header=HEADER, results={"y": "float32"})
    script = (
        "import sys, importlib.util as u; find = u.find_spec\n"
        "u.find_spec = lambda n, *a: None if n in ('flowc', 'pynq') else find(n, *a)\n"
        "from driver import Accelerator\nAccelerator()"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "RuntimeError: no board (pynq is not installed) and no emulator (flowc is not installed)" in done.stderr


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
        "per_beat": 5, "beat_bytes": 2,
    }  # fmt: skip
    assert described["results"] == [["s_q", "int64"]]


def test_the_readme_says_where_there_is_no_bitstream(tmp_path):
    for name, expected in (("u250", True), ("pynq-z2", False)):
        out = tmp_path / name
        generate_driver(mlp(), out, target=load_target(name), header=HEADER, results={"y": "float32"})
        readme = (out / "README.md").read_text()
        assert ("**On the emulator only:** `../vivado` makes no bitstream" in readme) == expected
        assert "Not run on a board by the project" in readme


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
