"""Caps of HLS C++: no plan exceeds them, and every one that a folding by hand exceeds is named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.caps import plans
from benchmarks.networks import Net
from flowc.backends.hls import generate
from flowc.backends.hls.caps import capped, exceeded
from flowc.backends.hls.split import split_large
from flowc.errors import InfeasibleError
from flowc.model.dtypes import BIPOLAR, SInt, UInt
from flowc.units import Activate, Frame, GlobalSum, Thresholds, Unit, WidthConverter
from flowc.units.graph import Dataflow
from tests.backends.hls.random_units import side_by_side
from tests.backends.hls.test_split import unit
from tests.dataflow.allocate.nets import cnv, residual


def perceptron() -> Dataflow:
    """Wide enough for all of a large board: 784 inputs, then layers of 256."""
    net = Net(1, 1, 784, UInt(2))
    for _ in range(3):
        net.matrix(256, SInt(2), UInt(2))
    net.matrix(10, SInt(2), None)
    return net.done("perceptron")


def strided() -> Dataflow:
    """Windows of five by five pixels, and a pool of three by three."""
    net = Net(20, 20, 16, UInt(4))
    net.conv(32, SInt(4), UInt(4), k=5)
    net.pool(3)
    net.conv(64, BIPOLAR, UInt(4))
    return net.done("strided")


@pytest.mark.parametrize(
    "build", [perceptron, strided, lambda: residual(1, 16, 32)], ids=["perceptron", "strided", "residual"]
)
def test_no_plan_exceeds_a_cap(build) -> None:
    greatest: dict[str, float] = {}
    for _, _, plan in plans(build(), ["u250", "pynq-z1"], [1, 0.1]):
        assert plan is not None
        parts = split_large(plan)
        assert exceeded(parts) == []
        for figure in capped(parts):
            greatest[figure.what] = max(greatest.get(figure.what, 0), figure.value / figure.cap)
    assert max(greatest.values()) > 0.2, "none comes near: the networks are too small to show anything"


@pytest.mark.slow
def test_no_plan_of_a_large_network_exceeds_a_cap() -> None:
    ((_, _, plan),) = plans(cnv(2), ["u250"], [1])
    assert plan is not None
    reached = list(capped(split_large(plan)))
    assert [figure for figure in reached if figure.value > figure.cap] == []
    assert max(figure.value / figure.cap for figure in reached) == 1


def thresholds(levels: int, channels: int = 1) -> Thresholds:
    values = np.tile(np.arange(levels) * 70_000, (channels, 1))
    one = np.ones((1, 1), np.int64)
    return Thresholds(dtype=UInt(8), values=values, base=np.zeros(channels, np.int64), step=one, style="compare")


def activate(channels: int, pe: int, levels: int) -> Activate:
    return Activate(name="a", frame=Frame(1, 1, channels, SInt(24)), activation=thresholds(levels, channels), pe=pe)


EXCESS: dict[str, tuple[Unit, int]] = {
    "bits of a beat": (WidthConverter(name="w", frame=Frame(1, 1, 2048, UInt(4)), wide_in=2048, wide_out=1024), 8192),
    "bits that are held": (
        WidthConverter(name="w", frame=Frame(1, 1, 3000, UInt(2)), wide_in=1500, wide_out=1000),
        5000,
    ),
    "bits of a row of weights": (unit("m", SInt(8), UInt(1), 1, 1, 600), 4800),
    "bits of a word of sums": (GlobalSum(name="g", frame=Frame(2, 2, 400, UInt(8)), acc=SInt(12), pe=400), 4800),
    "bits of a lane's thresholds": (activate(2, 1, 140), 140 * 32),
    "elements in parallel": (unit("m", BIPOLAR, BIPOLAR, 1025, 1025, 1), 1025),
    "products in a cycle": (unit("m", BIPOLAR, BIPOLAR, 43, 43, 50), 2150),
    "comparisons with thresholds in a cycle": (activate(100, 100, 50), 5000),
}


@pytest.mark.parametrize("what", EXCESS)
def test_what_is_beyond_a_cap_is_named(what: str, tmp_path: Path) -> None:
    large, value = EXCESS[what]
    graph = side_by_side([large])
    assert (large.name, what, value) in {(f.unit, f.what, f.value) for f in exceeded(graph)}
    if not what.startswith("products"):  # those become several units
        with pytest.raises(InfeasibleError, match=f"'{large.name}': {what}: {value:,}, at most"):
            generate(graph, tmp_path / "hls", part="x", clock_mhz=200, header="A test")
        assert not (tmp_path / "hls").exists()
