"""Mutants are real: they parse and change what is executed; the record counts what it says."""

from __future__ import annotations

import ast

import pytest

pytest.importorskip("cosmic_ray", reason="mutation testing needs cosmic-ray: pip install -e '.[mutation]'")

from benchmarks.mutation import GROUPS, ROOT, TESTS, Mutant, mutants, noticing, page, record


@pytest.mark.slow
def test_mutants_change_something() -> None:
    drawn = list(mutants("verify", 3, 0))
    assert len({(m.module, m.line) for m in drawn}) == 3
    for mutant in drawn:
        assert mutant.before != mutant.after
        assert (ROOT / "flowc" / mutant.module).read_text().splitlines()[mutant.line - 1] == mutant.before
        ast.parse((ROOT / "flowc" / mutant.module).read_text().replace(mutant.before, mutant.after, 1))


def test_every_module_exists_and_has_tests() -> None:
    assert set(GROUPS) == set(TESTS)
    for group, modules in GROUPS.items():
        for module in modules:
            assert (ROOT / "flowc" / module).is_file(), module
            assert noticing(group, module), module


def test_the_record_counts_and_lists() -> None:
    one, two = (Mutant("units", "units/cost.py", "op", i, 10 + i, "a | b", "a + b") for i in (0, 1))
    found = record([(one, False), (two, True)], 0)
    assert found["groups"] == {"units": {"mutants": 2, "killed": 1, "equivalent": 0, "survived": 1}}
    text = page(found)
    assert "| units | 2 | 0 | 1 | 1 | 50% |" in text
    assert "`units/cost.py:11`" in text
    assert "a gap in the tests" in text
