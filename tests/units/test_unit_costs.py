"""What units cost, worked out by hand: one example each whose numbers tell every factor of the formula apart (docs/cost-model.md)."""

from __future__ import annotations

from itertools import product
from math import ceil

import numpy as np
import pytest

from flowc.model.dtypes import BIPOLAR, IntType
from flowc.units import Activate, ArgMax, Frame, GlobalSum, Join, Mvtu, Pad, Pool, Thresholds, Window, cost
from flowc.units.base import Unit
from flowc.units.cost import Resources
from flowc.units.packing import MAX_CHAIN, Packing, overlapping, packing

U2, U4, S4, U8, S8 = IntType(2, False), IntType(4, False), IntType(4, True), IntType(8, False), IntType(8, True)
S12, S20 = IntType(12, True), IntType(20, True)
CONTROL = cost.CONTROL


def thresholds(channels: int) -> Thresholds:
    values = np.arange(channels * 15).reshape(channels, 15)
    return Thresholds(
        dtype=U4, domain=None, values=values, base=np.zeros(channels, np.int64), step=np.ones((1, 1), np.int64)
    )


def matrix(mh: int, mw: int, **changes: object) -> Mvtu:
    weights = np.random.default_rng(0).integers(-7, 8, (mh, mw))
    fields = {
        "name": "m",
        "frame": Frame(3, 5, mw, U4),
        "weights": weights,
        "weight_type": S4,
        "acc": S12,
        "block": mw,
        "multiplier": "lut",
    }
    return Mvtu(**(fields | changes))  # type: ignore[arg-type]


SERIAL = Pool(name="p", frame=Frame(3, 5, 24, U4), channels=6, op="max", acc=U4, pe=3)
PARALLEL = Pool(name="p", frame=Frame(3, 5, 36, U4), channels=4, op="sum", acc=U8, pe=2, parallel=True)
SUM = GlobalSum(name="s", frame=Frame(3, 5, 12, U4), acc=U8, pe=3)
PICK = ArgMax(name="a", frame=Frame(3, 5, 12, S8), pe=3)
ADD = Join(
    name="j",
    left=Frame(3, 5, 12, U4),
    right=Frame(3, 5, 12, S8),
    op="add",
    acc=S12,
    left_scale=np.array([3]),
    right_scale=np.array([4]),
    pe=2,
)
MUL = ADD.with_(op="mul", left_scale=np.array([1]), right_scale=np.array([1]), left_offset=3)
RING = Window(name="w", frame=Frame(6, 7, 12, U4), kernel=(3, 2), block=4, simd=2)
TAPS = RING.with_(kernel=(3, 3), dilation=(1, 2), block=12, simd=12, parallel=True)


@pytest.mark.parametrize(("unit", "cycles", "stages", "expected"), [
    # A comparator (0.65 tables a bit) and a multiplexer (one) for each of three lanes; two registers of four bits each.
    (SERIAL, 3 * 5 * 24 // 3, 3, Resources(lut=CONTROL + ceil(3 * (4 + 0.65 * 4)), ff=3 * 4 * 2 + 20)),
    # Nine taps a beat: eight adders of eight bits per lane; a tree of four levels, five registers of the first one kept.
    (PARALLEL, 3 * 5 * 36 // (2 * 9), 3 + 4, Resources(lut=CONTROL + 8 * 2 * 8, ff=2 * 8 * (2 + 5) + 20)),
    # Four words of three sums: registers with a multiplexer of 24 bits; an adder of 24 bits.
    (SUM, 3 * 5 * 12 // 3, 3, cost.held(4, 24) + Resources(lut=CONTROL + 24, ff=2 * 24 + 20)),
    # Values of eight bits, an index of four.
    (PICK, 3 * 5 * 12 // 3, PICK.stages, Resources(lut=CONTROL + ceil(3 * (0.65 * 8 + 8 + 4)), ff=2 * (8 + 4) + 20)),
    # 3 a is a product of four and two bits, 4 b a shift; the sum has twelve bits.
    (ADD, 3 * 5 * 12 // 2, 3, Resources(lut=CONTROL + ceil(2 * (12 + 1.75 * (4 + 2))), ff=2 * (4 + 8 + 12) + 20)),
    # A product of four and eight bits, and a subtraction of four in front of it.
    (MUL, 3 * 5 * 12 // 2, 3, Resources(lut=CONTROL + ceil(2 * (1.9 * 4 * 8 - 2 + 4)), ff=2 * (4 + 8 + 12) + 20)),
])  # fmt: skip
def test_units_without_parameters(unit: Unit, cycles: int, stages: int, expected: Resources) -> None:
    assert unit.cycles == cycles
    assert unit.stages == stages
    assert unit.resources == expected
    assert unit.unsound() == unit.faults() == []


@pytest.mark.parametrize(("unit", "lanes", "channels", "acc"), [
    (SERIAL, 3, 6, U4), (PARALLEL, 2, 4, U8), (SUM, 3, 12, U8), (ADD, 2, 12, S12),
])  # fmt: skip
def test_an_activation_adds_its_stages_and_its_cost(unit: Unit, lanes: int, channels: int, acc: IntType) -> None:
    activation = thresholds(channels)
    whole = unit.with_(activation=activation)
    assert whole.stages == unit.stages + activation.stages(lanes, channels, acc)
    assert activation.stages(lanes, channels, acc) > 0
    assert whole.resources == unit.resources + activation.resources(lanes, channels, acc)
    assert whole.outputs[0].dtype == U4
    assert whole.unsound() == []
    assert unit.with_(activation=thresholds(channels + 1)).unsound()


def test_a_standalone_activation() -> None:
    activation = thresholds(12)
    unit = Activate(name="a", frame=Frame(3, 5, 12, S8), activation=activation, pe=4)
    assert unit.stages == 1 + activation.stages(4, 12, S8)
    assert unit.resources == activation.resources(4, 12, S8) + Resources(lut=CONTROL, ff=4 * 8 + 20)


def test_a_matrix_unit() -> None:
    """Six rows of eight, two rows and four columns at once: six words of 32 bits; two words of 16 bits of inputs kept."""
    unit = matrix(6, 8, pe=2, simd=4)
    assert unit.cycles == 15 * 3 * 2
    assert unit.weight_memory == (6, 32)
    assert unit.input_memory == (2, 16)
    assert unit.stages == 4 + 1 + 1  # memory, product, accumulator, output; the tree of four: two levels in a cycle
    products = (
        4 * cost.multiplier_luts(4, 4) + 2 * 9 + 1 * 10 + 12
    )  # two sums of nine bits, one of ten, the accumulator
    expected = cost.weight_rom(6, 32, "auto") + cost.held(2, 16) + Resources(lut=CONTROL, ff=4 * 4 + 2 * 12 + 40)
    assert unit.resources == expected + Resources(lut=ceil(2 * products), ff=ceil(2 * products))
    # All inputs in one beat: nothing is accumulated. All rows at once: nothing is kept.
    assert matrix(6, 8, pe=6, simd=8).input_memory == (0, 32)
    assert matrix(6, 8, pe=3, simd=8).weight_memory == (2, 96)
    activated = unit.with_(activation=thresholds(6))
    assert activated.stages == unit.stages + thresholds(6).stages(2, 6, S12)
    own = Resources(lut=0, ff=2 * 12 - 2 * 4)  # results of four bits instead of twelve
    assert activated.resources + own == unit.resources + thresholds(6).resources(2, 6, S12)


def test_a_grouped_matrix_unit() -> None:
    unit = matrix(6, 4, frame=Frame(3, 5, 8, U4), groups=2, block=4, pe=3, simd=2)
    assert unit.unsound() == unit.faults() == []
    assert unit.cycles == 15 * 2 * 2
    assert unit.input_memory == (0, 8)
    assert unit.macs == 15 * 6 * 4
    assert unit.folding() == {"pe": [1, 3], "simd": [1, 2, 4]}


@pytest.mark.parametrize(("changes", "text"), [
    ({"frame": Frame(3, 5, 9, U4)}, "9 channels against 1 groups of 8 inputs"),
    ({"groups": 4}, "groups, taps and block do not divide weights of 6 x 8"), ({"taps": 3}, "groups, taps and block"), ({"block": 3}, "groups, taps and block"),
])  # fmt: skip
def test_matrix_units_that_contradict_themselves(changes: dict[str, object], text: str) -> None:
    assert matrix(6, 8).unsound() == []
    assert any(text in found for found in matrix(6, 8, **changes).unsound())


def test_windows() -> None:
    """A ring in words of two elements; with all taps at once, a delay per kernel row but one and the taps of a row held."""
    ring = RING.ring
    assert ring is not None
    assert RING.line_memory == (1, ring.size, 8)
    assert ring.size >= (2 * 7 + 1) * 6 + 1 > ring.size - 7 * 6
    control = Resources(lut=cost.RING_CONTROL + 8 * ring.size.bit_length(), ff=8 + 150)
    assert RING.resources == cost.memory(ring.size, 8, "auto") + control
    assert (RING.out_h, RING.out_w, RING.buffer_pixels) == (4, 6, 2 * 7 + 1 + 1)
    strided = RING.with_(stride=(2, 3), dilation=(2, 3))
    assert (strided.out_h, strided.out_w) == ((6 - 5) // 2 + 1, (7 - 4) // 3 + 1)
    assert (TAPS.out_h, TAPS.out_w) == (4, 3)
    assert TAPS.line_memory == (2, 7 - 4, 48)
    expected = cost.memory(3, 48, "auto").times(2) + cost.held(2, 3 * 2 * 48) + Resources(lut=CONTROL, ff=48 + 40)
    assert TAPS.resources == expected
    assert TAPS.cycles == 6 * 7


@pytest.mark.parametrize(("w", "a", "lanes", "port", "expected"), [
    # Two weights of four bits, 20 bits apart: products of eight bits; 2^20 / (15 * 15) = 4,660 sums fit, 64 are chained at most.
    (S4, U4, 2, 25, Packing(2, 20, MAX_CHAIN)),
    # Signed activations: half a field, less one: (2^19 - 1) / (15 * 8).
    (S4, S4, 2, 25, Packing(2, 20, MAX_CHAIN)),
    # Eight bits by eight: 16 bits apart at most; one product of 255 * 255 = 65,025 in 65,535.
    (S8, U8, 2, 25, Packing(2, 16, 1)), (S8, U8, 2, 27, Packing(2, 18, 4)),
    (BIPOLAR, BIPOLAR, 4, 25, None), (S8, IntType(18, False), 2, 27, None), (S8, U8, 1, 25, None),
])  # fmt: skip
def test_packing(w: IntType, a: IntType, lanes: int, port: int, expected: Packing | None) -> None:
    assert packing(w, a, lanes, port) == expected


@pytest.mark.parametrize(("w", "a", "lanes", "port", "expected"), [
    # Eight rows of 4 x 4 bits in two slices, where fields apart take three: products reach from -120 to 105, (1024 - 8) / 225 to a chain.
    (S4, U4, 8, 27, Packing(4, 7, 4, 3)), (S4, S4, 8, 27, Packing(4, 7, 4, 2)), (S4, U8, 8, 27, Packing(3, 11, 4, 3)),
    (S4, S4, 4, 25, Packing(4, 6, 4, 3)),
    (S4, U4, 8, 25, None), (S4, U4, 2, 27, None), (S8, U8, 8, 27, None), (BIPOLAR, U4, 8, 27, None), (BIPOLAR, BIPOLAR, 8, 27, None),
])  # fmt: skip
def test_overlapping_sums(w: IntType, a: IntType, lanes: int, port: int, expected: Packing | None) -> None:
    assert overlapping(w, a, lanes, port) == expected


def _apart(sums: list[int], least: int, packed: Packing, chain: int) -> list[int]:
    """Sums as they lie over each other, set apart with the lower bits of each."""
    shift, known = packed.field, 1 << packed.known
    whole = sum((s - chain * least) << (shift * row) for row, s in enumerate(sums))
    carries = [
        ((whole >> (shift * row)) - sums[row]) % known if 0 < row < packed.rows else 0 for row in range(packed.rows)
    ]
    carries.append((whole >> (shift * packed.rows)) % known)
    fields = [(whole >> (shift * row)) % (1 << shift) for row in range(packed.rows)]
    found = [fields[row] + (carries[row + 1] << shift) - carries[row] for row in range(packed.rows)]
    return [value + chain * least for value in found]


@pytest.mark.parametrize(
    ("w", "a", "port"), [(S4, U4, 27), (S4, S4, 27), (S4, S4, 25), (U4, U4, 27), (S4, U8, 27), (U4, S4, 27)]
)
def test_sums_that_overlap_are_told_apart(w: IntType, a: IntType, port: int) -> None:
    """At both ends of every sum; not so where a chain is longer by one."""
    packed = overlapping(w, a, 8, port)
    assert packed is not None
    products = [x * y for x in (w.lo, w.hi) for y in (a.lo, a.hi)]
    least = min(0, *products)

    def told(chain: int) -> bool:
        rows = product((chain * min(products), chain * max(products)), repeat=packed.rows)
        return all(_apart(list(sums), least, packed, chain) == list(sums) for sums in rows)

    assert all(told(chain) for chain in range(1, packed.chain + 1))
    assert not told(packed.chain + 1)


@pytest.mark.parametrize(("bits", "slices"), [
    ((4, 4), 1), ((18, 25), 1), ((18, 26), 2), ((19, 25), 2), ((24, 34), 2), ((25, 34), 4), ((17, 48), 2), ((17, 49), 3),
])  # fmt: skip
def test_slices_of_a_product(bits: tuple[int, int], slices: int) -> None:
    """25 x 18 signed: parts of 24 and 17 bits."""
    assert cost.multiplier_dsps(*bits) == cost.multiplier_dsps(*bits[::-1]) == slices


def test_products_in_slices() -> None:
    """Three lanes of five terms of signed eight and unsigned eight bits (nine with a sign): a slice each, a tree and an accumulator."""
    tree = 2 * 17 + 1 * 18 + 1 * 19
    found = cost.products(S8, U8, S20, "dsp", 3, 5, 2)
    assert found == Resources(lut=3 * (tree + 20), ff=3 * (tree + 20), dsp=15)
    assert cost.products(S8, U8, S20, "dsp", 3, 5, 1).lut == 3 * tree
    packed = cost.products(S8, U8, S20, "dsp", 3, 5, 2, Packing(2, 18, 4))
    # Two chains of each lane: one adder of 19 bits; the offset of signed weights: the sum of the activations, and a subtraction per lane.
    offset = 2 * 9 + 1 * 10 + 1 * 11 + 3 * 20
    assert packed == Resources(lut=3 * (19 + 20) + offset, ff=3 * (19 + 20) + offset + 3 * 18 * 2, dsp=2 * 5)
    borrow = cost.products(S8, S8, S20, "dsp", 3, 5, 2, Packing(2, 18, 4))
    assert (borrow.lut or 0) - (packed.lut or 0) == 3 * 2 * 18


def test_parameters_lie_in_a_memory_per_lane_and_width() -> None:
    one = cost.memory(6, 8, "auto", constant=True).times(2) + cost.memory(6, 3, "auto", constant=True)
    assert cost.parameters(12, 2, 12, [8, 0, 3, 8]) == one.times(2)
    assert cost.parameters(1, 2, 12, [8]) == Resources()


@pytest.mark.parametrize(("wide_in", "wide_out", "expected"), [
    (4, 4, Resources()), (12, 4, Resources(lut=20 + 36, ff=36 + 12 + 8)), (4, 12, Resources(lut=20, ff=36 + 12 + 8)),
    (4, 6, Resources(lut=30 + 3 * 30, ff=30 + 8)),
])  # fmt: skip
def test_width_converters(wide_in: int, wide_out: int, expected: Resources) -> None:
    assert cost.converter(3, wide_in, wide_out) == expected


def test_frames_have_a_limit() -> None:
    assert SERIAL.frame_faults() == []
    assert SERIAL.with_(frame=Frame(1 << 14, 1 << 14, 24, U4)).frame_faults()
    assert SERIAL.with_(frame=Frame(0, 5, 24, U4)).frame_faults()


@pytest.mark.parametrize(("changes", "text"), [
    ({"op": "mean"}, "there is no pool 'mean'"), ({"channels": 7}, "24 inputs for 7 channels"),
])  # fmt: skip
def test_pools_that_contradict_themselves(changes: dict[str, object], text: str) -> None:
    assert SERIAL.with_(**changes).unsound() == [text]
    assert SERIAL.with_(pe=4).faults() == ["pe = 4 does not divide the channels = 6"]


def test_pads_that_contradict_themselves() -> None:
    fields = {"name": "p", "frame": Frame(4, 5, 3, U4), "top": 1, "bottom": 3, "left": 2, "right": 1, "value": 15}
    unit = Pad(**fields, out=Frame(8, 8, 3, U4))  # type: ignore[arg-type]
    assert unit.unsound() == []
    assert unit.simd == 1
    # Two counters and a comparison for each pair of bits; the beat is registered.
    assert unit.with_(simd=3).resources == Resources(lut=CONTROL + 20 + 6, ff=12 + 40)
    assert unit.with_(out=Frame(8, 9, 3, U4)).unsound() == ["the padded frame is (8, 8, 3), not (8, 9, 3)"]
    assert unit.with_(value=16).unsound() == ["16 is no uint4"]
