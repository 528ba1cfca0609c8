"""A kill at any step of publishing: the directory is the old or the new one, and the next build, even one that fails, loses nothing."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flowc.files import exchange as exchanging
from flowc.files import manifest, publish
from flowc.files.outdir import staged_output

STEPS = (
    (os, "rmdir"),
    (os, "unlink"),
    (Path, "rename"),
    (Path, "rmdir"),
    (Path, "mkdir"),
    (publish, "exchange"),
    (shutil, "rmtree"),
)


def write(folder: Path, text: str) -> None:
    (folder / "hls").mkdir()
    (folder / "hls" / "top.cpp").write_text(text)
    (folder / "only").mkdir()
    (folder / "only" / text).write_text(text)
    (folder / "report.json").write_text(json.dumps({"schema": 1, "flowc": "0.0", "text": text}))


def build(final: Path, text: str, force: bool = False) -> None:
    with staged_output(final, force=force) as folder:
        write(folder, text)


def killed_at(step: int, job: Callable[[], None], before: bool) -> bool:
    """Runs ``job`` in a child that ends, without any cleaning up, before or after its ``step``-th step; whether it got so far."""
    child = os.fork()
    if child == 0:
        count = 0

        def counting(function: Any) -> Any:
            def call(*args: Any, **named: Any) -> Any:
                nonlocal count
                count += 1
                if count == step and before:
                    os._exit(9)
                result = function(*args, **named)
                if count == step:
                    os._exit(9)
                return result

            return call

        for owner, name in STEPS:
            setattr(owner, name, counting(getattr(owner, name)))
        code = 1
        try:
            job()
            code = 0
        finally:
            os._exit(code)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in (0, 9)
    return status == 9


def whole(folder: Path) -> str | None:
    """Which design stands there in full, with nothing else; None where there is none."""
    if not (folder / "manifest.json").is_file():
        return None
    listed = set(json.loads((folder / "manifest.json").read_text())["files"])
    there = {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()} - {"manifest.json"}
    there = {name for name in there if not name.startswith(".")}
    return (
        json.loads((folder / "report.json").read_text())["text"]
        if there == listed and manifest.altered(folder, passing=publish.staging_prefix(folder)) == []
        else None
    )


@pytest.fixture(params=["exchange", "two steps"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "two steps":
        monkeypatch.setattr(publish, "exchange", lambda one, other: False)
    return str(request.param)


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize("before", [True, False])
def test_a_kill_loses_nothing(tmp_path: Path, way: str, before: bool) -> None:
    step = 0
    reached = True
    while reached:
        step += 1
        final = tmp_path / f"{step}" / "b"
        build(final, "old")
        reached = killed_at(step, lambda final=final: build(final, "new"), before)
        if way == "exchange":
            assert whole(final) in ("old", "new")
        # A build that fails puts back what was moved away, and the next good one works.
        with pytest.raises(ZeroDivisionError), staged_output(final):
            raise ZeroDivisionError
        assert whole(final) in ("old", "new")
        build(final, "newer")
        assert whole(final) == "newer"
    assert step > 3


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize("before", [True, False])
def test_a_kill_with_force_keeps_what_is_the_users(tmp_path: Path, way: str, before: bool) -> None:
    step = 0
    reached = True
    while reached:
        step += 1
        final = tmp_path / f"{step}" / "b"
        build(final, "old")
        (final / "thesis.tex").write_text("years of work")
        reached = killed_at(step, lambda final=final: build(final, "new", force=True), before)
        build(final, "newer", force=True)
        assert whole(final) == "newer"
        kept = [p for p in final.parent.glob("b.before-flowc*/thesis.tex") if p.read_text() == "years of work"]
        assert len(kept) == 1


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize("before", [True, False])
def test_a_kill_in_a_directory_that_cannot_be_renamed(
    tmp_path: Path, before: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "is_mount", lambda self: self.name == "b")
    step = 0
    reached = True
    while reached:
        step += 1
        final = tmp_path / f"{step}" / "b"
        final.mkdir(parents=True)
        build(final, "old")
        reached = killed_at(step, lambda final=final: build(final, "new"), before)
        with pytest.raises(ZeroDivisionError), staged_output(final):
            raise ZeroDivisionError
        assert whole(final) in ("old", "new"), step
        build(final, "newer")
        assert whole(final) == "newer"
    assert step > 8


def test_directories_change_places(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).mkdir()
        (tmp_path / name / name).write_text("")
    if not exchanging.exchange(tmp_path / "a", tmp_path / "b"):
        pytest.skip("this file system can't exchange directories")
    assert (tmp_path / "a" / "b").exists()
    assert (tmp_path / "b" / "a").exists()
    with pytest.raises(FileNotFoundError):
        exchanging.exchange(tmp_path / "a", tmp_path / "none")


@pytest.mark.parametrize(("code", "raises"), [(errno.EINVAL, False), (errno.ENOSYS, False), (errno.EACCES, True)])
def test_where_it_is_not_there_the_caller_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, raises: bool
) -> None:
    monkeypatch.setattr(exchanging, "_renameat2", lambda: lambda *args: -1)
    monkeypatch.setattr(exchanging.ctypes, "get_errno", lambda: code)
    if raises:
        with pytest.raises(PermissionError):
            exchanging.exchange(tmp_path, tmp_path)
    else:
        assert exchanging.exchange(tmp_path, tmp_path) is False
    monkeypatch.setattr(exchanging, "_renameat2", lambda: None)
    assert exchanging.exchange(tmp_path, tmp_path) is False
