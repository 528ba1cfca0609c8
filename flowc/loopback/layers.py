"""What the engine executes: tensors in the external memory, layers between them, and steps that stay on the host.

Everything here is in the engine's geometry (blocks of ``columns`` and ``rows`` channels) but not yet cut into tiles or addresses.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from flowc.loopback.descriptors import MAC, MAX, SUM
from flowc.loopback.engine import Engine
from flowc.loopback.formats import PlaneLayout
from flowc.loopback.words import Post
from flowc.units import Unit
from flowc.units.base import Array

__all__ = [
    "MAC", "MAX", "SUM", "HostStep", "Join", "Layer", "Network", "Placement", "Products", "Storage", "View", "Window", "plain_slots",
]  # fmt: skip


@dataclass(eq=False)
class Storage:
    """A tensor in the external memory; several of the graph's may share it (the parts of a concatenation).

    Attributes:
        name: unique.
        h, w: rows and columns.
        channels: channels with what fills up blocks of the engine's rows.
        lo, hi: range of the values; q is stored as q - lo.
        init: whether the host writes it (an input, or the result of a step on the host).
    """

    name: str
    h: int
    w: int
    channels: int
    lo: int
    hi: int
    init: bool = False

    def layout(self, engine: Engine) -> PlaneLayout:
        """Where its values lie."""
        return PlaneLayout(engine, self.h, self.w, self.channels // engine.columns, self.planes(engine))

    def planes(self, engine: Engine) -> int:
        """Digits of a stored value."""
        return max(1, engine.planes(int(self.hi - self.lo).bit_length()))


@dataclass(frozen=True, eq=False)
class View:
    """A tensor of the graph within a storage: channel c of it is channel ``slots[c]`` of the storage."""

    storage: Storage
    slots: Array

    @property
    def shape(self) -> tuple[int, int, int]:
        """(H, W, C)."""
        return (self.storage.h, self.storage.w, len(self.slots))

    def blocks(self, size: int) -> tuple[int, int]:
        """First block of ``size`` channels that it lies in, and the one behind the last."""
        return int(self.slots.min()) // size, int(self.slots.max()) // size + 1


@dataclass(frozen=True)
class Window:
    """How output positions see the input: taps, steps, and how far the first tap lies outside."""

    kernel: tuple[int, int] = (1, 1)
    stride: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    top: int = 0
    left: int = 0


@dataclass(frozen=True)
class Placement:
    """Where results go: output (y, x) to rows ``y0 + y * step_y``, columns alike, each ``repeat_y`` x ``repeat_x`` times."""

    y0: int = 0
    x0: int = 0
    step_y: int = 1
    step_x: int = 1
    repeat_y: int = 1
    repeat_x: int = 1


@dataclass(frozen=True, eq=False)
class Products:
    """The weights of a layer: output row r is the sum over taps t and inputs i of ``weights[r, t, i] * x[t, inputs[r, i]]``.

    Attributes:
        weights: int64 (rows, taps, n).
        inputs: int64 (rows, n), or (1, n) where all rows read the same: channels of the view.
    """

    weights: Array
    inputs: Array

    @property
    def digits(self) -> tuple[int, int]:
        """Least and greatest weight."""
        return int(self.weights.min(initial=0)), int(self.weights.max(initial=0))


@dataclass(frozen=True, eq=False)
class Join:
    """A second operand that the activation unit adds to (or multiplies with) the results, and the word that follows.

    Attributes:
        op: 1: ``left_scale * q + right_scale * skip``; 2: ``(q - left_offset) * (skip - right_offset)``; both stored values.
        skip: the second operand.
        word, lo, hi: applied to the outcome.
        inner_lo: what the result before the join is stored less.
    """

    op: int
    skip: View
    left_scale: int
    right_scale: int
    left_offset: int
    right_offset: int
    word: int
    lo: int
    hi: int
    inner_lo: int = 0


@dataclass(frozen=True, eq=False)
class Layer:
    """One layer of the engine.

    Attributes:
        name: of the unit that it computes first.
        units: names of the units that it computes.
        origin: ONNX nodes.
        kind: MAC, MAX or SUM.
        source: what it reads.
        second: the operand of the second of two taps (an elementwise sum with factors per channel), or None.
        window: how.
        pad: stored value of taps outside.
        out: what it writes, as the storage's channels in the order of the rows.
        h, w: output positions computed.
        placement: where they go.
        products: weights; None for MAX and SUM.
        post: activation.
        join: fused join.
        macs: multiplications per image, as the model counts them.
        acc: greatest magnitude of the engine's accumulators.
    """

    name: str
    units: tuple[str, ...]
    origin: tuple[str, ...]
    kind: int
    source: View
    window: Window
    pad: int
    out: View
    h: int
    w: int
    post: Post
    products: Products | None = None
    placement: Placement = Placement()
    second: View | None = None
    join: Join | None = None
    macs: int = 0
    acc: int = 0

    def block_rows(self, engine: Engine) -> int:
        """Output channels per block: pools take as many as a word has."""
        return engine.rows if self.kind == MAC else engine.columns

    @property
    def taps(self) -> int:
        """Taps of the kernel."""
        return self.window.kernel[0] * self.window.kernel[1]


@dataclass(frozen=True, eq=False)
class HostStep:
    """Units that the host computes between layers.

    Attributes:
        unit: the unit.
        reason: why it does not run on the engine.
        outputs: where its results go, by port; empty for what only the host reads.
    """

    unit: Unit
    reason: str
    outputs: tuple[View, ...]


@dataclass(eq=False)
class Network:
    """A lowered graph.

    Attributes:
        steps: layers and steps of the host, in order.
        views: (unit, output port) -> where its tensor lies, for every tensor that does.
        fused: (unit, output port) of results that only exist within a layer.
        owners: of each step, the unit for which it was made.
        entries: (unit, output port) of what the host writes before a run: input ports, or what it makes of them (padding and windows
            of a first layer with few channels).
    """

    steps: list[Layer | HostStep] = field(default_factory=list)
    views: dict[tuple[str, int], View] = field(default_factory=dict)
    fused: dict[tuple[str, int], Layer] = field(default_factory=dict)
    owners: list[str] = field(default_factory=list)
    entries: list[tuple[str, int]] = field(default_factory=list)

    @property
    def layers(self) -> list[Layer]:
        """The engine's layers in order."""
        return [s for s in self.steps if isinstance(s, Layer)]

    @property
    def host(self) -> list[HostStep]:
        """The host's steps in order."""
        return [s for s in self.steps if isinstance(s, HostStep)]


def plain_slots(channels: int) -> Array:
    """The slots of a tensor that has its storage for itself."""
    return np.arange(channels)
