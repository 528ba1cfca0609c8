"""Mutation testing: do the fast tests of a module notice when the module is wrong?

    python -m benchmarks.mutation [GROUP ...] [--mutants 30] [--seed 0] [--jobs 2] [--no-baseline] [--output FILE.json]

Groups are those of `GROUPS`: ``verify``, ``exact``, ``units``, ``allocate``; without one, all. Of all single mutations that cosmic-ray
knows for the modules of a group, so many are drawn, alike for the same seed and sources. Each is written into a copy of the
repository, where the fast tests of that module run; a mutant is *killed* if they fail or take too long, else it *survives*.

Survivors that change nothing anyone could see (a bound that is only wider than needed, an early exit) are *equivalent*; they are
listed with the reason in ``benchmarks/records/mutation_equivalent.json``, keyed as the record prints them. The record (JSON, and the
same as Markdown beside it) lists every survivor; exit status 1 if fewer than nine in ten of the others were killed. Needs cosmic-ray
(``pip install -e .[mutation]``).
"""

from __future__ import annotations

import argparse
import ast
import json
import multiprocessing
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from queue import Queue

from benchmarks.provenance import commit

ROOT = Path(__file__).resolve().parent.parent
RECORDS = ROOT / "benchmarks" / "records"
EQUIVALENT = RECORDS / "mutation_equivalent.json"
_WANTED = 0.9
_PATIENCE = 400.0
"""Seconds after which a test that does not end has failed."""
_IGNORED = ("RemoveDecorator", "VariableReplacer", "VariableInserter", "ExceptionReplacer")
"""Operators whose mutants say nothing: a dataclass without its decorator fails at once, an exception's class is its message's."""

GROUPS = {
    "verify": [
        *(f"design/{name}.py" for name in ("comparison", "excuses", "join_probes", "probes", "tail", "verify")), "streamline/evidence.py",
    ],
    "exact": [f"exact/{name}.py" for name in (
        "affine", "bounds", "certificate", "chains", "choose", "intervals", "join_windows", "joins", "movement", "narrow", "ops", "region",
        "requant", "spans", "steps", "sums", "walk", "windows",
    )],
    "units": [f"units/{name}.py" for name in (
        "activation", "argmax", "base", "cost", "elementwise", "graph", "mvtu", "pool", "routing", "schedule", "vvtu", "window",
    )],
    "allocate": [f"dataflow/allocate/{name}.py" for name in (
        "allocation", "check", "fifos", "foldfile", "layers", "limits", "loops", "options", "search", "select", "simulation", "timing",
    )],
}  # fmt: skip
"""Group -> its modules, below flowc/."""
TESTS = {
    "verify": ["tests/design/test_{stem}.py", "tests/design/test_excuses.py", "tests/design/test_verify.py"],
    "exact": ["tests/exact/test_{stem}.py", "tests/exact/test_requant.py", "tests/exact/test_intervals.py"],
    "units": ["tests/units/test_{stem}.py", "tests/units"],
    "allocate": [f"tests/dataflow/allocate/test_{name}.py" for name in ("{stem}", "caps", "select", "allocation")],
}
"""Group -> the tests that have to notice, the nearest first; ``{stem}`` is the module's name."""

MORE = {
    "chains": ["tests/exact/test_certificate.py"], "choose": ["tests/exact/test_thresholds.py"], "fifos": [
        "tests/dataflow/allocate/test_simulation.py"],
    "narrow": ["tests/passes/test_weights.py", "tests/exact/test_joins.py"], "spans": ["tests/exact/test_certificate.py"],
    "sums": ["tests/design/test_excuses.py"], "timing": ["tests/dataflow/allocate/test_simulation.py"],
    "windows": ["tests/exact/test_certificate.py"],
}  # fmt: skip
"""Module -> further tests that have to notice."""


@dataclass(frozen=True)
class Mutant:
    """One changed place: ``operator`` and ``occurrence`` are cosmic-ray's, ``line`` and the two texts say what it is."""

    group: str
    module: str
    operator: str
    occurrence: int
    line: int
    before: str
    after: str

    @property
    def key(self) -> str:
        """A name that stays the same while the line does."""
        return f"{self.module}: {self.before.strip()} -> {self.after.strip()}"


def _shape(source: str) -> str:
    """A module without what is never executed: annotations. "" where it is no Python."""
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return ""
    for node in ast.walk(tree):
        if isinstance(node, ast.arg):
            node.annotation = None
        elif isinstance(node, ast.FunctionDef):
            node.returns = None
        elif isinstance(node, ast.AnnAssign):
            node.annotation = ast.Constant(0)
    return ast.dump(tree)


def _places(path: Path) -> Iterator[tuple[str, int, int]]:
    """Every mutation that cosmic-ray knows for a module: operator, occurrence, line."""
    from cosmic_ray.ast import ast_nodes, get_ast_from_path
    from cosmic_ray.plugins import get_operator, operator_names

    nodes = list(ast_nodes(get_ast_from_path(path)))
    for name in operator_names():
        if not any(part in name for part in _IGNORED):
            operator = get_operator(name)()
            positions = (start for node in nodes for start, _ in operator.mutation_positions(node))
            yield from ((name, occurrence, start[0]) for occurrence, start in enumerate(positions))


def mutants(group: str, count: int, seed: int) -> Iterator[Mutant]:
    """``count`` mutations of a group's modules that change what is executed, drawn at random, one a line at most."""
    from cosmic_ray.mutating import mutate_code
    from cosmic_ray.plugins import get_operator

    drawn = [(module, *place) for module in GROUPS[group] for place in _places(ROOT / "flowc" / module)]
    random.Random(f"{group} {seed}").shuffle(drawn)  # noqa: S311
    seen: set[tuple[str, int]] = set()
    for module, operator, occurrence, line in drawn:
        if len(seen) == count:
            return
        source = (ROOT / "flowc" / module).read_text(encoding="utf-8")
        changed = mutate_code(source, get_operator(operator)(), occurrence)
        if changed is None or (module, line) in seen or _shape(changed) in ("", _shape(source)):
            continue
        seen.add((module, line))
        pairs = zip(source.splitlines(), changed.splitlines(), strict=False)
        number, texts = next((i, pair) for i, pair in enumerate(pairs) if pair[0] != pair[1])
        yield Mutant(group, module, operator, occurrence, number + 1, *texts)


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


def noticing(group: str, module: str) -> list[str]:
    """The test files that exist of those that have to notice."""
    stem = Path(module).stem
    names = [name.format(stem=stem) for name in TESTS[group] + MORE.get(stem, [])]
    return [name for name in dict.fromkeys(names) if (ROOT / name).exists()]


def _run(folder: str, tests: list[str]) -> None:
    """In a process of its own: the tests, from the copy."""
    import pytest

    os.chdir(folder)
    with Path(os.devnull).open("w") as sink:
        os.dup2(sink.fileno(), 1)
        os.dup2(sink.fileno(), 2)
    sys.path[:0] = [str(Path(folder, "view"))]
    code = pytest.main(["-x", "-q", "-m", "not slow", "-n", "0", *tests])
    os._exit(int(code))


def passes(folder: Path, tests: list[str]) -> bool:
    """Whether the tests pass, in time."""
    process = multiprocessing.get_context("fork").Process(target=_run, args=(str(folder), tests))
    process.start()
    process.join(_PATIENCE)
    if process.is_alive():
        process.kill()
        process.join()
        return False
    return process.exitcode == 0


def survives(mutant: Mutant, folder: Path) -> bool:
    """Whether the tests pass with the mutant in the copy."""
    from cosmic_ray.mutating import mutate_code
    from cosmic_ray.plugins import get_operator

    path = folder / "view" / "flowc" / mutant.module
    source = path.read_text(encoding="utf-8")
    changed = mutate_code(source, get_operator(mutant.operator)(), mutant.occurrence)
    tests = noticing(mutant.group, mutant.module)
    try:
        path.write_text(changed, encoding="utf-8")
        return passes(folder, tests)
    finally:
        path.write_text(source, encoding="utf-8")


def _preload() -> None:
    """What every test imports, so that a forked process has it at once (nothing of flowc)."""
    import hypothesis  # noqa: F401
    import networkx  # noqa: F401
    import numpy  # noqa: F401
    import onnx  # noqa: F401
    import onnx_ir  # noqa: F401
    import onnxruntime  # noqa: F401
    import pytest  # noqa: F401


def run(drawn: Sequence[Mutant], jobs: int, *, baseline: bool) -> Iterator[tuple[Mutant, bool]]:
    """Every mutant, and whether it survived, as they end."""
    _preload()
    with tempfile.TemporaryDirectory(prefix="flowc-mutants-") as scratch:
        copies: Queue[Path] = Queue()
        for job in range(jobs):
            copies.put(copied(Path(scratch) / str(job)))
        for tests in {tuple(noticing(m.group, m.module)) for m in drawn} if baseline else ():
            folder = copies.get()
            if not tests or not passes(folder, list(tests)):
                raise SystemExit(f"without any mutant the tests fail: {' '.join(tests)}")
            copies.put(folder)

        def one(mutant: Mutant) -> tuple[Mutant, bool]:
            folder = copies.get()
            try:
                lives = survives(mutant, folder)
            finally:
                copies.put(folder)
            print(
                "survived" if lives else "killed  ", f"{mutant.module}:{mutant.line}", mutant.after.strip(), flush=True
            )
            return mutant, lives

        with ThreadPoolExecutor(jobs) as pool:
            yield from pool.map(one, drawn)


def record(results: Sequence[tuple[Mutant, bool]], seed: int) -> dict[str, object]:
    """The record: counts per group, and every survivor with the reason why it is none, where there is one."""
    reasons = json.loads(EQUIVALENT.read_text(encoding="utf-8")) if EQUIVALENT.exists() else {}
    groups = {}
    for group in dict.fromkeys(m.group for m, _ in results):
        mine = [(m, lives) for m, lives in results if m.group == group]
        equivalent = sum(lives and m.key in reasons for m, lives in mine)
        killed = sum(not lives for _, lives in mine)
        groups[group] = {
            "mutants": len(mine),
            "killed": killed,
            "equivalent": equivalent,
            "survived": len(mine) - killed - equivalent,
        }
    survivors = [asdict(m) | {"reason": reasons.get(m.key)} for m, lives in results if lives]
    return {"commit": commit(), "seed": seed, "groups": groups, "survivors": survivors}


def page(found: dict[str, object]) -> str:
    """The record as Markdown."""
    from benchmarks.tables import markdown

    groups = found["groups"]
    assert isinstance(groups, dict)
    rows = []
    for group, counts in groups.items():
        share = counts["killed"] / max(1, counts["mutants"] - counts["equivalent"])
        rows.append([group, *(str(counts[k]) for k in ("mutants", "equivalent", "killed", "survived")), f"{share:.0%}"])
    text = "# Mutation testing\n\n"
    text += f"Written by `python -m benchmarks.mutation`, seed {found['seed']}, on {found['commit']}: single mutations "
    text += "drawn at random, and how many of them the fast tests of their module noticed.\n\n"
    text += markdown(["group", "mutants>", "equivalent>", "killed>", "survived>", "killed of the others>"], rows)
    text += "\n## Survivors\n\n"
    survivors = found["survivors"]
    assert isinstance(survivors, list)
    lines = [
        [
            f"`{s['module']}:{s['line']}`",
            f"`{s['before'].strip()}`",
            f"`{s['after'].strip()}`",
            s["reason"] or "a gap in the tests",
        ]
        for s in survivors
    ]
    return text + markdown(
        ["place", "before", "after", "reason"], [[c.replace("|", "\\|") for c in line] for line in lines]
    )


def write(found: dict[str, object], path: Path) -> None:
    """Writes the record so far: a run that is stopped leaves what it has."""
    path.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    path.with_suffix(".md").write_text(page(found), encoding="utf-8")


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mutation", description=__doc__.split("\n")[0])
    parser.add_argument("groups", nargs="*", choices=[*GROUPS, []], default=[])
    parser.add_argument("--mutants", type=int, default=30, help="mutants per group")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--no-baseline", dest="baseline", action="store_false", help="the tests are known to pass")
    parser.add_argument("--output", type=Path, default=RECORDS / "mutation.json")
    options = parser.parse_args(argv)
    groups = options.groups or list(GROUPS)
    drawn = [m for group in groups for m in mutants(group, options.mutants, options.seed)]
    results: list[tuple[Mutant, bool]] = []
    found = record(results, options.seed)
    for result in run(drawn, options.jobs, baseline=options.baseline):
        results.append(result)
        found = record(results, options.seed)
        write(found, options.output)
    counts = found["groups"]
    assert isinstance(counts, dict)
    killed = sum(c["killed"] for c in counts.values())
    real = sum(c["mutants"] - c["equivalent"] for c in counts.values())
    print(f"{killed} of {real} mutants killed")
    return 0 if killed >= _WANTED * real else 1


if __name__ == "__main__":
    sys.exit(main())
