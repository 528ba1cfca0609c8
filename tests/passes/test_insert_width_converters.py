"""Width converters where the two ends of a stream carry different numbers of elements."""

from __future__ import annotations

import numpy as np

from flowc.dataflow.emulator import emulate
from flowc.passes.insert_width_converters import insert_width_converters, remove_width_converters
from flowc.units import Fork, InputPort, Join, WidthConverter
from flowc.units.graph import Dataflow
from tests.units.test_graph import diamond


def folded() -> Dataflow:
    graph = diamond()
    changed = {"in": graph["in"].with_(simd=4), "fork": graph["fork"].with_(simd=2), "join": graph["join"].with_(pe=4)}
    assert isinstance(changed["in"], InputPort)
    assert isinstance(changed["fork"], Fork)
    assert isinstance(changed["join"], Join)
    return graph.with_units(changed)


def test_every_stream_fits_afterwards() -> None:
    graph = insert_width_converters(folded())
    for s in graph.streams:
        assert graph[s.src].out_widths[s.src_port] == graph[s.dst].in_widths[s.dst_port]
    found = {u.name: (u.wide_in, u.wide_out) for u in graph if isinstance(u, WidthConverter)}
    # The join's second input has a name of its own.
    assert found == {
        "fork_width": (4, 2),
        "turn_width": (2, 1),
        "join_width": (2, 4),
        "join_width1": (1, 4),
        "out_width": (4, 1),
    }


def test_nothing_to_do_gives_the_same_graph() -> None:
    graph = diamond()
    assert insert_width_converters(graph) is graph
    assert remove_width_converters(graph) is graph


def test_removing_undoes_inserting() -> None:
    graph = folded()
    again = remove_width_converters(insert_width_converters(graph))
    assert set(again.units) == set(graph.units)
    assert set(again.streams) == set(graph.streams)


def test_names_that_are_taken_are_avoided() -> None:
    graph = folded()
    taken = Dataflow(
        graph.name,
        [*graph.units.values(), Fork(name="fork_width", frame=graph["fork"].inputs[0], ways=0)],
        graph.streams,
    )
    assert {"fork_width", "fork_width_2"} <= set(insert_width_converters(taken).units)


def test_the_function_is_the_same() -> None:
    x = np.arange(16).reshape(2, 1, 2, 4)
    wanted = emulate(diamond(), {"in": x})["out"]
    np.testing.assert_array_equal(emulate(insert_width_converters(folded()), {"in": x})["out"], wanted)
