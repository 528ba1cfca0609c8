"""Proofs of the SystemVerilog library by induction, with yosys and ABC as the Python package pyosys carries them.

A harness (``*.sv`` in this folder) joins a module to arbitrary inputs and sets an output where a beat is lost, doubled, reordered or
invented. Yosys turns both into a circuit whose registers begin with any value, but for those of the reset. Of most modules ABC's property
directed reachability (A. Bradley, VMCAI 2011; N. Een, A. Mishchenko, R. Brayton, FMCAD 2011) then finds an inductive invariant in which
no such output is set, and checks it, or a run in which one is. Nothing of that knows the modules' registers, so that they may
change. Where the invariant is too large to be found, the harness states it (outputs ``hint_*``), and yosys proves it by induction
(M. Sheeran, S. Singh, G. Stalmarck, FMCAD 2000) together with what is required.

Nothing of flowc is imported here: ``python prove.py FOLDER`` proves the modules in FOLDER (``templates/rtl``, or ``rtl`` of a project).
"""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["PROOFS", "Proof", "faults"]

HERE = Path(__file__).resolve().parent
_SECONDS = 60
_RUN = 40
"""Most cycles of a run to a fault."""
_CHILD = """
import json, sys
from pyosys import libyosys
design = libyosys.Design()
for command in json.loads(sys.argv[1]):
    libyosys.run_pass(command, design)
"""


@dataclass(frozen=True)
class Proof:
    """What is proven.

    Attributes:
        name: of the module, and what is special.
        top: the harness, a module in ``harness``.
        sources: the modules that it needs, in the folder of the library.
        parameters: of the harness.
        harness: files of this folder.
        induction: outputs that are proven by induction, together; the others by reachability.
    """

    name: str
    top: str
    sources: tuple[str, ...]
    parameters: Mapping[str, int | str] = field(default_factory=dict)
    harness: tuple[str, ...] = ("follow.sv", "streams.sv")
    induction: tuple[str, ...] = ()


_EMIT = ("lib/flowc_emit.sv",)
_COUNT = ("lib/flowc_count.sv",)
_FIFO = (*_COUNT, "lib/flowc_ram.sv", "lib/flowc_lutram.sv", "lib/flowc_fifo.sv")
_CONVERTER = (*_EMIT, *_COUNT, "units/flowc_width_converter.sv")
_JOIN = ("lib/*.sv", "units/flowc_join.sv")
_WINDOW = (*_EMIT, *_COUNT, "lib/flowc_ram.sv", "units/flowc_window.sv")
_WINDOW_INDUCTION = (
    "early", "mistaken", "hint_place", "hint_moves", "hint_last", "hint_ahead", "hint_room", "hint_ring", "hint_range",
)  # fmt: skip


def _mac(name: str, **shape: int) -> Proof:
    return Proof(f"slice, {name}", "proof_mac", ("lib/flowc_mac.sv",), shape, ("dsp48e2.sv", "mac.sv"))


def _window(name: str, **shape: int) -> Proof:
    return Proof(f"window, {name}", "proof_window", _WINDOW, shape, ("follow.sv", "window.sv"), _WINDOW_INDUCTION)


PROOFS = (
    Proof("emit, no register", "proof_emit", _EMIT, {"DELAY": 0}),
    Proof("emit, two registers", "proof_emit", _EMIT, {"DELAY": 2}),
    Proof("emit, in a memory", "proof_emit", _EMIT, {"DELAY": 1, "STYLE": "distributed"}),
    Proof("fifo of registers", "proof_fifo", _FIFO, {}),
    Proof("fifo in LUTRAM", "proof_fifo", _FIFO, {"DEPTH": 3, "STYLE": "distributed"}),
    Proof("fifo in block RAM", "proof_fifo", _FIFO, {"DEPTH": 3, "STYLE": "block", "MOST": 4}),
    Proof("converter, wide to narrow", "proof_converter", _CONVERTER, {"IN": 3, "OUT": 1}),
    Proof("converter, narrow to wide", "proof_converter", _CONVERTER, {"IN": 1, "OUT": 3}),
    Proof("converter, 2 to 3", "proof_converter", _CONVERTER, {"IN": 2, "OUT": 3}),
    Proof("converter, 3 to 2", "proof_converter", _CONVERTER, {"IN": 3, "OUT": 2}),
    Proof("fork", "proof_fork", (*_EMIT, "units/flowc_fork.sv")),
    Proof("join", "proof_join", _JOIN),
    Proof("input port", "proof_input", (*_EMIT, "units/flowc_input.sv")),
    Proof("output port", "proof_output", (*_EMIT, *_COUNT, "units/flowc_output.sv")),
    _window("every position"),
    _window("stride 2, blocks", HEIGHT=4, BLOCKS=2, STRIDE=2),
    _window("no slack", SLACK=0),
    _mac("narrow factors", A_BITS=11, B_BITS=8, C_BITS=1),
    _mac("chained, an offset", CHAINED=1, OFFSET=-(8 + (8 << 11) + (8 << 22))),
    _mac("chained, two registers", INPUTS=2, CHAINED=1),
    _mac("an offset and two registers", INPUTS=2, OFFSET=-(128 + (128 << 18))),
    _mac("product and sum", INPUTS=1, ADDS=1),
)


def faults(proof: Proof, library: Path) -> list[str]:
    """The outputs of a harness that can be set; none, if what the proof says holds.

    Args:
        library: the folder with ``lib/`` and ``units/``.

    Raises:
        RuntimeError: a tool fails, or finds neither a proof nor a fault in a minute.
    """
    with tempfile.TemporaryDirectory(prefix="flowc-proof-") as scratch:
        graph = Path(scratch) / "graph.aig"
        if _by_induction(proof, library, graph):
            return _abc(graph, proof.name, f"pdr -a -T {_SECONDS}")
        # What the harness says of the module's registers does not hold, or no longer suffices. Can a requirement be broken?
        _yosys(proof, library, [_without(proof, "hint_"), *_to_graph(graph)])
        broken = _abc(graph, proof.name, f"bmc3 -F {_RUN} -T {_SECONDS}", decided=False)
        if not broken:
            raise RuntimeError(f"{proof.name}: the induction does not close")
        return broken


def _by_induction(proof: Proof, library: Path, graph: Path) -> bool:
    """Proves what is proven by induction, and writes the rest as an and-inverter graph; whether the proof succeeds."""
    if not proof.induction:
        _yosys(proof, library, _to_graph(graph))
        return True
    proven = " ".join(f"-prove {name} 0" for name in proof.induction)
    induction = f"sat -tempinduct -maxsteps 1 {proven}"
    said = _yosys(proof, library, [induction, _without(proof, *proof.induction), *_to_graph(graph)])
    return "Induction step proven: SUCCESS!" in said


def _without(proof: Proof, *prefixes: str) -> str:
    """The command that drops outputs."""
    return "delete " + " ".join(f"{proof.top}/w:{prefix}*" for prefix in prefixes)


def _to_graph(graph: Path) -> list[str]:
    """The commands that write what is left as an and-inverter graph, AIGER with names."""
    return [
        "opt_clean; setundef -undriven -anyseq; formalff -ff2anyinit",
        "techmap; opt; dffunmap; setundef -undriven -anyseq; aigmap; opt_clean",
        f"write_aiger -zinit -symbols {graph}",
    ]


def _yosys(proof: Proof, library: Path, commands: Sequence[str]) -> str:
    """Runs commands on the harness and the modules that it joins; what yosys says."""
    sources = [path for pattern in proof.sources for path in sorted(library.glob(pattern))]
    files = " ".join(str(path.resolve()) for path in (*sources, *(HERE / name for name in proof.harness)))
    given = (f'"{value}"' if isinstance(value, str) else str(value) for value in proof.parameters.values())
    parameters = " ".join(f"-G{name}={value}" for name, value in zip(proof.parameters, given, strict=True))
    reading = [
        f"read_slang --top {proof.top} {parameters} -I {library.resolve()} {files}",
        f"prep -flatten -top {proof.top}",
        "memory_map; async2sync; dffunmap; opt; clean",
    ]
    command = [sys.executable, "-c", _CHILD, json.dumps([*reading, *commands])]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=2 * _SECONDS)
    if done.returncode != 0:
        said = (done.stdout + done.stderr).splitlines()
        raise RuntimeError("\n".join([proof.name, *(line for line in said if "rror" in line or "ERROR" in line)]))
    return done.stdout


def _abc(graph: Path, name: str, engine: str, *, decided: bool = True) -> list[str]:
    """The outputs that an engine of ABC finds set; with ``decided`` it must have proven that the others never are."""
    package = importlib.util.find_spec("pyosys")
    assert package is not None
    assert package.origin is not None
    command = [
        str(Path(package.origin).parent / "yosys-abc"),
        "-c",
        f"read_aiger {graph.name}; strash; scorr; dc2; {engine}",
    ]
    done = subprocess.run(command, cwd=graph.parent, capture_output=True, text=True, check=False, timeout=3 * _SECONDS)
    names = _names(graph)
    broken = {int(number) for number in re.findall(r"Output +(\d+) (?:of miter \S+ )?was asserted", done.stdout)}
    totals = re.search(r"All = (\d+)\. Proved = (\d+)\. Disproved = (\d+)\. Undecided = (\d+)\.", done.stdout)
    expected = [len(names), len(names) - len(broken), len(broken), 0]
    if decided and (totals is None or [int(n) for n in totals.groups()] != expected):
        raise RuntimeError(f"{name}: undecided, or not understood\n{done.stdout[-1000:]}")
    return [names[number] for number in sorted(broken)]


def _names(graph: Path) -> dict[int, str]:
    """The names of the outputs, from the symbol table at the file's end."""
    found = re.findall(rb"^o(\d+) (\S+)$", graph.read_bytes(), re.MULTILINE)
    return {int(number): name.decode() for number, name in found}


if __name__ == "__main__":
    failed = False
    for proof in PROOFS:
        start = time.perf_counter()
        found = faults(proof, Path(sys.argv[1]))
        failed |= bool(found)
        print(f"{proof.name:32} {', '.join(found) or 'proven':32} {time.perf_counter() - start:5.1f} s", flush=True)  # noqa: T201 - a program
    sys.exit(failed)
