"""Markdown tables of the benchmarks, and their places in the pages."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

__all__ = ["fill", "markdown"]


def markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; columns whose title ends in '>' are aligned to the right."""
    titles = [title.rstrip(">") for title in head]
    rules = ["---:" if title.endswith(">") else "---" for title in head]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in [titles, rules, *rows])


def fill(page: Path, name: str, text: str) -> None:
    """Puts ``text`` between the page's comments ``<!-- name -->`` and ``<!-- /name -->``, in place of what is there."""
    old = page.read_text(encoding="utf-8")
    start, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    new, count = re.subn(
        f"{re.escape(start)}.*?{re.escape(end)}", lambda _: f"{start}\n{text}{end}", old, flags=re.DOTALL
    )
    if count != 1:
        raise SystemExit(f"{page} does not hold '{start}' and '{end}' once")
    page.write_text(new, encoding="utf-8")
