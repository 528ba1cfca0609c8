"""The library of this machine, compiled and tried when it is first asked for."""

from __future__ import annotations

from functools import cache

from flowc.kernels.build import KernelsUnavailableError, library_path
from flowc.kernels.library import Library, open_library
from flowc.kernels.selftest import accept

__all__ = ["load", "unavailable"]


@cache
def _loaded() -> Library | KernelsUnavailableError:
    try:
        return open_library(library_path(accept))
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
    return str(found) if isinstance(found, KernelsUnavailableError) else None
