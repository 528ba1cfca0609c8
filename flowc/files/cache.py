"""The user's cache folder: what flowc makes once per machine and can always make again."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

__all__ = ["UnsafeCacheError", "cache_folder", "kept", "private_folder"]


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


def kept(kind: str, made_from: Iterable[str | bytes], make: Callable[[Path], None], *, most: int) -> Path | None:
    """A folder of files that take long to make, made once for all runs of flowc on this machine.

    Args:
        kind: the folder within the cache folder in which it lies, beside others of its kind.
        made_from: everything that decides what the files are: flags, versions, sources.
        make: writes the files into an empty folder. What it raises is passed on, and nothing is kept.
        most: how many of a kind stay; those that were not used for longest are removed.

    Returns:
        The folder, which is not to be changed; None where the cache folder can't be used, or is full.
    """
    digest = hashlib.sha256()
    for part in made_from:
        data = part.encode() if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "little") + data)
    try:
        home = private_folder(kind)
        folder = home / digest.hexdigest()[:32]
        if not folder.is_dir():
            with tempfile.TemporaryDirectory(dir=home, prefix="making-") as scratch:
                made = Path(scratch) / folder.name
                made.mkdir(mode=0o700)
                make(made)
                if not folder.is_dir():  # another process may have been faster
                    made.rename(folder)
        os.utime(folder)
        others = [f for f in home.iterdir() if f != folder and not f.name.startswith("making-")]
        for old in sorted(others, key=lambda f: -f.stat().st_mtime)[most - 1 :]:
            shutil.rmtree(old, ignore_errors=True)
    except (UnsafeCacheError, OSError):
        return None
    return folder
