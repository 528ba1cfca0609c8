"""Compiles the kernels for this machine, once, into the user's cache folder.

A library is named by what it was made from: the sources, the compiler, the flags and the processor. The folder belongs to the
user alone, and what others could have written is never loaded. Nothing is fetched from anywhere.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from flowc import progress
from flowc.errors import UsageError
from flowc.files.cache import UnsafeCacheError, private_folder

__all__ = ["SOURCES", "KernelsUnavailableError", "compiler", "library_path"]

SOURCES = Path(__file__).parent / "src"
_FLAGS = (
    "-std=c++17",
    "-O2",
    "-ffp-contract=off",
    "-fno-exceptions",
    "-fno-rtti",
    "-fvisibility=hidden",
    "-fPIC",
    "-shared",
)
_TIMEOUT = 300
_REMEDY = "Use --emulator numpy, or leave the option out: numpy is then used wherever the kernels can't be"


class KernelsUnavailableError(UsageError):
    """The kernels can't be compiled or loaded here; numpy does the same, more slowly."""

    def __init__(self, message: str) -> None:
        super().__init__(f"the compiled emulator is not available: {message}", remedy=_REMEDY)


def compiler() -> str:
    """The C++ compiler: ``$CXX``, else g++, else clang++.

    Raises:
        KernelsUnavailableError: there is none.
    """
    names = [os.environ["CXX"]] if os.environ.get("CXX") else ["g++", "clang++"]
    for name in names:
        found = shutil.which(name)
        if found is not None:
            return found
    raise KernelsUnavailableError(f"no C++ compiler was found ({' or '.join(names)})")


def library_path(accept: Callable[[Path], None], *, flags: tuple[str, ...] | None = None) -> Path:
    """The compiled library, made if this machine has none yet.

    Args:
        accept: is given a library before it is kept; raises `KernelsUnavailableError` if it computes wrongly.
        flags: compiler flags in place of those for this machine's processor.

    Raises:
        KernelsUnavailableError: there is no compiler, it fails, the library is not accepted, or the cache folder isn't safe.
    """
    chosen = compiler()
    command = [chosen, *_FLAGS, *_vectorizing(chosen), *(_native_flags() if flags is None else flags)]
    folder = _private_folder()
    path = folder / f"kernels-{_key(command)}.so"
    refused = path.with_suffix(".refused")
    with _locked(folder / "lock"):
        if _trusted(path):
            return path
        if _trusted(refused):
            raise KernelsUnavailableError(refused.read_text(encoding="utf-8"))
        try:
            _compile(command, path, accept)
        except KernelsUnavailableError as error:
            _write(refused, error.message.removeprefix("the compiled emulator is not available: "))
            raise
    return path


def _vectorizing(chosen: str) -> tuple[str, ...]:
    """What makes GCC vectorize as with -O3, whose other passes spill the registers of the products' tiles; clang does so at -O2."""
    return () if "clang" in _output([chosen, "--version"]) else ("-fvect-cost-model=dynamic",)


def _native_flags() -> tuple[str, ...]:
    return ("-mcpu=native",) if platform.machine().lower() in ("aarch64", "arm64") else ("-march=native",)


def _key(command: list[str]) -> str:
    digest = hashlib.sha256()
    for source in sorted(SOURCES.iterdir()):
        digest.update(source.name.encode() + b"\0" + source.read_bytes() + b"\0")
    digest.update("\0".join(command).encode())
    digest.update(_output([command[0], "--version"]).encode())
    digest.update(_processor().encode())
    return digest.hexdigest()[:32]


def _processor() -> str:
    """What tells this machine's processor from others: its model and its instruction sets."""
    parts = [sys.platform, platform.machine()]
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").split("\n\n")[0].splitlines()
        parts += sorted(
            s for s in lines if s.startswith(("flags", "Features", "model name", "CPU part", "CPU implementer"))
        )
    except OSError:
        parts.append(platform.processor())
    return "\n".join(parts)


def _output(command: list[str]) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT, check=True).stdout
    except (OSError, subprocess.SubprocessError) as error:
        raise KernelsUnavailableError(f"'{command[0]}' can't be run ({error})") from error


def _private_folder() -> Path:
    try:
        return private_folder("kernels")
    except UnsafeCacheError as error:
        raise KernelsUnavailableError(str(error)) from error


def _trusted(path: Path) -> bool:
    """Whether a file of the folder is there. One that is a link, or another user's, or writable by others, is removed."""
    try:
        state = path.lstat()
    except FileNotFoundError:
        return False
    if stat.S_ISREG(state.st_mode) and state.st_uid == os.geteuid() and not state.st_mode & 0o022:
        return True
    path.unlink()
    return False


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """One process at a time builds."""
    import fcntl

    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise KernelsUnavailableError(f"'{path}' can't be opened ({error.strerror})") from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _compile(command: list[str], path: Path, accept: Callable[[Path], None]) -> None:
    with tempfile.TemporaryDirectory(dir=path.parent, prefix="build-") as scratch:
        made = Path(scratch) / path.name
        progress.at("compiling the emulator, once on this machine")
        try:
            done = subprocess.run(
                [*command, str(SOURCES / "kernels.cpp"), "-o", str(made)],
                capture_output=True, text=True, timeout=_TIMEOUT, check=False,
            )  # fmt: skip
        except (OSError, subprocess.SubprocessError) as error:
            raise KernelsUnavailableError(f"the compiler failed ({error})") from error
        if done.returncode:
            first = next((s for s in done.stderr.splitlines() if "error" in s), done.stderr.strip()[:300])
            raise KernelsUnavailableError(f"the compiler failed: {first}")
        accept(made)
        made.chmod(0o600)
        made.replace(path)


def _write(path: Path, text: str) -> None:
    """Atomically."""
    with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False, encoding="utf-8") as file:
        file.write(text)
    Path(file.name).replace(path)
