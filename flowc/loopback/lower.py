"""From the dataflow graph of hardware units to layers of the loopback engine.

Every tensor that a unit makes gets a home in the external memory. Padding, windows, forks, splits and concatenations have no
layers: they are addresses. What the engine has no form for becomes a step of the host, with the reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from flowc.loopback.engine import Engine
from flowc.loopback.layers import (
    MAC,
    MAX,
    HostStep,
    Layer,
    Network,
    Placement,
    Products,
    Storage,
    View,
    Window,
    plain_slots,
)
from flowc.loopback.words import Fit, identity
from flowc.units import (
    Concat,
    Fork,
    InputPort,
    Join,
    Mvtu,
    OutputPort,
    Pad,
    PixelPad,
    Split,
    Unit,
)  # fmt: skip
from flowc.units import (
    Window as WindowUnit,
)
from flowc.units.base import Frame
from flowc.units.graph import Dataflow, Stream

__all__ = ["Geometry", "Lowering", "OnHost", "PendingJoin", "Value"]

_MOST_TAPS = 255
_VIRTUAL = (Fork, WindowUnit, Pad, PixelPad, Split, Concat, OutputPort)
_WIDEST = 32


class OnHost(Exception):
    """The engine has no form for a unit; the text says why."""


@dataclass(frozen=True, eq=False)
class Value:
    """What flows on a stream: a tensor in memory, seen through padding, spreading and a window.

    Attributes:
        view: the tensor.
        shape: (H, W, C) behind padding and spreading.
        top, left: rows and columns of padding in front.
        fill: true value of padding and between spread pixels; None: there are none.
        spread: distance of the tensor's pixels (transposed convolutions).
        window: the sliding window, or None.
    """

    view: View
    shape: tuple[int, int, int]
    top: int = 0
    left: int = 0
    fill: int | None = None
    spread: tuple[int, int] = (1, 1)
    window: WindowUnit | None = None

    @property
    def plain(self) -> bool:
        """Whether it is the tensor itself."""
        return self.fill is None and self.window is None


@dataclass(frozen=True, eq=False)
class Geometry:
    """How a unit sees its input: what it reads, through which window, and the output's rows and columns."""

    value: Value
    window: Window
    h: int
    w: int

    @property
    def pad(self) -> int:
        """Stored value of taps outside."""
        return 0 if self.value.fill is None else self.value.fill - self.value.view.storage.lo


@dataclass(frozen=True, eq=False)
class PendingJoin:
    """A join that the layer being lowered computes, too: the unit, the other operand, and whether the layer is its left one."""

    unit: Join
    skip: View
    left: bool


class Lowering:
    """Lowers a graph for an engine's geometry.

    Args:
        graph: the unfolded graph.
        engine: rows, columns and digit matter.
        fits: of `flowc.loopback.ranges.fit_all`.
    """

    def __init__(self, graph: Dataflow, engine: Engine, fits: Mapping[str, Fit | None]) -> None:
        self.graph = graph
        self.engine = engine
        self.fits = fits
        self.network = Network()
        self.values: dict[tuple[str, int], Value] = {}
        self.homes: dict[tuple[str, int], View] = {}
        self.shared: set[tuple[str, int]] = set()
        self.merged: dict[str, str] = {}
        self.pending: PendingJoin | None = None
        self.current = ""
        self.kept = 0
        self._names: set[str] = set()
        self._make_homes()
        self._reach_pads()

    # homes

    def storage(self, name: str, h: int, w: int, channels: int, lo: int, hi: int) -> Storage:
        """A storage for a tensor, its channels filled up to whole blocks."""
        rows = self.engine.rows
        unique, count = name, 1
        while unique in self._names:
            count += 1
            unique = f"{name}_{count}"
        self._names.add(unique)
        return Storage(unique, h, w, -(-channels // rows) * rows, lo, hi)

    def fresh(self, name: str, shape: tuple[int, int, int], lo: int, hi: int) -> View:
        """A tensor with a storage of its own."""
        h, w, c = shape
        return View(self.storage(name, h, w, c, lo, hi), plain_slots(c))

    def _make_homes(self) -> None:
        for unit in reversed(list(self.graph)):
            if isinstance(unit, Concat):
                self._home_concat(unit)
        for unit in self.graph:
            if isinstance(unit, _VIRTUAL):
                continue
            for port, frame in enumerate(unit.outputs):
                if (unit.name, port) not in self.homes:
                    name = unit.name if port == 0 else f"{unit.name}_{port}"
                    self.homes[unit.name, port] = self.fresh(name, frame.shape, frame.dtype.lo, frame.dtype.hi)

    def _home_concat(self, unit: Concat) -> None:
        key = (unit.name, 0)
        rows, dtype = self.engine.rows, unit.out.dtype
        lengths = [-(-f.c // rows) * rows for f in unit.frames]
        starts = np.concatenate([[0], np.cumsum(lengths)])
        if key not in self.homes:
            slots = np.concatenate([s + np.arange(f.c) for s, f in zip(starts[:-1], unit.frames, strict=True)])
            storage = self.storage(unit.name, unit.out.h, unit.out.w, int(starts[-1]), dtype.lo, dtype.hi)
            self.homes[key] = View(storage, slots)
        home = self.homes[key]
        storage = home.storage
        storage.lo, storage.hi = min(storage.lo, dtype.lo), max(storage.hi, dtype.hi)
        at = 0
        for stream, frame in zip(self.graph.into(unit.name), unit.frames, strict=True):
            part = View(storage, home.slots[at : at + frame.c])
            at += frame.c
            source = self._origin(stream)
            maker = self.graph[source[0]]
            if source in self.homes or maker.outputs[source[1]].shape != frame.shape:
                continue
            if isinstance(maker, Concat):
                nested = [f.c for f in maker.frames]
                # The inner parts begin at whole blocks only if all but the last fill theirs.
                if any(n % rows for n in nested[:-1]) or part.slots[0] % rows:
                    continue
            elif isinstance(maker, _VIRTUAL) or part.slots[0] % rows:
                continue
            self.homes[source] = part
            self.shared.add(source)

    def _origin(self, stream: Stream) -> tuple[str, int]:
        """The unit and port whose tensor a stream carries, through forks."""
        while isinstance(self.graph[stream.src], Fork):
            (stream,) = self.graph.into(stream.src)
        return (stream.src, stream.src_port)

    def _reach_pads(self) -> None:
        """Storages hold what pads read outside of them."""
        for unit in self.graph:
            if not isinstance(unit, Pad | PixelPad):
                continue
            source = self.graph[unit.name]
            while isinstance(source, _VIRTUAL) and not isinstance(source, Concat):
                (stream,) = self.graph.into(source.name)
                source, port = self.graph[stream.src], stream.src_port
            storage = self.homes[source.name, port].storage
            storage.lo, storage.hi = min(storage.lo, unit.value), max(storage.hi, unit.value)

    # values

    def value(self, stream: Stream) -> Value:
        """What flows on a stream."""
        return self.values[stream.src, stream.src_port]

    def inputs(self, unit: Unit) -> list[Value]:
        """What flows into a unit."""
        return [self.value(s) for s in self.graph.into(unit.name)]

    def finish(self, unit: Unit, view: View, port: int = 0) -> None:
        """Records where the result of a unit lies."""
        self.values[unit.name, port] = Value(view, view.shape)
        self.network.views[unit.name, port] = view

    def home(self, unit: Unit, shape: tuple[int, int, int] | None = None, port: int = 0) -> View:
        """Where a unit's result goes; in another shape of the same elements where ``shape`` says so and the home is its own."""
        view = self.homes[unit.name, port]
        if shape is None or view.shape == shape:
            return view
        if (unit.name, port) in self.shared:
            raise OnHost("its result is concatenated in another shape")
        return self.fresh(f"{unit.name}_flat", shape, view.storage.lo, view.storage.hi)

    def geometry(self, value: Value, frame: Frame) -> Geometry:
        """How a unit whose input is of type ``frame`` sees a value."""
        if value.window is not None:
            unit = value.window
            window = Window(unit.kernel, unit.stride, unit.dilation, value.top, value.left)
            found = Geometry(value, window, unit.out_h, unit.out_w)
        elif value.shape == frame.shape:
            found = Geometry(value, Window(top=value.top, left=value.left), frame.h, frame.w)
        elif frame.pixels == 1 and value.plain:
            found = Geometry(value, Window(kernel=value.shape[:2]), 1, 1)
        else:
            raise OnHost("it sees its input in another shape")
        w = found.window
        if max(*w.kernel, *w.stride, *w.dilation) > _MOST_TAPS:
            raise OnHost(f"its kernel, stride or dilation is above {_MOST_TAPS}")
        return found

    def aligned(self, view: View, name: str) -> View:
        """The view, its channels in whole words in their order: moved by a layer if they are not."""
        first = int(view.slots[0])
        if first % self.engine.columns == 0 and np.array_equal(view.slots, first + np.arange(len(view.slots))):
            return view
        out = self.fresh(f"{name}_moved", view.shape, view.storage.lo, view.storage.hi)
        self.move(view, out, name)
        return out

    def materialized(self, value: Value, name: str) -> View:
        """The value as a tensor in memory: copied with its padding if it has some."""
        if value.plain:
            return self.aligned(value.view, name)
        if value.window is not None or value.spread != (1, 1):
            raise OnHost("a sliding window or spread pixels feed it")
        view = self.aligned(value.view, name)
        storage = view.storage
        out = self.fresh(f"{name}_padded", value.shape, storage.lo, storage.hi)
        window = Window(top=value.top, left=value.left)
        self.copy(Geometry(replace(value, view=view), window, *value.shape[:2]), out, name)
        return out

    def origin_unit(self, unit: Unit) -> str:
        """The unit from which padding leads to ``unit``."""
        source = unit
        while source is unit or isinstance(source, Pad):
            (stream,) = self.graph.into(source.name)
            source = self.graph[stream.src]
        return source.name

    def folds(self, unit: WindowUnit) -> bool:
        """Whether the host packs a window's pixels: behind an input, before a dense layer, where that fills more of the array."""
        source = self.graph[self.origin_unit(unit)]
        (reader,) = (self.graph[s.dst] for s in self.graph.out_of(unit.name))
        if not isinstance(source, InputPort) or (source.name, 0) in self.shared:
            return False
        if not isinstance(reader, Mvtu) or reader.groups > 1:
            return False
        columns, taps = self.engine.columns, unit.kernel[0] * unit.kernel[1]
        return -(-taps * unit.frame.c // columns) < taps * -(-unit.frame.c // columns)

    # layers without weights of the model

    def copy(self, seen: Geometry, out: View, name: str, placement: Placement | None = None) -> None:
        """A layer that moves pixels as they are."""
        view = seen.value.view
        storage = view.storage
        constant = np.full(len(view.slots), storage.lo)
        post = identity(storage.lo, storage.hi).stored(constant, out.storage.lo)
        assert post is not None
        self.add(
            Layer(
                name, (), (), MAX, view, seen.window, seen.pad, out, seen.h, seen.w, post,
                placement=placement or Placement(), acc=storage.hi - storage.lo,
            )
        )  # fmt: skip

    def move(self, view: View, out: View, name: str) -> None:
        """A layer that brings channels to other slots: products with ones and zeros."""
        storage, count = view.storage, len(view.slots)
        post = identity(storage.lo, storage.hi).stored(np.full(count, storage.lo), out.storage.lo)
        assert post is not None
        products = Products(np.ones((count, 1, 1), np.int64), np.arange(count)[:, None])
        h, w, _ = view.shape
        self.add(
            Layer(name, (), (), MAC, view, Window(), 0, out, h, w, post, products, acc=storage.hi - storage.lo)
        )  # fmt: skip

    def add(self, layer: Layer) -> None:
        """Appends a layer.

        Raises:
            OnHost: its accumulators or results are wider than the engine's.
        """
        if layer.acc >= 1 << (self.engine.acc_bits - 1):
            raise OnHost(f"its accumulators take more than the engine's {self.engine.acc_bits} bits")
        for storage in (layer.source.storage, layer.out.storage):
            if storage.hi - storage.lo >= 1 << _WIDEST:
                raise OnHost(f"its numbers take more than {_WIDEST} bits")
        self.append(layer)

    def append(self, step: Layer | HostStep) -> None:
        """Appends a step for the unit that is being lowered."""
        self.network.steps.append(step)
        self.network.owners.append(self.current)

    def rewind(self, count: int) -> None:
        """Drops all steps behind the first ``count``."""
        del self.network.steps[count:], self.network.owners[count:]

    def on_host(self, unit: Unit, reason: str) -> None:
        """A step of the host."""
        views = []
        for port, frame in enumerate(unit.outputs):
            view = self.homes.get((unit.name, port))
            if view is None or view.shape != frame.shape:
                lo, hi = frame.dtype.lo, frame.dtype.hi
                if view is not None:
                    lo, hi = view.storage.lo, view.storage.hi
                view = self.fresh(unit.name, frame.shape, lo, hi)
            view.storage.init = True
            self.finish(unit, view, port)
            views.append(view)
        self.append(HostStep(unit, reason, tuple(views)))
