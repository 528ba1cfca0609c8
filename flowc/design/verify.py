"""Comparing a design with its reference, integer by integer.

Layer by layer every unit is fed the reference's own integers, so that nothing cascades; then the design runs end to end. A value
that differs is explained only if the accumulator it was made from lies in a window that the certificate lists.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import onnx

from flowc import progress as told
from flowc.dataflow.emulator import unfolded
from flowc.design.assembly import Assembly
from flowc.design.comparison import Comparison, Verification
from flowc.design.excuses import flowed, in_windows, tie_excuse, window_excuse, windows_fit
from flowc.design.join_probes import Reach, operands, probe_join
from flowc.design.plan import Watching
from flowc.design.probes import probe
from flowc.design.reference import ReferenceRunner
from flowc.design.tail import TailCheck
from flowc.errors import MismatchError, UsageError, shown
from flowc.exact.sums import FloatSum
from flowc.model.host import HostGraph
from flowc.units import Join
from flowc.units.base import Array, Unit
from flowc.units.graph import Dataflow, Stream

__all__ = ["Comparison", "Verification", "compare"]


def compare(
    design: Assembly,
    inputs: Mapping[str, Array] | Iterable[Mapping[str, Array]],
    *,
    emulator: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Verification:
    """Compares the emulated design with its reference on every sample.

    Args:
        inputs: model inputs, (N, ...) each; or such, chunk after chunk.
        emulator: which path the emulator takes (`flowc.design.plan.Plan.run`).
        progress: told how many of how many samples are compared.

    Raises:
        ModelError: onnxruntime fails on the model.
        UsageError: there is no sample; or no emulator of that name.
    """
    run = _Run(design, emulator)
    with np.errstate(all="ignore"):
        for chunk in [inputs] if isinstance(inputs, Mapping) else inputs:
            run.compare(chunk, progress or told.done)
        run.finish()
    if not run.result.samples:
        raise UsageError("there is no sample to compare", remedy="Give at least one")
    return run.result


class _DiffersError(Exception):
    """A value of a batch is not the reference's."""


class _Run:
    """A comparison under way.

    Samples go through the emulator in batches whose streams are watched. As long as every value is the reference's own, the batch
    flows on as it is. A batch in which one differs is forgotten and taken again sample by sample, each unit fed with the reference's
    integers, to say which values differ and why.
    """

    def __init__(self, design: Assembly, emulator: str | None) -> None:
        self.design, self.emulator = design, emulator
        self.reference = ReferenceRunner(design.reference)
        self.graph = unfolded(design.graph)
        self.sums = {s.stream: s for s in design.sums}
        self.floats = _last_floats(design)
        self.tail: TailCheck | None = None
        self.joined: dict[Stream, tuple[str, str]] | None = None
        self.reach = Reach()
        self.observer: Watching | None = None
        self.seen: Mapping[str, Array] = {}
        self.result = Verification(layers=_layers(design, self.graph))

    def compare(self, inputs: Mapping[str, Array], progress: Callable[[int, int], None]) -> None:
        """Compares all samples, a batch at a time."""
        before, count = self.result.samples, len(next(iter(inputs.values())))
        for index, expected in self.reference.batches(inputs):
            self._batch({n: a[index : index + len(expected)] for n, a in inputs.items()}, expected)
            self.seen = expected[0]
            progress(self.result.samples, before + count)

    def finish(self) -> None:
        """Compares what samples may not reach."""
        if self.seen:
            self._functions(self.seen)

    def _batch(self, samples: Mapping[str, Array], expected: Sequence[Mapping[str, Array]]) -> None:
        design = self.design
        heads = design.run_head(samples)
        observed = self._watched(heads, expected)
        if observed is None and self.reference.in_batches:
            expected = [self.reference.run(samples, i) for i in range(len(expected))]
        if self.joined is None:
            joins = ((s, operands(design, self.graph, s, expected[0])) for s in self.graph.streams)
            self.joined = {s: names for s, names in joins if names is not None}
        for name in {n for names in self.joined.values() for n in names}:
            for right in expected:
                self.reach.see(name, right[name])
        for i, right in enumerate(expected):
            for name, given in heads.items():
                if name in right:
                    self.result.tensor(name).same(given[i].reshape(-1), right[name].reshape(-1))
        free = design.from_ports(design.plan.run(design.to_ports(heads), emulator=self.emulator))
        for i, right in enumerate(expected):
            own = [{n: a[i : i + 1] for n, a in arrays.items()} for arrays in (samples, heads, free, observed or {})]
            self._one(own[0], own[1], own[2], own[3] if observed else None, right)

    def _one(
        self,
        sample: Mapping[str, Array],
        heads: Mapping[str, Array],
        free: Mapping[str, Array],
        integers: Mapping[str, Array] | None,
        expected: Mapping[str, Array],
    ) -> None:
        """Compares what is left of a sample: all of it, if ``integers``, what leaves the accelerator, were not watched."""
        design = self.design
        if integers is None:
            before: dict[str, Array] = {}
            ports = design.to_ports({**heads, **_known(design, expected)})
            watching = _recording(before, self._probe(expected, before))
            integers = design.from_ports(design.plan.run(ports, probe=watching))
        sound = self._last_sums({**heads, **integers}, expected)
        told = self._told(integers, expected)
        self._outputs(sample, heads, integers, expected, sound=sound, told=told)
        self.result.end_to_end += sum(int((free[n] != integers[n]).sum()) for n in free)
        self.result.samples += 1

    def _functions(self, expected: Mapping[str, Array]) -> None:
        """Compares activations with the reference where samples may not reach, and the model leaves nothing open."""
        for stream in self.graph.streams:
            unit, tensor = self.graph[stream.src], stream.tensor or ""
            found, entry, names = None, self.sums.get(tensor), (self.joined or {}).get(stream)
            if entry is not None:
                tensor, found = entry.tensor, probe(self.design, unit, entry, expected)
            elif names is not None and isinstance(unit, Join):
                found = probe_join(self.design, unit, names, tensor, self.reach)
            if found is None:
                continue
            settled = np.ones(found.given.shape, bool)
            windows, frame = self.design.windows.get(stream.tensor or ""), unit.outputs[0]
            if windows is not None and windows_fit(windows, frame):
                settled = ~in_windows(found.arguments, windows, frame)
            if found.loose is not None:
                settled &= ~found.loose
                self.result.tensor(tensor).skipped += int(found.loose.sum())
            self.result.tensor(tensor).same(found.given[settled], found.right[settled])

    def _watched(self, heads: Mapping[str, Array], expected: Sequence[Mapping[str, Array]]) -> dict[str, Array] | None:
        """What leaves the accelerator for a batch in which every value is the reference's; None if one is not."""
        design = self.design
        compared = design.tensors.keys() & expected[0].keys()
        if self.observer is None:
            summed = frozenset(s for s in self.graph.streams if s.tensor in self.sums)
            streams = frozenset(s for s in self.graph.streams if s.tensor in compared) | summed
            self.observer = design.plan.observer(streams, summed, self.emulator)
        wanted = compared | {s.reference for s in design.sums} | _known(design, expected[0]).keys()
        if any(len(e[n]) != 1 for e in expected for n in wanted & e.keys()):
            return None
        right = {n: np.concatenate([e[n] for e in expected]) for n in wanted & expected[0].keys()}
        trial = copy.deepcopy(self.result)

        def watch(stream: Stream, frames: Array, acc: Array | None) -> Array:
            name = stream.tensor or ""
            told.at(stream.src)
            if name in self.sums:
                self._count_sums(trial, stream, self.sums[name], right, frames if acc is None else acc)
            if name in compared:
                trial.tensor(name).same(frames, design.tensors[name].to_stream(right[name], frames.shape[1:]))
            if trial.mismatches > self.result.mismatches:
                raise _DiffersError
            return frames

        try:
            observed = self.observer.run(design.to_ports({**heads, **_known(design, right)}), watch)
        except _DiffersError:
            return None
        self.result = trial
        return design.from_ports(observed)

    def _count_sums(
        self, result: Verification, stream: Stream, entry: FloatSum, expected: Mapping[str, Array], acc: Array
    ) -> None:
        """Compares what an activation is applied to, before it is rounded to few levels."""
        info = self.design.tensors.get(entry.tensor)
        if _summing(self.graph[stream.src]) and info is not None and entry.reference in expected:
            integers = info.from_stream(acc.reshape(len(acc), -1))
            result.tensor(entry.reference).sums(integers, expected[entry.reference].reshape(integers.shape), entry)

    def _probe(self, expected: Mapping[str, Array], before: Mapping[str, Array]) -> Callable[[Stream, Array], Array]:
        design, graph = self.design, self.graph
        compared = design.tensors.keys() & expected.keys()

        def seen(stream: Stream, frames: Array) -> Array:
            name = stream.tensor
            told.at(stream.src)
            if name in self.sums:
                self._inner_sum(stream, self.sums[name], expected, before)
            if name is None or name not in compared:
                return frames
            right = design.tensors[name].to_stream(expected[name], frames.shape[1:])
            excuses = {
                "window": window_excuse(design, graph, stream, before, compared),
                "tie": tie_excuse(design, graph, stream, before, frames, right),
            }
            self.result.tensor(name).same(frames, right, {c: e for c, e in excuses.items() if e is not None})
            return right.astype(frames.dtype)

        return seen

    def _inner_sum(
        self, stream: Stream, entry: FloatSum, expected: Mapping[str, Array], before: Mapping[str, Array]
    ) -> None:
        unit = self.graph[stream.src]
        acc = unit.accumulate(*flowed(unit, before))
        if acc is not None:
            self._count_sums(self.result, stream, entry, expected, acc)

    def _last_sums(self, integers: Mapping[str, Array], expected: Mapping[str, Array]) -> bool:
        """Compares the integers that leave the accelerator; returns whether they are what the reference has, or may have."""
        sound = True
        for reference, entries in _last(self.design).items():
            if reference in expected and all(e.tensor in integers for e in entries):
                found = self.result.tensor(reference)
                before = found.mismatches
                right = expected[reference]
                parts = [integers[e.tensor].reshape(right.shape) for e in entries]
                if len(entries) == 1:
                    found.sums(parts[0], right, entries[0])
                else:
                    found.joint(parts, right, entries)
                sound &= found.mismatches == before
        return sound

    def _told(self, integers: Mapping[str, Array], expected: Mapping[str, Array]) -> bool:
        """Whether the reference tells what every tensor that leaves the accelerator should be; counts those of which it does not."""
        known = {*expected, *(s.tensor for s in self.design.accumulators if s.reference in expected)}
        untold = [u.tensor for u in self.design.graph.outputs if u.tensor not in known]
        for name in untold:
            self.result.tensor(name).skipped += integers[name].size
        return not untold

    def _outputs(
        self,
        sample: Mapping[str, Array],
        heads: Mapping[str, Array],
        integers: Mapping[str, Array],
        expected: Mapping[str, Array],
        *,
        sound: bool,
        told: bool,
    ) -> None:
        """Compares the model's outputs: the tail on the reference's own floats, then what the design really gives."""
        if self.tail is None:
            self.tail = TailCheck(self.design, expected)
        replayed = {} if self.tail.open_ else self.tail.run(sample, expected)
        sums = _last(self.design)
        if sound and self.floats is not None:
            for name, given in self.floats.run({**sample, **heads, **integers}).items():
                self.result.tensor(name).dequantized(given.reshape(expected[name].shape), expected[name], sums[name])
        for name, given in self.design.finish(sample, heads, integers).items():
            # A scalar of the model, such as a scale, is one number per sample.
            right, discrete = np.atleast_1d(expected[name]), given.dtype.kind in "iub"
            if given.shape != right.shape:
                raise MismatchError(f"output '{shown(name)}' has the shape {given.shape}, in onnxruntime {right.shape}")
            if not discrete and given.size:
                self.result.worst_output = max(self.result.worst_output, _relative(given, right))
            if name in replayed:
                found = self.result.tensor(name)
                (found.same if discrete else found.close)(replayed[name].reshape(-1), right.reshape(-1))
                if discrete and sound and told and found.mismatches == found.explained:
                    found.tied(int((given.reshape(-1) != right.reshape(-1)).sum()))
                    continue
            if discrete and sound and not told and self.tail.outputs:
                # What differs may be a tie, and may be none: nothing is known of the sums that it hangs on.
                same = given.reshape(-1) == right.reshape(-1)
                self.result.tensor(name).exactly += int(same.sum())
                self.result.tensor(name).skipped += int((~same).sum())
            elif discrete:
                self.result.tensor(name).same(given.reshape(-1), right.reshape(-1))
            elif name in sums and sound:
                self.result.tensor(name).dequantized(given.reshape(right.shape), right, sums[name])
            elif name not in {*replayed, *sums, *integers} and not self.result.tensor(name).values:
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
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in dict.fromkeys(wanted))
    return HostGraph(model)


def _last(design: Assembly) -> dict[str, list[FloatSum]]:
    """Float tensor of the reference -> the integer tensors that leave the accelerator of which it is the sum; as a rule one."""
    found: dict[str, list[FloatSum]] = {}
    for entry in design.accumulators:
        found.setdefault(entry.reference, []).append(entry)
    return found


def _summing(unit: Unit) -> bool:
    """Whether the unit has integers in front of an activation."""
    return type(unit).accumulate is not Unit.accumulate


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
