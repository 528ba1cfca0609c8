"""`flowc.explore`: ranges, fronts, documents, pictures, and what makes no sense."""

from __future__ import annotations

import csv
import io
import json
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

import flowc
from flowc import Sweep, UsageError
from flowc.exploration.executors import process_executor
from flowc.exploration.plots import tightest
from flowc.exploration.points import Point
from tests.netbuild import cnn, mlp


@pytest.fixture(scope="module")
def sweep() -> Sweep:
    return flowc.explore(cnn(), ["ultra96", "zcu104"], count=4)


def test_without_a_range_it_goes_from_the_slowest_folding_to_the_highest_rate_that_fits(sweep: Sweep) -> None:
    for target in ("ultra96", "zcu104"):
        points = [p for p in sweep.points if p.target == target]
        assert [p.wanted_fps is None for p in points] == [False, False, False, True]
        best = flowc.estimate(cnn(), target)
        assert points[-1].fps == best["fps"]
        assert points[-1].lut == best["resources"]["lut"]
        wanted = [p.wanted_fps or 0.0 for p in points[:-1]]
        assert wanted[1] / wanted[0] == pytest.approx(wanted[2] / wanted[1])
        assert wanted[0] >= best["fps"] / 1000
        for point in points[:-1]:
            assert (point.wanted_fps or 0) <= (point.fps or 0) < best["fps"]


def test_points_are_estimates(sweep: Sweep) -> None:
    point = sweep.points[1]
    report = flowc.estimate(cnn(), point.target, fps=point.wanted_fps)
    assert (report["fps"], report["latency_ms"], report["bottleneck"]) == (
        point.fps,
        point.latency_ms,
        point.bottleneck,
    )
    assert {k: getattr(point, k) for k in report["resources"]} == report["resources"]


def test_a_range_is_taken_as_it_is_for_every_target() -> None:
    found = flowc.explore(cnn(), ["ultra96", "kv260"], fps_range=(1_000, 100_000), count=3, clock_mhz=120)
    assert [(p.target, round(p.wanted_fps or 0)) for p in found.points] == [
        (t, fps) for t in ("ultra96", "kv260") for fps in (1_000, 10_000, 100_000)
    ]
    assert {p.clock_mhz for p in found.points} == {120}


def test_the_front_is_of_the_points_and_ascends(sweep: Sweep) -> None:
    assert set(sweep.front) <= set(sweep.points)
    rates = [p.fps or 0 for p in sweep.front if p.target == "ultra96"]
    assert rates == sorted(set(rates))


def test_limits_and_folding_are_kept() -> None:
    tight = flowc.explore(cnn(), ["ultra96"], count=2, utilization="lut=3%,dsp=0.02")
    assert all((p.lut or 0) <= 0.03 * 70_560 and (p.dsp or 0) <= 7.2 for p in tight.points)
    loose = flowc.explore(cnn(), ["ultra96"], count=1)
    assert (loose.points[0].fps or 0) > (tight.points[-1].fps or 0)
    with pytest.raises(UsageError, match="unknown layer 'nothing'"):
        flowc.explore(cnn(), ["ultra96"], folding={"nothing": {"pe": 1}})


def test_documents_hold_every_point(sweep: Sweep) -> None:
    rows = list(csv.DictReader(io.StringIO(sweep.csv())))
    document = json.loads(sweep.json())
    assert (document["schema"], document["flowc"], document["model"]) == (1, flowc.__version__, sweep.model)
    assert document["available"]["zcu104"]["uram"] == 96
    assert len(rows) == len(document["points"]) == len(sweep.points)
    for row, entry, point in zip(rows, document["points"], sweep.points, strict=True):
        assert entry == {**{k: getattr(point, k) for k in point.__dataclass_fields__}, "front": point in sweep.front}
        assert row == {k: "" if v is None else str(v) for k, v in entry.items()}


def test_progress_counts_the_points() -> None:
    seen: list[tuple[str, int, int]] = []
    flowc.explore(cnn(), ["ultra96", "zcu104"], count=2, progress=lambda *told: seen.append(told))
    assert [told[0] for told in seen][:1] == ["import"]
    counted = [told[1:] for told in seen if told[0] == "allocate"]
    assert counted == sorted(counted)
    assert (counted[0], counted[-1]) == ((0, 4), (4, 4))


def test_processes_give_the_same() -> None:
    here = flowc.explore(cnn(), ["ultra96"], fps_range=(1_000, 50_000), count=2)
    assert flowc.explore(cnn(), ["ultra96"], fps_range=(1_000, 50_000), count=2, workers=2) == here
    with process_executor(1) as executor:
        assert flowc.explore(cnn(), ["ultra96"], fps_range=(1_000, 50_000), count=2, executor=executor) == here


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"targets": []}, "no target is named"),
        ({"targets": ["ultra96", "Ultra96"]}, "target 'ultra96' is named twice"),
        ({"targets": ["ultra97"]}, "unknown target 'ultra97': did you mean 'ultra96'"),
        ({"fps_range": (0, 10)}, "goes from above 0 upward, not from 0 to 10"),
        ({"fps_range": (10, 1)}, "not from 10 to 1"),
        ({"fps_range": (float("nan"), 1)}, "not from nan to 1"),
        ({"count": 0}, "the number of frame rates must be 1 to 1,000, not 0"),
        ({"clock_mhz": 5000}, "5000 MHz is above the limit of 667 MHz of target 'ultra96'"),
        ({"utilization": "lut"}, "is not RESOURCE=SHARE,..., such as 'lut=0.7,bram18=90%'"),
        ({"utilization": "luts=1"}, "'luts' is no resource; allowed are lut, ff, bram18, uram, dsp"),
        ({"utilization": "lut=1,lut=1"}, "'lut' stands twice"),
        ({"utilization": "lut=120%"}, "utilization limit 'lut' must be above 0 and at most 1, not 1.2"),
        ({"utilization": "lut=1-1"}, "utilization limit 'lut' must be above 0 and at most 1"),
        ({"utilization": 0.5}, "a utilization is a text such as 'lut=0.7,bram18=90%', not 0.5"),
        ({"folding": ["x"]}, "a folding is an object of layers or the path of a JSON file, not a list"),
        ({"workers": 0}, "the number of workers must be at least 1, not 0"),
    ],
)
def test_requests_that_make_no_sense(given: dict[str, Any], message: str) -> None:
    with pytest.raises(flowc.FlowcError) as error:
        flowc.explore(mlp(), **{"targets": ["ultra96"], **given})
    assert message in str(error.value)
    assert error.value.exit_code == 2


def test_nothing_reached_anywhere_says_why_for_each_board() -> None:
    with pytest.raises(flowc.InfeasibleError) as error:
        flowc.explore(cnn(), ["ultra96", "kv260"], fps_range=(1e8, 2e8), count=2)
    assert error.value.exit_code == 3
    assert str(error.value).startswith(
        "no target reaches any of the rates: ultra96: 100,000,000 fps at 100 MHz are 1 cycle"
    )
    assert "; kv260: 100,000,000 fps at" in str(error.value)


# pictures


def test_a_picture_names_boards_and_resources(sweep: Sweep) -> None:
    texts = "".join(ElementTree.fromstring(sweep.plot()).itertext())
    for text in ("ultra96", "zcu104", "LUT", "BRAM18", "DSP", "latency in ms", "frames per second", sweep.model):
        assert text in texts
    assert sweep.plot() == sweep.plot()
    assert sweep.plot("png").startswith(b"\x89PNG")
    assert sweep.plot("pdf").startswith(b"%PDF")
    with pytest.raises(UsageError, match="can't be 'gif'; allowed are svg, png, pdf"):
        sweep.plot("gif")


def test_names_are_text_in_pictures(sweep: Sweep) -> None:
    hostile = Sweep("$\\frac{<b>\x1b[31m", sweep.targets, sweep.points)
    ElementTree.fromstring(hostile.plot())


def test_a_chart_is_text_of_the_width_asked_for(sweep: Sweep, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = sweep.chart(80, 20).splitlines()
    assert len(lines) <= 20
    assert max(map(len, lines)) <= 80
    assert lines[-2].endswith("ultra96")
    assert lines[-1].endswith("zcu104")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\x1b" not in sweep.chart()
    assert "\x1b" in sweep.chart(color=True)


def test_pictures_of_a_single_point() -> None:
    point = Point("ultra96", 100, None, 10.0, 1, 1.0, 10, 10, 0, 0, 0, "x")
    single = Sweep("net", (flowc.load_target("ultra96"),), (point,))
    assert single.chart()
    assert single.plot()


def test_the_tightest_resource() -> None:
    point = Point("a", 100, None, 10.0, 1, 1.0, 10, 10, 30, 0, None, "x")
    assert tightest(point, {"lut": 100, "bram18": 60, "uram": 0, "dsp": 5}) == (0.5, "bram18")


@pytest.mark.parametrize(("package", "call"), [("matplotlib", "plot"), ("plotille", "chart")])
def test_missing_packages_are_named(sweep: Sweep, monkeypatch: pytest.MonkeyPatch, package: str, call: str) -> None:
    for name in [n for n in sys.modules if n == package or n.startswith(package + ".")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(
        UsageError, match=rf"needs the package '{package}'. Install it with: pip install 'flowc\[plot\]'"
    ):
        getattr(sweep, call)()


def test_a_script_may_use_processes_from_its_main_part(tmp_path: Path) -> None:
    import onnx

    onnx.save(cnn(), tmp_path / "net.onnx")
    (tmp_path / "script.py").write_text(
        "import flowc\n"
        "if __name__ == '__main__':\n"
        "    found = flowc.explore('net.onnx', ['ultra96'], fps_range=(1e3, 1e4), count=2, workers=2)\n"
        "    print(len(found.points))\n"
    )
    import subprocess

    done = subprocess.run([sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.stderr) == ("2", "")


def test_points_of_a_lattice_part_are_its_backends_estimates_and_without_an_engine() -> None:
    found = flowc.explore(cnn(), ["ulx3s-85f"], execution="auto", count=3, workers=1)
    assert {p.error for p in found.points if p.execution == "loopback"} == {
        "the backend 'rtl' writes dataflow designs only"
    }
    points = [p for p in found.points if p.execution == "dataflow"]
    assert points
    for point in points:
        report = flowc.estimate(cnn(), point.target, fps=point.wanted_fps)
        assert (report["fps"], report["latency_ms"]) == (point.fps, point.latency_ms)
        assert {k: getattr(point, k) for k in report["resources"]} == report["resources"]
    assert len({p.wanted_fps for p in points}) == len(points)


def test_the_hardware_language_counts() -> None:
    asked = {"fps_range": (2_000, 2_000), "count": 1, "workers": 1}
    ((hls,), (rtl,)) = (flowc.explore(cnn(), ["ultra96"], backend=b, **asked).points for b in ("hls", "rtl"))
    report = flowc.estimate(cnn(), "ultra96", fps=2_000, backend="rtl")
    assert (rtl.lut, rtl.latency_ms) == (report["resources"]["lut"], report["latency_ms"])
    assert rtl.lut != hls.lut
    with pytest.raises(UsageError, match="there is no HLS tool for the family ecp5"):
        flowc.explore(cnn(), ["ulx3s-85f"], backend="hls", workers=1)
