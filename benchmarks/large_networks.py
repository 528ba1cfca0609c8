"""Networks that no small device holds, as dataflow graphs: ResNet-50 and VGG-16 for 224 x 224 images.

Weights are random and take their whole range, as the number of an engine's digits depends on it; activations are those of a network with
one scale per tensor, so that residual sums are computed behind the convolution in front of them.
"""

from __future__ import annotations

import numpy as np

from benchmarks.networks import Net
from flowc.model.dtypes import IntType, SInt, UInt
from flowc.units import Frame, GlobalSum, Join, Mvtu, Pad, Pool, Requant, Window
from flowc.units.graph import Dataflow, Stream

__all__ = ["LargeNet", "resnet50", "vgg16"]


class LargeNet(Net):
    """`benchmarks.networks.Net` with weights of the whole range, kept in 32 bits: VGG-16 has 138 million of them."""

    def _matrix(self, name: str, out: int, weight: IntType, act: IntType | None, taps: int) -> str:
        mw = self.frame.c
        acc = self._acc(mw, weight)
        values = self.rng.integers(weight.lo, weight.hi + 1, (out, mw), np.int8).astype(np.int32)
        unit = Mvtu(
            name=name, frame=self.frame, weights=values, weight_type=weight, acc=acc, taps=taps, block=mw // taps,
            activation=None if act is None else self._scale(act, acc),
        )  # fmt: skip
        return self.add(unit)

    def _scale(self, act: IntType, acc: IntType) -> Requant:
        """One scale for all channels: the levels span a sixteenth of the accumulator's range."""
        shift = max(0, acc.bits - 4 - act.bits) + 12
        mult = self.rng.integers(1 << 11, 1 << 12, 1)
        return Requant(dtype=act, mult=mult, add=mult * 0, shift=shift, lo=act.lo, hi=act.hi)

    def padded_pool(self, k: int, stride: int, pad: int) -> str:
        """A maximum pool with padding."""
        self.count += 1
        name, f = f"pool{self.count}", self.frame
        if pad:
            out = Frame(f.h + 2 * pad, f.w + 2 * pad, f.c, f.dtype)
            self.add(Pad(name=f"{name}_pad", frame=f, out=out, top=pad, left=pad, bottom=pad, right=pad))
        self.add(Window(name=f"{name}_window", frame=self.frame, kernel=(k, k), stride=(stride, stride), block=1))
        return self.add(Pool(name=name, frame=self.frame, channels=f.c, op="max", acc=f.dtype))

    def sum_of(self, left: str, right: str, right_port: int, act: IntType) -> str:
        """Adds the outputs of two units; one function for all channels."""
        self.count += 1
        f, one = self.frame, np.array([1])
        acc = IntType.for_range(2 * min(f.dtype.lo, 0), 2 * f.dtype.hi)
        unit = Join(
            name=f"add{self.count}", left=f, right=f, op="add", acc=acc, left_scale=one, right_scale=one,
            activation=Requant(dtype=act, mult=one, add=one - 1, shift=1, lo=act.lo, hi=act.hi),
        )  # fmt: skip
        self.add(unit, src=left)
        self.streams.append(Stream(right, unit.name, right_port, 1))
        return unit.name

    def average(self, act: IntType) -> str:
        """The mean over all positions, one function for all channels."""
        self.count += 1
        acc = IntType.for_range(0, self.frame.pixels * self.frame.dtype.hi)
        mult = np.array([(1 << 16) // self.frame.pixels])
        activation = Requant(dtype=act, mult=mult, add=mult * 0, shift=16, lo=act.lo, hi=act.hi)
        return self.add(GlobalSum(name=f"sum{self.count}", frame=self.frame, acc=acc, activation=activation))


def resnet50(bits: int = 8) -> Dataflow:
    """ResNet-50 with the stride in the 3 x 3 convolution, as torchvision has it (4.09 thousand million products)."""
    net = LargeNet(224, 224, 3, UInt(8))
    weight, act = SInt(bits), UInt(bits)
    net.conv(64, SInt(8), act, k=7, stride=2, pad=3)
    net.padded_pool(3, 2, 1)
    for width, blocks, first_stride in ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2)):
        for block in range(blocks):
            stride = first_stride if block == 0 else 1
            fork, at = net.fork(), net.frame
            net.conv(width, weight, act, k=1)
            net.conv(width, weight, act, stride=stride, pad=1)
            left = net.conv(4 * width, weight, act, k=1)
            right, port = fork, 1
            if block == 0:
                right, port = net.shortcut(fork, at, 4 * width, weight, act, stride), 0
            net.sum_of(left, right, port, act)
    net.average(act)
    net.matrix(1000, weight, None)
    return net.done(f"resnet50_{bits}b")


def vgg16(bits: int = 8) -> Dataflow:
    """VGG-16, configuration D (15.47 thousand million products, 138 million weights)."""
    net = LargeNet(224, 224, 3, UInt(8))
    weight, act = SInt(bits), UInt(bits)
    for index, width in enumerate((64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, 0, 512, 512, 512, 0)):
        if width:
            net.conv(width, SInt(8) if index == 0 else weight, act, pad=1)
        else:
            net.padded_pool(2, 2, 0)
    net.flatten()
    net.matrix(4096, weight, act)
    net.matrix(4096, weight, act)
    net.matrix(1000, weight, None)
    return net.done(f"vgg16_{bits}b")
