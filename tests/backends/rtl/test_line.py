"""A board's serial line from end to end: bytes in at its RX pin, the model's results out of TX, by the driver that flowc writes."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import flowc
from flowc.backends.rtl import yosys
from tests import netbuild
from tests.backends.rtl.checking import needs_verilator
from tests.backends.rtl.line import SimulatedLine, compiled, driver_of, frame_alone, opened, run


@pytest.fixture(scope="module")
def design(tmp_path_factory: pytest.TempPathFactory) -> flowc.Design:
    folder = tmp_path_factory.mktemp("line") / "design"
    return flowc.build(netbuild.mlp(), "ulx3s-25f", output=folder, verify=False)


@pytest.fixture(scope="module")
def driver(design: flowc.Design) -> Iterator[ModuleType]:
    with driver_of(design) as package:
        yield package


def sources(folder: Path) -> list[str]:
    return [*(folder / "files.f").read_text().split(), *(folder / "board" / "files.f").read_text().split()]


@pytest.mark.skipif(importlib.util.find_spec("serial") is None, reason="pyserial is not installed")
def test_without_a_board_the_emulator_answers(design: flowc.Design, driver: ModuleType) -> None:
    x = next(iter(design.samples(3, 1).values()))
    accelerator = driver.Accelerator()
    assert accelerator.backend == "emulator"
    np.testing.assert_array_equal(accelerator(x), design.run(x))
    with pytest.raises(driver.MissingError, match="/dev/no-such-port can't be opened"):
        driver.Accelerator("/dev/no-such-port")


def ports_bytes(design: flowc.Design) -> tuple[int, int]:
    """Bytes of a frame in and out, as the driver's description has them."""
    description = json.loads((design.directory / "driver" / "accelerator.json").read_text())
    ports = (description[way][0] for way in ("inputs", "outputs"))
    given, taken = (port["elements"] // port["per_beat"] * port["beat_bytes"] for port in ports)
    return given, taken


@pytest.mark.slow
@needs_verilator
def test_bytes_in_results_out(design: flowc.Design, driver: ModuleType) -> None:
    program, warnings = compiled(design, sources(design.directory / "rtl"), "-Wall", "-DFLOWC_COUNTED")
    assert warnings == []
    line = SimulatedLine(program)
    try:
        # One frame alone, which is no later than the report says, and not much earlier.
        given, taken = ports_bytes(design)
        came, cycles = frame_alone(line, given, taken)
        latency = design.report["latency_ms"] * design.plan.clock_mhz * 1e3
        assert came == taken
        assert 0.8 * latency < cycles <= latency
        device = opened(design, line, batch=2)
        results, expected = run(design, device, 3)
        np.testing.assert_array_equal(results, expected)
        assert max(len(sent) for sent in line.sent) <= 66
        # A disturbance of the line is noticed, and the next run is right again.
        line.disturb(400)
        with pytest.raises(driver.DriverError):
            run(design, device, 3)
        np.testing.assert_array_equal(run(design, device, 3)[0], expected)
    finally:
        line.close()


@pytest.mark.slow
@needs_verilator
@pytest.mark.skipif(importlib.util.find_spec("pyosys") is None, reason="pyosys is not installed")
@pytest.mark.parametrize("family", ["ecp5", "xc7"])
def test_the_netlist_computes_the_same(family: str, tmp_path: Path) -> None:
    """Gate level: what yosys makes of accelerator and line, in the cells' own simulation models.

    Block RAMs and multipliers have none there, so that memories are in look-up tables and products in logic.
    """
    design = flowc.build(netbuild.mlp((6, 4)), "ulx3s-25f", output=tmp_path / "d", verify=False)
    rtl = design.directory / "rtl"
    read = yosys.reading(sources(rtl), "flowc_system", family, tmp_path)
    styles = ["setattr -unset ram_style -unset rom_style a:ram_style=block"]
    commands = [
        read,
        *styles,
        f"{yosys.FAMILIES[family]} -nobram -nodsp -top flowc_system",
        "write_verilog -noattr netlist.v",
    ]
    yosys.run(rtl, commands, timeout=500, what="the design")
    cells = Path(importlib.util.find_spec("pyosys").origin).parent / "share"
    models = cells / ("ecp5" if family == "ecp5" else "xilinx") / "cells_sim.v"
    program, _ = compiled(design, ["netlist.v", models], f"-I{models.parent}", f"-I{cells}", "--timescale", "1ns/1ps")
    with driver_of(design):
        line = SimulatedLine(program)
        try:
            results, expected = run(design, opened(design, line, batch=2), 2)
            np.testing.assert_array_equal(results, expected)
        finally:
            line.close()
