"""What is left of ``flowc synth`` when somebody ends it: no process, no temporary folder, nothing half-written."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from flowc.api import build
from flowc.backends.programs import run_python, side_by_side
from tests.netbuild import mlp

ENDLESS = """
import os, subprocess, sys, time
abc = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
open(os.environ["TMPDIR"] + "/scratch", "w").close()
open(f"PIDS/{os.getpid()}-{abc.pid}", "w").close()
time.sleep(600)
"""
"""A tool that starts another, as yosys starts ABC, has a temporary file, and does not end."""

SYNTH = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell that starts the tests in the background has it ignored
from flowc.backends.rtl import synthesize, yosys
from flowc.cli import main
yosys.version = synthesize.version = lambda: "0"
yosys._CHILD = sys.argv.pop()
sys.exit(main())
"""
ALONE = """
import sys
from pathlib import Path
from flowc.backends.programs import run_python
run_python(sys.argv[1], [], folder=Path("."), timeout=600)
"""


def endless(pids: Path) -> str:
    return ENDLESS.replace("PIDS", str(pids))


def lives(pid: int) -> bool:
    """Whether a process runs; one that waits to be noticed by its parent does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def started(pids: Path, count: int) -> list[int]:
    """The processes of so many tools, once they have begun."""
    deadline = time.monotonic() + 120
    while len(names := [path.name for path in pids.iterdir()]) < count:
        assert time.monotonic() < deadline, "the tools did not begin"
        time.sleep(0.02)
    return [int(pid) for name in names for pid in name.split("-")]


@pytest.fixture
def pids(tmp_path: Path) -> Path:
    (tmp_path / "pids").mkdir()
    (tmp_path / "tmp").mkdir()
    return tmp_path / "pids"


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.parametrize(("sent", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_nothing_stays_of_an_ended_synthesis(sent: signal.Signals, code: int, pids: Path, tmp_path: Path) -> None:
    design = tmp_path / "design"
    build(mlp(), "ultra96", fps=1000, backend="rtl", output=design, verify=False)
    before = {path: path.read_bytes() for path in design.rglob("*") if path.is_file()}
    environment = {**os.environ, "TMPDIR": str(tmp_path / "tmp"), "FLOWC_CACHE": str(tmp_path / "cache")}
    command = [sys.executable, "-c", SYNTH, "synth", str(design), "--jobs", "2", endless(pids)]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as synth:
        try:
            running = started(pids, 2)
            assert all(map(lives, running))
            synth.send_signal(sent)
            said = synth.communicate(timeout=60)[1]
        finally:
            synth.kill()  # where it has not ended, so that the test does
    assert (synth.returncode, said.strip().count("\n")) == (code, 0)
    assert "nothing was written" in said
    assert not any(map(lives, running))
    assert len(list(pids.iterdir())) == 2  # no further piece was begun
    assert not list((tmp_path / "tmp").iterdir())
    assert not list((tmp_path / "cache").rglob("*.json*"))
    assert before == {path: path.read_bytes() for path in design.rglob("*") if path.is_file()}


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends the children of a process that was killed")
def test_a_tool_ends_with_a_process_that_is_killed(pids: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "TMPDIR": str(tmp_path / "tmp")}
    with subprocess.Popen([sys.executable, "-c", ALONE, endless(pids)], env=environment) as alone:
        try:
            tool, abc = started(pids, 1)
        finally:
            alone.kill()
    deadline = time.monotonic() + 60
    while lives(tool) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not lives(tool)
    os.kill(abc, signal.SIGKILL)  # what the tool had started ends by itself


def test_one_failure_ends_the_others(pids: Path, tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), side_by_side(2) as pool:
        for _ in range(4):
            pool.submit(run_python, endless(pids), [], folder=tmp_path, timeout=600)
        started(pids, 2)
        raise ZeroDivisionError
    assert len(list(pids.iterdir())) == 2


def test_a_tool_that_takes_too_long_is_ended(pids: Path, tmp_path: Path) -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        run_python(endless(pids), [], folder=tmp_path, timeout=0.5)
    done = run_python("print(sys.argv[1:])", ["a", "b c"], folder=tmp_path, timeout=60)
    assert (done.returncode, done.stdout) == (0, "['a', 'b c']\n")
