"""``flowc info``: of models that can be compiled, and of those that can't."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx

from tests.cli.helpers import Run, tree
from tests.netbuild import Net


def test_info(run: Run, model: Path) -> None:
    found = run("info", model, "--json").document
    assert found["macs"] == 8 * 8 * 4 * 2 * 9 + 4 * 4 * 4 * 4 * 9 + 64 * 5
    assert "MACs" in run("info", model).out
    assert tree(Path()) == []


def test_info_of_a_model_that_cannot_be_compiled(run: Run, tmp_path: Path) -> None:
    net = Net([1, 2, 8, 8])
    x = net.quant(net.relu(net.conv(net.x, 2, 4)), 0.1, bits=4, signed=False)
    x = net.op("CumSum", net.relu(net.conv(x, 4, 4)), net.const(np.array(1)))
    onnx.save(net.model(net.linear(net.flatten(net.quant(x, 0.1)), 64, 5)), tmp_path / "bad.onnx")
    done = run("info", tmp_path / "bad.onnx", "--json")
    assert done.code == 2
    assert done.err.startswith("flowc: error: ")
    found = done.document
    assert found["compiles"] is False
    assert found["reason"] in done.err
    nodes = {node["op"]: node for node in found["nodes"] if node["op"] != "Conv"}
    first, second = (node for node in found["nodes"] if node["op"] == "Conv")
    assert first["refused"] == "its input is not quantized"
    assert (first["macs"], first["weights"], first["weight_bits"]) == (36 * 4 * 2 * 9, 72, 4)
    assert (second["became"], second["refused"]) == ("window + mvtu", None)
    assert (second["weight_bits"], second["input_bits"]) == (4, 4)
    assert second["bops"] == 16 * 4 * 36 * (4 * 4 + 4 + 4 + 6)
    assert nodes["CumSum"]["refused"] is not None
    assert nodes["Gemm"]["became"] == "mvtu"
    assert found["macs"] == 36 * 4 * 18 + 16 * 4 * 36 + 64 * 5
    assert found["weights"] == 72 + 144 + 320
    table = run("info", tmp_path / "bad.onnx")
    assert "refused: its input is not quantized" in table.out


def test_info_says_nothing_of_what_a_layer_lacked_before_its_quantizers_came(run: Run, tmp_path: Path) -> None:
    net = Net([1, 2, 8, 8])
    pooled = net.op("AveragePool", net.quant(net.x, 0.25, bits=4), kernel_shape=[8, 8])
    onnx.save(net.model(net.linear(net.flatten(pooled), 2, 5)), tmp_path / "waits.onnx")
    done = run("info", tmp_path / "waits.onnx")
    assert "mvtu" in done.out
    assert "not quantized" not in done.out
