"""Templates compiled once per machine: a fifth of a small build's time is Jinja2 reading the same templates again."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import jinja2
from jinja2.bccache import Bucket

from flowc.files.cache import UnsafeCacheError, private_folder

__all__ = ["compiled_templates"]


class _Kept(jinja2.FileSystemBytecodeCache):
    """Keeps what it can: a full disk is no reason not to render."""

    def dump_bytecode(self, bucket: Bucket) -> None:
        with contextlib.suppress(OSError):
            super().dump_bytecode(bucket)

    def load_bytecode(self, bucket: Bucket) -> None:
        with contextlib.suppress(OSError):
            super().load_bytecode(bucket)


def compiled_templates(environment: str) -> jinja2.BytecodeCache | None:
    """The kept templates of an environment; None where there is no folder that only this user may write to.

    Args:
        environment: names the environment's options, which compiled code depends on: one name for each set of options.
    """
    try:
        folder: Path = private_folder("templates")
    except UnsafeCacheError:
        return None
    return _Kept(os.fspath(folder), f"{environment}-{jinja2.__version__}-%s.cache")
