"""The known findings about array shapes, with tolerances from where they were found.

CAMUY: Stehle, Schindler, Fröning, "On the Difficulty of Designing Processor Arrays for Deep Neural Networks", arXiv:2006.14008. Its
emulator's counts give, for weight stationary arrays of 16,384 elements, the values of `ENERGY` (less than 0.1 % apart).
"""

from __future__ import annotations

import pytest

from flowc.arrays import ArraySweep, Setup, explore_array

HEIGHTS = [8, 16, 32, 64, 128, 256, 512, 1024, 2048]
COMMON = ["alexnet", "vgg16", "resnet50"]
MOBILE = ["mobilenet-v1", "mobilenet-v3-large"]
ENERGY = {
    "alexnet": {8: 8.48, 32: 2.31, 64: 1.32, 128: 1.12, 256: 1.00, 512: 1.09, 2048: 1.62},
    "vgg16": {8: 9.16, 32: 2.37, 64: 1.39, 128: 1.06, 256: 1.00, 512: 1.19, 2048: 2.15},
    "resnet50": {8: 8.32, 32: 2.23, 64: 1.29, 128: 1.00, 256: 1.01, 512: 1.49, 2048: 4.63},
}
USED = {"alexnet": {128: 0.78, 256: 0.87}, "vgg16": {128: 0.83, 256: 0.88}, "resnet50": {128: 0.76, 256: 0.75}}


@pytest.fixture(scope="module")
def toggling() -> ArraySweep:
    return explore_array([*COMMON, *MOBILE], heights=HEIGHTS, dataflows=["ws"])


@pytest.fixture(scope="module")
def gated() -> ArraySweep:
    return explore_array([*COMMON, *MOBILE], heights=HEIGHTS, dataflows=["ws"], setup=Setup(idle="gated"))


def by_height(sweep: ArraySweep, network: str) -> dict[int, float]:
    return {point.height: point.energy_to_best for point in sweep.points[network]}


@pytest.mark.parametrize("network", COMMON)
def test_near_square_and_taller_arrays_are_near_the_optimum(toggling: ArraySweep, network: str) -> None:
    found = by_height(toggling, network)
    assert max(found[128], found[256]) <= 1.125
    for height, energy in ENERGY[network].items():
        assert found[height] == pytest.approx(energy, abs=0.0051)
    used = {point.height: point.utilization for point in toggling.points[network]}
    for height, share in USED[network].items():
        assert used[height] == pytest.approx(share, abs=0.0051)


@pytest.mark.parametrize("network", COMMON)
def test_flat_arrays_are_far_off(toggling: ArraySweep, network: str) -> None:
    assert by_height(toggling, network)[8] > 8


@pytest.mark.parametrize("network", COMMON)
def test_tall_arrays_are_off_but_less(toggling: ArraySweep, network: str) -> None:
    found = by_height(toggling, network)
    assert 1.6 <= found[2048] <= 4.7
    assert found[2048] < found[8]


@pytest.mark.parametrize("network", MOBILE)
def test_depthwise_layers_waste_square_arrays(toggling: ArraySweep, network: str) -> None:
    layers = toggling.layers(network, "ws", 128, 128)
    depthwise = [layer for layer in layers if layer.layer.endswith(".dw")]
    (whole,) = [p for p in toggling.points[network] if p.height == 128]
    assert whole.utilization < 0.025
    assert sum(layer.mac_share for layer in depthwise) < 0.13
    assert sum(layer.waste for layer in depthwise) > 0.8
    assert max(layer.utilization for layer in depthwise) < 0.002
    assert max(layers, key=lambda layer: layer.waste) in depthwise


@pytest.mark.parametrize("network", [*COMMON, *MOBILE])
def test_with_gated_cells_energy_hardly_depends_on_the_shape(gated: ArraySweep, network: str) -> None:
    assert max(by_height(gated, network).values()) <= 1.11


@pytest.mark.parametrize("network", COMMON)
def test_cycles_are_the_same_whether_cells_toggle_or_not(toggling: ArraySweep, gated: ArraySweep, network: str) -> None:
    for left, right in zip(toggling.points[network], gated.points[network], strict=True):
        assert left.cycles == right.cycles
        assert left.buffer == right.buffer
    fastest = toggling.best(network, metric="cycles")
    assert fastest.height in (128, 256)


def test_row_stationary_takes_the_least_energy_and_no_local_reuse_the_most() -> None:
    found = explore_array(COMMON, heights=[128], setup=Setup(idle="gated"))
    for points in found.points.values():
        energy = {point.dataflow: point.energy for point in points}
        assert energy["rs"] < energy["ws"] <= energy["is"] < energy["os"] < energy["nlr"]
