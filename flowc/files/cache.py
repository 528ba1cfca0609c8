"""The user's cache folder: what flowc makes once per machine and can always make again."""

from __future__ import annotations

import os
import stat
from pathlib import Path

__all__ = ["UnsafeCacheError", "cache_folder", "private_folder"]


class UnsafeCacheError(Exception):
    """The cache folder can't be made, or others could write to it; nothing is to be loaded from it."""


def cache_folder() -> Path:
    """``$FLOWC_CACHE``, else ``flowc`` in the user's cache folder (``$XDG_CACHE_HOME``, ``~/.cache``)."""
    own = os.environ.get("FLOWC_CACHE")
    if own:
        return Path(own)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "flowc"


def private_folder(name: str) -> Path:
    """A folder within the cache folder, made if needed, that is this user's and that nobody else may write or read.

    Raises:
        UnsafeCacheError: there is no such folder to be had.
    """
    if not hasattr(os, "geteuid"):
        raise UnsafeCacheError("this operating system has no POSIX file permissions")
    try:
        folder = cache_folder() / name
        folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
        state = folder.lstat()
    except OSError as error:
        raise UnsafeCacheError(f"the cache folder '{folder}' can't be made ({error.strerror})") from error
    except RuntimeError as error:
        raise UnsafeCacheError(f"there is no home folder ({error})") from error
    if not stat.S_ISDIR(state.st_mode) or state.st_uid != os.geteuid() or state.st_mode & 0o077:
        raise UnsafeCacheError(f"'{folder}' is not a folder that belongs to this user alone (mode 0700)")
    return folder
