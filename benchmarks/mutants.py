"""Mutants: single changes of the core's modules, as cosmic-ray knows them, drawn at random."""

from __future__ import annotations

import ast
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = ["GROUPS", "ROOT", "Mutant", "line_of", "mutants", "text_of"]

ROOT = Path(__file__).resolve().parent.parent
_IGNORED = ("RemoveDecorator", "VariableReplacer", "VariableInserter", "ExceptionReplacer")
"""Operators whose mutants say nothing: a dataclass without its decorator fails at once, an exception's class is its message's."""

GROUPS = {
    "verify": [
        *(f"design/{name}.py" for name in ("comparison", "excuses", "join_probes", "probes", "tail", "verify")), "streamline/evidence.py",
    ],
    "exact": [f"exact/{name}.py" for name in (
        "affine", "binades", "bounds", "certificate", "chains", "choose", "intervals", "join_windows", "joins", "movement", "narrow",
        "ops", "region", "requant", "search", "spans", "steps", "sums", "walk", "windows",
    )],
    "units": [f"units/{name}.py" for name in (
        "activation", "argmax", "base", "cost", "elementwise", "graph", "mvtu", "packing", "permute", "pool", "routing", "schedule",
        "vvtu", "window",
    )],
    "allocate": [f"dataflow/allocate/{name}.py" for name in (
        "allocation", "check", "fifos", "foldfile", "layers", "limits", "loops", "options", "search", "select", "simulation", "timing",
    )],
}  # fmt: skip
"""Group -> its modules, below flowc/."""


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
    """A module without what changes nothing: annotations, and ``strict`` of zip, which asserts. "" where it is no Python."""
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
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "zip":
            node.keywords = []
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


def changed(source: str, operator: str, occurrence: int) -> str | None:
    """The text of a module with one mutation; None where there is no such."""
    from cosmic_ray.mutating import mutate_code
    from cosmic_ray.plugins import get_operator

    text: str | None = mutate_code(source, get_operator(operator)(), occurrence)
    return text


def text_of(mutant: Mutant, source: str) -> str | None:
    """The text of its module with a mutant, wherever its line now is; None where the line is no more."""
    text, occurrence = changed(source, mutant.operator, mutant.occurrence), 0
    while text is not None and _pair(source, text) != (mutant.before, mutant.after):
        text, occurrence = changed(source, mutant.operator, occurrence), occurrence + 1
    return text


def line_of(source: str, text: str) -> int:
    """Number of the first line that differs, from 1."""
    pairs = enumerate(zip(source.splitlines(), text.splitlines(), strict=False), 1)
    return next((number for number, (before, after) in pairs if before != after), 1)


def _pair(source: str, text: str) -> tuple[str, str]:
    """The first line that differs, before and after."""
    pairs = zip(source.splitlines(), text.splitlines(), strict=False)
    return next((pair for pair in pairs if pair[0] != pair[1]), ("", ""))


def mutants(group: str, count: int, seed: int) -> Iterator[Mutant]:
    """``count`` mutations of a group's modules that change what is executed, drawn at random, one a line at most."""
    drawn = [(module, *place) for module in GROUPS[group] for place in _places(ROOT / "flowc" / module)]
    random.Random(f"{group} {seed}").shuffle(drawn)  # noqa: S311
    seen: set[tuple[str, int]] = set()
    for module, operator, occurrence, line in drawn:
        if len(seen) == count:
            return
        source = (ROOT / "flowc" / module).read_text(encoding="utf-8")
        text = changed(source, operator, occurrence)
        if text is None or (module, line) in seen or _shape(text) in ("", _shape(source)):
            continue
        seen.add((module, line))
        pairs = zip(source.splitlines(), text.splitlines(), strict=False)
        number, texts = next((i, pair) for i, pair in enumerate(pairs) if pair[0] != pair[1])
        yield Mutant(group, module, operator, occurrence, number + 1, *texts)
