"""``flowc build``: what it prints and leaves, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import onnx
import pytest

from tests.cli.helpers import Outcome, Run, refused, tree
from tests.netbuild import mlp


def test_build_writes_a_complete_project_and_prints_its_report(run: Run, model: Path) -> None:
    done = run("build", model, "--target", "ultra96", "--fps", "1000", "--json")
    assert done.code == 0
    assert done.err == ""
    folder = Path("build/net-ultra96")
    assert tree(Path("build")).count("net-ultra96") == 1
    assert {"report.json", "report.html", "design.json", "hls", "vivado", "driver"} <= {
        e.name for e in folder.iterdir()
    }
    report = done.document
    assert report == json.loads((folder / "report.json").read_text())
    assert {
        "schema", "flowc", "model", "target", "clock_mhz", "execution", "fps", "latency_ms", "bottleneck", "resources",
        "available", "fits", "layers", "fifos", "certificate", "verification", "csim", "rtlsim", "seconds",
    } <= set(report)  # fmt: skip
    assert (report["schema"], report["target"], report["clock_mhz"], report["fits"]) == (1, "ultra96", 100.0, True)
    assert report["fps"] >= 1000
    assert report["verification"]["mismatches"] == 0
    assert report["verification"]["values"] > 0
    assert report["csim"] is None
    assert {
        "name", "unit", "onnx_nodes", "macs", "bops", "pe", "simd", "cycles", "weight_bits", "input_bits",
        "output_bits", "accumulator_bits", "lut", "ff", "bram18", "uram", "dsp", "memory",
    } <= set(report["layers"][0])  # fmt: skip
    assert {"from", "to", "depth", "width"} <= set(report["fifos"][0])


def test_build_for_people(run: Run, model: Path) -> None:
    done = run("build", model, "--target", "ultra96", "--fps", "1000", "-o", "out", "--explain")
    assert done.code == 0
    assert done.err == ""
    for text in ("net on ultra96 at 100 MHz", "0 mismatches", "written to", "out/", "became", "LUT"):
        assert text in done.out
    assert "\x1b" not in done.out


def test_a_board_of_ones_own(run: Run, model: Path, tmp_path: Path) -> None:
    page = Path(__file__).parents[2] / "docs" / "adding-a-target.md"
    example = page.read_text(encoding="utf-8").split("```toml\n")[1].split("```")[0]
    (tmp_path / "board.toml").write_text(example)
    report = run("build", model, "--target", tmp_path / "board.toml", "--fps", "100", "--json").document
    assert report["target"] == "my-board"
    assert report["available"]["dsp"] == 80
    assert Path("build/net-my-board/report.json").is_file()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "no target is named. Add --target NAME; 'flowc targets' lists the known ones."),
        (["--target"], "Option '--target' requires an argument."),
        (
            ["--target", "ultra97"],
            "unknown target 'ultra97': did you mean 'ultra96'? the known ones are arty-a7-100t, arty",
        ),
        (["--target", "ultra96", "--fps", "0"], "Invalid value for '--fps': 0.0 is not a finite number above 0."),
        (["--target", "ultra96", "--fps", "-5"], "Invalid value for '--fps': -5.0 is not a finite number above 0."),
        (["--target", "ultra96", "--fps", "nan"], "Invalid value for '--fps': nan is not a finite number above 0."),
        (["--target", "ultra96", "--fps", "many"], "Invalid value for '--fps': 'many' is not a valid float."),
        (["--target", "ultra96", "--clock", "inf"], "Invalid value for '--clock': inf is not a finite number above 0."),
        (["--target", "ultra96", "--clock", "668"], "668 MHz is above the limit of 667 MHz"),
        (["--target", "ultra96", "--execution", "slow"], "Invalid value for '--execution': 'slow' is not one of"),
        (["--target", "ultra96", "--execution", "loopback", "--folding", "{}"], "folding"),
        (["--target", "ultra96", "--input-type", "u8"], "input type 'u8': the type must be uint1 to uint16"),
        (["--target", "ultra96", "--folding", "no.json"], "cannot read the folding file 'no.json': No such file"),
        (["--target", "ultra96", "--config", "no.toml"], "cannot read the configuration file 'no.toml': No such file"),
        (["--target", "ultra96", "--speed", "9"], "No such option"),
    ],
)
def test_options_that_make_no_sense(run: Run, model: Path, arguments: list[str], message: str) -> None:
    assert message in refused(run("build", model, *arguments))
    assert tree(Path()) == []


def test_output_directories(run: Run, model: Path) -> None:
    def build(*options: str) -> Outcome:
        return run("build", model, "--target", "ultra96", "--fps", "100", "--no-verify", *options)

    Path("thesis").mkdir()
    Path("thesis/text").write_text("mine")
    assert "is not empty and was not written by flowc" in refused(build("-o", "thesis"))
    assert "is a file" in refused(build("-o", "thesis/text"))
    assert "cannot be written" in refused(build("-o", "/proc/flowc"))
    assert tree(Path()) == ["thesis", "thesis/text"]
    assert build("-o", "thesis", "--force").code == 0
    assert Path("thesis.before-flowc/text").read_text() == "mine"
    assert build("-o", "thesis").code == 0


def test_a_rate_out_of_reach_is_exit_3_and_leaves_nothing(run: Run, model: Path) -> None:
    message = refused(run("build", model, "--target", "ultra96", "--fps", "1e9"), code=3)
    assert "fps" in message
    assert tree(Path()) == []


def test_names_from_a_model_are_text(run: Run, tmp_path: Path) -> None:
    network = mlp()
    for i, node in enumerate(network.graph.node):
        node.name = f"[red]{i}[/red]\x1b[31m</script>*/\n\x00\x0b\x7f\x9b\u202e"
    path = tmp_path / "hostile\x1b]0;title\x07.onnx"
    onnx.save(network, path)
    done = run("build", path, "--target", "ultra96", "--fps", "1000", "--explain", "-o", "out")
    assert done.code == 0
    assert "[red]" in done.out
    page = Path("out/report.html").read_text()
    assert "</script>*/" not in page
    assert "<title>hostile␛]0;title␇ " in page
    assert [c for c in set(page) if not c.isprintable() and c != "\n"] == []
    assert "\x1b" not in done.out
    assert "\x1b" not in run("info", path).out
