"""Runs a graph with the kernels: chunks of samples, a thread per chunk, one call per stretch of units that have kernels."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from threading import local
from weakref import WeakKeyDictionary

import numpy as np

from flowc import kernels
from flowc.dataflow.native.codes import OutOfTypeError
from flowc.dataflow.native.plan import Plan, Step
from flowc.units import InputPort, OutputPort
from flowc.units.base import Array
from flowc.units.graph import Dataflow, Stream

__all__ = ["Probe", "planned", "run", "run_plan", "run_probed"]

Probe = Callable[[Stream, Array], Array]

_CHUNK_BYTES = 2 << 20
_SLACK = 256
"""Bytes that a kernel may read behind the last frame (they count for nothing)."""
_EXACT_FLOAT = 1 << 24

_PLANS: WeakKeyDictionary[Dataflow, Plan] = WeakKeyDictionary()


def planned(graph: Dataflow) -> Plan:
    """The plan of a graph in the emulator's order, kept as long as the graph.

    Raises:
        KernelsUnavailableError: this machine has no kernels.
    """
    if graph not in _PLANS:
        _PLANS[graph] = Plan(graph, kernels.load())
    return _PLANS[graph]


class _Arena(local):
    """A thread's working memory, kept from chunk to chunk."""

    def __init__(self) -> None:
        self.memory = np.empty(0, np.uint8)

    def get(self, size: int) -> Array:
        if self.memory.size < size:
            self.memory = np.zeros(size, np.uint8)
        return self.memory


def run(graph: Dataflow, inputs: Mapping[str, Array], *, threads: int) -> dict[str, Array]:
    """As `flowc.dataflow.emulator.emulate`, for a graph in the emulator's order.

    Fewer samples than threads: several threads share each sample's layers.

    Raises:
        OutOfTypeError: an integer is not a value of its stream's type.
        KernelsUnavailableError: this machine has no kernels.
    """
    plan = planned(graph)
    count = len(next(iter(inputs.values())))
    size = max(1, min(_CHUNK_BYTES // max(1, plan.size), -(-count // threads)))
    pieces = [slice(i, min(count, i + size)) for i in range(0, count, size)]
    outputs = {u.name: np.empty((count, *u.frame.shape), np.int64) for u in graph.outputs}
    arena = _Arena()

    shared = threads // len(pieces) if pieces and size == 1 else 1

    def one(piece: slice) -> None:
        results = _Chunk(plan, {n: a[piece] for n, a in inputs.items()}, arena.get, threads=shared).run()
        for name, values in results.items():
            outputs[name][piece] = values

    if len(pieces) <= 1:
        for piece in pieces:
            one(piece)
        return outputs
    with ThreadPoolExecutor(threads) as pool:
        for _ in pool.map(one, pieces):
            pass
    return outputs


def run_probed(
    graph: Dataflow, inputs: Mapping[str, Array], probe: Probe, streams: frozenset[Stream]
) -> dict[str, Array]:
    """As `run`, in one piece, with a probe that sees, and may exchange, what flows on ``streams``.

    Raises:
        OutOfTypeError, KernelsUnavailableError: as `run`.
    """
    return run_plan(Plan(graph, kernels.load(), streams), inputs, probe)


def run_plan(plan: Plan, inputs: Mapping[str, Array], probe: Probe | None = None) -> dict[str, Array]:
    """One pass over a plan, with all samples at once."""
    return _Chunk(plan, inputs, lambda size: np.zeros(size, np.uint8), probe).run()


class _Chunk:
    """One pass over the plan."""

    def __init__(
        self,
        plan: Plan,
        inputs: Mapping[str, Array],
        arena: Callable[[int], Array],
        probe: Probe | None = None,
        threads: int = 1,
    ) -> None:
        self.plan, self.inputs, self.probe, self.threads = plan, inputs, probe, max(1, threads)
        self.samples = len(next(iter(inputs.values())))
        self.arena = arena(plan.size * self.samples + _SLACK)
        self.outside: dict[Stream, Array] = {}
        self.outputs: dict[str, Array] = {}

    def run(self) -> dict[str, Array]:
        pending: list[Step] = []
        for step in self.plan.steps:
            unit = step.unit
            if isinstance(unit, InputPort):
                for stream in step.targets:
                    self._put(stream, self.inputs[unit.name])
            elif isinstance(unit, OutputPort):
                self._flush(pending)
                self.outputs[unit.name] = self._get(step.sources[0], np.int64).reshape(-1, *unit.frame.shape)
            elif step.reason is None:
                pending.append(step)
            else:
                self._flush(pending)
                self._by_numpy(step)
            if self.probe is not None and self.plan.kept.intersection(step.targets):
                self._flush(pending)
                self._show(step)
        return self.outputs

    def _flush(self, pending: list[Step]) -> None:
        """Runs the operations of the steps that wait, in one call."""
        count = sum(step.count for step in pending)
        if count:
            self.plan.library.run(
                self.plan.program, count, self.arena, self.samples, start=pending[0].start, threads=self.threads
            )
        pending.clear()

    def _view(self, stream: Stream) -> Array:
        value, frame = self.plan.values[stream], self.plan.graph.frame(stream)
        start = value.buffer.offset * self.samples
        size = frame.elements * value.code.size * self.samples
        found: Array = self.arena[start : start + size].view(value.code.dtype).reshape(self.samples, *frame.shape)
        return found

    def _get(self, stream: Stream, dtype: type[np.generic] | None = None) -> Array:
        """The frames on a stream as integers of ``dtype``, or of the float type that holds them exactly."""
        if stream not in self.plan.values:
            found = self.outside[stream]
            return found if dtype is None else found.astype(dtype)
        code = self.plan.values[stream].code
        if dtype is None:
            dtype = np.float32 if max(abs(code.low), abs(code.high)) <= _EXACT_FLOAT else np.float64
        return code.decode(self._view(stream), dtype)

    def _put(self, stream: Stream, frames: Array) -> None:
        if stream not in self.plan.values:
            self.outside[stream] = frames
            return
        view, code = self._view(stream), self.plan.values[stream].code
        if not self.plan.library.encode(frames.reshape(view.shape), code.low, code.high, code.base, code.step, view):
            raise OutOfTypeError(f"{stream.src} gives integers that are no {self.plan.graph.frame(stream).dtype}")

    def _by_numpy(self, step: Step) -> None:
        given = [self._get(s).reshape(-1, *f.shape) for s, f in zip(step.sources, step.unit.inputs, strict=True)]
        results = step.unit.emulate(*given)
        for stream in step.targets:
            self._put(stream, results[stream.src_port])

    def _show(self, step: Step) -> None:
        assert self.probe is not None
        for stream in step.targets:
            if stream in self.plan.kept:
                frames = self._get(stream)
                seen = self.probe(stream, frames)
                if seen is not frames:
                    self._put(stream, seen)
