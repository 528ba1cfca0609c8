"""The precompiled AP types: made at the second request, used by GCC, and done without where they can't be had."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from flowc.backends.hls.precompiled import precompiled
from flowc.backends.programs import compiler

FLAGS = ["-std=c++14", "-O0"]
SMALL = "#ifndef AP_INT_H\n#define AP_INT_H\ntemplate <int W> struct ap_uint { int value; };\n#endif\n"


@pytest.fixture
def types(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a header in the place of the vendor's, which takes long to precompile."""
    monkeypatch.setenv("FLOWC_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "types"
    folder.mkdir()
    (folder / "ap_int.h").write_text(SMALL)
    return folder


def test_made_at_the_second_request_and_used(types: Path, tmp_path: Path) -> None:
    gxx = compiler()
    assert precompiled(gxx, FLAGS, types) == []
    options = precompiled(gxx, FLAGS, types)
    assert options[0] == "-include"
    source = tmp_path / "main.cpp"
    source.write_text("#include <ap_int.h>\nint main() { return ap_uint<3>{0}.value + (AP_INT_MAX_W != 4096); }\n")
    command = [
        gxx,
        *FLAGS,
        *options,
        "-Werror",
        "-Winvalid-pch",
        "-H",
        "-isystem",
        str(types),
        "-o",
        str(tmp_path / "a"),
    ]
    done = subprocess.run([*command, str(source)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert f"! {options[1]}.gch" in done.stderr  # what -H says of a precompiled header that is used
    assert subprocess.run([tmp_path / "a"], check=False).returncode == 0
    # Other options and other types make another one.
    assert precompiled(gxx, ["-std=c++14", "-O1"], types) == []
    (types / "ap_int.h").write_text(SMALL + "\n")
    assert precompiled(gxx, FLAGS, types) == []


def test_done_without(types: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gxx = compiler()
    (types / "ap_int.h").write_text("this is no C++")
    assert [precompiled(gxx, FLAGS, types) for _ in range(3)] == [[]] * 3
    other = tmp_path / "other"
    other.write_text("#!/bin/sh\nexit 0\n")
    other.chmod(0o755)
    assert precompiled(str(other), FLAGS, types) == []
    (types / "ap_int.h").write_text(SMALL)
    (tmp_path / "file").touch()
    monkeypatch.setenv("FLOWC_CACHE", str(tmp_path / "file"))
    assert [precompiled(gxx, FLAGS, types) for _ in range(3)] == [[]] * 3
