"""Every refusal, of a model or of what a user asks for, has a cause and a remedy: read off the sources, where they are written."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from flowc.exact.region import NOT_A_NUMBER
from flowc.importer.operators import BY_NAME
from flowc.passes import remedies as passing

ROOT = Path(__file__).parents[1]
SOURCES = sorted([*(ROOT / "flowc").rglob("*.py"), *(ROOT / "passes").rglob("*.py")])
ERRORS = {"ModelError", "UnsupportedError", "InfeasibleError", "TooLargeError", "TargetError"}
REASONS = {"Blocked", "CannotLower", "TooLarge"}
"""Exceptions that carry the reason of a pass: a cause and its remedy, "cause; remedy"."""

CONSEQUENCES = {
    "its input is not quantized",
    "{} '{}' is not elementwise",
    "quantizes the input '{}' on the host",
    "{}",
}
"""What is said of a node that only follows from another one, for which a cause is looked up, or of a reason made elsewhere."""
PLACED = {
    "flowc/streamline/partition.py": 2,  # its causes have a remedy each
    "passes/lower.py": 1,
}
"""Errors that list reasons which were made elsewhere, with their remedies."""
HARMLESS = ("integer_argmax",)
"""What it says no to stays on the host; nothing is refused."""


def text_of(node: ast.expr | None) -> str | None:
    """A literal text, with {} for what is filled in; None for anything else."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=values):
            return "".join(v.value if isinstance(v, ast.Constant) else "{}" for v in values)
        case ast.IfExp(body=body, orelse=other):
            return text_of(body) if text_of(other) is None else text_of(other)
    return None


def calls(tree: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield getattr(node.func, "id", getattr(node.func, "attr", "")), node


def reasons(tree: ast.AST) -> Iterator[str]:
    """Texts that a function returns instead of a result, or that carry it out of one."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.returns is not None:
            kinds = ast.unparse(node.returns)
            if "str |" not in kinds and "| str" not in kinds:
                continue
            for inner in ast.walk(node):
                if isinstance(inner, ast.Return) and (text := text_of(inner.value)):
                    yield text
    for name, call in calls(tree):
        if name in REASONS and (text := text_of(call.args[-1])):
            yield text


def test_every_error_has_a_remedy() -> None:
    """Of a model, of a target, of options and of files: as a field, for those who print it elsewhere."""
    for path in SOURCES:
        bare = []
        for name, call in calls(ast.parse(path.read_text(encoding="utf-8"))):
            known = any(k.arg == "remedy" for k in call.keywords)
            if name == "UsageError" and not known:
                bare.append(f"{path}:{call.lineno}")
            if name in ERRORS and not known and "; " not in (text_of(call.args[0]) or ""):
                bare.append(f"{path}:{call.lineno}")
        assert len(bare) == PLACED.get(path.relative_to(ROOT).as_posix(), 0), bare


def test_every_reason_of_a_pass_has_a_remedy() -> None:
    bare = []
    for path in SOURCES:
        if path.parent.name in ("passes", "exact") and path.stem not in HARMLESS:
            found = set(reasons(ast.parse(path.read_text(encoding="utf-8")))) - CONSEQUENCES
            bare += [(path.name, text) for text in found if "; " not in text]
    assert bare == []


def test_reasons_by_name_and_shared_ones_have_a_remedy() -> None:
    assert [text for text in BY_NAME.values() if "; " not in text] == []
    assert all("; " in text for text in (passing.RUN_TIME, passing.FLOAT_WEIGHTS, NOT_A_NUMBER))


def test_the_walk_sees_a_refusal_without_a_remedy() -> None:
    tree = ast.parse("def f(x) -> str | None:\n    return f'its {x} is bad'\nraise Blocked(v, 'no')\n")
    assert list(reasons(tree)) == ["its {} is bad", "no"]
    assert [name for name, _ in calls(ast.parse("raise ModelError('no')"))] == ["ModelError"]
