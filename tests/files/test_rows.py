"""JSON in rows says what it is given, a line per entry."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowc.files.rows import in_rows

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


def lines_of(value: Any) -> int:
    """Lines of an entry of the document, by hand."""
    return len(value) + 2 if isinstance(value, dict | list) and value else 1


@given(st.dictionaries(st.text(), VALUES, max_size=5), st.booleans())
def test_what_is_written_is_read_again(document: dict[str, Any], ascii_only: bool) -> None:
    text = in_rows(document, ascii_only=ascii_only)
    assert json.loads(text) == document
    assert list(json.loads(text)) == list(document)
    assert text.isascii() or not ascii_only
    assert text.count("\n") == (sum(map(lines_of, document.values())) + 2 if document else 1)


def test_each_entry_of_a_list_has_a_row() -> None:
    document = {"schema": 1, "none": [], "layers": [{"name": "a", "pe": [1, 2]}, {"name": "ü"}]}
    rows = '{\n "schema": 1,\n "none": [],\n "layers": [\n  {"name": "a", "pe": [1, 2]},\n  {"name": "ü"}\n ]\n}\n'
    assert in_rows(document) == rows


@pytest.mark.parametrize("value", [math.nan, math.inf, [math.nan], [[math.inf]]])
def test_what_json_can_not_hold_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        in_rows({"x": value})
