"""What MkDocs needs to show the repository's pages as one site (mkdocs.yml names this file as a hook).

Pages outside of docs/ are shown below project/; links are turned to where their targets stand on the site, and links to what the
site does not show (source files) become plain text. The list of messages in troubleshooting.md is read out of the code.
"""

from __future__ import annotations

import ast
import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
MESSAGES = "<!-- every message -->"
CODES = {
    **dict.fromkeys(("DamagedError", "ModelError", "TargetError", "UsageError"), 2),
    **dict.fromkeys(("InfeasibleError", "TooLargeError"), 3),
    "MismatchError": 4,
}
"""Errors of flowc and the exit codes they end a command with."""
REASONS = {"Blocked", "CannotLower", "TooLarge"}
"""Exceptions that carry why a node can't be hardware, "cause; remedy"."""
_LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)\s]+)\)")


def shown() -> dict[str, str]:
    """Path in the repository -> path on the site, of everything outside of docs/ that the site shows."""
    pages = [p for p in (ROOT / n for n in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "LICENSE")) if p.exists()]
    pages += [p for p in ROOT.glob("examples/**/*") if p.suffix in (".md", ".svg", ".png") and "build" not in p.parts]
    return {path: f"project/{path}" for path in (p.relative_to(ROOT).as_posix() for p in pages)}


def on_files(files: Any, config: Any) -> Any:
    """Adds what stands outside of docs/."""
    from mkdocs.structure.files import File

    for source, uri in shown().items():
        files.append(File.generated(config, uri, abs_src_path=str(ROOT / source)))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """Turns links, and fills in the list of messages."""
    del config  # MkDocs gives it by name
    if MESSAGES in markdown:
        markdown = markdown.replace(MESSAGES, "\n".join(message_table()))
    places = {f"docs/{f.src_uri}": f.src_uri for f in files if not f.src_uri.startswith("project/")} | shown()
    home = {site: source for source, site in places.items()}[page.file.src_uri]
    parts = re.split(r"(^```.*?^```$)", markdown, flags=re.DOTALL | re.MULTILINE)
    return "".join(part if i % 2 else turned(part, home, places) for i, part in enumerate(parts))


def turned(text: str, home: str, places: dict[str, str]) -> str:
    """The text of the page at ``home`` (a path in the repository) with its links as the site needs them."""

    def turn(match: re.Match[str]) -> str:
        mark, label, link = match.groups()
        if re.match(r"[a-z]+:|#", link):
            return match[0]
        target, _, anchor = link.partition("#")
        path = posixpath.normpath(posixpath.join(posixpath.dirname(home), target))
        place = places.get(path) or places.get(f"{path}/README.md") or places.get(f"{path}/index.md")
        if place is None:
            return label
        relative = posixpath.relpath(place, posixpath.dirname(places[home]) or ".")
        return f"{mark}[{label}]({relative}{'#' + anchor if anchor else ''})"

    return _LINK.sub(turn, text)


def message_table() -> list[str]:
    """Every message that the code raises, with its remedy, in order of the alphabet; ``…`` stands for what differs."""
    rows = {
        row for folder in ("flowc", "passes") for path in sorted((ROOT / folder).rglob("*.py")) for row in _said(path)
    }
    lines = ["| message | what to do | exit code |", "|---|---|---|"]
    return lines + [
        f"| {_cell(t)} | {_cell(r)} | {c} |" for t, r, c in sorted(rows, key=lambda r: r[0].strip("'… ").lower())
    ]


def _cell(text: str) -> str:
    return re.sub(r"([|<>*_\[\]`])", r"\\\1", " ".join(text.split()))


def _said(path: Path) -> Iterator[tuple[str, str, int]]:
    """Errors that a file raises, and the reasons that its functions return, "cause; remedy"."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    named = {
        target.id: text
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and (text := _template(node.value))
        for target in node.targets
        if isinstance(target, ast.Name)
    }

    def text_of(node: ast.expr) -> str | None:
        return named.get(node.id) if isinstance(node, ast.Name) else _template(node)

    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and node.args:
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in CODES:
                remedies = [text_of(k.value) or "" for k in node.keywords if k.arg == "remedy"]
                yield from _row(text_of(node.args[0]), "".join(remedies), CODES[name])
            elif name in REASONS:
                yield from _row(text_of(node.args[-1]), "", 2)
        elif (
            isinstance(node, ast.Return)
            and node.value is not None
            and path.parent.name in ("passes", "exact", "importer")
        ):
            text = _template(node.value) or ""
            if "; " in text:
                yield from _row(text, "", 2)


def _row(text: str | None, remedy: str, code: int) -> Iterator[tuple[str, str, int]]:
    if text and text.strip("… '"):
        cause, _, own = text.partition("; ")
        yield cause, remedy or own, code


def _template(node: ast.expr) -> str | None:
    """A string as it stands in the code, with ``…`` for what is filled in."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if isinstance(node, ast.JoinedStr):
        return "".join(_template(v) or "" if isinstance(v, ast.Constant) else "…" for v in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        sides = [_template(side) or "…" for side in (node.left, node.right)]
        return "".join(sides)
    return None
