"""Text of generated C++: comments and array literals."""

from __future__ import annotations

import re
from collections.abc import Iterable

import numpy as np

from flowc.units import Array

__all__ = ["comment", "decimal_rows", "hex_rows", "integer"]


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
