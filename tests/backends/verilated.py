"""Verilog modules and a C++ test bench as a program, by Verilator and g++, as cheap as can be: one source, and Verilator's library kept."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from flowc.backends.programs import compiler
from flowc.backends.rtl.simulate import COMPILE, library
from flowc.backends.rtl.tools import verilator_root


def verilated(
    sources: Sequence[Path],
    bench: str,
    build: Path,
    *,
    top: str,
    options: Sequence[str] = (),
    parameters: Mapping[str, int] | None = None,
    effort: str = "-O0",
    cwd: Path | None = None,
) -> Path:
    """The program; ``bench`` includes ``V<top>.h`` and has ``main``."""
    build.mkdir(exist_ok=True)
    root, cxx = verilator_root(), compiler()
    command = [str(root / "bin" / "verilator_bin"), "--cc", *options, "--Mdir", str(build), "--top-module", top]
    command += [f"-G{name}={value}" for name, value in (parameters or {}).items()]
    environment = {**os.environ, "VERILATOR_ROOT": str(root)}
    done = subprocess.run(
        [*command, *map(str, sources)], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    (build / "bench.cpp").write_text(bench)
    generated = [f'#include "{f}"\n' for f in sorted(build.glob("V*.cpp"))]
    (build / "all.cpp").write_text("".join(generated) + '#include "bench.cpp"\n')
    include = [f"-I{build}", f"-I{root / 'include'}", f"-I{root / 'include' / 'vltstd'}"]
    program = build / "bench"
    command = [cxx, *COMPILE, effort, *include, "-o", str(program), str(build / "all.cpp")]
    subprocess.run([*command, *map(str, library(root, cxx)), "-pthread"], check=True, cwd=cwd)
    return program
