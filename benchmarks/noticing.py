"""Which tests have to notice a mutant: the fast ones that execute its line, as measured with coverage.py.

`measure` runs the tests of a group once in a copy of the repository and keeps, for each, its processor seconds and the lines of the
group's modules that it executes (in `CACHE`, until the test's file or one of the modules changes). A mutant is then tried with the tests
that execute its line, those of its own module and the short ones first, up to `BUDGET` seconds: fewer tests than there are can only let
more survive. A line that none of them executes is a gap without any run.
"""

from __future__ import annotations

import ast
import hashlib
import json
import multiprocessing
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.mutants import GROUPS, ROOT, Mutant

__all__ = ["TESTS", "Noticed", "copied", "files_since", "measure", "passes", "preload", "test_files", "tests_of"]

CACHE = ROOT / ".cache" / "mutation"
BUDGET = 12.0
"""Processor seconds of tests (as measured, with coverage.py at work) that one mutant is tried with."""
_FAST = 6.0
"""Processor seconds above which a test is left out."""
_PATIENCE = 900.0
"""Seconds after which tests that wait for something have failed."""
_MEMORY = 12 << 30

TESTS = {
    "verify": [
        *(f"tests/design/test_{name}.py" for name in (
            "comparison", "counts", "edges", "excuses", "join_probes", "loose_probes", "probes", "reference", "tail", "ties", "verify")),
        "tests/streamline/test_evidence.py",
    ],
    "exact": ["tests/exact", "tests/passes/test_weights.py", "tests/design/test_excuses.py"],
    "units": ["tests/units"],
    "allocate": [f"tests/dataflow/allocate/test_{name}.py" for name in (
        "allocation", "caps", "choosing", "loops", "parts", "select", "simulation", "styles")],
}  # fmt: skip
"""Group -> the files and folders of tests that have to notice."""


@dataclass(frozen=True)
class Noticed:
    """One test: processor seconds, and module -> lines that it executes."""

    file: str
    seconds: float
    lines: dict[str, list[int]] = field(repr=False)


def test_files(group: str) -> list[str]:
    """The test files of a group."""
    found: list[Path] = []
    for name in TESTS[group]:
        path = ROOT / name
        found += sorted(path.glob("test_*.py")) if path.is_dir() else [path]
    return [str(p.relative_to(ROOT)) for p in found if p.is_file()]


def copied(folder: Path) -> Path:
    """The repository in ``folder``, with the package under the name it has when installed."""
    names = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    for name in names:
        top = name.split("/")[0]
        inside = (
            Path("view", "flowc", name)
            if top in ("passes", "templates")
            else Path("view", name)
            if top == "flowc"
            else Path(name)
        )
        target = folder / inside
        if (ROOT / name).is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, target)
    return folder


class _Measuring:
    """A plugin of pytest: seconds and lines of every test."""

    def __init__(self, modules: dict[str, str]) -> None:
        import coverage

        self.modules = modules
        self.coverage = coverage.Coverage(data_file=None, include=list(modules), config_file=False)
        self.seconds: dict[str, float] = {}
        self.coverage.start()

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        for module in [m for name, m in sys.modules.items() if name.startswith("flowc")]:
            for found in list(vars(module).values()):
                if hasattr(found, "cache_clear"):  # what an earlier test computed is executed again
                    found.cache_clear()
        self.coverage.switch_context(nodeid.split("::")[0])  # fixtures of a module are set up once for all its tests
        self.seconds[nodeid] = -time.process_time()

    def pytest_runtest_call(self, item: Any) -> None:
        self.coverage.switch_context(item.nodeid)

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        self.seconds[nodeid] += time.process_time()

    def found(self) -> dict[str, dict[str, Any]]:
        self.coverage.stop()
        data = self.coverage.get_data()
        lines: dict[str, dict[str, list[int]]] = {}
        for path, module in self.modules.items():
            for line, contexts in data.contexts_by_lineno(path).items():
                for context in contexts:
                    lines.setdefault(context, {}).setdefault(module, []).append(line)
        result = {}
        for name, seconds in self.seconds.items():
            file = name.split("::")[0]
            own, common = lines.get(name, {}), lines.get(file, {})
            both = {m: sorted({*own.get(m, []), *common.get(m, [])}) for m in own.keys() | common.keys()}
            result[name] = {"file": file, "seconds": round(seconds, 3), "lines": both}
        return result


class _Choosing:
    """A plugin of pytest: these tests alone, in this order."""

    def __init__(self, names: Sequence[str]) -> None:
        self.place = {name: i for i, name in enumerate(names)}

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        items[:] = sorted((i for i in items if i.nodeid in self.place), key=lambda i: self.place[i.nodeid])


def _run(folder: str, files: list[str], names: list[str] | None, modules: dict[str, str], found: str | None) -> None:
    """In a process of its own: tests from the copy; all of the files where ``names`` is None, and measured where ``found`` is asked for."""
    import pytest

    assert not any(name.split(".")[0] == "flowc" for name in sys.modules), (
        "the copy is to be imported, not the original"
    )
    os.chdir(folder)
    with Path(os.devnull).open("w") as sink:
        os.dup2(sink.fileno(), 1)
        os.dup2(sink.fileno(), 2)
    sys.path[:0] = [str(Path(folder, "view"))]
    measuring = _Measuring(modules) if found is not None else None
    plugins: list[object] = [p for p in (measuring, None if names is None else _Choosing(names)) if p is not None]
    code = pytest.main(["-x", "-q", "-m", "not slow", "-n", "0", *files], plugins=plugins)
    if measuring is not None and found is not None and code == 0:
        Path(found).write_text(json.dumps(measuring.found()), encoding="utf-8")
    os._exit(int(code))


def passes(
    folder: Path,
    files: list[str],
    names: list[str] | None = None,
    *,
    seconds: float | None = None,
    found: Path | None = None,
) -> bool:
    """Whether tests pass in a copy, within so many processor seconds and bounded memory.

    Args:
        folder: the copy.
        files: their files; names: which of them, in this order, or all.
        found: where to write what they cost and execute.
    """
    modules = {str(folder / "view" / "flowc" / m): m for names_ in GROUPS.values() for m in names_} if found else {}
    process = multiprocessing.get_context("fork").Process(
        target=_run, args=(str(folder), files, names, modules, None if found is None else str(found))
    )
    process.start()
    assert process.pid is not None
    if seconds is not None:
        resource.prlimit(process.pid, resource.RLIMIT_CPU, (int(seconds) + 1, int(seconds) + 1))
        resource.prlimit(process.pid, resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    process.join(_PATIENCE if seconds is not None else None)
    if process.is_alive():
        process.kill()
        process.join()
        return False
    return process.exitcode == 0


def preload() -> None:
    """What every test imports, so that a forked process has it at once (nothing of flowc)."""
    import hypothesis  # noqa: F401
    import networkx  # noqa: F401
    import numpy  # noqa: F401
    import onnx  # noqa: F401
    import onnx_ir  # noqa: F401
    import onnxruntime  # noqa: F401
    import pytest  # noqa: F401


def files_since(group: str, commit: str) -> list[str]:
    """The test files of a group that are not what they were at a commit; all where that is not known."""
    done = subprocess.run(
        ["git", "diff", "--name-only", commit.split()[0], "--", *TESTS[group]],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    files = test_files(group)
    return [f for f in files if f in done.stdout.splitlines()] if done.returncode == 0 else files


def measure(group: str, folder: Path, files: Sequence[str]) -> dict[str, Noticed]:
    """Test -> what it costs and executes; measured where nothing is kept. ``folder`` is a copy without mutants.

    Raises:
        SystemExit: a test fails without any mutant.
    """
    sources = b"".join((ROOT / "flowc" / m).read_bytes() for m in GROUPS[group])
    kept = {}
    for file in files:
        key = hashlib.sha256(sources + (ROOT / file).read_bytes()).hexdigest()[:16]
        kept[file] = CACHE / f"{group}-{Path(file).stem}-{key}.json"
    CACHE.mkdir(parents=True, exist_ok=True)
    missing = [file for file, path in kept.items() if not path.exists()]
    with tempfile.NamedTemporaryFile() as found:
        if missing and not passes(folder, missing, found=Path(found.name)):
            raise SystemExit(f"without any mutant a test fails: {' '.join(missing)}")
        measured = json.loads(Path(found.name).read_text(encoding="utf-8")) if missing else {}
    for file in missing:
        own = {name: entry for name, entry in measured.items() if entry["file"] == file}
        kept[file].write_text(json.dumps(own), encoding="utf-8")
    tests: dict[str, Noticed] = {}
    for path in kept.values():
        tests |= {name: Noticed(**entry) for name, entry in json.loads(path.read_text(encoding="utf-8")).items()}
    return tests


def _statement(source: str, line: int) -> tuple[Sequence[int], bool]:
    """The lines of the statement that a line is of (of its head, where it has a body), and whether it is executed by importing alone."""
    lines, inside = range(line, line + 1), False

    def visit(node: ast.AST, within: bool) -> Iterator[tuple[range, bool]]:
        for child in ast.iter_child_nodes(node):
            deeper = within or isinstance(node, (ast.FunctionDef, ast.Lambda))
            if isinstance(child, ast.stmt) and child.lineno <= line <= (child.end_lineno or line):
                body = getattr(child, "body", None)
                last = body[0].lineno - 1 if isinstance(body, list) and body else child.end_lineno or line
                yield range(child.lineno, max(last, child.lineno) + 1), deeper
            yield from visit(child, deeper)

    for found, within in visit(ast.parse(source), within=False):
        if line in found:
            lines, inside = found, within
    return lines, not inside


def tests_of(mutant: Mutant, tests: dict[str, Noticed]) -> list[str]:
    """The tests that a mutant is tried with, in order."""
    lines, imported = _statement((ROOT / "flowc" / mutant.module).read_text(encoding="utf-8"), mutant.line)
    executing = [
        name
        for name, test in tests.items()
        if test.seconds <= _FAST
        and mutant.module in test.lines
        and (imported or {*lines} & {*test.lines[mutant.module]})
    ]
    stem = Path(mutant.module).stem

    def order(name: str) -> float:
        test = tests[name]
        return test.seconds * (0.25 if Path(test.file).stem == f"test_{stem}" else 1.0)

    chosen, spent = [], 0.0
    for name in sorted(executing, key=order):
        spent += tests[name].seconds
        if spent > BUDGET:
            break
        chosen.append(name)
    return chosen
