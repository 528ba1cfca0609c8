"""The dataflow graph as a value."""

from __future__ import annotations

import numpy as np
import pytest

from flowc.model.dtypes import SInt, UInt
from flowc.units import Fork, Frame, InputPort, Join, OutputPort, Permute, WidthConverter
from flowc.units.graph import Dataflow, Stream

FRAME = Frame(1, 2, 4, UInt(4))


def diamond() -> Dataflow:
    """in -> fork -> (permute | -) -> join -> out, listed out of order."""
    ones = np.ones(1, np.int64)
    units = [
        OutputPort(name="out", tensor="y", tensor_shape=(1, 8), frame=Frame(1, 2, 4, SInt(6))),
        Join(name="join", left=FRAME, right=FRAME, op="add", acc=SInt(6), left_scale=ones, right_scale=-ones),
        Permute(name="turn", frame=FRAME, out=FRAME, order=np.array([3, 2, 1, 0])),
        Fork(name="fork", frame=FRAME, ways=2),
        InputPort(name="in", tensor="x", tensor_shape=(1, 8), frame=FRAME),
    ]
    streams = [
        Stream("join", "out"),
        Stream("fork", "join", 1, 0, tensor="x"),
        Stream("turn", "join", 0, 1),
        Stream("fork", "turn", 0, 0),
        Stream("in", "fork", tensor="x"),
    ]
    return Dataflow("diamond", units, streams)


def test_iterates_in_topological_order() -> None:
    order = [u.name for u in diamond()]
    assert order[0] == "in"
    assert order[-1] == "out"
    assert order.index("fork") < order.index("turn") < order.index("join")


def test_streams_by_port() -> None:
    graph = diamond()
    assert [s.src for s in graph.into("join")] == ["fork", "turn"]
    assert [s.dst for s in graph.out_of("fork")] == ["turn", "join"]
    assert graph.into("in") == []
    assert graph.out_of("out") == []
    assert graph["turn"].kind == "permute"
    assert [u.name for u in graph.inputs] == ["in"]
    assert [u.name for u in graph.outputs] == ["out"]
    assert graph.frame(graph.into("out")[0]).dtype == SInt(6)


def test_changes_give_new_graphs() -> None:
    graph = diamond()
    changed = graph.with_units({"turn": graph["turn"].with_(order=np.array([0, 1, 2, 3]))})
    assert graph["turn"].order.tolist() == [3, 2, 1, 0]  # type: ignore[attr-defined]
    assert changed["turn"].order.tolist() == [0, 1, 2, 3]  # type: ignore[attr-defined]
    (stream,) = graph.out_of("in")
    deep = graph.with_streams({stream: Stream("in", "fork", depth=7, tensor="x")})
    assert deep.out_of("in")[0].depth == 7
    assert graph.out_of("in")[0].depth is None


def test_inserting_a_unit_keeps_the_tensor_in_front_of_it() -> None:
    graph = diamond()
    stream = graph.into("join")[0]
    longer = graph.insert({stream: WidthConverter(name="wide", frame=FRAME, wide_in=1, wide_out=2)})
    (first,) = longer.into("wide")
    (second,) = longer.out_of("wide")
    assert (first.src, first.src_port, first.tensor) == ("fork", 1, "x")
    assert (second.dst, second.dst_port, second.tensor) == ("join", 0, None)
    assert len(longer.streams) == len(graph.streams) + 1
    assert "wide" not in graph.units


def test_cycles_are_an_error() -> None:
    units = [Fork(name=n, frame=FRAME, ways=1) for n in ("a", "b")]
    with pytest.raises(Exception, match=r"(?i)cycle"):
        Dataflow("loop", units, [Stream("a", "b"), Stream("b", "a")])


def test_of_units_that_are_free_the_first_comes_first() -> None:
    """Two branches, given in turn: names follow each other as they were given wherever the streams allow it."""
    names = ["d", "b", "c", "a", "e"]
    units = [Fork(name=n, frame=FRAME, ways=2) for n in names]
    streams = [Stream("a", "b"), Stream("a", "c", 1), Stream("b", "e"), Stream("c", "e", 0, 1)]
    graph = Dataflow("g", units, streams)
    assert [u.name for u in graph] == ["d", "a", "b", "c", "e"]
    assert list(graph.units) == names
    assert graph.ancestors("e") == {"a", "b", "c"}
    assert graph.ancestors("a") == graph.descendants("e") == graph.descendants("d") == set()
    assert graph.descendants("a") == {"b", "c", "e"}
    assert graph.descendants("b") == {"e"}


def test_units_are_put_in_front_of_what_reads_them() -> None:
    graph = diamond()
    added = {
        s: WidthConverter(name=f"w{i}", frame=FRAME, wide_in=1, wide_out=2) for i, s in enumerate(graph.into("join"))
    }
    longer = graph.insert(added)
    assert list(longer.units) == ["out", "w0", "w1", "join", "turn", "fork", "in"]
    assert [(s.src, s.src_port, s.dst_port) for s in longer.into("join")] == [("w0", 0, 0), ("w1", 0, 1)]
    assert [(s.src, s.src_port) for s in longer.out_of("fork")] == [("fork", 0), ("fork", 1)]
    assert longer.into("w0")[0].dst_port == longer.into("w1")[0].dst_port == 0
    assert [s.tensor for s in longer.into("w0") + longer.into("w1")] == ["x", None]
    assert Stream("a", "b") == Stream("a", "b", 0, 0, None, None, None)
