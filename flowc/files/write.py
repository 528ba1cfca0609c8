"""Writing several files so that each appears whole, or none does."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import BinaryIO

from flowc.errors import UsageError, shown

__all__ = ["Content", "check_writable", "write_files"]

Content = bytes | Callable[[BinaryIO], object]
"""What goes into a file: bytes, or a function that writes them into it."""


def check_writable(paths: Iterable[Path]) -> None:
    """Raises UsageError where one of the files can't be written, as far as can be told before, or one is named twice."""
    seen: set[Path] = set()
    for path in paths:
        name = shown(str(path))
        folder = path.parent
        try:
            if path.exists() and not path.is_file():
                what = "a directory" if path.is_dir() else "no regular file"
                raise UsageError(f"cannot write '{name}': it is {what}", remedy="Name a file")
            if not folder.is_dir():
                raise UsageError(
                    f"cannot write '{name}': there is no directory '{shown(str(folder))}'",
                    remedy="Make the directory first, or name another file",
                )
            place = path.resolve()
        except (OSError, RuntimeError, ValueError) as error:
            raise UsageError(f"cannot write '{name}': {error}", remedy="Name another file") from error
        if not os.access(folder, os.W_OK):
            raise UsageError(
                f"cannot write '{name}': the directory can't be written to",
                remedy="Name a file in a directory that can be written to",
            )
        if place in seen:
            raise UsageError(f"'{name}' is named for two outputs", remedy="Name two files")
        seen.add(place)


def write_files(contents: Mapping[Path, Content]) -> None:
    """Writes the files beside their places, then moves all of them there. Links are followed.

    Args:
        contents: per file its bytes, or a function that writes them into the open file.

    Raises:
        UsageError: one can't be written; then none is.
    """
    partial: dict[Path, Path] = {}
    path = Path()
    try:
        for path, content in contents.items():
            final = path.resolve()
            if final.exists() and not final.is_file():
                what = "a directory" if final.is_dir() else "no regular file"
                raise UsageError(f"cannot write '{shown(str(path))}': it is {what}", remedy="Name a file")
            partial[final] = final.with_name(f".flowc-{secrets.token_hex(8)}")
            with partial[final].open("xb") as file:
                if callable(content):
                    content(file)
                else:
                    file.write(content)
        for path, beside in partial.items():
            beside.replace(path)
    except (OSError, RuntimeError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(
            f"cannot write '{shown(str(path))}': {reason}", remedy="Name another file, or make room"
        ) from error
    finally:
        for rest in partial.values():
            with contextlib.suppress(OSError):
                rest.unlink(missing_ok=True)
