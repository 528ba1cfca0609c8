"""The documentation as a site: built with warnings as errors, without the network, and complete."""

from __future__ import annotations

import ast
import importlib.util
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[1]


def from_docs(name: str) -> ModuleType:
    """A module of docs/, where MkDocs finds it."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def messages() -> Iterator[ModuleType]:
    yield from_docs("site_messages")
    del sys.modules["site_messages"]


@pytest.fixture(scope="module")
def hooks(messages: ModuleType) -> Iterator[ModuleType]:
    yield from_docs("site_hooks")
    del sys.modules["site_hooks"]


PASSED_ON = {
    "flowc/api.py",
    "flowc/cli/explore.py",
    "flowc/dataflow/serialize.py",
    "flowc/design/store.py",
    "flowc/kernels/build.py",
    "flowc/streamline/partition.py",
    "passes/lower.py",
}
"""Files that raise what another error said, and nothing of their own."""


def test_every_message_is_read_from_the_code(messages: ModuleType) -> None:
    code = messages.Code.read()
    found = code.messages()
    assert {place.partition(":")[0] for place in code.silent} <= PASSED_ON
    assert len(found) > 500
    texts = {message.text for message in found}
    for known in (
        "there is no backend '…'",  # a plain one
        "layer '…' can't keep up with … cycles per frame",  # one that has a name in the code
        "it has no hardware unit",  # a reason of an unsupported node
        "the outputs … are not those of the reference",  # what a function yields
        "the compiler failed: …",  # of a class of its own, whose remedy is the class's
        "… is not a finite number above 0.",  # an option's value
    ):
        assert any(known in text for text in texts), known
    assert {m.code for m in found} == {1, 2, 3, 4}
    (failed,) = (m for m in found if m.text == "the compiler failed: …")
    assert failed.remedy.startswith("Use --emulator numpy")


def test_messages_are_followed_to_where_they_are_written(messages: ModuleType) -> None:
    source = """
class FlowcError(Exception):
    exit_code = 2
class FarError(FlowcError):
    exit_code = 3
def why(n):
    if n: return "too wide"
    yield f"too deep by {n}"
def first(n):
    message = f"first {n}; with more"
    raise FlowcError(message)
def second(n):
    message = f"second {n}" if n else "second of none"
    raise FarError(message, remedy="Leave it out")
def third(n):
    raise FarError(next(why(n)))
def fourth(error):
    raise FlowcError(error.message)
"""
    code = messages.Code({Path("flowc/x.py"): ast.parse(source)})
    assert {(m.text, m.remedy, m.code) for m in code.messages()} == {
        ("first …", "with more", 2),
        ("second …", "Leave it out", 3),
        ("second of none", "Leave it out", 3),
        ("too wide", "", 3),
        ("too deep by …", "", 3),
    }
    assert code.silent == ["flowc/x.py:18"]


def test_links_are_turned(hooks: ModuleType) -> None:
    places = {
        "docs/a.md": "a.md",
        "README.md": "project/README.md",
        "examples/x/README.md": "project/examples/x/README.md",
    }
    turned = hooks.turned(
        "[r](../README.md#top) [e](../examples/x) [s](../flowc/api.py) [w](https://a.b)", "docs/a.md", places
    )
    assert turned == "[r](project/README.md#top) [e](project/examples/x/README.md) s [w](https://a.b)"
    assert hooks.turned("[a](docs/a.md)", "README.md", places) == "[a](../a.md)"


@pytest.mark.slow
def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    pytest.importorskip("material", reason="the site needs mkdocs-material (extra docs)")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path / "site")]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    pages = {p.relative_to(tmp_path / "site").as_posix(): p for p in (tmp_path / "site").rglob("*.html")}
    assert {"index.html", "api.html", "cli.html", "project/index.html", "troubleshooting.html"} <= pages.keys()
    assert "target" in pages["api.html"].read_text(encoding="utf-8").split('id="flowc.api.build"')[1]
    for name, page in pages.items():
        loaded = re.findall(
            r"<(?:script|link|img)[^>]+(?:src|href)=\"(https?://[^\"]+)", page.read_text(encoding="utf-8")
        )
        assert not loaded, (name, loaded)
