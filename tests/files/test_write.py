"""Several files, all or none."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowc.errors import UsageError
from flowc.files.write import check_writable, write_files


def test_files_are_written_and_replaced(tmp_path: Path) -> None:
    a, b = tmp_path / "a", tmp_path / "b"
    a.write_bytes(b"old")
    write_files({a: b"new", b: b"other"})
    assert (a.read_bytes(), b.read_bytes()) == (b"new", b"other")
    assert sorted(tmp_path.iterdir()) == [a, b]


def test_one_that_fails_keeps_all_others_as_they_were(tmp_path: Path) -> None:
    a = tmp_path / "a"
    a.write_bytes(b"old")
    with pytest.raises(UsageError, match="cannot write '.*/b': No such file"):
        write_files({a: b"new", tmp_path / "none" / "b": b"other"})
    assert a.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [a]


def test_what_can_be_told_before(tmp_path: Path) -> None:
    check_writable([tmp_path / "a", tmp_path / "b"])
    with pytest.raises(UsageError, match="it is a directory"):
        check_writable([tmp_path])
    with pytest.raises(UsageError, match="there is no directory '.*none'"):
        check_writable([tmp_path / "none" / "a"])
    with pytest.raises(UsageError, match="is named for two outputs"):
        check_writable([tmp_path / "a", tmp_path / "b", tmp_path / "." / "a"])
    with pytest.raises(UsageError, match="cannot write '/proc/x'"):
        write_files({Path("/proc/x"): b""})
    with pytest.raises(UsageError, match="cannot write"):
        check_writable([Path("a\0b")])
