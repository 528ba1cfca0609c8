"""Moving a complete directory into its place, and what a build that was killed meanwhile left.

Beside (or, where ``NAME`` can't be renamed, in) the directory ``NAME`` may lie

- ``.NAME.flowc-XXXX``: a new directory that is being written, or the replaced one that is being removed;
- ``.NAME.flowc-XXXX.old``: the replaced one, where the two could not change places in one step.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import time
from collections.abc import Container
from pathlib import Path

from flowc.files import manifest
from flowc.files.exchange import exchange

__all__ = ["fill", "publish", "recover", "staging_prefix"]

_OLD = ".old"
_MINUTE = 60.0
_LONGEST = 200


def staging_prefix(final: Path) -> str:
    """How the names of directories begin that builds into `final` write into."""
    name = os.fsencode(final.name)  # a name has at most 255 bytes
    return f".{final.name if len(name) <= _LONGEST else hashlib.sha256(name).hexdigest()[:16]}.flowc-"


def publish(staging: Path, final: Path, keep: bool) -> None:
    """Move `staging` to `final`. What is there goes away, or aside with `keep`; on failure it is put back."""
    if not final.exists():
        staging.rename(final)
        return
    if keep:
        # Under its later name already when the two change places: a kill leaves either the new one there, or the old.
        aside = _aside(final)
        staging.rename(aside)
        swapped = False
        try:
            swapped = exchange(aside, final)
        finally:
            if not swapped:
                aside.rename(staging)
        if swapped:
            return
    elif exchange(staging, final):
        shutil.rmtree(staging, ignore_errors=True)
        return
    old = staging.with_name(staging.name + _OLD)
    final.rename(old)
    try:
        staging.rename(final)
    except OSError:
        old.rename(final)
        raise
    if keep:
        old.rename(_aside(final))
    else:
        old.rename(staging)
        shutil.rmtree(staging, ignore_errors=True)


def fill(final: Path, staging: Path, last: Container[str]) -> None:
    """Replace what an earlier build left in `final`, which can't be renamed, by the entries of `staging` in it.

    Args:
        final: where to.
        staging: in it.
        last: names of entries that go first and come last, so that what is incomplete does not look complete.
    """
    old = staging.with_name(staging.name + _OLD)
    old.mkdir()
    entries = [entry for entry in final.iterdir() if entry not in (staging, old)]
    for entry in sorted(entries, key=lambda entry: entry.name not in last):
        entry.rename(old / entry.name)
    for entry in sorted(staging.iterdir(), key=lambda e: (e.name in last, e.name == manifest.NAME)):
        entry.rename(final / entry.name)
    staging.rmdir()
    shutil.rmtree(old, ignore_errors=True)


def recover(final: Path, inside: bool) -> None:
    """Puts back what builds into `final` had moved away when they were killed, and removes what they had not finished."""
    folder, prefix = (final if inside else final.parent), staging_prefix(final)
    with contextlib.suppress(OSError):
        left = [e for e in folder.iterdir() if e.name.startswith(prefix) and e.is_dir() and not e.is_symlink()]
        for old in (e for e in left if e.name.endswith(_OLD)):
            with contextlib.suppress(OSError):
                staging = old.with_name(old.name.removesuffix(_OLD))
                if not _in_use(staging):
                    _refill(final, old, staging) if inside else _restore(final, old)
        for staging in (e for e in left if not e.name.endswith(_OLD)):
            with contextlib.suppress(OSError):
                # A fresh one may just not be locked yet.
                if time.time() - staging.stat().st_mtime > _MINUTE and not _in_use(staging):
                    shutil.rmtree(staging, ignore_errors=True)


def _restore(final: Path, old: Path) -> None:
    """The replaced directory goes back where nothing has come in its place."""
    if not final.exists():
        old.rename(final)
    elif manifest.altered(old) == []:
        shutil.rmtree(old, ignore_errors=True)
    else:
        old.rename(_aside(final))


def _refill(final: Path, old: Path, staging: Path) -> None:
    """The replaced entries go back, unless all the new ones had come: the list of them is the last one that comes.

    Each step can be done again after a kill: what had come goes back first, so that nothing is taken for it later.
    """
    if (staging / manifest.NAME).exists():
        waiting = {entry.name for entry in staging.iterdir()}
        for name in sorted(manifest.entries(staging) - waiting):
            if (final / name).exists():
                (final / name).rename(staging / name)
        for entry in old.iterdir():
            entry.rename(final / entry.name)
    shutil.rmtree(old, ignore_errors=True)
    shutil.rmtree(staging, ignore_errors=True)


def _in_use(folder: Path) -> bool:
    """Whether a running build holds the lock on `folder`."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False


def _aside(final: Path) -> Path:
    """A free name for what stood at `final`."""
    aside = final.with_name(final.name + ".before-flowc")
    number = 1
    while aside.exists():
        number += 1
        aside = final.with_name(f"{final.name}.before-flowc-{number}")
    return aside
