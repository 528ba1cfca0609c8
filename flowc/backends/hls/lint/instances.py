"""What a compiler finds in the code with every layer's own types and numbers."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from flowc.backends.hls.csim import ap_include
from flowc.backends.hls.lint.check import read_program
from flowc.backends.hls.lint.finding import Finding
from flowc.backends.hls.lint.probes import HEADER, MARK, Probe, probes
from flowc.backends.programs import compiler
from flowc.errors import FlowcError

__all__ = ["lint_instances"]

_FLAGS = ("-std=c++14", "-fsyntax-only", "-w", "-DFLOWC_EXACT", "-DAP_INT_MAX_W=4096")
_ERROR = re.compile(r"^(.+?):(\d+):\d+: (?:fatal )?error: (.*)$")
_CONTEXT = re.compile(
    r"^.+?: (?:In (?:\w+ )*(?:function|instantiation|constructor|substitution)|At (?:global|namespace) scope)\b"
)
_USED = re.compile(r"^(.+?):(\d+):\d+:\s+required from here$")
_SEEDED = re.compile(rf"{MARK}([\w-]+)\|([^|]*)\|(\d+)\|([^\"]*)")


def lint_instances(directory: Path) -> list[Finding]:
    """Violations of `INSTANCE_RULES` in a folder of generated C++: every template is compiled as its layers use it.

    The code is copied, with an assertion behind every declaration and pragma that has a limit, and read by the compiler of
    the C simulation, in the widths of synthesis. Nothing is run or linked.

    Args:
        directory: as for `lint`.

    Raises:
        UsageError: there is no C++ in it; the compiler or the vendor's AP types are missing.
    """
    gxx, include = compiler(), ap_include()
    root, program, lines = read_program(directory)
    found: set[Probe] = set()
    seen: set[str] = set()
    for part in program.parts:
        found.update(p for p in probes(part) if p.file not in seen)
        seen |= {path.relative_to(root).as_posix() for path in part.unit.files}
    with tempfile.TemporaryDirectory(prefix="flowc-lint-") as scratch:
        copy = Path(scratch)
        (copy / "flowc_lint.hpp").write_text(HEADER)
        for path, numbered in lines.items():
            file = path.relative_to(root)
            (copy / file).parent.mkdir(parents=True, exist_ok=True)
            (copy / file).write_text(_with_probes(numbered, [p for p in found if p.file == file.as_posix()]))
        sources = [path.relative_to(root).as_posix() for path in lines if path.suffix == ".cpp"]
        text = "".join(f'#include "{name}"\n' for name in ["flowc_lint.hpp", *sources])
        (copy / "flowc_lint_all.cpp").write_text(text)
        command = [gxx, *_FLAGS, f"-I{copy}", "-isystem", str(include), str(copy / "flowc_lint_all.cpp")]
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", check=False, env={**os.environ, "LC_ALL": "C"}
        )
        findings = sorted(set(_findings(done.stderr, copy)))
    if done.returncode != 0 and not findings:
        raise FlowcError(f"{gxx} failed: {done.stderr.strip().splitlines()[-1:]}", remedy="Run it on the code by hand")
    return findings


def _with_probes(numbered: Sequence[tuple[int, str]], found: Sequence[Probe]) -> str:
    """The lines of a file where they were, with its assertions."""
    lines = [""] * numbered[-1][0] if numbered else []
    for number, line in numbered:
        text = line
        here = sorted((p for p in found if p.line == number), key=lambda p: (p.at or 0, p.text), reverse=True)
        for probe in here:
            text = probe.text if probe.at is None else text[: probe.at] + probe.text + text[probe.at :]
        lines[number - 1] = text
    return "\n".join(lines) + "\n"


def _findings(messages: str, copy: Path) -> Iterator[Finding]:
    """The compiler's errors; of those about a template, with the layer that uses it so."""
    used = ""
    for line in messages.splitlines():
        if _CONTEXT.match(line):  # said once for all errors that follow in the same place
            used = ""
        here = _USED.match(line)
        if here is not None:
            used = f" (as {_relative(here[1], copy)}:{here[2]} uses it)"
        error = _ERROR.match(line)
        if error is None:
            continue
        seeded = _SEEDED.search(error[3])
        if seeded is not None:
            yield Finding(seeded[2], int(seeded[3]), seeded[1], f"{seeded[4]}{used}")
        else:
            yield Finding(_relative(error[1], copy), int(error[2]), "compile-error", f"{error[3]}{used}")


def _relative(name: str, copy: Path) -> str:
    path = Path(os.path.normpath(name))
    return path.relative_to(copy).as_posix() if path.is_relative_to(copy) else name
