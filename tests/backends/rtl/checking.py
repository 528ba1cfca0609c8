"""What every simulation of SystemVerilog is checked for."""

from __future__ import annotations

import numpy as np
import pytest

from flowc.backends.rtl.bench import flowing
from flowc.backends.rtl.simulate import Observed
from flowc.backends.rtl.tools import missing_simulator
from flowc.units import Array
from flowc.units.graph import Dataflow

missing = missing_simulator()
needs_verilator = pytest.mark.skipif(bool(missing), reason="; ".join(missing))


def expect_equal(graph: Dataflow, seen: Observed, frames: list[Array]) -> None:
    """No beat wrong, lost, added or taken back on any stream, and the outputs those of the emulator."""
    for stream, passed in seen.streams.items():
        name = f"{stream.src} -> {stream.dst}"
        assert passed.wrong == 0, f"{name}: {passed.wrong} beats, first {passed.first_wrong}"
        assert passed.broken == 0, name
    assert not seen.stuck, {f"{s.src} -> {s.dst}": (p.given, p.taken) for s, p in seen.streams.items()}
    for stream, passed in seen.streams.items():
        width = graph[stream.src].out_widths[stream.src_port]
        assert passed.given >= len(frames[0]) * graph.frame(stream).elements // width, stream
    assert (seen.wrong_last, seen.broken_outputs) == (0, 0)
    passing = flowing(graph, frames)
    for unit in graph.outputs:
        expected = passing[graph.into(unit.name)[0]].reshape(-1, *unit.frame.shape)
        np.testing.assert_array_equal(seen.frames[unit.name], expected, err_msg=unit.name)
