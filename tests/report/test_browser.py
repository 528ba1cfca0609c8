"""report.html in a browser: it renders at every width, says nothing to the console, and shows what report.json holds."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import flowc
from flowc.report.compare import compare
from flowc.report.page.compare import write_comparison
from flowc.report.page.render import render_fragment, render_html
from tests.netbuild import cnn, mlp
from tests.report.browser import Page, browser

HOSTILE = "<img src=x onerror=alert(1)>\x1b[31m\u202e</script>{{ 7 * 7 }}"


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with browser() as opened:
        yield opened


@pytest.fixture(scope="module")
def dataflow() -> dict[str, Any]:
    return flowc.build(cnn(), target="ultra96", fps=1000).report


@pytest.fixture(scope="module")
def loopback() -> dict[str, Any]:
    return flowc.estimate(cnn(), target="ultra96", execution="loopback")


def written(report: dict[str, Any], folder: Path) -> Path:
    path = folder / "report.html"
    path.write_text(render_html(report), encoding="utf-8")
    return path


def fact(page: Page, label: str) -> Any:
    value = page.run(f"document.querySelector('[data-fact=\"{label}\"]').value")
    return json.loads(value) if value and value[0] in "-0123456789tf" else value


@pytest.mark.parametrize("execution", ["dataflow", "loopback"])
def test_three_widths_show_the_report(page: Page, execution: str, tmp_path: Path, request: Any) -> None:
    report = request.getfixturevalue(execution)
    path = written(report, tmp_path)
    for width, dark in ((390, True), (768, False), (1440, True)):
        page.open(path, width, dark=dark)
        assert page.run("document.documentElement.scrollWidth") <= width
        assert page.complaints == []
        assert page.requests == [path.as_uri()]
        assert fact(page, "Frames per second") == report["fps"]
        assert fact(page, "Latency") == report["latency_ms"]
        assert fact(page, "Fits the board?") == report["fits"]
        assert page.run("document.querySelector('[data-fact=Bottleneck]').value") == report["bottleneck"]
        for key in ("lut", "ff", "bram18", "dsp"):
            assert (
                page.run(f"Number(document.querySelector('[data-resource={key}]').value)") == report["resources"][key]
            )
        cells = page.run("[...document.querySelectorAll('.sortable tbody tr')].map(r => r.cells[0].textContent)")
        assert cells == [layer["name"] for layer in report["layers"]]


def test_colours_follow_the_reader(page: Page, dataflow: dict[str, Any], tmp_path: Path) -> None:
    path, seen = written(dataflow, tmp_path), []
    for dark in (False, True):
        page.open(path, 800, dark=dark)
        seen.append(page.run("getComputedStyle(document.body).backgroundColor"))
    light, dark_ = (sum(int(n) for n in colour[4:-1].split(",")) for colour in seen)
    assert light > 700
    assert dark_ < 150


def test_sorting_choosing_copying_and_zooming(page: Page, dataflow: dict[str, Any], tmp_path: Path) -> None:
    page.open(written(dataflow, tmp_path), 1000)
    page.run("[...document.querySelectorAll('.sortable thead button')].find(b => b.textContent == 'LUT').click()")
    luts = page.run("[...document.querySelectorAll('.sortable tbody tr')].map(r => Number(r.cells[11].dataset.sort))")
    assert luts == sorted((layer["lut"] for layer in dataflow["layers"]), reverse=True)
    assert page.run("document.querySelectorAll('th[aria-sort=descending]').length") == 1

    assert json.loads(page.run("document.getElementById('folding').textContent")) == dataflow["folding"]
    assert page.run("document.getElementById('command') === null")  # a model in memory has no command line

    shown = "[...document.querySelectorAll('[data-choice]')].filter(f => !f.hidden).map(f => f.dataset.choice)"
    assert page.run(shown) == ["0"]
    page.run(
        "(s => { s.value = '1'; s.dispatchEvent(new Event('change')); })(document.querySelector('#stairs-choice'))"
    )
    assert page.run(shown) == ["1"]

    width = "document.querySelector('svg.graph').width.baseVal.value"
    before = page.run(width)
    page.run("document.querySelector('[data-zoom=in]').click()")
    assert page.run(width) == pytest.approx(1.3 * before)


def test_those_who_do_not_see_find_their_way(page: Page, dataflow: dict[str, Any], tmp_path: Path) -> None:
    page.open(written(dataflow, tmp_path), 1000)
    assert page.run("['header', 'nav', 'main', 'footer'].every(n => document.querySelectorAll(n).length == 1)")
    assert page.run("document.documentElement.lang") == "en"
    nameless = "[...document.querySelectorAll('svg')].filter(s => !s.ariaLabel && !s.querySelector('title')).length"
    assert page.run(nameless) == 0
    assert page.run("[...document.querySelectorAll('th')].filter(h => !h.scope).length") == 0
    scrolled = (
        "[...document.querySelectorAll('.scroll, .pan')].filter(s => s.tabIndex != 0 || s.role != 'region').length"
    )
    assert page.run(scrolled) == 0
    ids = page.run("[...document.querySelectorAll('[id]')].map(e => e.id)")
    assert len(ids) == len(set(ids))
    links = page.run("[...document.querySelectorAll('a[href^=\"#\"]')].map(a => a.getAttribute('href').slice(1))")
    assert set(links) <= set(ids)
    targets = page.run("[...document.querySelectorAll('[popovertarget]')].map(b => b.getAttribute('popovertarget'))")
    assert targets
    assert set(targets) <= set(ids)


def test_hostile_names_are_text(page: Page, tmp_path: Path) -> None:
    network = mlp()
    for i, node in enumerate(network.graph.node):
        node.name = f"{HOSTILE}{i}"
    report = json.loads(json.dumps(flowc.estimate(network, target="ultra96")))
    report["model"]["name"] = HOSTILE
    report["layers"][0]["name"] = report["bottleneck"] = HOSTILE
    for fifo in report["fifos"]:
        fifo["from"] = HOSTILE
    report["folding"] = {HOSTILE: {"pe": 1}}
    report["notes"].append(HOSTILE)
    report["command"] = HOSTILE
    page.open(written(report, tmp_path), 390)
    assert page.complaints == []
    assert page.requests == [(tmp_path / "report.html").as_uri()]
    assert page.run("document.images.length") == 0
    assert page.run("document.documentElement.scrollWidth") <= 390
    heading = page.run("document.querySelector('h1').textContent")
    assert "<img src=x onerror=alert(1)>␛[31m\\u202e</script>{{ 7 * 7 }}" in heading
    assert json.loads(page.run("document.getElementById('folding').textContent")) == report["folding"]
    assert "\x1b" not in (tmp_path / "report.html").read_text()


def test_a_comparison_is_a_page_too(
    page: Page, dataflow: dict[str, Any], loopback: dict[str, Any], tmp_path: Path
) -> None:
    found = compare([dataflow, loopback], [HOSTILE, "after"])
    write_comparison(found, tmp_path / "report.html")
    for width in (390, 1440):
        page.open(tmp_path / "report.html", width)
        assert page.run("document.documentElement.scrollWidth") <= width
        assert page.complaints == []
        assert page.requests == [(tmp_path / "report.html").as_uri()]
    rates = page.run("[...document.querySelectorAll('[data-figure=fps] data')].map(d => Number(d.value))")
    assert rates == [dataflow["fps"], loopback["fps"]]
    assert "<img src=x onerror=alert(1)>" in page.run("document.querySelector('h1').textContent")


def test_a_fragment_leaves_its_notebook_alone(page: Page, dataflow: dict[str, Any], tmp_path: Path) -> None:
    plain = "<!doctype html><meta charset='utf-8'><h2 id='own'>Notebook</h2><table><tr><td>cell</td></tr></table>"
    looks = (
        "(e => [e.fontSize, e.color, e.fontFamily, e.margin].join())(getComputedStyle(document.getElementById('own')))"
    )
    path, seen = tmp_path / "report.html", []
    for content in (plain, plain + render_fragment(dataflow)):
        path.write_text(content, encoding="utf-8")
        page.open(path, 900)
        seen.append(page.run(looks))
        assert page.complaints == []
    assert seen[0] == seen[1]
    assert page.run("getComputedStyle(document.querySelector('.fact')).borderRadius") == "8px"


def test_what_the_other_tests_look_for_would_be_seen(page: Page, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    for body in ("<script>throw new Error('no')</script>", "<script>console.error('no')</script>"):
        path.write_text(body)
        page.open(path, 390)
        assert len(page.complaints) == 1
    path.write_text("<img src='http://127.0.0.1:9/x.png'>")
    page.open(path, 390)
    assert page.requests == [path.as_uri(), "http://127.0.0.1:9/x.png"]
    path.write_text(
        "<!doctype html><meta name='viewport' content='width=device-width'><div style='width: 900px'>wide</div>"
    )
    page.open(path, 390)
    assert page.run("document.documentElement.scrollWidth") > 390
