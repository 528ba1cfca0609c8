"""Designs whose files were changed: refused, or found by verification; nothing is dropped in silence."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from flowc.api import build
from flowc.design.design import load
from flowc.errors import MismatchError, UsageError
from tests.netbuild import Net


def two_outputs() -> onnx.ModelProto:
    """An integer that leaves the accelerator as it is, and one that a float tail follows."""
    net = Net([1, 6])
    hidden = net.quant(net.relu(net.linear(net.quant(net.x, 0.25), 6, 5)), 0.5, signed=False)
    plain = net.linear(hidden, 5, 4)
    return net.model(plain, net.linear(hidden, 5, 3, bias=True))


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("design") / "saved"
    build(two_outputs(), "ultra96", output=folder, verify=False)
    return folder


@pytest.fixture
def copy(saved: Path, tmp_path: Path) -> Path:
    shutil.copytree(saved, tmp_path / "copy")
    return tmp_path / "copy"


def edit(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    path = folder / "design.json"
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


def drop(name: str) -> Callable[[dict[str, Any]], object]:
    return lambda document: document[name].pop(next(reversed(document[name])))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (drop("outputs"), "is made and not used"),
        (drop("inputs"), "are not those of the reference"),
        (drop("ports"), "ports are described as"),
        (lambda d: d["outputs"].update(y="float32"), "are not those of the reference"),
        (lambda d: d["host"].update(tail=False), "which nothing makes"),
        (lambda d: d["host"].update(head=False), "which nothing makes"),
        (lambda d: d["accumulators"][0].update(reference="nothing"), "is nothing in the reference"),
        (lambda d: d["sampling"].update(x=[0.0, 1.0, -1.0]), "the range of input 'x'"),
        (lambda d: d["sampling"].update(x=[0.0, 1e400, None]), "the range of input 'x'"),
        (lambda d: d["target"].update(lut=10**400), "'lut' is"),
        (lambda d: d["target"].update(colour="green"), "unknown key 'colour'"),
        (lambda d: d.update(schema=99), "of a schema that this version does not read"),
        (lambda d: d.update(execution="dreaming"), "not a complete flowc design"),
        (lambda d: d.clear(), "of a schema that this version does not read"),
    ],
)
def test_contradictions_are_refused(copy: Path, change: Callable[[dict[str, Any]], object], message: str) -> None:
    edit(copy, change)
    with pytest.raises((UsageError, MismatchError)) as caught:
        load(copy).verify(samples=1)
    assert message in str(caught.value)
    assert caught.value.exit_code == 2


def test_every_described_tensor_that_goes_missing_is_missed(copy: Path) -> None:
    names = list(json.loads((copy / "design.json").read_text())["tensors"])
    reference = {o.name for o in onnx.load(copy / "reference.onnx").graph.output}
    for name in set(names) & reference:
        whole = (copy / "design.json").read_text()
        edit(copy, lambda d, name=name: d["tensors"].pop(name))
        with pytest.raises(UsageError, match="of a stream is not described"):
            load(copy)
        (copy / "design.json").write_text(whole)


def test_every_constant_of_the_tail_counts(copy: Path) -> None:
    """Scales and biases behind the accelerator: a change that moves an output is found."""
    whole = onnx.load(copy / "tail.onnx")
    inputs = load(copy).samples(2, 3)
    right = load(copy).run(inputs)
    assert whole.graph.initializer
    for i, tensor in enumerate(whole.graph.initializer):
        changed = onnx.ModelProto()
        changed.CopyFrom(whole)
        array = numpy_helper.to_array(tensor) * 1.01 + 0.01
        changed.graph.initializer[i].CopyFrom(
            numpy_helper.from_array(array.astype(numpy_helper.to_array(tensor).dtype), tensor.name)
        )
        onnx.save(changed, copy / "tail.onnx")
        damaged = load(copy)
        given = damaged.run(inputs)
        if any(not np.allclose(given[n], right[n], rtol=1e-5, atol=1e-5) for n in right):
            with pytest.raises(MismatchError):
                damaged.verify(inputs)


@pytest.mark.parametrize(
    "name", ["design.json", "report.json", "weights.npz", "reference.onnx", "head.onnx", "tail.onnx"]
)
@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"\xff" * 100, b"[" * 100_000, b"PK\x05\x06" + b"\0" * 18])
def test_files_that_are_something_else(copy: Path, name: str, content: bytes) -> None:
    (copy / name).write_bytes(content)
    with pytest.raises(UsageError, match="not a complete flowc design|holds no design"):
        load(copy)


def test_a_file_that_is_not_there_or_endless(copy: Path) -> None:
    (copy / "weights.npz").unlink()
    with pytest.raises(UsageError, match="cannot read the file '.*weights.npz': No such file"):
        load(copy)
    (copy / "report.json").unlink()
    (copy / "report.json").symlink_to("/dev/zero")
    with pytest.raises(UsageError, match="report.json '.*' is larger than"):
        load(copy)


def test_a_sound_design_is_loaded(copy: Path) -> None:
    design = load(copy)
    assert design.verify(samples=2)["mismatches"] == 0
