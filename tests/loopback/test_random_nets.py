"""Thirty random nets in loopback execution. The 500-net run is `python -m benchmarks.fuzz_loopback`."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest

from tests.fuzz.generator import random_net
from tests.loopback.fuzzing import check

NETS = 30


@pytest.mark.slow
def test_random_nets_are_exact() -> None:
    seen: Counter[str] = Counter()
    for number in range(NETS):
        done = check(random_net(Random(9000 + number)), number)
        assert done.status != "failed", f"random_net(Random({9000 + number})): {done.reason}"
        seen[done.status] += 1
        seen.update(values=done.values, layers=done.layers, unexplained=done.mismatches - done.explained)
    assert seen["refused"] <= 3
    assert seen["values"] > 5_000
    assert seen["layers"] > 100
    assert not seen["unexplained"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("seed", "what"),
    [
        (4, "padding that follows padding of another value"),
        (326, "an activation in front of a join that the host computes"),
    ],
)
def test_nets_that_were_wrong_once(seed: int, what: str) -> None:
    done = check(random_net(Random(seed)), seed)
    assert done.status == "ok", f"{what}: {done.reason}"
