"""What the pages say holds: their links lead somewhere, and the quick start of the README runs as it stands."""

from __future__ import annotations

import inspect
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from flowc.backends import render
from flowc.backends.hls.writers import WRITERS
from flowc.backends.rtl.writers import WRITERS as RTL_WRITERS
from flowc.units import UNITS

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/**/*.md"), ROOT / "build" / "README.md"]
)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if not link.startswith(("http://", "https://", "#", "mailto:")):
            assert (page.parent / link.split("#")[0]).exists(), link


def test_the_quick_start_runs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    (program,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    monkeypatch.chdir(ROOT)
    exec(compile(program, "README.md", "exec"), {})
    accuracy = float(capsys.readouterr().out.split()[-1])
    assert accuracy >= 0.97


BLOCK = re.compile(r"^```(python|jinja|systemverilog)(?: title=\"([^\"]+)\")?\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def prepare_ci(folder: Path) -> None:
    """What the CI job of docs/ci.md has built before."""
    (folder / "accelerator").mkdir()
    (folder / "accelerator" / "report.json").write_text('{"csim": {"mismatches": 0}, "latency_ms": 1.5}')
    shutil.copy(ROOT / "examples" / "digits" / "digits_cnn_w4a4.onnx", folder / "model.onnx")
    shutil.copy(ROOT / "examples" / "digits" / "digits_test.npz", folder / "validation.npz")


def prepare_explore(folder: Path) -> None:
    """The model that docs/explore.md speaks of."""
    shutil.copy(ROOT / "examples" / "digits" / "digits_cnn_w4a4.onnx", folder / "net.onnx")


def prepare_tutorial(folder: Path) -> None:
    """The model and the test set that docs/tutorial.md speaks of."""
    prepare_explore(folder)
    shutil.copy(ROOT / "examples" / "digits" / "digits_test.npz", folder / "test.npz")


PREPARED = {
    "ci.md": prepare_ci,
    "explore.md": prepare_explore,
    "integration.md": prepare_explore,
    "files.md": prepare_explore,
    "adding-a-backend.md": prepare_explore,
    "tutorial.md": prepare_tutorial,
}


@pytest.fixture
def registries() -> Iterator[None]:
    """Units that a page registers are forgotten afterwards."""
    saved = [(registry, dict(registry)) for registry in (UNITS, WRITERS, RTL_WRITERS)]
    yield
    for registry, entries in saved:
        registry.clear()
        registry.update(entries)


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[dict[str, str]], None]]:
    """Adds templates, by their path below templates/, for the time of a test."""
    source = render._source

    def install(given: dict[str, str]) -> None:
        monkeypatch.setattr(render, "_source", lambda name: given[name] if name in given else source(name))
        render._environment.cache_clear()

    yield install
    render._environment.cache_clear()


@pytest.mark.slow
@pytest.mark.usefixtures("registries")
@pytest.mark.parametrize("page", [p for p in PAGES if p.parent == ROOT / "docs"], ids=lambda page: page.name)
def test_the_code_of_a_page_runs(
    page: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    installed: Callable[[dict[str, str]], None],
) -> None:
    """Python blocks run in their order, in one namespace; Jinja and SystemVerilog blocks are installed as the template they name.

    Tests that a page defines are run, too.
    """
    blocks = BLOCK.findall(page.read_text(encoding="utf-8"))
    if not any(language == "python" for language, _, _ in blocks):
        pytest.skip("no Python on this page")
    installed(
        {title.removeprefix("templates/"): text for language, title, text in blocks if language != "python" and title}
    )
    PREPARED.get(page.name, lambda folder: None)(tmp_path)
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, object] = {"__name__": page.stem}
    for language, title, text in blocks:
        if language == "python":
            exec(compile(text, title or page.name, "exec", dont_inherit=True), namespace)
    for name, function in list(namespace.items()):
        if name.startswith("test_") and callable(function):
            wanted = inspect.signature(function).parameters
            assert set(wanted) <= {"tmp_path"}, f"{name} wants fixtures that this test does not have"
            (tmp_path / name).mkdir()
            function(**dict.fromkeys(wanted, tmp_path / name))
