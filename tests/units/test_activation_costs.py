"""Costs of activations as literal numbers, worked out by hand: thresholds, requantizers and tables, for both structures (docs/cost-model.md)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from flowc.model.dtypes import BIPOLAR, IntType
from flowc.units import (
    Activate,
    Frame,
    Requant,
    Table,
    Thresholds,
)  # fmt: skip
from flowc.units.applied import applied, different_columns
from flowc.units.cost import Resources

U3, U4, S4, U8, S8 = IntType(3, False), IntType(4, False), IntType(4, True), IntType(8, False), IntType(8, True)
S12, S20 = IntType(12, True), IntType(20, True)
F = Frame(3, 5, 12, U4)
ONES = np.ones(1, np.int64)
EACH = np.array([-5, 5, 3, 1, 2, 4] * 2)
FEW = Requant(dtype=U4, mult=3 * ONES, add=0 * ONES, shift=2, lo=0, hi=15)


def test_standalone_activations_in_pipelines() -> None:
    """An end of 16 bits; three words of parameters are counted where channels have their own."""
    own = Requant(dtype=U4, mult=EACH, add=0 * ONES, shift=2, lo=0, hi=15)
    unit = Activate(name="a", frame=Frame(3, 5, 12, S8), activation=own, pe=4, structure="pipeline")
    assert unit.resources == applied(own, 4, 12, S8) + Resources(lut=21 + 4, ff=34)
    assert unit.with_(activation=FEW).resources == applied(FEW, 4, 12, S8) + Resources(lut=21 + 4, ff=34)


SIX = np.array([3, -5, 1, 2, 5, 4])
LATE = np.array([[0, 1, 2, 3, 4, 5, 0]] * 6)


@pytest.mark.parametrize(("channels", "ends", "bits", "tables"), [
    (128, (-28, 26), 6, 12),  # two tables to a bit
    (256, (-28, 26), 6, 32), (256, (-600, 700), 10, 54), (256, (0, 31), 5, 27),  # four, and a third more
    (512, (-28, 26), 6, 72),  # eight, and one to choose, and a third more
])  # fmt: skip
def test_compared_thresholds_are_as_wide_as_the_widest(
    channels: int, ends: tuple[int, int], bits: int, tables: int
) -> None:
    """Of ten bits of an argument: a comparison takes 6.5 tables; a row's counter one and a half and a register per bit, and a mark."""
    values = np.linspace(*ends, channels).astype(np.int64)[:, None]
    signs = Thresholds(dtype=BIPOLAR, values=values, base=np.full(channels, -1), step=np.array([[2]]))
    places = (channels - 1).bit_length()
    expected = Resources(lut=7 + tables + (3 * places + 1) // 2, ff=bits + 1 + 2 + 2 + places + 1)
    assert applied(signs, 1, channels, IntType(10, True)) == expected


@pytest.mark.parametrize(("depth", "width"), [(2, 10), (3, 6), (4, 14), (8, 30)])
def test_columns_that_differ_are_those_to_be_expected(depth: int, width: int) -> None:
    """Of columns that are drawn at random, constants aside."""
    rng = np.random.default_rng(0)
    drawn = rng.integers(0, 1 << depth, (4000, width))
    found = [len(set(columns) - {0, (1 << depth) - 1}) for columns in drawn.tolist()]
    assert different_columns(depth, width) == pytest.approx(np.mean(found), abs=0.05)


def test_compared_thresholds_lie_where_all_lanes_of_them_are_cheaper() -> None:
    """512 words of 14 bits are 168 tables, where 20 bits would be a block; two comparisons, their count and a base of two bits 17."""
    values = np.linspace(-60, 60, 512).astype(np.int64)[:, None] + np.array([0, 3])
    three = Thresholds(dtype=IntType(2, True), values=values, base=np.full(512, -1), step=np.array([[1]]))
    acc = IntType(10, True)
    assert three.resources(1, 512, acc).bram18 == 1
    assert applied(three, 1, 512, acc) == Resources(lut=17 + 168 + 14, ff=14 + 1 + 4 + 2 + 10)
    # Of three lanes 171 words of 42 bits: a block has 36.
    found = applied(three.kept_in("bram"), 3, 512, acc)
    assert found.bram18 == 2


@pytest.mark.parametrize(("changes", "acc", "expected"), [
    # Factors of four bits with a sign, addends of eight: 12 + 3 + 1 = 16 bits; 6 above the result are tested, 4 chosen: 7 tables a lane.
    # Three words of each per lane: 12 tables and registers.
    ({}, S12, Resources(lut=14 + 24, ff=2 * 20 + 24, dsp=2)),
    # Rounding: 6 / 5 for what is dropped, an adder of 10: 18.2.
    ({"half_even": True}, S12, Resources(lut=37 + 24, ff=64, dsp=2)),
    # Nothing is dropped: 12 bits above the result, no rounding.
    ({"half_even": True, "shift": 0}, S12, Resources(lut=20 + 24, ff=64, dsp=2)),
    # By one: 12 bits and the addend's eight in 13, an adder: 13 + 1.5 + 4.
    ({"mult": ONES}, S12, Resources(lut=37 + 16, ff=2 * 17 + 16)), ({"mult": -ONES}, S12, Resources(lut=37 + 16, ff=2 * 17 + 16)),
    ({"mult": ONES, "add": 100 * ONES}, S12, Resources(lut=37, ff=34)), ({"mult": ONES, "add": 0 * ONES}, S12, Resources(lut=11, ff=34)),
    # An addend longer than the product: 18 bits, 18 + 4 + 4.
    ({"mult": ONES, "add": 100_000 * ONES}, S12, Resources(lut=52, ff=2 * 22)),
    # 20 x 20 bits are two slices, which are added up: 40 + 15 + 4 tables.
    ({"mult": (1 << 18) * ONES, "add": ONES}, S20, Resources(lut=118, ff=2 * 44, dsp=4)),
    # Of the levels, seven for each of three channels: 21 words of three bits per lane; 3 x 4 bits (20.8), 0.65 * 6, 4 more.
    # While memory and product take their cycles: 7 x 4 bits of the multiplier, 4 x 6, 5 x 4, 3 x 3, and the address.
        ({"hi": 7, "late": LATE}, S12, Resources(lut=72 + 24 + 6, ff=64 + 6 + 2 * (81 + 5), dsp=2)),
    ({"hi": 7, "late": LATE[:1]}, S12, Resources(lut=72 + 24 + 6, ff=64 + 6 + 2 * (81 + 3), dsp=2)),
    # 16 channels to a lane are 112 words, two tables a bit; all alike they were seven.
    ({"hi": 7, "late": np.tile(LATE[:1], (32, 1)), "mult": 3 * ONES, "add": ONES}, S12, Resources(lut=50 + 12, ff=2 * 19 + 6 + 2 * (74 + 7), dsp=2)),
])  # fmt: skip
def test_requantizers(changes: dict[str, Any], acc: IntType, expected: Resources) -> None:
    fields = {"dtype": U4, "mult": SIX, "add": np.array([100, -7, 1, 2, 3, 4]), "shift": 6, "lo": 0, "hi": 15}
    unit = Requant(**fields | changes)
    channels = 32 if unit.channels == 32 else 6
    assert unit.resources(2, channels, acc) == expected
    assert unit.stages(2, channels, acc) == (8 if "late" in changes else 4)
    assert unit.unsound(channels) == []


def test_channels_of_requantizers_are_those_of_any_parameter() -> None:
    unit = Requant(dtype=U4, mult=ONES, add=ONES, shift=3, lo=0, hi=7)
    assert unit.channels == 1
    assert [replace(unit, **{name: a}).channels for name, a in (("mult", SIX), ("add", SIX), ("late", LATE))] == [
        6,
        6,
        6,
    ]


@pytest.mark.parametrize(("changes", "text"), [
    ({"shift": -1}, "shift = -1"), ({"shift": 63}, "shift = 63"), ({"lo": 8}, "the results 8 to 7"), ({"lo": -1}, "the results -1 to 7"),
    ({"hi": 16, "late": None}, "the results 0 to 16"), ({"half_even": True}, "half_even and late"), ({"mult": SIX[:5]}, "mult has"),
    ({"late": LATE[:, :6]}, "late has"), ({"late": LATE + 27}, "late holds"), ({"domain": np.array([[3, 2]])}, "no argument"),
])  # fmt: skip
def test_requantizers_that_contradict_themselves(changes: dict[str, Any], text: str) -> None:
    fields = {
        "dtype": U4,
        "mult": SIX,
        "add": ONES,
        "shift": 62,
        "lo": 0,
        "hi": 7,
        "late": LATE + 26,
        "domain": np.array([[2, 2]]),
    }
    assert Requant(**fields).unsound(6) == []
    assert Requant(**fields | {"shift": 0, "lo": 7, "late": np.zeros((1, 0), np.int64)}).unsound(6) == []
    assert any(text in found for found in Requant(**fields | changes).unsound(6))


@pytest.mark.parametrize(("lo", "values", "expected"), [
    # Nine words of four bits in each of three lanes; where the first is not at zero, a subtraction.
    (0, (1, 9), Resources(lut=12, ff=12)), (-2, (1, 9), Resources(lut=12 + 36, ff=12)),
    # 33 channels to three lanes: 11 of nine words; two tables a bit.
    (0, (33, 9), Resources(lut=24, ff=12)),
    # 4,096 words of four bits are a block, which serves two lanes.
    (0, (1, 4096), Resources(bram18=2)),
])  # fmt: skip
def test_tables(lo: int, values: tuple[int, int], expected: Resources) -> None:
    table = Table(dtype=U4, lo=lo, values=np.zeros(values, np.int64))
    assert table.resources(3, 33, S12) == expected
    assert table.stages(3, 33, S12) == 3


def test_a_slice_takes_the_sum_of_a_requantizer() -> None:
    """Two lanes: factor 3 bits signed, addend 1; a row of both where channels have their own; the addend waits, the result is 4 bits."""
    own = replace(FEW, mult=np.full(6, 3))
    addend = own.widths[1] + 1
    sliced, apart = (applied(own, 2, 6, S12, slices=known) for known in (True, False))
    assert sliced.dsp == apart.dsp == 2
    # Of three words six columns are neither constant nor equal: of six drawn 3.3, two in six of which take a table; of eight 3.9.
    assert (apart.lut or 0) - (sliced.lut or 0) == 2 * 15 + 2 * 3 - 2
    assert 2 * (3 + addend) == 8
    assert sliced.ff == 4 + 1 + 2 * (addend + own.dtype.bits) + 4 + 3  # a row and its mark; marks of beats; the counter
    # One row is wired in: nothing waits.
    assert applied(FEW, 2, 6, S12, slices=True).ff == 2 * own.dtype.bits + 4
    assert applied(replace(own, slices=True), 2, 6, S12) == sliced  # what a requantizer knows of its part is as good
    # Of 28 bits no port takes a value, and no slice the sum.
    assert applied(own, 2, 6, IntType(28, True), slices=True) == applied(own, 2, 6, IntType(28, True))
