"""A project's SystemVerilog as slang elaborates it."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def elaborated(folder: Path) -> tuple[Any, Any]:
    """The sources in ``folder/files.f`` as pyslang's ``Compilation``, and its driver: symbols live no longer than these."""
    driver = importlib.import_module("pyslang.driver").Driver()
    driver.addStandardArgs()
    sources = [folder / name for name in (folder / "files.f").read_text(encoding="utf-8").split()]
    assert driver.parseCommandLine(" ".join(["slang", *(f'"{source}"' for source in sources)]))
    assert driver.processOptions()
    assert driver.parseAllSources()
    compilation = driver.createCompilation()
    return compilation, driver


def instances(folder: Path, module: str) -> Iterator[Any]:
    """Every instance of a module (pyslang's ``InstanceSymbol``), to be looked at while they are iterated over."""
    pyslang, found = importlib.import_module("pyslang"), []
    compilation, _driver = elaborated(folder)

    def visit(symbol: Any) -> None:
        if isinstance(symbol, pyslang.ast.InstanceSymbol) and symbol.definition.name == module:
            found.append(symbol)

    compilation.getRoot().visit(visit)
    yield from found


def text_of(instance: Any, parameter: str) -> str:
    """A parameter of an instance that is a string."""
    return str(instance.body.find(parameter).value.convertToStr().value).strip('"').lstrip("\0")
