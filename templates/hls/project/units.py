"""Synthesizes every unit alone, out of context: several at a time, each within its time, and says which ones fail.

    python3 units.py [--jobs 4] [--minutes 30] [--vivado] [UNIT ...]

Vitis HLS (vitis_hls, or vitis-run of newer versions) must be on the PATH. Results lie in units/; ``flowc report import`` reads them.
Exit code 0: all units synthesize; 1: some do not; 2: bad usage, or no Vitis HLS.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
UNITS = HERE / "units"
running: set[subprocess.Popen[bytes]] = set()


class Outcome(NamedTuple):
    """What became of a unit: "ok", "failed" or "timed out"; seconds; the first error of its log."""

    unit: str
    state: str
    seconds: float
    error: str


def command() -> list[str] | None:
    """How Vitis HLS runs a script here; None where it is not installed."""
    script = str(HERE / "units.tcl")
    if shutil.which("vitis_hls"):
        return ["vitis_hls", "-f", script]
    if shutil.which("vitis-run"):
        return ["vitis-run", "--mode", "hls", "--tcl", script]
    return None


def known() -> list[str]:
    """Names of the units."""
    return sorted(path.stem for path in UNITS.glob("*.cpp"))


def synthesize(unit: str, run: list[str], minutes: float, steps: str) -> Outcome:
    """Runs one unit in a folder and a process group of its own, which is ended when its time is up."""
    folder = UNITS / unit
    folder.mkdir(exist_ok=True)
    log = folder / "log.txt"
    start = time.monotonic()
    environment = {**os.environ, "FLOWC_UNIT": unit, "FLOWC_STEPS": steps}
    with log.open("wb") as output:
        process = subprocess.Popen(
            run, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
            start_new_session=True,
        )  # fmt: skip
        running.add(process)
        try:
            code = process.wait(60 * minutes)
            state = "ok" if code == 0 else "failed"
        except subprocess.TimeoutExpired:
            end(process)
            state = "timed out"
        finally:
            running.discard(process)
    if state == "ok" and not (folder / f"{unit}/solution/syn/report/csynth.xml").is_file():
        state = "failed"
    return Outcome(unit, state, time.monotonic() - start, "" if state == "ok" else first_error(log))


def end(process: subprocess.Popen[bytes]) -> None:
    """Ends a tool and what it has started."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()


def first_error(log: Path) -> str:
    """The first line of a log that is an error; else its last one."""
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return next((line for line in lines if line.startswith("ERROR") or "flowc:" in line), lines[-1] if lines else "no output")


def main() -> int:
    """Runs the command; returns its exit code."""
    parser = argparse.ArgumentParser(description="Synthesize every unit alone, out of context.")
    parser.add_argument("units", metavar="UNIT", nargs="*", help="these only; by default all of units/*.cpp")
    parser.add_argument("--jobs", type=int, default=max(1, (os.cpu_count() or 2) // 2), help="how many at a time")
    parser.add_argument("--minutes", type=float, default=30.0, help="most minutes of each")
    parser.add_argument("--vivado", action="store_true", help="run Vivado's synthesis on each, too: slower, and closer to the truth")
    given = parser.parse_args()
    unknown = sorted(set(given.units) - set(known()))
    if unknown or given.jobs < 1 or given.minutes <= 0:
        parser.error(f"there is no unit {', '.join(unknown)} in units/" if unknown else "--jobs and --minutes are above 0")
    run = command()
    if run is None:
        print("units.py: neither vitis_hls nor vitis-run is on the PATH: source the settings64.sh of Vitis", file=sys.stderr)
        return 2
    units, steps = given.units or known(), "csynth export" if given.vivado else "csynth"
    printing = threading.Lock()

    def one(unit: str) -> Outcome:
        outcome = synthesize(unit, run, given.minutes, steps)
        with printing:
            print(f"{outcome.state:9}  {outcome.seconds:7.1f} s  {unit}  {outcome.error}".rstrip(), flush=True)
        return outcome

    pool = ThreadPoolExecutor(given.jobs)
    try:
        outcomes = list(pool.map(one, units))
    except KeyboardInterrupt:
        pool.shutdown(wait=False, cancel_futures=True)
        for process in list(running):
            end(process)
        return 130
    bad = [outcome.unit for outcome in outcomes if outcome.state != "ok"]
    print(f"{len(outcomes) - len(bad)} of {len(outcomes)} units synthesized" + (f"; not: {', '.join(bad)}" if bad else ""))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
