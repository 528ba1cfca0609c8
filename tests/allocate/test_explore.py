"""Sweeps: points, fronts, files, executors."""

from __future__ import annotations

import csv
import io
import json
import math
import sys
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import pytest

from flowc.allocate import Point, dask_executor, explore, pareto, rates
from flowc.allocate.explore import to_csv, to_json
from flowc.errors import UsageError
from flowc.targets import load_target
from tests.allocate.nets import residual

TARGETS = [load_target("ultra96"), load_target("pynq-z2")]
WANTED = [1_000.0, 20_000.0, 1e9, None]


def test_a_point_for_every_target_and_rate_in_order() -> None:
    seen: list[tuple[int, int]] = []
    points = explore(
        residual(1, 8, 8), TARGETS, WANTED, clock_mhz=100, progress=lambda done, of: seen.append((done, of))
    )
    assert [(p.target, p.wanted_fps) for p in points] == [(t.name, fps) for t in TARGETS for fps in WANTED]
    assert seen == [(i + 1, 8) for i in range(8)]
    for point in points:
        if point.wanted_fps == 1e9:
            assert point.error is not None
            assert point.fps is None
            assert point.lut is None
        else:
            assert point.error is None
            assert (point.fps or 0) >= (point.wanted_fps or 0)
            assert (point.latency_ms or 0) > 0


@pytest.mark.parametrize("kind", [ThreadPoolExecutor, ProcessPoolExecutor])
def test_executors_give_the_same_points(kind: type) -> None:
    graph = residual(1, 8, 8)
    here = explore(graph, TARGETS[:1], WANTED)
    with kind(2) as executor:
        assert explore(graph, TARGETS[:1], WANTED, executor=executor) == here


def test_dask_cluster_gives_the_same_points() -> None:
    distributed = pytest.importorskip("distributed")
    graph = residual(1, 8, 8)
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, processes=False, dashboard_address=None) as cluster,
        dask_executor(cluster.scheduler_address) as executor,
    ):
        found = explore(graph, TARGETS[:1], WANTED, executor=executor)
    assert found == explore(graph, TARGETS[:1], WANTED)


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
    points = explore(residual(1, 8, 8), TARGETS[:1], [1_000.0, 1e9])
    rows = list(csv.DictReader(io.StringIO(to_csv(points))))
    assert [r["target"] for r in rows] == ["ultra96", "ultra96"]
    assert int(rows[0]["lut"]) == points[0].lut
    assert rows[1]["lut"] == ""
    data = json.loads(to_json(points))
    assert data[0]["fps"] == points[0].fps
    assert data[1]["fps"] is None
    assert "cycles" in data[1]["error"]


def test_rates_are_even_on_a_logarithmic_scale() -> None:
    assert rates(100, 100_000, 4) == pytest.approx([100, 1_000, 10_000, 100_000])
    assert rates(5, 5, 1) == [5]


@pytest.mark.parametrize(
    ("low", "high", "count"), [(0, 1, 2), (2, 1, 2), (1, 2, 0), (math.nan, 1, 2), (1, math.inf, 3)]
)
def test_ranges_that_make_no_sense(low: float, high: float, count: int) -> None:
    with pytest.raises(UsageError):
        rates(low, high, count)
