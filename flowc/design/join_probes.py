"""Joins under verification: activations behind two integer tensors, applied to pairs of them that samples may not bring together.

Every pair of integers that each tensor takes on can occur. Where these are few enough per channel, all pairs are tried; else those
on either side of the steps of the activation. The reference's operations, run by onnxruntime on the same integers, say what is right.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from flowc.design.assembly import Assembly
from flowc.design.probes import Probed
from flowc.exact.budget import TooLarge
from flowc.exact.steps import steps_of_activation
from flowc.model.runtime import open_session, run_session
from flowc.streamline.partition import extract
from flowc.units import Fork, Join
from flowc.units.base import Array
from flowc.units.graph import Dataflow, Stream

__all__ = ["Reach", "operands", "probe_join"]

_PAIRS = 1 << 12
"""Pairs tried per channel."""
_ELEMENTS = 1 << 21
"""Pairs tried per join."""
_STEPS = 1 << 11
"""Steps looked at per channel."""
_TRIED = 16
"""How many times as many pairs are looked at to find the ones that are tried."""
_ANYWHERE = 64
_NEVER = np.int64(1) << 62


class Reach:
    """The least and greatest integers that tensors take on in the samples seen so far, element by element."""

    def __init__(self) -> None:
        self._ends: dict[str, tuple[Array, Array]] = {}

    def see(self, name: str, values: Array) -> None:
        """Takes one sample (1, ...) of a tensor into account."""
        low, high = self._ends.get(name, (values, values))
        self._ends[name] = np.minimum(low, values), np.maximum(high, values)

    def of(self, design: Assembly, name: str, frame: tuple[int, int, int]) -> tuple[Array, Array] | None:
        """Least and greatest per channel of the tensor's stream, int64 (C,); None where it was not seen."""
        if name not in self._ends:
            return None
        low, high = (design.tensors[name].to_stream(a, frame).astype(np.int64) for a in self._ends[name])
        return low.min(axis=(0, 1, 2)), high.max(axis=(0, 1, 2))


def operands(design: Assembly, graph: Dataflow, stream: Stream, known: Mapping[str, Array]) -> tuple[str, str] | None:
    """The integer tensors of the reference that are joined into a stream; None where it is no join of two such."""
    unit = graph[stream.src]
    if not isinstance(unit, Join) or unit.activation is None or unit.activation.domain is None:
        return None
    names = []
    for source in sorted(graph.into(unit.name), key=lambda s: s.dst_port):
        above = source
        while above.tensor is None and isinstance(graph[above.src], Fork):
            (above,) = graph.into(above.src)
        names.append(above.tensor or "")
    tensors = {*names, stream.tensor or ""}
    if len(tensors) < 3 or not tensors <= known.keys() & design.tensors.keys():
        return None
    if any(known[name].shape != design.tensors[name].shape for name in tensors):
        return None
    return names[0], names[1]


def probe_join(design: Assembly, unit: Join, names: tuple[str, str], tensor: str, reach: Reach) -> Probed | None:
    """A join and the reference, side by side, on pairs of integers; None where the reference has no such function.

    Args:
        design: the design.
        unit: the join; names: the tensors that it joins; tensor: its result.
        reach: which integers these tensors take on.
    """
    frame = unit.outputs[0].shape
    ends = [reach.of(design, name, frame) for name in names]
    shapes = {name: design.tensors[name].shape for name in names}
    part = extract(design.reference, shapes, [tensor], {})
    if ends[0] is None or ends[1] is None or part is None or {i.name for i in part.graph.input} != set(names):
        return None
    pairs = _pairs(unit, ends[0], ends[1])
    if pairs is None:
        return None
    left, right = (_frames(p, frame) for p in pairs)
    feeds = [design.tensors[n].from_stream(f).astype(np.float32) for n, f in zip(names, (left, right), strict=True)]
    session = open_session(part, threads=1)
    info = design.tensors[tensor]
    levels = [
        run_session(session, [tensor], {n: one.reshape(shapes[n]) for n, one in zip(names, pair, strict=True)})[0]
        for pair in zip(*feeds, strict=True)
    ]
    wanted = info.to_stream(np.stack([v.reshape(info.shape) for v in levels]), frame)
    return Probed(unit.accumulate(left, right), unit.emulate(left, right)[0], wanted)


def _pairs(unit: Join, left: tuple[Array, Array], right: tuple[Array, Array]) -> tuple[Array, Array] | None:
    """Pairs of integers (n, C) to try."""
    assert unit.activation is not None
    channels = unit.left.c
    most = min(_PAIRS, _ELEMENTS // channels)
    try:
        steps = steps_of_activation(unit.activation)
    except TooLarge:
        return None
    columns = [
        _all_pairs(left, right, c)
        if (left[1][c] - left[0][c] + 1) * (right[1][c] - right[0][c] + 1) <= most
        else _around(unit, left, right, c, steps.at[c % len(steps.at)])
        for c in range(channels)
    ]
    longest = max(len(a) for a, _ in columns)
    return tuple(  # type: ignore[return-value]
        np.stack([np.pad(column[i], (0, longest - len(column[i])), mode="edge") for column in columns], axis=1)
        for i in (0, 1)
    )


def _all_pairs(left: tuple[Array, Array], right: tuple[Array, Array], c: int) -> tuple[Array, Array]:
    a, b = np.arange(left[0][c], left[1][c] + 1), np.arange(right[0][c], right[1][c] + 1)
    return np.repeat(a, len(b)), np.tile(b, len(a))


def _around(
    unit: Join, left: tuple[Array, Array], right: tuple[Array, Array], c: int, at: Array
) -> tuple[Array, Array]:
    """For each step the pair that reaches it with the least to spare, and the one that misses it by least: they pin it down."""
    rng = np.random.default_rng(c)
    at = at[:: -(-len(at) // _STEPS)] if len(at) else np.zeros(1, np.int64)
    b = np.arange(right[0][c], right[1][c] + 1)
    most = max(1, _PAIRS // len(at)) * _TRIED
    b = b if len(b) <= most else rng.integers(right[0][c], right[1][c] + 1, most)
    if unit.op == "add":
        p, q = (int(np.broadcast_to(s, (unit.left.c,))[c]) for s in (unit.left_scale, unit.right_scale))
        slope, start = np.full(len(b), p), q * b
    else:
        slope = b - unit.right_offset
        start = -unit.left_offset * slope
    flat = np.where(slope == 0, 1, slope)
    near = (at[:, None] - start) // flat
    a = np.stack([near - 1, near, near + 1]).clip(left[0][c], left[1][c])
    u = a * slope + start
    columns = []
    for over in (True, False):
        far = np.where(u >= at[:, None], u, _NEVER) if over else np.where(u < at[:, None], -u, _NEVER)
        best = far.transpose(1, 0, 2).reshape(len(at), -1).argmin(axis=1)
        columns.append((a.transpose(1, 0, 2).reshape(len(at), -1)[np.arange(len(at)), best], b[best % len(b)]))
    some = [rng.integers(e[0][c], e[1][c] + 1, _ANYWHERE) for e in (left, right)]
    return np.concatenate([columns[0][0], columns[1][0], some[0]]), np.concatenate(
        [columns[0][1], columns[1][1], some[1]]
    )


def _frames(columns: Array, frame: tuple[int, int, int]) -> Array:
    """Integers (n, C) spread over the positions of frames (N, H, W, C)."""
    height, width, channels = frame
    count = -(-len(columns) // (height * width))
    whole = np.pad(columns, ((0, count * height * width - len(columns)), (0, 0)), mode="edge")
    return np.ascontiguousarray(whole.reshape(count, height, width, channels))
