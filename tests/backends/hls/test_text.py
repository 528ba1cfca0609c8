"""Identifiers, comments and literals of generated C++; packing of bits."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowc.backends.hls.text import comment, decimal_rows, hex_rows, integer
from flowc.interface.names import identifier, layer_names
from flowc.interface.packing import pack_rows, unpack_rows
from flowc.model.dtypes import BIPOLAR, IntType, SInt, UInt
from flowc.units import Array


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("conv1", "conv1"),
        ("int", "n_int"),
        ("1x", "n_1x"),
        ("a__b", "n_a_b"),
        ("_x", "n_x"),
        ("main", "n_main"),
        ("", "n_"),
    ],
)
def test_names_become_identifiers(name: str, expected: str) -> None:
    assert identifier(name) == expected


@given(st.text())
def test_no_text_ends_or_extends_a_comment(text: str) -> None:
    safe = comment(text)
    assert not re.search(r"[^ -~]|\\|\*/|/\*|\?\?", safe)
    assert len(safe) <= 400


def test_hostile_names_stay_readable() -> None:
    assert comment("Conv */ int x; // \\\n??/ \x1b[0m") == "Conv * / int x; // / ?/ ?[0m"


def parse(text: str) -> list[int]:
    return [int(token, 0) for token in re.findall(r"-?(?:0x[0-9a-f]+|\d+)", text)]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32, np.uint64])
@pytest.mark.parametrize("shape", [(1,), (7,), (300,), (1, 1), (5, 3)])
def test_hexadecimal_literals_hold_the_words(dtype: type[np.unsignedinteger], shape: tuple[int, ...]) -> None:
    words = np.random.default_rng(0).integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)
    text = hex_rows(words)
    assert parse(text) == words.ravel().tolist()
    assert text.count("{") == text.count("}") == (shape[0] if len(shape) == 2 else 0)


def test_decimal_literals_nest_as_the_array_does() -> None:
    assert decimal_rows(np.arange(4).reshape(1, 2, 2)) == "{{{0, 1},\n{2, 3}}}"
    assert decimal_rows(np.array([-(1 << 63), 1 << 40])) == "{INT64_MIN, 1099511627776LL}"
    assert integer(-5) == "-5"


def by_hand(row: list[int], dtype: IntType) -> int:
    """A beat as one Python integer."""
    fields = [(v > 0) if dtype.bipolar else v % (1 << dtype.bits) for v in row]
    return sum(int(f) << (i * dtype.bits) for i, f in enumerate(fields))


@pytest.mark.parametrize(
    "dtype", [BIPOLAR, UInt(1), UInt(3), SInt(2), SInt(5), UInt(8), SInt(8), SInt(13), UInt(16), SInt(33), SInt(64)]
)
@pytest.mark.parametrize("lanes", [1, 3, 16, 40])
def test_packing_puts_element_0_into_the_low_bits(dtype: IntType, lanes: int) -> None:
    rng = np.random.default_rng(lanes)
    values: Array = rng.integers(dtype.lo, dtype.hi, (6, lanes), endpoint=True)
    if dtype.bipolar:
        values = np.where(values > 0, 1, -1)
    packed = pack_rows(np.asfortranarray(values), dtype)
    assert packed.flags.c_contiguous
    assert packed.shape == (6, -(-lanes * dtype.bits // 8))
    assert [int.from_bytes(r.tobytes(), "little") for r in packed] == [by_hand(r, dtype) for r in values.tolist()]
    wider = pack_rows(values, dtype, packed.shape[1] + 3)
    np.testing.assert_array_equal(unpack_rows(wider, dtype, lanes), values)


def test_layers_whose_parts_would_be_named_alike_are_told_apart() -> None:
    names = layer_names(["conv", "conv_layer", "int", "n_int", "x"])
    assert names == {"conv": "conv", "conv_layer": "conv_layer_2", "int": "n_int", "n_int": "n_int_2", "x": "x"}
