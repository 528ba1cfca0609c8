"""Runs a program in the emulator: frames in, frames out, with steps of the host between layers."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Set
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Self

import numpy as np
from threadpoolctl import threadpool_limits

from flowc import progress
from flowc.loopback.layers import HostStep, Layer
from flowc.loopback.native import machine
from flowc.loopback.program import Program
from flowc.units import InputPort, OutputPort, Unit
from flowc.units.base import Array
from flowc.units.graph import Stream

__all__ = ["Execute", "run_program"]

Probe = Callable[[Stream, Array], Array]
Execute = Callable[[Array, int, int], None]
"""Runs the layers from a first one up to an end on the external memory, uint8, which it changes."""


def run_program(
    program: Program,
    inputs: Mapping[str, Array],
    *,
    probe: Probe | None = None,
    streams: Set[Stream] | None = None,
    execute: Execute | None = None,
    emulator: str | None = None,
) -> dict[str, Array]:
    """The program's outputs for any number of frames.

    Args:
        inputs: integers (N, H, W, C) per input port.
        probe: sees, and may exchange, what flows on streams of the graph.
        streams: which streams the probe is for; None: all.
        execute: runs layers on the external memory instead of the emulator, where there is no probe.
        emulator: "native", "numpy", or None: compiled kernels where they can be had.

    Returns:
        Integers int64 (N, H, W, C) per output port.

    Raises:
        KernelsUnavailableError: "native" is asked for and can't be had.
    """
    count = len(next(iter(inputs.values())))
    threads = 1 if probe is not None or execute is not None else os.cpu_count() or 1
    starts = range(0, count, program.batch)
    # Threads share the batches, or, where these are few, the lanes of each.
    shares = 1 if len(starts) >= threads else threads

    def outputs(start: int) -> dict[str, Array]:
        piece = {name: frames[start : start + program.batch] for name, frames in inputs.items()}
        with _Run(program, piece, probe, streams, execute, emulator, shares) as run:
            return run.outputs()

    # The matrices of a tile are small: threads of the matrix library would spend their time waiting for each other.
    with threadpool_limits(1, user_api="blas"):
        if shares == threads:
            parts = [outputs(start) for start in starts]
        else:
            with ThreadPoolExecutor(threads) as pool:
                parts = list(pool.map(outputs, starts))
    return {name: np.concatenate([p[name] for p in parts]) for name in parts[0]}


class _Run:
    """One batch. Values are kept as frames per stream; the engine's layers read and write its memory.

    Lanes touch each other's rows, if at all, from layer to layer: up to ``shares`` threads have some each, and wait at the end of a layer.
    """

    def __init__(
        self,
        program: Program,
        inputs: Mapping[str, Array],
        probe: Probe | None,
        streams: Set[Stream] | None,
        execute: Execute | None = None,
        emulator: str | None = None,
        shares: int = 1,
    ) -> None:
        self.streams, self.execute = streams, execute
        self.program, self.inputs, self.probe = program, inputs, probe
        self.count = len(next(iter(inputs.values())))
        self.ddr = program.fresh_memory()
        lanes = program.engine.lanes if program.stripes else min(self.count, program.engine.lanes)
        shares = min(shares, lanes)
        ends = [lanes * i // shares for i in range(shares + 1)]
        self.machines = [
            machine(program.engine, self.ddr, lanes=range(a, b), images=self.count, emulator=emulator) for a, b in pairwise(ends)
        ]  # fmt: skip
        self._threads = ThreadPoolExecutor(shares)
        self.flowing: dict[Stream, Array] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._threads.shutdown()

    def outputs(self) -> dict[str, Array]:
        return self._free() if self.probe is None else self._probed()

    def _free(self) -> dict[str, Array]:
        """Everything in the engine's memory, as on the board."""
        program, graph = self.program, self.program.graph
        for unit, port in program.network.entries:
            program.write(self.ddr, program.network.views[unit, port], self._entry(unit, port))
        number = waiting = 0
        for step in program.network.steps:
            if isinstance(step, Layer):
                number += 1
                continue
            self._execute_all(waiting, number)
            waiting = number
            frames = [self._seen(s) for s in graph.into(step.unit.name)]
            results = step.unit.emulate(
                *(f.reshape(-1, *i.shape) for f, i in zip(frames, step.unit.inputs, strict=True))
            )
            for view, result in zip(step.outputs, results, strict=True):
                program.write(self.ddr, view, np.asarray(result))
        self._execute_all(waiting, number)
        found = {}
        for end in graph.outputs:
            (stream,) = graph.into(end.name)
            found[end.name] = self._seen(stream).reshape(-1, *end.frame.shape).astype(np.int64)
        return found

    def _entry(self, name: str, port: int) -> Array:
        """What the host writes for an entry: an input, or what padding and a window make of it."""
        unit = self.program.graph[name]
        if isinstance(unit, InputPort):
            return self.inputs[name]
        frames = [
            self._entry(s.src, s.src_port).reshape(-1, *f.shape)
            for s, f in zip(self.program.graph.into(name), unit.inputs, strict=True)
        ]
        return unit.emulate(*frames)[port]

    def _seen(self, stream: Stream) -> Array:
        """What flows on a stream: read from memory, or made by units that have no layer of their own."""
        graph = self.program.graph
        view = self.program.network.views.get((stream.src, stream.src_port))
        if view is not None:
            return self.program.read(self.ddr, view, self.count)
        unit = graph[stream.src]
        frames = [self._seen(s).reshape(-1, *f.shape) for s, f in zip(graph.into(unit.name), unit.inputs, strict=True)]
        return unit.emulate(*frames)[stream.src_port]

    def _execute_all(self, first: int, end: int) -> None:
        if self.execute is not None and first < end:
            self.execute(self.ddr, first, end)
            return
        for number in range(first, end):
            self._execute(number)

    def _execute(self, number: int) -> None:
        segment = self.program.segments[number]
        progress.at(segment.layer.name)
        for one in self.machines:
            one.reads, one.writes = self.program.may_touch(segment.layer)
        if len(self.machines) == 1:
            self.machines[0].execute(segment)
        else:
            list(self._threads.map(lambda one: one.execute(segment), self.machines))

    # with a probe

    def _probed(self) -> dict[str, Array]:
        """Unit by unit: each layer reads what the probe gave for its inputs."""
        network, graph = self.program.network, self.program.graph
        outputs: dict[str, Array] = {}
        for unit in graph:
            if isinstance(unit, OutputPort):
                (stream,) = graph.into(unit.name)
                outputs[unit.name] = self.flowing[stream].reshape(-1, *unit.frame.shape).astype(np.int64)
                continue
            if (unit.name, 0) in network.fused:
                continue  # its layer belongs to the join behind it
            results: tuple[Array, ...] = (self.inputs.get(unit.name, np.empty(0)),)
            if not isinstance(unit, InputPort):
                results = self._results(unit)
            for stream in graph.out_of(unit.name):
                self._flow(stream, results[stream.src_port])
        return outputs

    def _flow(self, stream: Stream, frames: Array) -> None:
        assert self.probe is not None
        shape = self.program.graph.frame(stream).shape
        values = np.asarray(frames).reshape(-1, *shape).astype(np.float64)
        seen = self.streams is None or stream in self.streams
        self.flowing[stream] = self.probe(stream, values) if seen else values

    def _results(self, unit: Unit) -> tuple[Array, ...]:
        """What a unit makes of what flows into it: by its layers, or as the host computes it."""
        network = self.program.network
        mine = [i for i, owner in enumerate(network.owners) if owner == unit.name]
        if not mine or any(isinstance(network.steps[i], HostStep) for i in mine):
            return self._emulated(unit)
        main = next((s.src for s in self.program.graph.into(unit.name) if (s.src, 0) in network.fused), None)
        if main is not None:
            self._give(main)
        self._give(unit.name)
        numbers = {i: n for n, i in enumerate(i for i, s in enumerate(network.steps) if isinstance(s, Layer))}
        fused = None if main is None else self.program.number(network.fused[main, 0])
        (only,) = self.machines
        only.record, only.inner = set() if fused is None else {fused}, {}
        for i in mine:
            self._execute(numbers[i])
        if main is not None and fused is not None:
            (stream,) = self.program.graph.out_of(main)
            own = self.program.inner_frames(fused, only.inner.pop(fused))[: self.count]
            self._flow(stream, own)
            if not np.array_equal(self.flowing[stream].reshape(own.shape), own):
                return self._emulated(unit)
        ports = range(len(unit.outputs))
        if any((unit.name, port) not in network.views for port in ports):
            # What it copies is read through padding, which is no tensor.
            return self._emulated(unit)
        return tuple(self.program.read(self.ddr, network.views[unit.name, port], self.count) for port in ports)

    def _emulated(self, unit: Unit) -> tuple[Array, ...]:
        streams = self.program.graph.into(unit.name)
        frames = [self.flowing[s].reshape(-1, *f.shape) for s, f in zip(streams, unit.inputs, strict=True)]
        return unit.emulate(*frames)

    def _give(self, name: str) -> None:
        """Writes what flows into a unit to where its layers read it, from behind units that are only addresses."""
        network, graph = self.program.network, self.program.graph
        for stream in graph.into(name):
            key = (stream.src, stream.src_port)
            if key in network.fused:
                continue
            if key in network.views:
                self.program.write(self.ddr, network.views[key], self.flowing[stream])
            else:
                self._give(stream.src)
