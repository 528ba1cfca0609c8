"""Hostile and broken model files: each is refused with a ModelError that names the thing; nothing else ever escapes."""

from __future__ import annotations

import contextlib
import os
import random
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from flowc.errors import FlowcError, ModelError, UnsupportedError
from flowc.importer import load_model
from flowc.importer.remedies import EXPORT_AGAIN
from tests.netbuild import Net, cnn, mlp


def refusal(model: onnx.ModelProto | Path | str) -> str:
    """The text of the ModelError that loading ends in."""
    with pytest.raises(ModelError) as caught:
        load_model(model)
    assert caught.value.exit_code == 2
    assert "\n" not in str(caught.value)
    return str(caught.value)


def save(folder: Path, data: bytes) -> Path:
    path = folder / "model.onnx"
    path.write_bytes(data)
    return path


# the file


def test_missing_file(tmp_path: Path) -> None:
    assert refusal(tmp_path / "no.onnx") == f"there is no file '{tmp_path}/no.onnx'. Check the path of the model."


def test_directory(tmp_path: Path) -> None:
    assert refusal(tmp_path) == f"'{tmp_path}' is a directory, not an ONNX file. Name the file in it."


def test_empty_file(tmp_path: Path) -> None:
    assert "is empty" in refusal(save(tmp_path, b""))


def test_random_bytes(tmp_path: Path) -> None:
    for seed in range(20):
        assert "ONNX" in refusal(save(tmp_path, random.Random(seed).randbytes(100_000)))


def test_truncated_file(tmp_path: Path) -> None:
    data = mlp().SerializeToString()
    for length in range(1, len(data), 97):
        with pytest.raises(ModelError):
            load_model(save(tmp_path, data[:length]))


def test_empty_protobuf(tmp_path: Path) -> None:
    assert "holds no ONNX graph" in refusal(save(tmp_path, onnx.ModelProto(ir_version=8).SerializeToString()))


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_unreadable_file(tmp_path: Path) -> None:
    path = save(tmp_path, b"x")
    path.chmod(0)
    assert "can't be read" in refusal(path)


@pytest.mark.parametrize("seed", range(4))
def test_damaged_files_never_escape_as_anything_else(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    originals = [
        mlp().SerializeToString(),
        cnn(residual=True).SerializeToString(),
        cnn(dialect="qcdq").SerializeToString(),
    ]
    for _ in range(60):
        data = bytearray(rng.choice(originals))
        for _ in range(rng.choice([1, 2, 8])):
            data[rng.randrange(len(data))] = rng.randrange(256)
        with contextlib.suppress(FlowcError):
            load_model(save(tmp_path, bytes(data)))


# names and connections


def test_cycle() -> None:
    net = Net([1, 4])
    y = net.relu(net.quant(net.x))
    net.nodes[-2].input[0] = y
    first, second = (node.name for node in net.nodes)
    assert refusal(net.model(y)) == (
        f"the graph has a cycle through '{first}', '{second}'. flowc compiles feed-forward networks."
    )


def test_nodes_in_any_order_are_sorted() -> None:
    model = cnn(residual=True)
    nodes = list(model.graph.node)[::-1]
    shuffled = onnx.ModelProto()
    shuffled.CopyFrom(model)
    del shuffled.graph.node[:]
    shuffled.graph.node.extend(nodes)
    assert len(load_model(shuffled).graph) == len(load_model(model).graph)


def test_output_defined_twice() -> None:
    net = Net([1, 4])
    y = net.relu(net.quant(net.x))
    net.nodes.append(helper.make_node("Relu", ["x"], [y], name="again"))
    assert refusal(net.model(y)) == f"node 'again': the name '{y}' is defined twice. T{EXPORT_AGAIN[1:]}."


@pytest.mark.parametrize("what", ["initializer", "graph input", "graph output"])
def test_duplicate_names(what: str) -> None:
    model = mlp()
    group = {
        "initializer": model.graph.initializer,
        "graph input": model.graph.input,
        "graph output": model.graph.output,
    }[what]
    group.append(group[0])
    assert refusal(model) == f"the {what} '{group[0].name}' is defined twice. T{EXPORT_AGAIN[1:]}."


def test_undefined_input() -> None:
    net = Net([1, 4])
    assert "its input 'ghost' is defined nowhere" in refusal(net.model(net.add(net.quant(net.x), "ghost")))


def test_output_of_no_node() -> None:
    assert "the model output 'ghost' is computed by no node" in refusal(Net([1, 4]).model("ghost"))


def test_names_that_are_not_text(tmp_path: Path) -> None:
    data = mlp().SerializeToString().replace(b"n_Relu", b"n_\xff\xfelu")
    assert "not text" in refusal(save(tmp_path, data))


def test_hostile_names_are_shown_harmlessly() -> None:
    net = Net([1, 4])
    name = "a\nb\x1b[31m\x00</script>../\"';drop"
    net.nodes.append(helper.make_node("LSTM", ["x"], ["y"], name=name))
    text = refusal(net.model("y"))
    assert "\x1b" not in text
    assert "\x00" not in text
    assert "a b [31m </script>../\"';drop" in text


def test_hostile_names_survive_in_the_graph() -> None:
    model = mlp()
    hostile = 'x"; rm -rf /; "\n../../<b>'
    first = model.graph.node[0].output[0]
    for node in model.graph.node:
        for names in (node.input, node.output):
            for index, name in enumerate(names):
                if name == first:
                    names[index] = hostile
    imported = load_model(model)
    assert any(hostile in (o.name or "") for n in imported.graph for o in n.outputs)
    assert all("\n" not in n.metadata_props["flowc.origin"] for n in imported.graph)


# tensors


def _with_weight(change: str) -> onnx.ModelProto:
    model = mlp()
    weight = next(t for t in model.graph.initializer if t.name.startswith("w_"))
    array = numpy_helper.to_array(weight).copy()
    array[0, 1] = {"nan": np.nan, "inf": -np.inf}[change]
    weight.CopyFrom(numpy_helper.from_array(array, weight.name))
    return model


def test_weights_that_are_nan() -> None:
    text = refusal(_with_weight("nan"))
    assert text.startswith("tensor 'w_")
    assert "contains NaN (1 of 96 values are not finite)" in text


def test_weights_that_are_infinite() -> None:
    assert "contains infinity (1 of 96 values" in refusal(_with_weight("inf"))


@pytest.mark.parametrize("where", ["initializer", "constant"])
def test_absurd_size_is_refused_before_allocation(where: str) -> None:
    net = Net([1, 4])
    huge = TensorProto(name="huge", data_type=TensorProto.FLOAT, dims=[2**20, 2**20])
    if where == "initializer":
        net.initializers.append(huge)
    else:
        net.nodes.append(helper.make_node("Constant", [], ["huge"], value=huge))
    text = refusal(net.model(net.add(net.quant(net.x), "huge")))
    assert "tensor 'huge' is declared with 1099511627776 elements" in text


@pytest.mark.parametrize("op", ["ConstantOfShape", "Expand", "Tile", "Range", "Gather", "Pad"])
def test_absurd_size_is_refused_before_it_is_computed(op: str) -> None:
    net = Net([1, 4])
    big = net.const(np.asarray([2**20, 2**20], np.int64))
    one = net.const(np.ones((1, 1), np.float32))
    if op == "ConstantOfShape":
        y = net.op(op, big)  # float zeros
    elif op == "Range":
        y = net.op(op, *(net.const(np.asarray(v, np.int64)) for v in (0, 2**40, 1)))
        y = net.op("Cast", y, to=TensorProto.FLOAT)
    elif op == "Gather":
        y = net.op(op, net.const(np.ones((1, 2**14), np.float32)), net.const(np.zeros(2**15, np.int64)))
    elif op == "Pad":
        y = net.op(op, one, net.const(np.asarray([0, 0, 2**20, 2**20], np.int64)))
    else:
        y = net.op(op, one, big)
    y = net.op("ReduceMax", y, keepdims=0)
    assert "elements; flowc handles up to" in refusal(net.model(net.add(net.quant(net.x), y)))


def test_data_shorter_than_the_shape() -> None:
    model = mlp()
    weight = next(t for t in model.graph.initializer if t.name.startswith("w_"))
    weight.raw_data = weight.raw_data[:-4]
    assert f"the data of tensor '{weight.name}' does not fit its declared shape" in refusal(model)


def test_negative_dimension() -> None:
    model = mlp()
    model.graph.initializer[0].dims.append(-1)
    assert "has a negative dimension" in refusal(model)


@pytest.mark.parametrize("kind", [TensorProto.FLOAT8E4M3FN, TensorProto.FLOAT16, TensorProto.STRING])
def test_element_types_without_arithmetic(kind: int) -> None:
    net = Net([1, 4])
    values: Any = [b"a"] if kind == TensorProto.STRING else [1.0]
    net.initializers.append(helper.make_tensor("t", kind, [1], values))
    assert "which flowc does not compute with" in refusal(net.model(net.add(net.quant(net.x), "t")))


# external data


def _external(folder: Path, location: str, data: bytes | None, **fields: str) -> Path:
    net = Net([1, 4])
    tensor = TensorProto(name="t", data_type=TensorProto.FLOAT, dims=[4], data_location=TensorProto.EXTERNAL)
    for key, value in {"location": location, **fields}.items():
        tensor.external_data.add(key=key, value=value)
    net.initializers.append(tensor)
    if data is not None:
        (folder / location).write_bytes(data)
    return save(folder, net.model(net.add(net.quant(net.x), "t")).SerializeToString())


def test_external_data_beside_the_model_is_read(tmp_path: Path) -> None:
    numbers = np.arange(6, dtype=np.float32)
    path = _external(tmp_path, "w.bin", numbers.tobytes(), offset="8", length="16")
    model = load_model(path)
    constant = next(v.const_value for v in model.graph.initializers.values() if v.name == "t")
    assert constant is not None
    assert np.array_equal(constant.numpy(), numbers[2:])


def test_external_data_missing(tmp_path: Path) -> None:
    assert "the data file 'w.bin' of tensor 't' is missing" in refusal(_external(tmp_path, "w.bin", None))


@pytest.mark.parametrize("location", ["../secret", "/etc/hostname", "a/../../secret", ""])
def test_external_data_outside_the_folder(tmp_path: Path, location: str) -> None:
    inner = tmp_path / "model"
    inner.mkdir()
    (tmp_path / "secret").write_bytes(bytes(16))
    text = refusal(_external(inner, location, None))
    assert "outside the model's folder" in text


def test_external_data_behind_a_link(tmp_path: Path) -> None:
    inner = tmp_path / "model"
    inner.mkdir()
    (tmp_path / "secret").write_bytes(bytes(16))
    (inner / "w.bin").symlink_to(tmp_path / "secret")
    assert "outside the model's folder" in refusal(_external(inner, "w.bin", None))


def test_external_data_too_short(tmp_path: Path) -> None:
    assert "is too short" in refusal(_external(tmp_path, "w.bin", bytes(8), length="16"))
    assert "does not fit" in refusal(_external(tmp_path, "w.bin", bytes(8)))
    assert "is malformed" in refusal(_external(tmp_path, "w.bin", bytes(16), offset="two"))


@pytest.mark.parametrize(("budget", "fits"), [(32, True), (31, False)])
def test_external_data_in_total(tmp_path: Path, budget: int, fits: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two tensors that name the same bytes of a file count twice: what is bounded is memory."""
    path = _external(tmp_path, "w.bin", bytes(16))
    model = onnx.load(path, load_external_data=False)
    again = model.graph.initializer.add()
    again.CopyFrom(next(t for t in model.graph.initializer if t.external_data))
    again.name = "again"
    path.write_bytes(model.SerializeToString())
    monkeypatch.setattr("flowc.importer.read._MOST_EXTERNAL", budget)
    if fits:
        load_model(path)
    else:
        assert "the external data of the model is more than 31 bytes, with that of tensor 'again'" in refusal(path)


def test_external_data_of_an_object(tmp_path: Path) -> None:
    model = onnx.load(_external(tmp_path, "w.bin", bytes(16)), load_external_data=False)
    assert "which a model given as an object does not carry" in refusal(model)


# inputs, operator set, quantizers


@pytest.mark.parametrize("shape", [[1, 3, "height", 8], [1, 3, 0, 8]])
def test_dynamic_spatial_dimension(shape: list[int | str]) -> None:
    net = Net(shape)
    name = shape[2] or "?"
    assert refusal(net.model(net.quant(net.x))) == (
        f"the input 'x' has the dynamic dimension '{name}' (axis 2); hardware is built for one size, only the batch "
        "may vary. Export the model with static height, width and channels."
    )


def test_input_without_batch() -> None:
    net = Net([4])
    assert "needs at least two dimensions" in refusal(net.model(net.quant(net.x)))


def test_input_of_another_type() -> None:
    net = Net([1, 4])
    net.inputs[0].type.tensor_type.elem_type = TensorProto.DOUBLE
    assert "the input 'x' is double" in refusal(net.model(net.quant(net.x)))


def test_model_without_input() -> None:
    net = Net([1, 4])
    net.inputs.clear()
    assert "has no input" in refusal(net.model(net.quant(net.const(np.ones((1, 4))))))


@pytest.mark.parametrize(("opset", "remedy"), [(8, "opset 13 or later"), (99, "opset 20")])
def test_operator_set_out_of_range(opset: int, remedy: str) -> None:
    text = refusal(Net([1, 4], opset=opset).model("x"))
    assert f"operator set {opset}; flowc reads 9 to 23" in text
    assert remedy in text


def test_no_operator_set() -> None:
    model = mlp()
    del model.opset_import[:]
    assert "which ONNX operator set" in refusal(model)


def test_model_without_quantizers() -> None:
    net = Net([1, 4])
    text = refusal(net.model(net.op("MatMul", net.x, net.const(np.ones((4, 2))))))
    assert text.startswith("no quantized layer: the model computes in floats throughout. ")
    assert "Brevitas" in text


def test_shapes_that_contradict() -> None:
    net = Net([1, 4])
    text = refusal(net.model(net.op("MatMul", net.quant(net.x), net.const(np.ones((5, 2))))))
    assert text.startswith("the shapes in the model contradict each other")


# operators


def test_all_unsupported_operators_are_listed_at_once() -> None:
    net = Net([1, 4])
    x = net.quant(net.x)
    x = net.op("If", x)
    x = net.op("DynamicQuantizeLinear", x)
    x = net.op("XnorPopcountMatMul", x, domain="finn.custom_op.general")
    x = net.op("Wonder", net.op("NoSuchOp", x), domain="my.domain")
    with pytest.raises(UnsupportedError) as caught:
        load_model(net.model(x))
    offences = caught.value.offences
    assert [o.op for o in offences] == [
        "If", "DynamicQuantizeLinear", "finn.custom_op.general::XnorPopcountMatMul", "NoSuchOp", "my.domain::Wonder",
    ]  # fmt: skip
    assert str(caught.value).startswith(
        f"5 unsupported nodes: '{offences[0].node}' (If): control flow is not supported; "
    )
    assert "unknown to flowc, in domain 'my.domain'" in str(caught.value)


@pytest.mark.parametrize(
    ("op", "reason"),
    [
        ("Loop", "control flow"), ("Scan", "control flow"),
        ("If", "control flow"), ("Attention", "attention"), ("DynamicQuantizeLinear", "computed at run time"),
        ("RandomNormalLike", "random"),
    ],
)  # fmt: skip
def test_operators_refused_by_name(op: str, reason: str) -> None:
    net = Net([1, 4])
    assert reason in refusal(net.model(net.op(op, net.quant(net.x))))


def test_float8_quantizers_are_refused_by_name() -> None:
    net = Net([1, 4], opset=21)
    net.initializers.append(helper.make_tensor("z", TensorProto.FLOAT8E4M3FN, [], [0.0]))
    assert "FP8" in refusal(net.model(net.op("QuantizeLinear", net.x, net.const(1.0), "z")))
    net = Net([1, 4])
    assert "FP8" in refusal(net.model(net.op("FloatQuant", net.x, domain=net.domain)))


def test_functions_are_refused_with_the_remedy() -> None:
    net = Net([1, 4])
    model = net.model(net.op("Mine", net.quant(net.x), domain="local"))
    body = helper.make_node("Relu", ["a"], ["b"])
    model.functions.append(helper.make_function("local", "Mine", ["a"], ["b"], [body], [helper.make_opsetid("", 17)]))
    assert "onnx.inliner.inline_local_functions" in refusal(model)
