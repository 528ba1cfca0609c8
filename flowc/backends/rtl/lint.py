"""Lint of a generated project: Verilator with all its warnings, and slang, a second front end that reads the standard more strictly."""

from __future__ import annotations

import importlib
import importlib.util
import os
import re
import subprocess
from pathlib import Path

from flowc.backends.rtl.tools import verilator_root

__all__ = ["lint", "lint_with_slang", "lint_with_verilator"]


def lint(folder: Path) -> list[str]:
    """What either tool complains about; slang is asked where it is installed (pip install 'flowc[rtl]').

    Args:
        folder: where `generate` wrote the project.

    Raises:
        UsageError: Verilator is missing.
    """
    found = lint_with_verilator(folder)
    if importlib.util.find_spec("pyslang") is not None:
        found += lint_with_slang(folder)
    return found


def lint_with_verilator(folder: Path) -> list[str]:
    """Verilator's warnings and errors, a line each."""
    root = verilator_root()
    top = (folder / "files.f").read_text(encoding="utf-8").split()[-1].removesuffix(".sv")
    command = [str(root / "bin" / "verilator_bin"), "--lint-only", "-Wall", "--top-module", top, "-f", "files.f"]
    env = {**os.environ, "VERILATOR_ROOT": str(root)}
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, env=env)
    return re.findall(r"^%(?:Warning|Error).*", done.stderr, re.MULTILINE)


def lint_with_slang(folder: Path) -> list[str]:
    """Slang's warnings (those of its command line by default) and errors, a line each."""
    severity = importlib.import_module("pyslang").DiagnosticSeverity
    driver = importlib.import_module("pyslang.driver").Driver()
    driver.addStandardArgs()
    sources = [str(folder / name) for name in (folder / "files.f").read_text(encoding="utf-8").split()]
    command = " ".join(["slang", *(f'"{source}"' for source in sources)])
    understood = driver.parseCommandLine(command) and driver.processOptions()
    assert understood
    driver.parseAllSources()
    engine, places = driver.diagEngine, driver.sourceManager
    mild = (severity.Ignored, severity.Note)
    return [
        f"{places.getFileName(d.location)}:{places.getLineNumber(d.location)}: {engine.formatMessage(d)}"
        for d in driver.createCompilation().getAllDiagnostics()
        if engine.getSeverity(d.code, d.location) not in mild
    ]
