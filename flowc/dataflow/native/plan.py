"""A dataflow graph as a program of the kernels: which unit runs where, and where its frames lie."""

from __future__ import annotations

from dataclasses import dataclass, field

from flowc import kernels
from flowc.dataflow.native.codes import NotNativeError, code_of
from flowc.dataflow.native.geometry import Geometry, fuses
from flowc.dataflow.native.products import lower_product
from flowc.dataflow.native.program import Buffer, Call, Value, allocate, sized
from flowc.dataflow.native.units import LOWERINGS, lower_depthwise, lower_pool
from flowc.units import Fork, InputPort, Mvtu, OutputPort, Pool, Unit, Vvtu, Window
from flowc.units.graph import Dataflow, Stream

__all__ = ["Plan", "Step"]


@dataclass(eq=False)
class Step:
    """One unit's turn.

    Attributes:
        start, count: its operations in the program.
        reason: why its numpy function runs instead, or None.
        sources, targets: streams in and out. With a fused window the source is the window's.
    """

    unit: Unit
    sources: list[Stream]
    targets: list[Stream]
    start: int = 0
    count: int = 0
    reason: str | None = None
    calls: list[Call] = field(default_factory=list)


class Plan:
    """The program of a graph.

    Args:
        graph: in the emulator's order (`flowc.dataflow.emulator.unfolded`).
        library: the kernels.
        kept: streams whose frames someone wants to see or to exchange; none of them is fused away, or shared with another.

    Attributes:
        steps: in order; those with a reason run in numpy.
        values: stream -> its place and code. A stream that int32 does not hold has none; its frames live outside of the arena.
        size: bytes of the arena per sample.
    """

    def __init__(self, graph: Dataflow, library: kernels.Library, kept: frozenset[Stream] = frozenset()) -> None:
        self.graph = graph
        self.library = library
        self.kept = kept
        self.steps: list[Step] = []
        self.values: dict[Stream, Value] = {}
        for unit in graph:
            if not (isinstance(unit, Window) and self._may_fuse(unit)):
                self.steps += self._turn(unit)
        self.size = allocate(self._lives())
        calls = [call for step in self.steps for call in step.calls]
        self.program = (kernels.Operation * max(1, len(calls)))()
        for operation, call in zip(self.program, calls, strict=False):
            call.write(operation)
        at = 0
        for step in self.steps:
            step.start, step.count = at, len(step.calls)
            at += step.count

    @property
    def numpy_units(self) -> dict[str, str]:
        """Units that run in numpy, and why."""
        return {s.unit.name: s.reason for s in self.steps if s.reason is not None}

    def _may_fuse(self, window: Window) -> bool:
        """Whether a window's reader may read the window's frame itself."""
        (into,), (out,) = self.graph.into(window.name), self.graph.out_of(window.name)
        return out not in self.kept and into in self.values and fuses(window, self.graph[out.dst])

    def _turn(self, unit: Unit) -> list[Step]:
        """The steps of a unit: its own, and in front of it that of a window that it can't read in place after all."""
        sources, targets = self.graph.into(unit.name), self.graph.out_of(unit.name)
        step = Step(unit, sources, targets)
        if isinstance(unit, OutputPort):
            return [step]
        self._place(step)
        if isinstance(unit, InputPort):
            return [step]
        window = self.graph[sources[0].src]
        if isinstance(window, Window) and sources[0] not in self.values:
            fused = Step(unit, self.graph.into(window.name), targets)
            if self._attempt(fused, Geometry.of_window(window)):
                return [fused]
            before = self._turn(window)
            self._attempt(step, None)
            return [*before, step]
        self._attempt(step, None)
        return [step]

    def _attempt(self, step: Step, geometry: Geometry | None) -> bool:
        """Fills in a step's operations, or why it has none."""
        try:
            if any(s not in self.values for s in (*step.sources, *step.targets)):
                raise NotNativeError("integers beyond int32")
            sources, targets = [self.values[s] for s in step.sources], [self.values[s] for s in step.targets]
            step.calls = self._lower(step.unit, sources, targets, geometry)
        except NotNativeError as reason:
            step.reason = str(reason)
        return step.reason is None

    def _place(self, step: Step) -> None:
        """Buffers for what a unit gives. Copies of a stream share one, unless somebody may exchange what flows on one of them."""
        unit = step.unit
        shares = isinstance(unit, Fork) and not self.kept.intersection((*step.targets, *step.sources))
        for stream in step.targets:
            frame = unit.outputs[stream.src_port]
            code = code_of(frame.dtype)
            if code is None:
                continue
            given = self.values.get(step.sources[0]) if shares else None
            self.values[stream] = given if given is not None else Value(Buffer(frame.elements * code.size), code)

    def _lower(self, unit: Unit, sources: list[Value], targets: list[Value], geometry: Geometry | None) -> list[Call]:
        if type(unit) is Mvtu:
            return lower_product(unit, sources[0], targets[0], geometry, self.library)
        if type(unit) is Vvtu:
            return lower_depthwise(unit, sources[0], targets[0], geometry)
        if type(unit) is Pool:
            return lower_pool(unit, sources[0], targets[0], geometry)
        if isinstance(unit, Fork):
            return [_copy(sources[0], to, unit) for to in targets if to.buffer is not sources[0].buffer]
        lower = LOWERINGS.get(type(unit))
        if lower is None:
            raise NotNativeError(f"units of kind '{unit.kind}'")
        return lower(unit, sources, targets)

    def _lives(self) -> list[tuple[Buffer, int, int]]:
        """Buffers with the first and the last step that use them."""
        first: dict[Buffer, int] = {}
        last: dict[Buffer, int] = {}
        for index, step in enumerate(self.steps):
            used = [self.values[s].buffer for s in (*step.sources, *step.targets) if s in self.values]
            for buffer in (*used, *(b for call in step.calls for b in call.buffers)):
                first.setdefault(buffer, index)
                last[buffer] = index
        return [(buffer, first[buffer], last[buffer]) for buffer in first]


def _copy(source: Value, target: Value, unit: Fork) -> Call:
    c = unit.frame.c
    fields = sized(
        h=unit.frame.pixels, w=1, c=c, oc=c, rows=c, factor=1, value=0, start=0, start2=0, wide_in=source.code.wide,
        wide_out=target.code.wide,
    )  # fmt: skip
    return Call(kernels.OperationKind.SLICE, source.buffer, target.buffer, fields=fields)
