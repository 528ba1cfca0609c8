"""The driver of a loopback design: commands, weights, and the processor's steps around the engine's runs.

Its numpy fallback executes the commands itself. It is `flowc.loopback.execute` with what that stands on, copied: there is one definition
of the engine, and the folder needs nothing but numpy.
"""

from __future__ import annotations

import importlib.resources
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from flowc.backends.driver import about_host, npz_bytes, write_package
from flowc.backends.render import commented, copied, render
from flowc.backends.vivado_loopback import why_engine_only
from flowc.loopback.hoststeps import host_program
from flowc.loopback.program import Program
from flowc.loopback.registers import CELL, REGISTERS
from flowc.targets import Target

__all__ = ["generate_loopback_driver", "standalone"]

_SCRIPTS = ("engine.py", "hoststeps.py", "loopback.py", "places.py")
_COPIES = {"machine": "execute", "results": "results", "descriptors": "descriptors", "formats": "formats"}
"""Module of the driver -> module of ``flowc.loopback`` that it is a copy of."""


def generate_loopback_driver(
    program: Program,
    out: Path,
    *,
    target: Target,
    header: str,
    results: Mapping[str, str],
    host: Mapping[str, bytes] | None = None,
) -> None:
    """Writes the driver of a loopback design; arguments as for `flowc.backends.driver.generate_driver`.

    Raises:
        UsageError: a file can't be written.
    """
    steps = host_program(program)
    graph = program.graph
    types = ("bits", "signed", "bipolar")
    described: dict[str, Any] = {
        "name": graph.name,
        "device": "loopback",
        "emulator": "loopback",
        "package": "pynq",
        "bitfile": "design.bit",
        "entries": [u.tensor for u in graph.inputs],
        "inputs": [
            {"tensor": u.tensor, "shape": list(u.tensor_shape[1:]), "value": value}
            | {name: getattr(u.frame.dtype, name) for name in types}
            for u, value in zip(graph.inputs, steps.inputs, strict=True)
        ],
        "outputs": [
            {"tensor": u.tensor, "shape": list(u.tensor_shape[1:]), "value": value}
            for u, value in zip(graph.outputs, steps.outputs, strict=True)
        ],
        "results": [[name, str(np.dtype(dtype))] for name, dtype in results.items()],
        "engine": program.engine.as_dict(),
        "batch": program.batch,
        "stripes": program.stripes,
        "weight_bytes": len(program.weights),
        "memory_bytes": max(program.memory.size, len(program.weights)),
        "registers": REGISTERS,
        "steps": steps.steps,
    }
    texts = {name: copied(f"loopback/driver/{name}", header, "#") for name in _SCRIPTS}
    texts |= {f"{name}.py": commented(header, "#") + standalone(source) for name, source in _COPIES.items()}
    readme = about_host(graph.name, host, target) | {"described": described, "engine": program.engine}
    readme |= {"cell": CELL, "no_board": why_engine_only(target)}
    texts["README.md"] = render("loopback/driver/README.md.j2", **readme)
    files = {
        "descriptors.bin": program.table.astype("<u4").tobytes(),
        "weights.bin": program.weights.tobytes(),
        "steps.npz": npz_bytes(steps.arrays),
    }
    write_package(out, described, texts, files | dict(host or {}), header)


def standalone(module: str) -> str:
    """The text of a module of ``flowc.loopback`` for a folder of its own, and for Python 3.8."""
    text = importlib.resources.files("flowc.loopback").joinpath(f"{module}.py").read_text(encoding="utf-8")
    for name, source in _COPIES.items():
        text = re.sub(rf"^from flowc\.loopback\.{source} import", f"from .{name} import", text, flags=re.MULTILINE)
    text = text.replace("from flowc.loopback.engine import", "from .engine import")
    # Types of arrays stand in annotations only, which nothing evaluates.
    text = text.replace("from flowc.units.base import Array\n", "from typing import Any as Array\n")
    # All fields of descriptors have defaults, and are named wherever one is made.
    return text.replace(", kw_only=True)", ")")
