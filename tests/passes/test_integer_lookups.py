"""Embeddings: rows of a quantized table, picked in hardware, against onnxruntime."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto

from flowc.api import build
from flowc.errors import MismatchError
from flowc.streamline.compile import compile_model, explanations
from tests.netbuild import Net
from tests.oracle import run_onnxruntime, standard_form


def embedding(
    rows: int, width: int, length: int, *, kind: int = TensorProto.INT64, scale: object = 0.125
) -> onnx.ModelProto:
    """Indices (N, length) -> rows of a table -> a convolution along them -> a linear layer."""
    net = Net([1, length])
    net.inputs[0].type.tensor_type.elem_type = kind
    table = net.const(net.rng.normal(0, 0.5, (rows, width)).astype(np.float32), "table")
    y = net.op("Gather", net.quant(table, scale, bits=4), net.x, axis=0)
    y = net.op("Conv", net.op("Transpose", y, perm=[0, 2, 1]), net.weight([5, width, 3]), kernel_shape=[3])
    y = net.quant(net.op("Relu", y), 0.25, signed=False, bits=4)
    return net.model(net.linear(net.flatten(y), 5 * (length - 2), 3))


@pytest.mark.parametrize(
    ("rows", "width", "length", "kind"),
    [(10, 4, 6, TensorProto.INT64), (1, 3, 3, TensorProto.INT32), (300, 8, 5, TensorProto.INT64)],
)
def test_rows_are_looked_up_in_hardware(rows: int, width: int, length: int, kind: int) -> None:
    model = embedding(rows, width, length, kind=kind)
    design = build(model, "ultra96", verify=False)
    assert [u.kind for u in design.graph][:2] == ["input", "lookup"]
    dtype = np.int64 if kind == TensorProto.INT64 else np.int32
    x = np.random.default_rng(1).integers(-rows, rows, (20, length)).astype(dtype)
    assert x.min() < 0, "negative indices count from the end"
    assert design.verify(x)["mismatches"] == 0
    wanted = run_onnxruntime(standard_form(model), {"x": x})
    np.testing.assert_allclose(design.run(x), next(iter(wanted.values())), rtol=1e-5, atol=1e-6)


def test_a_scale_per_column() -> None:
    model = embedding(10, 4, 6, scale=np.array([[0.125, 0.25, 0.5, 0.125]]))
    design = build(model, "ultra96", verify=False)
    assert "lookup" in {u.kind for u in design.graph}
    assert design.verify(np.random.default_rng(2).integers(0, 10, (20, 6)))["mismatches"] == 0


def test_a_table_behind_quantized_layers_stays_on_the_host() -> None:
    net = Net([1, 6])
    picked = net.op("ArgMax", net.linear(net.quant(net.x, 0.25), 6, 5), axis=1, keepdims=0)
    table = net.const(net.rng.normal(0, 0.5, (5, 4)).astype(np.float32), "table")
    model = net.model(net.op("Gather", net.quant(table, 0.125, bits=4), picked, axis=0))
    design = build(model, "ultra96", verify=False)
    assert design.tail is not None
    x = np.random.default_rng(2).normal(0, 1, (30, 6)).astype(np.float32)
    wanted = run_onnxruntime(standard_form(model), {"x": x})
    np.testing.assert_array_equal(design.run(x), next(iter(wanted.values())))


def test_a_wrong_row_is_found() -> None:
    design = build(embedding(10, 4, 6), "ultra96", verify=False)
    unit = next(u for u in design.graph if u.kind == "lookup")
    table = unit.table.copy()
    table[3] += np.where(table[3] < 7, 1, -1)
    design.plan.graph = design.graph.with_units({unit.name: unit.with_(table=table)})
    with pytest.raises(MismatchError):
        design.verify(np.full((4, 6), 3, np.int64))


@pytest.mark.slow
def test_the_generated_code_agrees(tmp_path: Path) -> None:
    found = build(embedding(10, 4, 6), "ultra96", output=tmp_path / "out", csim=True).report["csim"]
    assert found["mismatches"] == 0


def test_a_scale_per_row_stays_on_the_host_and_says_why() -> None:
    model = embedding(10, 4, 6, scale=np.linspace(0.1, 0.2, 10).reshape(10, 1))
    compiled = compile_model(model)
    assert "lookup" not in {u.kind for u in compiled.graph}
    assert any("varies from row to row" in text for _, text in explanations(compiled))
