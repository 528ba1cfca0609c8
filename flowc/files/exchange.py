"""Two directories change places in one step, where the system can do that."""

from __future__ import annotations

import ctypes
import errno
import functools
import os
from collections.abc import Callable
from pathlib import Path

__all__ = ["exchange"]

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2
_IMPOSSIBLE = (errno.ENOSYS, errno.EINVAL, errno.EXDEV, errno.ENOTSUP, errno.EPERM)
"""What kernels, file systems and sandboxes without it answer."""


@functools.cache
def _renameat2() -> Callable[..., int] | None:
    """The C library's function (Linux 3.15, glibc 2.28; renameat2(2)); None where it has none."""
    try:
        function = ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, OSError):
        return None
    function.argtypes = [ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint]
    function.restype = ctypes.c_int
    found: Callable[..., int] = function
    return found


def exchange(one: Path, other: Path) -> bool:
    """Swaps the names of two directories so that at no moment either name is free; False where that can't be done here.

    Raises:
        OSError: one of them is not there or may not be renamed.
    """
    call = _renameat2()
    if call is None:
        return False
    if call(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE) == 0:
        return True
    code = ctypes.get_errno()
    if code in _IMPOSSIBLE:
        return False
    raise OSError(code, os.strerror(code), str(one), None, str(other))
