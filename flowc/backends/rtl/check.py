"""A generated project simulated and held against the emulator and the model of the pipeline."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from flowc.backends.rtl import simulate
from flowc.backends.rtl.bench import flowing
from flowc.backends.rtl.simulate import Observed
from flowc.dataflow.allocate.simulation import Simulation
from flowc.dataflow.allocate.simulation import simulate as model
from flowc.units import Array
from flowc.units.graph import Dataflow

__all__ = ["Checked", "check"]

STALLS = 30
"""Of 100 cycles, in how many each side of each stream is held back in the second run."""

_MOST_FRAMES = 12
"""Frames after which the pipeline counts as filled. The hardware may fill in other steps than the model, in which no frame is earlier."""


@dataclass(frozen=True, eq=False)
class Checked:
    """What a simulation found.

    Attributes:
        entry: the ``rtlsim`` entry of a report.
        wrong: what is not as it should be, for people; empty if nothing.
    """

    entry: dict[str, Any]
    wrong: tuple[str, ...]


def check(folder: Path, graph: Dataflow, inputs: Sequence[Array]) -> Checked:
    """Compiles a project and runs frames through it, once as fast as it takes them and, beside that, once under random stalls.

    Args:
        folder: where `generate` wrote the project.
        graph: the design.
        inputs: integers (N, H, W, C) per input port, in order; repeated until the pipeline has filled.

    Raises:
        UsageError: Verilator or g++ is missing.
        MismatchError: the simulation itself fails.
    """
    predicted = model(graph, _MOST_FRAMES, settled=max(u.interval for u in graph))
    count = max(len(predicted.ends), len(inputs[0]))
    predicted = model(graph, count)
    start = time.perf_counter()
    binary = simulate.compile(folder, graph)
    compiled = time.perf_counter()
    emulated = flowing(graph, inputs)

    def fast(frames: int) -> Observed:
        again = {stream: _repeated(values, frames) for stream, values in emulated.items()}
        return simulate.run(binary, graph, [_repeated(x, frames) for x in inputs], emulated=again)

    with ThreadPoolExecutor(1) as beside:
        held_back = beside.submit(simulate.run, binary, graph, inputs, stalls=STALLS, emulated=emulated)
        free = fast(count)
        if free.interval != predicted.interval and count < _MOST_FRAMES:
            count, predicted = _MOST_FRAMES, model(graph, _MOST_FRAMES)
            free = fast(count)
        stalled = held_back.result()
    entry = {
        "frames": count + len(inputs[0]),
        "mismatches": _mismatches(free) + _mismatches(stalled),
        "interval_cycles": free.interval,
        "model_interval_cycles": predicted.interval,
        "latency_cycles": free.ends[0] if free.ends else None,
        "model_latency_cycles": predicted.latency,
        "compile_s": compiled - start,
        "run_s": time.perf_counter() - compiled,
        "fifos": [
            {"from": s.src, "to": s.dst, "depth": s.depth, "held": passed.most} for s, passed in free.streams.items()
        ],
    }
    wrong = [text for seen in (free, stalled) for text in _complaints(graph, seen)]
    return Checked(entry, tuple(wrong or _late(free, predicted)))


def _repeated(frames: Array, count: int) -> Array:
    """The frames over and over, so many of them."""
    return frames[np.arange(count) % len(frames)]


def _mismatches(seen: Observed) -> int:
    """Beats that differ from the emulator's, and broken rules of handshakes."""
    streams = seen.streams.values()
    return sum(p.wrong + p.broken for p in streams) + seen.wrong_last + seen.broken_outputs


def _complaints(graph: Dataflow, seen: Observed) -> list[str]:
    found = []
    for stream, passed in seen.streams.items():
        name = f"the stream from '{stream.src}' to '{stream.dst}'"
        if passed.wrong:
            per_frame = graph.frame(stream).elements // graph[stream.src].out_widths[stream.src_port]
            frame, beat = divmod(passed.first_wrong, per_frame)
            found.append(f"{passed.wrong} beats of {name} differ from the emulator, first beat {beat} of frame {frame}")
        if passed.broken:
            found.append(f"{name} takes a beat back, or changes it, before it was taken ({passed.broken} times)")
    if seen.wrong_last or seen.broken_outputs:
        found.append(
            f"TLAST is wrong {seen.wrong_last} times, {seen.broken_outputs} beats are taken back at the outputs"
        )
    if seen.stuck:
        held = [f"{s.src} -> {s.dst}" for s, p in seen.streams.items() if p.given > p.taken]
        found.append(f"no beat moves, but frames are missing; beats wait in {', '.join(held[:5]) or 'no FIFO'}")
    return found


def _late(seen: Observed, predicted: Simulation) -> list[str]:
    """What differs from the model: an interval that is not the same, frames that come later."""
    found = []
    if seen.interval != predicted.interval:
        found.append(f"a frame takes {seen.interval} cycles, the model says {predicted.interval}")
    if seen.ends[0] > predicted.latency:
        found.append(f"the first frame takes {seen.ends[0]} cycles, the model says {predicted.latency}")
    later = [n for n, (end, due) in enumerate(zip(seen.ends, predicted.ends, strict=False), 1) if end > due]
    if later and later[0] > 1:
        n = later[0]
        found.append(f"frame {n} ends after {seen.ends[n - 1]} cycles, the model says {predicted.ends[n - 1]}")
    return found
