"""The library of this machine, compiled and tried when it is first asked for."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

from flowc.errors import UsageError
from flowc.kernels.build import KernelsUnavailableError, library_path
from flowc.kernels.library import Library, open_library
from flowc.kernels.selftest import accept, tiles_are_right

__all__ = ["load", "proven", "unavailable", "used"]


def proven(path: Path) -> Library:
    """An accepted library; its tiles are used where this process may use them and they compute rightly.

    They are tried in every process: the one that compiled the library may not have had them.

    Raises:
        KernelsUnavailableError: it can't be loaded.
    """
    library = open_library(path)
    return replace(library, tiles=library.tiles and tiles_are_right(library))


@cache
def _loaded() -> Library | KernelsUnavailableError:
    try:
        return proven(library_path(accept))
    except KernelsUnavailableError as error:
        return error


def load() -> Library:
    """The library of this machine, compiled when it is first asked for.

    Raises:
        KernelsUnavailableError: it can't be had here; says why.
    """
    found = _loaded()
    if isinstance(found, KernelsUnavailableError):
        raise found
    return found


def unavailable() -> str | None:
    """Why the kernels can't be had here, or None."""
    found = _loaded()
    return found.message if isinstance(found, KernelsUnavailableError) else None


def used(emulator: str | None) -> bool:
    """Whether kernels compute, where the user chose ``emulator``: "native", "numpy", or None: kernels where they can be had.

    Raises:
        UsageError: it is another name.
        KernelsUnavailableError: "native", which can't be had here.
    """
    if emulator not in (None, "native", "numpy"):
        raise UsageError(f"there is no emulator {emulator!r}", remedy="Take 'native' or 'numpy', or leave it out")
    if emulator == "native":
        load()
    return emulator != "numpy" and unavailable() is None
