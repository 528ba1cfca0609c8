"""Output directories: written beside their final place and moved there when they are complete.

Whatever happens while a build runs (an error, a full disk, a kill), the directory it was asked for is either untouched
or complete, and what a user added to it or changed in it is never replaced: every build leaves a list of what it wrote
(`flowc.files.manifest`), and the next one compares. A build holds a lock on the directory it writes into; what a killed
build left behind has none, and the next build into the same place puts it back or removes it (`flowc.files.publish`).
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

from flowc.errors import UsageError, shown
from flowc.files import manifest
from flowc.files.publish import fill, publish, recover, staging_prefix

__all__ = ["MARKERS", "is_flowc_directory", "staged_output"]

MARKERS = (manifest.NAME, "report.json", "design.json")
"""Files by which a directory that flowc wrote is known: JSON objects with the keys ``schema`` and ``flowc``. The smallest is the first."""

_LARGEST_MARKER = 200_000_000
_LISTED = 8
_OUT_OF_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO)
_FORCE = "Choose another one, or add --force: what is there is then moved aside, to NAME.before-flowc"


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

    If the block raises, nothing is left behind. A directory that an earlier build wrote is replaced, if it is as that
    build left it. Any other directory that is not empty is refused, unless `force` is set: then it is kept beside the
    new one as ``NAME.before-flowc``.

    Raises:
        UsageError: `path` is a file, a directory that holds other things (without `force`), the working directory or
            one above it, can't be written, or was changed by someone else meanwhile; or the disk is full.
    """
    final = _resolved(path)
    where = f"output directory '{shown(str(path))}'"
    try:
        inside = _fixed_in_place(final)
    except OSError as error:
        raise UsageError(
            f"{where} cannot be used: {error.strerror or error}",
            remedy="Name another directory, or one that can be read and written",
        ) from error
    recover(final, inside)
    foreign = _check(final, where, force)
    if foreign and inside:
        raise UsageError(
            f"{where} holds other things and can't be moved aside, not even with --force", remedy="Empty it first"
        )
    made: list[Path] = []
    try:
        staging, lock = _make_staging(final, inside, made)
        before = _identity(final)
    except OSError as error:
        _remove_empty(made)
        raise UsageError(
            f"{where} cannot be written: {error.strerror or error}", remedy="Name a directory that can be written to"
        ) from error
    try:
        yield staging
        manifest.write(staging)
        if _identity(final) != before or (not foreign and _holds_other_things(final)):
            raise UsageError(
                f"{where} was changed meanwhile, perhaps by another build; nothing was written",
                remedy="Run the build again, or name another directory",
            )
        if inside:
            fill(final, staging, MARKERS)
        else:
            publish(staging, final, keep=foreign)
    except OSError as error:
        if error.errno not in _OUT_OF_ROOM:
            raise
        raise UsageError(
            f"{where} cannot be written: {error.strerror}", remedy="Name a directory that can be written to"
        ) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)
        os.close(lock)
        _remove_empty(made)


def _resolved(path: str | os.PathLike[str]) -> Path:
    try:
        return Path(path).resolve()
    except (OSError, RuntimeError, ValueError) as error:
        raise UsageError(
            f"output directory '{shown(str(path))}' is not a usable path: {error}", remedy="Name another one"
        ) from error


def _check(final: Path, where: str, force: bool) -> bool:
    """Whether `final` holds things that must be kept; refuses what may not be replaced."""
    try:
        if not final.exists():
            return False
        if not final.is_dir():
            raise UsageError(f"{where} is a file", remedy="Name a directory")
        if any(place.is_relative_to(final) for place in _places_to_keep()):
            raise UsageError(
                f"{where} is the working or home directory or lies above it, and can't be replaced",
                remedy="Name a directory of its own",
            )
        if not any(final.iterdir()):
            return False
        if not is_flowc_directory(final):
            fault = f"{where} is not empty and was not written by flowc"
        elif (others := _altered(final)) is None:
            fault = (
                f"{where} holds an earlier design without the list of its files ({manifest.NAME}): it may hold changes"
            )
        elif others:
            more = f" and {len(others) - _LISTED} more" if len(others) > _LISTED else ""
            listed = ", ".join(f"'{shown(name)}'" for name in others[:_LISTED])
            fault = f"{where} holds what flowc did not write, or what was changed since: {listed}{more}"
        else:
            return False
    except OSError as error:
        raise UsageError(
            f"{where} cannot be used: {error.strerror or error}",
            remedy="Name another directory, or one that can be read and written",
        ) from error
    if not force:
        raise UsageError(fault, remedy=_FORCE)
    return True


def _altered(final: Path) -> list[str] | None:
    return manifest.altered(final, passing=staging_prefix(final))


def _holds_other_things(final: Path) -> bool:
    """Whether something was changed in an earlier build's directory since `_check` looked."""
    return final.exists() and is_flowc_directory(final) and _altered(final) != []


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
    staging = folder / (staging_prefix(final) + secrets.token_hex(4))
    staging.mkdir()
    lock = os.open(staging, os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return staging, lock


def _remove_empty(folders: list[Path]) -> None:
    for folder in reversed(folders):
        with contextlib.suppress(OSError):
            folder.rmdir()
