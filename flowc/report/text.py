"""Figures and names as a page shows them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from itertools import takewhile
from typing import Any

from markupsafe import Markup, escape

__all__ = ["amount", "breakable", "common_prefix", "number", "options", "percent", "short", "size", "visible"]

_LONGEST = 2000
_WORTH_CUTTING = 6
_PICTURES = 0x2400
_DELETE = 0x7F
_UNITS = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


def number(value: Any) -> str:
    """A figure with its thousands separated and four significant digits; ``unknown`` for None."""
    if value is None:
        return "unknown"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return str(value)


def amount(value: float | None) -> str:
    """A figure of three digits with k, M, G or T behind it."""
    if value is None:
        return "unknown"
    for size, name in _UNITS:
        if abs(value) >= size:
            return f"{value / size:.3g} {name}"
    return f"{value:.3g}"


def size(value: float | None) -> str:
    """Bytes: ``392 B``, ``15.2 kB``."""
    text = amount(value)
    return text if value is None else f"{text}B" if text[-1].isalpha() else f"{text} B"


def percent(part: float | None, digits: int = 3) -> str:
    """A fraction as a percentage."""
    return "unknown" if part is None else f"{100 * part:.{digits}g}%"


def visible(value: Any) -> Any:
    """What an expression of a template gives: text without characters that could drive a terminal, a page or its reading order.

    Control characters become their pictures (U+2400 and on), other characters that show nothing their escapes.
    """
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    if len(value) > _LONGEST:
        value = value[: _LONGEST - 1] + "…"
    return value if value.isprintable() else "".join(map(_visible, value))


def _visible(character: str) -> str:
    code = ord(character)
    if character.isprintable():
        return character
    if code < ord(" "):
        return chr(_PICTURES + code)
    if code == _DELETE:
        return "␡"
    if unicodedata.category(character) == "Zs":
        return " "
    return f"\\u{code:04x}"


def breakable(name: str) -> Markup:
    """A name as HTML that may break behind its underscores, slashes and dots."""
    text = str(escape(visible(name)))
    return Markup(re.sub(r"([_/.:])(?=[^_/.:])", r"\1<wbr>", text))  # noqa: S704 - escaped above


def options(text: str) -> Markup:
    """A sentence as HTML in which no option of the command line breaks behind its dashes."""
    escaped = str(escape(visible(text)))
    return Markup(re.sub(r"(?<!\w)(--[a-z][a-z-]*)", r'<span class="option">\1</span>', escaped))  # noqa: S704 - escaped above


def common_prefix(names: Sequence[str]) -> str:
    """What most names begin with, up to an underscore or slash; empty where that is short."""
    longest = ""
    ordered = sorted(names)
    for first, second in zip(ordered, ordered[len(ordered) // 2 :], strict=False):
        shared = "".join(a for a, _ in takewhile(lambda pair: pair[0] == pair[1], zip(first, second, strict=False)))
        shared = shared[: max(shared.rfind("_"), shared.rfind("/")) + 1]
        longest = max(longest, shared, key=len)
    return longest if len(longest) >= _WORTH_CUTTING else ""


def short(name: str, most: int = 21) -> str:
    """A name that fits a box of a drawing: its middle is left out."""
    name = str(visible(name))
    if len(name) <= most:
        return name
    front = most // 2
    return name[:front] + "…" + name[len(name) - (most - front - 1) :]
