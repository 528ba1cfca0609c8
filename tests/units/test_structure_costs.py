"""Costs of every unit as literal numbers, worked out by hand, for both structures (those of activations: `test_activation_costs.py`).

``end(b, d)`` is ``b + 5`` tables and ``(2 + d)(b + 1)`` registers; a counter of n places takes 1.5 tables and a register per bit, and a
register more above two places (docs/cost-model.md). Sums of tables are rounded up once per part.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from flowc.model.dtypes import BIPOLAR, IntType
from flowc.units import (
    ArgMax,
    Concat,
    Fork,
    Frame,
    GlobalSum,
    Join,
    Mvtu,
    Pad,
    Permute,
    PixelPad,
    Pool,
    Requant,
    Split,
    Unit,
    Upsample,
    Vvtu,
    WidthConverter,
    Window,
    cost,
)  # fmt: skip
from flowc.units.applied import applied
from flowc.units.cost import Resources
from flowc.units.heap import heap_excess
from flowc.units.mvtu import exact_float
from flowc.units.packing import MAX_CHAIN, Packing, weights_held
from flowc.units.pipeline import banks, dot_products, packed_products, weight_rom

U2, U3, U4, S4, U8, S8 = (
    IntType(2, False),
    IntType(3, False),
    IntType(4, False),
    IntType(4, True),
    IntType(8, False),
    IntType(8, True),
)
S12, S20 = IntType(12, True), IntType(20, True)
F = Frame(3, 5, 12, U4)
ONES = np.ones(1, np.int64)
MAX = Pool(name="p", frame=Frame(3, 5, 24, U4), channels=6, op="max", acc=U4, pe=3)
SUMS = Pool(name="p", frame=Frame(3, 5, 36, U4), channels=4, op="sum", acc=U8, pe=2, parallel=True)
PAD = Pad(name="p", frame=Frame(4, 5, 3, U4), out=Frame(8, 8, 3, U4), top=1, bottom=3, left=2, right=1, simd=3)
RING = Window(name="w", frame=Frame(6, 7, 12, U4), kernel=(3, 2), block=4, simd=2)
SEVERAL = Window(name="w", frame=Frame(6, 26, 1, U4), kernel=(3, 3), block=1, simd=1, parallel=True, pixels=4)
TAPS = RING.with_(kernel=(3, 3), dilation=(1, 2), block=12, simd=12, parallel=True)
FORK = Fork(name="f", frame=F, ways=3, simd=2)
TURN = Permute(name="t", frame=Frame(3, 5, 4, U4), out=Frame(3, 5, 4, U4), order=np.arange(60)[::-1])
JOIN = Join(name="j", left=F, right=Frame(3, 5, 12, S8), op="add", acc=S12, left_scale=ONES, right_scale=4 * ONES, pe=2)
EACH = np.array([-5, 5, 3, 1, 2, 4] * 2)
FEW = Requant(dtype=U4, mult=3 * ONES, add=0 * ONES, shift=2, lo=0, hi=15)


@pytest.mark.parametrize(("unit", "expected"), [
    # A beat is registered: eight bits.
    (FORK, Resources(lut=60, ff=8 + 20)), (Split(name="s", frame=F, starts=(0, 4), sizes=(2, 6), simd=2), Resources(lut=60, ff=28)),
    (PixelPad(name="p", frame=F, out=Frame(5, 9, 12, U4), stride_h=2, stride_w=2, simd=4), Resources(lut=60, ff=36)),
    # Half a table per bit (12) and input (3).
    (Concat(name="c", frames=(F, F, F), out=Frame(3, 5, 36, U4), simd=3), Resources(lut=60 + 18, ff=12 + 20)),
    # A row: 15 words of 16 bits, four tables for six of them: 12.
    (Upsample(name="u", frame=F, simd=4, factor_h=2, factor_w=2), Resources(lut=12 + 60 + 30, ff=16 + 40)),
    # Twice 60 words of four bits: two banks of eight tables, a table per bit to choose; 60 addresses of six bits.
    (TURN, Resources(lut=20 + 6 + 60 + 30, ff=4 + 6 + 40)),
    # 5 places up or down are four bits: 1.9 * 4 * 4 - 2 = 28.4, and 12 of the sum, per lane; six words of four bits per lane.
    (JOIN.with_(left_scale=EACH), Resources(lut=60 + 81 + 8, ff=2 * (4 + 8 + 12) + 20 + 8)),
    # By -3, of three bits: 1.9 * 3 * 4 - 2 = 20.8, wired in; by -4: wires.
    (JOIN.with_(left_scale=-3 * ONES), Resources(lut=60 + 66, ff=68)), (JOIN.with_(left_scale=-4 * ONES), Resources(lut=60 + 24, ff=68)),
    # A product of four and eight bits, 58.8, and a subtraction on either side.
    (JOIN.with_(op="mul", right_scale=ONES), Resources(lut=60 + 118, ff=68)),
    (JOIN.with_(op="mul", right_scale=ONES, left_offset=1, right_offset=-2), Resources(lut=60 + 142, ff=68)),
    (GlobalSum(name="s", frame=F, acc=U8, pe=3), Resources(lut=60 + 24 + 24, ff=4 * 24 + 2 * 24 + 20)),
    # 0.65 * 8 + 8 + 4 per lane of three; twice the best of eight and the index of four bits.
    (ArgMax(name="a", frame=Frame(3, 5, 12, S8), pe=3), Resources(lut=60 + 52, ff=24 + 20)),
    # A kernel of one tap drops pixels: neither lines nor delays.
    (RING.with_(kernel=(1, 1)), Resources(lut=60, ff=8 + 40)),
    # 104 words of eight bits: two banks of 12 tables and a table per bit; 100 and eight per bit of the address.
    (RING, Resources(lut=32 + 100 + 8 * 7, ff=8 + 8 + 150)),
    # Two delays of 3 words of 48 bits (32 tables each), and two words of six cells: registers, with a multiplexer per bit.
    (TAPS, Resources(lut=2 * 32 + 288 + 60, ff=2 * 48 + 576 + 48 + 40)),
    # Two counters of eight places and a comparison for each pair of bits.
    (PAD, Resources(lut=60 + 20 + 6, ff=12 + 40)),
])  # fmt: skip
def test_loops(unit: Unit, expected: Resources) -> None:
    assert unit.resources == expected


@pytest.mark.parametrize(("unit", "expected"), [
    # Three ends of eight bits behind two registers, and eight tables for who has taken its copy.
    (FORK, Resources(lut=3 * 13 + 8, ff=3 * 4 * 9)),
    # Counters of 8 and 8; an end of 12 bits behind two registers; six tables that say where the frame lies.
    (PAD, Resources(lut=9 + 17 + 6, ff=6 + 2 + 4 * 13)),
    # Counted: one word of four channels, rows and columns: nothing for the one word.
    (PAD.with_(out=Frame(8, 8, 3, U8), value=200), Resources(lut=9 + 29 + 6, ff=8 + 4 * 25)),
    # Three lanes whose comparison takes three tables, and one for whether it counts; an end of 12 bits behind a register, four taps counted.
    (MAX, Resources(lut=12 + 4 + 17 + 3, ff=12 + 1 + 39 + 3)),
    # Of two bits comparison and all are one table.
    (MAX.with_(frame=Frame(3, 5, 24, U2), acc=U2), Resources(lut=3 + 4 + 11 + 3, ff=6 + 1 + 21 + 3)),
    # Side by side: three pairs of seven tables for each of three lanes; two registers and one between them and the result, two marks.
    (MAX.with_(parallel=True), Resources(lut=63 + 4 + 17, ff=3 * 4 * 4 + 3 + 39)),
    # Of three bits each bit of the larger one is a table.
    (MAX.with_(parallel=True, frame=Frame(3, 5, 24, U3), acc=U3), Resources(lut=27 + 4 + 14, ff=3 * 4 * 3 + 3 + 30)),
    # Sums of 5, 6, 7 and 8 bits for two lanes; ends of 16 bits; nothing is counted.
    (SUMS, Resources(lut=2 * (20 + 12 + 7 + 8) + 4 + 21, ff=2 * (25 + 18 + 14 + 8 + 8) + 5 + 51)),
    (SUMS.with_(parallel=False), Resources(lut=2 * 8 + 4 + 21 + 6, ff=16 + 1 + 51 + 5)),
    # 2 places of a block, 2 x 3 taps, 3 blocks, 6 x 4 positions, 252 words of a frame, 104 of the ring: 26 bits, six above two places. With
    # a row of 42 words 104 are numbers of nine bits.
    (RING, Resources(lut=40 + 39 + 13 + 60, ff=8 + 26 + 6 + 27 + 52)),
    # One block of six words: 104 is even, as they are, so that the lowest bit of the address counts up either way, one table of four.
    (RING.with_(block=12), Resources(lut=40 + 39 + 13 + 57, ff=8 + 26 + 6 + 27 + 52)),
    # 24 words of 48 bits in two blocks, counters of 19 bits, five above two places: behind a block the end is registers, not a memory.
    (RING.with_(block=12, simd=12, memory="bram"), Resources(lut=29 + 53 + 44, ff=24 + 3 * 49 + 42, bram18=2)),
    # Delays of two words of 48 bits six times, of three words twice; counters of 7 and 6; an end of 432 bits behind two registers.
    (TAPS, Resources(lut=9 + 10 + 437, ff=6 * 96 + 2 * 144 + 8 + 4 * 433)),
    # Two channels a word more: 16 words between rows are a ring in 32 tables, with two addresses of 16 places, one of them counted.
    (TAPS.with_(frame=Frame(6, 20, 12, U4)), Resources(lut=2 * 38 + 12 + 10 + 437, ff=2 * 57 + 576 + 10 + 4 * 433)),
    # Every other position of a row, and of rows: two marks, a counter of two bits' tables.
    (TAPS.with_(stride=(2, 2)), Resources(lut=9 + 3 + 10 + 437, ff=6 * 96 + 2 * 144 + 8 + 2 + 4 * 433)),
    # Four positions of 3 x 3 in 3 x 6 pixels of four bits: 72 bits wait twice, 144 are in either place of the end. Three beats of 16
    # bits, and two rings of six words of them; 7 and 6 places.
    (SEVERAL, Resources(lut=2 * (16 + 5) + 9 + 10 + 149, ff=3 * 16 + 2 * (16 + 4 + 3) + 8 + 2 * 73 + 2 * 145)),
    (WidthConverter(name="w", frame=F, wide_in=3, wide_out=6), Resources(lut=29 + 2 + 4, ff=4 * 25 + 1 + 12)),
])  # fmt: skip
def test_pipelines(unit: Unit, expected: Resources) -> None:
    assert unit.with_(structure="pipeline").resources == expected


def product(kind: str, **fields: Any) -> Any:
    """Six rows of eight; or six channels of nine taps, two results each."""
    shape = (6, 8) if kind == "mvtu" else (12, 9)
    weights = np.random.default_rng(0).integers(-7, 8, shape)
    common = {"name": "m", "weights": weights, "weight_type": S4, "acc": S12, "multiplier": "lut", "pe": 2} | fields
    if kind == "mvtu":
        return Mvtu(**{"frame": Frame(3, 5, 8, U4), "block": 8, "simd": 4} | common)
    return Vvtu(**{"frame": Frame(3, 5, 54, U4), "channels": 6} | common)


def test_products_in_loops() -> None:
    """A product of four bits by four takes 28.4 tables, an accumulator 12."""
    # 27 words of 16 bits; four lanes of 40.4 tables; a beat of 8 bits in, 48 out.
    assert product("vvtu").resources == Resources(lut=16 + 162 + 60, ff=16 + 162 + 8 + 48 + 30)
    # Three words of 144 bits; per lane nine products and 4 adders of 9 bits, 2 of 10, 11, 12: 334.6 tables; nothing is accumulated.
    parallel = product("vvtu", parallel=True)
    assert parallel.resources == Resources(lut=144 + 1339 + 60, ff=144 + 1339 + 72 + 48 + 30)
    # Six words of 32 bits; two words of 16 held; two lanes of four products (113.6), adders (28) and an accumulator: 153.6.
    assert product("mvtu").resources == Resources(lut=32 + 16 + 308 + 60, ff=32 + 32 + 308 + 16 + 24 + 40)
    for unit in (product("vvtu"), parallel, product("mvtu")):
        spared = unit.with_(acc=S20, activation=FEW).resources
        assert (spared.dsp, unit.resources.dsp) == (unit.out_widths[0], 0)


def test_products_in_pipelines() -> None:
    # Folds of 9, depth of 27: nine bits; an end of 48 bits; 12 tables of control; two words, two beats and four marks.
    unit = product("vvtu", structure="pipeline")
    assert unit.resources == dot_products(unit, 4, 1, 9) + Resources(
        lut=16 + 14 + 53 + 12, ff=2 * 16 + 11 + 98 + 2 * 8 + 4
    )
    unit = unit.with_(parallel=True)
    assert unit.resources == dot_products(unit, 4, 9, 1, 4) + Resources(
        lut=144 + 3 + 53 + 12, ff=2 * 144 + 3 + 98 + 144 + 8
    )
    # Each channel's own parameters: three blocks are counted besides. Two results of four channels of four bits leave.
    own = replace(FEW, mult=np.full(12, 3))
    spent = applied(own, 4, 12, S12)
    # The counter of three rows, and a sum of 12 + 2 + 1 bits per lane.
    assert (spent.lut, spent.dsp) == ((own.resources(4, 12, S12).lut or 0) + 3 + 4 * 15, 4)
    unit = unit.with_(parallel=False, activation=own)
    assert unit.resources == dot_products(unit, 4, 1, 9) + spent + Resources(
        lut=16 + 14 + 21 + 12, ff=32 + 11 + 34 + 20
    )
    shared = unit.with_(activation=FEW)
    assert shared.resources == dot_products(unit, 4, 1, 9) + applied(FEW, 4, 12, S12) + Resources(
        lut=16 + 14 + 21 + 12, ff=32 + 11 + 34 + 20
    )
    # 2 column folds, 3 row folds, 6 words: six bits; two words of 16 bits in 16 tables, a bit says which; an end of 24 bits.
    unit = product("mvtu", structure="pipeline")
    assert unit.resources == dot_products(unit, 2, 4, 2) + Resources(
        lut=32 + 16 + 9 + 29 + 12, ff=2 * 32 + 8 + 1 + 50 + 16 + 5
    )
    own = replace(FEW, mult=np.full(6, 3))
    spent = applied(own, 2, 6, S12, slices=True)
    unit = unit.with_(activation=own)
    assert unit.resources == dot_products(unit, 2, 4, 2) + spent + Resources(
        lut=32 + 16 + 9 + 13 + 12, ff=64 + 8 + 1 + 18 + 21
    )
    shared = unit.with_(activation=FEW)
    assert shared.resources == dot_products(unit, 2, 4, 2) + applied(FEW, 2, 6, S12, slices=True) + Resources(
        lut=32 + 16 + 9 + 13 + 12, ff=64 + 8 + 1 + 18 + 21
    )
    # In slices: per lane four products of eight bits in registers, two adders of nine bits, one of ten in registers, an accumulator.
    slices = unit.with_(activation=None, multiplier="dsp")
    spent = Resources(lut=2 * (18 + 10 + 12), ff=2 * (32 + 10 + 12), dsp=8)
    assert slices.resources == spent + Resources(lut=32 + 16 + 9 + 29 + 12, ff=64 + 8 + 1 + 50 + 21)


@pytest.mark.parametrize(("w", "a", "excess"), [
    # Of w x a bits the products with one top bit of the two, where that is a sign: 8 (1 + 2 + 4 + 8) of 4 x 4 bits, three terms.
    (S4, U4, 3 * 120), (U4, S4, 3 * 120), (S4, S4, 3 * 2 * 8 * 7), (U4, U4, 0),
    # Complements lack one of the sign's weight; of equal signs each counts twice.
    (BIPOLAR, U4, 3 * 16), (S4, BIPOLAR, 3 * 8), (BIPOLAR, BIPOLAR, 3),
])  # fmt: skip
def test_sums_of_one_cycle_add_a_constant(w: IntType, a: IntType, excess: int) -> None:
    """What heaps are too large by, and a table for every one of what is added in its place; a sum of two cycles takes one per bit."""
    assert heap_excess(3, w, a) == excess
    fields = {"frame": Frame(3, 5, 54, a), "weight_type": w, "weights": np.ones((12, 9), np.int64), "acc": S12}
    unit = product("vvtu", **fields)
    once, twice = (dot_products(unit, 1, 3, folds).lut or 0 for folds in (1, 2))
    assert twice - once == 12 - (-excess % (1 << 12)).bit_count()


@pytest.mark.parametrize(("depth", "width", "expected", "ways"), [
    # One word is wired in; two registers of eight bits otherwise, one of them in a block RAM.
    (1, 8, Resources(), 1), (64, 8, Resources(lut=8, ff=16), 1), (1024, 16, Resources(ff=16, bram18=1), 1),
    # 128 bits of 2,048 words lie in 15 blocks of nine bits: a multiplexer of 16 ways, of five tables a bit, four registers of its address.
    (32768, 8, Resources(lut=40, ff=12, bram18=16), 16),
    # As many of 36 kbit do without one: 4,096 words of nine bits.
    (4096, 9, Resources(ff=9, bram18=2), 1),
])  # fmt: skip
def test_memories_of_weights_in_pipelines(depth: int, width: int, expected: Resources, ways: int) -> None:
    assert weight_rom(depth, width, "auto", apart=True) == expected
    assert banks(depth, width) == ways


def test_memories_that_are_mapped_with_their_surroundings() -> None:
    """4.6 tables for every 64 words beyond 32: on Lattice parts, and where a unit does not know its part."""
    assert weight_rom(64, 8, "lutram") == Resources(lut=37, ff=16)
    assert weight_rom(32, 8, "lutram") == Resources(lut=8, ff=16)
    unit = product(
        "mvtu", structure="pipeline", weights=np.ones((64, 64), np.int64), frame=Frame(3, 5, 64, U4), block=64
    )
    luts = [unit.with_(dsp_port=port, memory="lutram").resources.lut for port in (25, 0)]
    assert (
        luts[1] - luts[0] == round(4.6 * 32 * 8) - 32 * 12
    )  # 512 words of 32 bits; eight banks are two of the devices' multiplexers


@pytest.mark.parametrize(("unit", "stages"), [
    (MAX, 3), (SUMS, 7), (GlobalSum(name="s", frame=F, acc=U8), 3), (JOIN, 3), (FORK, 3), (RING, 3), (product("vvtu"), 6),
    (product("vvtu", parallel=True), 10), (product("mvtu"), 6), (product("mvtu", simd=1), 5), (product("mvtu", simd=8), 7),
])  # fmt: skip
def test_stages(unit: Unit, stages: int) -> None:
    """Registers from beat to result: one for every two levels of a matrix unit's tree; per level of 9 taps, four."""
    assert unit.stages == stages
    assert (unit.drain, unit.interval) == (0, unit.cycles)
    again = unit.with_(overlap=False)
    assert (again.drain, again.interval) == (stages + 2, unit.cycles + stages + 2)
    if "activation" in vars(unit):
        assert unit.with_(activation=FEW).stages == stages + 4
    if "memory" in vars(unit) and not isinstance(unit, Window):
        assert unit.with_(memory="uram").drain == stages + 2
        assert unit.with_(memory="uram", structure="pipeline").drain == 0
        assert unit.with_(memory="stream").drain == 0


def test_products_that_share_slices() -> None:
    """Eight 8 x 8 products for two rows: two chains of 4; what a fourth slice takes waits a cycle in registers, 8 + 2 * 8 bits."""
    unit = product("mvtu", weight_type=S8, frame=Frame(3, 5, 8, U8), multiplier="packed", dsp_port=27, simd=8)
    assert unit.packing is not None
    assert unit.weight_memory[0] > 1
    found = packed_products(unit, 2, 8, unit.packing, 1)
    assert found == Resources(lut=2 * (19 + unit.acc.bits), ff=2 * (20 + unit.acc.bits) + 2 * 24, dsp=8)
    # Six: chains of 3, nothing waits longer than slices hold it.
    found = packed_products(unit, 2, 6, unit.packing, 0)
    assert found == Resources(lut=2 * (19 + unit.acc.bits), ff=2 * unit.acc.bits, dsp=6)
    # Nine of 4 x 4 in one chain: of the fourth 4 + 2 * 4 bits wait a cycle, of each later one in shift registers, the first register with them.
    narrow = product("mvtu", weight_type=S4, frame=Frame(3, 5, 8, U4), multiplier="packed", dsp_port=27, simd=8, pe=3)
    found = packed_products(narrow, 3, 9, Packing(3, 11, 9), 0)
    operand = 4 + 3 * 4
    assert found == Resources(
        lut=3 * narrow.acc.bits + 5 * operand, ff=3 * narrow.acc.bits + operand - 5 * operand, dsp=9
    )
    # Of 7 series weights of the third slice wait in registers, those of the fourth in shift registers; without signs, one earlier each.
    ports = {(S4, 27): 2, (U4, 27): 2, (S4, 25): 1, (BIPOLAR, 25): 1, (U4, 25): 0}
    assert {given: weights_held(*given) for given in ports} == ports
    for held, shifted in ((1, 1), (0, 2)):
        found = packed_products(narrow, 3, 4, Packing(3, 10, 4), 0, held=held)
        assert found == Resources(
            lut=3 * narrow.acc.bits + shifted * 12, ff=3 * narrow.acc.bits + 4 + (1 - shifted) * 12, dsp=4
        )


def test_sums_that_overlap_take_tables() -> None:
    """Eight 4 x 4 products for four rows, two chains of four; three bits of each row's sum but the first's once more.

    Two tables for each of four products, three sums and a difference, one for the borrow, three for what waits two cycles for its chain;
    the borrows' sum, and nine bits that it is taken off. Yosys makes 193 tables and 198 flip-flops of the whole, accumulators apart.
    """
    unit = product("mvtu", weight_type=S4, frame=Frame(3, 5, 8, U4), multiplier="overlapped", dsp_port=27, simd=8, pe=4)
    assert unit.packing == Packing(4, 7, 4, 3)
    found = packed_products(unit, 4, 8, unit.packing, 1)
    row = 2 * (2 * (4 + 3 + 1) + 1 + 3) + 2 + 9
    registers = 2 * 3 * (4 + 2 + 1 - 1)
    assert unit.weight_memory[0] == 1
    waiting = 4  # inputs of the fourth slice of either chain
    assert found.lut == 4 * (11 + unit.acc.bits) + 3 * row
    assert found.ff == 4 * (12 + unit.acc.bits) + 3 * (registers + 3) + 2 * waiting
    assert found.dsp == 8


def test_chains_of_slices_are_stages() -> None:
    """Eight products in chains of 4: two chains, of which a tree makes one. A slice has a register behind its product, too."""
    unit = product("mvtu", weight_type=S8, frame=Frame(3, 5, 8, U8), multiplier="packed", dsp_port=27, simd=8)
    assert unit.packing is not None
    assert unit.packing.chain == 4
    assert unit.stages == 4 + (4 + 1) + 1
    assert unit.stages_of(2) == 4 + (2 + 1) + 0
    assert product("mvtu", multiplier="dsp").packing is None


def test_weights_as_they_are_read() -> None:
    """Row by row, a word is what one cycle multiplies: of a matrix [row fold][column fold], each [pe][simd]; of channels [block][tap]."""
    matrix = product("mvtu", weights=np.arange(48).reshape(6, 8) - 24, weight_type=S8)
    assert matrix.weight_rows.shape == (6, 8)
    assert (matrix.weight_rows[0] + 24).tolist() == [0, 1, 2, 3, 8, 9, 10, 11]
    assert (matrix.weight_rows[1] + 24).tolist() == [4, 5, 6, 7, 12, 13, 14, 15]
    assert (matrix.weight_rows[2] + 24).tolist() == [16, 17, 18, 19, 24, 25, 26, 27]
    depthwise = product("vvtu", weights=np.arange(108).reshape(12, 9), weight_type=S8)
    assert depthwise.weight_rows.shape == (27, 4)
    assert depthwise.weight_rows[0].tolist() == [0, 9, 18, 27]
    assert depthwise.weight_rows[1].tolist() == [1, 10, 19, 28]
    assert depthwise.weight_rows[9].tolist() == [36, 45, 54, 63]
    whole = depthwise.with_(parallel=True)
    assert whole.weight_rows.shape == (3, 36)
    assert whole.weight_rows[0, :5].tolist() == [0, 9, 18, 27, 1]
    assert (depthwise.products, whole.products, depthwise.with_(pe=3).products) == (4, 36, 6)
    assert (depthwise.weight_memory, whole.weight_memory) == ((27, 32), (3, 288))
    assert (matrix.weight_memory, matrix.macs, depthwise.macs) == ((6, 64), 15 * 48, 15 * 108)


def test_floats_that_hold_every_integer() -> None:
    assert [exact_float(bound) for bound in (0, (1 << 24) - 1, 1 << 24)] == [np.float32, np.float32, np.float64]


def test_limits_are_the_documented_ones() -> None:
    """What synthesis and its guides allow: a change of one of these is a decision."""
    limits = (
        cost.MAX_STREAM_BITS,
        cost.WIDEST_WORD,
        cost.MAX_PRODUCTS,
        MAX_CHAIN,
        cost.LUTS_PER_BLOCK,
        cost.CONTROL,
        cost.RING_CONTROL,
    )
    assert limits == (4096, 4096, 2048, 16, 160, 60, 100)


@pytest.mark.parametrize(
    ("width", "beat"), [(1, 32), (32, 32), (33, 64), (65, 128), (512, 512), (513, 512), (4096, 512)]
)
def test_weights_that_arrive(width: int, beat: int) -> None:
    """256 beats of read buffer are a block per 36 bits; 700 tables and 1,000 registers besides what the widths ask for."""
    expected = Resources(lut=700 + beat, ff=1000 + 2 * beat + 2 * width, bram18=-(-beat // 36))
    assert cost.weight_reader(width) == cost.dma_engine(width) == cost.weight_rom(99, width, "stream") == expected


@pytest.mark.parametrize(("depth", "width", "style", "expected"), [
    # Eight bits of 16 words in four tables; pointers of four bits.
    (16, 8, "srl", Resources(lut=4 + 6 + 8, ff=8 + 4)), (2, 8, "srl", Resources(lut=4 + 6 + 2, ff=2 + 4)),
    (17, 8, "srl", Resources(lut=8 + 6 + 10, ff=10 + 4)), (1, 8, "srl", Resources(lut=4 + 6 + 2, ff=2 + 4)),
    (64, 9, "lutram", Resources(lut=12 + 12 + 24, ff=9 + 24 + 9)), (512, 36, "bram", Resources(lut=12 + 36, ff=36 + 36, bram18=1)),
    (4096, 72, "uram", Resources(lut=12 + 48, ff=48 + 72, uram=1)),
])  # fmt: skip
def test_fifos(depth: int, width: int, style: str, expected: Resources) -> None:
    assert cost.fifo(depth, width, style) == expected


@pytest.mark.parametrize(("w", "a", "n", "luts"), [
    (BIPOLAR, BIPOLAR, 4, 12.4),
    # 1.15 tables per bit, and a tree of numbers a bit longer: 2 * 6 + 7; the other way round alike.
    (BIPOLAR, U4, 4, 18.4 + 2 * 6 + 7), (S4, BIPOLAR, 4, 18.4 + 2 * 6 + 7),
    # Half a table per bit; up to six bits in all 1.75 each; 2.1 per bit by two; 1.9 per pair of bits, less two.
    (IntType(1), U4, 1, 2.0), (U3, U3, 1, 10.5), (IntType(2), U8, 1, 16.8), (IntType(2, True), U4, 1, 10.5), (U3, U4, 1, 20.8), (S8, U8, 1, 119.6),
])  # fmt: skip
def test_dot_products(w: IntType, a: IntType, n: int, luts: float) -> None:
    assert cost.dot_luts(n, w, a) == pytest.approx(luts, abs=1e-9)


@pytest.mark.parametrize(
    ("w", "a", "dsp"),
    [(S4, U8, False), (S8, U4, False), (S4, IntType(9), True), (S8, U8, True), (BIPOLAR, IntType(40), False)],
)
def test_products_of_more_than_32_bits_go_to_slices(w: IntType, a: IntType, dsp: bool) -> None:
    assert cost.prefers_dsp(w, a) == dsp
    assert ((cost.products(w, a, S20, "auto", 1, 1, 1).dsp or 0) > 0) == dsp
    assert (
        product(
            "vvtu", weight_type=w, frame=Frame(3, 5, 54, a), multiplier="auto", weights=np.ones((12, 9), np.int64)
        ).resources.dsp
        == 4 * dsp
    )


def test_reading_a_column_of_resources() -> None:
    one = Resources(1, 2, 3, 4, 5)
    assert one.as_dict() == {"lut": 1, "ff": 2, "bram18": 3, "uram": 4, "dsp": 5}
    assert one.times(3) == one + one + one == Resources(3, 6, 9, 12, 15)
    assert Resources(lut=None).times(2) == Resources(lut=None)
    assert Resources() == Resources(0, 0, 0, 0, 0)
