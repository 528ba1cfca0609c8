"""Watching, and exchanging, what flows in a graph, at the full speed of the emulator: chosen streams, and the sums behind activations."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from flowc import kernels
from flowc.dataflow import native
from flowc.dataflow.emulator import run_in_numpy, unfolded
from flowc.units import Activate
from flowc.units.base import Array, Unit
from flowc.units.graph import Dataflow, Stream

__all__ = ["Observer", "Watch"]

Watch = Callable[[Stream, Array, "Array | None"], Array]
"""Called with a stream, its frames (N, H, W, C), and what the activation that gave them was applied to, if that was asked for; what it
returns flows on."""


class Observer:
    """A graph whose streams are watched.

    Args:
        graph: any; watched are streams of its `unfolded` form.
        streams: which of them.
        sums: of these, the ones for which the accumulators in front of the activation are wanted, too.
        emulator: as of `flowc.dataflow.emulator.emulate`.

    Units whose accumulators are wanted are taken apart: one without an activation, and the activation by itself.
    """

    def __init__(
        self, graph: Dataflow, streams: frozenset[Stream], sums: frozenset[Stream], emulator: str | None = None
    ) -> None:
        self._graph = unfolded(graph)
        self._original: dict[Stream, Stream] = {}
        self._inner: dict[Stream, Stream] = {}
        self._signs: dict[Stream, Array] = {}
        units: list[Unit] = []
        moved: dict[Stream, Stream] = {}
        for unit in self._graph:
            out = self._graph.out_of(unit.name)
            opened = self._opened(unit, out[0]) if len(out) == 1 and out[0] in sums else None
            if opened is None:
                units.append(unit)
                continue
            bare, activation = opened
            units += [bare, activation]
            inner, outer = Stream(bare.name, activation.name), replace(out[0], src=activation.name)
            self._inner[inner], moved[out[0]] = outer, outer
            signs = getattr(unit, "signs", None)
            if signs is not None:
                self._signs[inner] = signs
        whole = [moved.get(s, s) for s in self._graph.streams]
        # A standalone activation is applied to what flows into it.
        for s in sums:
            if s not in moved and isinstance(self._graph[s.src], Activate):
                (into,) = self._graph.into(s.src)
                self._inner[moved.get(into, into)] = s
        self._original = {moved.get(s, s): s for s in streams | sums}
        self.graph = Dataflow(graph.name, units, [*whole, *(i for i in self._inner if i not in whole)])
        self._watched = frozenset(self._original) | frozenset(self._inner)
        self._plan = native.Plan(self.graph, kernels.load(), self._watched) if kernels.used(emulator) else None

    @staticmethod
    def _opened(unit: Unit, out: Stream) -> tuple[Unit, Unit] | None:
        activation = getattr(unit, "activation", None)
        if activation is None or isinstance(unit, Activate):
            return None
        bare: Unit = unit.with_(activation=None)
        name = f"{unit.name}.{out.dst}.activation"
        return bare, Activate(name=name, frame=bare.outputs[0], activation=activation)

    def run(self, inputs: Mapping[str, Array], watch: Watch) -> dict[str, Array]:
        """The graph's outputs for a batch, in one piece; arguments and results as of `flowc.dataflow.emulator.emulate`."""
        sums: dict[Stream, Array] = {}

        def probe(stream: Stream, frames: Array) -> Array:
            seen = frames
            if stream in self._original:
                seen = watch(self._original[stream], frames, sums.pop(stream, None))
            if stream in self._inner:
                # Sums as the model has them: a unit may compute the negated ones.
                signs = self._signs.get(stream)
                sums[self._inner[stream]] = seen if signs is None else seen * signs.astype(seen.dtype)
            return seen

        if self._plan is not None:
            try:
                return native.run_plan(self._plan, inputs, probe)
            except native.OutOfTypeError:
                sums.clear()
        return run_in_numpy(self.graph, inputs, probe, self._watched)
