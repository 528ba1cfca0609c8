"""Checks a folder of generated HLS C++."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from flowc.backends.hls.lint.arithmetic import arithmetic_findings
from flowc.backends.hls.lint.finding import Finding
from flowc.backends.hls.lint.flow import flow_findings
from flowc.backends.hls.lint.language import language_findings
from flowc.backends.hls.lint.pipelines import pipeline_findings
from flowc.backends.hls.lint.pragmas import pragma_findings
from flowc.backends.hls.lint.program import Part, Program
from flowc.backends.hls.lint.storage import storage_findings
from flowc.backends.hls.lint.structure import read_scopes
from flowc.backends.hls.lint.tokens import translation_unit
from flowc.errors import UsageError, shown

__all__ = ["lint", "read_program"]

_EXEMPT = ("sim", "build", "vectors", "units")
"""Folders of a project that hold nothing for synthesis."""


def lint(directory: Path) -> list[Finding]:
    """Violations of `RULES` in the C++ below a folder, without test bench and simulation files.

    Args:
        directory: a generated ``hls/`` folder, or the design folder around it.

    Raises:
        UsageError: there is no C++ in it.
    """
    root, program, _ = read_program(directory)
    tops = _tops(root)
    found: set[Finding] = set()
    for part in program.parts:
        found.update(language_findings(part.unit, part.root))
        found.update(pragma_findings(part.unit, part.root, tops))
    found.update(flow_findings(program, tops))
    found.update(pipeline_findings(program))
    found.update(arithmetic_findings(program))
    found.update(storage_findings(program))
    return sorted(found)


Lines = dict[Path, list[tuple[int, str]]]
"""(number, text) of the lines of each file that hold something, comments taken out."""


def read_program(directory: Path) -> tuple[Path, Program, Lines]:
    """The folder that holds the code, what is in it, and its lines.

    Raises:
        UsageError: there is no C++ in it.
    """
    root = Path(directory).resolve()
    if (root / "hls").is_dir() and not list(root.glob("*.cpp")):
        root = root / "hls"
    sources = sorted(_sources(root, ".cpp"))
    headers = sorted(_sources(root, ".hpp", ".h"))
    if not sources and not headers:
        raise UsageError(f"'{shown(str(directory))}' holds no C++", remedy="Name the hls/ folder of a generated design")
    lines: Lines = {}
    seen: set[Path] = set()
    program = Program()
    for path in [*sources, *headers]:
        if path not in seen:
            unit = translation_unit(path, root, lines)
            unit.known = frozenset(p.relative_to(root).as_posix() for p in seen)
            seen |= unit.files
            program.parts.append(Part(unit, read_scopes(unit.tokens)))
    return root, program, lines


def _sources(root: Path, *endings: str) -> Iterator[Path]:
    for path in root.rglob("*"):
        exempt = path.name.startswith("testbench") or path.relative_to(root).parts[0] in _EXEMPT
        if path.suffix in endings and path.is_file() and not exempt:
            yield path


def _tops(root: Path) -> frozenset[str]:
    """The top functions that the project's script names."""
    script = root / "vitis_hls.tcl"
    if not script.is_file():
        return frozenset()
    return frozenset(re.findall(r"^set_top\s+(\w+)", script.read_text(encoding="utf-8"), re.MULTILINE))
