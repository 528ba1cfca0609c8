"""The part of a unit's cost that a style decides: exchanged for another's, it gives what the unit costs with that one."""

from __future__ import annotations

import numpy as np
import pytest

from flowc.model.dtypes import IntType
from flowc.units import Frame, Mvtu, Thresholds, Unit, Vvtu, Window
from flowc.units.cost import Resources

U4, S4, S12 = IntType(4), IntType(4, True), IntType(12, True)
STEPS = Thresholds(
    dtype=U4,
    values=np.arange(15) * 7 + np.arange(512)[:, None],
    base=np.zeros(1, np.int64),
    step=np.ones((1, 15), np.int64),
)
GIVEN = {"weight_type": S4, "acc": S12, "activation": STEPS, "name": "u"}
DENSE = Mvtu(frame=Frame(3, 5, 36, U4), weights=np.ones((512, 36), np.int64), block=36, pe=4, simd=6, **GIVEN)  # type: ignore[arg-type]
DEPTHWISE = Vvtu(frame=Frame(3, 5, 4608, U4), weights=np.ones((512, 9), np.int64), channels=512, pe=4, **GIVEN)  # type: ignore[arg-type]
RING = Window(name="w", frame=Frame(9, 90, 12, U4), kernel=(3, 3), block=12, simd=2)
WEIGHTED = {"memory": ["lutram", "bram", "uram"], "threshold_memory": ["lutram", "bram"]}


@pytest.mark.parametrize("structure", ["loop", "pipeline"])
@pytest.mark.parametrize(("unit", "styles"), [
    (DENSE, WEIGHTED | {"multiplier": ["lut", "dsp", "packed", "overlapped"]}), (DEPTHWISE, WEIGHTED | {"multiplier": ["lut", "dsp"]}),
    (RING, {"memory": ["lutram", "bram", "uram"]}),
])  # fmt: skip
def test_what_a_style_decides_is_exchanged(unit: Unit, styles: dict[str, list[str]], structure: str) -> None:
    unit = unit.with_(structure=structure)
    for key, values in styles.items():
        costs = set()
        for one in values:
            first = unit.with_(**{key: one})
            costs.add(first.resources)
            for other in values:
                then = unit.with_(**{key: other})
                assert first.resources.exchanged(first.style_cost(key), then.style_cost(key)) == then.resources
        assert len(costs) > 1, f"{key} decides nothing"


def test_what_is_unknown_stays_unknown() -> None:
    whole, part = Resources(lut=9, ff=None, dsp=4), Resources(lut=5, dsp=1)
    assert whole.exchanged(part, Resources(lut=2, dsp=3)) == Resources(lut=6, ff=None, dsp=6)
    assert whole.exchanged(part, Resources(lut=None)) == Resources(lut=None, ff=None, dsp=3)
