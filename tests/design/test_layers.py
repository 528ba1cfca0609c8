"""A design's layers one by one, and what its objects show in a prompt and a notebook."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import onnxruntime as ort
import pytest

import flowc
from flowc.design.design import Design
from flowc.errors import UsageError
from tests.netbuild import cnn, mlp


@pytest.fixture(scope="module")
def design() -> Design:
    return flowc.build(cnn(), target="ultra96", fps=1000, verify=False)


@pytest.mark.parametrize("execution", ["dataflow", "loopback"])
def test_activations_are_the_integers_of_the_reference(execution: str) -> None:
    design = flowc.build(cnn(), target="ultra96", execution=execution, verify=False)
    inputs = design.samples(3, 1)
    session = ort.InferenceSession(design.reference.SerializeToString())
    names = [o.name for o in session.get_outputs()]
    checked = 0
    for layer in design.layers.values():
        out = design.graph.out_of(layer.name)
        if not out or out[0].tensor not in design.tensors or out[0].tensor not in names:
            continue
        found = layer.activations(inputs)
        for i in range(3):
            sample = {n: a[i : i + 1] for n, a in inputs.items()}
            (expected,) = session.run([out[0].tensor], sample)
            np.testing.assert_array_equal(found[i : i + 1], expected)
        checked += 1
    assert checked >= 3


def test_a_layer_is_found_by_unit_and_by_node(design: Design) -> None:
    mvtu = next(u for u in design.graph if u.kind == "mvtu")
    assert design.layers[mvtu.name].unit is mvtu
    (found,) = {design.layers[node].name for node in mvtu.origin[:1]}
    assert found == mvtu.name
    assert mvtu.name in design.layers
    converter = next((u for u in design.graph if u.is_width_converter), None)
    if converter is not None:
        before = design.graph.into(converter.name)[0].src
        x = design.samples(1, 0)
        np.testing.assert_array_equal(
            design.layers[converter.name].activations(x), design.layers[before].activations(x)
        )
    assert list(design.layers) == [u.name for u in design.graph]
    with pytest.raises(KeyError, match=f"did you mean .*{mvtu.name}"):
        design.layers[mvtu.name + "x"]
    port = design.graph.outputs[0].name
    with pytest.raises(UsageError, match="is an output port"):
        design.layers[port].activations(design.samples(1, 0))
    assert f"<mvtu {mvtu.name}: gives " in repr(design.layers[mvtu.name])


def test_histograms_count_every_integer(design: Design) -> None:
    layer = next(layer for layer in design.layers.values() if layer.unit.kind == "mvtu")
    x = design.samples(5, 2)
    values = layer.activations(x)
    found = layer.histogram(x)
    assert found.total == values.size
    assert {int(v): int(n) for v, n in zip(found.values, found.counts, strict=True)} == {
        int(v): int((values == v).sum()) for v in np.unique(values)
    }
    assert repr(found).splitlines()[0] == f"<{values.size:,} integers of {layer.name}>"
    assert len(repr(found).splitlines()) == 1 + len(found.values)
    drawing = ElementTree.fromstring(found._repr_html_().split("</p>")[1])
    assert len(drawing.findall("rect")) == len(found.values)
    assert design.layers[layer.name].histogram(samples=2, seed=3).total == 2 * values[0].size


def test_wide_integers_are_counted_in_ranges(design: Design) -> None:
    last = [layer for layer in design.layers.values() if layer.unit.kind == "mvtu"][-1]
    found = last.histogram(samples=40)
    rows = repr(found).splitlines()[1:]
    assert len(rows) <= 32
    assert sum(int(row.split()[-1].replace(",", "")) for row in rows) == found.total


def test_a_summary_has_a_line_per_layer(design: Design, tmp_path: Path) -> None:
    lines = str(design.summary()).splitlines()
    assert len(lines) >= len(design.report["layers"]) + 3
    assert lines[0].split()[:3] == ["layer", "unit", "output"]
    assert repr(design.summary()) == str(design.summary())
    assert design.summary()._repr_html_().count("<tr>") == len(design.report["layers"]) + 1


def test_a_notebook_sees_the_drawing(design: Design) -> None:
    page = design._repr_html_()
    assert page.count('<rect class="b"') == len(design.graph.units)
    assert "@scope" in page
    assert ":root" not in page
    assert "Frames per second" in page


def test_sweeps_show_themselves() -> None:
    found = flowc.explore(mlp(), ["ultra96"], fps_range=(1000, 10_000), count=2)
    assert repr(found).startswith("<flowc sweep of ")
    assert "ultra96 " in repr(found)
    assert found._repr_html_().count("<tr>") == len(found.front) + 1
    arrays = flowc.explore_array(["alexnet"], pes=256)
    assert repr(arrays).startswith("<flowc array sweep, ")
    assert "<svg" in arrays._repr_html_()
