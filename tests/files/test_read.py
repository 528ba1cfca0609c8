"""Files that are not what they claim: endless, waiting, directories."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from flowc.dataflow.allocate import read_folding
from flowc.errors import TargetError, UsageError
from flowc.files.read import read_file
from flowc.targets import load_target


def test_no_more_is_read_than_may_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"12345")
    assert read_file(tmp_path / "file", "file", UsageError, most=5) == b"12345"
    with pytest.raises(UsageError, match="file '.*' is larger than 4 bytes"):
        read_file(tmp_path / "file", "file", UsageError, most=4)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/dev/zero", "is larger than 10 bytes"),
        ("/dev", "is a directory"),
        ("/dev/none", "No such file"),
        ("a\0b", "null byte"),
    ],
)
def test_what_can_not_be_read(path: str, message: str) -> None:
    with pytest.raises(TargetError, match=message):
        read_file(Path(path), "target file", TargetError, most=10)


def test_a_pipe_is_read_and_nobody_waits_for_a_writer(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert read_file(tmp_path / "pipe", "file", UsageError, most=10) == b""
    read, write = os.pipe()
    threading.Timer(0.05, lambda: (os.write(write, b"late"), os.close(write))).start()
    assert read_file(Path(f"/dev/fd/{read}"), "file", UsageError, most=10) == b"late"
    os.close(read)


def test_an_endless_folding_file_is_refused() -> None:
    with pytest.raises(UsageError, match="folding file '/dev/zero' is larger than"):
        read_folding("/dev/zero")


@pytest.mark.parametrize("value", ["9" * 400, "-1", "1e400", "inf", "nan"])
def test_figures_of_a_board_beyond_all_measure_are_refused(tmp_path: Path, value: str) -> None:
    board = {"name": '"b"', "description": '"b"', "part": '"p"', "family": '"artix-7"', "lut": "1", "ff": "1"}
    board |= {"bram18": "1", "uram": "1", "dsp": "1", "clock_mhz": "100", "max_clock_mhz": "200", "ddr_gbps": "1"}
    for key in ("lut", "clock_mhz", "ddr_gbps"):
        text = "\n".join(f"{k} = {v}" for k, v in (board | {key: value}).items())
        (tmp_path / "board.toml").write_text(text)
        with pytest.raises(TargetError, match=f"'{key}' is"):
            load_target(tmp_path / "board.toml")
