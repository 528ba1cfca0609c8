"""Designs on disk: design.json, weights.npz and the host's ONNX graphs (docs/design-json.md)."""

from __future__ import annotations

import json
import zipfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError

from flowc.dataflow.serialize import narrow
from flowc.design.assembly import Assembly
from flowc.design.styles import STYLES
from flowc.errors import UsageError, shown
from flowc.files.npz import InputSpec
from flowc.model.host import HostGraph
from flowc.streamline.compile import Accumulator, TensorInfo
from flowc.targets import Target
from flowc.version import __version__

__all__ = ["DESIGN_SCHEMA", "read_assembly", "write_assembly"]

DESIGN_SCHEMA = 2
_READABLE = (1, DESIGN_SCHEMA)
"""Schema 1 knew no execution style: everything was dataflow."""

_DAMAGE = (OSError, EOFError, ValueError, LookupError, TypeError, AttributeError, zipfile.BadZipFile, DecodeError)
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
    for i, acc in enumerate(design.accumulators):
        arrays[f"accumulator.{i}.scale"], arrays[f"accumulator.{i}.zero"] = acc.scale, acc.zero
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
        "windows": list(design.windows),
        "argmax_slack": {n: a.tolist() for n, a in design.argmax_slack.items()},
        "sampling": {n: list(v) for n, v in design.sampling.items()},
        "host": {"head": design.head is not None, "tail": design.tail is not None},
    }
    (directory / "design.json").write_text(json.dumps(whole, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
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
    try:
        return _read(folder)
    except _DAMAGE as error:
        reason = f"it lacks {error}" if isinstance(error, KeyError) else str(error)
        raise UsageError(
            f"'{shown(str(folder))}' is not a complete flowc design: {reason}",
            remedy="Build it with: flowc build MODEL --target NAME -o DIR",
        ) from error


def _read(folder: Path) -> tuple[Assembly, dict[str, Any]]:
    document = json.loads((folder / "design.json").read_text(encoding="utf-8"))
    report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    if not isinstance(document, dict) or document.get("schema") not in _READABLE:
        raise UsageError(f"'{shown(str(folder))}' holds no design of a schema that this version reads")
    with np.load(folder / "weights.npz", allow_pickle=False) as stored:
        arrays = {name: stored[name] for name in stored.files}
    host = document["host"]
    graphs = {n: HostGraph(onnx.load(folder / f"{n}.onnx")) if host[n] else None for n in ("head", "tail")}

    def infos(key: str) -> dict[str, TensorInfo]:
        return {
            n: TensorInfo(tuple(e["shape"]), None if e["order"] is None else arrays[e["order"]].astype(np.int64))
            for n, e in document.get(key, {}).items()
        }

    style = STYLES[document["execution"] if document["schema"] != 1 else "dataflow"]
    target = Target(**document["target"])
    design = Assembly(
        plan=style.read(document, arrays, report, target),
        head=graphs["head"],
        tail=graphs["tail"],
        tensors=infos("tensors"),
        ports=infos("ports"),
        inputs={n: InputSpec(tuple(s["shape"]), np.dtype(s["dtype"])) for n, s in document["inputs"].items()},
        outputs={n: np.dtype(d) for n, d in document["outputs"].items()},
        accumulators=[
            Accumulator(a["tensor"], a["reference"], arrays[f"accumulator.{i}.scale"], arrays[f"accumulator.{i}.zero"])
            for i, a in enumerate(document["accumulators"])
        ],
        reference=onnx.load(folder / "reference.onnx"),
        windows={
            n: (arrays[f"window.{i}.low"].astype(np.int64), arrays[f"window.{i}.high"].astype(np.int64))
            for i, n in enumerate(document["windows"])
        },
        argmax_slack={n: np.array(a, np.int64) for n, a in document["argmax_slack"].items()},
        sampling={n: (v[0], v[1], v[2]) for n, v in document["sampling"].items()},
    )
    return design, report
