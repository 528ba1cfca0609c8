"""docs/loopback.md shows the descriptors as they are: `python -m tests.loopback.test_docs` prints its tables."""

from __future__ import annotations

import sys
from pathlib import Path

from flowc.loopback.descriptors import DESCRIPTORS, bits_of

PAGE = Path(__file__).parents[2] / "docs" / "loopback.md"


def tables() -> str:
    """A table per descriptor."""
    parts = []
    for kind in DESCRIPTORS:
        lines = [f"### {kind.op}: {kind.__name__}", "", "| word | bits | field | meaning |", "|---|---|---|---|"]
        for name, place in bits_of(kind).items():
            words = f"{place.word}-{place.word + 1}" if place.bits > 32 else str(place.word)
            bits = "all" if place.bits >= 32 else f"{place.at + place.bits - 1}:{place.at}"
            signed = ", signed" if place.signed else ""
            lines.append(f"| {words} | {bits}{signed} | `{name}` | {place.meaning} |")
        parts.append("\n".join(lines))
    return "\n\n".join(parts) + "\n"


def test_the_page_shows_every_field() -> None:
    assert tables() in PAGE.read_text(encoding="utf-8")


if __name__ == "__main__":
    sys.stdout.write(tables())
