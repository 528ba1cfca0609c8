"""Comparing a design with its reference, integer by integer.

Layer by layer every unit is fed the reference's own integers, so that nothing cascades; then the design runs end to end. A value
that differs is explained only if the accumulator it was made from lies in a window that the certificate lists.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx

from flowc.dataflow.emulator import unfolded
from flowc.design.assembly import Assembly
from flowc.model.runtime import open_session
from flowc.units import ArgMax
from flowc.units.base import Array
from flowc.units.graph import Dataflow, Stream

__all__ = ["Comparison", "ReferenceRunner", "Verification", "compare"]


class ReferenceRunner:
    """The reference under onnxruntime (optimizations off), one sample at a time."""

    def __init__(self, model: onnx.ModelProto, *, threads: int = 2) -> None:
        self.outputs = [o.name for o in model.graph.output]
        self._dtypes = {
            v.name: onnx.helper.tensor_dtype_to_np_dtype(v.type.tensor_type.elem_type) for v in model.graph.input
        }
        self._session = open_session(model, threads=threads)

    def run(self, inputs: Mapping[str, Array], index: int) -> dict[str, Array]:
        """Every output of the reference for sample ``index`` of the inputs."""
        feed = {n: np.ascontiguousarray(a[index : index + 1], self._dtypes[n]) for n, a in inputs.items()}
        return dict(zip(self.outputs, (np.asarray(a) for a in self._session.run(self.outputs, feed)), strict=True))


@dataclass
class Comparison:
    """What the comparison of one tensor found."""

    tensor: str
    values: int = 0
    mismatches: int = 0
    explained: int = 0


@dataclass
class Verification:
    """The whole comparison; ``tensors`` by name in graph order, outputs of the model last."""

    samples: int = 0
    tensors: dict[str, Comparison] = field(default_factory=dict)
    end_to_end: int = 0
    worst_output: float = 0.0

    def tensor(self, name: str) -> Comparison:
        """The entry of a tensor, made when first asked for."""
        return self.tensors.setdefault(name, Comparison(name))

    @property
    def mismatches(self) -> int:
        """Integers that differ, over all tensors."""
        return sum(c.mismatches for c in self.tensors.values())

    @property
    def explained(self) -> int:
        """Of these, how many the model itself leaves open."""
        return sum(c.explained for c in self.tensors.values())

    def as_dict(self, reference: str) -> dict[str, Any]:
        """The ``verification`` entry of a report."""
        return {
            "reference": reference,
            "samples": self.samples,
            "tensors": len(self.tensors),
            "values": sum(c.values for c in self.tensors.values()),
            "mismatches": self.mismatches,
            "explained_by_ambiguous": self.explained,
            "end_to_end_mismatches": self.end_to_end,
            "worst_output_difference": self.worst_output,
            "failing": [c.tensor for c in self.tensors.values() if c.mismatches > c.explained],
        }


def compare(design: Assembly, inputs: Mapping[str, Array], *, emulator: str | None = None) -> Verification:
    """Compares the emulated design with its reference on every sample.

    Args:
        inputs: model inputs, (N, ...) each.
        emulator: which path the emulator takes (`flowc.design.plan.Plan.run`).
    """
    reference = ReferenceRunner(design.reference)
    result = Verification()
    for index in range(len(next(iter(inputs.values())))):
        sample = {n: a[index : index + 1] for n, a in inputs.items()}
        _compare_one(design, sample, reference.run(sample, 0), result, emulator)
        result.samples += 1
    return result


def _compare_one(
    design: Assembly,
    sample: Mapping[str, Array],
    expected: Mapping[str, Array],
    result: Verification,
    emulator: str | None,
) -> None:
    graph = unfolded(design.graph)
    heads = design.run_head(sample)
    for name, given in heads.items():
        if name in expected:
            _count(result.tensor(name), given.reshape(-1), expected[name].reshape(-1), None)
    before: dict[str, Array] = {}
    compared = design.tensors.keys() & expected.keys()

    def probe(stream: Stream, frames: Array) -> Array:
        name = stream.tensor
        if name is None or name not in compared:
            return frames
        right = design.tensors[name].to_stream(expected[name], frames.shape[1:])
        excuse = _windows(design, graph, stream, before, compared) or _tie(design, graph, stream, before, frames, right)
        _count(result.tensor(name), frames, right, excuse)
        return right.astype(frames.dtype)

    ports = design.to_ports({**heads, **_known(design, expected)})
    observed = design.plan.run(ports, probe=_recording(before, probe))
    integers = design.from_ports(observed)
    for acc in design.accumulators:
        if acc.tensor in integers:
            exact = expected[acc.reference].astype(np.float64) / acc.scale + acc.zero
            if np.abs(exact).max(initial=0) < 1 << 21:
                _count(result.tensor(acc.reference), integers[acc.tensor].reshape(-1), np.rint(exact).reshape(-1), None)
    outputs = design.finish(sample, heads, integers)
    for name, given in outputs.items():
        if given.dtype.kind in "iub":
            _count(result.tensor(name), given.reshape(-1), expected[name].reshape(-1), None)
        elif given.size:
            scale = max(1.0, float(np.abs(expected[name]).max()))
            result.worst_output = max(result.worst_output, float(np.abs(given - expected[name]).max()) / scale)
    free = design.from_ports(design.plan.run(design.to_ports(heads), emulator=emulator))
    result.end_to_end += sum(int((free[n] != integers[n]).sum()) for n in free)


def _known(design: Assembly, expected: Mapping[str, Array]) -> dict[str, Array]:
    """Integers of the head as the reference has them."""
    return {u.tensor: expected[u.tensor] for u in design.graph.inputs if u.tensor in expected}


def _recording(before: dict[str, Array], probe: Any) -> Any:
    """Remembers what flows into each unit, so that accumulators can be computed again where a result differs."""

    def record(stream: Stream, frames: Array) -> Array:
        seen: Array = probe(stream, frames)
        before[f"{stream.dst}.{stream.dst_port}"] = seen
        return seen

    return record


def _windows(design: Assembly, graph: Dataflow, stream: Stream, before: Mapping[str, Array], compared: Set[str]) -> Any:
    """A function that says where (boolean frames) a stream's integers come from accumulators in a window of the certificate."""
    windows = design.windows.get(stream.tensor or "")
    unit = graph[stream.src]
    if windows is None:
        return _moved_windows(design, graph, stream, before, compared)
    if len(windows[0]) not in (1, unit.outputs[0].c):
        return None

    def inside() -> Array:
        inputs = [before[f"{unit.name}.{port}"].reshape(-1, *f.shape) for port, f in enumerate(unit.inputs)]
        acc = unit.accumulate(*inputs)
        if acc is None:
            return np.zeros(unit.outputs[0].shape, bool)
        low, high = windows
        hit = np.zeros(acc.shape, bool)
        for k in range(low.shape[1]):
            hit |= (acc >= low[:, k]) & (acc < high[:, k])
        return hit

    return inside


def _moved_windows(
    design: Assembly, graph: Dataflow, stream: Stream, before: Mapping[str, Array], compared: Set[str]
) -> Any:
    """The same behind units that move or pick integers, where the quantizer went in front of them and is not compared itself."""
    unit = graph[stream.src]
    if not unit.moves:
        return None
    sources = graph.into(unit.name)
    excuses = [None if s.tensor in compared else _windows(design, graph, s, before, compared) for s in sources]
    if all(e is None for e in excuses):
        return None

    def inside() -> Array:
        marks = []
        for excuse, frame, source in zip(excuses, unit.inputs, sources, strict=True):
            flat = np.zeros(before[f"{unit.name}.{source.dst_port}"].size) if excuse is None else excuse()
            marks.append(flat.reshape(-1, *frame.shape).astype(np.float32))
        moved = unit.trace(*marks)
        assert moved is not None, f"{unit.name} moves integers"
        found: Array = moved[stream.src_port] > 0
        return found

    return inside


def _tie(
    design: Assembly, graph: Dataflow, stream: Stream, before: Mapping[str, Array], given: Array, right: Array
) -> Any:
    """A function that says where the channels picked here and by the reference are too close for the model to decide."""
    slack = design.argmax_slack.get(stream.tensor or "")
    unit = graph[stream.src]
    if slack is None or not isinstance(unit, ArgMax):
        return None

    def inside() -> Array:
        keys = before[f"{unit.name}.0"].reshape(-1, *unit.frame.shape).astype(np.int64)
        room = np.broadcast_to(slack, (unit.frame.c,))
        ours, theirs = given.astype(np.int64), right.astype(np.int64)
        gap = np.take_along_axis(keys, ours, 3) - np.take_along_axis(keys, theirs, 3)
        return gap <= room[ours] + room[theirs]

    return inside


def _count(entry: Comparison, given: Array, right: Array, excuse: Any) -> None:
    wrong = given != right
    entry.values += wrong.size
    bad = int(wrong.sum())
    entry.mismatches += bad
    if bad and excuse is not None:
        entry.explained += int((wrong & excuse().reshape(wrong.shape)).sum())
