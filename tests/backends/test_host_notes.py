"""What stays on the host and needs onnxruntime is said, and is a warning where the board can't have it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from click.testing import CliRunner

import flowc
from flowc.cli import cli
from flowc.errors import InfeasibleError
from tests.netbuild import Net


def model(op: str) -> onnx.ModelProto:
    net = Net([1, 6])
    y = net.linear(net.quant(net.x, 0.1), 6, 4)
    return net.model(net.op(op, y, *([net.const(np.array(1))] if op == "CumSum" else [])))


def test_a_tail_that_numpy_computes_needs_nothing() -> None:
    report = flowc.build(model("Relu"), "pynq-z2", strict=True).report
    assert not any("onnxruntime there" in note for note in report["notes"])


def test_on_a_64_bit_board_it_is_a_note(tmp_path: Path) -> None:
    report = flowc.build(model("CumSum"), "ultra96", strict=True, output=tmp_path / "d").report
    assert "the model's tail stays on the host, and needs onnxruntime there for CumSum" in report["notes"]
    assert "`pip install onnxruntime` on the board" in (tmp_path / "d" / "driver" / "README.md").read_text()


def test_on_a_32_bit_board_it_is_a_warning(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    onnx.save(model("CumSum"), path)
    arguments = ["build", str(path), "--target", "pynq-z2", "-o", str(tmp_path / "d")]
    found = CliRunner().invoke(cli, arguments)
    assert found.exit_code == 0
    assert "flowc: warning: the model's tail stays on the host, and needs onnxruntime there for CumSum" in found.stderr
    assert "no build for the 32-bit processor of pynq-z2" in (tmp_path / "d" / "driver" / "README.md").read_text()


def test_strict_refuses_it(tmp_path: Path) -> None:
    with pytest.raises(InfeasibleError, match="no build for the 32-bit processor of pynq-z2"):
        flowc.build(model("CumSum"), "pynq-z2", strict=True, output=tmp_path / "d")
    assert not (tmp_path / "d").exists()
