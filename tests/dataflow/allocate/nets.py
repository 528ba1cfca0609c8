"""Small dataflow graphs for the tests."""

from __future__ import annotations

from benchmarks.networks import Net, cnv
from flowc.model.dtypes import SInt, UInt
from flowc.units.graph import Dataflow

__all__ = ["Net", "cnv", "residual"]


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
