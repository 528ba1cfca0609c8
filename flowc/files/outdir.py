"""Output directories: written beside their final place and moved there when they are complete.

Whatever happens while a build runs (an error, a full disk, a kill), the directory it was asked for is either untouched
or complete. A build holds a lock on the directory it writes into; what a killed build left behind has none, and the next
build into the same place removes it.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from flowc.errors import UsageError, shown

__all__ = ["MARKERS", "is_flowc_directory", "staged_output"]

MARKERS = ("report.json", "design.json")
"""Files by which a directory that flowc wrote is known: JSON objects with the keys ``schema`` and ``flowc``."""

_LARGEST_MARKER = 200_000_000
_MINUTE = 60.0
_OUT_OF_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO)


def is_flowc_directory(path: Path) -> bool:
    """Whether `path` is a directory that an earlier build wrote."""
    for name in MARKERS:
        marker = path / name
        try:
            if not marker.is_file() or marker.stat().st_size > _LARGEST_MARKER:
                continue
            content = json.loads(marker.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            continue
        if isinstance(content, dict) and {"schema", "flowc"} <= content.keys():
            return True
    return False


@contextlib.contextmanager
def staged_output(path: str | os.PathLike[str], force: bool = False) -> Iterator[Path]:
    """Yield an empty directory to write into; when the block ends well, it becomes the directory `path`.

    If the block raises, nothing is left behind. A directory from an earlier build is replaced. Any other directory that
    is not empty is refused, unless `force` is set: then it is kept beside the new one as ``NAME.before-flowc``.

    Raises:
        UsageError: `path` is a file, a directory of other things (without `force`), the working directory or one above
            it, can't be written, or was changed by someone else meanwhile; or the disk is full.
    """
    final = _resolved(path)
    where = f"output directory '{shown(str(path))}'"
    foreign = _check(final, where, force)
    inside = _fixed_in_place(final)
    if foreign and inside:
        raise UsageError(f"{where} holds other things and can't be moved aside, not even with --force; empty it first")
    made: list[Path] = []
    try:
        staging, lock = _make_staging(final, inside, made)
        before = _identity(final)
    except OSError as error:
        _remove_empty(made)
        raise UsageError(f"{where} cannot be written: {error.strerror or error}") from error
    try:
        yield staging
        if _identity(final) != before:
            raise UsageError(f"{where} was changed meanwhile, perhaps by another build; nothing was written")
        if inside:
            _fill(final, staging)
        else:
            _publish(staging, final, keep=foreign)
    except OSError as error:
        if error.errno not in _OUT_OF_ROOM:
            raise
        raise UsageError(f"{where} cannot be written: {error.strerror}") from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)
        os.close(lock)
        _remove_empty(made)


def _resolved(path: str | os.PathLike[str]) -> Path:
    try:
        return Path(path).resolve()
    except (OSError, RuntimeError, ValueError) as error:
        raise UsageError(f"output directory '{shown(str(path))}' is not a usable path: {error}") from error


def _check(final: Path, where: str, force: bool) -> bool:
    """Whether `final` holds things that flowc did not write and that must be kept; refuses what may not be replaced."""
    try:
        if not final.exists():
            return False
        if not final.is_dir():
            raise UsageError(f"{where} is a file")
        if any(place.is_relative_to(final) for place in _places_to_keep()):
            raise UsageError(f"{where} is the working or home directory or lies above it, and can't be replaced")
        if not any(final.iterdir()) or is_flowc_directory(final):
            return False
    except OSError as error:
        raise UsageError(f"{where} cannot be used: {error.strerror or error}") from error
    if not force:
        raise UsageError(
            f"{where} is not empty and was not written by flowc",
            remedy="Choose another one, or add --force: what is there is then moved aside, to NAME.before-flowc",
        )
    return True


def _places_to_keep() -> list[Path]:
    places = [Path.cwd()]
    with contextlib.suppress(RuntimeError):  # there may be no home
        places.append(Path.home())
    return places


def _identity(path: Path) -> tuple[int, int] | None:
    """What tells whether `path` is still the same directory with the same entries; None when there is none."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_mtime_ns


def _fixed_in_place(final: Path) -> bool:
    """Whether `final` is a directory that can be written, but not renamed: a mount point, say."""
    return final.is_dir() and (final.is_mount() or not os.access(final.parent, os.W_OK))


def _make_staging(final: Path, inside: bool, made: list[Path]) -> tuple[Path, int]:
    """A new empty directory in or beside `final` and its lock; parents that had to be made are appended to `made`."""
    for parent in [*reversed(final.parents)]:
        if not parent.exists():
            parent.mkdir()
            made.append(parent)
    folder = final if inside else final.parent
    prefix = f".{final.name[:100]}.flowc-"
    _remove_stale(folder, prefix)
    staging = folder / (prefix + secrets.token_hex(4))
    staging.mkdir()
    return staging, _locked(staging)


def _locked(folder: Path) -> int:
    """A descriptor that holds the lock on `folder` until it is closed.

    Raises:
        BlockingIOError: another process holds it.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _remove_stale(folder: Path, prefix: str) -> None:
    """Remove what builds into the same place left when they were killed; a fresh one may just not be locked yet."""
    for entry in folder.iterdir():
        if entry.name.startswith(prefix) and entry.is_dir() and not entry.is_symlink():
            with contextlib.suppress(OSError):
                if time.time() - entry.stat().st_mtime > _MINUTE:
                    os.close(_locked(entry))
                    shutil.rmtree(entry, ignore_errors=True)


def _remove_empty(folders: list[Path]) -> None:
    for folder in reversed(folders):
        with contextlib.suppress(OSError):
            folder.rmdir()


def _publish(staging: Path, final: Path, keep: bool) -> None:
    """Move `staging` to `final`. What is there goes away, or aside with `keep`; on failure it is put back."""
    if not final.exists():
        staging.rename(final)
        return
    aside = _aside(final) if keep else staging.with_name(staging.name + ".old")
    final.rename(aside)
    try:
        staging.rename(final)
    except OSError:
        aside.rename(final)
        raise
    if not keep:
        shutil.rmtree(aside, ignore_errors=True)


def _fill(final: Path, staging: Path) -> None:
    """Replace what an earlier build left in `final` by the entries of `staging`; the markers go first and come last."""
    old = [entry for entry in final.iterdir() if entry != staging]
    for entry in sorted(old, key=lambda entry: entry.name not in MARKERS):
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()
    for entry in sorted(staging.iterdir(), key=lambda entry: entry.name in MARKERS):
        entry.rename(final / entry.name)


def _aside(final: Path) -> Path:
    """A free name for what stood at `final`."""
    aside = final.with_name(final.name + ".before-flowc")
    number = 1
    while aside.exists():
        number += 1
        aside = final.with_name(f"{final.name}.before-flowc-{number}")
    return aside
