"""Measured resources of a SystemVerilog project: every unit synthesized by itself, side by side, remembered by its contents."""

from __future__ import annotations

import hashlib
import json
import secrets
import tempfile
from collections.abc import Callable, Container, Iterable, Mapping
from concurrent.futures import as_completed
from pathlib import Path
from typing import Any

from flowc.backends.programs import side_by_side
from flowc.backends.rtl.pieces import PROBE, Piece, cut
from flowc.backends.rtl.wiring import wires
from flowc.backends.rtl.yosys import FAMILIES, count, mapping, statistics, version
from flowc.dataflow.allocate.device import on_family
from flowc.dataflow.allocate.fifos import fifo_cost
from flowc.errors import UsageError, shown
from flowc.files.cache import cache_folder
from flowc.interface.names import name_design
from flowc.units.cost import Resources
from flowc.units.graph import Dataflow

__all__ = ["check_family", "synthesize"]

Progress = Callable[[int, int, str], None]
"""Called with how many pieces are done, of how many, and the name of the last one."""

_KEYS = ("lut", "ff", "bram18", "dsp")


def check_family(family: str) -> None:
    """Raises UsageError where flowc can't synthesize for a family."""
    if family not in FAMILIES:
        raise UsageError(f"there is no family '{shown(family)}'", remedy=f"The known ones are {', '.join(FAMILIES)}")


def synthesize(
    folder: Path,
    graph: Dataflow,
    family: str,
    *,
    jobs: int | None = None,
    timeout: float = 1800,
    progress: Progress | None = None,
    wanted: Container[str] | None = None,
) -> dict[str, Any]:
    """Synthesizes every unit and FIFO of a project with yosys.

    A result is kept in the user's cache folder under the hash of everything that it depends on; a run that is killed leaves
    whole entries or none.

    Args:
        folder: the project, written by this backend.
        graph: its design.
        family: one of `FAMILIES`.
        jobs: processes at once; by default one per processor.
        timeout: seconds per unit.
        progress: told of every result.
        wanted: names of units; nothing else is synthesized then.

    Returns:
        The ``synthesis`` entry of report.json: tool, family, resources, and per unit what was measured and modelled.

    Raises:
        UsageError: yosys is not installed, or the folder holds no project.
        SynthesisError: yosys refuses a unit.
    """
    check_family(family)
    tool = f"yosys {version()}"
    pieces, sources = cut(folder)
    kinds = _kinds(graph)
    if wanted is not None:
        pieces = [piece for piece in pieces if not piece.is_fifo and kinds[_key(piece)][0] in wanted]
    store = cache_folder() / "synthesis"
    distinct = {piece.digest: piece for piece in pieces}
    found: dict[str, dict[str, int]] = {}
    with side_by_side(jobs) as pool:
        running = {
            pool.submit(
                _one, folder, sources, piece, family, bool(kinds[_key(piece)][2].dsp), tool, store, timeout
            ): piece
            for piece in distinct.values()
        }
        for done, future in enumerate(as_completed(running), 1):
            found[running[future].digest] = future.result()
            if progress is not None:
                progress(done, len(running), running[future].name)
    units = [_entry(found[piece.digest], family, *kinds[_key(piece)]) for piece in pieces]
    total = {key: sum(unit[key] for unit in units) for key in _KEYS}
    return {"tool": tool, "family": family, "resources": total, "units": units}


def _key(piece: Piece) -> tuple[bool, str]:
    return piece.is_fifo, piece.name


def _kinds(graph: Dataflow) -> dict[tuple[bool, str], tuple[str, str, Resources]]:
    """Of every piece: its name and kind in the report, and its modelled resources.

    Products may become DSP slices in units of which the model says so.
    """
    layers = name_design(graph).layers
    units = {(False, layers[unit.name]): (unit.name, unit.kind, unit.resources) for unit in graph}
    fifos = {
        (True, wire.name): (f"{stream.src} -> {stream.dst}", "fifo", fifo_cost(graph, stream))
        for stream, wire in wires(graph).items()
    }
    return units | fifos


def _one(
    folder: Path, sources: Iterable[str], piece: Piece, family: str, dsp: bool, tool: str, store: Path, timeout: float
) -> dict[str, int]:
    recipe = hashlib.sha256("\n".join(mapping(family, PROBE, dsp=dsp)).encode()).hexdigest()[:8]
    kept = store / f"{piece.digest}-{family}-{recipe}-{tool.replace(' ', '-')}.json"
    known = _read(kept)
    if known is not None:
        return known
    with tempfile.TemporaryDirectory(prefix="flowc-synth-") as scratch:
        probe = Path(scratch) / f"{PROBE}.sv"
        probe.write_text(piece.text, encoding="utf-8")
        what = f"'{piece.name}' ({piece.module})"
        cells = statistics(folder, [*sources, str(probe)], PROBE, family, dsp=dsp, timeout=timeout, what=what)
    counted = count(cells, family)
    _write(kept, counted)
    return counted


def _read(path: Path) -> dict[str, int] | None:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if isinstance(found, dict) and found.keys() == set(_KEYS) and all(isinstance(n, int) for n in found.values()):
        return found
    return None


def _write(path: Path, counted: Mapping[str, int]) -> None:
    """Keeps a result; where the cache folder can't be written, nothing is kept."""
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        partial.write_text(json.dumps(counted), encoding="utf-8")
        partial.replace(path)
    except OSError:
        partial.unlink(missing_ok=True)


def _entry(measured: Mapping[str, int], family: str, name: str, kind: str, modelled: Resources) -> dict[str, Any]:
    """A unit as measured and as modelled for a family."""
    own = on_family(modelled, family).as_dict()
    model = {key: own[key] for key in _KEYS}
    return {"name": name, "unit": kind, **measured, "model": model}
