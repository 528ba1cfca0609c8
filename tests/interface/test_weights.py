"""Weights that come from the external memory: C++, readers, block design, driver, allocation."""

import importlib.util
import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

import flowc
from flowc.backends.driver import generate_driver
from flowc.backends.hls import csim, generate
from flowc.backends.hls.lint import lint
from flowc.backends.vivado import catalog, generate_vivado
from flowc.dataflow import emulator
from flowc.dataflow.allocate import allocate
from flowc.dataflow.allocate.transfers import brought_bytes
from flowc.errors import InfeasibleError, UsageError
from flowc.interface.memory import MEMORY_PORTS, READERS_PER_GROUP, buses
from flowc.interface.weights import weight_ports
from flowc.model.dtypes import BIPOLAR, SInt
from flowc.targets import load_target
from flowc.units import Mvtu
from flowc.units.cost import ARRIVING, ultra_rams
from tests import netbuild
from tests.backends.fake_pynq import make_pynq, slow_encode
from tests.backends.graphs import mlp
from tests.backends.hls.random_units import MAKERS, emulate, integers, side_by_side
from tests.backends.test_vivado import Design, generated, needs_tclsh, run

FRAMES = 5


def arriving(graph, **styles):
    """The graph with memory styles of some units."""
    return graph.with_units({name: graph[name].with_(memory=style) for name, style in styles.items()})


def random_units(seed):
    """Matrix and depthwise units of all sorts, half of them fed once, half for every position."""
    rng = np.random.default_rng(seed)
    units = [
        MAKERS[kind](rng, f"{kind}_{i}_{style}").with_(memory=style)
        for kind in ("mvtu", "vvtu")
        for i in range(2)
        for style in ARRIVING
    ]
    return side_by_side(units)


def frames_of(graph, seed=0):
    rng = np.random.default_rng(seed)
    return [
        np.concatenate([
            integers(rng, port.frame.dtype, (FRAMES - 2, *port.frame.shape)),
            integers(rng, port.frame.dtype, (2, *port.frame.shape), extreme=True),
        ])
        for port in graph.inputs
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("how", "seed"),
    [
        ("cycles", 0),
        pytest.param("threads", 1, marks=pytest.mark.slow),
        pytest.param("exact", 2, marks=pytest.mark.slow),
        pytest.param("sanitize", 3, marks=pytest.mark.slow),
    ],
)
def test_units_compute_with_weights_from_a_stream(tmp_path, how, seed):
    graph = random_units(seed)
    generate(graph, tmp_path, part="xczu7ev-ffvc1156-2-e", clock_mhz=200, header="A test")
    frames = frames_of(graph)
    binary = csim.compile(tmp_path, **{how: True})
    for port, result, expected in zip(
        graph.outputs, csim.run(binary, graph, frames), emulate(graph, frames), strict=True
    ):
        np.testing.assert_array_equal(result, expected, err_msg=port.name)
    if how == "cycles":
        counts = csim.count_cycles(binary, graph, frames)
        assert counts == {unit.name: FRAMES * unit.cycles for unit in graph}
    assert lint(tmp_path) == []


def test_no_weights_are_in_the_code(tmp_path):
    graph = arriving(mlp(), fc="uram")
    generate(graph, tmp_path, part="xczu7ev-ffvc1156-2-e", clock_mhz=200, header="A test")
    layer = (tmp_path / "layers" / "fc.cpp").read_text()
    assert "#pragma HLS BIND_STORAGE variable = fc_weights type = ram_1p impl = uram" in layer
    assert "fc_weights" not in (tmp_path / "params" / "fc.hpp").read_text()
    assert "mode = axis port = weights_fc" in (tmp_path / "top.cpp").read_text()
    assert (
        "| `weights_fc` | 3 | 6 | once, after reset | 12 int2 weights of fc | `read_weights_fc` |"
        in (tmp_path / "README.md").read_text()
    )


READER = """
#include <fstream>
#include <iterator>
#include <vector>
#include "{source}"
int main(int, char** argv) {{
  std::ifstream file(argv[1], std::ios::binary);
  const std::vector<char> bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  std::vector<ap_uint<8 * {width}>> memory(bytes.size() / {width});
  for (unsigned i = 0; i < bytes.size(); ++i) memory[i / {width}].range(i % {width} * 8 + 7, i % {width} * 8) = bytes[i];
  hls::stream<flowc::Axis<{width}>> words;
  {reader}(memory.data(), words);
  std::ofstream result(argv[2], std::ios::binary);
  while (!words.empty()) {{
    const flowc::Axis<{width}> word = words.read();
    if (bool(word.last) != words.empty()) return 1;
    for (unsigned k = 0; k < {width}; ++k) result.put(char(word.data.range(8 * k + 7, 8 * k).to_uint()));
  }}
}}
"""


@pytest.mark.parametrize(("style", "simd", "weights"), [("stream", 6, SInt(2)), ("uram", 130, SInt(8))])
def test_the_reader_sends_what_the_driver_puts_into_memory(tmp_path, style, simd, weights):
    graph = mlp(inputs=2 * simd, simd=simd)
    fc = graph["fc"].with_(memory=style, weight_type=weights)
    graph = graph.with_units({"fc": fc})
    (port,) = weight_ports(graph)
    assert (port.memory_bytes, port.reader_bytes) == ((4, 4) if simd == 6 else (512, 64))
    generate(graph, tmp_path / "hls", part="xczu7ev-ffvc1156-2-e", clock_mhz=200, header="A test")
    generate_driver(graph, tmp_path / "driver", target=load_target("zcu104"), header="A test", results={"y": "float32"})
    stored = np.load(tmp_path / "driver" / "weights.npz")["weights_fc"]
    words = [slow_encode(row, weights, port.per_word, port.memory_bytes) for row in fc.weight_rows]
    assert stored.tobytes() == b"".join(words)
    image = stored.tobytes() * port.copies
    (tmp_path / "image.bin").write_bytes(image)
    source = tmp_path / "hls" / "readers" / f"{port.reader}.cpp"
    main = READER.format(source=source, width=port.reader_bytes, reader=port.reader)
    (tmp_path / "main.cpp").write_text(main)
    flags = ["-std=c++14", "-Wall", "-Wextra", "-Werror", "-Wno-unknown-pragmas"]
    subprocess.run(
        ["g++", *flags, "-isystem", csim.ap_include(), "-o", tmp_path / "reader", tmp_path / "main.cpp"], check=True
    )
    subprocess.run([tmp_path / "reader", tmp_path / "image.bin", tmp_path / "sent.bin"], check=True)
    assert (tmp_path / "sent.bin").read_bytes() == image
    # A run that repeats is long enough for the memory's latency between two runs not to matter.
    assert port.beats >= 4096 if style == "stream" else port.copies == 1


@needs_tclsh
@pytest.mark.parametrize("name", ["zcu104", "pynq-z2"])
@pytest.mark.parametrize("inputs", [12, 1040])
def test_the_block_design_has_a_reader_for_each_such_layer(tmp_path, name, inputs):
    target = load_target(name)
    graph = arriving(mlp(inputs=inputs, simd=inputs // 2), fc="stream")
    out = generated(tmp_path, graph, target)
    code, err, _, calls = run(out, boards=target.board_part)
    assert (code, err) == (0, "")
    (port,) = weight_ports(graph)
    design = Design(calls)
    joined = {frozenset(ends) for ends in design.joined}
    chain = ["read_weights_fc/words", "fit_weights_fc/s_axis"]
    if inputs > 12:
        chain[1:1] = ["width_weights_fc/S_AXIS", "width_weights_fc/M_AXIS"]
        assert design.parameters["width_weights_fc", "S_TDATA_NUM_BYTES"] == "64"
        assert design.parameters["width_weights_fc", "M_TDATA_NUM_BYTES"] == str(port.memory_bytes)
    for pair in zip(chain[::2], chain[1::2], strict=True):
        assert frozenset(pair) in joined
    assert frozenset(["fit_weights_fc/m_axis", "accelerator/weights_fc"]) in joined
    assert frozenset(["read_weights_fc/m_axi_memory", "weights_memory0/S00_AXI"]) in joined
    assert frozenset(["read_weights_fc/s_axi_control", "weights_control0/M00_AXI"]) in joined
    shared = buses(graph, target.family)
    (number,) = (n for n, bus in enumerate(shared) if bus.groups == (0,))
    seat = f"memory{number}/S{len(shared[number].engines):02d}_AXI"
    assert frozenset(["weights_memory0/M00_AXI", seat]) in joined
    assert frozenset(["weights_control0/S00_AXI", "control/M04_AXI"]) in joined
    assert sum(int(design.parameters[f"memory{n}", "NUM_SI"]) for n in range(len(shared))) == 3
    assert design.parameters["control", "NUM_MI"] == "5"
    assert design.parameters["fit_weights_fc", "STREAM_BYTES"] == str(port.stream_bytes)
    for cell, pins in (
        ("read_weights_fc", ("ap_clk", "ap_rst_n")),
        ("fit_weights_fc", ("aclk", "aresetn")),
        ("weights_memory0", ("aclk", "aresetn")),
        ("weights_control0", ("aclk", "aresetn")),
    ):
        for pin in pins:
            assert any(sink == f"{cell}/{pin}" for _, sink in design.wired)
    assert len(set(design.addresses.values())) == len(design.addresses) == 5

    # What Vivado looks for is what Vitis HLS exports.
    generate(graph, tmp_path / "hls", part=target.part, clock_mhz=100, header="A test")
    _, _, _, exported = run(tmp_path / "hls", boards="", script="vitis_hls.tcl")
    names = [dict(zip(c[1::2], c[2::2], strict=True))["-ipname"] for c in exported if c[0] == "export_design"]
    assert names == ["tiny", "read_weights_fc"]
    assert ["get_ipdefs", "-quiet", "flowc:hls:read_weights_fc:1.0"] in calls
    assert "| `weights_fc` |" in (out / "README.md").read_text()


@needs_tclsh
def test_many_such_layers_share_places_of_the_interconnect(tmp_path):
    units = [mlp(seed=i)["fc"].with_(name=f"fc{i}", memory="stream") for i in range(20)]
    graph = side_by_side([units[0]])
    graph = type(graph)(
        graph.name,
        [*graph.units.values(), *(u for other in units[1:] for u in side_by_side([other]).units.values())],
        [*graph.streams, *(s for other in units[1:] for s in side_by_side([other]).streams)],
    )
    with pytest.raises(InfeasibleError, match="want 40 DMA engines, 20 layers have weights in the external memory"):
        generate_vivado(graph, tmp_path, target=load_target("zcu104"), clock_mhz=100, header="A test")
    assert len(weight_ports(graph)) == 20


def test_ip_alone_says_what_to_feed(tmp_path):
    graph = arriving(mlp(), fc="uram")
    generate_vivado(graph, tmp_path, target=load_target("u250"), clock_mhz=100, header="A test")
    readme = (tmp_path / "README.md").read_text()
    assert "**Weights come over streams too.**" in readme
    assert "| `weights_fc` | 24 bits | 6 | once, after reset | `read_weights_fc` | 4 |" in readme


@pytest.mark.parametrize("style", ARRIVING)
def test_the_driver_puts_weights_into_memory_and_starts_their_readers(tmp_path, monkeypatch, style):
    graph = arriving(mlp("bits", dtype=BIPOLAR, inputs=11, simd=11, pe=6), fc=style)
    folder = tmp_path / "driver"
    generate_driver(graph, folder, target=load_target("zcu104"), header="A test", results={"y_q": "int64"})
    (folder / "design.bit").touch()
    name = f"driver_with_{style}"
    spec = importlib.util.spec_from_file_location(
        name, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    package = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, name, package)
    spec.loader.exec_module(package)
    pynq = make_pynq(graph)
    pynq.__spec__ = importlib.util.spec_from_loader("pynq", None)
    monkeypatch.setitem(sys.modules, "pynq", pynq)
    accelerator = package.Accelerator("design.bit", batch=4)
    x = integers(np.random.default_rng(0), BIPOLAR, (9, 11))
    expected = emulate(graph, [x.reshape(9, 1, 1, 11)])[0].reshape(9, -1)
    assert np.array_equal(accelerator(x), expected)
    (reader,) = pynq.overlays[0].readers
    assert reader.control
    accelerator.close()
    assert not reader.control
    assert "weights.npz" in (folder / "README.md").read_text()


def test_a_built_network_with_every_kind_of_memory(tmp_path):
    """From the folding file to the C++: weights in look-up tables, in UltraRAM, streamed."""
    model = netbuild.cnn()
    plain = flowc.build(model, target="zcu104", verify=False)
    layers = [u.name for u in plain.graph if isinstance(u, Mvtu)]
    styles = dict(zip(layers, ["stream", "uram", "lutram"], strict=False))
    folding = {name: {"memory": style} for name, style in styles.items()}
    design = flowc.build(model, target="zcu104", folding=folding, csim=True, output=tmp_path / "out")
    assert design.report["csim"]["mismatches"] == 0
    assert [p.unit.memory for p in weight_ports(design.graph)] == ["stream", "uram"]
    entries = {e["name"]: e for e in design.report["layers"]}
    for name, style in styles.items():
        assert entries[name]["memory"] == style
    assert entries[layers[1]]["uram"] >= ultra_rams(*design.graph[layers[1]].weight_memory)
    assert any(f"'{layers[0]}' (stream)" in note for note in design.report["notes"])
    assert [str(f) for f in lint(tmp_path / "out")] == []
    x = design.samples(3, 0)
    assert np.array_equal(flowc.load(tmp_path / "out").run(x), plain.run(x))
    frames = design.to_ports(design.run_head(x))
    binary = csim.compile(tmp_path / "out" / "hls", threads=True)
    results = csim.run(binary, design.graph, [frames[u.name] for u in design.graph.inputs])
    right = emulator.emulate(design.graph, frames)
    assert all(np.array_equal(got, right[u.name]) for u, got in zip(design.graph.outputs, results, strict=True))


def test_weights_move_to_ultraram_where_blocks_are_scarce():
    """A layer of 4 Mbit of weights: 224 block RAMs, or 16 UltraRAMs."""
    graph = mlp(inputs=1024, outputs=1024)
    fc = graph["fc"].with_(weights=np.ones((1024, 1024), np.int64), weight_type=SInt(4))
    graph = graph.with_units({"fc": fc})
    target = replace(load_target("zcu104"), bram18=160)
    found = allocate(graph, target, fps=1000)
    assert found.fits
    assert found.graph["fc"].memory == "uram"
    assert found.resources.uram
    assert allocate(graph, replace(target, uram=0, bram18=624), fps=1000).graph["fc"].memory != "uram"


def test_streamed_weights_are_bounded_by_the_memory():
    """Their bytes pass the memory's port for every position of every frame."""
    model = netbuild.cnn()
    target = load_target("zcu104")
    plain = flowc.build(model, target=target, verify=False)
    conv = next(u for u in plain.graph if isinstance(u, Mvtu) and u.frame.pixels > 1)
    folding = {conv.name: {"memory": "stream", "pe": conv.mh, "simd": conv.mw}}
    design = flowc.build(model, target=target, folding=folding, verify=False)
    assert design.report["bottleneck"] == "external memory"
    bits = MEMORY_PORTS[target.family].bits
    assert design.report["interval_cycles"] >= 8 * brought_bytes(design.graph) // bits > conv.cycles
    fps = 2 * design.report["fps"]
    with pytest.raises(InfeasibleError, match="the external memory takes .* cycles"):
        flowc.build(model, target=target, folding=folding, verify=False, fps=fps)


def test_a_reader_sends_64_bytes_per_cycle_at_most():
    graph = mlp(inputs=1024, outputs=64, simd=1024)
    fc = graph["fc"].with_(weights=np.ones((64, 1024), np.int64), weight_type=SInt(4))
    graph = graph.with_units({"fc": fc})
    folding = {"fc": {"memory": "stream", "pe": 1, "simd": 1024}}
    found = allocate(graph, load_target("u250"), folding=folding)
    assert found.graph["fc"].cycles == 64
    assert (found.bottleneck, found.interval_cycles) == ("external memory", 64 * 8)


def test_what_no_stream_can_bring_is_refused(tmp_path):
    wide = mlp(inputs=2048, simd=2048)
    graph = arriving(wide, fc="stream")
    with pytest.raises(InfeasibleError, match="reads 8192 bits of weights per cycle; a stream brings at most 4096"):
        weight_ports(graph)
    with pytest.raises(InfeasibleError, match="bits of a row of weights: 8,192, at most 4,096 are possible"):
        generate(graph, tmp_path, part="xczu7ev-ffvc1156-2-e", clock_mhz=200, header="A test")
    folding = {"fc": {"memory": "uram", "pe": 6, "simd": 1024}}
    with pytest.raises(UsageError, match="leaves no folding that can be built"):
        allocate(wide, load_target("zcu104"), folding=folding)


def test_the_ports_of_the_families_are_those_of_the_block_design():
    families = catalog()["family"]
    assert {name: len(entry["memory"]) for name, entry in families.items()} == {
        name: has.count for name, has in MEMORY_PORTS.items()
    }
    for name, entry in families.items():
        assert entry["memory_bits"] == MEMORY_PORTS[name].bits
        for port in entry["memory"]:
            assert [v for k, v in port["settings"].items() if k.endswith("DATA_WIDTH")] == [MEMORY_PORTS[name].bits]
    assert catalog()["ip"]["smartconnect"]["most_ports"] == READERS_PER_GROUP


def test_names_of_weight_ports_are_apart_from_others(tmp_path):
    """An input may be called as another layer's weights would be."""
    graph = arriving(mlp("read_weights_fc"), fc="stream")
    (port,) = weight_ports(graph)
    assert port.name == "weights_fc_2"
    generate(graph, tmp_path, part="xczu7ev-ffvc1156-2-e", clock_mhz=200, header="A test")
    assert re.search(r"^set_top read_weights_fc_2$", (tmp_path / "vitis_hls.tcl").read_text(), re.MULTILINE)
