"""Links between delays: what they allow a unit is what times of beats allow it."""

from __future__ import annotations

import numpy as np
import pytest

from flowc.dataflow.allocate import allocate
from flowc.dataflow.allocate.times import as_values
from flowc.dataflow.allocate.timing import Bounds, Pipeline
from flowc.targets import load_target
from tests.dataflow.allocate.nets import residual


@pytest.mark.parametrize(("structure", "fps"), [("loop", 20_000.0), ("pipeline", 100_000.0)])
def test_links_allow_what_times_allow(structure: str, fps: float) -> None:
    """For every unit of a pipeline with branches, at depths within a frame, beyond one, and too small."""
    graph = residual(1)
    graph = graph.with_units({u.name: u.with_(structure=structure) for u in graph})
    line = Pipeline(allocate(graph, load_target("ultra96"), fps=fps).graph)
    bounds = Bounds(line, line.first_depths())
    for stream in line.graph.streams:
        beats = line.loops[stream.dst].read_times(bounds._latest[stream.dst], stream.dst_port).size
        before = bounds.depths[stream]
        for depth in (1, 2, 3, before, beats, 2 * beats + 1, before):
            bounds._set_depth(stream, depth)
            assert bounds._linked(stream.dst) is not None
            for name in (stream.dst, stream.src):
                expected = as_values(line.late(bounds._latest, name, bounds.depths))
                assert np.array_equal(as_values(bounds._late(name)), expected), (stream, depth)
