"""Reading samples: what numpy writes is read back equal; everything else is refused with its name."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from flowc.errors import UsageError
from flowc.files.dataset import read_samples
from flowc.files.npz import InputSpec, check_inputs, write_outputs

SPEC = {"global_in": InputSpec((2, 3), np.float32)}
RNG = np.random.default_rng(0)


def sample(batch: int = 4) -> np.ndarray:
    return RNG.standard_normal((batch, 2, 3)).astype(np.float32)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("name", ["global_in", "x"])
@pytest.mark.parametrize("batch", [1, 7])
def test_arrays_are_read_as_they_were_saved(tmp_path: Path, save, name: str, batch: int) -> None:
    x = sample(batch)
    save(tmp_path / "in.npz", **{name: x}, labels=np.arange(3))
    read = read_samples(tmp_path / "in.npz", SPEC)
    assert list(read) == ["global_in"]
    assert np.array_equal(read["global_in"], x)


def test_two_inputs_and_byte_orders(tmp_path: Path) -> None:
    spec = {"a/b": InputSpec((2, 3), np.float32), "n": InputSpec((), np.int8)}
    x, n = sample(5), np.arange(5, dtype=np.int8)
    np.savez(tmp_path / "in.npz", **{"a/b": x.astype(">f4"), "n": n})
    read = read_samples(tmp_path / "in.npz", spec)
    assert np.array_equal(read["a/b"], x)
    assert read["a/b"].dtype == np.float32
    assert np.array_equal(read["n"], n)


def refused(path: Path, spec=SPEC) -> str:
    with pytest.raises(UsageError) as caught:
        read_samples(path, spec)
    return str(caught.value)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"y": sample()}, "lacks the array 'global_in' (or 'x'); it holds 'y'"),
        ({}, "lacks the array 'global_in' (or 'x'); it holds nothing"),
        ({"x": sample().astype(np.float64)}, "has dtype float64, must be float32. Convert it: x.astype('float32')"),
        ({"x": np.zeros((4, 2, 3), np.uint8)}, "has dtype uint8, must be float32"),
        ({"x": np.zeros((4, 3, 2), np.float32)}, "has shape (4, 3, 2), must be (N, 2, 3) for any batch N"),
        (
            {"x": sample()[0]},
            "must be (N, 2, 3) for any batch N. For a single sample, add the batch dimension: x[None]",
        ),
        ({"x": np.float32(1)}, "has shape (), must be (N, 2, 3)"),
        ({"x": sample(0)}, "holds no sample"),
        ({"x": np.full((3, 2, 3), np.nan, np.float32)}, "holds NaN, first in sample 0"),
        ({"x": np.array([[object()]])}, "holds Python objects, which flowc does not unpickle"),
        ({"x": np.array(["a", "b"])}, "has dtype <U1, must be float32"),
    ],
)
def test_wrong_arrays(tmp_path: Path, arrays: dict[str, np.ndarray], message: str) -> None:
    np.savez(tmp_path / "in.npz", **arrays)
    assert message in refused(tmp_path / "in.npz")


def test_nan_is_found_in_its_sample(tmp_path: Path) -> None:
    x = sample(6)
    x[4, 1, 2] = np.nan
    np.savez(tmp_path / "in.npz", x=x)
    assert "first in sample 4" in refused(tmp_path / "in.npz")


def test_batches_must_agree(tmp_path: Path) -> None:
    spec = {"a": InputSpec((1,), np.float32), "b": InputSpec((1,), np.float32)}
    np.savez(tmp_path / "in.npz", a=np.zeros((2, 1), np.float32), b=np.zeros((3, 1), np.float32))
    assert "hold different numbers of samples: 'a' has 2, 'b' has 3" in refused(tmp_path / "in.npz", spec)
    with pytest.raises(UsageError, match="lacks the array 'b'"):
        check_inputs({"a": np.zeros((2, 1), np.float32)}, spec)


def test_files_that_are_no_npz(tmp_path: Path) -> None:
    assert "No such file" in refused(tmp_path / "none.npz")
    assert "cannot read the file" in refused(tmp_path)
    (tmp_path / "text.npz").write_text("not a zip")
    assert "is not an .npz or .npy file" in refused(tmp_path / "text.npz")
    with zipfile.ZipFile(tmp_path / "in.npz", "w") as archive:
        archive.writestr("x.npy", b"no magic")
    assert "'x' in" in refused(tmp_path / "in.npz")
    assert "is not a numpy array" in refused(tmp_path / "in.npz")


def test_a_header_that_promises_more_than_there_is(tmp_path: Path) -> None:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f4", "fortran_order": False, "shape": (10**12, 2, 3)})
    with zipfile.ZipFile(tmp_path / "in.npz", "w") as archive:
        archive.writestr("x.npy", header.getvalue() + b"\0" * 24)
    assert "does not hold as much data as its header says" in refused(tmp_path / "in.npz")


def test_damaged_archives_are_refused_or_read_right(tmp_path: Path) -> None:
    x = sample(3)
    np.savez_compressed(tmp_path / "good.npz", x=x)
    data = (tmp_path / "good.npz").read_bytes()
    for position in range(0, len(data), 3):
        broken = bytearray(data)
        broken[position] ^= 0x55
        (tmp_path / "bad.npz").write_bytes(broken)
        try:
            read = read_samples(tmp_path / "bad.npz", SPEC)
        except UsageError:
            continue
        assert np.array_equal(read["global_in"], x)


def test_outputs_come_back_equal(tmp_path: Path) -> None:
    arrays = {"file": sample(2), "a/b": np.arange(4, dtype=np.int64), "logits.npy": np.float32([1, 2])}
    write_outputs(tmp_path / "out", arrays)
    with np.load(tmp_path / "out") as read:
        assert sorted(read.files) == sorted(["file", "a/b", "logits.npy"])
        for name, array in arrays.items():
            stored = name if name in read.files else name + ".npy"
            assert np.array_equal(read[stored], array)
            assert read[stored].dtype == array.dtype
    assert [entry.name for entry in tmp_path.iterdir()] == ["out"]


def test_outputs_that_cannot_be_written(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "no" / "out.npz"):
        with pytest.raises(UsageError, match="cannot write"):
            write_outputs(path, {"y": sample()})
    with pytest.raises(UsageError, match="cannot write"):
        write_outputs(tmp_path / "out.npz", {"y": np.array([object()])})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "header",
    [
        b"{[]: 1}",
        b"{'descr': '<f4', 'fortran_order': False, 'shape': (3, -3)}",
        b"{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (3,)}",
        b"{'descr': {}, 'fortran_order': False, 'shape': (3,)}",
        b"{'descr': '<f4', 'fortran_order': False, 'shape': (" + b"9" * 4400 + b",)}",
        b"(" * 5000,
        b"-" * 5000 + b"1",
        b"'" * 3,
        b"\n  1\n 2",
        b"\xff\xfe",
        b"",
    ],
)
@pytest.mark.parametrize("version", [b"\x01\x00", b"\x02\x00", b"\x03\x00", b"\x09\x09"])
def test_odd_headers_are_refused(tmp_path: Path, header: bytes, version: bytes) -> None:
    length = len(header).to_bytes(2 if version[0] == 1 else 4, "little")
    with zipfile.ZipFile(tmp_path / "in.npz", "w") as archive:
        archive.writestr("x.npy", b"\x93NUMPY" + version + length + header + b"\0" * 24)
    assert "'x' in " in refused(tmp_path / "in.npz")
