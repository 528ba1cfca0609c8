"""Watching streams at full speed: what is seen, in which order, and that what is exchanged flows on."""

from __future__ import annotations

import numpy as np
import pytest

from flowc.dataflow.emulator import emulate, unfolded
from flowc.dataflow.observer import Observer
from flowc.streamline.compile import compile_model
from flowc.units.base import Array
from flowc.units.graph import Stream
from tests.dataflow.test_emulator import random_frames
from tests.netbuild import cnn


@pytest.mark.parametrize("emulator", ["native", "numpy", None])
def test_streams_and_sums_are_those_of_the_units(emulator: str | None) -> None:
    graph = unfolded(compile_model(cnn(residual=True)).graph)
    frames = random_frames(graph, 3)
    wanted: dict[Stream, Array] = {}

    def record(stream: Stream, values: Array) -> Array:
        wanted[stream] = values
        return values

    outputs = emulate(graph, frames, probe=record, emulator="numpy")
    active = frozenset(s for s in graph.streams if getattr(graph[s.src], "activation", None) is not None)
    assert active
    seen = {}

    def watch(stream: Stream, values: Array, acc: Array | None) -> Array:
        np.testing.assert_array_equal(values, wanted[stream].reshape(values.shape))
        unit = graph[stream.src]
        if stream in active:
            assert acc is not None
            inputs = [wanted[s].reshape(-1, *f.shape) for s, f in zip(graph.into(unit.name), unit.inputs, strict=True)]
            np.testing.assert_array_equal(acc, unit.accumulate(*inputs))
        else:
            assert acc is None
        seen[stream] = values
        return values

    found = Observer(graph, frozenset(graph.streams), active, emulator).run(frames, watch)
    assert set(seen) == set(graph.streams)
    assert all(np.array_equal(found[name], values) for name, values in outputs.items())


@pytest.mark.parametrize("emulator", ["native", "numpy"])
def test_what_is_exchanged_flows_on(emulator: str) -> None:
    graph = unfolded(compile_model(cnn(residual=True)).graph)
    frames = random_frames(graph, 2)
    chosen = next(
        s for s in graph.streams if s.tensor and graph[s.src].kind == "mvtu" and graph.frame(s).dtype.bits > 2
    )

    def other(values: Array) -> Array:
        changed = values.copy()
        changed[0] = graph.frame(chosen).dtype.hi - changed[0]
        return changed

    def probe(stream: Stream, values: Array) -> Array:
        return other(values) if stream == chosen else values

    wanted = emulate(graph, frames, probe=probe, emulator="numpy")
    observer = Observer(graph, frozenset({chosen}), frozenset(), emulator)
    found = observer.run(frames, lambda stream, values, acc: other(values))
    plain = emulate(graph, frames)
    assert all(np.array_equal(found[name], values) for name, values in wanted.items())
    assert any(not np.array_equal(found[name], values) for name, values in plain.items())
