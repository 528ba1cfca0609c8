"""Writing several files so that each appears whole, or none does."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterable, Mapping
from pathlib import Path

from flowc.errors import UsageError, shown

__all__ = ["check_writable", "write_files"]


def check_writable(paths: Iterable[Path]) -> None:
    """Raises UsageError where one of the files can't be written, as far as can be told before, or one is named twice."""
    seen: set[Path] = set()
    for path in paths:
        name = shown(str(path))
        folder = path.parent
        try:
            if path.is_dir():
                raise UsageError(f"cannot write '{name}': it is a directory")
            if not folder.is_dir():
                raise UsageError(f"cannot write '{name}': there is no directory '{shown(str(folder))}'")
            place = path.resolve()
        except (OSError, RuntimeError, ValueError) as error:
            raise UsageError(f"cannot write '{name}': {error}") from error
        if not os.access(folder, os.W_OK):
            raise UsageError(f"cannot write '{name}': the directory can't be written to")
        if place in seen:
            raise UsageError(f"'{name}' is named for two outputs")
        seen.add(place)


def write_files(contents: Mapping[Path, bytes]) -> None:
    """Writes the files beside their places, then moves all of them there.

    Raises:
        UsageError: one can't be written; then none is.
    """
    partial: dict[Path, Path] = {}
    path = Path()
    try:
        for path, data in contents.items():
            partial[path] = path.with_name(f".{path.name[:100]}.{secrets.token_hex(4)}")
            with partial[path].open("xb") as file:
                file.write(data)
        for path in contents:
            partial[path].replace(path)
    except OSError as error:
        raise UsageError(f"cannot write '{shown(str(path))}': {error.strerror or error}") from error
    finally:
        for rest in partial.values():
            with contextlib.suppress(OSError):
                rest.unlink(missing_ok=True)
