"""``flowc report import``: figures of vendor tools come back beside the modelled ones, and damaged reports are refused."""

from __future__ import annotations

import contextlib
import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest

from flowc.cli import main
from flowc.errors import UsageError
from flowc.report.vendor.source import Source
from flowc.report.vendor.vivado import parse_timing, parse_utilization
from tests.netbuild import cnn
from tests.report import vendor_files as files

KEYS = ("lut", "ff", "bram18", "uram", "dsp")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("vendor")
    onnx.save(cnn(), folder / "net.onnx")
    command = ["build", str(folder / "net.onnx"), "--target", "pynq-z2", "-o", str(folder / "out"), "--no-verify", "-q"]
    assert main(command) == 0
    return folder / "out"


@pytest.fixture
def design(built: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(built, tmp_path / "out"))


def drawn(seed: int) -> dict[str, int]:
    rng = random.Random(seed)
    return {
        "lut": rng.randrange(1, 5000),
        "ff": rng.randrange(9000),
        "bram18": rng.randrange(9),
        "uram": 0,
        "dsp": rng.randrange(20),
    }


def layers_of(design: Path) -> list[dict[str, Any]]:
    layers: list[dict[str, Any]] = json.loads((design / "report.json").read_text())["layers"]
    return layers


def put(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def imported(design: Path, capsys: pytest.CaptureFixture[str], *more: str) -> dict[str, Any]:
    capsys.readouterr()
    assert main(["report", "import", str(design), *more, "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == json.loads((design / "report.json").read_text())["vendor"]
    found: dict[str, Any] = printed
    return found


def everywhere(design: Path) -> dict[str, dict[str, int]]:
    """Reports of all kinds in their places; returns what they say of each layer."""
    names = [layer["name"] for layer in layers_of(design)]
    said = {name: drawn(i) for i, name in enumerate(names)}
    modules = [(f"{name}_U0", name, said[name]) for name in names]
    put(design / "hls/vitis_net/solution/syn/report/csynth.xml", files.csynth_xml("net", drawn(98), modules))
    inside = [(3, f"{name}_U0", f"net_{name}", said[name]) for name in names]
    rows = [(0, "flowc_system_wrapper", "(top)", drawn(96)), (1, "flowc_system_i", "flowc_system", drawn(96)),
            (2, "accelerator", "flowc_system_accelerator_0", drawn(97)), (3, "(accelerator)", "none", drawn(95)), *inside,
            (4, "grp_loop_fu_12", "x", drawn(94)), (2, "dma_x", "flowc_system_dma_x_0", drawn(93))]  # fmt: skip
    put(design / "vivado/utilization.rpt", files.hierarchical(rows))
    put(design / "vivado/timing.rpt", files.timing(0.5, 10.0))
    put(design / "vivado/power.rpt", files.heading("report_power -file power.rpt") + "\n1.3 W\n")
    return said


def test_figures_come_back_per_layer_and_whole(design: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = everywhere(design)
    found = imported(design, capsys)
    assert found["estimated"] == {
        "tool": "Vitis HLS 2023.2", "resources": drawn(98), "interval_cycles": 100, "latency_cycles": 321,
        "target_ns": 10.0, "uncertainty_ns": 2.7, "estimated_ns": 7.3, "mhz": 100.0,
    }  # fmt: skip
    placed = found["placed"]
    assert (placed["tool"], placed["resources"], placed["system"]) == ("Vivado 2023.2", drawn(97), drawn(96))
    assert placed["mhz"] == pytest.approx(1e3 / 9.5)
    assert (placed["timing"]["clock"], placed["timing"]["period_ns"], placed["timing"]["failing"]) == (
        "clk_fpga_0",
        10.0,
        0,
    )
    assert found["synthesized"] is None
    for layer, modelled in zip(found["layers"], layers_of(design), strict=True):
        assert layer["modelled"] == {key: modelled[key] for key in KEYS}
        assert layer["estimated"] == layer["placed"] == said[layer["name"]]
        assert layer["synthesized"] is None
    assert [entry["kind"] for entry in found["files"]] == ["timing", "utilization", "csynth"]
    assert found["notes"] == ["'vivado/power.rpt' is neither of utilization nor of timing: not read"]


def test_the_engine_of_a_loopback_design_is_told_from_the_system_around_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    onnx.save(cnn(), tmp_path / "net.onnx")
    command = ["build", str(tmp_path / "net.onnx"), "--target", "pynq-z2", "--execution", "loopback"]
    assert main([*command, "-o", str(tmp_path / "out"), "--no-verify", "-q"]) == 0
    rows = [
        (0, "flowc_system_wrapper", "(top)", drawn(1)),
        (1, "flowc_system_i", "flowc_system", drawn(2)),
        (2, "engine", "flowc_system_engine_0", drawn(3)),
        (3, "inst", "flowc_system_engine_0_loopback_engine", drawn(4)),
        (2, "memory0", "flowc_system_memory0_0", drawn(5)),
    ]
    put(tmp_path / "out" / "vivado" / "utilization.rpt", files.hierarchical(rows))
    vendor = imported(tmp_path / "out", capsys)
    assert vendor["placed"]["resources"] == drawn(3)
    assert vendor["placed"]["system"] == drawn(1)
    assert vendor["notes"] == []


def test_the_error_per_unit_kind_is_that_of_its_sums(design: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = everywhere(design)
    layers = layers_of(design)
    for entry in imported(design, capsys)["errors"]:
        if entry["unit"] == "rest":
            continue
        of = [layer for layer in layers if layer["unit"] == entry["unit"]]
        modelled = sum(layer[entry["resource"]] for layer in of)
        measured = sum(said[layer["name"]][entry["resource"]] for layer in of)
        assert (entry["layers"], entry["modelled"], entry["measured"]) == (len(of), modelled, measured)
        assert entry["error"] == (None if measured == 0 else (modelled - measured) / measured)
    rest = [
        e
        for e in json.loads((design / "report.json").read_text())["vendor"]["errors"]
        if e["unit"] == "rest" and e["stage"] == "placed"
    ]
    assert {e["resource"]: e["measured"] for e in rest} == {
        k: drawn(97)[k] - sum(s[k] for s in said.values()) for k in KEYS
    }


def test_the_table_shows_them_beside_each_other(design: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = everywhere(design)
    assert main(["report", "import", str(design)]) == 0
    shown = capsys.readouterr().out
    layer = layers_of(design)[0]
    lut = said[layer["name"]]["lut"]
    assert f"{layer['lut']:,} / {lut:,} / {lut:,}" in shown
    assert "modelled / estimated / placed" in shown
    assert "105.3 MHz (Vivado 2023.2)" in shown
    assert main(["report", str(design)]) == 0
    assert "Vivado 2023.2" in (design / "report.html").read_text()


def test_csynth_rpt_will_do_where_there_is_no_xml(design: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = [layer["name"] for layer in layers_of(design)]
    said = {name: drawn(i) for i, name in enumerate(names)}
    text = files.csynth_rpt("net", drawn(50), said.items())
    put(design / "hls/vitis_net/solution/syn/report/csynth.rpt", text)
    found = imported(design, capsys)
    assert {layer["name"]: layer["estimated"] for layer in found["layers"]} == said
    assert (found["estimated"]["interval_cycles"], found["estimated"]["latency_cycles"]) == (100, 321)
    assert found["estimated"]["resources"] == drawn(50)
    assert found["estimated"]["mhz"] is None


def test_units_that_were_synthesized_alone(design: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = (layer["name"] for layer in layers_of(design)[:2])
    for i, name in enumerate((first, second)):
        top = f"unit_{name}"
        put(design / f"hls/units/{top}/{top}/solution/syn/report/csynth.xml", files.csynth_xml(top, drawn(10 + i)))
        put(
            design / f"hls/units/{top}/{top}/solution/impl/report/verilog/export_syn.xml",
            files.export_xml(drawn(20 + i)),
        )
    found = imported(design, capsys)
    assert [layer["estimated"] for layer in found["layers"][:3]] == [drawn(10), drawn(11), None]
    assert [layer["synthesized"] for layer in found["layers"][:3]] == [drawn(20), drawn(21), None]
    assert (found["estimated"], found["synthesized"]) == (None, None)
    assert not [entry for entry in found["errors"] if entry["unit"] == "rest"]


def test_named_files_and_flat_reports(design: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own = put(
        tmp_path / "mine.rpt",
        files.flat(drawn(7) | {"bram18": 5, "uram": 3}, device="xc7z020-clg400-1", state="Synthesized"),
    )
    found = imported(design, capsys, str(own))
    assert found["synthesized"]["resources"] == drawn(7) | {"bram18": 5, "uram": 3}
    assert (found["synthesized"]["system"], found["synthesized"]["mhz"], found["placed"]) == (None, None, None)
    assert found["files"][0]["path"] == str(own)


def test_a_latency_that_depends_on_data_is_unknown(design: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put(design / "hls/vitis_net/solution/syn/report/csynth.xml", files.csynth_xml("net", drawn(1), interval="undef"))
    assert imported(design, capsys)["estimated"]["interval_cycles"] is None


def cut(text: str, at: str) -> str:
    return text[: text.index(at) + len(at)]


_RPT = "vivado/utilization.rpt"
_XML = "hls/vitis_net/solution/syn/report/csynth.xml"
DAMAGED: dict[str, tuple[str, Callable[[], str], str]] = {
    "empty": (_RPT, lambda: "", "is empty"),
    "no heading": (_RPT, lambda: "hello\n", "no heading"),
    "cut in a table": (_RPT, lambda: files.hierarchical([(0, "top", "(top)", drawn(1))])[:-40], "ends within a table"),
    "cut before a table": (_RPT, lambda: cut(files.flat(drawn(1)), "ARITHMETIC"), "says nothing of DSPs"),
    "no number": (_RPT, lambda: files.flat(drawn(1)).replace(f" {drawn(1)['ff']} ", " many ", 1), "says 'many'"),
    "another part": (_RPT, lambda: files.flat(drawn(1), device="xczu3eg-sbva484-1-e"), "is of the part xczu3eg-sbva484-1-e"),
    "timing cut": ("vivado/timing.rpt", lambda: cut(files.timing(1, 10), "WNS(ns)"), "no figures in its Design Timing Summary"),
    "timing of words": ("vivado/timing.rpt", lambda: files.timing(1, 10).replace("1.000", "fast"), "says 'fast'"),
    "xml cut": (_XML, lambda: cut(files.csynth_xml("net", drawn(1)), "<LUT>"), "damaged or cut off"),
    "xml bomb": (_XML, lambda: '<!DOCTYPE x [<!ENTITY a "aa">]>' + files.csynth_xml("net", drawn(1)), "declares a document type"),
    "xml of another kind": (_XML, lambda: "<component/>", "outermost element is 'component'"),
    "xml without area": (_XML, lambda: files.csynth_xml("net", drawn(1)).replace("AreaEst", "Est"), "has no AreaEstimates/Resources"),
    "huge number": (_XML, lambda: files.csynth_xml("net", drawn(1)).replace("<LUT>", "<LUT>" + "9" * 5000), "where a number of lut"),
    "nan": (_XML, lambda: files.csynth_xml("net", drawn(1)).replace("7.300", "nan"), "says 'nan'"),
}  # fmt: skip


@pytest.mark.parametrize("kind", DAMAGED)
def test_damaged_reports_are_refused_and_nothing_is_written(
    design: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    place, make, said = DAMAGED[kind]
    before = (design / "report.json").read_bytes()
    put(design / place, make())
    assert main(["report", "import", str(design)]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert Path(place).name in error
    assert "Traceback" not in error
    assert (design / "report.json").read_bytes() == before


def test_bytes_that_are_no_text_and_folders_without_reports(design: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "import", str(design)]) == 2
    assert "there are no reports of vendor tools" in capsys.readouterr().err
    (design / _RPT).write_bytes(b"\xff\xfe\x00|")
    assert main(["report", "import", str(design)]) == 2
    assert "is no text" in capsys.readouterr().err


def test_random_cuts_are_read_or_refused() -> None:
    """Whatever is left of a report, nothing but flowc's own error comes of it."""
    rng = random.Random(0)
    texts = [(files.hierarchical([(0, "a", "b", drawn(1)), (1, "c", "d", drawn(2))]), parse_utilization),
             (files.flat(drawn(3)), parse_utilization), (files.timing(-0.2, 8.0), parse_timing)]  # fmt: skip
    for text, parse in texts:
        parse(Source(Path("x"), text, b""))
        for _ in range(150):
            a, b = sorted(rng.sample(range(len(text)), 2))
            with contextlib.suppress(UsageError):
                parse(Source(Path("x"), text[:a] + text[b:], b""))
