"""Joins are probed with pairs of integers that no sample brought together: a fault there is found, a sound design is not blamed."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import pytest

from flowc.dataflow.emulator import unfolded
from flowc.design.design import Design
from flowc.design.join_probes import Reach, operands, probe_join
from flowc.design.verify import ReferenceRunner, compare
from flowc.model.dtypes import SInt, UInt
from flowc.streamline.compile import compile_model
from flowc.units import Fork, Frame, Join, Thresholds
from flowc.units.graph import Dataflow, Stream
from tests.compare import design_of
from tests.netbuild import Net

Array = np.ndarray[Any, Any]


def joined(op: str, bits: int = 4, size: int = 6) -> onnx.ModelProto:
    """Two quantized inputs into one quantizer: with a scale per channel behind them."""
    net = Net([1, 3, size, size], seed=2)
    net.input("b", [1, 3, size, size])
    y = net.op(op, net.quant(net.x, 0.3, bits=bits), net.quant("b", 0.117, bits=bits))
    factor = np.array([0.7, 1.0, -1.3], np.float32).reshape(1, 3, 1, 1)
    return net.model(net.quant(net.relu(net.op("Mul", y, net.const(factor))), 0.2, bits=5, signed=False))


def built(op: str, bits: int = 4, size: int = 6) -> tuple[Design, Join]:
    design = design_of(compile_model(joined(op, bits, size)))
    (unit,) = (u for u in design.graph if isinstance(u, Join))
    return design, unit


def inputs(design: Design, samples: int) -> dict[str, Array]:
    rng = np.random.default_rng(4)
    return {n: rng.normal(0, 1, (samples, *s.shape)).astype(np.float32) for n, s in design.inputs.items()}


def known(design: Design, unit: Join, x: dict[str, Array]) -> tuple[tuple[str, str], list[dict[str, Array]]]:
    """The operands, and what the reference has for every sample."""
    runner = ReferenceRunner(design.reference)
    expected = [runner.run(x, i) for i in range(len(next(iter(x.values()))))]
    (stream,) = design.graph.out_of(unit.name)
    names = operands(design, unfolded(design.graph), stream, expected[0])
    assert names is not None
    return names, expected


def broken(design: Design, unit: Join, channel: int, at: int, place: int) -> Design:
    """The design with one step of one channel moved to another place."""
    activation = unit.activation
    assert isinstance(activation, Thresholds)
    values = activation.values.copy()
    values[channel % len(values), at] = place
    graph = design.graph.with_units({unit.name: unit.with_(activation=replace(activation, values=values))})
    return replace(design, plan=replace(design.plan, graph=graph))


@pytest.mark.parametrize(("op", "bits"), [("Add", 4), ("Mul", 4), ("Add", 8), ("Mul", 7), ("Sub", 8)])
def test_a_sound_join_agrees(op: str, bits: int) -> None:
    design, _ = built(op, bits)
    assert compare(design, inputs(design, 6)).mismatches == 0


@pytest.mark.parametrize(("op", "bits"), [("Add", 4), ("Mul", 7), ("Sub", 8)])
def test_every_fault_that_a_pair_could_show_is_found(op: str, bits: int) -> None:
    """A step anywhere between the sums of integers that occur, though never together, is right; one place further is found."""
    design, unit = built(op, bits, size=3)
    x = inputs(design, 3)
    names, expected = known(design, unit, x)
    activation = unit.activation
    assert isinstance(activation, Thresholds)
    a, b = (np.stack([e[n] for e in expected])[:, 0].astype(int) for n in names)
    tried = 0
    for channel in range(3):
        ends = [np.arange(v[:, channel].min(), v[:, channel].max() + 1) for v in (a, b)]
        grid = [np.broadcast_to(g.reshape(1, 1, -1, 1), (1, 1, g.size, 3)) for g in np.meshgrid(*ends, indexing="ij")]
        met = set(unit.accumulate(*grid)[..., channel].reshape(-1).tolist())
        for at in range(0, activation.values.shape[1], 9):
            step = int(activation.values[channel % len(activation.values), at])
            above, below = [u for u in met if u >= step], [u for u in met if u < step]
            if above and below:
                for place, wrong in (
                    (min(above), False),
                    (min(above) + 1, True),
                    (max(below) + 1, False),
                    (max(below), True),
                ):
                    found = compare(broken(design, unit, channel, at, place), x)
                    assert (found.mismatches > found.explained) == wrong, (channel, at, place)
                    tried += wrong
    assert tried > 6


def test_pairs_are_those_that_occur() -> None:
    """All pairs between the least and the greatest integers per channel, and the result of every one by hand."""
    design, unit = built("Add")
    (stream,) = design.graph.out_of(unit.name)
    names, expected = known(design, unit, inputs(design, 2))
    reach = Reach()
    for one in expected:
        for name in names:
            reach.see(name, one[name])
    found = probe_join(design, unit, names, stream.tensor or "", reach)
    assert found is not None
    assert (found.given == found.right).all()
    a, b = (np.stack([e[n] for e in expected]).astype(int) for n in names)
    for channel, factor in enumerate((0.7, 1.0, -1.3)):
        values = [v[:, 0, channel] for v in (a, b)]
        grid = np.meshgrid(*(np.arange(v.min(), v.max() + 1) for v in values), indexing="ij")
        scale = [float(np.broadcast_to(s, (3,))[channel]) for s in (unit.left_scale, unit.right_scale)]
        sums = np.unique(grid[0] * scale[0] + grid[1] * scale[1])
        assert set(found.arguments[..., channel].reshape(-1)) == set(sums.astype(int))
        level = np.rint(np.maximum((grid[0] * 0.3 + grid[1] * 0.117) * factor, 0) / 0.2).clip(0, 31)
        assert set(found.right[..., channel].reshape(-1)) == set(level.reshape(-1))


def test_what_is_no_join_of_two_known_tensors_is_not_probed() -> None:
    design, unit = built("Add")
    graph = unfolded(design.graph)
    (stream,) = graph.out_of(unit.name)
    known = ReferenceRunner(design.reference).run(inputs(design, 1), 0)
    names = operands(design, graph, stream, known)
    assert names is not None
    assert operands(design, graph, stream, {n: a for n, a in known.items() if n != names[1]}) is None
    assert operands(design, graph, graph.into(unit.name)[0], known) is None
    assert probe_join(design, unit, names, stream.tensor or "", Reach()) is None


@pytest.mark.parametrize("twice", [False, True])
def test_a_tensor_joined_with_itself_is_not_probed(twice: bool) -> None:
    """Pairs of different integers do not occur there. Two tensors are found through the forks that copy them."""
    frame, one = Frame(1, 1, 2, SInt(4)), np.ones(1, np.int64)
    steps = Thresholds(
        dtype=UInt(1),
        values=np.array([[0]]),
        base=np.zeros(1, np.int64),
        step=np.ones((1, 1), np.int64),
        domain=np.array([[-16, 14]]),
    )
    units = [
        *(Fork(name=n, frame=frame, ways=2) for n in ("p", "q", "f", "g")),
        Join(name="j", left=frame, right=frame, op="add", acc=SInt(5), left_scale=one, right_scale=one, activation=steps),
        Fork(name="o", frame=Frame(1, 1, 2, UInt(1)), ways=1),
    ]  # fmt: skip
    streams = [
        Stream("p", "f", tensor="a"), Stream("q", "g", tensor="b"), Stream("f", "j"), Stream("f" if twice else "g", "j", int(twice), 1),
        Stream("j", "o", tensor="y"),
    ]  # fmt: skip
    graph = Dataflow("d", units, streams)
    info = SimpleNamespace(shape=(1, 2))
    values = {n: np.zeros((1, 2)) for n in ("a", "b", "y")}
    design: Any = SimpleNamespace(tensors=dict.fromkeys(values, info))
    assert operands(design, graph, streams[-1], values) == (None if twice else ("a", "b"))
    assert operands(design, graph, streams[-1], values | {"a": np.zeros((1, 3))}) is None
    bare = graph.with_units({"j": graph["j"].with_(activation=replace(steps, domain=None))})
    assert operands(design, bare, streams[-1], values) is None
