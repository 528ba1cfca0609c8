"""Units that are alike cost the same, however they are folded; what changes cost makes them unlike."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from flowc.model.dtypes import SInt, UInt
from flowc.units import Activation, Frame, Mvtu, Requant, Table, Thresholds, Unit
from flowc.units.likeness import likeness

_CHANNELS = 4


def _activation(kind: str, rng: np.random.Generator) -> Activation:
    sets, spread = int(rng.choice([1, _CHANNELS])), int(rng.choice([4, 2000]))
    some = lambda *shape: rng.integers(-spread, spread, shape)  # noqa: E731
    if kind == "table":
        return Table(dtype=UInt(4), lo=0, values=rng.integers(0, 16, (sets, int(rng.choice([8, 9])))))
    if kind == "requant":
        late = rng.integers(0, rng.choice([2, 9]), (sets, 15)) if rng.random() < 0.5 else None
        add = some(sets) * int(rng.integers(0, 2))
        return Requant(
            dtype=UInt(4), mult=1 + abs(some(sets)), add=add, shift=int(rng.choice([8, 9])), lo=0, hi=15, late=late
        )
    levels = int(rng.choice([3, 7]))
    step = np.ones((1, 1), np.int64) if rng.random() < 0.5 else rng.choice([-1, 1], (_CHANNELS, levels))
    base = rng.integers(0, 2, _CHANNELS) * int(rng.integers(0, 2))
    return Thresholds(dtype=UInt(4), values=np.sort(some(_CHANNELS, levels), axis=1), base=base, step=step)


def _unit(name: str, kind: str, structure: str, rng: np.random.Generator) -> Mvtu:
    weights = rng.integers(-8, 8, (_CHANNELS, 8))
    return Mvtu(
        name=name, origin=(name,), frame=Frame(2, 2, 8, UInt(4)), weights=weights, weight_type=SInt(4), acc=SInt(14), block=8,
        activation=_activation(kind, rng), signs=rng.choice([-1, 1], _CHANNELS), structure=structure,
    )  # fmt: skip


def _costs(unit: Unit) -> list[object]:
    folds = [(pe, simd) for pe in (1, 2, 4) for simd in (1, 8)]
    folded = [unit.with_(pe=pe, simd=simd, multiplier=m) for pe, simd in folds for m in ("lut", "packed")]
    return [(u.resources, u.interval, u.stages) for u in folded]


@settings(max_examples=80, deadline=None)
@given(st.sampled_from(["thresholds", "requant", "table"]), st.sampled_from(["loop", "pipeline"]), st.integers(0, 9999))
def test_units_that_are_alike_cost_the_same(kind: str, structure: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    units = [_unit(f"u{i}", kind, structure, rng) for i in range(12)]
    first: dict[object, list[object]] = {}
    for unit in units:
        assert first.setdefault(likeness(unit), _costs(unit)) == _costs(unit)


def test_names_and_numbers_do_not_make_units_unlike() -> None:
    rng = np.random.default_rng(0)
    unit = _unit("one", "table", "loop", rng)
    assert unit.activation is not None
    table = replace(unit.activation, values=unit.activation.values[:, ::-1])
    assert likeness(unit) == likeness(unit.with_(name="two", origin=(), weights=-unit.weights, activation=table))


def test_what_costs_makes_units_unlike() -> None:
    unit = _unit("one", "thresholds", "loop", np.random.default_rng(1))
    assert isinstance(unit.activation, Thresholds)
    wide = replace(unit.activation, values=unit.activation.values[:, :1], step=np.ones((1, 1), np.int64))
    changed = [
        unit.with_(weights=unit.weights[:, :4], frame=Frame(2, 2, 4, UInt(4))),
        unit.with_(weight_type=SInt(5)), unit.with_(acc=SInt(15)), unit.with_(activation=None),
        unit.with_(activation=wide), unit.with_(overlap=False), unit.with_(frame=Frame(4, 2, 8, UInt(4))),
    ]  # fmt: skip
    assert likeness(unit) not in {likeness(u) for u in changed}
    assert len({likeness(u) for u in changed}) == len(changed)
