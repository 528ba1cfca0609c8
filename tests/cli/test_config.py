"""The configuration file of a build."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.helpers import Run, tree


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
