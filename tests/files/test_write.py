"""Several files, all or none."""

from __future__ import annotations

import os
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
    with pytest.raises(UsageError, match="it is no regular file"):
        check_writable([Path("/dev/null")])
    with pytest.raises(UsageError, match="is named for two outputs"):
        check_writable([tmp_path / "a", tmp_path / "b", tmp_path / "." / "a"])
    with pytest.raises(UsageError, match="cannot write '/proc/x'"):
        write_files({Path("/proc/x"): b""})
    with pytest.raises(UsageError, match="cannot write"):
        check_writable([Path("a\0b")])


def test_devices_are_not_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(tmp_path / "pipe")
    for name in ("pipe", "link"):
        with pytest.raises(UsageError, match="it is no regular file"):
            write_files({tmp_path / name: b"data"})
    assert (tmp_path / "pipe").is_fifo()


def test_a_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "disk" / "file")
    for text in (b"first", b"second"):
        write_files({tmp_path / "link": lambda file, text=text: file.write(text)})
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "disk" / "file").read_bytes() == b"second"
    assert len(list((tmp_path / "disk").iterdir())) == 1


def test_the_longest_names_can_be_written(tmp_path: Path) -> None:
    path = tmp_path / ("数" * 85)
    write_files({path: b"data"})
    assert path.read_bytes() == b"data"
