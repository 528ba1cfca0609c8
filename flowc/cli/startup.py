"""What the command's process need not do: a third of a small build's time."""

from __future__ import annotations

import gc
import sys
from importlib import import_module
from importlib.machinery import PathFinder
from importlib.util import find_spec, module_from_spec
from typing import Any

__all__ = ["collect_seldom", "defer_unused"]

_MORE_OBJECTS = 20_000


def collect_seldom() -> None:
    """Looks for reference cycles once per 20,000 new objects, not 700: importing makes 90,000, which all stay."""
    gc.set_threshold(_MORE_OBJECTS, *gc.get_threshold()[1:])


def defer_unused() -> None:
    """Puts off sympy, with which onnx_ir computes symbolic sizes, and the text forms of protobuf that onnx offers.

    flowc's graphs have no symbolic sizes after import, and its models are binary files.

    For a process that is flowc's own. An import of what is put off gives a module that loads when something is first
    taken from it.
    """
    _defer("sympy")
    import_module("google.protobuf")  # which takes the modules as its attributes
    _defer("google.protobuf.json_format")
    _defer("google.protobuf.text_format")
    _defer("onnx_ir._symbolic_shapes")  # takes functions from sympy as it is imported


def _defer(name: str) -> None:
    package, _, stem = name.rpartition(".")
    parent = find_spec(package) if package else None
    spec = PathFinder.find_spec(name, parent.submodule_search_locations if parent else None)
    if name in sys.modules or spec is None or spec.loader is None:
        return
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
