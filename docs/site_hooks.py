"""What MkDocs needs to show the repository's pages as one site (mkdocs.yml names this file as a hook).

Pages outside of docs/ are shown below project/; links are turned to where their targets stand on the site, and links to what the
site does not show (source files) become plain text. The list of messages in troubleshooting.md is read out of the code
(site_messages.py beside this file).
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

from site_messages import message_table

ROOT = Path(__file__).resolve().parents[1]
MESSAGES = "<!-- every message -->"
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
