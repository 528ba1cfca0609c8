"""The dataflow graph drawn: units as boxes, streams as lines with their bits and the depth of their FIFOs."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from flowc.report.page.layers import Place, arrange, columns, rows_of
from flowc.report.page.resources import family
from flowc.report.text import common_prefix, number, short

__all__ = ["Drawing", "draw_graph"]

Report = Mapping[str, Any]

BOX_W, BOX_H = 184, 50
_ROW, _GAP, _BEND, _TOP = 96, 26, 10, 8
_GUTTER = 34
_NAME = 22
_SHAPE = 1.7
MOST_UNITS = 1500
"""Units that are drawn; a larger graph is left to its table."""


class Box(NamedTuple):
    """A unit: its corner, what it is, what stands in it, how much of the interval it works, and whether it binds."""

    x: float
    y: float
    name: str
    kind: str
    family: str
    folding: str
    work: str
    load: float
    binds: bool
    title: str


class Line(NamedTuple):
    """A stream: its path, how thick, its label and where that stands, and what a tooltip says."""

    path: str
    thick: float
    label: str
    x: float
    y: float
    title: str


class Drawing(NamedTuple):
    """The graph; where it is too large to draw, `units` is still its size and there are no boxes."""

    width: int
    height: int
    boxes: list[Box]
    lines: list[Line]
    units: int
    streams: int


def draw_graph(report: Report) -> Drawing | None:
    """The drawing; None where the report has no streams (loopback execution)."""
    streams: Sequence[Mapping[str, Any]] = report["fifos"]
    if not streams:
        return None
    layers = {layer["name"]: layer for layer in report["layers"]}
    names = list(dict.fromkeys([*(s["from"] for s in streams), *layers, *(s["to"] for s in streams)]))
    if len(names) > MOST_UNITS:
        return Drawing(0, 0, [], [], len(layers), len(streams))
    edges = [(s["from"], s["to"]) for s in streams]
    rows = rows_of(names, edges)
    grid, chains = arrange(rows, edges, BOX_W, _BEND, _GAP)
    lefts, deepest = columns(grid, _ROW, _GUTTER * 2, _SHAPE)
    places = {p.node: p for row in grid for p in row if p.node is not None}
    prefix = common_prefix(names)
    boxes = [_box(report, places[n], layers.get(n), n, edges, prefix) for n in names]
    lines = _lines(streams, chains, lefts)
    return Drawing(math.ceil(lefts[-1]), int(deepest * _ROW + 2 * _TOP), boxes, lines, len(layers), len(streams))


def _label(name: str, prefix: str) -> str:
    """A name that fits a box: without what it shares with most others."""
    return short(f"…{name[len(prefix) :]}" if prefix and name.startswith(prefix) else name, _NAME)


def _y(place: Place) -> float:
    return place.row * _ROW + _TOP + (_ROW - BOX_H) / 2


def _box(
    report: Report,
    place: Place,
    layer: Mapping[str, Any] | None,
    name: str,
    edges: Sequence[tuple[str, str]],
    prefix: str,
) -> Box:
    x, y = round(place.x - BOX_W / 2, 1), _y(place)
    if layer is None:
        kind = "output" if any(b == name for _, b in edges) else "input"
        return Box(x, y, _label(name, prefix), kind, "port", "", "", 0.0, binds=False, title=f"{name}: {kind} port")
    interval = report["interval_cycles"] or 1
    load = min(1.0, layer["cycles"] / interval)
    folding = " ".join(f"{k.upper()} {layer[k]}" for k in ("pe", "simd") if layer.get(k) is not None)
    folding += f" x {layer['pixels']} pixels" if (layer.get("pixels") or 1) > 1 else ""
    binds = name == report["bottleneck"]
    title = f"{name} ({layer['unit']}): {number(layer['cycles'])} of {number(interval)} cycles" + (
        "; the bottleneck" if binds else ""
    )
    work = f"{number(layer['cycles'])} cycles"
    return Box(
        x, y, _label(name, prefix), layer["unit"], family(layer["unit"]), folding, work, round(load, 3), binds, title
    )


def _lines(
    streams: Sequence[Mapping[str, Any]], chains: Sequence[Sequence[Place]], lefts: Sequence[float]
) -> list[Line]:
    starts, ends = _ports(chains, 0, 1), _ports(chains, -1, -2)
    crossing = Counter[int]()
    lines = []
    for stream, chain, start, end in zip(streams, chains, starts, ends, strict=True):
        path, x, y = _path(chain, start, end, lefts, crossing)
        width, depth = stream["width"], stream["depth"]
        deep = "unsized" if depth is None else f"{number(depth)} deep"
        title = f"{stream['from']} to {stream['to']}: {number(width)} bits a beat, FIFO {deep}"
        thick = round(1 + math.log2(max(1, width)) / 3.5, 1)
        lines.append(Line(path, thick, f"{number(width)} b × {depth if depth is not None else '?'}", x, y, title))
    return lines


def _ports(chains: Sequence[Sequence[Place]], end: int, neighbour: int) -> list[float]:
    """Where on its box each edge begins (or ends), from the middle: from left to right as the neighbours stand."""
    at: dict[int, list[int]] = {}
    for i, chain in enumerate(chains):
        at.setdefault(id(chain[end]), []).append(i)
    offsets = [0.0] * len(chains)
    for edges in at.values():
        edges.sort(key=lambda i: (chains[i][neighbour].column != chains[i][end].column, chains[i][neighbour].x))
        for k, i in enumerate(edges):
            offsets[i] = (k - (len(edges) - 1) / 2) * min(64.0, (BOX_W - 30) / len(edges))
    return offsets


def _path(
    chain: Sequence[Place], start: float, end: float, lefts: Sequence[float], crossing: Counter[int]
) -> tuple[str, float, float]:
    """An SVG path through places, and where its label stands: beside its last part."""
    at, y = chain[0].x + start, _y(chain[0]) + BOX_H
    path = f"M{at:.1f},{y:.1f}"
    for here, there in pairwise(chain):
        x, top = there.x, _y(there)
        if there is chain[-1]:
            x += end
        if there.column != here.column:
            aside = 6 * (crossing[there.column] % 4)
            crossing[there.column] += 1
            gutter = lefts[there.column] + 4 + aside
            path += f"V{y + 8 + aside / 2:.1f}H{gutter:.1f}V{top - 20 + aside / 2:.1f}H{x:.1f}V{top:.1f}"
        elif abs(x - at) < 0.5:
            path += f"V{top:.1f}"
        else:
            middle = (y + top) / 2
            path += f"C{at:.1f},{middle:.1f} {x:.1f},{middle:.1f} {x:.1f},{top:.1f}"
        at, y = x, top
        if there is not chain[-1]:
            y += BOX_H
            path += f"V{y:.1f}"
    return path, round(at + 5, 1), round(_y(chain[-1]) - 6, 1)
