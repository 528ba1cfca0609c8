"""Packing against its definition, bit by bit, in Python's own integers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowc.templates.driver.packing import bytes_per_beat, element_dtype, pack, unpack


def slow_pack(frames, bits, per_beat, beat_bytes):
    """The definition: element e of a beat is added at bit e * bits, and the beat is written little endian."""
    out = []
    for frame in frames:
        beats = []
        for start in range(0, len(frame), per_beat):
            word = 0
            for e, value in enumerate(frame[start : start + per_beat]):
                word |= (value % (1 << bits)) << (e * bits)
            beats.append(list(word.to_bytes(beat_bytes, "little")))
        out.append(beats)
    return out


@st.composite
def frames(draw):
    kind = draw(st.sampled_from(["unsigned", "signed", "bipolar"]))
    bits = 1 if kind == "bipolar" else draw(st.integers(1, 33))
    per_beat, beats, n = draw(st.integers(1, 11)), draw(st.integers(1, 4)), draw(st.integers(0, 3))
    if kind == "bipolar":
        element = st.sampled_from([-1, 1])
    elif kind == "signed":
        element = st.integers(-(1 << (bits - 1)), (1 << (bits - 1)) - 1)
    else:
        element = st.integers(0, (1 << bits) - 1)
    values = draw(
        st.lists(st.lists(element, min_size=per_beat * beats, max_size=per_beat * beats), min_size=n, max_size=n)
    )
    spare = draw(st.integers(0, 3))
    return kind, bits, per_beat, np.array(values, np.int64).reshape(n, per_beat * beats), spare


@given(frames())
def test_equals_the_definition_and_round_trips(case):
    kind, bits, per_beat, values, spare = case
    beat_bytes = bytes_per_beat(bits, per_beat) + spare
    wire = np.where(values > 0, 1, 0) if kind == "bipolar" else values
    expected = np.array(slow_pack(wire.tolist(), bits, per_beat, beat_bytes), np.uint8).reshape(
        len(values), values.shape[1] // per_beat, beat_bytes
    )
    got = pack(values, bits, per_beat, bipolar=kind == "bipolar", beat_bytes=beat_bytes)
    assert got.dtype == np.uint8
    assert np.array_equal(got, expected)
    back = unpack(got, bits, per_beat, signed=kind == "signed", bipolar=kind == "bipolar")
    assert back.dtype == element_dtype(bits, kind == "signed", kind == "bipolar")
    assert np.array_equal(back, values)


@given(frames(), st.integers(0, 2**32))
def test_unpacking_ignores_what_lies_behind_the_last_element(case, seed):
    kind, bits, per_beat, values, spare = case
    used = bytes_per_beat(bits, per_beat)
    data = pack(values, bits, per_beat, bipolar=kind == "bipolar", beat_bytes=used + spare)
    noise = np.random.default_rng(seed).integers(0, 256, data.shape, np.uint8)
    noise[..., used:] |= 1
    mask = np.zeros(data.shape[-1] * 8, np.uint8)
    mask[: bits * per_beat] = 1
    dirty = np.where(np.packbits(mask, bitorder="little"), data & np.packbits(mask, bitorder="little"), 0)
    dirty = dirty | (noise & ~np.packbits(mask, bitorder="little"))
    assert np.array_equal(unpack(dirty, bits, per_beat, signed=kind == "signed", bipolar=kind == "bipolar"), values)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16, np.int32, np.int64, np.float32, np.float64])
@pytest.mark.parametrize("bits", [2, 3, 4, 8])
def test_takes_any_dtype_that_holds_the_integers(dtype, bits):
    values = np.arange(16).reshape(1, 16) % (1 << min(bits, 7))
    assert np.array_equal(unpack(pack(values.astype(dtype), bits, 8), bits, 8), values)


def test_the_layout_by_example():
    assert pack(np.array([[1, 2, 3, 4]]), 4, 4).tolist() == [[[0x21, 0x43]]]
    assert pack(np.array([[-1, 1, 1, -1]]), 1, 4, bipolar=True).tolist() == [[[0b0110]]]
    assert pack(np.array([[-1, -4]]), 3, 2).tolist() == [[[0b100_111]]]
    assert pack(np.array([[0x123, 0x456]]), 12, 1, beat_bytes=4).tolist() == [[[0x23, 0x01, 0, 0], [0x56, 0x04, 0, 0]]]


def test_refuses_what_does_not_fit():
    with pytest.raises(ValueError, match="3 elements can't be cut into beats of 2"):
        pack(np.zeros((1, 3), np.int64), 4, 2)
    with pytest.raises(ValueError, match="does not fit 1 bytes"):
        pack(np.zeros((1, 4), np.int64), 4, 4, beat_bytes=1)
    with pytest.raises(ValueError, match="does not fit 1 bytes"):
        unpack(np.zeros((1, 1, 1), np.uint8), 4, 4)
