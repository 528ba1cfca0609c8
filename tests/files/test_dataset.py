"""Data sets in chunks: what is read and written is what numpy reads and writes whole."""

from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest

from flowc.cli.running import Accuracy
from flowc.errors import UsageError
from flowc.files import dataset
from flowc.files.dataset import Gathered, open_dataset, read_labels, read_samples
from flowc.files.npz import InputSpec

SPEC = {"x": InputSpec((3, 2), "float32")}


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dataset, "_MOST_CHUNK", 4)


def samples(count: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(count, 3, 2)).astype(np.float32)


@pytest.mark.parametrize("form", ["npy", "npz", "compressed", "big-endian"])
@pytest.mark.parametrize("count", [1, 4, 11])
def test_chunks_are_the_array(tmp_path: Path, form: str, count: int) -> None:
    x, path = samples(count), tmp_path / "data"
    with path.open("wb") as file:
        if form == "npy":
            np.save(file, x)
        elif form == "big-endian":
            np.save(file, x.astype(">f4"))
        else:
            (np.savez if form == "npz" else np.savez_compressed)(file, x=x, labels=np.arange(count))
    with open_dataset(path, SPEC) as data:
        assert data.count == count
        parts = [chunk["x"] for chunk in data.chunks()]
    assert max(map(len, parts)) <= 4
    np.testing.assert_array_equal(np.concatenate(parts), x)
    np.testing.assert_array_equal(read_samples(path, SPEC)["x"], x)


def test_chunks_have_room_for_what_is_made_of_them(tmp_path: Path) -> None:
    """Two numbers may become a large image."""
    np.save(tmp_path / "data.npy", samples(9))
    for made, sizes in ((0, [4, 4, 1]), (dataset._CHUNK_BYTES // 3, [2, 2, 2, 2, 1]), (1 << 40, [1] * 9)):
        with open_dataset(tmp_path / "data.npy", SPEC, made=made) as data:
            assert [len(chunk["x"]) for chunk in data.chunks()] == sizes


def test_samples_that_memory_need_not_hold_are_not_read_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dataset, "_MOST", 239)
    np.save(tmp_path / "data.npy", samples(10))
    with pytest.raises(UsageError, match="holds 240 bytes, more than 239"):
        read_samples(tmp_path / "data.npy", SPEC)


def test_gathered_results_are_one_file(tmp_path: Path) -> None:
    a, b = samples(9), np.arange(9)
    with Gathered() as results:
        for at in range(0, 9, 4):
            results.add({"a": a[at : at + 4], "b": b[at : at + 4]})
        results.write(tmp_path / "out.npz")
    with np.load(tmp_path / "out.npz") as stored:
        np.testing.assert_array_equal(stored["a"], a)
        np.testing.assert_array_equal(stored["b"], b)
        assert stored["b"].dtype == b.dtype


def test_faults_are_named(tmp_path: Path) -> None:
    path = tmp_path / "data.npy"
    x = samples(10)
    x[6, 1, 1] = np.nan
    np.save(path, x)
    with (
        open_dataset(path, SPEC) as data,
        pytest.raises(UsageError, match="from sample 4 on, holds NaN, first in sample 2"),
    ):
        list(data.chunks())
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(UsageError, match="does not hold as much data"), open_dataset(path, SPEC):
        pass
    np.save(path, np.asfortranarray(samples(5)))
    with pytest.raises(UsageError, match="Fortran order"), open_dataset(path, SPEC):
        pass
    two = {**SPEC, "y": InputSpec((1,), "float32")}
    with pytest.raises(UsageError, match="holds one array, and the model has the inputs x, y"), open_dataset(path, two):
        pass
    np.savez(tmp_path / "two.npz", x=samples(3), y=np.zeros((2, 1), np.float32))
    with pytest.raises(UsageError, match="different numbers of samples"), open_dataset(tmp_path / "two.npz", two):
        pass


def test_labels_and_accuracy(tmp_path: Path) -> None:
    path = tmp_path / "data.npz"
    np.savez(path, x=samples(3), labels=np.array([2, 0, 6]), wrong=np.zeros(2, np.int64))
    labels = read_labels("labels", path, 3)
    with pytest.raises(UsageError, match="must be 3 integers"):
        read_labels("wrong", path, 3)
    with pytest.raises(UsageError, match="no array of that name"):
        read_labels("classes", path, 3)
    np.save(tmp_path / "data.npy", samples(3))
    with pytest.raises(UsageError, match="holds the samples alone"):
        read_labels("labels", tmp_path / "data.npy", 3)
    path.rename(tmp_path / "renamed.npy")
    with pytest.raises(UsageError, match="are several arrays"):
        read_labels(str(tmp_path / "renamed.npy"), path, 3)
    scores = np.array([[0, 1, 9, 2, 3, 4, 5], [1, 9, 8, 7, 6, 5, 4], [7, 6, 5, 4, 3, 2, 9]], np.float32)
    found = Accuracy()
    found.count(scores, labels)
    assert (found.first, found.among) == (2, 2)  # class 0 of the second sample is its least
    assert str(found) == "top-1 66.67%, top-5 66.67%"
    found = Accuracy()
    found.count(np.array([2, 1, 6]), labels)
    assert str(found) == "top-1 66.67%"
    with pytest.raises(UsageError, match="one number per sample"):
        Accuracy().count(np.zeros((3, 1), np.float32), labels)
    with pytest.raises(UsageError, match=r"has the shape \(7, 2, 2\), from which no class"):
        Accuracy().count(np.zeros((3, 7, 2, 2), np.float32), labels)
    for wrong in (-1, 7):
        with pytest.raises(UsageError, match=f"label {wrong} is no class of the model.*labels are 0 to 6"):
            Accuracy().count(scores, np.array([0, wrong, 0]))


def test_equal_scores_count_in_their_order() -> None:
    """As in argmax, so that top-5 is never below top-1; a score that is no number is none."""
    rng = np.random.default_rng(0)
    scores = rng.integers(0, 3, (200, 12)).astype(np.float32)
    labels = rng.integers(0, 12, 200).astype(np.uint64)
    found = Accuracy()
    found.count(scores, labels)
    assert found.first == (scores.argmax(1) == labels).sum()
    best = np.argsort(-scores, axis=1, kind="stable")[:, :5]
    assert found.among == (best == labels[:, None]).any(1).sum()
    found = Accuracy()
    found.count(np.full((3, 12), np.nan), np.zeros(3, np.int64))
    assert (found.first, found.among) == (0, 0)


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_damaged_archives_are_refused(tmp_path: Path, method: int) -> None:
    path, stored = tmp_path / "data.npz", io.BytesIO()
    np.save(stored, samples(900))
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("x.npy", stored.getvalue())
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 255
    path.write_bytes(data)
    with pytest.raises(UsageError, match="cannot read|holds NaN"), open_dataset(path, SPEC) as opened:
        list(opened.chunks())


def test_pipes_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UsageError, match="is no regular file"), open_dataset(tmp_path / "pipe", SPEC):
        pass


def test_no_room_for_results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("needs /dev/full")
    monkeypatch.setattr(
        dataset.tempfile, "TemporaryFile", lambda prefix, buffering: full.open("wb", buffering=buffering)
    )
    with (
        Gathered() as results,
        pytest.raises(UsageError, match="can't be kept in '.*' until all are there: No space left on device"),
    ):
        results.add({"a": np.zeros(10)})
