"""Compiles the kernels for this machine, once, into the user's cache folder.

A library is named by what it was made from: the sources, the compiler, the flags and the processor. The folder belongs to the
user alone, and what others could have written is never loaded. Nothing is fetched from anywhere.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shlex
import shutil
import stat
import subprocess
import sys
import tempfile
import time
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
_REMEMBERED = 24 * 3600
"""Seconds for which a failed attempt is not repeated: what it lacked, such as room on the disk, may be there by then."""
_REMEDY = "Use --emulator numpy, or leave the option out: numpy is then used wherever the kernels can't be"


class KernelsUnavailableError(UsageError):
    """The kernels can't be compiled or loaded here; numpy does the same, more slowly."""

    def __init__(self, message: str) -> None:
        super().__init__(f"the compiled emulator is not available: {message}", remedy=_REMEDY)


def compiler() -> list[str]:
    """The command of the C++ compiler: ``$CXX``, which may have several words (``ccache g++``), else g++, else clang++.

    Raises:
        KernelsUnavailableError: there is none.
    """
    names = [os.environ["CXX"]] if os.environ.get("CXX") else ["g++", "clang++"]
    for name in names:
        try:
            words = [name] if shutil.which(name) else shlex.split(name)
        except ValueError:  # a quotation that does not end
            continue
        found = shutil.which(words[0]) if words else None
        if found is not None:
            return [found, *words[1:]]
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
    version = _output([*chosen, "--version"])
    command = [*chosen, *_FLAGS, *_vectorizing(version), *(_native_flags() if flags is None else flags)]
    folder = _private_folder()
    path = folder / f"kernels-{_key(command, version)}.so"
    try:
        if not _whole(path):
            with _locked(folder / "lock"):
                if not _whole(path):  # another process may have been faster
                    _compile_once(command, path, accept)
    except OSError as error:
        raise KernelsUnavailableError(f"'{folder}' can't be used ({error.strerror or error})") from error
    return path


def _compile_once(command: list[str], path: Path, accept: Callable[[Path], None]) -> None:
    """Compiles the library, unless that failed not long ago."""
    refused = path.with_suffix(".refused")
    if _trusted(refused) and time.time() - refused.stat().st_mtime < _REMEMBERED:
        told = refused.read_text(encoding="utf-8", errors="replace")
        raise KernelsUnavailableError(
            f"{told} (found by an earlier attempt, which is not repeated while '{refused}' is there)"
        )
    try:
        _compile(command, path, accept)
    except KernelsUnavailableError as error:
        _write(refused, error.message.removeprefix("the compiled emulator is not available: "))
        raise


def _vectorizing(version: str) -> tuple[str, ...]:
    """What makes GCC vectorize as with -O3, whose other passes spill the registers of the products' tiles; clang does so at -O2."""
    return () if "clang" in version else ("-fvect-cost-model=dynamic",)


def _native_flags() -> tuple[str, ...]:
    return ("-mcpu=native",) if platform.machine().lower() in ("aarch64", "arm64") else ("-march=native",)


def _key(command: list[str], version: str) -> str:
    digest = hashlib.sha256()
    for source in sorted(SOURCES.iterdir()):
        digest.update(source.name.encode() + b"\0" + source.read_bytes() + b"\0")
    digest.update("\0".join(command).encode())
    digest.update(version.encode())
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
        raise KernelsUnavailableError(f"'{shlex.join(command)}' fails ({error})") from error


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
    shutil.rmtree(path) if stat.S_ISDIR(state.st_mode) else path.unlink()
    return False


def _whole(path: Path) -> bool:
    """Whether the library is there as it was accepted; loading one that a crash or a full disk cut short can end the process."""
    digest = path.with_suffix(".sha256")
    return _trusted(path) and _trusted(digest) and digest.read_bytes() == _digest(path).encode()


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """One process at a time builds."""
    import fcntl

    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
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
        _write(path.with_suffix(".sha256"), _digest(made))
        made.replace(path)


def _write(path: Path, text: str) -> None:
    """Atomically."""
    with tempfile.TemporaryDirectory(dir=path.parent, prefix="build-") as scratch:
        made = Path(scratch) / path.name
        made.touch(0o600)
        made.write_text(text, encoding="utf-8")
        made.replace(path)
