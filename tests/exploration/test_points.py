"""Sweeps: points, fronts, files, executors."""

from __future__ import annotations

import csv
import io
import math
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future, ThreadPoolExecutor
from typing import Any

import pytest

from flowc.dataflow.allocate import allocate
from flowc.errors import FlowcError, UsageError
from flowc.exploration.executors import dask_executor, process_executor
from flowc.exploration.points import MOST_RATES, Point, explore, pareto, rates, slowest_cycles, to_csv
from flowc.targets import load_target
from tests.dataflow.allocate.nets import residual

ULTRA96 = load_target("ultra96")
RATES = [1_000.0, 20_000.0, 1e9, None]
WANTED = [(target, fps) for target in (ULTRA96, load_target("pynq-z2")) for fps in RATES]
ONE = WANTED[: len(RATES)]


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """Address of a Dask cluster of two worker processes."""
    import distributed

    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0") as found:
        yield found.scheduler_address


def test_a_point_for_every_target_and_rate_in_order() -> None:
    seen: list[int] = []
    points = explore(residual(1, 8, 8), WANTED, clock_mhz=100, progress=seen.append)
    assert [(p.target, p.wanted_fps) for p in points] == [(target.name, fps) for target, fps in WANTED]
    assert seen == [i + 1 for i in range(8)]
    for point in points:
        if point.wanted_fps == 1e9:
            assert point.error is not None
            assert point.fps is None
            assert point.lut is None
        else:
            assert point.error is None
            assert (point.fps or 0) >= (point.wanted_fps or 0)
            assert (point.latency_ms or 0) > 0


@pytest.mark.parametrize("make", [lambda: ThreadPoolExecutor(2), lambda: process_executor(2)])
def test_executors_give_the_same_points(make: Callable[[], Executor]) -> None:
    graph = residual(1, 8, 8)
    with make() as executor:
        assert explore(graph, ONE, executor=executor) == explore(graph, ONE)


def pid(_: int) -> int:
    import time

    time.sleep(0.05)
    return os.getpid()


def test_dask_cluster_of_two_processes_gives_the_same_points(cluster: str) -> None:
    graph = residual(1, 8, 8)
    seen: list[int] = []
    with dask_executor(cluster) as executor:
        assert explore(graph, ONE, executor=executor, progress=seen.append) == explore(graph, ONE)
        workers = {future.result() for future in [executor.submit(pid, i) for i in range(20)]}
    assert seen == [1, 2, 3, 4]
    assert len(workers) == 2
    assert os.getpid() not in workers


def test_errors_of_workers_arrive_as_they_are(cluster: str) -> None:
    folding = {"conv1": {"pe": 5}}
    with pytest.raises(UsageError) as here:
        explore(residual(1, 8, 8), ONE, folding=folding)
    for executor in (process_executor(1), dask_executor(cluster)):
        with executor, pytest.raises(UsageError) as there:
            explore(residual(1, 8, 8), ONE, folding=folding, executor=executor)
        assert str(there.value) == str(here.value)
        assert there.value.exit_code == 2


def end_worker(*_: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_worker_that_dies_is_an_error_of_flowc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flowc.exploration.points._point", end_worker)
    with process_executor(1) as executor, pytest.raises(UsageError, match="a worker was lost: .*Take fewer workers"):
        explore(residual(1, 8, 8), ONE, executor=executor)


def test_what_was_not_begun_is_called_off_after_an_error() -> None:
    class Failing(Executor):
        futures: list[Future[Any]] = []

        def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
            self.futures.append(Future())
            if len(self.futures) == 1:
                self.futures[0].set_exception(BrokenExecutor("out of memory"))
            return self.futures[-1]

    with pytest.raises(FlowcError, match="out of memory"):
        explore(residual(1, 8, 8), ONE, executor=Failing())
    assert all(future.cancelled() for future in Failing.futures[1:])


def test_addresses_where_no_cluster_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flowc.exploration.executors._PATIENCE_SECONDS", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        silent = f"tcp://127.0.0.1:{mute.getsockname()[1]}"
        for address in ("tcp://127.0.0.1:1", "tcp://no.such.host:8786", "nowhere:what", "gopher://x:1", "", silent):
            with pytest.raises(UsageError, match=f"no Dask scheduler answers at '{address}'"):
                dask_executor(address)


def test_a_cluster_without_workers() -> None:
    import distributed

    with (
        distributed.LocalCluster(n_workers=0, processes=True, dashboard_address=":0") as empty,
        pytest.raises(UsageError, match="has no workers"),
    ):
        dask_executor(empty.scheduler_address)


@pytest.mark.parametrize("workers", [0, -1])
def test_a_pool_has_a_worker(workers: int) -> None:
    with pytest.raises(UsageError, match="must be at least 1"):
        process_executor(workers)


def test_missing_dask_names_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(UsageError, match="pip install"):
        dask_executor("tcp://127.0.0.1:1")


def point(target: str, fps: float | None, lut: int | None, bram18: int = 0) -> Point:
    return Point(target, 100, None, fps, 1, 1.0, lut, 0, bram18, 0, 0, error=None if fps else "no")


def test_front_drops_what_another_beats() -> None:
    good, dear, blocks, other, failed = (
        point("a", 10, 100), point("a", 9, 100), point("a", 10, 90, 1), point("b", 1, 500), point("b", None, None),
    )  # fmt: skip
    assert pareto([good, dear, blocks, other, failed, good]) == [good, blocks, other] or pareto(
        [good, dear, blocks, other, failed, good]
    ) == [blocks, good, other]


def test_unknown_cost_beats_nothing() -> None:
    assert len(pareto([point("a", 10, None), point("a", 10, 100)])) == 1


def test_files_hold_every_point() -> None:
    points = explore(residual(1, 8, 8), [(ULTRA96, 1_000.0), (ULTRA96, 1e9)])
    rows = list(csv.DictReader(io.StringIO(to_csv(points))))
    assert [r["target"] for r in rows] == ["ultra96", "ultra96"]
    assert int(rows[0]["lut"]) == points[0].lut
    assert rows[1]["lut"] == ""
    assert "cycles" in rows[1]["error"]
    assert [r["front"] for r in rows] == ["True", "False"]


def test_slower_than_the_slowest_folding_is_no_cheaper() -> None:
    graph = residual(1, 8, 8)
    slowest = slowest_cycles(graph)
    assert slowest == 8 * 8 * 8 * 8 * 9  # of a loop; frames overlap, so that its drain costs nothing
    one, other = (allocate(graph, ULTRA96, clock_mhz=100, fps=100e6 / slowest / factor) for factor in (1, 10))
    assert one.resources == other.resources
    assert one.interval_cycles <= slowest
    assert slowest_cycles(graph, {"conv1": {"pe": 8}}) == slowest
    with pytest.raises(UsageError, match="unknown layer"):
        slowest_cycles(graph, {"conv9": {}})


def test_rates_are_even_on_a_logarithmic_scale() -> None:
    assert rates(100, 100_000, 4) == pytest.approx([100, 1_000, 10_000, 100_000])
    assert rates(5, 5, 1) == [5]


@pytest.mark.parametrize(
    ("low", "high", "count"),
    [(0, 1, 2), (2, 1, 2), (1, 2, 0), (math.nan, 1, 2), (1, math.inf, 3), (1, 2, MOST_RATES + 1)],
)
def test_ranges_that_make_no_sense(low: float, high: float, count: int) -> None:
    with pytest.raises(UsageError):
        rates(low, high, count)
