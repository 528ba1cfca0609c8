"""The driver's evaluation of float heads and tails, against onnx and onnxruntime."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from flowc.templates.driver import host
from flowc.templates.driver.host import HostGraph
from flowc.templates.driver.onnxfile import DTYPES, read_graph

FLOAT = TensorProto.FLOAT
RNG = np.random.default_rng(0)


def save(path, nodes, constants, *, x=(1, 4, 6), outputs=("y",), dtype=FLOAT):
    graph = helper.make_graph(
        nodes,
        "part",
        [helper.make_tensor_value_info("x", dtype, x)],
        [onnx.ValueInfoProto(name=name) for name in outputs],
        [numpy_helper.from_array(np.asarray(a), n) for n, a in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    path.write_bytes(model.SerializeToString())
    return path


def reference(path, x):
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(str(path), options)
    return np.concatenate([session.run(None, {"x": x[i : i + 1]})[0] for i in range(len(x))])


def f32(*shape):
    return RNG.normal(size=shape).astype(np.float32)


def node(op, inputs, **attributes):
    return helper.make_node(op, inputs, ["y"], **attributes)


EXACT = {
    "add": (node("Add", ["x", "c"]), {"c": f32(6)}),
    "sub": (node("Sub", ["c", "x"]), {"c": f32(1, 4, 1)}),
    "mul": (node("Mul", ["x", "c"]), {"c": f32()}),
    "div": (node("Div", ["x", "c"]), {"c": f32(4, 6)}),
    "max": (node("Max", ["x", "c", "d"]), {"c": f32(6), "d": f32()}),
    "min": (node("Min", ["x", "c"]), {"c": f32(6)}),
    "clip": (node("Clip", ["x", "c", "d"]), {"c": np.float32(-0.5), "d": np.float32(0.7)}),
    "clip above": (node("Clip", ["x", "", "d"]), {"d": np.float32(0.7)}),
    "round": (node("Round", ["x"]), {}),
    "floor": (node("Floor", ["x"]), {}),
    "ceil": (node("Ceil", ["x"]), {}),
    "relu": (node("Relu", ["x"]), {}),
    "abs": (node("Abs", ["x"]), {}),
    "neg": (node("Neg", ["x"]), {}),
    "sign": (node("Sign", ["x"]), {}),
    "cast": (node("Cast", ["x"], to=TensorProto.INT32), {}),
    "compare": (node("GreaterOrEqual", ["x", "c"]), {"c": f32(6)}),
    "where": (node("Where", ["c", "x", "d"]), {"c": np.array([True, False] * 3), "d": f32()}),
    "reshape": (node("Reshape", ["x", "c"]), {"c": np.array([1, -1, 3], np.int64)}),
    "reshape zero": (node("Reshape", ["x", "c"]), {"c": np.array([0, 24], np.int64)}),
    "flatten": (node("Flatten", ["x"]), {}),
    "transpose": (node("Transpose", ["x"], perm=[0, 2, 1]), {}),
    "unsqueeze": (node("Unsqueeze", ["x", "c"]), {"c": np.array([-1, 2], np.int64)}),
    "concat": (node("Concat", ["x", "x"], axis=-1), {}),
    "leaky": (node("LeakyRelu", ["x"], alpha=0.3), {}),
    "greatest": (node("ReduceMax", ["x", "c"]), {"c": np.array([2], np.int64)}),
    "least": (node("ReduceMin", ["x", "c"], keepdims=0), {"c": np.array([1, 2], np.int64)}),
    "argmax": (node("ArgMax", ["x"], axis=-1, keepdims=0), {}),
    "argmax last": (node("ArgMax", ["x"], axis=1, select_last_index=1), {}),
}
CLOSE = {
    "elu": (node("Elu", ["x"], alpha=0.7), {}),
    "erf": (node("Erf", ["x"]), {}),
    "hard sigmoid": (node("HardSigmoid", ["x"], alpha=0.3), {}),
    "hard swish": (node("HardSwish", ["x"]), {}),
    "pow": (node("Pow", ["x", "c"]), {"c": np.float32(3)}),
    "softplus": (node("Softplus", ["x"]), {}),
    "average": (node("GlobalAveragePool", ["x"]), {}),
    "softmax": (node("Softmax", ["x"]), {}),
    "log softmax": (node("LogSoftmax", ["x"], axis=1), {}),
    "sigmoid": (node("Sigmoid", ["x"]), {}),
    "tanh": (node("Tanh", ["x"]), {}),
    "exp": (node("Exp", ["x"]), {}),
    "matmul": (node("MatMul", ["x", "c"]), {"c": f32(6, 5)}),
    "mean": (node("ReduceMean", ["x", "c"], keepdims=0), {"c": np.array([1], np.int64)}),
    "sum": (node("ReduceSum", ["x", "c"]), {"c": np.array([1, -1], np.int64)}),
}


def halves(shape):
    """Values with many exact half-way points."""
    return (RNG.integers(-9, 10, shape) / 2).astype(np.float32)


@pytest.mark.parametrize("name", EXACT)
@pytest.mark.parametrize("frames", [1, 5])
def test_exact_operators_run_in_numpy_batched_and_equal(tmp_path, name, frames):
    operator, constants = EXACT[name]
    path = save(tmp_path / "part.onnx", [operator], constants)
    graph = HostGraph(path)
    assert graph.engine == "numpy"
    x = halves((frames, 4, 6))
    got, expected = graph({"x": x})["y"], reference(path, x)
    assert got.dtype == expected.dtype
    assert np.array_equal(got, expected)


@pytest.mark.parametrize("name", CLOSE)
def test_other_operators_run_in_onnxruntime_or_close_to_it(tmp_path, monkeypatch, name):
    operator, constants = CLOSE[name]
    path = save(tmp_path / "part.onnx", [operator], constants)
    x = f32(5, 4, 6)
    expected = reference(path, x)
    graph = HostGraph(path)
    assert graph.engine == "onnxruntime"
    assert np.array_equal(graph({"x": x})["y"], expected)
    monkeypatch.setattr(host, "_onnxruntime", lambda: False)
    graph = HostGraph(path)
    assert graph.engine == "numpy"
    got = graph({"x": x})["y"]
    assert got.dtype == expected.dtype
    np.testing.assert_allclose(got, expected, rtol=3e-6, atol=1e-6)


MIXING = {
    "softmax over the batch": (node("Softmax", ["x"], axis=0), {}),
    "transposed batch": (node("Transpose", ["x"], perm=[1, 0, 2]), {}),
    "reversed": (node("Transpose", ["x"]), {}),
    "batch folded in": (node("Reshape", ["x", "c"]), {"c": np.array([-1], np.int64)}),
    "batch squeezed away": (node("Squeeze", ["x", "c"]), {"c": np.array([0], np.int64)}),
    "axis before the batch": (node("Unsqueeze", ["x", "c"]), {"c": np.array([0], np.int64)}),
    "concatenated along the batch": (node("Concat", ["x", "x"], axis=0), {}),
    "constant of higher rank": (node("Add", ["x", "c"]), {"c": f32(3, 1, 4, 6)}),
    "constant with a batch of its own": (node("Add", ["x", "c"]), {"c": f32(2, 4, 6)}),
    "concatenated with a constant": (node("Concat", ["x", "c"], axis=2), {"c": f32(1, 4, 6)}),
    "unknown operator": (node("CumSum", ["x", "c"]), {"c": np.int64(1)}),
}


@pytest.mark.parametrize("name", MIXING)
def test_what_would_mix_samples_is_run_one_by_one(tmp_path, monkeypatch, name):
    operator, constants = MIXING[name]
    path = save(tmp_path / "part.onnx", [operator], constants)
    graph = HostGraph(path)
    assert graph.engine == "onnxruntime"
    x = f32(3, 4, 6)
    assert np.array_equal(graph({"x": x})["y"], reference(path, x))
    monkeypatch.setattr(host, "_onnxruntime", lambda: False)
    graph = HostGraph(path)
    if name == "unknown operator":
        assert graph.engine == "none"
        assert graph.lacks.startswith("the model's part needs onnxruntime for CumSum, and it is not installed")
        with pytest.raises(RuntimeError, match="needs onnxruntime for CumSum"):
            graph({"x": x})
    else:
        assert graph.engine == "numpy"
        np.testing.assert_allclose(graph({"x": x})["y"], reference(path, x), rtol=3e-6)
        assert len(graph({"x": x[:0]})["y"]) == 0


def test_ranks_that_do_not_meet_are_not_batched(tmp_path):
    # (N, 4, 6) + (N, 1, 4, 6) broadcasts the batch against an axis of the sample.
    nodes = [helper.make_node("Unsqueeze", ["x", "c"], ["u"]), helper.make_node("Add", ["x", "u"], ["y"])]
    path = save(tmp_path / "part.onnx", nodes, {"c": np.array([1], np.int64)})
    assert HostGraph(path).engine == "onnxruntime"


def test_a_chain_with_constants_of_its_own_and_several_outputs(tmp_path):
    nodes = [
        helper.make_node("Constant", [], ["two"], value=numpy_helper.from_array(np.float32(2))),
        helper.make_node("Mul", ["c", "two"], ["d"]),
        helper.make_node("Add", ["x", "d"], ["y"]),
        helper.make_node("Neg", ["y"], ["z"]),
    ]
    path = save(tmp_path / "part.onnx", nodes, {"c": f32(6)}, outputs=("y", "z"))
    graph = HostGraph(path)
    assert (graph.engine, graph.inputs, graph.outputs) == ("numpy", ["x"], ["y", "z"])
    x = f32(3, 4, 6)
    got = graph({"x": x.astype(np.float64)})
    assert np.array_equal(got["y"], reference(path, x))
    assert np.array_equal(got["z"], -got["y"])


@pytest.mark.parametrize("operator", ["Neg", "Exp"])  # in numpy, in onnxruntime
def test_outputs_that_no_input_reaches_come_once_per_sample(tmp_path, operator):
    nodes = [
        helper.make_node(operator, ["x"], ["y"]),
        helper.make_node("Identity", ["c"], ["scalar"]),
        helper.make_node("Identity", ["d"], ["vector"]),
    ]
    path = save(tmp_path / "part.onnx", nodes, {"c": np.float32(3), "d": f32(2)}, outputs=("y", "scalar", "vector"))
    got = HostGraph(path)({"x": f32(3, 4, 6)})
    assert got["y"].shape == (3, 4, 6)
    assert np.array_equal(got["scalar"], np.full(3, 3, np.float32))
    assert got["vector"].shape == (6,)


def test_a_missing_part_is_none_and_a_wrong_shape_is_refused(tmp_path):
    assert HostGraph.load(tmp_path / "none.onnx") is None
    graph = HostGraph.load(save(tmp_path / "part.onnx", [node("Relu", ["x"])], {}))
    with pytest.raises(ValueError, match=r"input 'x' has shape \(2, 4\), must be \(N, 4, 6\)"):
        graph({"x": f32(2, 4)})


@pytest.mark.parametrize("raw", [True, False])
@pytest.mark.parametrize("kind", sorted(set(DTYPES) - {10}))
def test_tensors_are_read_in_every_encoding(tmp_path, kind, raw):
    array = np.array([[0, 1, 2], [3, 100, 1]]).astype(DTYPES[kind])
    if array.dtype.kind in "if":
        array[0, 0] = -5
    data = array.astype(array.dtype.newbyteorder("<")).tobytes() if raw else array.ravel().tolist()
    tensor = helper.make_tensor("c", kind, array.shape, data, raw=raw)
    graph = helper.make_graph(
        [helper.make_node("Identity", ["c"], ["y"], domain="", name="n")],
        "g",
        [helper.make_tensor_value_info("x", kind, [1, "N", 3])],
        [onnx.ValueInfoProto(name="y")],
        [tensor],
    )
    read = read_graph(helper.make_model(graph).SerializeToString())
    assert np.array_equal(read.constants["c"], array)
    assert read.constants["c"].dtype == array.dtype
    assert read.inputs == {"x": (np.dtype(DTYPES[kind]), (1, 0, 3))}
    assert (read.nodes[0].op, read.nodes[0].inputs, read.outputs) == ("Identity", ["c"], ["y"])


def test_attributes_are_read():
    attributes = {"f": 0.5, "i": -3, "s": "text", "floats": [1.5, -2.0], "ints": [-1, 0, 1 << 40], "zero": 0}
    tensor = numpy_helper.from_array(np.arange(3))
    made = helper.make_node("Op", ["a", "", "b"], ["c"], domain="d", t=tensor, **attributes)
    graph = helper.make_graph([made], "g", [], [])
    (read,) = read_graph(helper.make_model(graph).SerializeToString()).nodes
    tensor = read.attributes.pop("t")
    assert np.array_equal(tensor, np.arange(3))
    assert read.attributes == attributes
    assert (read.inputs, read.outputs, read.domain) == (["a", "", "b"], ["c"], "d")
