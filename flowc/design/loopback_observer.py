"""Watching what flows in a loopback program on whole batches: what its layers write, and the sums behind their activations."""

from __future__ import annotations

import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from flowc.dataflow.observer import Observer, Watch
from flowc.loopback.program import Program
from flowc.loopback.run import run_program
from flowc.units.base import Array
from flowc.units.graph import Stream

__all__ = ["LoopbackObserver"]


class LoopbackObserver:
    """A program whose streams are watched, batches of its own size in threads.

    Frames are those that the engine's layers wrote. Sums never leave the array, so they are computed beside it, from the same inputs,
    as the layers' functions define them.

    Args:
        program: of the graph whose streams these are.
        streams, sums, emulator: as of `flowc.dataflow.observer.Observer`.
    """

    def __init__(
        self, program: Program, streams: frozenset[Stream], sums: frozenset[Stream], emulator: str | None = None
    ) -> None:
        self._program, self._emulator = program, emulator
        self._watched = streams | sums
        self._sums = Observer(program.graph, frozenset(), sums, emulator) if sums else None

    def run(self, inputs: Mapping[str, Array], watch: Watch) -> dict[str, Array]:
        """The outputs for a batch; ``watch`` sees each stream once, with the whole batch, and exchanges nothing."""
        program = self._program
        starts = range(0, len(next(iter(inputs.values()))), program.batch)
        seen: dict[Stream, list[Array]] = {s: [np.empty(0)] * len(starts) for s in self._watched}

        def part(index: int) -> dict[str, Array]:
            def note(stream: Stream, frames: Array) -> Array:
                seen[stream][index] = frames
                return frames

            piece = slice(starts[index], starts[index] + program.batch)
            given = {name: frames[piece] for name, frames in inputs.items()}
            return run_program(program, given, probe=note, streams=self._watched, emulator=self._emulator)

        with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
            parts = list(pool.map(part, range(len(starts))))
        sums = self._accumulators(inputs)
        for unit in program.graph:
            for stream in program.graph.out_of(unit.name):
                if stream in self._watched:
                    watch(stream, np.concatenate(seen.pop(stream)), sums.pop(stream, None))
        return {name: np.concatenate([p[name] for p in parts]) for name in parts[0]}

    def _accumulators(self, inputs: Mapping[str, Array]) -> dict[Stream, Array]:
        """What the activations are applied to, of the streams for which that was asked."""
        found: dict[Stream, Array] = {}

        def note(stream: Stream, frames: Array, acc: Array | None) -> Array:
            if acc is not None:
                found[stream] = acc
            return frames

        if self._sums is not None:
            self._sums.run(inputs, note)
        return found
