"""The wheel holds every package and every data file, and works away from the checkout."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

import flowc
from flowc.targets import known_targets

ROOT = Path(__file__).parents[1]
FOLDERS = {"flowc": "flowc", "passes": "flowc/passes", "templates": "flowc/templates"}
SOURCES = [*FOLDERS, "pyproject.toml", "setup.py", "README.md", "LICENSE"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel built from a copy of the sources, so that nothing an earlier build left can slip in."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, source / name)
    (source / "passes" / "__pycache__").mkdir()
    (source / "passes" / "__pycache__" / "old.cpython-311.pyc").write_bytes(b"")
    (source / "templates" / "__pycache__").mkdir()
    (source / "templates" / "__pycache__" / "old.cpython-311.pyc").write_bytes(b"")
    command = [sys.executable, "-c", "from setuptools import build_meta; build_meta.build_wheel('..')"]
    subprocess.run(command, cwd=source, check=True, capture_output=True)
    assert not (source / "build").exists()
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def unpacked(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def test_the_wheel_holds_what_the_folders_hold(wheel: Path, unpacked: Path) -> None:
    source = wheel.parent / "source"
    wanted = {
        f"{place}/{file.relative_to(source / folder)}"
        for folder, place in FOLDERS.items()
        for file in (source / folder).rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }
    held = {str(file.relative_to(unpacked)) for file in unpacked.rglob("*") if file.is_file()}
    assert {name for name in held if ".dist-info/" not in name} == wanted


def test_the_wheel_works_away_from_the_checkout(unpacked: Path, tmp_path: Path) -> None:
    program = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "import importlib.resources, flowc, flowc.passes, flowc.templates, flowc.targets\n"
        "for package in (flowc, flowc.passes, flowc.templates):\n"
        "    assert package.__file__.startswith(sys.argv[1]), package.__file__\n"
        "assert importlib.resources.files('flowc.templates').joinpath('__init__.py').is_file()\n"
        "print(flowc.__version__, len(flowc.targets.known_targets()))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(unpacked)], cwd=tmp_path, check=True, capture_output=True, text=True
    )
    assert done.stdout == f"{flowc.__version__} {len(known_targets())}\n"


def test_the_metadata_says_what_pyproject_says(unpacked: Path) -> None:
    (folder,) = unpacked.glob("*.dist-info")
    metadata = (folder / "METADATA").read_text(encoding="utf-8")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert f"\nVersion: {flowc.__version__}\n" in metadata
    assert "\nRequires-Python: >=3.11\n" in metadata
    assert "\nLicense-Expression: Apache-2.0\n" in metadata
    assert "flowc = flowc.cli:main" in (folder / "entry_points.txt").read_text()
    assert not any(requirement.startswith("torch") for requirement in project["dependencies"])


def test_every_folder_with_code_is_a_package() -> None:
    for folder in ("flowc", "passes"):
        for file in (ROOT / folder).rglob("*.py"):
            assert (file.parent / "__init__.py").is_file(), f"{file.parent} has no __init__.py"


def test_the_core_imports_nothing_that_is_not_a_declared_dependency() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = {re.split(r"[^a-z0-9-]", requirement)[0].replace("-", "_") for requirement in project["dependencies"]}
    imported = {
        module
        for folder in ("flowc", "passes")
        for file in (ROOT / folder).rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        for module in _modules(node)
    }
    declared = {"google" if name == "protobuf" else name for name in declared}
    assert imported - set(sys.stdlib_module_names) - {"flowc"} == declared


def _modules(node: ast.AST) -> list[str]:
    """The top-level modules that a statement imports."""
    if isinstance(node, ast.Import):
        return [alias.name.split(".")[0] for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.module is not None:
        return [node.module.split(".")[0]]
    return []
