"""The formulas of memories worked out by hand, from what one look-up table, block or register holds (docs/cost-model.md)."""

from __future__ import annotations

import pytest

from flowc.units import cost
from flowc.units.cost import Resources


@pytest.mark.parametrize(
    ("depth", "width", "style", "constant", "expected"),
    [
        # 64 words of a bit to a table, and its output register.
        (64, 8, "lutram", True, Resources(lut=8, ff=8)),
        # 300 words: five tables, two ways (256 words each), one table more for the multiplexer.
        (300, 8, "lutram", True, Resources(lut=48, ff=8)),
        # Written: four tables hold six bits of 32 words, or three bits of 64.
        (32, 12, "lutram", False, Resources(lut=8, ff=12)),
        (64, 12, "lutram", False, Resources(lut=16, ff=12)),
        # Two banks of 64 words, a table per bit to choose between them.
        (128, 12, "lutram", False, Resources(lut=44, ff=12)),
        # One word: nothing to address.
        (1, 12, "lutram", False, Resources(ff=12)),
        (1, 12, "lutram", True, Resources()),
        (64, 0, "lutram", False, Resources()),
        # A block of 512 x 36; an UltraRAM of 4096 x 72.
        (512, 36, "bram", True, Resources(bram18=1)),
        (4097, 73, "uram", False, Resources(uram=4)),
    ],
)
def test_memories(depth: int, width: int, style: str, constant: bool, expected: Resources) -> None:
    assert cost.memory(depth, width, style, constant=constant) == expected


@pytest.mark.parametrize(
    ("depth", "width", "luts"),
    [(16, 7, 4), (17, 7, 7), (32, 7, 7), (33, 7, 14), (128, 5, 20), (129, 5, 30)],
)
def test_shift_registers(depth: int, width: int, luts: int) -> None:
    """Two bits of 16 stages to a table, or one of 32; above 128 stages a multiplexer of two ways."""
    assert cost.shift_register_luts(depth, width) == luts


@pytest.mark.parametrize(
    ("depth", "luts"), [(1, 0), (2, 12), (4, 12), (5, 24), (8, 24)],
)  # fmt: skip
def test_small_buffers_are_registers(depth: int, luts: int) -> None:
    assert cost.held(depth, 12) == Resources(lut=luts, ff=12 * depth)


def test_weights_wider_than_a_word_lie_in_slices() -> None:
    """10,000 bits are three slices of 3,334."""
    one = cost.memory(128, 3334, "lutram", constant=True)
    assert cost.weight_rom(128, 10_000, "lutram") == Resources(lut=3 * (one.lut or 0), ff=3 * 3334)
    assert cost.weight_rom(64, 4096, "lutram") == cost.memory(64, 4096, "lutram", constant=True)
    assert cost.weight_rom(64, 4096, "lutram") == Resources(lut=4096, ff=4096)


def test_the_style_left_open_is_the_cheaper() -> None:
    """A block is worth 160 tables: 160 bits of 64 words are 160 tables, 161 are not."""
    assert cost.memory_style(64, 36, constant=True) == "lutram"
    assert cost.memory_style(512, 36, constant=True) == "bram"
    assert cost.memory(512, 36, "auto", constant=True) == Resources(bram18=1)
    assert cost.memory(512, 9, "auto", constant=True).bram18 == 0


@pytest.mark.parametrize("style", ["uram", "stream"])
def test_weights_that_arrive_take_what_brings_them(style: str) -> None:
    kept = Resources(uram=2) if style == "uram" else Resources()
    assert cost.weight_rom(4096, 100, style) == kept + cost.weight_reader(100)
    assert (cost.weight_reader(100).lut or 0) > 0
