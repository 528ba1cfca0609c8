"""The path from a model to its parts: head, accelerator, tail, reference, and what is said about each node."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import onnx
import pytest

from flowc.errors import ModelError, UnsupportedError
from flowc.model.input_type import InputType
from flowc.streamline.compile import compile_model, explanations
from flowc.streamline.stages import Stages
from flowc.units import Mvtu
from tests.compare import check_model, inputs_for
from tests.netbuild import Net, cnn, mlp
from tests.oracle import reference_integers, run_onnxruntime

F = np.float32


def test_parts_of_a_plain_network() -> None:
    checked = check_model(mlp())
    c = checked.compiled
    assert c.name == "net"
    assert c.head is not None  # quantizing the float input
    assert c.tail is not None  # scaling the logits
    assert [u.kind for u in c.graph] == ["input", "mvtu", "mvtu", "output"]
    assert set(c.inputs) == {"x"}
    assert c.inputs["x"].shape == (12,)
    assert [np.dtype(d) for d in c.outputs.values()] == [np.float32]
    assert set(c.seconds) == {"import", "streamline", "lower"}
    assert checked.compared > 0


def test_identity_of_files_and_models(tmp_path: Path) -> None:
    model = mlp()
    path = tmp_path / "some.net.onnx"
    onnx.save(model, path)
    from_file = compile_model(path)
    assert from_file.name == "some.net"
    assert from_file.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert compile_model(str(path)).sha256 == from_file.sha256
    in_memory = compile_model(model)
    assert in_memory.name == "net"
    assert len(in_memory.sha256) == 64


def test_the_reference_is_the_model() -> None:
    """Its integers are those of the model with every quantizer written out by hand, and all of them are outputs."""
    model = cnn(residual=True)
    c = compile_model(model)
    inputs = inputs_for(c, 3)
    wanted = reference_integers(model, inputs)
    found = run_onnxruntime(c.reference, inputs)
    for name, values in wanted.items():
        if name.endswith("/q"):
            np.testing.assert_array_equal(found[name], values)
        else:
            np.testing.assert_allclose(found[name], values, rtol=1e-5, atol=1e-5)
    assert sum(name.endswith("/q") for name in wanted) == 4
    assert {a.reference for a in c.accumulators} <= set(found)
    assert all(n.domain in ("", "ai.onnx") for n in c.reference.graph.node)


def test_accumulators_are_what_the_reference_computes() -> None:
    c = compile_model(mlp())
    (acc,) = c.accumulators
    assert acc.scale.dtype == np.float64
    inputs = inputs_for(c, 5)
    reference = run_onnxruntime(c.reference, inputs)
    exact = reference[acc.reference] / acc.scale + acc.zero
    np.testing.assert_allclose(exact, np.rint(exact), atol=1e-3)


def test_stages_are_observed_in_order() -> None:
    seen: list[str] = []
    names: list[str] = []
    compile_model(cnn(residual=True), observer=lambda stage, model: seen.append(stage), progress=names.append)
    assert seen[0] == "import"
    assert {"integer_products", "fold_activations"} <= set(seen)
    assert seen.index("integer_products") < seen.index("fold_activations")
    assert names == ["import", "streamline", "lower"]


@pytest.mark.parametrize("model", [mlp(), cnn(residual=True)], ids=["mlp", "cnn"])
def test_every_stage_computes_the_same(model: onnx.ModelProto) -> None:
    stages = Stages(keep=True, check=True)
    compile_model(model, observer=stages.observe)
    assert len(stages.models) >= 3
    inputs = {"x": inputs_for(compile_model(model), 2)["x"]}
    results = [run_onnxruntime(stage, inputs) for _, stage in stages.models]
    (name,) = [o.name for o in model.graph.output]
    for found in results[1:]:
        np.testing.assert_allclose(found[name], results[0][name], rtol=1e-4, atol=1e-5)


def test_every_node_is_explained() -> None:
    model = cnn(residual=True)
    lines = explanations(compile_model(model))
    told = {node for node, _ in lines}
    text = "\n".join(f"{node}: {became}" for node, became in lines)
    for node in model.graph.node:
        if node.op_type in ("Conv", "Gemm", "MaxPool", "Add", "BatchNormalization", "Relu"):
            assert node.name in told, node.name
    assert "mvtu" in text
    assert "host" in text


def test_shapes_and_orders_of_tensors() -> None:
    c = compile_model(cnn())
    for unit in (*c.graph.inputs, *c.graph.outputs):
        assert c.ports[unit.name].shape[0] == 1
        assert int(np.prod(c.ports[unit.name].shape)) == unit.frame.elements
    for info in c.tensors.values():
        x = np.random.default_rng(0).integers(0, 99, (2, *info.shape))
        flat = (1, 1, int(np.prod(info.shape)))
        np.testing.assert_array_equal(info.from_stream(info.to_stream(x, flat)), x)


def test_a_float_input_needs_a_type_or_stays_on_the_host() -> None:
    net = Net([1, 3, 6, 6])
    y = net.quant(net.relu(net.conv(net.x, 3, 4)), 0.317, signed=False)
    model = net.model(net.linear(net.flatten(y), 64, 5))
    host = compile_model(model)
    assert sum(isinstance(u, Mvtu) for u in host.graph) == 1
    typed = check_model(model, input_type=InputType(8, False, 1 / 255))
    assert sum(isinstance(u, Mvtu) for u in typed.compiled.graph) == 2


def test_models_without_quantized_layers() -> None:
    net = Net([1, 4])
    with pytest.raises(ModelError, match="no quantized layer"):
        compile_model(net.model(net.op("MatMul", net.x, net.const(np.eye(4)))))
    net = Net([1, 4])
    with pytest.raises(ModelError, match="no quantized layer"):
        compile_model(net.model(net.relu(net.quant(net.x))))


def test_all_offending_nodes_at_once() -> None:
    net = Net([1, 4, 6, 6])
    x = net.quant(net.x, 0.3)
    scales = np.random.default_rng(0).uniform(0.2, 0.4, (1, 9, 1, 1)).astype(F)
    y = net.conv(net.quant(net.conv(x, 4, 9), scales), 9, 4)
    z = net.conv(net.quant(net.conv(x, 4, 9), scales), 9, 4)
    model = net.model(net.quant(y, 0.4), net.quant(z, 0.4))
    with pytest.raises(UnsupportedError) as caught:
        compile_model(model)
    convolutions = [n.name for n in model.graph.node if n.op_type == "Conv"]
    assert {o.node for o in caught.value.offences} == {convolutions[1], convolutions[3]}
    assert all("unrelated scales" in o.reason for o in caught.value.offences)


def test_models_are_not_changed() -> None:
    model = cnn()
    before = model.SerializeToString(deterministic=True)
    compile_model(model)
    assert model.SerializeToString(deterministic=True) == before


def test_compilation_is_deterministic() -> None:
    from flowc.dataflow.serialize import dataflow_to_json

    (first, a), (second, b) = (dataflow_to_json(compile_model(cnn(residual=True)).graph) for _ in range(2))
    assert first == second
    assert all(np.array_equal(a[k], b[k]) for k in a)
