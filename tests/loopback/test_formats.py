"""What lies in the external memory is what was put there."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowc.errors import UsageError
from flowc.loopback.engine import Engine
from flowc.loopback.formats import PlaneLayout, pack_word, pack_words, unpack_word


def engine(columns: int = 16, digit: int = 4) -> Engine:
    return Engine(rows=2 * columns, columns=columns, dsp_lanes=2, digit=digit)


@given(
    st.sampled_from([(16, 4), (32, 4), (8, 8), (16, 8), (32, 8)]), st.integers(1, 3), st.integers(1, 5), st.integers(1, 3),
    st.integers(1, 4), st.integers(0, 2), st.integers(0, 2), st.integers(0, 1 << 30),
)  # fmt: skip
def test_tensors_survive(
    shape: tuple[int, int], h: int, w: int, blocks: int, planes: int, above: int, below: int, seed: int
) -> None:
    layout = PlaneLayout(engine(*shape), h, w, blocks, planes, above, below)
    values = np.random.default_rng(seed).integers(0, 1 << (shape[1] * planes), (2, h, w, blocks * shape[0]))
    packed = layout.pack(values)
    assert packed.shape == (2, layout.image_bytes)
    assert layout.row_bytes % 16 == 0
    np.testing.assert_array_equal(layout.unpack(packed), values)


def test_a_pixel_in_bytes() -> None:
    layout = PlaneLayout(engine(), 1, 1, 1, 2)
    values = np.zeros((1, 1, 1, 16), np.int64)
    values[0, 0, 0, :3] = 0x21, 0x43, 0x65
    # Low digits of channels 0, 1, 2 in the first word, high digits in the second.
    assert layout.pack(values)[0].tolist() == [0x31, 0x05, *[0] * 6, 0x42, 0x06, *[0] * 6]


@given(st.integers(-(1 << 17), (1 << 17) - 1), st.integers(-(1 << 39), (1 << 39) - 1), st.integers(0, 63))
def test_words_survive(mult: int, add: int, shift: int) -> None:
    word = pack_word(mult, add, shift)
    assert word == (mult & 0x3FFFF) | (add & ((1 << 40) - 1)) << 18 | shift << 58
    assert [int(a[0]) for a in unpack_word(np.array([word], np.uint64))] == [mult, add, shift]


def test_words_that_are_too_wide() -> None:
    with pytest.raises(OverflowError, match="mult"):
        pack_words(np.array([1 << 17]), np.array([0]), np.array([0]))


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"columns": 12}, "multiple"),
        ({"digit": 5}, "'digit' must be 4 or 8"),
        ({"dsp_lanes": 3}, "even"),
        ({"dsp_lanes": 40}, "1 to 32 lanes"),
        ({"act_words": 1 << 17}, "act_words"),
        ({"clock_mhz": -1.0}, "clock_mhz"),
        ({"rows": True}, "rows"),
    ],
)
def test_engines_that_cannot_be(changes: dict[str, object], text: str) -> None:
    good = engine().as_dict()
    with pytest.raises(UsageError, match=text):
        Engine.from_dict(good | changes)


def test_engines_survive_as_documents() -> None:
    good = engine()
    assert Engine.from_dict(good.as_dict()) == good
    for changed, text in (
        (good.as_dict() | {"schema": 7}, "schema 7"),
        (good.as_dict() | {"speed": 7}, "unknown key 'speed'"),
        ({k: v for k, v in good.as_dict().items() if k != "rows"}, "lacks 'rows'"),
        ([], "describes no loopback engine"),
    ):
        with pytest.raises(UsageError, match=text):
            Engine.from_dict(changed, "e.json")
