"""Units are found in reports by the names that their backend gave their instances."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from flowc.backends import find
from flowc.backends.hls.split import split_large
from flowc.interface.names import name_design
from flowc.model.dtypes import UInt
from flowc.report.vendor.join import _unit
from flowc.units.graph import Dataflow
from tests.backends.graphs import mlp, two_inputs


def large() -> Dataflow:
    """A matrix unit that becomes several processes, which Vitis HLS shows one by one."""
    return mlp("large", dtype=UInt(2), inputs=128, outputs=64, simd=128, pe=64)


def owners(graph: Dataflow, backend: str) -> dict[str, str]:
    return {cell: unit for unit, names in find(backend).cells(graph).inside.items() for cell in names}


@pytest.mark.parametrize("graph", [mlp(), two_inputs(), large()], ids=lambda graph: graph.name)
@pytest.mark.parametrize("backend", ["hls", "rtl"])
def test_every_unit_is_found_by_the_instances_of_its_code(tmp_path: Path, graph: Dataflow, backend: str) -> None:
    language = find(backend)
    language.write(language.prepare(graph), tmp_path, part="xc7z020clg400-1", clock_mhz=100, header="made by flowc")
    cells = language.cells(graph)
    assert cells.top == name_design(graph).top
    if backend == "rtl":
        text = (tmp_path / f"{cells.top}.sv").read_text()
        instances = [line.split()[1] for line in text.splitlines() if line.startswith("  ) u_")]
    else:
        text = (tmp_path / "top.cpp").read_text()
        instances = [
            line.split("layers::")[1].split("(")[0] + "_U0"
            for line in text.splitlines()
            if line.startswith("  layers::")
        ]
        assert set(cells.alone) <= {path.stem for path in (tmp_path / "units").glob("*.cpp")}
    found = Counter(_unit(name, owners(graph, backend)) for name in instances)
    assert None not in found
    assert found.keys() == set(graph.units)
    if backend == "hls":
        assert found["fc" if "fc" in graph.units else "add"] == len(split_large(graph).units) - len(graph.units) + 1


@pytest.mark.parametrize(
    ("cell", "unit"),
    [
        ("fc_U0", "fc"),
        ("grp_fc_fu_12", "fc"),
        ("layers_fc_U0", "fc"),
        ("fc_s", "fc"),
        ("fc", "fc"),
        ("fc_to_y_U", None),
        ("start_for_fc_U0", None),
    ],
)
def test_what_tools_add_to_a_name_is_known(cell: str, unit: str | None) -> None:
    assert _unit(cell, {"fc": "fc"}) == unit
