"""Designs on disk: design.json, weights.npz and the host's ONNX graphs (docs/design-json.md)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from flowc.dataflow.serialize import narrow
from flowc.design.assembly import Assembly
from flowc.design.sound import check_assembly
from flowc.design.styles import style_named
from flowc.errors import DamagedError, FlowcError, UsageError, shown
from flowc.exact.sums import FloatSum
from flowc.files.npz import InputSpec, read_arrays
from flowc.files.read import read_file
from flowc.files.rows import in_rows
from flowc.importer.read import read_model
from flowc.model.host import HostGraph
from flowc.streamline.compile import TensorInfo
from flowc.targets.loader import target_of
from flowc.units.base import Array
from flowc.units.sound import MOST_ELEMENTS
from flowc.version import __version__

__all__ = ["DESIGN_SCHEMA", "read_assembly", "write_assembly"]

DESIGN_SCHEMA = 2
_READABLE = (1, DESIGN_SCHEMA)
"""Schema 1 knew no execution style: everything was dataflow."""

_LARGEST_FILE = 200_000_000
_BUILD = "Build it with: flowc build MODEL --target NAME -o DIR"
_DAMAGE = (ArithmeticError, OSError, EOFError, ValueError, LookupError, TypeError, AttributeError, RecursionError)
"""What reading files that are cut off or edited can come to."""


def write_assembly(design: Assembly, directory: Path) -> None:
    """Writes what `read_assembly` reads: design.json, weights.npz and the host's ONNX graphs."""
    document, arrays = design.plan.document()
    tensors: dict[str, Any] = {}
    for kind, infos in (("tensor", design.tensors), ("port", design.ports)):
        for i, (name, info) in enumerate(infos.items()):
            key = f"{kind}.{i}.order"
            if info.order is not None:
                arrays[key] = narrow(info.order)
            entry = {"shape": list(info.shape), "order": None if info.order is None else key}
            tensors.setdefault(f"{kind}s", {})[name] = entry
    for kind, sums in (("accumulator", design.accumulators), ("sum", design.sums)):
        for i, found in enumerate(sums):
            arrays |= {f"{kind}.{i}.{name}": getattr(found, name) for name in ("scale", "zero", "error")}
    for i, (low, high) in enumerate(design.windows.values()):
        arrays[f"window.{i}.low"], arrays[f"window.{i}.high"] = narrow(low), narrow(high)
    whole = {
        "schema": DESIGN_SCHEMA,
        "flowc": __version__,
        "execution": design.plan.execution,
        "target": asdict(design.target),
        **document,
        **tensors,
        "inputs": {n: {"shape": list(s.shape), "dtype": np.dtype(s.dtype).name} for n, s in design.inputs.items()},
        "outputs": {n: d.name for n, d in design.outputs.items()},
        "accumulators": [{"tensor": a.tensor, "reference": a.reference} for a in design.accumulators],
        "sums": [{"tensor": s.tensor, "stream": s.stream, "reference": s.reference} for s in design.sums],
        "windows": list(design.windows),
        "argmax_slack": {n: a.tolist() for n, a in design.argmax_slack.items()},
        "sampling": {n: list(v) for n, v in design.sampling.items()},
        "host": {"head": design.head is not None, "tail": design.tail is not None},
    }
    (directory / "design.json").write_text(in_rows(whole, finite=False), encoding="utf-8")
    np.savez(directory / "weights.npz", **arrays)  # type: ignore[arg-type]
    for name, host in (("head", design.head), ("tail", design.tail)):
        if host is not None:
            onnx.save(host.model, directory / f"{name}.onnx")
    onnx.save(design.reference, directory / "reference.onnx")


def read_assembly(folder: Path) -> tuple[Assembly, dict[str, Any]]:
    """Reads a design and its report.

    Raises:
        UsageError: the directory is no complete flowc design.
    """
    where = f"'{shown(str(folder))}' is not a complete flowc design"
    try:
        return _read(folder)
    except FlowcError as error:
        raise UsageError(f"{where}: {error.message}", remedy=_BUILD) from error
    except _DAMAGE as error:
        reason = f"it lacks {error}" if isinstance(error, KeyError) else str(error) or type(error).__name__
        raise UsageError(f"{where}: {reason}", remedy=_BUILD) from error


def _object(folder: Path, name: str) -> dict[str, Any]:
    """The JSON object in a file of the design."""
    found = json.loads(read_file(folder / name, name, UsageError, most=_LARGEST_FILE))
    if not isinstance(found, dict):
        raise DamagedError(f"{name} holds no object")
    return found


def _read(folder: Path) -> tuple[Assembly, dict[str, Any]]:
    document, report = _object(folder, "design.json"), _object(folder, "report.json")
    if document.get("schema") not in _READABLE:
        raise DamagedError("it is of a schema that this version does not read")
    arrays = read_arrays(folder / "weights.npz")
    host = document["host"]
    graphs = {n: HostGraph(read_model(folder / f"{n}.onnx")) if host[n] else None for n in ("head", "tail")}
    style = style_named(document["execution"] if document["schema"] != 1 else "dataflow")
    target = target_of({k: v for k, v in document["target"].items() if v is not None}, "the design's target")
    design = Assembly(
        plan=style.read(document, arrays, report, target),
        head=graphs["head"],
        tail=graphs["tail"],
        tensors=_infos(document.get("tensors", {}), arrays),
        ports=_infos(document["ports"], arrays),
        inputs={n: InputSpec(_shape(s["shape"]), np.dtype(s["dtype"])) for n, s in document["inputs"].items()},
        outputs={n: np.dtype(d) for n, d in document["outputs"].items()},
        accumulators=_sums("accumulator", document["accumulators"], arrays),
        sums=_sums("sum", document.get("sums", []), arrays),
        reference=read_model(folder / "reference.onnx"),
        windows={
            n: (_integers(arrays[f"window.{i}.low"]), _integers(arrays[f"window.{i}.high"]))
            for i, n in enumerate(document["windows"])
        },
        argmax_slack={n: _integers(np.array(a)) for n, a in document["argmax_slack"].items()},
        sampling={n: (v[0], v[1], v[2]) for n, v in document["sampling"].items()},
    )
    check_assembly(design)
    return design, report


def _shape(sizes: Any) -> tuple[int, ...]:
    if not isinstance(sizes, list) or not all(type(n) is int and 0 <= n <= MOST_ELEMENTS for n in sizes):
        raise DamagedError(f"a shape is {shown(repr(sizes))}")
    return tuple(sizes)


def _text(name: Any) -> str:
    if not isinstance(name, str):
        raise DamagedError(f"a name is {shown(repr(name))}")
    return name


def _integers(array: Array) -> Array:
    if array.dtype.kind not in "iu":
        raise DamagedError(f"an array of integers holds {array.dtype}")
    return array.astype(np.int64)


def _infos(entries: Mapping[str, Any], arrays: Mapping[str, Array]) -> dict[str, TensorInfo]:
    return {
        n: TensorInfo(_shape(e["shape"]), None if e["order"] is None else _integers(arrays[e["order"]]))
        for n, e in entries.items()
    }


def _sums(kind: str, entries: list[dict[str, str]], arrays: Mapping[str, Array]) -> list[FloatSum]:
    return [
        FloatSum(
            _text(e["tensor"]),
            _text(e["reference"]),
            arrays[f"{kind}.{i}.scale"],
            arrays[f"{kind}.{i}.zero"],
            arrays.get(f"{kind}.{i}.error", np.zeros(1)),
            _text(e.get("stream", "")),
        )
        for i, e in enumerate(entries)
    ]
