"""The cost of programs: what a port of the engine and the external memory move at most."""

from __future__ import annotations

import numpy as np
import pytest

from flowc.loopback.allocate import memory_of
from flowc.loopback.cost import costs_of
from flowc.targets import load_target
from tests.loopback.nets import FOUR, program_of, unfolded_graph
from tests.netbuild import mlp


@pytest.mark.parametrize(("name", "bytes_per_cycle"), [("pynq-z2", 8), ("ultra96", 16), ("arty-a7-100t", 16)])
def test_ports_are_as_wide_as_the_narrower_side(name: str, bytes_per_cycle: int) -> None:
    """HP ports of a Zynq-7000 have 64 bits (UG585), those of an UltraScale+ 128 (UG1085), as the engine's."""
    assert memory_of(load_target(name), 100.0).port_bytes == bytes_per_cycle


def test_no_port_moves_more_than_its_width() -> None:
    """A perceptron waits for its weights: with all the memory that there could be, it takes the cycles of the port."""
    program = program_of(unfolded_graph(mlp((512, 256, 16))), FOUR, batch=1)
    cycles = {
        width: sum(c.cycles for c in costs_of(program.segments, program.blocks, program.engine, 1e9, width))
        for width in (8, 16)
    }
    beats = {width: len(program.weights) / width for width in cycles}
    assert all(cycles[width] >= beats[width] for width in cycles)
    assert cycles[16] < beats[8]
    assert np.isclose(cycles[8] - cycles[16], beats[8] - beats[16], rtol=0.1)
