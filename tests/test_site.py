"""The documentation as a site: built with warnings as errors, without the network, and complete."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def hooks() -> ModuleType:
    spec = importlib.util.spec_from_file_location("site_hooks", ROOT / "docs" / "site_hooks.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_messages_are_read_from_the_code(hooks: ModuleType) -> None:
    table = "\n".join(hooks.message_table())
    assert "no backend" in table
    assert "its files are damaged" not in table  # the wrapper of others, not a message
    assert table.count("\n") > 300
    assert re.search(r"can't keep up with … cycles.*\| 3 \|", table)  # a message that has a name in the code


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
