"""Text of generated C++: identifiers, comments and array literals."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import chain, count

import numpy as np

from flowc.units import Array

__all__ = ["comment", "decimal_rows", "hex_rows", "identifier", "integer", "layer_names", "top_name"]

_KEYWORDS = """
    alignas alignof and and_eq asm auto bitand bitor bool break case catch char char16_t char32_t class compl const
    const_cast constexpr continue decltype default delete do double dynamic_cast else enum explicit export extern false
    float for friend goto if inline int long mutable namespace new noexcept not not_eq nullptr operator or or_eq private
    protected public register reinterpret_cast return short signed sizeof static static_assert static_cast struct switch
    template this thread_local throw true try typedef typeid typename union unsigned using virtual void volatile wchar_t
    while xor xor_eq
"""
_RESERVED = frozenset(_KEYWORDS.split()) | {"main", "flowc", "hls", "layers", "std"}


def identifier(name: str) -> str:
    """A unit's name as a C++ identifier: unchanged, unless C++ reserves it (then prefixed with ``n_``)."""
    text = re.sub(r"\W", "_", name, flags=re.ASCII)
    if text in _RESERVED or not text or not text[0].isalpha() or "__" in text:
        text = "n_" + re.sub(r"__+", "_", text).lstrip("_")
    return text


def top_name(name: str) -> str:
    """Name of the top function, and so of the RTL module, for a graph of this name."""
    return identifier(name)


_PARTS = ("", "_layer", "_weights", "_activation", "_scales", "_order")
"""What a layer's function, types and constants add to its name."""


def layer_names(names: Iterable[str]) -> dict[str, str]:
    """C++ names of the layers of units: identifiers, told apart by a number where the parts of two would be named alike."""
    chosen: dict[str, str] = {}
    taken: set[str] = set()
    for name in names:
        base = identifier(name)
        text = next(
            t for t in chain([base], (f"{base}_{i}" for i in count(2))) if taken.isdisjoint(t + p for p in _PARTS)
        )
        taken.update(text + part for part in _PARTS)
        chosen[name] = text
    return chosen


def comment(text: str, limit: int = 400) -> str:
    """Arbitrary text, such as ONNX names, made safe inside a C++ comment of either form.

    One line of printable ASCII without backslashes (line splices), ``?`` runs (trigraphs) and comment ends.
    """
    plain = "".join(c if " " <= c <= "~" else "?" for c in " ".join(text.split()))
    plain = plain.replace("\\", "/").replace("*/", "* /").replace("/*", "/ *")
    plain = re.sub(r"\?\?+", "?", plain)
    return plain if len(plain) <= limit else plain[: limit - 3] + "..."


def integer(value: int) -> str:
    """A C++ literal of any int64 value."""
    if value == -(1 << 63):
        return "INT64_MIN"
    return f"{value}LL" if abs(value) >= 1 << 31 else str(value)


def hex_rows(words: Array) -> str:
    """Initializer of an array of unsigned words: shape (rows,) or (rows, words per row), little effort per word.

    The text holds one source line per row, or lines of about 100 characters for one-word rows.
    """
    digits = words.dtype.itemsize * 2
    flat = np.frombuffer(words.astype(words.dtype.newbyteorder(">")).tobytes().hex().encode(), np.uint8).reshape(
        -1, digits
    )
    prefix = np.broadcast_to(np.frombuffer(b"0x", np.uint8), (len(flat), 2))
    if words.ndim == 1:
        per_line = max(1, 100 // (digits + 4))
        comma = np.broadcast_to(np.frombuffer(b", ", np.uint8), (len(flat), 2)).copy()
        comma[per_line - 1 :: per_line, 1] = ord("\n")
        return np.hstack([prefix, flat, comma]).tobytes().decode().rstrip(", \n")
    rows, per_row = words.shape
    comma = np.broadcast_to(np.frombuffer(b", ", np.uint8), (len(flat), 2))
    body = np.hstack([prefix, flat, comma]).reshape(rows, per_row * (digits + 4))[:, :-2]
    opening = np.broadcast_to(np.frombuffer(b"{", np.uint8), (rows, 1))
    closing = np.broadcast_to(np.frombuffer(b"},\n", np.uint8), (rows, 3))
    return np.hstack([opening, body, closing]).tobytes().decode()[:-2]


def decimal_rows(values: Array) -> str:
    """Initializer of an array of integers of any rank, one source line per innermost row."""

    def nested(rows: list[str], shape: Iterable[int]) -> list[str]:
        for size in shape:
            groups = (rows[i : i + size] for i in range(0, len(rows), size))
            rows = ["{" + ",\n".join(group) + "}" for group in groups]
        return rows

    matrix = values.reshape(-1, values.shape[-1])
    if np.abs(matrix.astype(np.float64)).max(initial=0) < 1 << 31:
        lines = ["{" + str(row)[1:-1] + "}" for row in matrix.tolist()]
    else:
        lines = ["{" + ", ".join(map(integer, row)) + "}" for row in matrix.tolist()]
    return nested(lines, reversed(values.shape[:-1]))[0]
