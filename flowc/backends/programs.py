"""Tools that flowc runs, each in a process of its own that ends when flowc does.

An error, Ctrl-C or SIGTERM unwinds flowc's process, which ends what it had started, with the programs that those started (yosys runs
ABC), and removes its temporary folders. SIGKILL gives it no chance to: on Linux the kernel then ends those that are Python packages
(``prctl(PR_SET_PDEATHSIG)``), and only temporary folders stay, which no later run looks at.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor
from pathlib import Path

from flowc.errors import UsageError, shown

__all__ = ["compiler", "run_program", "run_python", "side_by_side"]

_TIED = """
import ctypes, os, signal, sys
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    if os.getppid() != {parent}:
        os._exit(1)
"""
"""What a child does first: it asks to be killed when the thread that started it ends, and looks whether that has happened already."""


def compiler(simulation: str = "C simulation") -> str:
    """The C++ compiler: ``$CXX``, else g++.

    Args:
        simulation: what needs it, for the message.

    Raises:
        UsageError: it is not installed.
    """
    own = os.environ.get("CXX")
    found = shutil.which(own or "g++")
    if found is None and own:
        raise UsageError(
            f"{simulation} finds no compiler '{shown(own)}', as CXX says",
            remedy="Name one program in CXX, without options",
        )
    if found is None:
        raise UsageError(
            f"{simulation} needs g++, which was not found", remedy="Install it (Debian: apt install g++), or set CXX"
        )
    return found


class _Children:
    """The processes that a pool's threads wait for."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[str]] = set()
        self._over = False

    def start(self, command: Sequence[str], folder: Path, env: Mapping[str, str]) -> subprocess.Popen[str]:
        with self._lock:
            if self._over:
                raise CancelledError
            child = subprocess.Popen(
                command,
                cwd=folder,
                env=env,
                process_group=0,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            self._running.add(child)
        return child

    def forget(self, child: subprocess.Popen[str]) -> None:
        with self._lock:
            self._running.discard(child)

    def end(self) -> None:
        """Kills all of them; no other is started."""
        with self._lock:
            self._over = True
            for child in self._running:
                _kill(child)


def _kill(child: subprocess.Popen[str]) -> None:
    """Ends a process that was not waited for yet, and those that it started."""
    if child.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)


_of_thread = threading.local()


def _enter(children: _Children) -> None:
    _of_thread.children = children


@contextlib.contextmanager
def side_by_side(jobs: int | None = None) -> Iterator[ThreadPoolExecutor]:
    """A pool of ``jobs`` threads, by default one per processor, for functions that wait for `run_program`.

    Where the block is left by an exception (an interrupt is one), nothing more is begun, and what runs is ended.
    """
    children = _Children()
    with ThreadPoolExecutor(jobs or os.cpu_count() or 1, initializer=_enter, initargs=(children,)) as pool:
        try:
            yield pool
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            children.end()
            raise


def run_program(
    command: Sequence[str], *, folder: Path, timeout: float | None = None, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Runs a program in ``folder``, which ends where this process or its pool (`side_by_side`) does.

    Its temporary files lie in a folder that goes with it.

    Args:
        command: the program and its arguments.
        folder: where it runs.
        timeout: seconds; None: as long as it takes.
        env: variables of its environment; None: those of this process.

    Raises:
        subprocess.TimeoutExpired: it took longer, and was ended.
        CancelledError: the pool that this thread belongs to has been left.
    """
    children: _Children = getattr(_of_thread, "children", None) or _Children()
    with (
        tempfile.TemporaryDirectory(prefix="flowc-tool-", ignore_cleanup_errors=True) as temporary,
        children.start(command, folder, {**(os.environ if env is None else env), "TMPDIR": temporary}) as child,
    ):
        try:
            said, errors = child.communicate(timeout=timeout)
        except BaseException:
            _kill(child)
            raise
        finally:
            children.forget(child)
    return subprocess.CompletedProcess(command, child.returncode, said, errors)


def run_python(
    code: str, arguments: Sequence[str], *, folder: Path, timeout: float
) -> subprocess.CompletedProcess[str]:
    """Runs Python ``code``, ``arguments`` being its ``sys.argv[1:]``, as `run_program` does; on Linux it ends with a killed flowc."""
    command = [sys.executable, "-c", _TIED.format(parent=os.getpid()) + code, *arguments]
    return run_program(command, folder=folder, timeout=timeout)
