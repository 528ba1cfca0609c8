"""Data sets in chunks: what is read and written is what numpy reads and writes whole."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from flowc.cli.running import Accuracy
from flowc.errors import UsageError
from flowc.files import dataset
from flowc.files.dataset import Gathered, open_dataset, read_labels
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
