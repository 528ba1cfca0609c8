"""The status block: registers simulated, the block design around it, the driver that reads and flushes."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from flowc.backends import find
from flowc.backends.driver import generate_driver
from flowc.backends.vivado import SYSTEM, catalog, generate_vivado, identity
from flowc.cli import main
from flowc.dataflow.emulator import emulate
from flowc.interface.wire import boundary
from flowc.targets import load_target
from tests import netbuild
from tests.backends.fake_pynq import make_pynq
from tests.backends.graphs import mlp, random_values, two_inputs
from tests.backends.rtl.checking import needs_verilator
from tests.backends.test_driver import imported
from tests.backends.test_vivado import HEADER, Design, needs_tclsh, run
from tests.backends.verilated import verilated

TARGET = load_target("pynq-z2")
SOURCES = Path(__file__).parents[2] / "templates" / "vivado"


@needs_tclsh
@pytest.mark.parametrize(("name", "ways", "fifos"), [("pynq-z2", 1, 0), ("kv260", 1, 7), ("pynq-z2", 2, 0)])
def test_the_block_design_has_taps_and_a_reset_of_its_own(tmp_path: Path, name: str, ways: int, fifos: int) -> None:
    """Also where two DMA engines share each stream (`ways`): the tap stands where their parts are one beat."""
    graph, target = two_inputs(), load_target(name)
    graph = graph.with_units({u.name: u.with_(ways=ways) for u in (*graph.inputs, *graph.outputs)})
    out = tmp_path / "vivado"
    backend = "rtl" if fifos else "hls"
    generate_vivado(graph, out, target=target, clock_mhz=100, header=HEADER, backend=backend, status=True, fifos=fifos)
    component = tmp_path / "hls/project/solution/impl/ip/component.xml"
    if fifos:
        find("rtl").write(graph, tmp_path / "rtl", part=target.part, clock_mhz=100, header=HEADER, marks=True)
    made = [
        out / f"project/runs/impl_1/{SYSTEM}_wrapper.bit",
        out / f"project/x.gen/sources_1/bd/{SYSTEM}/hw_handoff/{SYSTEM}.hwh",
    ]
    for path in (component, *made):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    code, err, _, calls = run(out, boards=target.board_part)
    assert (code, err) == (0, "")
    design = Design(calls)
    ports = boundary(graph)
    assert max(Counter(sink for _, sink in design.wired).values()) == 1
    assert max(Counter(end for ends in design.joined for end in ends).values()) == 1
    engines = [engine for port in ports for engine in port.engines]
    off = {e.name: "s2mm" if e.port.is_input else "mm2s" for e in engines}
    for cell, entry in design.cells.items():
        for pin in entry["pins"]:
            if cell.startswith("dma_") and off[cell.removeprefix("dma_")] in pin:
                continue
            assert any(
                re.fullmatch(f"{cell}/{pin.replace('#', '[0-9]+')}", end) for net in design.wired for end in net
            ), (cell, pin)
    pairs = {frozenset(ends) for ends in design.joined}
    for number, port in enumerate(ports):
        ends = (
            [f"fit_{port.name}/m_axis", f"accelerator/{port.name}"]
            if port.is_input
            else [f"accelerator/{port.name}", f"fit_{port.name}/s_axis"]
        )
        assert frozenset([ends[0], f"tap_{port.name}/s_axis"]) in pairs
        assert frozenset([f"tap_{port.name}/m_axis", ends[1]]) in pairs
        assert (f"tap_{port.name}/tap", f"taps/In{number}") in design.wired
        assert design.parameters[f"tap_{port.name}", "STREAM_BYTES"] == str(port.stream_bytes)
        shared = [f"{'join' if port.is_input else 'part'}_{port.name}"] if ways > 1 else []
        for cell in (f"fit_{port.name}", f"tap_{port.name}", *shared):
            assert ("status/clear_n", f"{cell}/aresetn") in design.wired
        for engine in port.engines:
            assert ("sys_reset/peripheral_aresetn", f"dma_{engine.name}/axi_resetn") in design.wired
    assert ("status/clear_n", "accelerator/ap_rst_n") in design.wired
    assert ("taps/dout", "status/taps") in design.wired
    assert [design.parameters["status", key] for key in ("PORTS", "ID_LOW", "ID_HIGH", "FIFOS")] == [
        str(len(ports)),
        *map(str, identity(HEADER)),
        str(fifos),
    ]
    for pins in (("status/fifo_at", "accelerator/fifo_at"), ("accelerator/fifo_mark", "status/fifo_mark")):
        assert (pins in design.wired) == (fifos > 0)
    assert set(design.addresses) == {"frames", "interrupts", "status", *(f"dma_{e.name}" for e in engines)}
    assert len(set(design.addresses.values())) == len(design.addresses)
    assert int(design.parameters["control", "NUM_MI"]) == len(engines) + 3
    (added,) = [call[-1].split() for call in calls if call[0] == "add_files" and "flowc_status" in call[-1]]
    assert all(Path(path).is_file() for path in added)
    assert set(catalog()["status"]) <= {Path(path).stem for path in added}


BENCH = r"""
#include "Vflowc_status.h"
#include "verilated.h"
#include <cstdint>
#include <cstdio>
#include <cstdlib>

const unsigned PORTS = 3;
static VerilatedContext context;
static Vflowc_status dut(&context);
static uint32_t counted[PORTS][3], cycles;
static bool held, cleared = true;

static void tick() {
    const unsigned taps = rand() % 64;
    static uint32_t marked = 0;  // the mark of a FIFO comes a cycle after its number
    dut.taps = taps;
    dut.fifo_mark = marked;
    dut.eval();
    marked = 1000 + 7 * dut.fifo_at;
    dut.aclk = 0; dut.eval();
    const bool written = dut.s_axi_awvalid && dut.s_axi_wvalid && dut.s_axi_awready && dut.s_axi_wready;
    for (unsigned p = 0; p < PORTS; ++p) {
        const bool valid = taps >> (2 * p) & 1, ready = taps >> (2 * p + 1) & 1;
        if (cleared) { counted[p][0] = counted[p][1] = counted[p][2] = 0; continue; }
        if (valid && ready) ++counted[p][0];
        if (valid && !ready) ++counted[p][1];
        if (!valid && ready) ++counted[p][2];
    }
    cleared = held;
    ++cycles;
    if (written && dut.s_axi_awaddr >> 2 == 4 && (dut.s_axi_wstrb & 1)) held = dut.s_axi_wdata & 1;
    dut.aclk = 1; dut.eval();
}
static void idle() { for (int n = rand() % 4; n--;) tick(); }
static bool is(const char* what, unsigned offset, uint32_t want) {
    idle();
    dut.s_axi_araddr = offset; dut.s_axi_arvalid = 1;
    dut.eval();
    for (int n = 0; !dut.s_axi_arready; ++n) { tick(); dut.eval(); if (n > 9) return false; }
    const uint32_t now = offset == 0x18 ? cycles : offset < 0x20 || offset >= 0x20 + 16 * PORTS || offset % 16 == 12 ? want : counted[(offset - 0x20) / 16][offset % 16 / 4];
    tick();
    dut.s_axi_arvalid = 0; dut.s_axi_rready = 0;
    idle();
    if (!dut.s_axi_rvalid || dut.s_axi_rdata != now || dut.s_axi_rresp) { std::printf("%s: %x instead of %x\n", what, dut.s_axi_rdata, now); return false; }
    dut.s_axi_rready = 1; tick(); dut.s_axi_rready = 0;
    return !dut.s_axi_rvalid;
}
static bool write(unsigned offset, uint32_t value) {
    dut.s_axi_awaddr = offset; dut.s_axi_wdata = value; dut.s_axi_wstrb = 15;
    const bool first = rand() % 2;  // the address before the data, or the other way round
    dut.s_axi_awvalid = first; dut.s_axi_wvalid = !first;
    idle();
    dut.s_axi_awvalid = dut.s_axi_wvalid = 1;
    tick();
    dut.s_axi_awvalid = dut.s_axi_wvalid = 0; dut.s_axi_bready = 0;
    idle();
    const bool answered = dut.s_axi_bvalid && !dut.s_axi_bresp;
    dut.s_axi_bready = 1; tick(); dut.s_axi_bready = 0;
    return answered && !dut.s_axi_bvalid;
}
static bool mark(unsigned fifo) {
    idle();
    dut.s_axi_awaddr = 0x1c; dut.s_axi_wdata = fifo; dut.s_axi_wstrb = 15;
    dut.s_axi_awvalid = dut.s_axi_wvalid = dut.s_axi_bready = dut.s_axi_rready = 1;
    tick();
    dut.s_axi_awvalid = dut.s_axi_wvalid = 0;
    dut.s_axi_araddr = 0x1c; dut.s_axi_arvalid = 1;  // asked for at once
    dut.eval();
    for (int n = 0; !dut.s_axi_arready; ++n) { tick(); dut.eval(); if (n > 9) return false; }
    tick();
    dut.s_axi_arvalid = 0;
    const bool sound = dut.s_axi_rvalid && dut.s_axi_rdata == 1000 + 7 * fifo;
    if (!sound) std::printf("the mark of FIFO %u is %u\n", fifo, dut.s_axi_rdata);
    tick();
    dut.s_axi_bready = dut.s_axi_rready = 0;
    return sound;
}
int main() {
    dut.aresetn = 0; tick(); tick(); dut.aresetn = 1; cycles = 0;
    cleared = true;
    for (int round = 0; round < 300; ++round) {
        bool sound = is("magic", 0, 0x666c6f77) && is("layout", 4, 2) && is("low", 8, 77) && is("high", 12, 88) && is("sizes", 0x14, PORTS | 5 << 16);
        sound = sound && is("cycles", 0x18, 0) && is("beyond", 0x20 + 16 * PORTS, 0) && is("gap", 0x2c, 0) && is("hold", 0x10, held);
        for (unsigned p = 0; p < PORTS; ++p)
            for (unsigned k = 0; k < 3; ++k) sound = sound && is("counter", 0x20 + 16 * p + 4 * k, 0);
        if (!sound || !mark(rand() % 65536)) return 1;
        if (rand() % 3 == 0 && !write(rand() % 4 ? 0x10 : 0x14, rand())) return 2;
        tick(); tick();
        if (dut.clear_n == held) { std::printf("clear_n is %d\n", dut.clear_n); return 3; }
    }
    std::printf("sound\n");
}
"""


@pytest.mark.slow
@needs_verilator
@pytest.mark.parametrize(
    "fault",
    [
        None,
        ("valid && !ready", "valid"),
        ("hold <= s_axi_wdata[0]", "hold <= s_axi_wdata[1]"),
        ("&& !settling[1]", ""),
    ],
)
def test_the_registers_say_what_happened(tmp_path: Path, fault: tuple[str, str] | None) -> None:
    text = (SOURCES / "flowc_status.v").read_text()
    if fault is not None:
        assert fault[0] in text
        text = text.replace(*fault)
    (tmp_path / "flowc_status.v").write_text(text)
    warnings = ["-Wall"] if fault is None else ["-Wno-lint"]
    parameters = {"PORTS": 3, "ID_LOW": 77, "ID_HIGH": 88, "FIFOS": 5}
    source = tmp_path / "flowc_status.v"
    program = verilated([source], BENCH, tmp_path / "made", top="flowc_status", options=warnings, parameters=parameters)
    done = subprocess.run([program], capture_output=True, text=True, check=False)
    assert (done.returncode == 0) == (fault is None), done.stdout


@pytest.fixture
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    def make(graph: Any, *, built: str = HEADER, loaded: str = HEADER, status: bool = True) -> Any:
        folder = tmp_path / graph.name / "driver"
        results = {u.tensor: "int64" for u in graph.outputs}
        generate_driver(graph, folder, target=TARGET, header=built, results=results, status=status)
        (folder / "design.bit").touch()
        package = imported(monkeypatch, folder, f"status_of_{graph.name}")
        pynq = make_pynq(graph, identity=identity(loaded) if status else None)
        pynq.__spec__ = importlib.util.spec_from_loader("pynq", None)
        monkeypatch.setitem(sys.modules, "pynq", pynq)
        return package, pynq

    return make


def test_the_driver_counts_and_flushes(opened: Any) -> None:
    graph = mlp()
    package, pynq = opened(graph)
    accelerator = package.Accelerator(batch=4)
    x = random_values(np.random.default_rng(0), graph.inputs[0].frame.dtype, (9, 12))
    expected = emulate(graph, {"x": x.reshape(9, 1, 1, 12)})["y"].reshape(9, 6)
    assert np.array_equal(
        accelerator.run_integers({"x_q": x})["y_q"] if "x_q" in accelerator.inputs else accelerator(x), expected
    )
    figures = accelerator.device.figures()
    for port in boundary(graph):  # of the last batch, of one frame
        assert [figures[f"{port.name}_{kind}"] for kind in ("beats", "waited", "starved")] == [
            port.beats,
            port.beats,
            port.beats // 2,
        ]
    assert figures["cycles_per_frame"] == 1
    # A run that is left alone: half of it is in the accelerator, and channels are busy.
    (overlay,) = pynq.overlays
    accelerator.device.fill(0, {graph.inputs[0].tensor: x[:2]})
    accelerator.device.start(0, 2)
    overlay.dirty = True
    with pytest.raises(AssertionError, match="while streaming"):
        accelerator.device.start(1, 2)
    accelerator.device.flush()
    assert np.array_equal(accelerator(x), expected)
    accelerator.device.interrupts = True
    assert np.array_equal(accelerator(x), expected)
    assert overlay.interrupts == 6
    # Asked over and over, where the bitstream has no interrupt of an engine, or an event loop runs already.
    overlay.interrupt_pins.pop(f"dma_{boundary(graph)[0].engines[0].name}/mm2s_introut")
    assert np.array_equal(accelerator(x), expected)
    assert overlay.interrupts == 9

    async def within() -> Any:
        return accelerator(x)

    assert np.array_equal(asyncio.run(within()), expected)
    assert overlay.interrupts == 9
    accelerator.close()
    accelerator = package.Accelerator(batch=4, interrupts=True)
    assert np.array_equal(accelerator(x), expected)
    assert pynq.overlays[1].interrupts == 6


def test_weights_come_again_after_a_flush_or_it_is_refused(opened: Any) -> None:
    for style in ("uram", "stream"):
        graph = mlp(f"fed_{style}")
        graph = graph.with_units({"fc": graph["fc"].with_(memory=style)})
        package, pynq = opened(graph)
        accelerator = package.Accelerator()
        (reader,) = pynq.overlays[0].readers
        reader.control = 0
        if style == "uram":
            accelerator.device.flush()
            assert reader.control == 1
        else:
            with pytest.raises(Exception, match="can't be brought back into step"):
                accelerator.device.flush()


def test_a_bitstream_of_another_build_is_refused(opened: Any) -> None:
    package, _ = opened(mlp(), loaded="another build")
    with pytest.raises(Exception, match="the bitstream is of another build"):
        package.Accelerator()
    package, _ = opened(mlp("plain"), status=False)
    with pytest.raises(Exception, match="has no status block"):
        package.Accelerator().device.flush()


def test_it_is_there_on_request(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    onnx.save(netbuild.mlp(), "net.onnx")
    command = ["build", "net.onnx", "--no-verify", "-q", "--status"]
    assert main([*command, "--target", "pynq-z2", "-o", "out"]) == 0
    assert (tmp_path / "out/vivado/flowc_status.v").is_file()
    low, high = json.loads((tmp_path / "out/driver/accelerator.json").read_text())["status"]
    assert f"CONFIG.ID_LOW {{{low}}} CONFIG.ID_HIGH {{{high}}}" in (tmp_path / "out/vivado/system.tcl").read_text()
    assert "--status" in json.loads((tmp_path / "out/report.json").read_text())["command"]
    assert main([*command, "--target", "u250", "-o", "card"]) == 2
    assert "a status block stands in the system around a processor" in capsys.readouterr().err
    assert main([*command, "--target", "pynq-z2", "--execution", "loopback", "-o", "loop"]) == 2
    assert "a status block can be asked of dataflow execution only" in capsys.readouterr().err
