"""Compiling the kernels: the cache folder, what is trusted in it, failures, and that a wrong library is not used."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from flowc import kernels
from flowc.cli.commands import cli
from flowc.dataflow import emulator
from flowc.dataflow.native import Plan, run_plan
from flowc.errors import UsageError
from flowc.kernels import library, selftest
from flowc.kernels.build import KernelsUnavailableError, library_path
from tests.units.test_graph import diamond


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and a compiler that writes "made" to its output and a line to a log for every file that it compiles."""
    script = tmp_path / "compiler"
    script.write_text(
        '#!/bin/sh\ncase "$1" in --version) echo fake 1.0; exit;; esac\n'
        f'echo run >> {tmp_path}/log\nwhile [ "$1" != -o ]; do shift; done\necho made > "$2"\n'
    )
    script.chmod(0o755)
    monkeypatch.setenv("CXX", str(script))
    monkeypatch.setenv("FLOWC_CACHE", str(tmp_path / "cache"))
    return tmp_path


def runs(cache: Path) -> int:
    log = cache / "log"
    return len(log.read_text().splitlines()) if log.exists() else 0


def take(path: Path) -> None:
    """Accepts anything."""


def test_compiled_once_and_private(cache: Path) -> None:
    first = library_path(take)
    assert library_path(take) == first
    assert runs(cache) == 1
    assert first.parent.stat().st_mode & 0o777 == 0o700
    assert first.stat().st_mode & 0o777 == 0o600
    assert {p.suffix for p in first.parent.iterdir() if p.name != "lock"} == {".so", ".sha256"}


def test_another_compiler_or_flag_makes_another_library(cache: Path) -> None:
    first = library_path(take)
    assert library_path(take, flags=("-DFLOWC_PORTABLE",)) != first
    script = cache / "compiler"
    script.write_text(script.read_text().replace("1.0", "2.0"))
    assert library_path(take) != first
    assert runs(cache) == 3


def test_folders_that_others_can_reach_are_refused(cache: Path) -> None:
    folder = cache / "cache" / "kernels"
    folder.mkdir(parents=True, mode=0o755)
    folder.chmod(0o755)
    with pytest.raises(KernelsUnavailableError, match="belongs to this user alone"):
        library_path(take)
    folder.rmdir()
    (cache / "elsewhere").mkdir(mode=0o700)
    folder.symlink_to(cache / "elsewhere")
    with pytest.raises(KernelsUnavailableError, match="belongs to this user alone"):
        library_path(take)
    assert runs(cache) == 0


def test_libraries_that_others_could_have_written_are_not_loaded(cache: Path) -> None:
    path = library_path(take)
    path.chmod(0o666)
    library_path(take)
    assert runs(cache) == 2
    other = cache / "other.so"
    other.write_text("planted")
    path.unlink()
    path.symlink_to(other)
    assert library_path(take).read_text() == "made\n"
    assert not path.is_symlink()
    assert other.read_text() == "planted"


def test_failures_are_remembered(cache: Path) -> None:
    script = cache / "compiler"
    script.write_text(script.read_text().replace('echo made > "$2"', "echo 'k.cpp: error: no' >&2; exit 1"))
    for _ in range(2):
        with pytest.raises(KernelsUnavailableError, match="the compiler failed: k.cpp: error: no"):
            library_path(take)
    assert runs(cache) == 1


def test_failures_are_tried_again_after_a_day(cache: Path) -> None:
    """A full disk, say, is none any more; until then the message names the file that stands for the failure."""
    script = cache / "compiler"
    working = script.read_text()
    script.write_text(working.replace('echo made > "$2"', "echo 'error: no room' >&2; exit 1"))
    with pytest.raises(KernelsUnavailableError, match="no room"):
        library_path(take)
    script.write_text(working)
    (refused,) = (cache / "cache" / "kernels").glob("*.refused")
    with pytest.raises(KernelsUnavailableError, match=f"no room .*not repeated while '{refused}' is there"):
        library_path(take)
    before = time.time() - 25 * 3600
    os.utime(refused, (before, before))
    assert library_path(take).read_text() == "made\n"


@pytest.mark.parametrize("damage", [b"", b"mad", b"mbde\n"])
def test_a_damaged_library_is_compiled_again(cache: Path, damage: bytes) -> None:
    """One that a crash cut short would end the process that loads it."""
    path = library_path(take)
    path.write_bytes(damage)
    assert library_path(take).read_text() == "made\n"
    assert runs(cache) == 2
    path.with_suffix(".sha256").write_bytes(b"\xff")
    assert library_path(take).read_text() == "made\n"
    assert runs(cache) == 3
    path.unlink()
    path.mkdir()
    assert library_path(take).read_text() == "made\n"


def test_a_library_that_is_there_needs_no_lock(cache: Path) -> None:
    """In an image, say, that is mounted read-only."""
    path = library_path(take)
    lock = path.with_name("lock")
    lock.unlink()
    lock.symlink_to("elsewhere")
    assert library_path(take) == path
    path.unlink()
    with pytest.raises(KernelsUnavailableError, match="kernels' can't be used"):
        library_path(take)


@pytest.mark.parametrize("words", ["env {}", "'{}' -DX='a b'"])
def test_a_compiler_of_several_words(cache: Path, monkeypatch: pytest.MonkeyPatch, words: str) -> None:
    script = cache / "compiler"
    plain = library_path(take)
    script.write_text(script.read_text().replace("#!/bin/sh\n", '#!/bin/sh\n[ "$1" = "-DX=a b" ] && shift\n'))
    monkeypatch.setenv("CXX", words.format(script))
    assert library_path(take) != plain
    monkeypatch.setenv("CXX", "g++ '")
    with pytest.raises(KernelsUnavailableError, match="no C\\+\\+ compiler was found \\(g\\+\\+ '\\)"):
        library_path(take)


def test_a_library_that_computes_wrongly_is_not_kept(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> None:
        raise KernelsUnavailableError("wrong")

    with pytest.raises(KernelsUnavailableError, match="wrong"):
        library_path(refuse)
    assert not list((cache / "cache" / "kernels").glob("*.so"))


def test_the_self_test_finds_a_wrong_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    path = Path(kernels.load().handle._name)
    selftest.accept(path)
    right = library.Library.run

    def wrong(self: library.Library, program: library.Operation, *rest: object) -> None:
        right(self, program, *rest)  # type: ignore[arg-type]
        if program[0].kind == library.OperationKind.LOOKUP:  # type: ignore[index]
            rest[1][program[0].out] ^= 1  # type: ignore[index]

    monkeypatch.setattr(library.Library, "run", wrong)
    with pytest.raises(KernelsUnavailableError, match="'lookup' computes wrongly"):
        selftest.accept(path)


def test_without_a_compiler_numpy_steps_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "flowc.kernels.loading._loaded", lambda: KernelsUnavailableError("no C++ compiler was found (g++ or clang++)")
    )
    x = np.arange(16).reshape(2, 1, 2, 4)
    assert emulator.emulate(diamond(), {"in": x})["out"].shape == (2, 1, 2, 4)
    with pytest.raises(UsageError, match="no C\\+\\+ compiler was found"):
        emulator.emulate(diamond(), {"in": x}, emulator="native")


def test_no_compiler_no_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FLOWC_CACHE", str(tmp_path / "file"))
    (tmp_path / "file").write_text("")
    with pytest.raises(KernelsUnavailableError, match="can't be made"):
        library_path(take)
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(KernelsUnavailableError, match="no C\\+\\+ compiler was found \\(no-such-compiler\\)"):
        library_path(take)


def test_values_outside_of_their_types_are_left_to_numpy() -> None:
    x = np.arange(16).reshape(2, 1, 2, 4) * 100
    wanted = emulator.emulate(diamond(), {"in": x}, emulator="numpy")["out"]
    np.testing.assert_array_equal(emulator.emulate(diamond(), {"in": x}, emulator="native")["out"], wanted)


def test_the_command_line_takes_the_paths_names(tmp_path: Path) -> None:
    result = CliRunner().invoke(cli, ["verify", str(tmp_path), "--emulator", "fast"])
    assert result.exit_code == 2
    assert "'numpy', 'native'" in result.output


@pytest.mark.slow
def test_the_portable_kernels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What machines without any of the known instruction sets get: the same sums, by other vectors."""
    monkeypatch.setenv("FLOWC_CACHE", str(tmp_path))
    found = library.open_library(library_path(selftest.accept, flags=("-DFLOWC_PORTABLE", "-O1")))
    assert found.lanes == 4
    assert found.int16_sums
    from tests.dataflow.native import test_units as units

    rng = np.random.default_rng(4)
    for kind in ("mvtu", "vvtu", "join", "activate", "pool"):
        graph = units.side_by_side([units.MAKERS[kind](rng, f"u{i}") for i in range(10)])
        frames = {u.name: units.integers(rng, u.frame.dtype, (3, *u.frame.shape)) for u in graph.inputs}
        plan = Plan(graph, found)
        wanted = units.outputs(graph, frames)
        for name, values in run_plan(plan, frames).items():
            np.testing.assert_array_equal(values, wanted[name])
    from tests.loopback import test_network as engines

    monkeypatch.setattr(kernels, "load", lambda: found)
    engines.test_kernels_compute_any_words_as_numpy("residual", 20)
