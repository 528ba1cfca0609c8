"""Where the points of a sweep are computed: processes of this machine, or a Dask cluster."""

from __future__ import annotations

import asyncio
import importlib
import multiprocessing
import os
import signal
from collections.abc import Callable
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from typing import Any

from flowc.errors import UsageError, shown

__all__ = ["Cluster", "cores", "dask_executor", "process_executor"]

_PATIENCE_SECONDS = 10


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def process_executor(workers: int | None = None) -> Executor:
    """A pool of ``workers`` processes, one per core by default.

    They are forked from a server that has no threads. As with everything from `multiprocessing`, a script that uses it keeps what it
    does below ``if __name__ == "__main__":``.

    Raises:
        UsageError: the number is not at least 1.
    """
    if workers is not None and workers < 1:
        raise UsageError(f"the number of workers must be at least 1, not {workers}", remedy="Give 1 or more")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["flowc.exploration.points"])
    return ProcessPoolExecutor(cores() if workers is None else workers, context, initializer=_end_when_interrupted)


def _end_when_interrupted() -> None:
    """An interrupt from the terminal reaches workers too: they end at once and say nothing, the main process answers."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Cluster(Executor):
    """A Dask client as an executor that closes the client with itself.

    Attributes:
        lost: errors that stand for a worker or a cluster that went away.
    """

    def __init__(self, client: Any, lost: tuple[type[Exception], ...]) -> None:
        self._client = client
        self._executor: Executor = client.get_executor(pure=False)
        self.lost = lost

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        return self._executor.submit(fn, *args, **kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self._executor.shutdown(wait and not cancel_futures)
        self._client.close()


def dask_executor(address: str) -> Cluster:
    """An executor on the Dask cluster whose scheduler is at ``address``; its workers must have flowc installed.

    Raises:
        UsageError: the package ``distributed`` is missing, no scheduler answers, or it has no workers.
    """
    try:
        distributed = importlib.import_module("distributed")
    except ImportError:
        raise UsageError(
            "a Dask cluster needs the package 'distributed'", remedy="Install it with: pip install 'flowc[dask]'"
        ) from None
    try:
        found = _identity(distributed, address)
        client = distributed.Client(address, timeout=_PATIENCE_SECONDS, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        reason = shown(str(error)) or f"nothing came back in {_PATIENCE_SECONDS:g} s"
        raise UsageError(
            f"no Dask scheduler answers at '{shown(address)}': {reason}",
            remedy="An address looks like tcp://127.0.0.1:8786; 'dask scheduler' prints its own",
        ) from None
    if not found.get("workers"):
        client.close()
        raise UsageError(
            f"the Dask cluster at '{shown(address)}' has no workers", remedy=f"Start some: dask worker {shown(address)}"
        )
    return Cluster(client, (distributed.KilledWorker, distributed.comm.CommClosedError))


def _identity(distributed: Any, address: str) -> dict[str, Any]:
    """What the scheduler at ``address`` says of itself. A client would go on trying where there is none.

    Raises:
        OSError, ValueError: there is none, or it does not answer soon.
    """

    async def ask() -> Any:
        secured = distributed.Security().get_connection_args("client")
        async with distributed.core.rpc(address, connection_args=secured) as scheduler:
            return await scheduler.identity()

    async def ask_in_time() -> Any:
        return await asyncio.wait_for(ask(), _PATIENCE_SECONDS)

    with ThreadPoolExecutor(1) as thread:  # the caller may have an event loop of its own
        answer = thread.submit(lambda: asyncio.run(ask_in_time())).result()
    return answer if isinstance(answer, dict) else {}
