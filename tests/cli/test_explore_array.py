"""`flowc explore-array` as a stranger meets it."""

from __future__ import annotations

import csv
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path

import onnx
import pytest

from flowc.cli import main
from tests.netbuild import cnn

Run = Callable[..., tuple[int, str, str]]
TABLE = "layer,height,width,channels,filters,kernel,groups\na,8,8,3,16,3,1\nb,8,8,16,16,3,16\n"


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs ``flowc explore-array`` in a directory that holds a model and a table and nothing else."""
    onnx.save(cnn(), tmp_path / "net.onnx")
    (tmp_path / "own.csv").write_text(TABLE)
    monkeypatch.chdir(tmp_path)
    capsys.readouterr()

    def call(*arguments: str) -> tuple[int, str, str]:
        code = main(["explore-array", *arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


def refused(done: tuple[int, str, str]) -> str:
    """The message of a refusal: one line on stderr, nothing on stdout, nothing written."""
    assert done[:2] == (2, "")
    assert done[2].startswith("flowc: error: ")
    assert done[2].count("\n") == 1
    assert sorted(path.name for path in Path().iterdir()) == ["net.onnx", "own.csv"]
    return done[2].removeprefix("flowc: error: ")


def test_a_table_per_network(run: Run) -> None:
    code, out, err = run("net.onnx", "own.csv", "resnet50", "--pes", "256", "--dataflow", "ws,rs")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    for name in ("net:", "own:", "resnet50: 4.089 G multiplications an image"):
        assert any(line.startswith(name) for line in lines), name
    header = next(line for line in lines if line.startswith("dataflow")).split()
    assert header == [
        "dataflow", "array", "cycles", "/best", "used", "buffer", "/best", "between", "/best", "within", "/best", "DRAM",
        "energy/best",
    ]  # fmt: skip
    assert sum(line.startswith(("ws ", "rs ")) for line in lines) == 3 * 2 * 3  # 8x32, 16x16, 32x8
    assert out.count("layers that waste most of") == 3
    assert "Idle cells toggle, as in CAMUY" in out
    assert "\x1b" not in out


def test_what_is_said_of_gated_cells(run: Run) -> None:
    out = run("own.csv", "--pes", "64", "--idle", "gated", "--loads", "exposed", "--costs", "dram=200")[1]
    assert "Idle cells are gated: energy (of ws, is) hardly depends on the shape" in out
    assert "SCALE-Sim" not in out
    assert "on-chip" not in out


def test_remarks_are_about_what_is_shown(run: Run) -> None:
    out = run("own.csv", "--pes", "64", "--dataflow", "ws")[1]
    assert "as in CAMUY (--loads rows: a row a cycle)." in out
    assert "SCALE-Sim" not in out
    assert "Row stationary" not in out
    out = run("own.csv", "--pes", "64", "--dataflow", "is,rs")[1]
    assert "Cycles: os and is wait for each block, as in SCALE-Sim" in out
    assert "Row stationary cells are always gated" in out
    assert "Cycles" not in run("own.csv", "--pes", "64", "--dataflow", "nlr")[1]


def test_layers_alike_are_one_line(run: Run) -> None:
    assert "query, 12 times " in run("bert-base", "--pes", "64", "--dataflow", "ws")[1]


def test_many_points_are_cut_and_say_so(run: Run) -> None:
    code, out, _ = run("own.csv", "--heights", "4:16:4", "--widths", "4,8", "--layers", "os:4x8")
    assert code == 0
    assert "more points; --csv or --json writes all" in out
    assert "layers that waste most of os 4x8:" in out


def test_files(run: Run) -> None:
    arguments = ["--heights", "4,8", "--widths", "4,8", "--dataflow", "ws", "--csv", "p.csv", "--json", "p.json"]
    code, out, err = run("own.csv", *arguments, "--layers-csv", "l.csv", "--plot", "h.svg", "--metric", "cycles")
    assert (code, err) == (0, "")
    assert [line for line in out.splitlines() if line.startswith("written")] == [
        f"written to {name}" for name in ("p.csv", "p.json", "l.csv", "h.svg")
    ]
    (network,) = json.loads(Path("p.json").read_text())["networks"]
    assert (network["name"], network["macs"], len(network["points"])) == ("own", 36 * 27 * 16 + 36 * 9 * 16, 4)
    assert len(list(csv.DictReader(Path("p.csv").read_text().splitlines()))) == 4
    assert [row["layer"] for row in csv.DictReader(Path("l.csv").read_text().splitlines())] == ["a", "b"]
    assert Path("h.svg").read_text().startswith("<svg ")


@pytest.mark.parametrize("option", ["--json", "--csv"])
@pytest.mark.parametrize("dash", [("-",), ()])
def test_stdout_takes_one_document(run: Run, option: str, dash: tuple[str, ...]) -> None:
    code, out, err = run("own.csv", option, *dash, "--pes", "16", "--dataflow", "nlr")
    assert (code, err) == (0, "")
    assert json.loads(out) if option == "--json" else out.startswith("network,dataflow,height")


def test_a_dynamic_input(run: Run) -> None:
    model = onnx.load("net.onnx")
    model.graph.input[0].type.tensor_type.shape.dim[2].dim_param = "height"
    onnx.save(model, "net.onnx")
    assert "input 'x' has dynamic dimensions: 2 ('height')" in refused(run("net.onnx"))
    shape = ",".join(str(d.dim_value or 8) for d in model.graph.input[0].type.tensor_type.shape.dim)
    assert run("net.onnx", "--pes", "64", "--dataflow", "ws", "--input-shape", f"x={shape}")[0] == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["own.csv", "--pes", "0"], "the number of processing elements must be 1 to 16,777,216, not 0"),
        (["own.csv", "--pes", "-16"], "not -16"),
        (["own.csv", "--pes", "99999999999999999999"], "must be 1 to 16,777,216"),
        (["own.csv", "--pes", "100", "--heights", "30"], "30 does not divide 100. Near it: 25 and 50"),
        (["own.csv", "--pes", "64", "--heights", "8", "--widths", "8"], "Leave --pes away"),
        (["own.csv", "--heights", "8,x"], "'8,x' is not a list such as 16,32,64"),
        (["own.csv", "--heights", "8:1:0"], "is not a list such as"),
        (["own.csv", "--heights", "8:4:1", "--widths", "4"], "no height is given"),
        (["own.csv", "--heights", "1:9999999999:1"], "is not a list such as"),
        (["own.csv", "--dataflow", "ws,tpu"], "there is no dataflow 'tpu'. Known are ws, os, is, rs, nlr"),
        (["own.csv", "--dataflow", ""], "there is no dataflow ''"),
        (["own.csv", "--batch", "0"], "batch must be a whole number from 1"),
        (["own.csv", "--costs", "sram=3"], "there is no cost 'sram'"),
        (["own.csv", "--costs", "dram"], "'dram' is not a list such as buffer=6,dram=200"),
        (["own.csv", "--costs", "dram=nan"], "the cost of dram must be a number from 0"),
        (["own.csv", "--metric", "speed"], "there is no metric 'speed'"),
        (["own.csv", "--layers", "8by8"], "'8by8' is not an array such as 128x128"),
        (["own.csv", "--pes", "64", "--layers", "9x9"], "the sweep has no array 'ws' of 9 x 9"),
        (["own.csv", "--plot", "h.png"], "'h.png': a heat map ends in .svg"),
        (["own.csv", "--plot", "-"], "--layers-csv and --plot write files"),
        (["own.csv", "--json", "-", "--csv", "-"], "only one of the outputs can go to stdout"),
        (["own.csv", "--json", "none/p.json"], "there is no directory 'none'"),
        (["own.csv", "--csv", "a", "--json", "a"], "'a' is named for two outputs"),
        (["own.csv", "own.csv"], "two networks are called 'own'"),
        (["own.csv", "--input-shape", "x=1"], "shapes of inputs are for ONNX models"),
        (["net.onnx", "--input-shape", "x"], "'x' is not an input and its shape"),
        (["net.onnx", "--input-shape", "x=1,two"], "is not an input and its shape"),
        (["resnet51"], "there is no network 'resnet51'"),
        (["none.onnx"], "there is no file 'none.onnx'"),
        ([], "Missing argument"),
    ],
)
def test_requests_that_make_no_sense(run: Run, arguments: list[str], message: str) -> None:
    assert message in refused(run(*arguments))


def test_progress_is_shown_on_terminals_only(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    code, _, err = run("own.csv", "--pes", "16", "--dataflow", "ws")
    assert code == 0
    assert "count" in err


def test_the_table_fits_80_columns(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for name, value in (("FORCE_COLOR", "1"), ("TERM", "xterm"), ("COLUMNS", "80")):
        monkeypatch.setenv(name, value)
    assert main(["explore-array", "alexnet", "--pes", "256", "--workers", "1"]) == 0
    lines = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out).splitlines()
    assert max(map(len, lines)) <= 80
    assert not [line for line in lines if line.strip() and len(line.split()) == 1 and len(line.strip()) < 4]
