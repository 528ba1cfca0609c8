"""Reading files of which nothing is known but the path: no more than so many bytes, whatever the file claims to be."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from flowc.errors import FlowcError, shown

__all__ = ["read_file"]


def read_file(path: Path, what: str, error: type[FlowcError], *, most: int) -> bytes:
    """The bytes of a file. A pipe may be read, as ``<(...)`` of a shell makes them; waiting for a writer is not.

    Args:
        path: which file.
        what: its purpose, for messages.
        error: the class to raise.
        most: bytes that it may have.

    Raises:
        FlowcError: of the class `error`, when it can't be read, is a directory or is larger.
    """
    name = f"{what} '{shown(str(path))}'"
    try:
        # Opening a pipe without O_NONBLOCK would wait for somebody to write into it.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        try:
            if stat.S_ISDIR(os.fstat(descriptor).st_mode):
                raise error(f"{name} is a directory")
            os.set_blocking(descriptor, True)
            data = _read(descriptor, most + 1)
        finally:
            os.close(descriptor)
    except OSError as problem:
        reason = problem.strerror or type(problem).__name__
        raise error(f"cannot read the {name}: {reason}") from problem
    except ValueError as problem:  # a null byte in the path
        raise error(f"cannot read the {name}: {problem}") from problem
    if len(data) > most:
        raise error(f"{name} is larger than {most:,} bytes")
    return data


def _read(descriptor: int, most: int) -> bytes:
    parts = []
    while most > 0 and (part := os.read(descriptor, min(most, 1 << 20))):
        parts.append(part)
        most -= len(part)
    return b"".join(parts)
