"""Rates, clocks, folding files, target files and limits through the command line: what is said, and that nothing is written."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import onnx
import pytest

from flowc.cli import main
from flowc.loopback.engine import Engine
from tests.netbuild import cnn

Run = Callable[..., tuple[int, str, str]]

BOARD = """name = "mine"
description = "a board"
part = "xc7z020clg400-1"
family = "zynq-7000"
lut = 53200
ff = 106400
bram18 = 280
uram = 0
dsp = 220
clock_mhz = 100
max_clock_mhz = 464.0
"""
LAYER = "n_Conv_10"


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command on a model, for the ultra96 if nothing else is said."""
    onnx.save(cnn(), tmp_path / "net.onnx")
    monkeypatch.chdir(tmp_path)
    capsys.readouterr()

    def call(command: str, *arguments: str) -> tuple[int, str, str]:
        target = [] if "--target" in arguments else ["--target", "ultra96"]
        code = main([command, "net.onnx", *target, *arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


def refused(done: tuple[int, str, str], code: int, *, kept: str = "net.onnx") -> str:
    """The message of a refusal: one line on stderr, nothing on stdout, nothing written."""
    assert done[:2] == (code, "")
    assert done[2].startswith("flowc: error: ")
    assert done[2].count("\n") == 1
    assert {path.name for path in Path().iterdir()} == {"net.onnx", kept}
    return done[2].removeprefix("flowc: error: ")


def test_the_layer_of_these_tests_is_there(run: Run) -> None:
    layers = json.loads(run("estimate", "--json")[1])["layers"]
    assert LAYER in [layer["name"] for layer in layers]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"conv9": {"pe": 2}}', "unknown layer 'conv9'; the layers are in_x, n_Conv_10"),
        ('{"n_Conv_1": {"pe": 2}}', f"unknown layer 'n_Conv_1'; did you mean '{LAYER}'?"),
        (f'{{"{LAYER}": {{"pe": 3}}}}', f"folding '{LAYER}': 'pe' can't be 3; allowed are 1, 2, 4"),
        (f'{{"{LAYER}": {{"simd": 5}}}}', f"folding '{LAYER}': 'simd' can't be 5; allowed are 1, 2, 3, 6, 9, 18"),
        (f'{{"{LAYER}": {{"pe": 0}}}}', "'pe' can't be 0; allowed are"),
        (f'{{"{LAYER}": {{"pe": -2}}}}', "'pe' can't be -2; allowed are"),
        (f'{{"{LAYER}": {{"pe": "4"}}}}', "'pe' must be an integer, not a string; allowed are"),
        (f'{{"{LAYER}": {{"pe": NaN}}}}', "'pe' must be an integer, not a number; allowed are"),
        (f'{{"{LAYER}": {{"parallel": 1}}}}', "'parallel' must be true or false, not an integer; allowed are false, true"),
        (f'{{"{LAYER}": {{"memory": "flash"}}}}', "'memory' can't be \"flash\"; allowed are \"auto\", \"lutram\", \"bram\""),
        (f'{{"{LAYER}": {{"PE": 4}}}}', f"unknown key 'PE'; mvtu '{LAYER}' has pe, simd, memory"),
        (f'{{"{LAYER}": 4}}', "expected an object such as {\"pe\": 4}, not an integer"),
        (f'{{"{LAYER}": {{}}, "{LAYER}": {{}}}}', f"key '{LAYER}' stands twice"),
        ('{"defaults": {"pe": 4}}', "folding 'defaults': unknown key 'pe'; allowed are memory, multiplier, threshold_memory, window_memory"),
        ("[1]", "holds a list, not an object of layers"),
        ("null", "holds null, not an object of layers"),
        ('{"a": }', "is not valid JSON: Expecting value: line 1 column 7"),
        ("", "is not valid JSON"),
    ],
)  # fmt: skip
def test_folding_files(run: Run, content: str, message: str) -> None:
    Path("fold.json").write_text(content)
    assert message in refused(run("build", "--folding", "fold.json"), 2, kept="fold.json")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("dsp = 220\n", "", "missing key 'dsp' (an integer of at least 0)"),
        ('"zynq-7000"', '"zynq"', "'family' is 'zynq', must be one of 'zynq-7000', 'artix-7'"),
        ("lut = 53200", 'lut = "many"', "'lut' is 'many', must be an integer of at least 1"),
        ("lut = 53200", "luts = 53200", "unknown key 'luts' (did you mean 'lut')"),
        ("clock_mhz = 100", "clock_mhz = 600", "'clock_mhz' is 600, above 'max_clock_mhz' (464)"),
        ("clock_mhz = 100", "clock_mhz = inf", "'clock_mhz' is inf, must be a number above 0"),
        ("dsp = 220", "dsp = ", "is not valid TOML"),
    ],
)
def test_target_files(run: Run, old: str, new: str, message: str) -> None:
    Path("b.toml").write_text(BOARD.replace(old, new, 1))
    assert message in refused(run("build", "--target", "./b.toml"), 2, kept="b.toml")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--fps", "0"], "'--fps': 0.0 is not a finite number above 0"),
        (["--fps", "-1"], "'--fps': -1.0 is not a finite number above 0"),
        (["--fps", "nan"], "'--fps': nan is not a finite number above 0"),
        (["--fps", "inf"], "'--fps': inf is not a finite number above 0"),
        (["--clock", "667.5"], "667.5 MHz is above the limit of 667 MHz of target 'ultra96'"),
        (["--clock", "-1"], "'--clock': -1.0 is not a finite number above 0"),
        (["--batch", "0"], "a batch has at least one image, not 0"),
        (["--latency", "0"], "'--latency': 0.0 is not a finite number above 0"),
        (["--execution", "dataflow", "--batch", "4"], "can be asked of loopback execution only"),
        (["--engine", "no.json"], "the engine file 'no.json' can't be read"),
        (["--utilization", "lut=0"], "utilization limit 'lut' must be above 0 and at most 1, not 0.0"),
        (["--utilization", "lut=1.01"], "utilization limit 'lut' must be above 0 and at most 1, not 1.01"),
        (["--utilization", "ram=1"], "'ram' is no resource; allowed are lut, ff, bram18, uram, dsp"),
        (["--utilization", "half"], "utilization 'half' is not RESOURCE=SHARE,..., such as 'lut=0.7,bram18=90%'"),
    ],
)
@pytest.mark.parametrize("command", ["build", "estimate"])
def test_figures_out_of_range(run: Run, command: str, arguments: list[str], message: str) -> None:
    assert message in refused(run(command, *arguments), 2)


def test_what_loopback_execution_refuses(run: Run) -> None:
    engine = Engine(rows=16, columns=16, dsp_lanes=2, table_words=64, search_depth=8).as_dict()
    for change, code, message in (
        ({"schema": 7}, 2, "'e.json' is of schema 7; this version reads schema 1"),
        ({"kind": "none"}, 2, "'e.json' describes no loopback engine"),
        ({"dsp_lanes": 3}, 2, "'dsp_lanes' must be even"),
        ({"weight_words": 2}, 3, "has no tile that fits the engine: half of its weight buffer holds 128 bytes, and the smallest tile takes"),
        ({"act_words": 4}, 3, "half of its activation buffer holds 16 bytes, and the smallest tile takes"),
    ):  # fmt: skip
        Path("e.json").write_text(json.dumps(engine | change))
        assert message in refused(run("build", "--engine", "e.json"), code, kept="e.json")
    message = refused(run("build", "--execution", "loopback", "--batch", "500000000"), 3, kept="e.json")
    assert "bytes of external memory" in message
    assert "the largest tensor" in message
    assert "Ask for a smaller --batch" in message


def test_a_clock_out_of_range_is_said_before_the_model_is_read(run: Run) -> None:
    Path("net.onnx").write_bytes(b"")
    assert "above the limit" in refused(run("build", "--clock", "5000"), 2)


def test_a_rate_out_of_reach_names_bound_and_layer(run: Run) -> None:
    message = refused(run("build", "--fps", "9e6"), 3)
    assert (
        "9,000,000 fps at 100 MHz are 11 cycles per frame, but layer 'n_Conv_10' takes 20 cycles per frame" in message
    )
    assert "even fully unfolded: at most 5,000,000.0 fps" in message


def test_a_rate_that_does_not_fit_names_resource_consumers_and_what_fits(run: Run) -> None:
    message = refused(run("build", "--fps", "9e5", "--utilization", "lut=3%"), 3)
    assert "lut needed of 2,116 allowed; the biggest are '" in message
    assert "The highest rate that fits is" in message
    assert "Loopback execution can't either: no loopback engine fits target 'ultra96'" in message


@pytest.mark.parametrize(("execution", "loopback"), [("auto", True), ("dataflow", False)])
def test_what_never_fits_is_told_so(run: Run, execution: str, loopback: bool) -> None:
    message = refused(run("build", "--execution", execution, "--utilization", "lut=1%"), 3)
    assert "the network does not fit on the chip, however slow" in message
    assert "lut needed of 705 allowed; the biggest are '" in message
    assert "Take a larger target" in message
    assert ("Loopback execution can't either: no loopback engine fits" in message) == loopback


def test_limits_are_kept_and_the_tightest_resource_is_named(run: Run) -> None:
    code, out, _ = run("estimate", "--utilization", "lut=5%")
    assert code == 0
    text = " ".join(out.split())
    assert "of the 3,528 that may be used; most of it goes to '" in text
    report = json.loads(run("estimate", "--utilization", "lut=5%", "--json")[1])
    assert report["resources"]["lut"] <= 3_528
    Path("f.toml").write_text('utilization = "lut=5%"\n')
    assert json.loads(run("estimate", "--config", "f.toml", "--json")[1])["resources"] == report["resources"]


def test_a_design_fixed_by_hand_that_does_not_fit_says_so(run: Run) -> None:
    Path("fold.json").write_text('{"none": {}}')
    names = run("estimate", "--folding", "fold.json")[2].split("the layers are ")[1].split(". ")[0].split(", ")
    kinds = {layer["name"]: layer["unit"] for layer in json.loads(run("estimate", "--json")[1])["layers"]}
    keys = {"mvtu": ("pe", "simd"), "pool": ("pe",)}
    fixed = {name: dict.fromkeys(keys.get(kinds.get(name, ""), ("simd",)), 1) for name in names}
    Path("fold.json").write_text(json.dumps(fixed))
    code, out, err = run("estimate", "--folding", "fold.json", "--utilization", "lut=1%")
    assert (code, err) == (0, "")
    text = " ".join(out.split())
    assert "fits no" in text
    assert "lut too many; fold '" in text


def test_folding_that_leaves_nothing_free_and_does_not_fit_is_a_warning_and_with_strict_exit_3(run: Run) -> None:
    assert run("build", "-o", "first", "--fps", "1000", "--no-verify")[0] == 0
    limited = ["build", "--folding", "first/folding.json", "--utilization", "lut=0.001", "--no-verify", "-o", "second"]
    code, out, err = run(*limited)
    assert code == 0
    assert "flowc: warning: does not fit: " in err
    assert "lut too many" in err
    assert json.loads(Path("second/report.json").read_text())["fits"] is False
    code, out, err = run(*limited[:-1], "third", "--strict")
    assert (code, out) == (3, "")
    assert err.startswith("flowc: error: does not fit: ")
    assert "leave out --strict" in err
    assert not Path("third").exists()
