"""What every unit says of fields that contradict themselves, or of a folding that does not divide: just inside, and just outside."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from flowc.model.dtypes import BIPOLAR, IntType
from flowc.units import (
    Activate,
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
    Table,
    Unit,
    Upsample,
    Vvtu,
    WidthConverter,
    Window,
)  # fmt: skip
from flowc.units.sound import MOST_ELEMENTS, MOST_PORTS

U4, S4, S12 = IntType(4), IntType(4, True), IntType(12, True)
F = Frame(3, 5, 12, U4)
ONES = np.ones(1, np.int64)
WINDOW = Window(name="w", frame=Frame(6, 7, 12, U4), kernel=(3, 2), block=4, simd=2)
CONCAT = Concat(name="c", frames=(F, Frame(3, 5, 6, U4)), out=Frame(3, 5, 18, U4), simd=3)
SPLIT = Split(name="s", frame=F, starts=(0, 6), sizes=(4, 6), simd=2)
PIXELS = PixelPad(name="p", frame=F, out=Frame(5, 13, 12, U4), stride_h=2, stride_w=3)
TURN = Permute(name="t", frame=F, out=Frame(12, 3, 5, U4), order=np.arange(60)[::-1])
WIDER = WidthConverter(name="w", frame=F, wide_in=2, wide_out=3)
JOIN = Join(name="j", left=F, right=F, op="add", acc=S12, left_scale=ONES, right_scale=np.ones(12, np.int64), pe=3)
POOL = Pool(name="p", frame=Frame(3, 5, 24, U4), channels=6, op="max", acc=U4, pe=3)
DEPTHWISE = Vvtu(
    name="v", frame=Frame(3, 5, 54, U4), channels=6, weights=np.ones((12, 9), np.int64), weight_type=S4, acc=S12, pe=3, signs=np.ones(12, np.int64)
)  # fmt: skip
GROUPED = Mvtu(
    name="m", frame=Frame(3, 5, 48, U4), weights=np.ones((6, 24), np.int64), weight_type=S4, acc=S12, groups=2, taps=4, block=3, pe=3, simd=8
)  # fmt: skip
PAD = Pad(name="p", frame=Frame(4, 5, 3, U4), out=Frame(8, 8, 3, U4), top=1, bottom=3, left=2, right=1)
SIX = Requant(dtype=U4, mult=np.ones(6, np.int64), add=ONES, shift=2, lo=0, hi=15)
SUM = GlobalSum(name="g", frame=F, acc=IntType(8), pe=3)
WHOLE = [
    WINDOW, CONCAT, SPLIT, PIXELS, TURN, WIDER, JOIN, POOL, DEPTHWISE, GROUPED, PAD, SUM, ArgMax(name="a", frame=F, pe=4),
    Fork(name="f", frame=F, ways=MOST_PORTS), Upsample(name="u", frame=F, factor_h=1, factor_w=1),
    Activate(name="a", frame=F, activation=replace(SIX, mult=ONES)),
]  # fmt: skip


@pytest.mark.parametrize("unit", WHOLE, ids=lambda u: u.kind)
def test_sound_units_say_nothing(unit: Unit) -> None:
    assert unit.unsound() == unit.frame_faults() == unit.faults() == []


@pytest.mark.parametrize(("unit", "changes", "text"), [
    (WINDOW, {"kernel": (0, 1)}, "kernel (0, 1)"), (WINDOW, {"stride": (1, 0)}, "stride (1, 0)"), (WINDOW, {"dilation": (0, 1)}, "dilation (0, 1)"),
    (WINDOW, {"kernel": (7, 1)}, "larger than 6 x 7"), (WINDOW, {"kernel": (1, 8)}, "larger than 6 x 7"), (WINDOW, {"block": 0}, "block = 0"),
    (WINDOW, {"simd": 0}, "simd = 0"), (WINDOW, {"memory": "rom"}, "no memory 'rom'"),
    (CONCAT, {"frames": ()}, "or none"), (CONCAT, {"frames": (F, Frame(3, 4, 6, U4))}, "different sizes"),
    (CONCAT, {"frames": (F, Frame(2, 5, 6, U4))}, "different sizes"), (CONCAT, {"out": Frame(3, 5, 17, U4)}, "18 channels come in, 17"),
    (SPLIT, {"starts": (0,)}, "1 starts and 2 sizes"), (SPLIT, {"starts": (), "sizes": ()}, "0 starts"), (SPLIT, {"starts": (-1, 6)}, "beyond 12"),
    (SPLIT, {"sizes": (4, 0)}, "beyond 12"), (SPLIT, {"sizes": (4, 7)}, "beyond 12"),
    (PIXELS, {"stride_h": 0}, "stride_h = 0"), (PIXELS, {"stride_w": 2}, "(5, 9, 12), not"), (PIXELS, {"stride_h": 3}, "(7, 13, 12), not"),
    (PIXELS, {"value": 16}, "16 is no uint4"), (PIXELS, {"value": -1}, "-1 is no uint4"),
    (PAD, {"top": -1, "bottom": 5}, "top = -1"), (PAD, {"left": 3}, "(8, 9, 3), not"), (PAD, {"value": -1}, "-1 is no uint4"),
    (TURN, {"order": np.arange(1, 61)}, "no permutation"), (TURN, {"order": np.arange(50)}, "50 of 180"), (TURN, {"out": F.__class__(3, 5, 11, U4)}, "165 leave"),
    (WIDER, {"wide_in": 0}, "wide_in = 0"), (WIDER, {"wide_out": 0}, "wide_out = 0"),
    (JOIN, {"op": "sub"}, "no join 'sub'"), (JOIN, {"right": Frame(3, 5, 11, U4)}, "frames of (3, 5, 12) and (3, 5, 11)"),
    (JOIN, {"left_scale": np.ones(5, np.int64)}, "left_scale has"), (JOIN, {"right_scale": np.ones(3, np.int64)}, "right_scale has"),
    (JOIN, {"activation": SIX}, "mult has"), (POOL, {"activation": replace(SIX, mult=np.ones(5, np.int64))}, "mult has"), (SUM, {"activation": SIX}, "mult has"),
    (DEPTHWISE, {"channels": 0}, "channels = 0"), (DEPTHWISE, {"channels": 5}, "12 rows of weights for 5"), (DEPTHWISE, {"channels": 4}, "54 inputs against 4"),
    (DEPTHWISE, {"memory": "rom"}, "no memory"), (DEPTHWISE, {"multiplier": "fast"}, "no multiplier"), (DEPTHWISE, {"signs": np.zeros(12, np.int64)}, "signs holds"),
    (DEPTHWISE, {"signs": np.ones(11, np.int64)}, "signs has"), (DEPTHWISE, {"weights": np.full((12, 9), 8)}, "weights holds"),
    (DEPTHWISE, {"activation": SIX}, "mult has"), (GROUPED, {"activation": replace(SIX, mult=np.ones(5, np.int64))}, "mult has"),
    (GROUPED, {"groups": 0}, "groups = 0"), (GROUPED, {"taps": 0}, "taps = 0"), (GROUPED, {"block": 0}, "block = 0"), (GROUPED, {"block": 4}, "do not divide"),
    (GROUPED, {"groups": 3}, "against 3 groups of 24"), (GROUPED, {"taps": 7}, "do not divide"), (GROUPED, {"weights": np.full((6, 24), -9)}, "weights holds"),
    (GROUPED, {"signs": np.ones(5, np.int64)}, "signs has"), (GROUPED, {"memory": "rom"}, "no memory"),
    (Fork(name="f", frame=F, ways=1), {"ways": 0}, "ways = 0"), (Fork(name="f", frame=F, ways=1), {"ways": MOST_PORTS + 1}, "4097 copies"),
    (Upsample(name="u", frame=F, factor_h=1, factor_w=1), {"factor_h": 0}, "factor_h = 0"),
    (Upsample(name="u", frame=F, factor_h=1, factor_w=1), {"factor_w": 0}, "factor_w = 0"),
])  # fmt: skip
def test_contradictions(unit: Unit, changes: dict[str, Any], text: str) -> None:
    assert any(text in found for found in unit.with_(**changes).unsound())


@pytest.mark.parametrize(("unit", "changes", "text"), [
    (WINDOW, {"block": 5}, "block = 5 does not divide the channels = 12"), (WINDOW, {"simd": 3}, "simd = 3 does not divide the block = 4"),
    (WINDOW, {"parallel": True}, "has simd = block, not 2 and 4"), (CONCAT, {"simd": 4}, "simd = 4 does not divide an input's channels = 6"),
    (SPLIT, {"simd": 4}, "simd = 4 does not divide a start, size or channel count = 6"), (WIDER, {"wide_in": 7}, "wide_in = 7"),
    (WIDER, {"wide_out": 7}, "wide_out = 7"), (JOIN, {"pe": 5}, "pe = 5"), (JOIN, {"pe": 0}, "pe = 0"), (JOIN, {"pe": -3}, "pe = -3"),
    (DEPTHWISE, {"pe": 4}, "pe = 4 does not divide the channels = 6"), (GROUPED, {"pe": 2}, "pe = 2 does not divide the outputs per group = 3"),
    (GROUPED, {"simd": 7}, "simd = 7 does not divide the inputs per output = 24"), (GROUPED, {"block": 4}, "block = 4 does not divide the channels per group = 6"),
    (SUM, {"pe": 5}, "pe = 5"), (ArgMax(name="a", frame=F), {"pe": 5}, "pe = 5"), (PAD, {"simd": 2}, "simd = 2 does not divide the channels = 3"),
    (GROUPED, {"weight_type": BIPOLAR, "frame": Frame(3, 5, 48, BIPOLAR), "multiplier": "packed"}, "can't hold two products"),
])  # fmt: skip
def test_foldings(unit: Unit, changes: dict[str, Any], text: str) -> None:
    assert any(text in found for found in unit.with_(**changes).faults())


@pytest.mark.parametrize(("unit", "expected"), [
    (CONCAT, {"simd": [1, 2, 3, 6]}), (SPLIT, {"simd": [1, 2]}), (TURN, {}), (WIDER, {}), (JOIN, {"pe": [1, 2, 3, 4, 6, 12, 60]}),
    (POOL, {"pe": [1, 2, 3, 6]}), (DEPTHWISE, {"pe": [1, 2, 3, 6]}), (GROUPED, {"pe": [1, 3], "simd": [1, 2, 3, 4, 6, 8, 12, 24]}),
    (PAD, {"simd": [1, 3]}), (ArgMax(name="a", frame=F), {"pe": [1, 2, 3, 4, 6, 12]}), (WHOLE[-1], {"pe": [1, 2, 3, 4, 6, 12, 60]}), (SUM, {"pe": [1, 2, 3, 4, 6, 12]}),
])  # fmt: skip
def test_legal_foldings(unit: Unit, expected: dict[str, list[int]]) -> None:
    assert unit.folding() == expected


def test_legal_styles() -> None:
    memories, multipliers = ["auto", "lutram", "bram", "uram", "stream"], ["auto", "lut", "dsp"]
    assert DEPTHWISE.styles() == {"memory": memories, "multiplier": multipliers}
    assert GROUPED.styles() == {"memory": memories, "multiplier": [*multipliers, "packed"]}
    assert GROUPED.with_(frame=Frame(3, 5, 48, IntType(18))).styles()["multiplier"] == multipliers
    assert PAD.styles() == {}
    assert PAD.unfolded(GROUPED) is PAD.behind(3) is PAD
    assert PAD.window_block(7) == 7


def test_weights_that_arrive_fit_a_stream() -> None:
    """24 inputs by 3 rows of 4 bits; a stream carries 4,096 bits."""
    wide = GROUPED.with_(
        memory="stream", groups=1, taps=1, block=1024, weights=np.ones((3, 1024), np.int64), frame=Frame(3, 5, 1024, U4)
    )
    assert wide.with_(pe=1, simd=1024).faults() == []
    assert wide.with_(pe=3, simd=512).faults() == ["a stream can't bring 6144 bits of weights per cycle"]
    assert wide.with_(pe=3, simd=512, memory="bram").faults() == []
    assert [wide.with_(memory=m).weights_arrive for m in ("auto", "lutram", "bram", "uram", "stream")] == [
        False,
        False,
        False,
        True,
        True,
    ]


@pytest.mark.parametrize(("reader", "changes", "text"), [
    (GROUPED, {"block": 6}, "block = 6, the reader's 3"), (POOL, {"block": 2}, "block = 2, the reader's pe = 3"), (POOL, {"parallel": True}, "parallel = True"),
    (DEPTHWISE, {"block": 6}, "block = 6, the reader's pe = 3"), (DEPTHWISE, {"parallel": True}, "parallel = True"),
])  # fmt: skip
def test_readers_ask_for_the_windows_order(reader: Unit, changes: dict[str, Any], text: str) -> None:
    window = WINDOW.with_(block=3, simd=3)
    assert reader.order_faults(window) == []
    (fault,) = reader.order_faults(window.with_(**changes))
    assert text in fault
    assert reader.order_faults(F) == []  # type: ignore[arg-type]  # no window
    if reader is GROUPED:
        assert GROUPED.with_(taps=1).order_faults(window.with_(**changes)) == []


def test_windows_unfold_into_what_their_reader_takes() -> None:
    window = WINDOW.with_(frame=Frame(6, 7, 12, U4), parallel=True, block=3, simd=3)
    for reader, block in ((GROUPED, 6), (POOL, 12), (DEPTHWISE, 12)):
        whole = window.unfolded(reader)
        assert (whole.block, whole.simd, whole.parallel) == (block, block, False)
    assert GROUPED.behind(6).block == 6
    for reader in (POOL, DEPTHWISE):
        behind: Any = reader.with_(parallel=True).behind(6)
        assert (behind.pe, behind.parallel) == (6, False)


def test_frames_of_a_port_have_a_limit() -> None:
    fork = Fork(name="f", frame=Frame(1, 1, MOST_ELEMENTS, U4), ways=1)
    assert fork.frame_faults() == []
    assert len(fork.with_(frame=Frame(1, 1, MOST_ELEMENTS + 1, U4)).frame_faults()) == 2
    assert len(fork.with_(frame=Frame(1, 1, 0, U4), ways=2).frame_faults()) == 3
    assert fork.with_(frame=Frame(1, 1, 1, U4)).frame_faults() == []


def test_what_a_report_says_of_a_unit() -> None:
    expected = {
        "name": "m", "unit": "mvtu", "onnx_nodes": [], "macs": 15 * 6 * 24, "bops": 15 * 6 * 24 * (4 * 4 + 12), "pe": 3, "simd": 8,
        "cycles": 15 * 2 * 3, "weights": 144, "weight_bits": 4, "input_bits": 4, "output_bits": 12, "accumulator_bits": 12, "activation": None,
        "memory": None,
    }  # fmt: skip
    expected |= {"pixels": 1}
    assert GROUPED.entry() == expected
    assert GROUPED.with_(memory="bram", activation=SIX).entry() == expected | {
        "memory": "bram",
        "activation": "requant",
        "output_bits": 4,
    }
    assert (DEPTHWISE.entry()["macs"], DEPTHWISE.entry()["weights"]) == (15 * 108, 108)
    assert (PAD.entry()["macs"], PAD.entry()["bops"], PAD.entry()["pe"]) == (None, None, None)


def test_which_units_move_what_they_are_given() -> None:
    moving = [CONCAT, SPLIT, PIXELS, TURN, WIDER, PAD, WINDOW, POOL, Fork(name="f", frame=F, ways=1)]
    assert all(u.moves for u in moving)
    computing = [
        JOIN,
        DEPTHWISE,
        GROUPED,
        SUM,
        POOL.with_(op="sum"),
        POOL.with_(activation=SIX),
        ArgMax(name="a", frame=F),
    ]
    assert not any(u.moves for u in computing)
    marks = np.ones((1, 3, 5, 12))
    assert JOIN.trace(marks, marks) is None
    assert CONCAT.accumulate(marks) is None
    # Constants that are put in bear no mark.
    filled = PIXELS.with_(value=3).trace(marks)
    assert filled is not None
    assert filled[0].sum() == 180
    filled = PAD.with_(value=3).trace(np.ones((1, 4, 5, 3)))
    assert filled is not None
    assert filled[0].sum() == 60


@pytest.mark.parametrize(("elements", "order", "gap"), [
    (32, np.arange(32)[::-1], 0), (33, np.arange(33)[::-1], 8 - 33 + 32), (60, np.arange(60)[::-1], 8 - 60 + 59), (60, np.arange(60), 0),
    (60, np.roll(np.arange(60), 8), 0), (60, np.roll(np.arange(60), 7), 1),
])  # fmt: skip
def test_reordered_chunks_rest(elements: int, order: np.ndarray, gap: int) -> None:
    """A word is at rest for eight cycles between its write and its read, where chunks do not lie in registers."""
    unit = Permute(name="t", frame=Frame(2, 1, elements, U4), out=Frame(2, 1, elements, U4), order=order)
    assert unit.gap == gap
    assert unit.cycles == 3 * (elements + gap)
    assert unit.chunk_memory == (2 * elements, 4)
    assert unit.schedule().reads[0].dense()[elements] == elements + gap


def test_tables_end_where_they_end() -> None:
    table = Table(dtype=U4, lo=-1, values=np.array([[3, 4, 5]]))
    assert table.apply(np.array([[-1], [1]])).tolist() == [[3], [5]]
    for outside in (-2, 2):
        with pytest.raises(Exception, match="outside of the table"):
            table.apply(np.array([[0], [outside]]))
    own = replace(table, values=np.array([[3, 4, 5], [6, 7, 8]]))
    assert own.apply(np.array([[-1, 1]])).tolist() == [[3, 8]]
    assert table.apply(np.zeros((0, 1))).shape == (0, 1)
    assert own.select(np.array([1, 1, 0])).values.tolist() == [[6, 7, 8], [6, 7, 8], [3, 4, 5]]
    assert table.select(np.array([0, 0, 0])).values.tolist() == [[3, 4, 5]]


def test_converters_hold_the_common_multiple() -> None:
    assert (WIDER.storage, WIDER.cycles) == (6, 90)
    assert WIDER.with_(wide_in=4, wide_out=6).storage == 12
    assert WIDER.schedule().writes[0].dense()[:3].tolist() == [1, 2, 4]
    back = WIDER.with_(wide_in=3, wide_out=2)
    assert (back.cycles, back.schedule().reads[0].dense()[:4].tolist()) == (90, [0, 1, 3, 4])


def test_keys_beyond_what_float32_holds_stay_exact() -> None:
    """2^24 is the last integer that a float32 and its neighbour tell apart."""
    acc = np.array([[1 << 25]])
    for hi, kind in ((1 << 24, np.float32), ((1 << 24) + 1, np.float64)):
        found = Requant(dtype=IntType(26), mult=ONES, add=0 * ONES, shift=0, lo=0, hi=hi).apply(acc)
        assert (found.dtype, int(found[0, 0])) == (kind, hi)
    low = Requant(dtype=IntType(26, True), mult=ONES, add=0 * ONES, shift=0, lo=-(1 << 24) - 1, hi=0).apply(-acc)
    assert int(low[0, 0]) == -(1 << 24) - 1
