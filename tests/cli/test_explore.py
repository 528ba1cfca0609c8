"""`flowc explore` as a stranger meets it."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest

from flowc.cli import main
from tests.netbuild import cnn

Run = Callable[..., tuple[int, str, str]]
QUICK = ("--fps-range", "1000:30000:2", "--workers", "1")


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs ``flowc explore net.onnx`` with the given options, in a directory that holds nothing else."""
    onnx.save(cnn(), tmp_path / "net.onnx")
    monkeypatch.chdir(tmp_path)
    capsys.readouterr()

    def call(*arguments: str) -> tuple[int, str, str]:
        code = main(["explore", "net.onnx", *arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


def files() -> list[str]:
    return sorted(path.name for path in Path().iterdir())


def refused(done: tuple[int, str, str], code: int = 2) -> str:
    """The message of a refusal: one line on stderr, nothing on stdout, nothing written."""
    assert done[:2] == (code, "")
    assert done[2].startswith("flowc: error: ")
    assert done[2].count("\n") == 1
    assert files() == ["net.onnx"]
    return done[2].removeprefix("flowc: error: ")


def test_a_table_per_board(run: Run) -> None:
    code, out, err = run("--targets", "ultra96,zcu104", *QUICK)
    assert (code, err) == (0, "")
    assert [line for line in out.splitlines() if " on " in line] == [
        "net on ultra96 at 100 MHz",
        "net on zcu104 at 100 MHz",
    ]
    header = out.splitlines()[1].split()
    assert header == ["fps", "latency", "ms", "LUT", "FF", "BRAM18", "DSP", "fullest", "bottleneck"]
    assert "URAM" in out  # of the second board, which has some
    assert "\x1b" not in out
    assert files() == ["net.onnx"]


def test_files_and_a_chart(run: Run) -> None:
    code, out, _ = run("--targets", "ultra96", *QUICK, "--csv", "a.csv", "--json", "b.json", "--plot", "c.SVG")
    assert code == 0
    assert "written to a.csv\nwritten to b.json\nwritten to c.SVG\n" in out
    assert files() == ["a.csv", "b.json", "c.SVG", "net.onnx"]
    assert len(list(csv.reader(Path("a.csv").read_text().splitlines()))) == 3
    assert len(json.loads(Path("b.json").read_text())["points"]) == 2
    assert "<svg" in Path("c.SVG").read_text()
    code, out, _ = run("--targets", "ultra96", *QUICK, "--plot", "-")
    assert code == 0
    assert "(fps)" in out
    assert "100%" in out


def test_json_on_stdout_stands_alone(run: Run) -> None:
    code, out, err = run(
        "--targets", "ultra96,kv260", *QUICK, "--json", "-", "--clock", "120", "--utilization", "lut=50%"
    )
    assert (code, err) == (0, "")
    document = json.loads(out)
    assert [(p["target"], p["clock_mhz"]) for p in document["points"]] == [("ultra96", 120)] * 2 + [("kv260", 120)] * 2


def test_the_default_is_twelve_rates_on_all_cores(run: Run) -> None:
    code, out, _ = run("--targets", "ultra96", "--json", "-")
    assert code == 0
    points = json.loads(out)["points"]
    assert len(points) == 12
    assert points[-1]["wanted_fps"] is None


def test_folding_is_kept(run: Run, tmp_path: Path) -> None:
    report = json.loads(run("--targets", "ultra96", *QUICK, "--json", "-")[1])
    layer = report["points"][0]["bottleneck"]
    Path("fold.json").write_text(json.dumps({layer: {"pe": 4, "simd": 1}}))
    code, out, _ = run("--targets", "ultra96", *QUICK, "--json", "-", "--folding", "fold.json")
    assert code == 0
    assert json.loads(out)["points"][0]["interval_cycles"] != report["points"][0]["interval_cycles"]


def test_rates_out_of_reach_are_said_with_the_reason(run: Run) -> None:
    code, out, _ = run("--targets", "ultra96", "--fps-range", "1000:9e7:3", "--workers", "1")
    assert code == 0
    text = " ".join(out.split())
    assert "1 of 3 rates can't be reached: 90,000,000 fps at 100 MHz are 1 cycle per frame, but layer" in text
    message = refused(
        run("--targets", "ultra96", "--fps-range", "8e7:9e7:2", "--workers", "1", "--csv", "a.csv"), code=3
    )
    assert "no target reaches any of the rates: ultra96: 80,000,000 fps" in message


def test_a_dask_cluster_gives_the_same(run: Run) -> None:
    import distributed

    here = run("--targets", "ultra96", *QUICK, "--json", "-")
    options = [option for option in QUICK if option not in ("--workers", "1")]
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0") as cluster:
        there = run("--targets", "ultra96", *options, "--json", "-", "--dask", cluster.scheduler_address)
    assert there == here
    assert here[0] == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Missing option '--targets'"),
        (["--targets", ""], "unknown target ''"),
        (["--targets", "ultra96,"], "unknown target ''"),
        (
            ["--targets", "ultra96,ultra97"],
            "unknown target 'ultra97': did you mean 'ultra96'? the known ones are arty-a7-100t",
        ),
        (["--targets", "ultra96,ultra96"], "target 'ultra96' is named twice"),
        (["--targets", "./no.toml"], "cannot read the target file 'no.toml': No such file"),
        (["--fps-range", "100"], "'100' is not LOW:HIGH or LOW:HIGH:COUNT, such as 100:10000:12."),
        (["--fps-range", "1:2:3:4"], "'1:2:3:4' is not LOW:HIGH"),
        (["--fps-range", "1:2:many"], "'1:2:many' is not LOW:HIGH"),
        (["--fps-range", "1:2:2.5"], "'1:2:2.5' is not LOW:HIGH"),
        (["--fps-range", "0:10"], "a range of frame rates goes from above 0 upward, not from 0.0 to 10.0."),
        (["--fps-range", "-5:10"], "goes from above 0 upward, not from -5.0 to 10.0"),
        (["--fps-range", "nan:10"], "goes from above 0 upward, not from nan to 10.0"),
        (["--fps-range", "1:inf"], "goes from above 0 upward, not from 1.0 to inf"),
        (["--fps-range", "20:10"], "goes from above 0 upward, not from 20.0 to 10.0"),
        (["--fps-range", "1:2:0"], "the number of frame rates must be 1 to 1,000, not 0"),
        (["--clock", "0"], "0.0 is not a finite number above 0"),
        (["--targets", "kv260,ultra96", "--clock", "700"], "700 MHz is above the limit of 667 MHz of target 'ultra96'"),
        (["--workers", "0"], "Invalid value for '--workers': 0 is not in the range x>=1"),
        (["--workers", "2", "--dask", "tcp://x:1"], "--workers is for processes of this machine, --dask for a cluster"),
        (["--json", "-", "--plot", "-"], "--json - and --plot - both write to stdout"),
        (["--csv", "no/a.csv"], "cannot write 'no/a.csv': there is no directory 'no'"),
        (["--json", "."], "cannot write '.': it is a directory"),
        (["--csv", "a", "--json", "a"], "'a' is named for two outputs"),
        (["--plot", "a.gif"], "'a.gif': a plot ends in .svg, .png, .pdf; '-' is the terminal"),
        (["--plot", "a"], "'a': a plot ends in .svg, .png, .pdf"),
        (["--folding", "no.json"], "cannot read the folding file 'no.json': No such file"),
        (["--input-type", "u8"], "input type 'u8': the type must be uint1 to uint16"),
        (["--utilization", "lut"], "utilization 'lut' is not RESOURCE=SHARE,..., such as 'lut=0.7,bram18=90%'"),
    ],
)
def test_options_that_make_no_sense(run: Run, arguments: list[str], message: str) -> None:
    given = arguments if not arguments or "--targets" in arguments else ["--targets", "ultra96", *arguments]
    assert message in refused(run(*given))


def test_an_address_where_no_cluster_is(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flowc.exploration.executors._PATIENCE_SECONDS", 0.5)
    message = refused(run("--targets", "ultra96", "--dask", "tcp://127.0.0.1:1"))
    assert "no Dask scheduler answers at 'tcp://127.0.0.1:1'" in message


@pytest.mark.parametrize(("package", "plot"), [("matplotlib", "a.svg"), ("plotille", "-")])
def test_missing_packages_are_said_before_any_work(
    run: Run, monkeypatch: pytest.MonkeyPatch, package: str, plot: str
) -> None:
    monkeypatch.setattr("flowc.exploration.plots.installed", lambda name: name != package)
    message = refused(run("--targets", "ultra96", "--plot", plot))
    assert message == f"a plot needs the package '{package}'. Install it with: pip install 'flowc[plot]'.\n"


def test_missing_dask_is_said(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    assert "pip install 'flowc[dask]'" in refused(run("--targets", "ultra96", "--dask", "tcp://x:1"))


def test_a_file_that_fails_late_leaves_nothing(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    assert "No space left on device" in refused(
        run("--targets", "ultra96", *QUICK, "--csv", "a.csv", "--json", "b.json")
    )


def test_an_interruption_ends_the_workers_and_is_said(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("flowc.exploration.sweep.explore_graph", interrupted)
    code, out, err = run("--targets", "ultra96", "--csv", "a.csv")
    assert (code, out, err.strip()) == (130, "", "flowc: interrupted; nothing was written")
    assert files() == ["net.onnx"]


def test_progress_and_colors_on_a_terminal(tmp_path: Path) -> None:
    import os
    import pty

    onnx.save(cnn(), tmp_path / "net.onnx")
    command = [sys.executable, "-m", "flowc", "explore", "net.onnx", "--targets", "ultra96", *QUICK]
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(tmp_path)
        os.environ.update(TERM="xterm-256color", COLUMNS="120")
        os.environ.pop("NO_COLOR", None)
        os.execv(sys.executable, command)
    shown = b""
    try:
        while data := os.read(terminal, 4096):
            shown += data
    except OSError:  # the other end is closed
        pass
    assert os.waitpid(pid, 0)[1] == 0
    text = shown.decode()
    assert "allocate" in text
    assert "━" in text
    assert "(fps)" in text  # the chart, without being asked for
    assert "\x1b[" in text
