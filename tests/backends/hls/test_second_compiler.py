"""The generated C++ under clang, which Vitis HLS is built on: no warning, natively and in the widths of synthesis."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from flowc.backends.hls.csim import ap_include
from tests.backends.hls.test_project import residual, written

CLANG = [sys.executable, "-m", "ziglang", "c++"]
needs_clang = pytest.mark.skipif(
    importlib.util.find_spec("ziglang") is None, reason="no clang: pip install ziglang (Linux, macOS and Windows)"
)
FLAGS = [
    "-std=c++14", "-O0", "-fno-sanitize=undefined", "-Wall", "-Wextra", "-Werror",
    "-Wno-unknown-pragmas",  # of HLS
    "-Wno-uninitialized",  # of ap_int, whose default constructor reads its own value
    "-D__AP_INT_SPECIAL_H__", "-D__AP_FIXED_SPECIAL_H__",  # std::complex of ap_int, which clang's library does not take
]  # fmt: skip


def compiled(source: Path, cache: Path, *defines: str) -> subprocess.CompletedProcess[str]:
    command = [*CLANG, *FLAGS, *defines, "-isystem", str(ap_include()), "-c", str(source), "-o", str(cache / "code.o")]
    places = {"ZIG_GLOBAL_CACHE_DIR": str(cache), "ZIG_LOCAL_CACHE_DIR": str(cache)}
    return subprocess.run(command, env=os.environ | places, capture_output=True, text=True, check=False)


@pytest.mark.slow
@needs_clang
def test_generated_code_has_no_warnings(tmp_path: Path) -> None:
    code = written(residual(8), tmp_path / "hls")
    native = compiled(code / "sim" / "part0.cpp", tmp_path)
    assert (native.returncode, native.stderr) == (0, "")
    exact = compiled(code / "layers" / "conv.cpp", tmp_path, "-DFLOWC_EXACT")
    assert (exact.returncode, exact.stderr) == (0, "")
    (code / "layers" / "fork.cpp").write_text("static int unused() { return 1; }\n")
    assert "unused-function" in compiled(code / "layers" / "fork.cpp", tmp_path).stderr
