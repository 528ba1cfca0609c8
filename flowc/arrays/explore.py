"""Sweeps of networks over heights, widths and dataflows of an array: `flowc.explore_array`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import BrokenExecutor, as_completed

from flowc.arrays.counts import Counts, Sizes
from flowc.arrays.dataflows import DATAFLOWS
from flowc.arrays.grid import shapes
from flowc.arrays.layers import Layer, Network
from flowc.arrays.setup import Setup
from flowc.arrays.sources import Source, load_network
from flowc.arrays.sweep import ArraySweep, anonymous
from flowc.errors import UsageError, shown
from flowc.exploration.executors import cores, process_executor

__all__ = ["explore_array"]

WORTH_A_PROCESS = 20_000
"""Layers times arrays below which starting processes takes longer than counting."""
_CHUNKS_PER_WORKER = 8


def explore_array(
    networks: Source | Sequence[Source],
    *,
    pes: int | None = None,
    heights: Sequence[int] | None = None,
    widths: Sequence[int] | None = None,
    dataflows: Sequence[str] = tuple(DATAFLOWS),
    setup: Setup | None = None,
    input_shapes: Mapping[str, Sequence[int]] | None = None,
    workers: int | None = 1,
    progress: Callable[[str, int, int], None] | None = None,
) -> ArraySweep:
    """What networks cost on processor arrays: cycles, words moved and energy, counted by closed forms (docs/arrays.md).

    Args:
        networks: one or several: names of shipped tables (`flowc.arrays.known_networks`), paths of ONNX files or CSV tables,
            models in memory, networks.
        pes: processing elements; 16,384 where neither this nor a grid is given.
        heights, widths: see `flowc.arrays.grid.shapes`.
        dataflows: of "ws", "os", "is", "rs", "nlr".
        setup: what the arrays have in common.
        input_shapes: for ONNX models with dynamic inputs: shapes by the name of the input.
        workers: processes to count with, where that is worth it; None: one per core. With more than one, a script keeps what it
            does below ``if __name__ == "__main__":``.
        progress: called with the stage, and the numbers of layers done and wanted (0 before that is known).

    Raises:
        ModelError: a model can't be read, or its shapes are dynamic.
        UsageError: an option makes no sense.
    """
    tell = progress or (lambda stage, done, total: None)
    if isinstance(workers, int) and workers < 1:
        raise UsageError(f"the number of workers must be at least 1, not {workers}", remedy="Give 1 or more")
    chosen = _chosen(dataflows)
    H, W = shapes(pes, heights, widths)
    setup = setup or Setup()
    found = _networks(networks, input_shapes, tell)
    layers = list(dict.fromkeys(anonymous(layer) for network in found for layer in network.layers))
    wanted = min(cores() if workers is None else workers, len(layers))
    if len(layers) * len(H) < WORTH_A_PROCESS:
        wanted = 1
    counts = _count_all(layers, chosen, H, W, setup, wanted, tell)
    return ArraySweep(found, chosen, H, W, setup, counts)


def _chosen(dataflows: Sequence[str]) -> tuple[str, ...]:
    if isinstance(dataflows, str):
        dataflows = dataflows.split(",")
    for name in dataflows:
        if name not in DATAFLOWS:
            raise UsageError(f"there is no dataflow '{shown(str(name))}'", remedy=f"Known are {', '.join(DATAFLOWS)}")
    if not dataflows:
        raise UsageError("no dataflow is named", remedy=f"Known are {', '.join(DATAFLOWS)}")
    return tuple(dict.fromkeys(dataflows))


def _networks(
    sources: Source | Sequence[Source],
    input_shapes: Mapping[str, Sequence[int]] | None,
    tell: Callable[[str, int, int], None],
) -> tuple[Network, ...]:
    several = list(sources) if isinstance(sources, Sequence) and not isinstance(sources, str) else [sources]
    if not several:
        raise UsageError("no network is named", remedy="Name at least one ONNX model or table of shapes")
    found: list[Network] = []
    for source in several:
        tell("read", 0, 0)
        network = load_network(source, input_shapes)
        if any(network.name == other.name for other in found):
            raise UsageError(f"two networks are called '{shown(network.name)}'", remedy="Rename a file")
        found.append(network)
    return tuple(found)


def _count_all(
    layers: Sequence[Layer],
    dataflows: tuple[str, ...],
    H: Sizes,
    W: Sizes,
    setup: Setup,
    workers: int,
    tell: Callable[[str, int, int], None],
) -> dict[Layer, dict[str, Counts]]:
    tell("count", 0, len(layers))
    counts: dict[Layer, dict[str, Counts]] = {}
    if workers == 1:
        for layer in layers:
            counts[layer] = _count([layer], dataflows, H, W, setup)[0]
            tell("count", len(counts), len(layers))
        return counts
    size = -(-len(layers) // (workers * _CHUNKS_PER_WORKER))
    chunks = [layers[i : i + size] for i in range(0, len(layers), size)]
    try:
        with process_executor(workers) as pool:
            futures = {pool.submit(_count, chunk, dataflows, H, W, setup): chunk for chunk in chunks}
            for future in as_completed(futures):
                counts |= zip(futures[future], future.result(), strict=True)
                tell("count", len(counts), len(layers))
    except BrokenExecutor as error:
        raise UsageError(f"a worker was lost: {error}", remedy="Take fewer workers if memory ran out") from error
    return counts


def _count(
    layers: Sequence[Layer], dataflows: tuple[str, ...], H: Sizes, W: Sizes, setup: Setup
) -> list[dict[str, Counts]]:
    """Counts of each layer, by dataflow."""
    return [{name: DATAFLOWS[name](layer.batched(setup.batch), H, W, setup) for name in dataflows} for layer in layers]
