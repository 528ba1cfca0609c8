"""The windows of functions that rise and fall: found on all integers at once, not one by one.

A Swish on a wide accumulator took 27,000 rounds of evaluation (three minutes) to certify.
"""

from __future__ import annotations

import numpy as np
import pytest

from flowc.exact.region import Region
from flowc.streamline.compile import compile_model
from tests.netbuild import Net
from tests.regressions.exact import assert_exact, grid


def test_swish_on_a_wide_accumulator(monkeypatch: pytest.MonkeyPatch) -> None:
    net = Net([1, 12], seed=4)
    y = net.bn(net.linear(net.quant(net.x, 0.01, bits=8), 12, 4, bits=8, bias=True), 4)
    y = net.quant(net.op("Mul", y, net.op("Sigmoid", y)), 0.5, bits=3)
    model = net.model(net.linear(y, 4, 2))
    rounds = 0
    evaluate = Region.evaluate

    def counted(self: Region, *args: object, **options: object) -> np.ndarray:  # type: ignore[type-arg]
        nonlocal rounds
        rounds += 1
        return evaluate(self, *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(Region, "evaluate", counted)
    compile_model(model)
    assert rounds < 1000
    assert_exact(model, grid((6, 12), 0.01, lo=-128, hi=127))
