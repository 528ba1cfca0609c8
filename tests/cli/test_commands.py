"""The command line as a stranger meets it: what it prints, where, with which exit code, and what it leaves behind."""

from __future__ import annotations

import json
import random
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import numpy_helper

import flowc
from flowc import api
from flowc.cli import main
from tests.netbuild import Net, cnn, mlp
from tests.oracle import standard_form

RNG = np.random.default_rng(0)


@dataclass(frozen=True)
class Outcome:
    """What one run of the command line gave."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """Stdout as JSON."""
        return json.loads(self.out)


Run = Callable[..., Outcome]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs flowc in an empty working directory."""
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    capsys.readouterr()

    def call(*arguments: str | Path) -> Outcome:
        code = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Outcome(code, captured.out, captured.err)

    return call


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "net.onnx"
    onnx.save(cnn(), path)
    return path


@pytest.fixture(scope="module")
def design(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A built design; tests read it only."""
    path = tmp_path_factory.mktemp("design") / "net"
    assert main(["build", str(model), "--target", "ultra96", "-o", str(path), "--fps", "1000", "--json"]) == 0
    return path


def samples(batch: int) -> np.ndarray:
    return RNG.normal(0, 1, (batch, 2, 8, 8)).astype(np.float32)


def tree(folder: Path) -> list[str]:
    return sorted(str(entry.relative_to(folder)) for entry in folder.rglob("*"))


# what needs no model


def test_version(run: Run) -> None:
    assert run("--version") == Outcome(0, f"flowc {flowc.__version__}\n", "")


@pytest.mark.parametrize("arguments", [["--version"], ["--help"], ["build", "--help"]])
def test_quick_answers_load_nothing_heavy(arguments: list[str]) -> None:
    program = (
        "import sys; from flowc.cli import main; main(sys.argv[1:])\n"
        "heavy = {'numpy', 'onnx', 'onnx_ir', 'onnxruntime', 'networkx', 'jinja2', 'rich'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", program, *arguments], check=True, capture_output=True)


def test_the_module_is_the_command() -> None:
    done = subprocess.run([sys.executable, "-m", "flowc", "--version"], check=True, capture_output=True, text=True)
    assert done.stdout == f"flowc {flowc.__version__}\n"


def test_help_shows_examples_and_exit_codes(run: Run) -> None:
    assert "flowc build net.onnx --target ultra96\n" in run("build", "--help").out
    assert "Exit codes: 0 done" in run("--help").out


def test_targets(run: Run) -> None:
    listed = run("targets")
    assert listed.code == 0
    assert "xczu3eg-sbva484-1-e" in listed.out
    found = {target["name"]: target for target in run("targets", "--json").document}
    assert found["ultra96"]["lut"] == 70560
    assert found["ultra96"]["power_w"] is None


# the way of a model


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


def test_run_gives_what_onnxruntime_gives(run: Run, model: Path, design: Path) -> None:
    network = onnx.load(model)
    session = ort.InferenceSession(standard_form(network).SerializeToString())
    (name,) = [output.name for output in network.graph.output]
    for batch in (1, 5):
        x = samples(batch)
        np.savez("in.npz", x=x)
        done = run("run", design, "--input", "in.npz", "--output", "out.npz")
        assert done.code == 0
        assert f"{batch} sample" in done.out
        with np.load("out.npz") as outputs:
            assert outputs.files == [name]
            expected = np.concatenate([session.run([name], {"x": x[i : i + 1]})[0] for i in range(batch)])
            assert outputs[name].dtype == expected.dtype
            np.testing.assert_allclose(outputs[name], expected, rtol=1e-5, atol=1e-5)


def test_verify(run: Run, design: Path) -> None:
    found = run("verify", design, "--samples", "3", "--seed", "7", "--json")
    assert found.code == 0
    assert found.document["verification"]["samples"] == 3
    assert found.document["verification"]["mismatches"] == 0
    assert found.document["csim"] is None
    np.savez("in.npz", x=samples(2))
    assert "2 samples" in run("verify", design, "--input", "in.npz").out
    assert run("verify", design, "--input", "in.npz", "--samples", "3").code == 2


def test_estimate_writes_nothing(run: Run, model: Path) -> None:
    report = run("estimate", model, "--target", "kv260", "--fps", "500", "--clock", "150", "--json").document
    assert (report["target"], report["clock_mhz"]) == ("kv260", 150.0)
    assert report["verification"] is None
    assert "frames/s" in run("estimate", model, "--target", "kv260").out
    assert tree(Path()) == []


def test_info(run: Run, model: Path) -> None:
    found = run("info", model, "--json").document
    assert found["macs"] == 8 * 8 * 4 * 2 * 9 + 4 * 4 * 4 * 4 * 9 + 64 * 5
    assert "MACs" in run("info", model).out
    assert tree(Path()) == []


def test_a_board_of_ones_own(run: Run, model: Path, tmp_path: Path) -> None:
    page = Path(__file__).parents[2] / "docs" / "adding-a-target.md"
    example = page.read_text(encoding="utf-8").split("```toml\n")[1].split("```")[0]
    (tmp_path / "board.toml").write_text(example)
    report = run("build", model, "--target", tmp_path / "board.toml", "--fps", "100", "--json").document
    assert report["target"] == "my-board"
    assert report["available"]["dsp"] == 80
    assert Path("build/net-my-board/report.json").is_file()


# the configuration file


def test_a_configuration_file_holds_options_and_the_command_line_wins(run: Run, model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "conf"
    folder.mkdir()
    (folder / "f.toml").write_text('target = "zcu104"\nfps = 800\nclock = 120\noutput = "out"\nverify = false\n')
    done = run("build", model, "--config", folder / "f.toml", "--clock", "125", "--json")
    report = done.document
    assert (report["target"], report["clock_mhz"], report["verification"]) == ("zcu104", 125.0, None)
    assert (folder / "out" / "report.json").is_file()
    assert tree(Path()) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("fpz = 3", "unknown key 'fpz' (did you mean 'fps')"),
        ("fps = 0", "'fps' is 0, must be a number above 0, in frames per second"),
        ('csim = "yes"', "'csim' is 'yes', must be true or false"),
        ('execution = "fast"', "'execution' is 'fast', must be one of 'auto', 'dataflow', 'loopback'"),
        ("fps = ", "is not valid TOML"),
    ],
)
def test_faults_of_a_configuration_file(run: Run, model: Path, text: str, message: str) -> None:
    Path("f.toml").write_text(text)
    done = run("build", model, "--target", "ultra96", "--config", "f.toml")
    assert done.code == 2
    assert "configuration file 'f.toml'" in done.err
    assert message in done.err


# bad usage


def refused(done: Outcome, code: int = 2) -> str:
    """The message of a refusal: one paragraph on stderr, nothing on stdout."""
    assert done.code == code
    assert done.out == ""
    assert done.err.startswith("flowc: error: ")
    assert done.err.count("\n") == 1
    return done.err.removeprefix("flowc: error: ").removesuffix("\n")


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


def test_a_command_that_does_not_exist(run: Run) -> None:
    assert "No such command 'built'" in refused(run("built"))
    assert run().code == 2


def unquantized() -> onnx.ModelProto:
    net = Net([1, 6])
    weights = net.const(np.ones((6, 4), np.float32))
    return net.model(net.op("MatMul", net.x, weights))


def with_nan() -> onnx.ModelProto:
    network = cnn()
    for tensor in network.graph.initializer:
        if tensor.name.startswith("w_"):
            weights = numpy_helper.to_array(tensor).copy()
            weights.flat[0] = np.nan
            tensor.CopyFrom(numpy_helper.from_array(weights, tensor.name))
            break
    return network


def unsupported() -> onnx.ModelProto:
    net = Net([1, 6])
    x = net.quant(net.op("Einsum", net.x, equation="ij->ij"), 0.1)
    return net.model(net.quant(net.op("CumSum", net.linear(x, 6, 4), net.const(np.array(1))), 0.1))


def dynamic() -> onnx.ModelProto:
    net = Net([1, 2, "height", "width"])
    return net.model(net.conv(net.quant(net.x), 2, 4))


BAD_MODELS: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "is empty"),
    "random": (random.Random(0).randbytes(100_000), "ONNX"),
    "truncated": (cnn().SerializeToString()[:-200], "ONNX"),
    "unquantized": (unquantized().SerializeToString(), "Brevitas"),
    "nan": (with_nan().SerializeToString(), "w_"),
    "unsupported": (unsupported().SerializeToString(), "2 unsupported nodes: "),
    "dynamic": (dynamic().SerializeToString(), "height"),
}


@pytest.mark.parametrize("command", ["build", "estimate", "info"])
@pytest.mark.parametrize("kind", BAD_MODELS)
def test_bad_models(run: Run, tmp_path: Path, command: str, kind: str) -> None:
    data, message = BAD_MODELS[kind]
    path = tmp_path / "bad.onnx"
    path.write_bytes(data)
    options = [] if command == "info" else ["--target", "ultra96"]
    assert message in refused(run(command, path, *options))
    assert tree(Path()) == []


def test_a_missing_model_and_a_directory(run: Run, tmp_path: Path) -> None:
    assert "there is no file" in refused(run("build", tmp_path / "no.onnx", "--target", "ultra96"))
    assert "is a directory" in refused(run("build", tmp_path, "--target", "ultra96"))
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


def test_bad_samples(run: Run, design: Path) -> None:
    def attempt(**arrays: np.ndarray) -> str:
        np.savez("in.npz", **arrays)
        message = refused(run("run", design, "--input", "in.npz", "--output", "out.npz"))
        assert refused(run("verify", design, "--input", "in.npz")) == message
        return message

    assert "lacks the array 'x'; it holds 'image'" in attempt(image=samples(1))
    assert "has shape (1, 2, 8, 9), must be (N, 2, 8, 8)" in attempt(x=np.zeros((1, 2, 8, 9), np.float32))
    assert "has dtype float64, must be float32" in attempt(x=np.zeros((1, 2, 8, 8)))
    assert "holds Python objects" in attempt(x=np.array([[None]]))
    assert tree(Path()) == ["in.npz"]


def test_outputs_that_cannot_be_written(run: Run, design: Path) -> None:
    np.savez("in.npz", x=samples(1))
    assert "cannot write 'no/out.npz'" in refused(run("run", design, "--input", "in.npz", "--output", "no/out.npz"))


def test_a_directory_that_is_no_design(run: Run, design: Path, tmp_path: Path) -> None:
    np.savez("in.npz", x=samples(1))
    for path in (tmp_path / "none", tmp_path, design / "hls"):
        assert "flowc design" in refused(run("run", path, "--input", "in.npz", "--output", "out.npz"))


# what can't be met, and what does not agree


def test_a_rate_out_of_reach_is_exit_3_and_leaves_nothing(run: Run, model: Path) -> None:
    message = refused(run("build", model, "--target", "ultra96", "--fps", "1e9"), code=3)
    assert "fps" in message
    assert tree(Path()) == []


def test_a_mismatch_is_exit_4(run: Run, design: Path, tmp_path: Path) -> None:
    import shutil

    broken = tmp_path / "broken"
    shutil.copytree(design, broken)
    with np.load(design / "weights.npz") as stored:
        arrays = {name: stored[name] for name in stored.files}
    name = next(name for name in arrays if name.endswith(".weights"))
    arrays[name] = -arrays[name]
    np.savez(broken / "weights.npz", **arrays)
    done = run("verify", broken, "--json")
    assert done.code == 4
    assert done.document["verification"]["mismatches"] > 0
    assert done.err.startswith("flowc: error: ")
    assert "integers differ from onnxruntime" in done.err


# bugs, tracebacks, interruptions


def test_a_bug_is_exit_1_with_a_traceback(run: Run, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "build", lambda *_, **__: 1 // 0)
    done = run("build", model, "--target", "ultra96")
    assert done.code == 1
    assert "ZeroDivisionError" in done.err
    assert "this is a bug in flowc" in done.err


@pytest.mark.parametrize("place", ["before", "after"])
def test_debug_shows_where_an_error_was_raised(run: Run, place: str) -> None:
    command = ["build", "no.onnx", "--target", "ultra96"]
    done = run("--debug", *command) if place == "before" else run(*command, "--debug")
    assert done.code == 2
    assert "Traceback" in done.err
    assert "flowc: error: there is no file 'no.onnx'" in done.err


def test_an_interruption_is_said(run: Run, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("flowc.api.write_project", interrupted)
    done = run("build", model, "--target", "ultra96", "--fps", "100")
    assert (done.code, done.out, done.err.strip()) == (130, "", "flowc: interrupted; nothing was written")
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
    assert "<title>hostile ]0;title " in page
    assert [c for c in set(page) if not c.isprintable() and c != "\n"] == []
    assert "\x1b" not in done.out
    assert "\x1b" not in run("info", path).out


@pytest.mark.slow
def test_the_generated_cpp_is_compiled_and_agrees(run: Run, model: Path) -> None:
    report = run("build", model, "--target", "ultra96", "--fps", "1000", "--csim", "-o", "out", "--json").document
    assert report["csim"]["mismatches"] == 0
    assert report["csim"]["samples"] > 0
    np.savez("in.npz", x=samples(3))
    found = run("verify", "out", "--input", "in.npz", "--csim", "--json").document
    assert found["csim"]["mismatches"] == 0
    assert found["csim"]["samples"] == 5  # and one frame of all least, one of all greatest values

    header = next(p for p in sorted(Path("out/hls/params").glob("*.hpp")) if "_weights[" in p.read_text())
    header.write_text(re.sub(r"0x[0-9a-f]+", "0x0", header.read_text()))
    wrong = run("verify", "out", "--input", "in.npz", "--csim", "--json")
    assert wrong.code == 4
    assert wrong.document["verification"]["mismatches"] == 0
    assert wrong.document["csim"]["mismatches"] > 0
