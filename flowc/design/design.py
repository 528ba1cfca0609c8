"""A finished design: run it, verify it, save it, load it again."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError

from flowc.dataflow.emulator import emulate
from flowc.dataflow.serialize import dataflow_from_json, dataflow_to_json, narrow
from flowc.design.verify import compare
from flowc.errors import MismatchError, UsageError, shown
from flowc.files.npz import InputSpec, check_inputs
from flowc.model.host import HostGraph
from flowc.streamline.compile import Accumulator, TensorInfo
from flowc.targets import Target
from flowc.units.base import Array
from flowc.units.graph import Dataflow

__all__ = ["DESIGN_SCHEMA", "Design", "load"]

DESIGN_SCHEMA = 1
_DAMAGE = (OSError, EOFError, ValueError, LookupError, TypeError, AttributeError, zipfile.BadZipFile, DecodeError)
"""What reading files that are cut off or edited can come to."""


@dataclass(eq=False)
class Design:
    """A folded dataflow graph with its host parts, its reference and its report.

    Attributes:
        graph: units and streams.
        head, tail: float parts run on the host by onnxruntime; None where there are none.
        tensors: integer tensors of the reference, by name, and how each lies on its stream.
        ports: the same for the tensors of the input and output ports, by port name.
        inputs, outputs: the model's, by name.
        accumulators: last integer tensors and their float form in the reference.
        reference: the reference as a standard ONNX model (see docs/exactness.md).
        windows: tensor -> (low, high) int64 (C, K): accumulators in [low, high) are ambiguous.
        argmax_slack: argmax result -> int64 (C or 1,): channels closer than the sum of theirs are a tie that the model leaves open.
        report: the content of ``report.json``.
        target: the board.
        directory: where the design was written, or None.
        notes: (ONNX node, what became of it).
        sampling: model input -> (least, greatest, step): the values that verification draws.
    """

    graph: Dataflow
    head: HostGraph | None
    tail: HostGraph | None
    tensors: dict[str, TensorInfo]
    ports: dict[str, TensorInfo]
    inputs: dict[str, InputSpec]
    outputs: dict[str, np.dtype[Any]]
    accumulators: list[Accumulator]
    reference: onnx.ModelProto
    windows: dict[str, tuple[Array, Array]]
    argmax_slack: dict[str, Array]
    report: dict[str, Any]
    target: Target
    sampling: dict[str, tuple[float, float, float | None]]
    directory: Path | None = None
    notes: list[tuple[str, str]] = field(default_factory=list)

    def run(self, x: Array | Mapping[str, Array]) -> Any:
        """Emulates the design on a batch.

        Args:
            x: (N, ...) for a model with one input, or an array per input name.

        Returns:
            What onnxruntime would give, samples stacked: an array for a model with one output, else a dict.

        Raises:
            UsageError: an input is missing, or of another shape or dtype.
        """
        inputs = self.as_inputs(x)
        outputs = self.run_all(inputs)
        return outputs if len(outputs) != 1 else next(iter(outputs.values()))

    def as_inputs(self, x: Array | Mapping[str, Array]) -> dict[str, Array]:
        """``x`` by input name, checked."""
        if not isinstance(x, Mapping):
            if len(self.inputs) != 1:
                raise UsageError(f"the model has the inputs {', '.join(map(shown, self.inputs))}: give a dict")
            x = {next(iter(self.inputs)): np.asarray(x)}
        elif len(self.inputs) == 1 and set(x) == {"x"}:
            x = {next(iter(self.inputs)): x["x"]}
        check_inputs(x, self.inputs)
        return {n: x[n] for n in self.inputs}

    def run_all(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Outputs by name for checked inputs."""
        heads = self.run_head(inputs)
        integers = self.from_ports(emulate(self.graph, self.to_ports(heads)))
        return self.finish(inputs, heads, integers)

    def run_head(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Integer tensors that the host gives to the accelerator (and straight to the tail)."""
        return {} if self.head is None else self.head.run(inputs)

    def to_ports(self, integers: Mapping[str, Array]) -> dict[str, Array]:
        """Integer tensors by name -> frames by input port."""
        return {u.name: self.ports[u.name].to_stream(integers[u.tensor], u.frame.shape) for u in self.graph.inputs}

    def from_ports(self, frames: Mapping[str, Array]) -> dict[str, Array]:
        """Frames by output port -> integer tensors (N, *shape with batch 1) by name."""
        return {u.tensor: self.ports[u.name].from_stream(frames[u.name]) for u in self.graph.outputs}

    def finish(
        self, inputs: Mapping[str, Array], heads: Mapping[str, Array], integers: Mapping[str, Array]
    ) -> dict[str, Array]:
        """The model's outputs from the accelerator's."""
        results = {} if self.tail is None else self.tail.run({**inputs, **heads, **integers})
        outputs = {}
        for name, dtype in self.outputs.items():
            if name in results:
                outputs[name] = results[name]
                continue
            stacked = integers[name] if name in integers else heads[name]
            shape = stacked.shape[1:]
            outputs[name] = stacked.reshape(-1, *shape[1:]).astype(dtype) if shape else stacked.astype(dtype)
        return outputs

    def samples(self, count: int, seed: int) -> dict[str, Array]:
        """Random inputs over the range that the first quantizers cover."""
        rng = np.random.default_rng(seed)
        arrays = {}
        for name, spec in self.inputs.items():
            lo, hi, step = self.sampling.get(name, (0.0, 1.0, None))
            shape = (count, *spec.shape)
            if np.dtype(spec.dtype).kind in "iu":
                arrays[name] = rng.integers(int(lo), int(hi), shape, dtype=spec.dtype, endpoint=True)
            elif step is None:
                arrays[name] = rng.uniform(lo, hi, shape).astype(spec.dtype)
            else:
                arrays[name] = (rng.integers(0, round((hi - lo) / step), shape, endpoint=True) * step + lo).astype(
                    spec.dtype
                )
        return arrays

    def verify(
        self, x: Array | Mapping[str, Array] | None = None, *, samples: int = 4, seed: int = 0
    ) -> dict[str, Any]:
        """Compares the emulated design with the reference under onnxruntime, tensor by tensor; kept in the report.

        Args:
            x: inputs; random ones if None.
            samples, seed: how many random ones.

        Raises:
            MismatchError: a value differs and no ambiguity explains it.
        """
        inputs = self.samples(samples, seed) if x is None else self.as_inputs(x)
        found = compare(self, inputs)
        result = found.as_dict("onnxruntime")
        self.report["verification"] = result
        if found.mismatches > found.explained:
            first = next(c for c in found.tensors.values() if c.mismatches > c.explained)
            raise MismatchError(
                f"{found.mismatches - found.explained} of {result['values']} integers differ from onnxruntime, "
                f"first in tensor '{first.tensor}'",
                remedy="This is a bug in flowc unless the model computes in another precision than float32",
            )
        return result

    def csim(self, x: Array | Mapping[str, Array]) -> Any:
        """The same as `run`, computed by the generated C++ compiled with g++.

        Raises:
            UsageError: the design was not written, or g++ or the AP-type headers are missing.
        """
        from flowc.backends.hls import csim

        if self.directory is None:
            raise UsageError("the design has no generated C++: save it first")
        inputs = self.as_inputs(x)
        heads = self.run_head(inputs)
        ports = self.to_ports(heads)
        binary = csim.compile(self.directory / "hls")
        frames = csim.run(binary, self.graph, [ports[u.name].astype(np.int64) for u in self.graph.inputs])
        integers = self.from_ports({u.name: f for u, f in zip(self.graph.outputs, frames, strict=True)})
        outputs = self.finish(inputs, heads, integers)
        return outputs if len(outputs) != 1 else next(iter(outputs.values()))

    def save(self, directory: str | os.PathLike[str], *, force: bool = False) -> None:
        """Writes the whole project: report, design, generated C++, scripts and driver.

        Raises:
            UsageError: the directory can't be written, or holds something else and ``force`` is off.
        """
        from flowc.design.project import write_project
        from flowc.files.outdir import staged_output

        with staged_output(directory, force=force) as staging:
            write_project(self, staging)
        self.directory = Path(directory)

    def write_files(self, directory: Path) -> None:
        """Writes what `load` reads: design.json, weights.npz and the host's ONNX graphs."""
        from flowc import __version__

        document, arrays = dataflow_to_json(self.graph)
        tensors: dict[str, Any] = {}
        for kind, infos in (("tensor", self.tensors), ("port", self.ports)):
            for i, (name, info) in enumerate(infos.items()):
                key = f"{kind}.{i}.order"
                if info.order is not None:
                    arrays[key] = narrow(info.order)
                entry = {"shape": list(info.shape), "order": None if info.order is None else key}
                tensors.setdefault(f"{kind}s", {})[name] = entry
        for i, acc in enumerate(self.accumulators):
            arrays[f"accumulator.{i}.scale"], arrays[f"accumulator.{i}.zero"] = acc.scale, acc.zero
        for i, (low, high) in enumerate(self.windows.values()):
            arrays[f"window.{i}.low"], arrays[f"window.{i}.high"] = narrow(low), narrow(high)
        whole = {
            "schema": DESIGN_SCHEMA,
            "flowc": __version__,
            "target": asdict(self.target),
            **document,
            **tensors,
            "inputs": {n: {"shape": list(s.shape), "dtype": np.dtype(s.dtype).name} for n, s in self.inputs.items()},
            "outputs": {n: d.name for n, d in self.outputs.items()},
            "accumulators": [{"tensor": a.tensor, "reference": a.reference} for a in self.accumulators],
            "windows": list(self.windows),
            "argmax_slack": {n: a.tolist() for n, a in self.argmax_slack.items()},
            "sampling": {n: list(v) for n, v in self.sampling.items()},
            "host": {"head": self.head is not None, "tail": self.tail is not None},
        }
        (directory / "design.json").write_text(json.dumps(whole, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        np.savez(directory / "weights.npz", **arrays)  # type: ignore[arg-type]
        for name, host in (("head", self.head), ("tail", self.tail)):
            if host is not None:
                onnx.save(host.model, directory / f"{name}.onnx")
        onnx.save(self.reference, directory / "reference.onnx")


def load(directory: str | os.PathLike[str]) -> Design:
    """Loads a design that flowc wrote; the original ONNX file is not needed.

    Raises:
        UsageError: the directory is no complete flowc design.
    """
    folder = Path(directory)
    try:
        return _read(folder)
    except _DAMAGE as error:
        reason = f"it lacks {error}" if isinstance(error, KeyError) else str(error)
        raise UsageError(
            f"'{shown(str(folder))}' is not a complete flowc design: {reason}",
            remedy="Build it with: flowc build MODEL --target NAME -o DIR",
        ) from error


def _read(folder: Path) -> Design:
    document = json.loads((folder / "design.json").read_text(encoding="utf-8"))
    report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    if not isinstance(document, dict) or document.get("schema") != DESIGN_SCHEMA:
        raise UsageError(f"'{shown(str(folder))}' holds no design of schema {DESIGN_SCHEMA}")
    with np.load(folder / "weights.npz", allow_pickle=False) as stored:
        arrays = {name: stored[name] for name in stored.files}
    host = document["host"]
    graphs = {n: HostGraph(onnx.load(folder / f"{n}.onnx")) if host[n] else None for n in ("head", "tail")}

    def infos(key: str) -> dict[str, TensorInfo]:
        return {
            n: TensorInfo(tuple(e["shape"]), None if e["order"] is None else arrays[e["order"]].astype(np.int64))
            for n, e in document.get(key, {}).items()
        }

    return Design(
        graph=dataflow_from_json(document, arrays),
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
        report=report,
        target=Target(**document["target"]),
        sampling={n: (v[0], v[1], v[2]) for n, v in document["sampling"].items()},
        directory=folder,
    )
