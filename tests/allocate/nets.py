"""Small and not so small dataflow graphs for the tests."""

from __future__ import annotations

import numpy as np

from flowc.dataflow import Dataflow, Stream
from flowc.dtypes import BIPOLAR, IntType, SInt, UInt
from flowc.units import Fork, Frame, InputPort, Join, Mvtu, OutputPort, Pad, Pool, Thresholds, Unit, Vvtu, Window


class Net:
    """Builds a graph unit by unit; ``at`` is the name of the last one."""

    def __init__(self, h: int, w: int, c: int, dtype: IntType, seed: int = 0) -> None:
        self.rng = np.random.default_rng(seed)
        frame = Frame(h, w, c, dtype)
        self.units: list[Unit] = [InputPort(name="x", tensor="x", tensor_shape=(c, h, w), frame=frame)]
        self.streams: list[Stream] = []
        self.at = "x"
        self.frame = frame
        self.count = 0

    def add(self, unit: Unit, src: str | None = None, src_port: int = 0, dst_port: int = 0) -> str:
        self.units.append(unit)
        self.streams.append(Stream(src or self.at, unit.name, src_port, dst_port))
        self.at, self.frame = unit.name, unit.outputs[0]
        return unit.name

    def _thresholds(self, channels: int, out: IntType, acc: IntType) -> Thresholds:
        levels = 1 if out.bipolar else out.hi - out.lo
        values = np.sort(self.rng.integers(acc.lo, acc.hi + 1, (channels, levels)), axis=1)
        step = np.array([[2 if out.bipolar else 1]])
        return Thresholds(dtype=out, values=values, base=np.full(channels, out.lo), step=step)

    def _acc(self, inputs: int, weight: IntType) -> IntType:
        bound = inputs * max(abs(weight.lo), weight.hi) * max(abs(self.frame.dtype.lo), self.frame.dtype.hi)
        return IntType.for_range(-bound, bound)

    def matrix(self, out: int, weight: IntType, act: IntType | None, *, taps: int = 1, name: str | None = None) -> str:
        f = self.frame
        mw = f.c
        acc = self._acc(mw, weight)
        values = self.rng.integers(max(weight.lo, -1), 2, (out, mw))
        if weight.bipolar:
            values = 2 * self.rng.integers(0, 2, (out, mw)) - 1
        activation = None if act is None else self._thresholds(out, act, acc)
        self.count += 1
        unit = Mvtu(
            name=name or f"fc{self.count}", frame=f, weights=values.astype(np.int64), weight_type=weight, acc=acc,
            activation=activation, taps=taps, block=mw // taps,
        )  # fmt: skip
        return self.add(unit)

    def flatten(self) -> None:
        f = self.frame
        self.frame = Frame(1, 1, f.elements, f.dtype)

    def window(self, name: str, k: int, stride: int, pad: int, block: int) -> None:
        f = self.frame
        if pad:
            out = Frame(f.h + 2 * pad, f.w + 2 * pad, f.c, f.dtype)
            self.add(Pad(name=f"{name}_pad", frame=f, out=out, top=pad, left=pad, bottom=pad, right=pad))
        self.add(Window(name=f"{name}_window", frame=self.frame, kernel=(k, k), stride=(stride, stride), block=block))

    def conv(self, out: int, weight: IntType, act: IntType | None, *, k: int = 3, stride: int = 1, pad: int = 0) -> str:
        self.count += 1
        name = f"conv{self.count}"
        if k > 1 or stride > 1:
            self.window(name, k, stride, pad, self.frame.c)
        self.count -= 1
        return self.matrix(out, weight, act, taps=k * k, name=self._next("conv"))

    def _next(self, kind: str) -> str:
        return f"{kind}{self.count + 1}"

    def depthwise(self, weight: IntType, act: IntType | None, *, k: int = 3, stride: int = 1, pad: int = 1) -> str:
        self.count += 1
        name, c = f"dw{self.count}", self.frame.c
        self.window(name, k, stride, pad, 1)
        acc = self._acc(k * k, weight)
        values = self.rng.integers(-1, 2, (c, k * k))
        activation = None if act is None else self._thresholds(c, act, acc)
        unit = Vvtu(
            name=name, frame=self.frame, channels=c, weights=values, weight_type=weight, acc=acc, activation=activation
        )
        return self.add(unit)

    def pool(self, k: int = 2) -> str:
        self.count += 1
        c, dtype = self.frame.c, self.frame.dtype
        self.window(f"pool{self.count}", k, k, 0, 1)
        return self.add(Pool(name=f"pool{self.count}", frame=self.frame, channels=c, op="max", acc=dtype))

    def fork(self, ways: int = 2) -> str:
        self.count += 1
        return self.add(Fork(name=f"fork{self.count}", frame=self.frame, ways=ways))

    def join(self, left: str, right: str, right_port: int, act: IntType) -> str:
        self.count += 1
        a, b = self.frame, self.frame
        acc = IntType.for_range(2 * min(a.dtype.lo, 0), 2 * a.dtype.hi)
        one = np.array([1])
        unit = Join(
            name=f"add{self.count}", left=a, right=b, op="add", acc=acc, left_scale=one, right_scale=one,
            activation=self._thresholds(a.c, act, acc),
        )  # fmt: skip
        self.add(unit, src=left)
        self.streams.append(Stream(right, unit.name, right_port, 1))
        return unit.name

    def done(self, name: str = "net") -> Dataflow:
        f = self.frame
        self.add(OutputPort(name="y", tensor="y", tensor_shape=(f.c, f.h, f.w), frame=f))
        return Dataflow(name, self.units, self.streams)


def cnv(bits: int) -> Dataflow:
    """The VGG-like CIFAR-10 network of the FINN papers with ``bits``-bit weights and activations (1: bipolar)."""
    weight = BIPOLAR if bits == 1 else SInt(bits)
    act = BIPOLAR if bits == 1 else UInt(bits)
    net = Net(32, 32, 3, UInt(8))
    for out, pool in ((64, False), (64, True), (128, False), (128, True), (256, False), (256, False)):
        net.conv(out, weight, act)
        if pool:
            net.pool()
    net.flatten()
    net.matrix(512, weight, act)
    net.matrix(512, weight, act)
    net.matrix(10, weight, None)
    return net.done(f"cnv_{bits}w{bits}a")


def residual(blocks: int = 2, size: int = 8, channels: int = 8) -> Dataflow:
    """A small residual network: each block two 3x3 convolutions around an identity branch."""
    weight, act = SInt(2), UInt(2)
    net = Net(size, size, 3, UInt(4))
    net.conv(channels, weight, act, pad=1)
    for _ in range(blocks):
        fork = net.fork()
        net.conv(channels, weight, act, pad=1)
        left = net.conv(channels, weight, act, pad=1)
        net.join(left, fork, 1, act)
    net.conv(4, weight, None, k=1)
    return net.done("residual")
