"""Names that hardware can bear: letters, digits and underscores, short, and still recognizable.

Long names break paths on Windows, and vendor tools put a design's name in front of each module's. A name that is too long keeps
its begin and more of its end, where names made from module trees differ, around four characters that tell it from all others::

    features_stage3_block12_conv2_weight_quant  →  features_s_3ycg_nv2_weight_quant
"""

from __future__ import annotations

import hashlib
import re

__all__ = ["LONGEST", "LONGEST_PORT", "legal", "numbered", "short"]

LONGEST = 32
"""Characters of a hardware module's name at most."""

LONGEST_PORT = LONGEST - len("width_") - len("_0")
"""The same of a port's name, which cells of the block design carry behind ``width_`` and the like, numbered where there are several."""

_MARK = 4
_LETTERS = "abcdefghijklmnopqrstuvwxyz234567"


def legal(text: str, default: str = "unit") -> str:
    """``text`` as letters, digits and single underscores, beginning with a letter; `default` with a mark where nothing is left of it."""
    base = re.sub(r"_+", "_", re.sub(r"[^A-Za-z0-9]", "_", text)).strip("_")
    if not base:
        return default if not text else f"{default}_{_mark(text)}"
    return base if base[0].isalpha() else f"n{base}"


def short(text: str, limit: int = LONGEST) -> str:
    """A legal name of at most ``limit`` characters: `text` itself, or its begin and end with a mark of all of it between them."""
    if len(text) <= limit:
        return text
    room = limit - _MARK - 2
    begin = room * 2 // 5
    head, tail = text[:begin].rstrip("_"), text[begin - room :].strip("_")
    return f"{head}_{_mark(text)}_{tail}"


def numbered(text: str, number: int, limit: int = LONGEST) -> str:
    """`short`, with a number behind it from 2 on."""
    behind = "" if number < 2 else f"_{number}"
    return short(text, limit - len(behind)) + behind


def _mark(text: str) -> str:
    """Four letters or digits that stand for a text."""
    digest = hashlib.blake2s(text.encode("utf-8", "surrogatepass"), digest_size=4).digest()
    bits = int.from_bytes(digest, "big")
    return "".join(_LETTERS[bits >> 5 * i & 31] for i in range(_MARK))
