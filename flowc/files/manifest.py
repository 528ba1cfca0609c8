"""The list of what a build wrote, ``manifest.json``: how a later one knows what is not its own.

::

    {"schema": 1, "flowc": "0.1.0", "files": {"hls/top.cpp": "<sha256>", ...}}

What programs make again from these files at any time is not in it: compiled C++ and Python's caches.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from flowc.files.rows import in_rows
from flowc.version import __version__

__all__ = ["NAME", "altered", "entries", "missing", "record", "write"]

NAME = "manifest.json"
_SCHEMA = 1
_LARGEST = 50_000_000
_SMALL = 1 << 20
"""Bytes of files that are read at once: most of them, for which preparing to read in parts takes longer than reading."""
_SCRATCH = ("hls/build", "rtl/build")
"""Folders that the generated Makefiles, and csim, fill and ``make clean`` removes."""
_CACHES = ("__pycache__",)


def write(folder: Path) -> None:
    """Writes the list of all files in ``folder``."""
    _store(folder, {name: _digest(folder, name) for name in sorted(_names(folder)) if name != NAME})


def record(folder: Path, names: Iterable[str]) -> None:
    """Notes that flowc has written the files ``names`` of ``folder`` again. A folder without a list stays without one."""
    listed = _read(folder)
    if listed is not None:
        _store(folder, listed | {name: _digest(folder, name) for name in names})


def altered(folder: Path, passing: str | None = None) -> list[str] | None:
    """Paths in ``folder`` that flowc did not write or that are not as it wrote them; None where there is no list.

    A file that is missing is none of them: whoever removed it does not lose it.

    Args:
        folder: what an earlier build wrote.
        passing: what lies in ``folder`` under names that begin so belongs to a build that is running.
    """
    listed = _read(folder)
    if listed is None:
        return None
    names = sorted(n for n in _names(folder) if n != NAME and not (passing and n.startswith(passing)))
    return [n for n in names if listed.get(n, "") != _digest(folder, n)]


def missing(folder: Path, below: tuple[str, ...]) -> list[str]:
    """Paths that begin with one of ``below`` and that flowc wrote, but that are not there; none where there is no list."""
    return sorted(n for n in _read(folder) or () if n.startswith(below) and not (folder / n).is_file())


def entries(folder: Path) -> set[str]:
    """Names of the files and folders directly in ``folder`` when its list was written."""
    return {name.partition("/")[0] for name in _read(folder) or ()} | {NAME}


def _names(folder: Path) -> Iterator[str]:
    """Everything below ``folder`` that is no directory (links to directories included), as paths relative to it."""
    for parent, folders, files in os.walk(folder):
        at = "" if parent == str(folder) else Path(parent).relative_to(folder).as_posix() + "/"
        links = [f for f in folders if (Path(parent) / f).is_symlink()]
        folders[:] = [f for f in folders if f not in _CACHES and at + f not in _SCRATCH]
        for name in (*files, *links):
            yield at + name


def _digest(folder: Path, name: str) -> str | None:
    """The SHA-256 of a regular file; None for anything else."""
    path = os.path.join(folder, name)  # noqa: PTH118 - of thousands of files, for which Path takes as long as reading them
    state = os.lstat(path)
    if not stat.S_ISREG(state.st_mode):
        return None
    with open(path, "rb") as file:  # noqa: PTH123
        if state.st_size <= _SMALL:
            return hashlib.sha256(file.read()).hexdigest()
        return hashlib.file_digest(file, "sha256").hexdigest()


def _store(folder: Path, files: dict[str, str | None]) -> None:
    text = in_rows({"schema": _SCHEMA, "flowc": __version__, "files": files}, ascii_only=True)
    partial = folder / f".{NAME}.new"
    partial.write_text(text, encoding="ascii")
    partial.replace(folder / NAME)


def _read(folder: Path) -> dict[str, str | None] | None:
    path = folder / NAME
    try:
        if not path.is_file() or path.stat().st_size > _LARGEST:
            return None
        document = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(document, dict) or document.get("schema") != _SCHEMA or "flowc" not in document:
        return None
    files = document.get("files")
    return files if isinstance(files, dict) else None
