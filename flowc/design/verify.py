"""Comparing a design with its reference, integer by integer.

Layer by layer every unit is fed the reference's own integers, so that nothing cascades; then the design runs end to end. A value
that differs is explained only if the accumulator it was made from lies in a window that the certificate lists.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from typing import Any

import numpy as np
import onnx

from flowc.dataflow.emulator import unfolded
from flowc.design.assembly import Assembly
from flowc.design.comparison import Comparison, Verification
from flowc.design.tail import TailCheck
from flowc.exact.sums import FloatSum
from flowc.model.host import HostGraph
from flowc.model.runtime import open_session, run_session
from flowc.units import ArgMax
from flowc.units.base import Array, Frame, Unit
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
        return dict(zip(self.outputs, run_session(self._session, self.outputs, feed), strict=True))


def compare(design: Assembly, inputs: Mapping[str, Array], *, emulator: str | None = None) -> Verification:
    """Compares the emulated design with its reference on every sample.

    Args:
        inputs: model inputs, (N, ...) each.
        emulator: which path the emulator takes (`flowc.design.plan.Plan.run`).

    Raises:
        ModelError: onnxruntime fails on the model.
    """
    run = _Run(design, emulator)
    for index in range(len(next(iter(inputs.values())))):
        with np.errstate(all="ignore"):
            run.compare({n: a[index : index + 1] for n, a in inputs.items()})
    return run.result


class _Run:
    """A comparison under way."""

    def __init__(self, design: Assembly, emulator: str | None) -> None:
        self.design, self.emulator = design, emulator
        self.reference = ReferenceRunner(design.reference)
        self.graph = unfolded(design.graph)
        self.sums = {s.stream: s for s in design.sums}
        self.floats = _last_floats(design)
        self.tail: TailCheck | None = None
        self.result = Verification(layers=_layers(design, self.graph))

    def compare(self, sample: Mapping[str, Array]) -> None:
        """Compares one sample."""
        design, result = self.design, self.result
        expected = self.reference.run(sample, 0)
        heads = design.run_head(sample)
        for name, given in heads.items():
            if name in expected:
                result.tensor(name).same(given.reshape(-1), expected[name].reshape(-1))
        ports = design.to_ports({**heads, **_known(design, expected)})
        before: dict[str, Array] = {}
        observed = design.plan.run(ports, probe=_recording(before, self._probe(expected, before)))
        integers = design.from_ports(observed)
        sound = self._last_sums(heads | integers, expected)
        self._outputs(sample, heads, integers, expected, sound=sound)
        free = design.from_ports(design.plan.run(design.to_ports(heads), emulator=self.emulator))
        result.end_to_end += sum(int((free[n] != integers[n]).sum()) for n in free)
        result.samples += 1

    def _probe(self, expected: Mapping[str, Array], before: Mapping[str, Array]) -> Callable[[Stream, Array], Array]:
        design, graph = self.design, self.graph
        compared = design.tensors.keys() & expected.keys()

        def probe(stream: Stream, frames: Array) -> Array:
            name = stream.tensor
            if name in self.sums:
                self._inner_sum(stream, self.sums[name], expected, before)
            if name is None or name not in compared:
                return frames
            right = design.tensors[name].to_stream(expected[name], frames.shape[1:])
            excuses = {
                "window": _windows(design, graph, stream, before, compared),
                "tie": _tie(design, graph, stream, before, frames, right),
            }
            self.result.tensor(name).same(frames, right, {c: e for c, e in excuses.items() if e is not None})
            return right.astype(frames.dtype)

        return probe

    def _inner_sum(
        self, stream: Stream, entry: FloatSum, expected: Mapping[str, Array], before: Mapping[str, Array]
    ) -> None:
        """Compares what an activation is applied to, before it is rounded to few levels."""
        unit = self.graph[stream.src]
        info = self.design.tensors.get(entry.tensor)
        acc = unit.accumulate(*_inputs(unit, before))
        if acc is None or info is None or entry.reference not in expected:
            return
        integers = info.from_stream(acc.reshape(len(acc), -1))
        self.result.tensor(entry.reference).sums(integers, expected[entry.reference].reshape(integers.shape), entry)

    def _last_sums(self, integers: Mapping[str, Array], expected: Mapping[str, Array]) -> bool:
        """Compares the integers that leave the accelerator; returns whether all of them are what the reference has, or may have."""
        sound, done = True, set()
        for entry in self.design.accumulators:
            if entry.tensor in integers and entry.reference in expected:
                found = self.result.tensor(entry.reference)
                before = found.mismatches
                right = expected[entry.reference]
                found.sums(integers[entry.tensor].reshape(right.shape), right, entry)
                sound &= found.mismatches == before
                done.add(entry.tensor)
        for unit in self.design.graph.outputs:
            if unit.tensor not in done and unit.tensor not in expected:
                self.result.tensor(unit.tensor).skipped += integers[unit.tensor].size
                sound = False
        return sound

    def _outputs(
        self,
        sample: Mapping[str, Array],
        heads: Mapping[str, Array],
        integers: Mapping[str, Array],
        expected: Mapping[str, Array],
        *,
        sound: bool,
    ) -> None:
        """Compares the model's outputs: the tail on the reference's own floats, then what the design really gives."""
        if self.tail is None:
            self.tail = TailCheck(self.design, expected)
        replayed = {} if self.tail.open_ else self.tail.run(sample, expected)
        sums = {s.reference: s for s in self.design.accumulators}
        if sound and self.floats is not None:
            for name, given in self.floats.run({**sample, **heads, **integers}).items():
                self.result.tensor(name).dequantized(given.reshape(expected[name].shape), expected[name], sums[name])
        for name, given in self.design.finish(sample, heads, integers).items():
            right, discrete = expected[name], given.dtype.kind in "iub"
            if not discrete and given.size:
                self.result.worst_output = max(self.result.worst_output, _relative(given, right))
            if name in replayed:
                found = self.result.tensor(name)
                (found.same if discrete else found.close)(replayed[name].reshape(-1), right.reshape(-1))
                if discrete and sound and found.mismatches == found.explained:
                    found.tied(int((given.reshape(-1) != right.reshape(-1)).sum()))
                    continue
            if discrete:
                self.result.tensor(name).same(given.reshape(-1), right.reshape(-1))
            elif name in sums and sound:
                self.result.tensor(name).dequantized(given.reshape(right.shape), right, sums[name])
            elif name not in replayed and name not in sums and name not in self.result.tensors:
                self.result.tensor(name).skipped += given.size


def _last_floats(design: Assembly) -> HostGraph | None:
    """What the tail makes first of the integers that leave the accelerator: the floats that they stand for. None: it makes none."""
    if design.tail is None:
        return None
    made = {name for node in design.tail.model.graph.node for name in node.output}
    wanted = [s.reference for s in design.accumulators if s.reference in made and s.reference not in design.outputs]
    if not wanted:
        return None
    model = onnx.ModelProto()
    model.CopyFrom(design.tail.model)
    del model.graph.output[:]
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in wanted)
    return HostGraph(model)


def _relative(given: Array, right: Array) -> float:
    """Greatest difference where both are finite, relative to the greatest value (at least 1)."""
    both = np.isfinite(given) & np.isfinite(right)
    scale = max(1.0, float(np.abs(right[both]).max(initial=0)))
    return float(np.abs(given[both] - right[both]).max(initial=0)) / scale


def _layers(design: Assembly, graph: Dataflow) -> dict[str, str]:
    """Tensor -> the ONNX node that it comes from."""
    found: dict[str, str] = {}
    for node in design.reference.graph.node:
        found |= {name: node.name.removesuffix(f"/{node.op_type}") for name in node.output}
    for stream in graph.streams:
        origin = graph[stream.src].origin
        if stream.tensor and origin:
            found[stream.tensor] = origin[-1]
    return found


def _inputs(unit: Unit, before: Mapping[str, Array]) -> list[Array]:
    """What flowed into a unit."""
    return [before[f"{unit.name}.{port}"].reshape(-1, *f.shape) for port, f in enumerate(unit.inputs)]


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
    frame = unit.outputs[0]
    if len(windows[0]) not in (1, frame.c, frame.elements):
        return None
    low, high = (_spread(w, frame) for w in windows)

    def inside() -> Array:
        acc = unit.accumulate(*_inputs(unit, before))
        if acc is None:
            return np.zeros(frame.shape, bool)
        hit = np.zeros(acc.shape, bool)
        for k in range(low.shape[-1]):
            hit |= (acc >= low[..., k]) & (acc < high[..., k])
        return hit

    return inside


def _spread(ends: Array, frame: Frame) -> Array:
    """Ends of windows (1, channels or elements of a frame, K) as they lie on a frame: (K,), (C, K) or (H, W, C, K)."""
    if len(ends) in (1, frame.c):
        return ends
    return ends.reshape(*frame.shape, -1)


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
