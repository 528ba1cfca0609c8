"""The parts of a written project that are synthesized one by one: every unit, and every FIFO, with its ports brought out.

A piece is cut out of the top level as it stands there, so that what is measured is what is simulated.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from flowc.errors import UsageError, shown

__all__ = ["PROBE", "Piece", "cut"]

PROBE = "flowc_probe"
"""Name of the module around a piece."""

_INSTANCE = re.compile(r"^  (flowc_\w+) #\((.*?)\) (u|fifo)_(\w+) \((.*?)\);$", re.DOTALL | re.MULTILINE)
_WIRE = re.compile(r"(?:logic|input logic|output logic) (?:\[(\d+):0\] )?([^;,()]+(?:, [^;,()]+)*)[;,\n]")
_CONNECTION = re.compile(r"\.(\w+)(?:\(([^()]*(?:\[[^\]]*\])?[^()]*)\))?")
_NAME = re.compile(r"[A-Za-z_]\w*")
_MODULE = re.compile(r"\bflowc_\w+")
_COMMENT = re.compile(r"//[^\n]*")
_DRIVEN = ("in_ready", "weights_ready", "out_data", "out_valid", "out_last")
"""Ports of a unit that it drives."""


@dataclass(frozen=True)
class Piece:
    """A unit or a FIFO.

    Attributes:
        name: of the instance, without its prefix: that of the unit in the top level, or of the stream.
        is_fifo: whether it is the FIFO of a stream.
        module: what it is an instance of.
        text: a module `PROBE` around the instance.
        digest: hash of all that decides what becomes of it: text, the sources of the modules in it, contents of memories.
    """

    name: str
    is_fifo: bool
    module: str
    text: str
    digest: str


def cut(folder: Path) -> tuple[list[Piece], list[str]]:
    """The pieces of the project in ``folder``, and its source files besides the top level, in order.

    Raises:
        UsageError: the folder holds no SystemVerilog project.
    """
    try:
        files = (folder / "files.f").read_text(encoding="utf-8").split()
        top = (folder / files[-1]).read_text(encoding="utf-8")
        sources = files[:-1]
        library = {Path(name).stem: _COMMENT.sub("", (folder / name).read_text(encoding="utf-8")) for name in sources}
    except (OSError, IndexError, UnicodeDecodeError) as error:
        raise UsageError(
            f"'{shown(str(folder))}' holds no SystemVerilog project: {error}",
            remedy="Build one with: flowc build MODEL --target NAME --backend rtl",
        ) from error
    widths = {name: width for width, name in _wires(top)}
    pieces = []
    for match in _INSTANCE.finditer(top):
        module, parameters, prefix, name, ports = match.groups()
        text = _probe(module, parameters, ports, widths)
        below = "\0".join(library[used] for used in sorted(_used(module, library)))
        pieces.append(Piece(name, prefix == "fifo", module, text, _digest(text, parameters, below, folder)))
    return pieces, sources


def _used(module: str, library: Mapping[str, str]) -> set[str]:
    """The module and all that are in it."""
    found: set[str] = set()
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name not in found and name in library:
            found.add(name)
            waiting += _MODULE.findall(library[name])
    return found


def _wires(top: str) -> Iterator[tuple[int, str]]:
    for high, names in _WIRE.findall(top):
        for name in names.split(","):
            yield (int(high) + 1 if high else 1), name.strip()


def _probe(module: str, parameters: str, ports: str, widths: dict[str, int]) -> str:
    """A module with a port for every wire that the instance is joined to."""
    declared: dict[str, str] = {}
    for port, expression in _CONNECTION.findall(ports):
        for name in _NAME.findall(expression or (port if f".{port}(" not in ports else "")):
            if name in widths or name in ("ap_clk", "rst"):
                direction = "output" if port in _DRIVEN else "input"
                declared[name] = f"    {direction} logic [{widths.get(name, 1) - 1}:0] {name}"
    listed = ",\n".join(declared.values())
    return f"module {PROBE} (\n{listed}\n);\n  {module} #({parameters}) piece ({ports});\nendmodule\n"


def _digest(text: str, parameters: str, below: str, folder: Path) -> str:
    found = hashlib.sha256(below.encode())
    for name in re.findall(r'"(data/[^"]+)"', parameters):
        for path in sorted(folder.glob(f"{name}*")):  # one file, or one for every lane
            found.update(path.read_bytes())
        text = text.replace(name, "memory")
    # Names of wires say nothing of the hardware.
    for number, name in enumerate(dict.fromkeys(re.findall(r"\] (\w+)", text))):
        text = re.sub(rf"\b{re.escape(name)}\b", f"w{number}", text)
    found.update(text.encode())
    return found.hexdigest()[:32]
