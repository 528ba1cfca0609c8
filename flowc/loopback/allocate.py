"""Which engine: array, lanes and buffers for a target and a network, for the most frames per second or the least resources.

Candidates are ranked by the cycles of the array alone, which takes microseconds; only the best are tiled.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from flowc import progress
from flowc.errors import InfeasibleError, TooLargeError
from flowc.interface.memory import MEMORY_PORTS
from flowc.loopback.blocks import Blocks
from flowc.loopback.cost import LayerCost, costs_of
from flowc.loopback.engine import BEAT_BYTES, MOST_LANES, Engine
from flowc.loopback.layers import Network
from flowc.loopback.lower_units import lower
from flowc.loopback.memory import MemoryFullError
from flowc.loopback.program import Program, compile_network
from flowc.loopback.resources import resources_of
from flowc.loopback.search import Memory, tiling_of
from flowc.loopback.words import Fit
from flowc.targets import Target
from flowc.units.cost import Resources
from flowc.units.graph import Dataflow

__all__ = ["Allocation", "Wish", "allocate", "engine_clock", "memory_of"]

_SHAPES = {4: ((16, 16), (32, 16), (32, 32)), 8: ((8, 8), (16, 8), (32, 8), (16, 16), (32, 16), (32, 32))}
_ACT_KB = (128, 96, 64, 48, 32, 24, 16)
_WEIGHT_KB = (1024, 512, 256, 160, 128, 96, 64, 48, 32)
_ENOUGH_ACT, _ENOUGH_WEIGHT = 64, 160
_TRIED = 6
_WIDEST_ACC = 40
_LEAST_ACC = 24
_USUAL_BATCH = 18
_LEAST_GROUPS = 2
_CLOCK_SLACK = 1.02
_CLOCK_SHARE, _CLOCK_STEP = 3, 25.0


@dataclass(frozen=True)
class Wish:
    """What is wanted of an engine.

    Attributes:
        fps: frames per second; None: as many as fit.
        batch: images of a run; None: about eighteen. 1: lanes are stripes of one image.
        latency_ms: most milliseconds from a batch's begin to its end; None: any.
    """

    fps: float | None = None
    batch: int | None = None
    latency_ms: float | None = None


@dataclass(frozen=True, eq=False)
class Allocation:
    """An engine with a network's program.

    Attributes:
        program: for ``program.engine``.
        costs: of each layer, with the target's memory.
        resources: of the engine, modelled.
        memory: the target's.
    """

    program: Program
    costs: tuple[LayerCost, ...]
    resources: Resources
    memory: Memory

    @property
    def cycles(self) -> float:
        """Cycles of a batch."""
        return sum(c.cycles for c in self.costs)

    @property
    def fps(self) -> float:
        """Frames per second."""
        return self.program.batch * self.program.engine.clock_mhz * 1e6 / max(1.0, self.cycles)

    @property
    def latency_ms(self) -> float:
        """Milliseconds of a batch."""
        return self.cycles / self.program.engine.clock_mhz / 1e3


def engine_clock(target: Target) -> float:
    """The clock of an engine where none is asked for, in MHz: a third of the limit of the device's clock tree, in steps of 25.

    An array of multipliers is a pipeline without feedback, which dataflow units are not; the target's own clock, chosen for these,
    would leave half of it unused. No synthesis stands behind it.
    """
    return max(float(target.clock_mhz), target.max_clock_mhz // (_CLOCK_SHARE * _CLOCK_STEP) * _CLOCK_STEP)


def memory_of(target: Target, clock_mhz: float) -> Memory:
    """The target's external memory, in bytes per cycle of a clock, through ports that may be narrower than the engine's."""
    ports = MEMORY_PORTS.get(target.family)
    port_bytes = BEAT_BYTES if ports is None else min(BEAT_BYTES, ports.bits // 8)
    rate = None if target.ddr_gbps is None else target.ddr_gbps * target.ddr_efficiency * 1e3 / clock_mhz
    return Memory(rate, target.ddr_bytes, port_bytes)


def allocate(
    graph: Dataflow, fits: Mapping[str, Fit | None], target: Target, *, clock_mhz: float, budget: Mapping[str, int], wish: Wish,
    engine: Engine | None = None,
) -> Allocation:  # fmt: skip
    """The engine for a network, or a network's program for a given engine.

    Args:
        graph: unfolded.
        fits: of `flowc.loopback.ranges.fit_all`.
        clock_mhz: the clock of a new engine.
        budget: what may be used of each resource.
        engine: an engine that exists.

    Raises:
        InfeasibleError: no engine fits the target, a layer fits no engine, or the rate or latency is out of reach.
    """
    if engine is not None:
        memory = memory_of(target, engine.clock_mhz)
        found = _programmed(graph, engine, lower(graph, engine, fits), memory, wish, target)
        _check(found, wish)
        return found
    memory = memory_of(target, clock_mhz)
    networks: dict[tuple[int, int, int], Network] = {}
    ranked = sorted(_candidates(graph, fits, target, clock_mhz, budget, networks), key=lambda c: c.rank(wish))
    if not ranked:
        raise TooLargeError(
            f"no loopback engine fits target '{target.name}': even the smallest takes more look-up tables, DSP slices or memory than "
            "may be used",
            remedy="Take a larger target or a higher --utilization",
        )
    best: tuple[float, _Candidate] | None = None
    refusal: InfeasibleError | None = None
    for candidate in ranked[:_TRIED]:
        try:
            rate = candidate.batch(wish) * clock_mhz * 1e6 / candidate.tiled(memory, wish)
        except InfeasibleError as error:
            refusal = refusal or error
            continue
        if best is None or rate > best[0]:
            best = rate, candidate
        if wish.fps is not None and rate >= wish.fps * _CLOCK_SLACK:
            best = rate, candidate
            break
    if best is None:
        assert refusal is not None
        raise refusal
    chosen = best[1]
    found = _programmed(graph, chosen.engine, chosen.network, memory, wish, target)
    _check(found, wish)
    return found


def _programmed(
    graph: Dataflow, engine: Engine, network: Network, memory: Memory, wish: Wish, target: Target
) -> Allocation:
    batch = _batch(engine, wish)
    while True:
        try:
            program = compile_network(network, graph, engine, batch=batch, memory=memory, stripes=batch == 1)
        except MemoryFullError:
            if wish.batch is not None or batch == 1:
                raise
            batch = _smaller(batch, engine)
            continue
        costs = tuple(costs_of(program.segments, program.blocks, engine, memory.bytes_per_cycle, memory.port_bytes))
        found = Allocation(program, costs, resources_of(engine, target), memory)
        if wish.latency_ms is None or found.latency_ms <= wish.latency_ms or wish.batch is not None or batch == 1:
            return found
        batch = _smaller(batch, engine)


def _smaller(batch: int, engine: Engine) -> int:
    """The next smaller batch, which takes less memory and is faster done; stripes of one image are the last resort."""
    return batch - engine.lanes if batch > engine.lanes else 1


def _check(found: Allocation, wish: Wish) -> None:
    binding = max(
        zip(found.program.network.layers, found.costs, strict=True), key=lambda pair: pair[1].cycles, default=None
    )
    where = ""
    if binding is not None:
        what = "the array" if binding[1].binds == "compute" else "the external memory"
        where = f"; {what} binds in layer '{binding[0].name}', which takes {binding[1].cycles / found.cycles:.0%} of the time"
    if wish.fps is not None and found.fps < wish.fps:
        raise InfeasibleError(
            f"{wish.fps:,.10g} fps are out of reach of loopback execution: the fastest engine found gives {found.fps:,.1f}{where}",
            remedy="Ask for a lower rate, a higher clock or utilization limit, or take a larger target",
        )
    if wish.latency_ms is not None and found.latency_ms > wish.latency_ms:
        raise InfeasibleError(
            f"a latency of {wish.latency_ms:g} ms is out of reach of loopback execution: {found.program.batch} "
            f"image{'s' if found.program.batch > 1 else ''} at a time take {found.latency_ms:,.2f} ms{where}",
            remedy="Ask for a smaller --batch, a longer --latency, a higher clock, or take a larger target",
        )


def _batch(engine: Engine, wish: Wish) -> int:
    """Images of a run: a multiple of the lanes, or 1."""
    if wish.batch is not None:
        return 1 if wish.batch == 1 else -(-wish.batch // engine.lanes) * engine.lanes
    return max(_LEAST_GROUPS, round(_USUAL_BATCH / engine.lanes)) * engine.lanes


@dataclass(frozen=True, eq=False)
class _Candidate:
    engine: Engine
    network: Network
    compute: int
    share: float

    def batch(self, wish: Wish) -> int:
        return _batch(self.engine, wish)

    def rank(self, wish: Wish) -> tuple[float, float]:
        """Best first: the fastest, or of those that may reach the wanted rate the smallest."""
        fps = self.engine.lanes * self.engine.clock_mhz * 1e6 / self.compute
        if wish.fps is not None:
            return (0.0, self.share) if fps >= wish.fps * _CLOCK_SLACK else (1.0, -fps)
        return (-round(fps, 3), self.share)

    def tiled(self, memory: Memory, wish: Wish) -> float:
        """Cycles of a batch by the closed formula."""
        stripes = self.batch(wish) == 1
        groups = 1 if stripes else self.batch(wish) // self.engine.lanes
        total = 0.0
        for layer in self.network.layers:
            rows = -(-layer.h // self.engine.lanes) if stripes else None
            progress.at(f"tiles of {layer.name}")
            total += tiling_of(Blocks(layer, self.engine), groups, memory, lane_rows=rows).cycles
        return max(1.0, total)


def _candidates(
    graph: Dataflow, fits: Mapping[str, Fit | None], target: Target, clock_mhz: float, budget: Mapping[str, int],
    networks: dict[tuple[int, int, int], Network],
) -> Iterator[_Candidate]:  # fmt: skip
    for digit, shapes in _SHAPES.items():
        for rows, columns in shapes:
            progress.at(f"engines of {rows} x {columns}")
            probe = Engine(
                rows=rows, columns=columns, dsp_lanes=2, digit=digit, results=rows, acc_bits=_WIDEST_ACC, clock_mhz=clock_mhz
            )  # fmt: skip
            if all(
                _with_buffers(replace(probe, dsp_lanes=d, lut_lanes=n), target, budget) is None
                for d, n in ((2, 0), (0, 1))
            ):
                continue
            network = networks.setdefault((rows, columns, digit), lower(graph, probe, fits))
            blocks = [Blocks(layer, probe) for layer in network.layers]
            depth = max((layer.post.depth for layer in network.layers), default=0)
            probe = replace(
                probe, acc_bits=_acc_bits(network), table_words=_table_words(blocks), search_depth=depth
            )  # fmt: skip
            for dsp, lut, results in _lanes(probe):
                sized = replace(probe, dsp_lanes=dsp, lut_lanes=lut, results=results)
                engine = _with_buffers(sized, target, budget)
                if engine is None:
                    continue
                compute = sum(_compute(Blocks(b.layer, engine), b) for b in blocks)
                used = resources_of(engine, target)
                share = max(_share(used, target))
                yield _Candidate(engine, network, max(1, compute), share)


def _compute(blocks: Blocks, same: Blocks) -> int:
    """Cycles of the array per lane and image."""
    steps = same.steps + same.skip_words
    return blocks.layer.h * blocks.layer.w * same.count * max(steps, blocks.post_cycles)


def _lanes(engine: Engine) -> Iterator[tuple[int, int, int]]:
    """Lanes in DSP slices and in look-up tables, and results per cycle."""
    rows = engine.rows
    for dsp in range(0, MOST_LANES + 1, engine.shared):
        for lut in (0, 1, 2, 3, 4):
            if 1 <= dsp + lut <= MOST_LANES:
                for results in (rows // 2, rows, 2 * rows):
                    if results <= rows * (dsp + lut):
                        yield dsp, lut, results


def _share(used: Resources, target: Target) -> list[float]:
    figures = used.as_dict()
    return [(figures[key] or 0) / available for key, available in target.available.items() if available]


def _fits(engine: Engine, target: Target, budget: Mapping[str, int]) -> bool:
    used = resources_of(engine, target).as_dict()
    return all(value is not None and value <= budget[key] for key, value in used.items())


def _with_buffers(engine: Engine, target: Target, budget: Mapping[str, int]) -> Engine | None:
    """The engine with the largest buffers that fit; beyond what helps, they are not grown."""
    smallest = _sized(engine, _ACT_KB[-1], _WEIGHT_KB[-1])
    if not _fits(smallest, target, budget):
        return None
    sizes = [(act, weight) for act in _ACT_KB for weight in _WEIGHT_KB]
    options = [
        (min(a, _ENOUGH_ACT) * engine.lanes + min(w, _ENOUGH_WEIGHT), -a * engine.lanes - w, a, w) for a, w in sizes
    ]
    for _, _, act, weight in sorted(options, reverse=True):
        sized = _sized(engine, act, weight)
        if _fits(sized, target, budget):
            return sized
    return smallest


def _sized(engine: Engine, act_kb: int, weight_kb: int) -> Engine:
    most = 1 << 16
    return replace(
        engine, act_words=min(most, (act_kb << 10) // engine.word_bytes),
        weight_words=max(2, min(most, (weight_kb << 10) // engine.weight_word_bytes)),
    )  # fmt: skip


def _acc_bits(network: Network) -> int:
    return max(_LEAST_ACC, max((layer.acc for layer in network.layers), default=1).bit_length() + 1)


def _table_words(blocks: list[Blocks]) -> int:
    """Table words for tiles of up to eight blocks; 0 where no layer has tables."""
    need = max((2 * b.tables_each * min(b.count, 8) for b in blocks), default=0)
    return 0 if not need else max(16, 1 << math.ceil(math.log2(need)))
