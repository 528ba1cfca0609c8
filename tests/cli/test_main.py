"""The command as a whole: versions, help, bugs, interruptions."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

import flowc
from flowc import api
from flowc.cli import cli
from flowc.cli.commands import build
from flowc.cli.config import KEYS
from flowc.cli.reference import NOT_IN_FILES, reference
from tests.cli.helpers import Outcome, Run, refused, tree


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


def test_a_command_that_does_not_exist(run: Run) -> None:
    assert "No such command 'built'" in refused(run("built"))
    assert run().code == 2


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


def commands(group: click.Group = cli, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, command in group.commands.items():
        yield (*path, name)
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))


@pytest.mark.parametrize("path", list(commands()), ids=" ".join)
def test_every_help_fits_a_screen_and_shows_how(
    run: Run, path: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    lines = run(*path, "--help").out.splitlines()
    assert len(lines) <= 43
    assert max(map(len, lines)) <= 88
    name = " ".join(path).removesuffix(" show")
    assert any(line.startswith(f"  flowc {name} ") or line == f"  flowc {name}" for line in lines)


def test_the_reference_is_current() -> None:
    page = Path(__file__).parents[2] / "docs" / "cli.md"
    assert page.read_text(encoding="utf-8") == reference(), "run: python -m flowc.cli.reference > docs/cli.md"


def test_the_configuration_file_mirrors_the_options() -> None:
    options = {p.opts[-1].removeprefix("--no-").removeprefix("--") for p in build.params if p.name not in NOT_IN_FILES}
    assert options - {"model"} == {key.name for key in KEYS}


@pytest.mark.parametrize("arguments", [["targets"], ["info", "MODEL"], ["estimate", "MODEL", "--target", "ultra96"]])
@pytest.mark.parametrize("execution", ["dataflow", "loopback"])
def test_tables_fit_80_columns(
    run: Run, model: Path, arguments: list[str], execution: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("FORCE_COLOR", "1"), ("TERM", "xterm-256color"), ("COLUMNS", "80")):
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("NO_COLOR", raising=False)
    more = ["--execution", execution] if arguments[0] == "estimate" else []
    printed = run(*(model if a == "MODEL" else a for a in arguments), *more).out
    assert "\x1b[" in printed
    lines = re.sub(r"\x1b\[[0-9;]*m", "", printed).splitlines()
    assert max(map(len, lines)) <= 80
    cut = [line for line in lines if len(line.split()) == 1 and len(line.strip()) < 3]
    assert not cut, "a column is too narrow for its words"
