"""Networks on engines of several kinds: every tensor equals the dataflow emulator's; wrong schedules are caught."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from flowc.dataflow.emulator import emulate
from flowc.errors import InfeasibleError
from flowc.loopback.descriptors import Compute, Descriptor, LoadActs, LoadWeights, Store, decode
from flowc.loopback.execute import ScheduleError
from flowc.loopback.native import machine as made_machine
from flowc.loopback.run import run_program
from flowc.loopback.words import EARLY, SEARCH
from tests.loopback.nets import EIGHT, ENGINES, FOUR, MODELS, TINY, differences, program_of, unfolded_graph
from tests.netbuild import Net


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("engine", ENGINES)
def test_every_tensor_is_equal(name: str, engine: str) -> None:
    graph = unfolded_graph(MODELS[name]())
    for stripes in (False, True) if engine in ("four", "eight") else (False,):
        program = program_of(graph, ENGINES[engine], stripes=stripes)
        assert not program.network.host
        compared, wrong = differences(graph, program)
        assert compared > 300
        assert not wrong
        assert decode(program.table)[:-1] == [d for s in program.segments for d in s.descriptors]


def test_what_the_nets_exercise() -> None:
    modes, joins = set(), set()
    for name, build in MODELS.items():
        program = program_of(unfolded_graph(build()), {"functions": FOUR, "depthwise": EIGHT}.get(name, TINY))
        modes |= {layer.post.mode for layer in program.network.layers}
        joins |= {layer.join.op for layer in program.network.layers if layer.join is not None}
        assert program.network.fused or name != "residual"
    assert SEARCH in modes
    assert joins == {1, 2}
    eight = program_of(unfolded_graph(MODELS["eight_bits"]()), EIGHT)
    assert EARLY in {layer.post.mode for layer in eight.network.layers} | modes


def _broken(change: Callable[[Descriptor], Descriptor | None], emulator: str) -> None:
    """Runs a program with some descriptors changed."""
    program = program_of(unfolded_graph(MODELS["depthwise"]()), TINY, batch=8)
    changed = 0
    machine = made_machine(program.engine, program.fresh_memory(), emulator=emulator)
    for segment in program.segments:
        machine.reads, machine.writes = program.may_touch(segment.layer)
        descriptors: list[Descriptor] = []
        for d in segment.descriptors:
            other = change(d)
            changed += other is not d
            if other is not None:
                descriptors.append(other)
        machine.run(descriptors)
    assert changed
    raise AssertionError("nothing noticed")


FAULTS: dict[str, tuple[Callable[[Descriptor], Descriptor | None], str]] = {
    "loads of activations do not wait": (lambda d: replace(d, after=0) if isinstance(d, LoadActs) and d.after else d, "another load"),
    "loads of weights do not wait": (lambda d: replace(d, after=0) if isinstance(d, LoadWeights) and d.after else d, "another load"),
    "computes do not wait": (lambda d: replace(d, need_acts=d.need_acts - 1) if isinstance(d, Compute) and d.need_acts > 1 else d, "does not wait"),
    "a wait that never ends": (lambda d: replace(d, need_weights=99) if isinstance(d, Compute) else d, "never comes"),
    "a load goes astray": (lambda d: replace(d, ddr=0) if isinstance(d, LoadActs) else d, "no tensor of its layer"),
    "a store goes astray": (lambda d: replace(d, ddr=d.ddr + (1 << 20)) if isinstance(d, Store) else d, "of a memory of"),
    "a store is missing": (lambda d: None if isinstance(d, Store) else d, "behind"),
    "a compute reads one word further": (lambda d: replace(d, acts=d.acts + 60) if isinstance(d, Compute) else d, "another load|outside"),
    "a load is too long": (lambda d: replace(d, buf=510) if isinstance(d, LoadActs) else d, "ends behind"),
}  # fmt: skip


@pytest.mark.parametrize("emulator", ["numpy", "native"])
@pytest.mark.parametrize("name", FAULTS)
def test_faults_are_caught(name: str, emulator: str) -> None:
    change, text = FAULTS[name]
    with pytest.raises(ScheduleError, match=text):
        _broken(change, emulator)


@pytest.mark.parametrize("name", MODELS)
def test_kernels_leave_the_same_memory_as_numpy(name: str) -> None:
    """Byte by byte behind every layer, with all lanes and groups, digits of both widths, images and stripes; and the results in front of
    joins, which no memory holds.
    """
    for engine, stripes in ((TINY, False), (EIGHT, True)):
        program = program_of(unfolded_graph(MODELS[name]()), engine, batch=2 * engine.lanes, stripes=stripes)
        rng = np.random.default_rng(0)
        memory = program.fresh_memory()
        memory[len(program.weights) :] = rng.integers(0, 256, len(memory) - len(program.weights), np.uint8)
        sides = [made_machine(engine, memory.copy(), emulator=which) for which in ("numpy", "native")]
        for segment in program.segments:
            for side in sides:
                side.reads, side.writes = program.may_touch(segment.layer)
                side.record, side.inner = set(range(len(program.segments))), {}
                side.execute(segment)
            np.testing.assert_array_equal(sides[0].ddr, sides[1].ddr)
            assert sides[0].inner.keys() == sides[1].inner.keys()
            for number, parts in sides[0].inner.items():
                for a, b in zip(parts, sides[1].inner[number], strict=True):
                    np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("name", ["residual", "functions", "eight_bits"])
@pytest.mark.parametrize("acc_bits", [20, 32, 44])
def test_kernels_compute_any_words_as_numpy(name: str, acc_bits: int) -> None:
    """Weights, activation words and tables of random bits, lanes in two machines: scales, signs and shifts that no network has."""
    for engine in (replace(TINY, acc_bits=acc_bits), replace(EIGHT, acc_bits=acc_bits)):
        program = program_of(unfolded_graph(MODELS[name]()), engine, batch=engine.lanes)
        memory = np.random.default_rng(acc_bits).integers(0, 256, len(program.fresh_memory()), np.uint8)
        whole, parts = memory.copy(), memory.copy()
        one = made_machine(engine, whole, emulator="numpy")
        halves = [range(1), range(1, engine.lanes)]
        some = [made_machine(engine, parts, lanes=lanes, emulator="native") for lanes in halves]
        for segment in program.segments:
            for side in (one, *some):
                side.execute(segment)
            np.testing.assert_array_equal(whole, parts)


@pytest.mark.parametrize("emulator", ["numpy", "native"])
def test_few_images_of_a_batch(emulator: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads share the lanes of a batch, images of their own or stripes of one."""
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    graph = unfolded_graph(MODELS["residual"]())
    (unit,) = graph.inputs
    frames = np.random.default_rng(3).integers(unit.frame.dtype.lo, unit.frame.dtype.hi + 1, (9, *unit.frame.shape))
    right = emulate(graph, {unit.name: frames})
    images, stripes = program_of(graph, TINY, batch=3 * TINY.lanes), program_of(graph, EIGHT, stripes=True)
    for program, count in ((images, 1), (images, 3), (images, 9), (stripes, 1)):
        found = run_program(program, {unit.name: frames[:count]}, emulator=emulator)
        assert all(np.array_equal(found[name], values[:count]) for name, values in right.items())


def test_a_layer_that_no_tile_fits() -> None:
    graph = unfolded_graph(MODELS["residual"]())
    with pytest.raises(
        InfeasibleError, match=r"half of its weight buffer holds 128 bytes, and the smallest tile takes"
    ):
        program_of(graph, replace(TINY, weight_words=2))
    with pytest.raises(InfeasibleError, match=r"half of its activation buffer holds 64 bytes"):
        program_of(graph, replace(TINY, act_words=16))


def test_batches_of_any_size() -> None:
    graph = unfolded_graph(MODELS["residual"]())
    for batch in (1, 3, 7):
        program = program_of(graph, FOUR, batch=batch)
        assert program.batch % FOUR.lanes == 0
        assert program.batch >= batch
        assert not differences(graph, program, count=8)[1]
    assert np.all(program.table[-1, 1:] == 0)


def test_tiles_of_some_channels_load_only_these() -> None:
    net = Net([1, 40, 9, 3])
    x = net.quant(net.conv(net.quant(net.x, 0.3), 40, 40, group=40, pads=[1] * 4), 0.41)
    graph = unfolded_graph(net.model(net.conv(x, 40, 3, 1)))
    program = program_of(graph, replace(EIGHT, act_words=100))
    assert any(d.columns > 1 for s in program.segments for d in s.descriptors if isinstance(d, LoadActs))
    assert not differences(graph, program)[1]


def test_second_operands_of_joins_take_turns() -> None:
    """Blocks of outputs one after another on one tile: one part of the other operand is loaded while one is computed with."""
    net = Net([1, 16, 8, 8])
    x = net.quant(net.x, 0.3)
    a = net.quant(net.conv(x, 16, 16, 3, pads=[1] * 4), 0.517)
    left, right = (net.quant(net.conv(t, 16, 160, k, pads=[k // 2] * 4), 0.5) for t, k in ((a, 3), (x, 1)))
    graph = unfolded_graph(net.model(net.conv(net.quant(net.add(left, right), 0.7), 160, 3, 1)))
    places = {}
    for act_words in (352, 768):
        program = program_of(graph, replace(TINY, act_words=act_words), batch=4)
        assert not differences(graph, program)[1]
        (segment,) = (s for s in program.segments if s.layer.join is not None)
        loads = [d for d in segment.descriptors if isinstance(d, LoadActs)]
        half = act_words // 2
        assert all(d.buf % half + d.rows * max(d.buf_row, d.beats * 2) <= half for d in loads)
        places[act_words] = {d.buf % half for d in loads[:4]}
    assert len(places[352]) == 2
    assert len(places[768]) == 3
