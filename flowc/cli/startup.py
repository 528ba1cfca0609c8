"""What the command's process need not load: a third of a small build's time."""

from __future__ import annotations

import sys
from importlib.machinery import PathFinder
from importlib.util import find_spec, module_from_spec
from typing import Any

__all__ = ["defer_unused"]


def defer_unused() -> None:
    """Puts off sympy, with which onnx_ir computes symbolic sizes: flowc's graphs have none after import.

    For a process that is flowc's own. An import of what is put off gives a module that loads when something is first
    taken from it.
    """
    _defer("sympy")
    _defer("onnx_ir._symbolic_shapes")  # takes functions from sympy as it is imported


def _defer(name: str) -> None:
    package = name.rpartition(".")[0]
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
