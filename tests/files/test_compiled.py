"""Templates that are compiled once."""

from __future__ import annotations

from pathlib import Path

import jinja2
import pytest

from flowc.files.cache import UnsafeCacheError, private_folder
from flowc.files.compiled import compiled_templates


def render(text: str) -> str:
    environment = jinja2.Environment(
        loader=jinja2.DictLoader({"t": text}), bytecode_cache=compiled_templates("code"), autoescape=True
    )
    return environment.get_template("t").render(x=1)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FLOWC_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "templates"


def test_compiled_once_and_again_when_the_text_changes(cache: Path) -> None:
    assert render("a {{ x }}") == "a 1"
    (kept,) = cache.iterdir()
    before = kept.stat().st_mtime_ns
    assert render("a {{ x }}") == "a 1"
    assert kept.stat().st_mtime_ns == before
    assert render("b {{ x }}") == "b 1"


def test_a_damaged_file_is_made_again(cache: Path) -> None:
    render("a {{ x }}")
    (kept,) = cache.iterdir()
    kept.write_bytes(kept.read_bytes()[:-20])
    assert render("a {{ x }}") == "a 1"


def test_nothing_is_loaded_from_a_folder_of_others(cache: Path) -> None:
    render("a {{ x }}")
    cache.chmod(0o777)
    with pytest.raises(UnsafeCacheError, match="belongs to this user alone"):
        private_folder("templates")
    assert compiled_templates("code") is None
    assert render("a {{ x }}") == "a 1"


def test_a_cache_that_can_not_be_written_is_done_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("FLOWC_CACHE", str(tmp_path / "file"))
    assert render("a {{ x }}") == "a 1"
