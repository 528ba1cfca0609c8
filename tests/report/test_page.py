"""What report.html says, and how it is drawn, without a browser."""

from __future__ import annotations

import json
import re
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import flowc
from flowc.report.page.graph import BOX_H, BOX_W, draw_graph
from flowc.report.page.render import render_html
from flowc.report.page.words import tell
from flowc.report.text import breakable, common_prefix, number, options, short, size, visible
from tests.netbuild import cnn


@pytest.fixture(scope="module")
def report() -> dict[str, Any]:
    return flowc.build(cnn(), target="ultra96", fps=1000).report


def said(report: dict[str, Any]) -> str:
    told = tell(report)
    return " ".join([*told.advice, *told.exactness])


def test_figures_and_names_as_they_are_read() -> None:
    assert [number(v) for v in (None, 12345, 0.00012345, 1234.5, True)] == [
        "unknown",
        "12,345",
        "0.0001234",
        "1,234",
        "yes",
    ]
    assert [size(v) for v in (None, 392, 15_249, 3.2e9)] == ["unknown", "392 B", "15.2 kB", "3.2 GB"]
    assert visible("a\x00\x1b\x7f\u202e\ud800é") == "a␀␛␡\\u202e\\ud800é"
    assert len(visible("x" * 10_000)) == 2000
    assert short("a_very_long_name_of_a_layer", 11) == "a_ver…layer"
    assert options("a <b> --max-lut") == 'a &lt;b&gt; <span class="option">--max-lut</span>'
    assert breakable("a_b/<i>_.") == "a_<wbr>b/<wbr>&lt;i&gt;_."
    assert common_prefix(["features_a_x", "features_a_y", "features_b", "output"]) == "features_"
    assert common_prefix(["conv_1", "conv_2", "pool"]) == ""
    assert common_prefix([]) == ""


def test_the_first_screen_in_words(report: dict[str, Any]) -> None:
    found = report["verification"]
    values, bounded = found["values"], found["compared_within_bound"]
    assert f"Every one of {values - bounded:,} integers equals onnxruntime's." in said(report)
    sums = report | {"verification": found | {"compared_within_bound": 7}}
    assert f"Every one of {values - 7:,} integers equals onnxruntime's. 7 more are sums in floats" in said(sums)
    assert "not compared" in said(report | {"verification": None}).lower() or "Nothing was compared" in said(
        report | {"verification": None}
    )
    open_ = report | {"verification": report["verification"] | {"mismatches": 2, "explained_by_ambiguous": 2}}
    assert f"{values - 2:,} of {values:,} integers equal onnxruntime's; the other 2 lie where" in said(open_)
    wrong = report | {"verification": report["verification"] | {"mismatches": 3, "explained_by_ambiguous": 1}}
    assert "2 of" in said(wrong)
    assert [f.good for f in tell(wrong).facts if f.label == "Equal to onnxruntime?"] == [False]
    for outside in ("external memory", "serial line"):
        bound = report | {"bottleneck": outside}
        assert f"The {outside} binds" in said(bound)
        assert "PE" not in said(bound), "no unit has them there"
        assert "The board has room: " in said(bound)
        assert "A higher --fps" not in said(bound)
        (fact,) = (f for f in tell(bound).facts if f.label == "Bottleneck")
        assert fact.more == "moves a frame more slowly than any unit"


def test_one_unit_that_binds_is_told_from_many(report: dict[str, Any]) -> None:
    layers = [layer | {"cycles": 100} for layer in report["layers"]]
    name, others = layers[0]["name"], sorted(layer["name"] for layer in layers[1:])
    shared = report | {"layers": layers, "interval_cycles": 100, "bottleneck": name}
    assert f"'{name}' binds, and {len(others)} units ('{others[-1]}', ...) are within 5% of it" in said(shared)
    assert "--fps" not in said(shared).split("The board")[0], "no unit is faster than those that bind"
    alone = shared | {"layers": [layers[0] | {"cycles": 400}, *layers[1:]], "interval_cycles": 400, "fps": 250.0}
    assert f"'{name}' alone binds" in said(alone)
    assert f"--fps 1000 asks for as much as '{others[-1]}', the next slowest, gives as it is" in said(alone)


def test_a_staircase_of_many_steps_is_drawn_to_its_end(report: dict[str, Any]) -> None:
    entry = {
        "layer": "a",
        "form": "requant",
        "channel": 1,
        "channels": 1,
        "lo": 0,
        "hi": 1000,
        "open_values": 0,
        "windows": [],
    }
    entry |= {"at": list(range(100, 900)), "levels": list(range(801))}
    page = render_html(report | {"activations": [entry]})
    (path,) = re.findall(r'class="stair" d="([^"]*)"', page)
    assert path.count("V") == 800
    assert path.endswith("H626.0")


def test_what_does_not_fit_is_told_to_be_smaller_and_nothing_else(report: dict[str, Any]) -> None:
    large = report | {"fits": False, "resources": report["resources"] | {"lut": 2 * report["budget"]["lut"]}}
    assert tell(large).advice == [
        (
            "Too large: LUT is at 200% of what may be used. Ask for a lower --fps, fix less PE and SIMD in the folding file, or take a larger "
            "board."
        )
    ]


def test_what_was_not_compared_is_not_called_measured(report: dict[str, Any]) -> None:
    (fact,) = (f for f in tell(report | {"verification": None}).facts if f.label == "Equal to onnxruntime?")
    assert (fact.text, fact.origin) == ("not compared", "")
    page = render_html(report | {"verification": None})
    assert "no comparison was run</span>" in page
    assert not re.search(r'no comparison was run</span>\s*<span class="tag', page)


def test_the_rate_that_is_advised_is_reached(report: dict[str, Any]) -> None:
    (wanted,) = re.findall(r"--fps (\d+) asks for as much as '([^']+)'", said(report))
    cycles = next(layer["cycles"] for layer in report["layers"] if layer["name"] == wanted[1])
    again = flowc.estimate(cnn(), target="ultra96", fps=int(wanted[0]))
    assert report["interval_cycles"] > again["interval_cycles"]
    assert again["interval_cycles"] <= cycles


def test_the_layer_that_takes_longest_is_named_in_loopback() -> None:
    report = flowc.estimate(cnn(), target="ultra96", execution="loopback")
    total = sum(layer["cycles"] for layer in report["layers"])
    slowest = next(layer for layer in report["layers"] if layer["name"] == report["bottleneck"])
    share = f"{100 * slowest['cycles'] / total:.3g}%"
    assert f"'{slowest['name']}' takes {share} of the time, and the " in said(report)


def test_reports_of_earlier_versions_are_shown(report: dict[str, Any]) -> None:
    newer = (
        "command",
        "budget",
        "folding",
        "fifo_resources",
        "status_resources",
        "traffic",
        "roofline",
        "energy",
        "activations",
        "synthesis",
        "place",
        "vendor",
    )
    old = json.loads(json.dumps({key: value for key, value in report.items() if key not in newer}))
    for entry in (*old["layers"], *old["fifos"]):
        entry.pop("energy_nj", None)
        entry.pop("held", None)
    page = render_html(old)
    assert "roofline" not in page.split("</style>")[1]
    assert f"{report['fps']:,.0f}" in page


def test_synthesis_stands_beside_the_model(report: dict[str, Any]) -> None:
    unit = {"name": report["layers"][0]["name"], "unit": "mvtu", "lut": 98765, "ff": 1, "bram18": 2, "dsp": 3}
    synthesis = {
        "tool": "yosys 0.70",
        "family": "xcup",
        "resources": {"lut": 87654, "ff": 1, "bram18": 2, "dsp": 3},
        "units": [unit],
    }
    place = {"tool": "nextpnr", "part": "um5g", "mhz": 123.4, "wanted_mhz": 100.0}
    page = render_html(report | {"synthesis": synthesis, "place": place})
    for text in ("98,765", "87,654", "yosys 0.70", "123.4 MHz reached"):
        assert text in page


def test_a_clock_that_was_reached_stands_on_the_first_screen(report: dict[str, Any]) -> None:
    def clock(**more: Any) -> list[tuple[str, str, bool | None]]:
        return [(f.text, f.origin, f.good) for f in tell(report | more).facts if f.label == "Clock reached"]

    assert clock() == []
    place = {"tool": "nextpnr", "part": "85k", "mhz": 96.9, "wanted_mhz": 100.0}
    assert clock(place=place) == [("96.9 MHz", "measured", False)]
    assert clock(place=place | {"mhz": None}) == []
    vendor = {"placed": {"tool": "Vivado", "mhz": 131.0}}
    assert clock(vendor=vendor) == [("131 MHz", "imported", True)]


def large(report: dict[str, Any], units: int) -> dict[str, Any]:
    """A chain of so many units, each with a way around it to the next but five."""
    layers = [report["layers"][0] | {"name": f"unit_{i}", "cycles": 1 + i % 97} for i in range(units)]
    fifos = [{"from": f"unit_{i}", "to": f"unit_{i + 1}", "depth": 2, "width": 8, "held": 2} for i in range(units - 1)]
    fifos += [
        {"from": f"unit_{i}", "to": f"unit_{i + 5}", "depth": 64, "width": 8, "held": 9} for i in range(0, units - 5, 5)
    ]
    return report | {"layers": layers, "fifos": fifos, "bottleneck": "unit_96", "interval_cycles": 97}


def test_a_large_network_is_still_a_page(report: dict[str, Any]) -> None:
    page = render_html(large(report, 1000))
    assert len(page) < 2_500_000
    assert page.count('<rect class="b"') == 1000
    huge = render_html(large(report, 5000))
    assert len(huge) < 5_000_000
    assert "too large to be drawn" in huge


@given(st.integers(2, 14), st.integers(0, 25), st.randoms(use_true_random=False))
def test_boxes_do_not_overlap_and_every_stream_is_drawn(units: int, count: int, random: Random) -> None:
    edges = [sorted(random.sample(range(units), 2)) for _ in range(count)]
    fifos = [{"from": f"u{a}", "to": f"u{b}", "depth": 2, "width": 8} for a, b in edges]
    drawing = draw_graph({"fifos": fifos, "layers": [], "interval_cycles": 1, "bottleneck": ""})
    if not edges:
        assert drawing is None
        return
    assert drawing is not None
    assert len(drawing.lines) == len(edges)
    boxes = drawing.boxes
    for i, a in enumerate(boxes):
        assert a.x >= 0
        assert a.x + BOX_W <= drawing.width
        assert a.y + BOX_H <= drawing.height
        for b in boxes[:i]:
            assert abs(a.x - b.x) >= BOX_W or abs(a.y - b.y) >= BOX_H


def test_a_circle_in_a_damaged_report_ends(report: dict[str, Any]) -> None:
    fifos = [{"from": a, "to": b, "depth": 2, "width": 8} for a, b in (("a", "b"), ("b", "a"), ("b", "c"))]
    drawing = draw_graph(report | {"fifos": fifos, "layers": []})
    assert drawing is not None
    assert len(drawing.boxes) == 3
