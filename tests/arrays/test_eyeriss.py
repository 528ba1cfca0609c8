"""Row stationary, and the order of the dataflows, against what was published of Eyeriss on AlexNet.

JSSC 2017: Chen, Krishna, Emer, Sze, "Eyeriss: An Energy-Efficient Reconfigurable Accelerator for Deep Convolutional Neural Networks",
tables III and V: AlexNet at batch 4 on the chip's 12 x 14 cells with a buffer of 100 kB for maps and sums, 16-bit words.
ISCA 2016: Chen, Emer, Sze, "Eyeriss: A Spatial Architecture for Energy-Efficient Dataflow for Convolutional Neural Networks".
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest

from flowc.arrays import DATAFLOWS, Layer, Setup, load_network
from flowc.arrays.dataflows.row_stationary import Mapping, candidates, count, count_mapping
from flowc.arrays.dram import dram_words

CHIP = Setup(batch=4, buffer=51_200, idle="gated")
HEIGHT, WIDTH = np.array([12.0]), np.array([14.0])


@dataclass(frozen=True)
class Published:
    """A layer of AlexNet as the chip ran it. Groups are counted as channels of all filters, as the paper does."""

    layer: Layer
    e: int
    p: int
    q: int
    r: int
    t: int
    cells: int
    milliseconds: float
    buffer_mb: float
    dram_mb: float

    @property
    def mapping(self) -> Mapping:
        values = [np.array([float(v)]) for v in (self.e, self.p, self.q, self.r, self.t)]
        return Mapping(*values, np.array([float(self.layer.kernel_rows)]), np.array([float(self.layer.kernel_columns)]))


# conv3's 50.2 MB are those of 43 passes of 3 * 2 channels, the interleaving of conv4 and conv5.
ALEXNET = [
    Published(Layer("conv1", 55, 55, 3, 96, 11, 11, 4, 4, planes=4), 7, 16, 1, 1, 2, 154, 16.5, 18.5, 5.0),
    Published(Layer("conv2", 27, 27, 48, 256, 5, 5, planes=4), 27, 16, 2, 1, 1, 135, 39.2, 77.6, 4.0),
    Published(Layer("conv3", 13, 13, 256, 384, 3, 3, planes=4), 13, 16, 3, 2, 2, 156, 21.8, 50.2, 3.0),
    Published(Layer("conv4", 13, 13, 192, 384, 3, 3, planes=4), 13, 16, 3, 2, 2, 156, 16.0, 37.4, 2.1),
    Published(Layer("conv5", 13, 13, 192, 256, 3, 3, planes=4), 13, 16, 3, 2, 2, 156, 10.0, 24.9, 1.3),
]
each_layer = pytest.mark.parametrize("published", ALEXNET, ids=lambda published: published.layer.name)


@each_layer
def test_active_cells(published: Published) -> None:
    assert published.mapping.cells[0] == published.cells


@each_layer
def test_buffer_accesses(published: Published) -> None:
    """To the last published digit. The chip's filters bypass the buffer, and its finished maps are read once more to leave."""
    layer = published.layer
    counts = count_mapping(
        layer, published.mapping, replace(CHIP, buffer=2**40)
    )  # filters then come once per strip of rows
    filters = layer.terms * layer.filters * -(-layer.rows // published.e)
    leaving = layer.positions * layer.filters
    megabytes = 2 * (float(counts.buffer[0]) - filters + leaving) / 1e6
    assert megabytes == pytest.approx(published.buffer_mb, abs=0.051)


@each_layer
def test_cycles(published: Published) -> None:
    """The chip's processing takes 4 to 19 % longer than its cells compute, at 200 MHz."""
    counts = count_mapping(published.layer, published.mapping, CHIP)
    assert 1.04 <= published.milliseconds / (float(counts.cycles[0]) / 200e3) <= 1.19


@each_layer
def test_the_search_finds_no_worse(published: Published) -> None:
    found = count(published.layer, HEIGHT, WIDTH, CHIP)
    chip = count_mapping(published.layer, published.mapping, CHIP)
    assert found.cycles[0] <= chip.cycles[0]
    assert found.energy(CHIP.costs, 0)[0] <= chip.energy(CHIP.costs, 0)[0] * 1.005
    assert found.cycles[0] >= 0.9 * chip.cycles[0]


@each_layer
def test_what_is_searched_fits_the_chip(published: Published) -> None:
    m = candidates(published.layer, HEIGHT, WIDTH, CHIP)
    assert (m.q * m.width <= 12).all()
    assert (m.p * m.q * m.width <= 224).all()
    assert (m.p <= 24).all()
    assert (m.cells <= 12 * 14).all()
    # sets as rectangles: pieces of at most 14 columns, whole sets above and beside each other
    pieces = np.ceil(m.e / 14)
    beside = np.where(pieces > 1, 1, np.floor(14 / m.e))
    assert (m.r * np.ceil(m.t / beside) * pieces * m.height <= 12).all()


def test_dram_accesses() -> None:
    """0.0029 words a product on the chip, which compresses zeros away; ours are not compressed, and no more than half above."""
    ours = sum(dram_words(p.layer, CHIP) for p in ALEXNET)
    products = sum(p.layer.macs for p in ALEXNET)
    published = sum(p.dram_mb for p in ALEXNET) * 1e6 / 2
    assert published / products == pytest.approx(0.0029, abs=0.00005)
    assert 1.0 <= ours / published <= 1.5


def energies(part: str, pes: int, height: int, batch: int) -> dict[str, float]:
    """Energy a product on AlexNet, all levels and the multiplier, in the areas of ISCA 2016: 256 words of buffer a cell."""
    setup = Setup(batch=batch, idle="gated", buffer=256 * pes)
    H, W = np.array([float(height)]), np.array([float(pes // height)])
    costs = {**setup.costs, "dram": 200.0}
    layers = [n.batched(batch) for n in load_network("alexnet-grouped").layers if n.name.startswith(part)]
    products = sum(layer.macs for layer in layers)
    return {
        name: 1.0
        + sum(float(dataflow(n, H, W, setup).energy(costs, dram_words(n, setup))[0]) for n in layers) / products
        for name, dataflow in DATAFLOWS.items()
    }


@pytest.mark.parametrize(("pes", "height"), [(256, 16), (512, 16), (1024, 32)])
@pytest.mark.parametrize("batch", [1, 16, 64])
def test_order_in_convolutions(pes: int, height: int, batch: int) -> None:
    """ISCA 2016, abstract: row stationary takes 1.4 to 2.5 times less than the other dataflows, no local reuse the most."""
    found = energies("conv", pes, height, batch)
    others = {name: value / found["rs"] for name, value in found.items() if name != "rs"}
    assert min(others.values()) == pytest.approx(1.4, rel=0.11)
    assert max(others.values()) == pytest.approx(2.5, rel=0.09)
    assert found["rs"] < found["ws"] <= found["is"] < found["os"] < found["nlr"]


@pytest.mark.parametrize(("pes", "height"), [(256, 16), (512, 16), (1024, 32)])
def test_order_in_fully_connected_layers(pes: int, height: int) -> None:
    """ISCA 2016, abstract: at least 1.3 times less than the others for batches above 16."""
    found = energies("fc", pes, height, 64)
    assert min(value / found["rs"] for name, value in found.items() if name != "rs") >= 1.3


def test_where_the_energy_goes() -> None:
    """ISCA 2016, section VII-A, 256 cells and batch 16: registers dominate convolutions, DRAM fully connected layers; convolutions
    take about 80 % of all."""
    setup = Setup(batch=16, buffer=65_536)
    convolutions = total = 0.0
    for layer in load_network("alexnet-grouped").layers:
        batched = layer.batched(16)
        counts = count(batched, np.array([16.0]), np.array([16.0]), setup)
        registers, dram = float(counts.intra_pe[0]), 200.0 * dram_words(batched, setup)
        on_chip = float(counts.energy(setup.costs, 0)[0]) + batched.macs
        energy = on_chip + dram
        total += energy
        if layer.name.startswith("conv"):
            convolutions += energy
            assert registers > energy / 2
        else:
            assert dram > energy / 2
    assert convolutions / total == pytest.approx(0.8, abs=0.04)


def test_kernels_larger_than_array_and_registers_are_folded() -> None:
    large = Layer("large", 20, 20, 3, 8, 25, 30)
    m = candidates(large, np.array([8.0, 30.0]), np.array([6.0, 6.0]), Setup())
    assert m.height[0, 0] == 7  # 25 rows in 4 folds
    assert m.height[1, 0] == 25
    assert (m.width == 10).all()  # 30 columns in 3 folds of at most 12
    assert (m.cells <= np.array([[48.0], [180.0]])).all()
    counts = count(large, np.array([8.0, 30.0]), np.array([6.0, 6.0]), Setup())
    assert (counts.cycles * np.array([48.0, 180.0]) >= large.macs).all()


def test_rows_that_no_kernel_touches_are_not_read() -> None:
    """A 1 x 1 kernel with stride 2 needs every second row and column."""
    strided = Layer("strided", 7, 7, 1, 1, 1, 1, 2, 2)
    dense = Layer("dense", 7, 7, 1, 1)
    H, W = np.array([4.0]), np.array([8.0])
    assert count(strided, H, W, Setup()).buffer[0] == count(dense, H, W, Setup()).buffer[0]
