"""Sweeps over arrays: the grid, points, layers, files and pictures."""

from __future__ import annotations

import csv
import io
import json
from xml.etree import ElementTree

import numpy as np
import pytest

import flowc
from flowc.arrays import DATAFLOWS, Layer, Network, Setup, explore, explore_array, load_network
from flowc.arrays.dram import dram_words
from flowc.arrays.grid import shapes
from flowc.arrays.heatmap import heat_map
from flowc.errors import UsageError

SMALL = Network(
    "small", (Layer("a", 8, 8, 3, 16, 3, 3), Layer("b", 8, 8, 1, 1, 3, 3, groups=16), Layer.product("c", 1, 1024, 10))
)


def pairs(*given: object) -> list[tuple[int, int]]:
    H, W = shapes(*given)  # type: ignore[arg-type]
    return [(int(h), int(w)) for h, w in zip(H, W, strict=True)]


def test_shapes_of_one_number_of_elements() -> None:
    assert pairs(None, None, None)[0] == (8, 2048)
    assert pairs(None, None, None)[-1] == (2048, 8)
    assert pairs(96, None, None) == [(8, 12), (12, 8)]
    assert pairs(13, None, None) == [(1, 13), (13, 1)]
    assert pairs(1, None, None) == [(1, 1)]
    assert pairs(64, [4, 16], None) == [(4, 16), (16, 4)]
    assert pairs(64, None, [4, 16]) == [(16, 4), (4, 16)]
    assert pairs(None, [256], None) == [(256, 64)]
    assert len(pairs(2**24, None, None)) <= 64


def test_a_grid() -> None:
    assert pairs(None, [2, 3], [5, 7]) == [(2, 5), (2, 7), (3, 5), (3, 7)]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ((0, None, None), "must be 1 to 16,777,216, not 0"),
        ((-4, None, None), "not -4"),
        ((2**24 + 1, None, None), "not 16,777,217"),
        (
            (100, [30], None),
            "an array of 100 processing elements can't be 30 high: 30 does not divide 100. Near it: 25 and 50; or",
        ),
        ((100, None, [7]), "can't be 7 wide"),
        ((100, [10], [10]), "Leave --pes away"),
        ((None, [0], [4]), "a height must be 1 to"),
        ((None, [4], [-1]), "a width must be 1 to"),
        ((None, [], [4]), "no height is given"),
        ((None, [4, 4], [4]), "the height 4 is given twice"),
        ((None, list(range(1, 100)), list(range(1, 100))), "9,801 shapes of arrays are more than 4,096"),
        ((None, [2**13], [2**13]), "an array of more than 16,777,216"),
    ],
)
def test_grids_that_make_no_sense(given: tuple[object, ...], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        pairs(*given)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"batch": 0}, "batch must be a whole number from 1"),
        ({"batch": 1.5}, "not 1.5"),
        ({"batch": True}, "not True"),
        ({"accumulators": 1}, "accumulators must be a whole number from 2"),
        ({"buffer": 0}, "buffer must be"),
        ({"idle": "sleep"}, "idle cells are toggle or gated, not 'sleep'"),
        ({"loads": "free"}, "loads are published, overlapped, rows, exposed, not 'free'"),
        ({"costs": {"sram": 1.0}}, "there is no cost 'sram'. Known are register"),
        ({"costs": {"dram": -1.0}}, "the cost of dram must be a number from 0"),
        ({"costs": {"dram": float("nan")}}, "not nan"),
    ],
)
def test_setups_that_make_no_sense(given: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Setup(**given)  # type: ignore[arg-type]


def test_points_are_the_sums_of_layers() -> None:
    found = explore_array(SMALL, heights=[4, 8], widths=[4, 16, 5])
    points = found.points["small"]
    assert len(points) == 5 * 6
    assert min(point.energy_to_best for point in points) == 1.0
    for point in points:
        H, W = np.array([float(point.height)]), np.array([float(point.width)])
        counts = [DATAFLOWS[point.dataflow](layer, H, W, Setup()) for layer in SMALL.layers]
        assert point.cycles == sum(int(c.cycles[0]) for c in counts)
        assert point.buffer == sum(int(c.buffer[0]) for c in counts)
        assert point.energy == 6 * point.buffer + 2 * point.inter_pe + point.intra_pe
        assert point.utilization == pytest.approx(SMALL.macs / (point.cycles * point.height * point.width))
        assert point.dram == sum(dram_words(layer, Setup()) for layer in SMALL.layers)
        layers = found.layers("small", point.dataflow, point.height, point.width)
        assert sum(layer.cycles for layer in layers) == point.cycles
        assert sum(layer.cycle_share for layer in layers) == pytest.approx(1)
        assert sum(layer.waste for layer in layers) == pytest.approx(1 - point.utilization)


def test_the_cost_of_dram_is_added_on_request() -> None:
    without = explore_array(SMALL, heights=[4], widths=[4]).points["small"]
    with_dram = explore_array(SMALL, heights=[4], widths=[4], setup=Setup(costs={"dram": 200})).points["small"]
    # the mapping of a row stationary array is chosen by what is on the chip
    assert [p.energy + 200 * p.dram for p in without] == [p.energy for p in with_dram]


def test_a_batch_shares_weights() -> None:
    one = explore_array(SMALL, heights=[8], widths=[8], dataflows=["ws"])
    ten = explore_array(SMALL, heights=[8], widths=[8], dataflows=["ws"], setup=Setup(batch=10))
    (single,), (batch,) = one.points["small"], ten.points["small"]
    assert batch.cycles < 10 * single.cycles
    assert batch.buffer < 10 * single.buffer
    assert json.loads(ten.json())["networks"][0]["macs"] == SMALL.macs  # of one image
    weights = sum(layer.groups * layer.terms * layer.filters for layer in SMALL.layers)
    assert 10 * single.dram - batch.dram == 9 * weights


def test_json_is_exactly_this() -> None:
    document = json.loads(explore_array([SMALL, "alexnet"], heights=[4], widths=[4], dataflows=["ws", "rs"]).json())
    assert set(document) == {"networks"}
    assert [network["name"] for network in document["networks"]] == ["small", "alexnet"]
    for network in document["networks"]:
        assert set(network) == {"name", "macs", "points"}
        assert [point["dataflow"] for point in network["points"]] == ["ws", "rs"]
        for point in network["points"]:
            assert list(point) == [
                "dataflow", "height", "width", "cycles", "utilization", "buffer", "inter_pe", "intra_pe", "dram", "energy",
                "energy_to_best",
            ]  # fmt: skip
            assert all(
                isinstance(point[key], int) for key in ("height", "width", "cycles", "buffer", "inter_pe", "dram")
            )


def test_csv_has_every_metric_relative_to_the_best() -> None:
    found = explore_array(SMALL, heights=[4, 8], widths=[4, 8], dataflows=["ws", "nlr"])
    rows = list(csv.DictReader(io.StringIO(found.csv())))
    assert len(rows) == 8
    for metric in ("cycles", "buffer", "inter_pe", "dram", "energy"):
        ratios = [float(row[f"{metric}_to_best"]) for row in rows]
        assert min(ratios) == 1.0
        assert ratios == pytest.approx([float(row[metric]) / min(float(r[metric]) for r in rows) for row in rows])
    assert {row["intra_pe_to_best"] for row in rows if row["dataflow"] == "ws"} == {""}  # against none at all: nlr's
    layers = list(csv.DictReader(io.StringIO(found.layers_csv({"small": ("ws", 4, 8)}))))
    assert [row["layer"] for row in layers] == ["a", "b", "c"]
    assert layers[0]["dataflow"] == "ws"


def test_alike_layers_are_counted_once() -> None:
    seen: list[tuple[str, int, int]] = []
    explore_array("bert-base", heights=[8], widths=[8], dataflows=["ws"], progress=lambda *told: seen.append(told))
    assert seen[0] == ("read", 0, 0)
    assert seen[-1] == ("count", 5, 5)  # of 96 layers


@pytest.mark.slow
def test_processes_count_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    sides = [16, 24, 100]
    alone = explore_array("mobilenet-v3-large", heights=sides, widths=sides)
    monkeypatch.setattr(explore, "WORTH_A_PROCESS", 1)
    seen: list[int] = []
    together = explore_array(
        "mobilenet-v3-large",
        heights=sides,
        widths=sides,
        workers=2,
        progress=lambda stage, done, total: seen.append(done),
    )
    assert alone.json() == together.json()
    assert seen == sorted(seen)
    assert seen[-1] == len(alone.counts)


def test_what_is_not_in_a_sweep() -> None:
    found = explore_array(SMALL, heights=[4], widths=[4], dataflows="ws,os")
    assert found.dataflows == ("ws", "os")
    assert found.best("small", "os").dataflow == "os"
    with pytest.raises(UsageError, match="network 'other' is not in the sweep"):
        found.best("other")
    with pytest.raises(UsageError, match="dataflow 'rs' is not in the sweep"):
        found.best("small", "rs")
    with pytest.raises(UsageError, match="the sweep has no array 'ws' of 4 x 5"):
        found.layers("small", "ws", 4, 5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"networks": []}, "no network is named"),
        ({"networks": [SMALL, SMALL]}, "two networks are called 'small'"),
        ({"dataflows": ["ws", "xs"]}, "there is no dataflow 'xs'. Known are ws, os, is, rs, nlr"),
        ({"dataflows": []}, "no dataflow is named"),
        ({"workers": 0}, "at least 1, not 0"),
        ({"setup": Setup(batch=2**40), "networks": "vgg16"}, "at most 2\\^50 are counted"),
    ],
)
def test_requests_that_make_no_sense(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        explore_array(**({"networks": SMALL, "heights": [4], "widths": [4]} | arguments))  # type: ignore[arg-type]


def texts(svg: str) -> list[str]:
    root = ElementTree.fromstring(svg)
    return [element.text or "" for element in root.iter("{http://www.w3.org/2000/svg}text")]


def test_heat_map_of_shapes_and_of_a_grid() -> None:
    odd = Network('<&"net', SMALL.layers)
    line = explore_array([SMALL, odd], pes=64, heights=[4, 8, 16], dataflows=["ws", "rs"])
    said = texts(line.plot())
    assert {"4x16", "8x8", "16x4", "ws", "rs", "small", '<&"net'} <= set(said)
    assert said.count("1.00") >= 4  # a best per network and dataflow
    assert "idle cells toggle" in said[0]
    grid = explore_array(SMALL, heights=[4, 8], widths=[4, 8, 16], dataflows=["os"], setup=Setup(idle="gated"))
    said = texts(heat_map(grid, "utilization"))
    assert "small, os" in said
    assert "idle cells are gated" in said[0]
    assert len([text for text in said if "." in text and text[0].isdigit()]) == 6
    values = [point.utilization for point in grid.points["small"]]
    assert f"{max(values) / values[0]:.2f}" in said
    with pytest.raises(UsageError, match="there is no metric 'speed' to draw. Known are cycles"):
        grid.plot("speed")


def test_a_figure_that_is_nothing_for_the_best() -> None:
    """No local reuse moves nothing within cells."""
    found = explore_array(SMALL, heights=[4], widths=[4], dataflows=["nlr"])
    assert "1.00" in texts(found.plot("intra_pe"))


def test_it_is_part_of_the_public_interface() -> None:
    assert flowc.explore_array is explore_array
    assert load_network("alexnet").name == "alexnet"


def test_dram_orders() -> None:
    layer = Layer(
        "x", 10, 10, 8, 20, 3, 3, input_rows=12, input_columns=12
    )  # 1,152 inputs, 1,440 weights, 2,000 results
    assert dram_words(layer, Setup(buffer=2400)) == 1152 + 1440 + 2000
    # 1,000 words: blocks of 500. Weights stay: 6 filters of 72, four passes of all inputs. Inputs stay: three blocks with two
    # seams of two rows of 96. Sums stay in 875: 8 filters of all positions (3 passes of the inputs), or two halves of 17 filters
    # (2 passes of the inputs with a seam of 192 words, 2 of the weights), or five fifths of 20 (1 pass with 4 seams, 5 of the
    # weights). The second comes in least.
    options = [
        1440 + 4 * 1152,
        1152 + 2 * 192 + 3 * 1440,
        3 * 1152 + 1440,
        2 * (1152 + 192) + 2 * 1440,
        1152 + 4 * 192 + 3 * 1440,
    ]
    assert dram_words(layer, Setup(buffer=1000)) == min(options) + 2000
    assert (
        dram_words(Layer("g", 10, 10, 8, 20, 3, 3, groups=3, input_rows=12, input_columns=12), Setup(buffer=2400))
        == 3 * 4592
    )
    bare = dram_words(layer, Setup(buffer=2))
    assert bare > 100_000  # hardly any buffer: an operand per product comes in
