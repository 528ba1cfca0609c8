"""Folders that are made once per machine."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from flowc.files.cache import kept


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FLOWC_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "things"


def made(folder: Path) -> None:
    (folder / "file").write_text("made")


def refuse(folder: Path) -> None:
    raise AssertionError("it is there")


def test_made_once_for_the_same_parts(cache: Path) -> None:
    first = kept("things", ["a", b"b"], made, most=4)
    assert first is not None
    assert first.parent == cache
    assert (first / "file").read_text() == "made"
    assert kept("things", ["a", b"b"], refuse, most=4) == first
    # Where one part ends counts.
    assert kept("things", ["ab", b""], made, most=4) != first


def test_the_ones_not_used_for_longest_go(cache: Path) -> None:
    folders = [kept("things", [str(i)], made, most=2) for i in range(2)]
    for age, folder in zip((100, 200), folders, strict=True):
        os.utime(folder, (age, age))  # type: ignore[arg-type]
    assert kept("things", ["0"], refuse, most=2) == folders[0]
    last = kept("things", ["2"], made, most=2)
    assert {folders[0], last} == set(cache.iterdir())


def test_nothing_half_made_stays(cache: Path) -> None:
    def fail(folder: Path) -> None:
        made(folder)
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        kept("things", ["a"], fail, most=4)
    assert list(cache.iterdir()) == []


def test_no_folder_where_others_may_write_or_nothing_can_be(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert kept("things", ["a"], made, most=4) is not None
    cache.chmod(0o777)
    assert kept("things", ["a"], made, most=4) is None
    (cache.parent.parent / "file").touch()
    monkeypatch.setenv("FLOWC_CACHE", str(cache.parent.parent / "file"))
    assert kept("things", ["a"], made, most=4) is None
