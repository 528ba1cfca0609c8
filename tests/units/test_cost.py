"""The cost model against shapes from the user guides, brute force, and netlists measured with yosys."""

from __future__ import annotations

import itertools
from math import ceil

import pytest

from flowc.model.dtypes import BIPOLAR, IntType, SInt, UInt
from flowc.units import cost
from flowc.units.cost import Resources

# LUTs of `n` products and their sum, weights and inputs as ports: yosys 0.70, synth_xilinx -family xcup -nodsp.
MEASURED_DOTS = [
    (BIPOLAR, BIPOLAR, 16, 47), (BIPOLAR, BIPOLAR, 64, 198),
    (BIPOLAR, UInt(2), 16, 114), (BIPOLAR, UInt(4), 16, 180), (BIPOLAR, UInt(8), 16, 333),
    (SInt(2), UInt(8), 8, 228), (SInt(2), UInt(1), 16, 90), (SInt(2), UInt(2), 8, 77), (SInt(2), UInt(2), 16, 186),
    (SInt(3), UInt(3), 8, 117), (SInt(3), UInt(3), 16, 265),
    (SInt(4), UInt(2), 16, 305), (SInt(4), UInt(4), 8, 276), (SInt(4), UInt(4), 16, 590),
    (SInt(5), UInt(5), 16, 847), (SInt(6), UInt(6), 16, 1310), (SInt(8), UInt(4), 16, 1134),
    (SInt(8), UInt(8), 4, 497), (SInt(8), UInt(8), 16, 2196),
]  # fmt: skip
# LUTs of `levels` comparisons of `bits` bits with thresholds as ports, and their count.
MEASURED_THRESHOLDS = [
    (1, 8, 6), (1, 16, 11), (3, 8, 20), (3, 12, 26), (3, 20, 44), (7, 8, 46), (7, 16, 81), (15, 8, 107), (15, 12, 137),
    (15, 20, 227),
]  # fmt: skip


@pytest.mark.parametrize(("w", "a", "n", "luts"), MEASURED_DOTS)
def test_dot_products_are_near_the_measured_netlists(w: IntType, a: IntType, n: int, luts: int) -> None:
    assert cost.dot_luts(n, w, a) == pytest.approx(luts, rel=0.25)


@pytest.mark.parametrize(("levels", "bits", "luts"), MEASURED_THRESHOLDS)
def test_thresholds_are_near_the_measured_netlists(levels: int, bits: int, luts: int) -> None:
    assert levels * cost.comparator_luts(bits) + cost.popcount_luts(levels) == pytest.approx(luts, rel=0.25)


def test_sum_of_dot_products_is_unbiased() -> None:
    modelled = sum(cost.dot_luts(n, w, a) for w, a, n, _ in MEASURED_DOTS)
    assert modelled == pytest.approx(sum(luts for *_, luts in MEASURED_DOTS), rel=0.05)


@pytest.mark.parametrize(
    ("depth", "width", "blocks"),
    [
        (512, 36, 1), (513, 36, 2), (1024, 18, 1), (1024, 36, 2), (2048, 9, 1), (4096, 4, 1), (8192, 2, 1), (16384, 1, 1),
        (16385, 1, 2), (512, 72, 2), (100, 37, 2), (32768, 18, 32), (1, 36, 1), (3000, 8, 2),
    ],
)  # fmt: skip
def test_block_rams(depth: int, width: int, blocks: int) -> None:
    assert cost.block_rams(depth, width) == blocks


def test_block_rams_hold_the_bits_and_waste_less_than_any_single_shape() -> None:
    for depth, width in itertools.product((1, 37, 512, 700, 5000, 40000), (1, 3, 8, 17, 36, 100, 1000)):
        blocks = cost.block_rams(depth, width)
        assert blocks * 18 * 1024 >= depth * width
        for shape_depth, shape_width in ((16384, 1), (2048, 9), (512, 36)):
            assert blocks <= ceil(depth / shape_depth) * ceil(width / shape_width)


def test_ultra_rams_have_one_shape() -> None:
    assert cost.ultra_rams(4096, 72) == 1
    assert cost.ultra_rams(4097, 72) == 2
    assert cost.ultra_rams(10, 73) == 2


@pytest.mark.parametrize("constant", [False, True])
@pytest.mark.parametrize("style", ["lutram", "bram", "uram"])
def test_memories_grow_with_depth_and_width(style: str, constant: bool) -> None:
    def price(depth: int, width: int) -> int:
        used = cost.memory(depth, width, style, constant=constant)
        return sum(v or 0 for k, v in used.as_dict().items() if k != "ff")

    for depth, width in itertools.product((2, 30, 64, 200, 2000), (1, 5, 64)):
        assert price(depth, width) <= price(2 * depth, width)
        assert price(depth, width) <= price(depth, 2 * width)


def test_constant_word_is_wired_and_written_word_is_a_register() -> None:
    assert cost.memory(1, 64, "lutram", constant=True) == Resources()
    assert cost.memory(1, 64, "bram") == Resources(ff=64)


def test_small_memories_go_to_tables_and_large_ones_to_blocks() -> None:
    assert cost.memory_style(16, 8) == "lutram"
    assert cost.memory_style(4096, 36) == "bram"
    assert cost.fifo_memory(2, 8) == "srl"
    assert cost.fifo_memory(4096, 36) == "bram"
    assert cost.fifo_memory(4096, 72, 160, 160) == "uram"


def test_shift_registers() -> None:
    assert [cost.shift_register_luts(d, 8) for d in (2, 16, 17, 32, 33, 128)] == [4, 4, 8, 8, 16, 32]


def test_dsp_slices_follow_the_multiplier() -> None:
    assert cost.multiplier_dsps(8, 8) == 1
    assert cost.multiplier_dsps(18, 25) == 1
    assert cost.multiplier_dsps(19, 19) > 1


def test_products_in_slices_leave_only_sums_in_tables() -> None:
    luts = cost.products(SInt(4), UInt(4), SInt(16), "lut", 4, 8, 2)
    dsps = cost.products(SInt(4), UInt(4), SInt(16), "dsp", 4, 8, 2)
    assert dsps.dsp == 32
    assert luts.dsp == 0
    assert (dsps.lut or 0) < (luts.lut or 0)


def test_converters() -> None:
    assert cost.converter(4, 8, 8) == Resources()
    even, odd = cost.converter(4, 8, 16), cost.converter(4, 8, 12)
    assert (even.lut or 0) < (odd.lut or 0)


def test_unknown_stays_unknown() -> None:
    total = Resources(lut=3, dsp=None) + Resources(lut=4, dsp=1)
    assert total == Resources(lut=7, dsp=None)
    assert total.as_dict() == {"lut": 7, "ff": 0, "bram18": 0, "uram": 0, "dsp": None}
