"""An output directory is the old one or the complete new one, whatever happens while it is written."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from flowc.errors import UsageError
from flowc.files import manifest
from flowc.files.outdir import MARKERS, is_flowc_directory, staged_output


def fill(folder: Path, text: str = "new") -> None:
    (folder / "hls").mkdir()
    (folder / "hls" / "top.cpp").write_text(text)
    (folder / "report.json").write_text(json.dumps({"schema": 1, "flowc": "0.0"}))


WHOLE = ["hls", "hls/top.cpp", "manifest.json", "report.json"]


def tree(folder: Path) -> list[str]:
    return sorted(str(entry.relative_to(folder)) for entry in folder.rglob("*"))


def contents(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in tree(folder) if (folder / name).is_file()}


def test_a_new_directory_appears_whole_with_its_parents(tmp_path: Path) -> None:
    with staged_output(tmp_path / "a" / "b") as folder:
        fill(folder)
        assert not (tmp_path / "a" / "b").exists()
    assert tree(tmp_path) == ["a", "a/b", *(f"a/b/{name}" for name in WHOLE)]
    assert is_flowc_directory(tmp_path / "a" / "b")


def test_a_failed_build_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), staged_output(tmp_path / "a" / "b") as folder:
        fill(folder)
        raise ZeroDivisionError
    assert tree(tmp_path) == []


def test_a_failed_build_leaves_the_old_one(tmp_path: Path) -> None:
    with staged_output(tmp_path / "b") as folder:
        fill(folder, "old")
    with pytest.raises(KeyboardInterrupt), staged_output(tmp_path / "b") as folder:
        fill(folder)
        raise KeyboardInterrupt
    assert (tmp_path / "b" / "hls" / "top.cpp").read_text() == "old"
    assert tree(tmp_path) == ["b", *(f"b/{name}" for name in WHOLE)]


def test_an_earlier_build_is_replaced_and_its_leftovers_go(tmp_path: Path) -> None:
    with staged_output(tmp_path / "b") as folder:
        fill(folder, "old")
        (folder / "stale.txt").write_text("")
    with staged_output(tmp_path / "b") as folder:
        fill(folder)
    assert (tmp_path / "b" / "hls" / "top.cpp").read_text() == "new"
    assert tree(tmp_path) == ["b", *(f"b/{name}" for name in WHOLE)]


def edit(folder: Path) -> None:
    (folder / "hls" / "top.cpp").write_text("edited")


def add(folder: Path) -> None:
    (folder / "vivado" / "project").mkdir(parents=True)
    (folder / "vivado" / "project" / "design.bit").write_bytes(b"hours of place and route")


def link(folder: Path) -> None:
    (folder / "data").symlink_to(folder.parent)


def same_length(folder: Path) -> None:
    (folder / "hls" / "top.cpp").write_text("olD")


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (edit, "hls/top.cpp"),
        (add, "vivado/project/design.bit"),
        (link, "data"),
        (same_length, "hls/top.cpp"),
    ],
)
def test_what_was_added_or_changed_since_is_kept(tmp_path: Path, change: Callable[[Path], None], named: str) -> None:
    with staged_output(tmp_path / "b") as folder:
        fill(folder, "old")
    change(tmp_path / "b")
    before = contents(tmp_path / "b")
    message = "holds what flowc did not write, or what was changed since"
    with pytest.raises(UsageError, match=message) as caught, staged_output(tmp_path / "b"):
        pytest.fail("entered")
    assert f"'{named}'" in str(caught.value)
    assert "--force" in str(caught.value)
    assert contents(tmp_path / "b") == before
    with staged_output(tmp_path / "b", force=True) as folder:
        fill(folder)
    assert contents(tmp_path / "b.before-flowc") == before
    assert tree(tmp_path / "b") == WHOLE
    assert (tmp_path / "b" / "hls" / "top.cpp").read_text() == "new"


def test_what_is_changed_while_the_build_runs_is_kept_too(tmp_path: Path) -> None:
    with staged_output(tmp_path / "b") as folder:
        fill(folder, "old")
    with pytest.raises(UsageError, match="was changed meanwhile"), staged_output(tmp_path / "b") as folder:
        fill(folder)
        edit(tmp_path / "b")
    assert (tmp_path / "b" / "hls" / "top.cpp").read_text() == "edited"


def test_compiled_programs_and_caches_keep_no_build(tmp_path: Path) -> None:
    with staged_output(tmp_path / "b") as folder:
        fill(folder, "old")
    for place in ("hls/build", "driver/__pycache__"):
        (tmp_path / "b" / place).mkdir(parents=True)
        (tmp_path / "b" / place / "csim.o").write_bytes(b"made again at any time")
    (tmp_path / "b" / "report.json").unlink()
    with staged_output(tmp_path / "b") as folder:
        fill(folder)
    assert tree(tmp_path / "b") == WHOLE


def test_a_file_that_flowc_wrote_again_is_its_own(tmp_path: Path) -> None:
    with staged_output(tmp_path / "b") as folder:
        fill(folder, "old")
    (tmp_path / "b" / "report.json").write_text(json.dumps({"schema": 1, "flowc": "0.0", "more": 1}))
    assert manifest.altered(tmp_path / "b") == ["report.json"]
    manifest.record(tmp_path / "b", ["report.json"])
    assert manifest.altered(tmp_path / "b") == []


def test_an_earlier_design_without_a_list_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    fill(tmp_path / "b", "old")
    with pytest.raises(UsageError, match="without the list of its files"), staged_output(tmp_path / "b"):
        pytest.fail("entered")
    with staged_output(tmp_path / "b", force=True) as folder:
        fill(folder)
    assert (tmp_path / "b.before-flowc" / "hls" / "top.cpp").read_text() == "old"


def test_other_directories_are_refused_and_with_force_kept_aside(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("years of work")
    with pytest.raises(UsageError) as caught, staged_output(tmp_path / "mine"):
        pytest.fail("entered")
    assert "is not empty and was not written by flowc" in str(caught.value)
    assert caught.value.exit_code == 2
    for number in ("", "-2"):
        (tmp_path / "mine" / "thesis.tex").write_text("years of work")
        for marker in MARKERS:
            (tmp_path / "mine" / marker).unlink(missing_ok=True)
        with staged_output(tmp_path / "mine", force=True) as folder:
            fill(folder)
        assert (tmp_path / f"mine.before-flowc{number}" / "thesis.tex").read_text() == "years of work"
        assert tree(tmp_path / "mine") == WHOLE


@pytest.mark.parametrize("text", ["{}", "[]", "not json", '{"schema": 1}', "[" * 100_000])
def test_a_report_of_another_tool_is_no_marker(tmp_path: Path, text: str) -> None:
    (tmp_path / "report.json").write_text(text)
    assert not is_flowc_directory(tmp_path)


def test_an_empty_directory_and_a_link_may_be_used(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with staged_output(tmp_path / "link") as folder:
        fill(folder)
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real" / "report.json").is_file()


def test_places_that_are_no_output_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "work" / "deeper").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "work" / "deeper")
    cases = {
        tmp_path / "file": "is a file",
        tmp_path / "file" / "b": "cannot be",
        tmp_path / "work": "is the working or home directory or lies above it",
        Path(): "is the working or home directory",
        Path(): "is the working or home directory",
        Path("/proc/flowc-out"): "cannot be written",
        tmp_path / ("n" * 300): "cannot be",
    }
    for path, message in cases.items():
        with pytest.raises(UsageError) as caught, staged_output(path, force=True):
            pytest.fail("entered")
        assert message in str(caught.value)


def test_a_null_byte_in_the_path() -> None:
    with pytest.raises(UsageError, match="is not a usable path"), staged_output("a\0b"):
        pytest.fail("entered")


def test_another_build_that_was_faster_wins(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="was changed meanwhile"), staged_output(tmp_path / "b") as slow:
        fill(slow, "slow")
        with staged_output(tmp_path / "b") as fast:
            fill(fast, "fast")
    assert (tmp_path / "b" / "hls" / "top.cpp").read_text() == "fast"
    assert tree(tmp_path) == ["b", *(f"b/{name}" for name in WHOLE)]


def test_what_a_killed_build_left_is_removed_and_a_running_one_is_not(tmp_path: Path) -> None:
    killed, fresh = tmp_path / ".b.flowc-0123abcd", tmp_path / ".b.flowc-4567abcd"
    for folder in (killed, fresh):
        folder.mkdir()
        (folder / "half").write_text("")
    long_ago = 1_000_000_000
    os.utime(killed, (long_ago, long_ago))
    with staged_output(tmp_path / "b") as running:
        os.utime(running, (long_ago, long_ago))
        assert not killed.exists()
        with pytest.raises(ZeroDivisionError), staged_output(tmp_path / "b"):
            raise ZeroDivisionError
        assert running.exists()
    assert tree(tmp_path) == [".b.flowc-4567abcd", ".b.flowc-4567abcd/half", "b", "b/manifest.json"]


def test_a_full_disk_is_said_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No space left on device"), staged_output(tmp_path / "b") as folder:
        fill(folder)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert tree(tmp_path) == []


@pytest.fixture
def immovable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory that can be filled but not renamed, as a mounted volume is."""
    path = tmp_path / "volume"
    path.mkdir()
    monkeypatch.setattr(Path, "is_mount", lambda self: self == path)
    monkeypatch.setattr(Path, "rename", _rename_except(path, Path.rename))
    return path


def _rename_except(path: Path, rename):
    def guarded(self: Path, target: Path) -> Path:
        if path in (self, target):
            raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))
        return rename(self, target)

    return guarded


def test_a_mounted_volume_is_filled_in_place(immovable: Path) -> None:
    for text in ("old", "new"):
        with staged_output(immovable) as folder:
            fill(folder, text)
            if text == "old":
                (folder / "stale").mkdir()
        assert (immovable / "hls" / "top.cpp").read_text() == text
    assert tree(immovable) == WHOLE


def test_a_mounted_volume_with_other_things_stays_as_it_is(immovable: Path) -> None:
    (immovable / "thesis.tex").write_text("")
    with pytest.raises(UsageError, match="can't be moved aside"), staged_output(immovable, force=True):
        pytest.fail("entered")
    assert tree(immovable) == ["thesis.tex"]
