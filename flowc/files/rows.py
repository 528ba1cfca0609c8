"""JSON whose long lists have a row per entry: one can read it, compare it line by line, and it is written fast.

Python's encoder in C knows no indentation, and the one that does takes ten times as long. Here only the outer containers are
broken into lines; what stands in a row is written by the fast one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

__all__ = ["in_rows"]


def in_rows(document: Mapping[str, Any], *, ascii_only: bool = False, finite: bool = True) -> str:
    """The document as JSON text that ends with a newline: a line per entry of it, and per entry of its lists and objects.

    ::

        {
         "schema": 1,
         "layers": [
          {"name": "conv1", "pe": 4},
          {"name": "conv2", "pe": 2}
         ]
        }

    Args:
        document: texts, numbers, booleans, None, and lists and dicts of them.
        ascii_only: whether other characters are written as escapes.
        finite: whether numbers that are not finite are refused, which only Python's JSON knows.

    Raises:
        ValueError: a number is not finite.
        TypeError: it holds what JSON can't.
    """
    encode = json.JSONEncoder(ensure_ascii=ascii_only, allow_nan=not finite).encode

    def lines(value: Any, margin: str, levels: int) -> str:
        if not levels or not value or not isinstance(value, dict | list):
            return encode(value)
        inner = margin + " "
        if isinstance(value, dict):
            rows = (f"{encode(key)}: {lines(entry, inner, levels - 1)}" for key, entry in value.items())
            opening, closing = "{}"
        else:
            rows = (lines(entry, inner, levels - 1) for entry in value)
            opening, closing = "[]"
        return f"{opening}\n{inner}" + f",\n{inner}".join(rows) + f"\n{margin}{closing}"

    return lines(dict(document), "", 2) + "\n"
