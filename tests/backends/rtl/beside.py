"""Several designs side by side in one, simulated with and without stalls, and what is not as it should be in each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from flowc.backends.rtl import simulate
from flowc.backends.rtl.bench import flowing
from flowc.backends.rtl.generate import generate
from flowc.backends.rtl.lint import lint
from flowc.backends.rtl.simulate import Observed
from flowc.backends.rtl.wiring import wires
from flowc.dataflow.allocate.simulation import Simulation
from flowc.dataflow.allocate.simulation import simulate as model
from flowc.units import Array
from flowc.units.graph import Dataflow, Stream
from tests.backends.hls.random_units import integers

__all__ = ["STALLS", "Ran", "beside", "random_frames", "side_by_side"]

STALLS = 35
"""Of 100 cycles, in how many each side of each stream is held back in the second run."""
FILLED = 12
"""Frames after which every pipeline has filled."""


@dataclass(frozen=True, eq=False)
class Ran:
    """What was seen of one of the designs.

    Attributes:
        interval: cycles from the last frame but one to the last, as fast as it goes.
        latency: cycles of the first frame.
        predicted: what the model of the pipeline says of as many frames.
        beats: that were compared, on all streams and in both runs.
        wrong: what differs from the emulator or from the model, for people; empty if nothing.
    """

    interval: int
    latency: int
    predicted: Simulation
    beats: int
    wrong: tuple[str, ...]


def random_frames(graph: Dataflow, rng: np.random.Generator, count: int = 3) -> list[Array]:
    """So many random frames per input port, between one of all least and one of all greatest values."""
    frames = []
    for port in graph.inputs:
        shape, dtype = (1, *port.frame.shape), port.frame.dtype
        least, greatest = np.full(shape, dtype.lo), np.full(shape, dtype.hi)
        frames.append(np.concatenate([least, integers(rng, dtype, (count, *port.frame.shape)), greatest]))
    return frames


def beside(graphs: Sequence[Dataflow]) -> Dataflow:
    """One design that holds several, their units' names numbered."""
    units = [u.with_(name=_name(i, u.name)) for i, g in enumerate(graphs) for u in g.units.values()]
    return Dataflow("beside", units, [_numbered(i, s) for i, g in enumerate(graphs) for s in g.streams])


def _name(number: int, name: str) -> str:
    return f"n{number}_{name}"


def _numbered(number: int, stream: Stream) -> Stream:
    return replace(stream, src=_name(number, stream.src), dst=_name(number, stream.dst))


def side_by_side(
    graphs: Sequence[Dataflow], frames: Sequence[Sequence[Array]], folder: Path, *, seed: int = 1, stalls: int = STALLS
) -> list[Ran]:
    """Simulates designs in one: once as fast as it goes, once with stalls on both sides of each stream and at the ports.

    Where an interval is not the model's, as many frames more are run as it takes to fill pipelines, which may take other steps than there.

    Args:
        graphs: folded, with FIFOs sized.
        frames: integers (N, H, W, C) per design and input port, as many frames everywhere.
        folder: where the design is written.
        seed: of the stalls.
        stalls: cycles of 100.
    """
    whole = beside(graphs)
    generate(whole, folder, header="A test")
    warned = [f"a warning: {text}" for text in lint(folder)]
    inputs = [x for own in frames for x in own]
    binary = simulate.compile(folder, whole, quick=True)
    held = simulate.run(binary, whole, inputs, stalls=stalls, seed=seed)
    for count in (len(inputs[0]), FILLED):
        again = [[x[np.arange(count) % len(x)] for x in own] for own in frames]
        free = simulate.run(binary, whole, [x for own in again for x in own])
        ran = [
            _judged(i, g, x, again[i], free, held, warned) for i, (g, x) in enumerate(zip(graphs, frames, strict=True))
        ]
        if all(one.interval == one.predicted.interval for one in ran):
            break
    return ran


def _judged(
    number: int, graph: Dataflow, frames: Sequence[Array], again: Sequence[Array], free: Observed, held: Observed,
    warned: list[str],
) -> Ran:  # fmt: skip
    predicted = model(graph, len(again[0]))
    wrong, beats = [*warned], 0
    for run, given, seen in (("", again, free), (", with stalls", frames, held)):
        passing = flowing(graph, given)
        beats += sum(_beats(graph, s, passing) for s in graph.streams)
        wrong += [text + run for text in _differences(number, graph, passing, seen)]
    ended = [free.port_ends[_name(number, port.name)] for port in graph.outputs]
    if all(len(ends) == len(again[0]) for ends in ended):
        ends = np.max(ended, axis=0)
        interval, latency = int(ends[-1] - ends[-2]), int(ends[0])
        wrong += [] if interval == predicted.interval else [f"interval {interval}, the model says {predicted.interval}"]
        wrong += [] if latency <= predicted.latency else [f"latency {latency}, the model says {predicted.latency}"]
    else:
        interval = latency = 0
        wrong.append("frames are missing")
    return Ran(interval, latency, predicted, beats, tuple(wrong))


def _beats(graph: Dataflow, stream: Stream, passing: dict[Stream, Array]) -> int:
    return int(passing[stream].size) // graph[stream.src].out_widths[stream.src_port]


def _differences(number: int, graph: Dataflow, passing: dict[Stream, Array], seen: Observed) -> Iterator[str]:
    """Beats that are wrong, lost, invented or taken back, FIFOs that hold more than they are deep, and results that differ."""
    for stream, wire in wires(graph).items():
        passed, name = seen.streams[_numbered(number, stream)], f"{stream.src} -> {stream.dst}"
        due = _beats(graph, stream, passing)
        if passed.wrong or passed.broken or passed.given < due or passed.taken < due:
            yield f"{name}: {passed}, {due} beats are due"
        # The memory's output registers hold a beat more (flowc_fifo).
        if passed.most > wire.depth + (wire.style in ("block", "ultra")):
            yield f"{name}: held {passed.most} beats, {wire.depth} deep"
    if seen.stuck or seen.wrong_last or seen.broken_outputs:
        yield f"stuck: {seen.stuck}, wrong TLASTs: {seen.wrong_last}, broken outputs: {seen.broken_outputs}"
    for port in graph.outputs:
        expected = passing[graph.into(port.name)[0]].reshape(-1, *port.frame.shape)
        results = seen.frames[_name(number, port.name)]
        # What borders alone decide is the same for every frame, and comes before the frame does: also of one that never comes.
        more = results[len(expected) :]
        if (
            not np.array_equal(results[: len(expected)], expected)
            or np.any(more != expected[:1])
            or (len(more) and np.ptp(expected, 0).any())
        ):
            yield f"the results of {port.name} differ"
