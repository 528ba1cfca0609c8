"""A hundred random nets: each compiles, and every integer equals the reference's.

The 2,000-net run is `python -m benchmarks.fuzz`; a net that fails there becomes a test in tests/regressions.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings

from flowc.api import build
from tests.fuzz.checking import check
from tests.fuzz.generator import RandomNet, random_net, random_nets

NETS = 100
MOST_REFUSED = 5
FIXED = {
    "max_examples": NETS,
    "database": None,
    "deadline": None,
    "phases": (Phase.generate, Phase.shrink),
    "suppress_health_check": tuple(HealthCheck),
}


@pytest.mark.slow
def test_a_hundred_random_nets() -> None:
    seen: Counter[str] = Counter()
    tags: set[str] = set()

    @seed(20261121)
    @settings(**FIXED)  # type: ignore[arg-type]
    @given(random_nets())
    def every_net_is_exact(net: RandomNet) -> None:
        seen["nets"] += 1
        outcome = check(net, whole=seen["nets"] % 20 == 0)
        seen[outcome.status] += 1
        seen.update(values=outcome.values + outcome.second_values, explained=outcome.explained)
        tags.update(net.tags)
        assert outcome.status != "failed", outcome.reason

    every_net_is_exact()
    assert seen["nets"] >= NETS
    assert seen["refused"] <= MOST_REFUSED
    assert seen["values"] > 20_000
    assert seen["explained"] < seen["values"] / 1000
    assert len(tags) > 90


def _small_net(number: int) -> tuple[int, RandomNet]:
    """A net of few nodes for g++, made without hypothesis."""
    for start in range(1000 * number, 1000 * (number + 1)):
        net = random_net(Random(start))
        if 12 <= len(net.model.graph.node) <= 30 and check(net).status == "ok":
            return start, net
    raise AssertionError("no small net")


@pytest.mark.slow
@pytest.mark.parametrize("number", range(3))
def test_compiled_cpp_of_random_nets(number: int, tmp_path: Path) -> None:
    start, net = _small_net(number)
    design = build(net.model, "zcu104", input_type=net.input_type, output=tmp_path / "out", csim=True)
    assert design.report["csim"]["mismatches"] == 0, f"random_net(Random({start}))"
    assert design.report["verification"]["mismatches"] == design.report["verification"]["explained_by_ambiguous"]
