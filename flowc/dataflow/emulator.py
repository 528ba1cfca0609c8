"""Executes a dataflow graph bit for bit as the hardware does: by compiled kernels, or in numpy.

What a graph computes is defined here and in the units' numpy functions; the kernels (`flowc.dataflow.native`) do the same, faster.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Set
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from weakref import WeakKeyDictionary

import numpy as np

from flowc import kernels
from flowc.dataflow import native
from flowc.units import Unit
from flowc.units.base import Array
from flowc.units.graph import Dataflow, Stream

__all__ = ["emulate", "run_in_numpy", "unfolded"]

_CHUNK_BYTES = 24 << 20

Probe = Callable[[Stream, Array], Array]
"""Called with every stream and its frames (N, H, W, C); what it returns is what flows on."""


_UNFOLDED: WeakKeyDictionary[Dataflow, Dataflow] = WeakKeyDictionary()


def unfolded(graph: Dataflow) -> Dataflow:
    """The same function in the order that numpy likes: windows of whole pixels, no width converters.

    Folding decides in which order the elements under a kernel travel; what comes out of the layer does not depend on it.
    """
    if graph not in _UNFOLDED:
        _UNFOLDED[graph] = _unfold(graph)
    return _UNFOLDED[graph]


def _unfold(graph: Dataflow) -> Dataflow:
    units: dict[str, Unit] = {}
    streams: list[Stream] = []
    for unit in graph:
        if unit.is_width_converter:
            continue
        units.setdefault(unit.name, unit)
        for stream in graph.out_of(unit.name):
            end = stream
            while graph[end.dst].is_width_converter:
                (end,) = graph.out_of(end.dst)
            streams.append(replace(stream, dst=end.dst, dst_port=end.dst_port))
            reader = graph[end.dst]
            whole = unit.unfolded(reader)
            if whole is not unit:
                units[unit.name] = whole
                units[reader.name] = reader.behind(reader.window_block(whole.inputs[0].c))
    return Dataflow(graph.name, units.values(), streams)


def emulate(
    graph: Dataflow,
    inputs: Mapping[str, Array],
    *,
    threads: int | None = None,
    probe: Probe | None = None,
    streams: Set[Stream] | None = None,
    emulator: str | None = None,
) -> dict[str, Array]:
    """The graph's outputs for a batch.

    Args:
        inputs: input port name -> integers (N, H, W, C), any numeric dtype.
        threads: chunks of the batch computed at once; None: one per available core.
        probe: sees, and may exchange, what flows on streams of the `unfolded` graph; the batch is then computed in one piece.
        streams: which streams the probe is for; None: all of them, which numpy alone computes.
        emulator: "native": compiled kernels; "numpy"; None: kernels where they can be had. All give the same integers, and numpy
            steps in for the kernels where frames hold what their types don't.

    Returns:
        output port name -> integers (N, H, W, C) as int64.

    Raises:
        UsageError: there is no emulator of that name.
        KernelsUnavailableError: "native" is wanted, and there is no compiler, or no safe folder for what it makes.
    """
    graph = unfolded(graph)
    threads = _cores() if threads is None else threads
    if kernels.used(emulator) and (probe is None or streams is not None):
        try:
            if probe is None:
                return native.run(graph, inputs, threads=threads)
            return native.run_probed(graph, inputs, probe, frozenset(streams or ()))
        except native.OutOfTypeError:
            pass
    if probe is not None:
        return run_in_numpy(graph, inputs, probe, streams)
    count = len(next(iter(inputs.values())))
    size = max(1, min(_chunk(graph), -(-count // threads)))
    pieces = [slice(i, min(count, i + size)) for i in range(0, count, size)]
    from threadpoolctl import threadpool_limits  # not needed where kernels run

    with threadpool_limits(1 if len(pieces) > 1 else None, user_api="blas"), ThreadPoolExecutor(threads) as pool:
        parts = list(pool.map(lambda piece: run_in_numpy(graph, {n: a[piece] for n, a in inputs.items()}), pieces))
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _chunk(graph: Dataflow) -> int:
    """Samples whose largest stream fits the cache reasonably."""
    largest = max(f.elements for unit in graph for f in unit.outputs)
    return max(1, _CHUNK_BYTES // (4 * largest))


def run_in_numpy(
    graph: Dataflow, inputs: Mapping[str, Array], probe: Probe | None = None, streams: Set[Stream] | None = None
) -> dict[str, Array]:
    """The outputs of a graph in the emulator's order, by the units' numpy functions in one piece; as `emulate`."""
    flowing: dict[Stream, Array] = {}
    outputs: dict[str, Array] = {}
    for unit in graph:
        sources, readers = graph.into(unit.name), graph.out_of(unit.name)
        if not sources:
            given = inputs[unit.name]
            results: tuple[Array, ...] = (given if given.dtype.kind == "f" else given.astype(np.float32),)
        else:
            # A frame may be seen in another shape by its consumer (a flattened image): the stream is the same.
            frames = [flowing.pop(s).reshape(-1, *f.shape) for s, f in zip(sources, unit.inputs, strict=True)]
            results = unit.emulate(*frames)
        if not readers:
            outputs[unit.name] = results[0].astype(np.int64)
        for stream in readers:
            result = results[stream.src_port]
            shown = probe is not None and (streams is None or stream in streams)
            flowing[stream] = probe(stream, result) if probe is not None and shown else result
    return outputs
