"""Files, symbols and schema keys that the pages name exist, and every key that flowc writes is described."""

from __future__ import annotations

import dataclasses
import importlib
import json
import pkgutil
import re
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import click
import numpy as np
import pytest

import flowc
from flowc.cli.commands import cli
from flowc.streamline.pipeline import STREAMLINE
from flowc.targets import Target
from flowc.units import ACTIVATIONS, UNITS
from flowc.units.graph import Stream
from tests.netbuild import Net

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [*sorted(DOCS.glob("*.md")), ROOT / "README.md"]
FOLDERS = ("flowc", "passes", "templates", "tests", "examples", "docs", "benchmarks")


def text_of(page: Path) -> str:
    """A page without its code blocks."""
    return re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)


def ticked(text: str) -> list[str]:
    """What stands between backticks."""
    return re.findall(r"`([^`\n]+)`", text)


def slug(heading: str) -> str:
    """The anchor that GitHub gives a heading."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_anchors_exist(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", text_of(page)):
        if link.startswith(("http://", "https://", "mailto:")):
            continue
        file, _, anchor = link.partition("#")
        target = page if not file else page.parent / file
        assert target.exists(), link
        if anchor:
            assert anchor in {slug(h) for h in re.findall(r"^#+ (.*)$", text_of(target), re.MULTILINE)}, link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_named_files_exist(page: Path) -> None:
    # Pages that walk through an addition invent files: those that they give as titles of blocks, and their tests.
    invented = [
        Path(t).stem.split(".")[0] for t in re.findall(r'^```\w+ title="([^"]+)"', page.read_text(), re.MULTILINE)
    ]
    for name in ticked(text_of(page)):
        if not re.fullmatch(rf"({'|'.join(FOLDERS)})/[\w./*-]*", name) or re.search(r"\b[A-Z]{4,}\b", name):
            continue
        if any(stem in name for stem in invented):
            continue
        assert list(ROOT.glob(name.rstrip("/"))), f"{page.name} names {name}"


@cache
def modules() -> tuple[ModuleType, ...]:
    names = [m.name for m in pkgutil.walk_packages(flowc.__path__, "flowc.") if not m.name.endswith("__main__")]
    passes = [f"flowc.passes.{p.stem}" for p in sorted((ROOT / "passes").glob("[a-z]*.py"))]
    return tuple(importlib.import_module(n) for n in sorted({*names, *passes}) if not n.startswith("flowc.templates"))


def has(owner: Any, attribute: str) -> bool:
    fields = {f.name for f in dataclasses.fields(owner)} if dataclasses.is_dataclass(owner) else set()
    return hasattr(owner, attribute) or attribute in fields or attribute in getattr(owner, "__annotations__", {})


def resolves(name: str) -> bool:
    """Whether a dotted name is a module, or something in one."""
    parts = name.split(".")
    for cut in range(len(parts), 0, -1):
        try:
            found: Any = importlib.import_module(".".join(parts[:cut]))
        except ModuleNotFoundError:
            continue
        for part in parts[cut:]:
            if not has(found, part):
                return False
            found = getattr(found, part, None)
        return True
    return False


def options_of(command: click.Command) -> set[str]:
    """Every option of a command and of those below it."""
    own = {name for p in command.params if isinstance(p, click.Option) for name in (*p.opts, *p.secondary_opts)}
    below = command.commands.values() if isinstance(command, click.Group) else ()
    return own.union(*map(options_of, below))


@cache
def known_options() -> set[str]:
    """Options of flowc and of its modules that are run, and those of the scripts and drivers that it writes."""
    files = [*(p for p in (ROOT / "templates").rglob("*") if p.is_file()), *(ROOT / "flowc").rglob("__main__.py")]
    written = (p.read_text(encoding="utf-8", errors="ignore") for p in files)
    return options_of(cli) | {"--help"} | {o for text in written for o in re.findall(r"(?<![\w-])--[a-z][a-z-]+", text)}


@pytest.mark.parametrize(
    "page", [*PAGES, *ROOT.glob("examples/*/README.md")], ids=lambda p: f"{p.parent.name}/{p.name}"
)
def test_named_options_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    said = [*re.findall(r"`(--[a-z][^`\n]*)`", text), *re.findall(r"^flowc .*", text, re.MULTILINE)]
    named = {option for line in said for option in re.findall(r"(?<![\w-])--[a-z][a-z-]+", line)}
    assert named <= known_options(), f"{page.name} names {sorted(named - known_options())}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_named_symbols_exist(page: Path) -> None:
    files = {path.name for folder in FOLDERS for path in (ROOT / folder).rglob("*.*")}
    for name in ticked(text_of(page)):
        name = name.split("(")[0]
        if re.fullmatch(r"flowc(\.\w+)+", name):
            assert resolves(name), f"{page.name} names {name}"
        elif re.fullmatch(r"[A-Z][A-Za-z]*[a-z]\w*\.\w+", name) and name not in files:
            owner, attribute = name.split(".")
            owners = [getattr(m, owner) for m in modules() if hasattr(m, owner)]
            assert any(has(o, attribute) for o in owners), f"{page.name} names {name}"


def test_the_index_links_every_page() -> None:
    linked = set(re.findall(r"\]\(([\w-]+\.md)\)", (DOCS / "index.md").read_text(encoding="utf-8")))
    assert linked == {page.name for page in DOCS.glob("*.md")} - {"index.md"}


def test_the_list_of_passes_is_the_pipelines() -> None:
    described = re.findall(r"^\| `(\w+)` \|", section(DOCS / "architecture.md", "The passes"), re.MULTILINE)
    assert described == [step.name for group in STREAMLINE for step in group]


def section(page: Path, heading: str) -> str:
    """What stands under a heading, to the next of the same level."""
    match = re.search(rf"^## {re.escape(heading)}$(.*?)(?=^## |\Z)", text_of(page), re.DOTALL | re.MULTILINE)
    assert match is not None, heading
    return match.group(1)


def rows(text: str) -> list[list[str]]:
    """The cells of every row of the tables in a text, headings left out."""
    lines = [line for line in text.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def keys(page: str, heading: str) -> list[str]:
    """The keys that a section's table describes."""
    return [key for row in rows(section(DOCS / page, heading)) for key in ticked(row[0])]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A design with a residual sum, pools and a tail."""
    net = Net([1, 2, 8, 8])
    x = net.quant(net.x, 0.1, bits=4)
    a = net.quant(net.relu(net.bn(net.conv(x, 2, 4, pads=[1, 1, 1, 1]), 4)), 0.2, bits=4, signed=False)
    b = net.quant(net.relu(net.conv(a, 4, 4, pads=[1, 1, 1, 1])), 0.2, bits=4, signed=False)
    y = net.quant(net.add(a, b), 0.3, bits=4, signed=False)
    out = tmp_path_factory.mktemp("docs") / "out"
    flowc.build(net.model(net.linear(net.flatten(net.maxpool(y)), 4 * 16, 3)), target="ultra96", output=out)
    return out


def test_report_keys_are_described(built: Path) -> None:
    report = json.loads((built / "report.json").read_text())
    page = "report-json.md"
    assert sorted(keys(page, "Top level")) == sorted(report)
    for heading in ("layers", "fifos"):
        assert {tuple(sorted(keys(page, f"`{heading}`")))} == {tuple(sorted(entry)) for entry in report[heading]}
    for heading in ("certificate", "verification"):
        assert sorted(keys(page, f"`{heading}`")) == sorted(report[heading])
    meaning = {key: " ".join(row[1:]) for row in rows(section(DOCS / page, "Top level")) for key in ticked(row[0])}
    for key in ("model", "resources", "seconds"):
        assert set(report[key]) <= set(ticked(meaning[key])), key
    assert set(report["available"]) == set(report["resources"])


@pytest.mark.slow
def test_csim_keys_are_described(tmp_path: Path) -> None:
    net = Net([1, 4])
    x = net.quant(net.x, 0.1, bits=4)
    model = net.model(net.quant(net.linear(x, 4, 2), 0.2, bits=4))
    report = flowc.build(model, target="ultra96", output=tmp_path / "out", csim=True).report
    assert sorted(keys("report-json.md", "`csim`")) == sorted(report["csim"])
    assert set(report["seconds"]) <= set(ticked((DOCS / "report-json.md").read_text()))


def test_design_keys_are_described(built: Path) -> None:
    document = json.loads((built / "design.json").read_text())
    page = "design-json.md"
    assert sorted({*keys(page, "Top level")} - {"engine", "batch"}) == sorted(document)  # those two are loopback's
    assert {tuple(sorted(keys(page, "Streams")))} == {tuple(sorted(s)) for s in document["streams"]}
    assert sorted(keys(page, "Streams")) == sorted(f.name for f in dataclasses.fields(Stream))
    assert set(document["target"]) <= set(ticked((DOCS / "adding-a-target.md").read_text()))
    assert set(document["target"]) == {f.name for f in dataclasses.fields(Target)}
    stored = {
        name for key in ("tensors", "ports") for entry in document[key].values() for name in [entry["order"]] if name
    }
    for kind, key in (("accumulator", "accumulators"), ("sum", "sums")):
        stored |= {f"{kind}.{i}.{part}" for i, _ in enumerate(document[key]) for part in ("scale", "zero", "error")}
    stored |= {f"window.{i}.{part}" for i, _ in enumerate(document["windows"]) for part in ("low", "high")}
    arrays = set(re.findall(r'"array": "([^"]+)"', json.dumps(document)))
    with np.load(built / "weights.npz") as file:
        assert set(file.files) == stored | arrays


def test_the_fields_of_every_unit_and_activation_are_described() -> None:
    described: dict[str, list[str]] = {}
    for row in rows(section(DOCS / "design-json.md", "Units")):
        for kind in ticked(row[0]):
            described[kind] = ticked(row[1])
    for kind, cls in {**UNITS, **ACTIVATIONS}.items():
        names = [
            f.name
            for f in dataclasses.fields(cls)
            if f.name not in ("name", "origin", "overlap", "structure", "domain")
        ]
        assert sorted(described.pop(kind)) == sorted(names), kind
    assert not described
