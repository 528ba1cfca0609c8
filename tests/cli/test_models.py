"""Models that can't be compiled, met by every command that takes one."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from tests.cli.helpers import Run, refused, tree
from tests.netbuild import Net, cnn


def unquantized() -> onnx.ModelProto:
    net = Net([1, 6])
    weights = net.const(np.ones((6, 4), np.float32))
    return net.model(net.op("MatMul", net.x, weights))


def with_nan() -> onnx.ModelProto:
    network = cnn()
    for tensor in network.graph.initializer:
        if tensor.name.startswith("w_"):
            weights = numpy_helper.to_array(tensor).copy()
            weights.flat[0] = np.nan
            tensor.CopyFrom(numpy_helper.from_array(weights, tensor.name))
            break
    return network


def unsupported() -> onnx.ModelProto:
    net = Net([1, 6])
    x = net.quant(net.op("Einsum", net.x, equation="ij->ij"), 0.1)
    return net.model(net.quant(net.op("CumSum", net.linear(x, 6, 4), net.const(np.array(1))), 0.1))


def dynamic() -> onnx.ModelProto:
    net = Net([1, 2, "height", "width"])
    return net.model(net.conv(net.quant(net.x), 2, 4))


BAD_MODELS: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "is empty"),
    "random": (random.Random(0).randbytes(100_000), "ONNX"),
    "truncated": (cnn().SerializeToString()[:-200], "ONNX"),
    "unquantized": (unquantized().SerializeToString(), "Brevitas"),
    "nan": (with_nan().SerializeToString(), "w_"),
    "unsupported": (unsupported().SerializeToString(), "2 unsupported nodes: "),
    "dynamic": (dynamic().SerializeToString(), "height"),
}


READABLE = ("unquantized", "nan", "unsupported", "dynamic")
"""Models of which ``flowc info`` can still say what they hold."""


@pytest.mark.parametrize("command", ["build", "estimate", "info"])
@pytest.mark.parametrize("kind", BAD_MODELS)
def test_bad_models(run: Run, tmp_path: Path, command: str, kind: str) -> None:
    data, message = BAD_MODELS[kind]
    path = tmp_path / "bad.onnx"
    path.write_bytes(data)
    options = [] if command == "info" else ["--target", "ultra96"]
    done = run(command, path, *options)
    if command == "info" and kind in READABLE:
        assert done.code == 2
        assert "can't be compiled" in done.out
        done = replace(done, out="")
    assert message in refused(done)
    assert tree(Path()) == []


def test_a_missing_model_and_a_directory(run: Run, tmp_path: Path) -> None:
    assert "there is no file" in refused(run("build", tmp_path / "no.onnx", "--target", "ultra96"))
    assert "is a directory" in refused(run("build", tmp_path, "--target", "ultra96"))
    assert tree(Path()) == []
