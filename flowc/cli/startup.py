"""What the command's process need not do: a third of a small build's time."""

from __future__ import annotations

import atexit
import gc
import sys
from importlib import import_module
from importlib.machinery import PathFinder
from importlib.util import find_spec, module_from_spec
from pathlib import Path
from typing import Any

__all__ = ["collect_seldom", "defer_unused"]

_MORE_OBJECTS = 100_000


def collect_seldom() -> None:
    """Looks for reference cycles once per 100,000 new objects, not 700, and not when the process ends.

    Importing makes 90,000, which all stay; at the end Python would go through everything several times, to free what the
    process gives back anyhow.
    """
    gc.set_threshold(_MORE_OBJECTS, *gc.get_threshold()[1:])
    atexit.register(gc.freeze)


def defer_unused() -> None:
    """Puts off what the libraries of models import, and builds do not use.

    That is sympy, with which onnx_ir computes symbolic sizes, and what orders versions; the text forms of protobuf that
    onnx offers, and protobuf's messages in Python, which those in C replace; what onnx offers to edit, print and convert models;
    and the reader of packages' metadata, which loads a parser of mail for onnx to learn its own version.

    For a process that is flowc's own. An import of what is put off gives a module that loads when something is first
    taken from it.
    """
    _defer("sympy")
    _defer("packaging.version")
    import_module("google.protobuf.internal")  # which takes the modules as its attributes, as its package does
    _defer("google.protobuf.internal.python_message")
    _defer("google.protobuf.json_format")
    _defer("google.protobuf.text_format")
    for name in ("compose", "gen_proto", "parser", "printer", "utils", "version_converter"):
        _defer(f"onnx.{name}")
    _defer("onnx_ir._symbolic_shapes")  # takes functions from sympy as it is imported
    if _defer("importlib.metadata"):
        sys.modules["importlib.metadata"].__dict__["version"] = _version


def _version(distribution: str) -> str:
    """The version of a package, from the name of its metadata's folder where there is one."""
    folders = (found for path in sys.path for found in Path(path).glob(f"{distribution}-*.dist-info"))
    if (folder := next(folders, None)) is not None:
        return folder.stem.rpartition("-")[2]
    metadata = sys.modules["importlib.metadata"]
    if vars(metadata).get("version") is _version:  # not loaded yet
        del metadata.__dict__["version"]
    return str(metadata.version(distribution))


def _defer(name: str) -> bool:
    """Lets a module load when something is first taken from it; False where it is loaded already, or missing."""
    package, _, stem = name.rpartition(".")
    parent = find_spec(package) if package else None
    spec = PathFinder.find_spec(name, parent.submodule_search_locations if parent else None)
    if name in sys.modules or spec is None or spec.loader is None:
        return False
    module = module_from_spec(spec)
    execute = spec.loader.exec_module

    def load(attribute: str) -> Any:
        del module.__dict__["__getattr__"]
        execute(module)
        return getattr(module, attribute)

    module.__dict__["__getattr__"] = load
    sys.modules[name] = module
    if package in sys.modules:
        setattr(sys.modules[package], stem, module)
    return True
