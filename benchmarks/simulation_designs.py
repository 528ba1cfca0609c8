"""Designs for `benchmarks.simulation`: constructs of the tests, random ones of several pixels per cycle, and random nets."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import Any

import flowc
from benchmarks.networks import Net
from flowc.backends.rtl.backend import RtlBackend
from flowc.dataflow.allocate import allocate
from flowc.dataflow.allocate.layers import find_layers
from flowc.dataflow.allocate.pixels import counts, window_counts
from flowc.errors import FlowcError, InfeasibleError
from flowc.model.dtypes import IntType, SInt, UInt
from flowc.targets import load_target
from flowc.units.graph import Dataflow
from tests.fuzz.generator import random_net
from tests.test_constructs import CASES
from tests.test_constructs_rtl import RATES, hardware

__all__ = ["CASES", "Make", "construct", "of_several_pixels", "random_design"]

Make = Callable[[], tuple[Dataflow, dict[str, Any]]]
"""Makes a design, folded and with its FIFOs sized; and what the record says of it."""

_FAST = 2e6  # for vectors
_SIZES = (8, 12, 16)
_MOST_NODES = 45
_TRIED = 100


def construct(name: str) -> tuple[Dataflow, dict[str, Any]]:
    """A case of tests/test_constructs.py, for a rate that its name decides: where that can't be reached, for the next lower one."""
    rates = [*RATES, _FAST]
    for fps in reversed(rates[: 1 + zlib.crc32(name.encode()) % len(rates)]):
        try:
            return hardware(name, fps), {"fps": fps}
        except InfeasibleError:
            continue
    raise RuntimeError(f"{name} is for no rate")


def of_several_pixels(seed: int) -> tuple[Dataflow, dict[str, Any]]:
    """A random design in which some unit takes several pixels of a row per cycle: since a rate, or else a folding file, asks for it."""
    random = Random(seed)  # noqa: S311
    for _ in range(_TRIED):
        graph = RtlBackend().prepare(_layers(random))
        try:
            found = _folded(graph, random, by_file=seed % 2 == 1)
        except InfeasibleError:
            continue
        pixels = {u.name: p for u in found.graph if (p := getattr(u, "pixels", 1)) > 1}
        if pixels:
            return found.graph, {"fps": round(found.fps), "pixels": pixels}
    raise RuntimeError(f"seed {seed} gives no design of several pixels")


def _folded(graph: Dataflow, random: Random, *, by_file: bool) -> Any:
    board = load_target("zcu102")
    if not by_file:
        return allocate(graph, board, clock_mhz=200, fps=random.choice((5e5, 1e6, 2e6, 4e6)))
    folding: dict[str, dict[str, int]] = {}
    for layer in find_layers(graph):
        if (at_window := window_counts(layer)) and random.random() < 0.4:
            folding[layer.name] = {"window_pixels": random.choice(at_window), "pixels": 1}
        elif computed := counts(layer):
            folding[layer.name] = {"pixels": random.choice(computed)}
    return allocate(graph, board, clock_mhz=200, folding=folding)


def _layers(random: Random) -> Dataflow:
    """Two to four layers of few channels on a small image."""
    h, w, channels = random.choice(_SIZES), random.choice(_SIZES), random.randint(1, 3)
    net = Net(h, w, channels, UInt(random.randint(1, 4)), seed=random.randrange(1 << 16))
    makers: Sequence[Callable[[Net, Random], None]] = (_conv, _conv, _strided, _pointwise, _depthwise, _pool, _shortcut)
    for make in random.choices(makers, k=random.randint(2, 4)):
        if min(net.frame.h, net.frame.w) >= 4:
            make(net, random)
    _pointwise(net, random)
    return net.done()


def _types(random: Random) -> tuple[IntType, IntType]:
    return SInt(random.randint(2, 3)), UInt(random.randint(1, 4))


def _conv(net: Net, random: Random) -> None:
    k = random.choice((2, 3))
    net.conv(random.randint(2, 4), *_types(random), k=k, pad=random.choice((0, k // 2)))


def _strided(net: Net, random: Random) -> None:
    net.conv(random.randint(2, 4), *_types(random), k=3, stride=2, pad=1)


def _pointwise(net: Net, random: Random) -> None:
    net.conv(random.randint(2, 4), *_types(random), k=1)


def _depthwise(net: Net, random: Random) -> None:
    net.depthwise(*_types(random))


def _pool(net: Net, random: Random) -> None:
    net.pool(random.choice((2, 4)))


def _shortcut(net: Net, random: Random) -> None:
    weight, act = _types(random)
    net.conv(net.frame.c, weight, act, k=1)
    fork = net.fork()
    left = net.conv(net.frame.c, weight, net.frame.dtype, pad=1)
    net.join(left, fork, 1, UInt(2))


def random_design(seed: int) -> tuple[Dataflow, dict[str, Any]]:
    """A random net of tests/fuzz of few nodes, built for a random rate."""
    random = Random(seed)  # noqa: S311
    for number in _numbers(seed):
        net = random_net(Random(number))  # noqa: S311
        if len(net.model.graph.node) > _MOST_NODES:
            continue
        fps = random.choice((1e3, 2e4, 2e5))
        try:
            built = flowc.build(net.model, "zcu104", input_type=net.input_type, fps=fps, backend="rtl", verify=False)
        except FlowcError:
            continue
        return built.graph, {"net": f"random_net(Random({number}))", "fps": fps}
    raise RuntimeError(f"seed {seed} gives no net")


def _numbers(seed: int) -> Iterator[int]:
    yield from range(1000 * seed, 1000 * seed + _TRIED)
