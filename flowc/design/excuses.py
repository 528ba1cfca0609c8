"""The excuses of verification: where an integer may differ from the reference's and be right all the same.

Each is a function that is asked where a difference needs one, and says where (boolean frames) it holds.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Any

import numpy as np

from flowc.design.assembly import Assembly
from flowc.units import ArgMax
from flowc.units.base import Array, Frame, Unit
from flowc.units.graph import Dataflow, Stream

__all__ = ["flowed", "in_windows", "tie_excuse", "window_excuse", "windows_fit"]


_MANY = 256
"""Windows up to which every one is asked; beyond, they are searched."""


def flowed(unit: Unit, before: Mapping[str, Array]) -> list[Array]:
    """What flowed into a unit."""
    return [before[f"{unit.name}.{port}"].reshape(-1, *f.shape) for port, f in enumerate(unit.inputs)]


def window_excuse(
    design: Assembly, graph: Dataflow, stream: Stream, before: Mapping[str, Array], compared: Set[str]
) -> Any:
    """A function that says where (boolean frames) a stream's integers come from accumulators in a window of the certificate."""
    known = design.windows.get(stream.tensor or "")
    unit = graph[stream.src]
    if known is None:
        return _moved(design, graph, stream, before, compared)
    frame = unit.outputs[0]
    if not windows_fit(known, frame):
        return None

    def inside() -> Array:
        acc = unit.accumulate(*flowed(unit, before))
        if acc is None:
            return np.zeros(frame.shape, bool)
        return in_windows(acc, known, frame)

    return inside


def windows_fit(windows: tuple[Array, Array], frame: Frame) -> bool:
    """Whether there are windows for all channels alike, for each, or for each element of a frame."""
    return len(windows[0]) in (1, frame.c, frame.elements)


def in_windows(acc: Array, windows: tuple[Array, Array], frame: Frame) -> Array:
    """Where integers (N, H, W, C) lie in a window."""
    if windows[0].shape[1] > _MANY:
        return _searched(acc.reshape(len(acc), -1), windows).reshape(acc.shape)
    low, high = (_spread(w, frame) for w in windows)
    hit = np.zeros(acc.shape, bool)
    for k in range(low.shape[-1]):
        hit |= (acc >= low[..., k]) & (acc < high[..., k])
    return hit


def _searched(acc: Array, windows: tuple[Array, Array]) -> Array:
    """`in_windows` of frames end to end, (N, elements): inside is where more windows have begun than ended."""
    low, high = (np.sort(w, axis=1) for w in windows)
    hit = np.empty(acc.shape, bool)
    for row in range(len(low)):
        own = acc[:, row :: len(low)]
        begun, ended = (np.searchsorted(ends[row], own, side="right") for ends in (low, high))
        hit[:, row :: len(low)] = begun > ended
    return hit


def _spread(ends: Array, frame: Frame) -> Array:
    """Ends of windows (1, channels or elements of a frame, K) as they lie on a frame: (K,), (C, K) or (H, W, C, K)."""
    if len(ends) in (1, frame.c):
        return ends
    return ends.reshape(*frame.shape, -1)


def _moved(design: Assembly, graph: Dataflow, stream: Stream, before: Mapping[str, Array], compared: Set[str]) -> Any:
    """The same behind units that move or pick integers, where the quantizer went in front of them and is not compared itself."""
    unit = graph[stream.src]
    if not unit.moves:
        return None
    sources = graph.into(unit.name)
    excuses = [None if s.tensor in compared else window_excuse(design, graph, s, before, compared) for s in sources]
    if all(e is None for e in excuses):
        return None

    def inside() -> Array:
        marks = []
        for excuse, frame, source in zip(excuses, unit.inputs, sources, strict=True):
            flat = np.zeros(before[f"{unit.name}.{source.dst_port}"].size) if excuse is None else excuse()
            marks.append(flat.reshape(-1, *frame.shape).astype(np.float32))
        moved = unit.trace(*marks)
        assert moved is not None, f"{unit.name} moves integers"
        found: Array = moved[stream.src_port] > 0
        return found

    return inside


def tie_excuse(
    design: Assembly, graph: Dataflow, stream: Stream, before: Mapping[str, Array], given: Array, right: Array
) -> Any:
    """A function that says where the channels picked here and by the reference are too close for the model to decide."""
    slack = design.argmax_slack.get(stream.tensor or "")
    unit = graph[stream.src]
    if slack is None or not isinstance(unit, ArgMax):
        return None

    def inside() -> Array:
        keys = before[f"{unit.name}.0"].reshape(-1, *unit.frame.shape).astype(np.int64)
        room = np.broadcast_to(slack, (unit.frame.c,))
        ours, theirs = given.astype(np.int64), right.astype(np.int64)
        gap = np.take_along_axis(keys, ours, 3) - np.take_along_axis(keys, theirs, 3)
        return gap <= room[ours] + room[theirs]

    return inside
