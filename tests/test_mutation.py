"""Mutants are real: they parse and change what is executed; the tests that meet one execute its line; the record counts what it says."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

pytest.importorskip("cosmic_ray", reason="mutation testing needs cosmic-ray: pip install -e '.[mutation]'")

from benchmarks import noticing
from benchmarks.mutants import GROUPS, ROOT, Mutant, line_of, mutants, text_of
from benchmarks.mutation import again, counted, first, joined, page
from benchmarks.noticing import Noticed, test_files, tests_of

test_files.__test__ = False  # type: ignore[attr-defined]
tests_of.__test__ = False  # type: ignore[attr-defined]


@pytest.mark.slow
def test_mutants_change_something() -> None:
    drawn = list(mutants("verify", 3, 0))
    assert len({(m.module, m.line) for m in drawn}) == 3
    for mutant in drawn:
        assert mutant.before != mutant.after
        assert (ROOT / "flowc" / mutant.module).read_text().splitlines()[mutant.line - 1] == mutant.before
        ast.parse((ROOT / "flowc" / mutant.module).read_text().replace(mutant.before, mutant.after, 1))


def test_every_module_and_every_test_exists() -> None:
    assert set(GROUPS) == set(noticing.TESTS)
    for group, modules in GROUPS.items():
        assert all((ROOT / "flowc" / module).is_file() for module in modules)
        assert test_files(group)
        assert all((ROOT / name).exists() for name in noticing.TESTS[group])


SOURCE = """LIMIT = 3


def f(x, most=LIMIT):
    if x > most:
        return max(
            x,
            0,
        )
    return 0
"""


def test_a_mutant_meets_the_tests_that_execute_its_statement(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A statement is executed if one of its lines is; what importing executes, every test of the module executes; near and short first."""
    (tmp_path / "flowc" / "units").mkdir(parents=True)
    (tmp_path / "flowc" / "units" / "cost.py").write_text(SOURCE)
    monkeypatch.setattr(noticing, "ROOT", tmp_path)
    far, near = "tests/units/test_other.py", "tests/units/test_cost.py"
    tests = {
        "far": Noticed(far, 1.0, {"units/cost.py": [5, 6]}),
        "near": Noticed(near, 2.0, {"units/cost.py": [5, 10]}),
        "long": Noticed(far, 99.0, {"units/cost.py": [5, 6]}),
        "none": Noticed(far, 0.1, {"units/mvtu.py": [5]}),
    }

    def meets(line: int) -> list[str]:
        return tests_of(Mutant("units", "units/cost.py", "op", 0, line, "a", "b"), tests)

    assert meets(1) == meets(4) == meets(5) == ["near", "far"]
    assert meets(6) == meets(8) == ["far"]
    assert meets(10) == ["near"]
    monkeypatch.setattr(noticing, "BUDGET", 2.5)
    assert meets(5) == ["near"]


def test_a_mutant_is_found_where_its_line_went() -> None:
    before = "A = 1 + x\n\n\nB = 2 + y\nC = 1 + 2\n"
    found = Mutant("units", "units/cost.py", "core/ReplaceBinaryOperator_Add_Sub", 0, 4, "B = 2 + y", "B = 2 - y")
    assert text_of(found, before) == before.replace("B = 2 + y", "B = 2 - y")
    assert text_of(found, before.replace("B = 2", "B = 3")) is None
    moved = "\n\n" + before
    assert line_of(moved, text_of(found, moved) or "") == 6  # whose tests it then meets


def test_the_record_counts_and_lists() -> None:
    drawn = [Mutant("units", "units/cost.py", "op", i, 10 + i, f"a | {i}", f"a + {i}") for i in range(4)]
    found = first([(drawn[0], False), *((m, True) for m in drawn[1:])], 7)
    reasons = {drawn[3].key: "the same for all"}
    text = page(counted(found, reasons))
    assert "| units | 7 | 4 | 1 | 1 | 33% | 1 | 2 | 33% |" in text
    assert "| `units/cost.py:11` | `a \\| 1` | `a + 1` | a gap in the tests |" in text
    assert "| the same for all |" in text
    # Tests were written, which one of the survivors does not survive.
    later = counted(again(counted(found, reasons), [(drawn[1], False), (drawn[2], True)]), reasons)
    assert later["groups"]["units"] | {"commit": 0, "again": 0} == {
        "commit": 0, "again": 0, "seed": 7, "mutants": 4, "killed_at_first": 1, "killed": 2, "equivalent": 1, "survived": 1
    }  # fmt: skip
    assert [s["line"] for s in later["survivors"]] == [12, 13]
    assert [s["line"] for s in later["killed_later"]] == [11]
    # Another group is measured: what is known of this one stays.
    other = first([(Mutant("exact", "exact/steps.py", "op", 0, 1, "a", "b"), False)], 1)
    both = counted(joined(later, other), reasons)
    assert list(both["groups"]) == ["exact", "units"]
    assert both["groups"]["units"] == later["groups"]["units"]
    assert both["survivors"] == later["survivors"]
    assert joined(later, first([(drawn[0], False)], 1))["survivors"] == []
