"""The Vivado scripts, executed by a plain Tcl interpreter in which Vivado's commands are stubs that record."""

import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from flowc.backends.hls import generate
from flowc.backends.vivado import SYSTEM, catalog, generate_vivado
from flowc.errors import InfeasibleError
from flowc.interface.memory import buses
from flowc.interface.wire import boundary
from flowc.model.dtypes import SInt, UInt
from flowc.targets import Target, known_targets, load_target
from flowc.units import Frame, InputPort, Join, OutputPort
from flowc.units.graph import Dataflow, Stream
from tests.backends.graphs import mlp, two_inputs

TCLSH = shutil.which("tclsh")
STUB = Path(__file__).with_name("vivado_stub.tcl")
needs_tclsh = pytest.mark.skipif(TCLSH is None, reason="tclsh is not installed: Vivado scripts not executed")
HEADER = "made by flowc\nfrom model"


def run(folder, *, boards, slack="0.5", script="build.tcl"):
    """Runs a script; returns (exit code, stderr, stdout, recorded calls)."""
    record = folder / "record.txt"
    done = subprocess.run(
        [TCLSH, STUB, folder / script, record],
        env={"STUB_BOARDS": boards, "STUB_SLACK": slack},
        capture_output=True,
        text=True,
        check=False,
    )
    calls = [line.split("\x1f") for line in record.read_text().splitlines()]
    return done.returncode, done.stderr, done.stdout, calls


def generated(tmp_path, graph, target, clock_mhz=100.0, *, exported=True):
    """A vivado/ folder with everything that Vitis and Vivado would have left around it."""
    out = tmp_path / "vivado"
    generate_vivado(graph, out, target=target, clock_mhz=clock_mhz, header=HEADER)
    if exported:
        component = tmp_path / "hls" / "project" / "solution" / "impl" / "ip" / "component.xml"
        component.parent.mkdir(parents=True)
        component.touch()
    for made in (
        out / "project" / "runs" / "impl_1" / f"{SYSTEM}_wrapper.bit",
        out / "project" / f"{SYSTEM}.gen" / "sources_1" / "bd" / SYSTEM / "hw_handoff" / f"{SYSTEM}.hwh",
    ):
        made.parent.mkdir(parents=True)
        made.write_text(made.suffix)
    return out


class Design:
    """What the recorded calls built, checked against the catalogue call by call."""

    def __init__(self, calls):
        self.cells = {}
        self.parameters = {}
        self.joined = []
        self.wired = []
        self.addresses = {}
        for command, *args in calls:
            getattr(self, f"_{command}", lambda *args: None)(*args)

    def _create_bd_cell(self, *args):
        options = dict(zip(args[:-1:2], args[1:-1:2], strict=True))
        if options["-type"] == "module":
            self.cells[args[-1]] = {**catalog()["module"], **catalog()["shared"], **catalog()["status"]}[
                options["-reference"]
            ]
            return
        matching = [
            entry
            for entry in catalog()["ip"].values()
            if options["-vlnv"] == (entry["vlnv"].rpartition(":")[0] if entry.get("any_version") else entry["vlnv"])
            or ("*" in entry["vlnv"] and re.fullmatch(entry["vlnv"].replace("*", r"\w+"), options["-vlnv"]))
        ]
        assert matching, options
        self.cells[args[-1]] = max(
            matching, key=lambda entry: len(entry["vlnv"])
        )  # readers and accelerator are flowc's

    def _set_property(self, name, value, *objects):
        if name.startswith("CONFIG."):
            (cell,) = objects
            parameter = name.removeprefix("CONFIG.")
            assert parameter in self.cells[cell]["parameters"], (cell, parameter)
            self.parameters[cell, parameter] = value

    def _listed(self, end, kind):
        cell, name = end.split("/")
        allowed = self.cells[cell][kind] + (self.cells[cell].get("marks", []) if kind == "pins" else [])
        patterns = [re.escape(a).replace(r"\#", "[0-9]").replace(r"\*", r"\w+") for a in allowed]
        assert any(re.fullmatch(p.replace("In[0-9]", "In[0-9]+"), name) for p in patterns), end
        return end

    def _connect_bd_intf_net(self, *ends):
        self.joined.append(tuple(self._listed(end, "interfaces") for end in ends))

    def _connect_bd_net(self, *ends):
        self.wired.append(tuple(self._listed(end, "pins") for end in ends))

    def _assign_bd_address(self, *args):
        if not args:
            return
        assert args[2:4] == ("-range", "64K")
        assert args[4:6] == ("-target_address_space", "ps/Data")
        cell, _, segment = args[6].partition("/")
        assert segment in self.cells[cell]["segments"]
        assert args[7] == "-force"
        self.addresses[cell] = int(args[1], 16)


def shared():
    """A stream in by four DMA engines, and a stream out by two."""
    graph = mlp("shared", dtype=SInt(8), inputs=48, simd=48, out=SInt(8), pe=3)
    return graph.with_units({"x": graph["x"].with_(ways=4), "y": graph["y"].with_(ways=2)})


def systems():
    return [t for t in known_targets() if t.family in catalog()["family"]]


@needs_tclsh
@pytest.mark.parametrize("target", systems(), ids=lambda t: t.name)
@pytest.mark.parametrize("graph", [mlp(), two_inputs(), shared()], ids=lambda g: g.name)
def test_every_name_is_in_the_catalogue_and_every_pin_is_connected(tmp_path, target, graph):
    out = generated(tmp_path, graph, target)
    code, err, stdout, calls = run(out, boards=target.board_part)
    assert (code, err) == (0, "")
    assert "design.bit and design.hwh are in" in stdout
    assert (out / "design.bit").read_text() == ".bit"
    assert (out / "design.hwh").read_text() == ".hwh"
    assert ["create_project", "-force", SYSTEM, str(out / "project"), "-part", target.part] in calls
    assert ["set_property", "board_part", target.board_part, "current_project"] in calls

    design = Design(calls)
    ports = boundary(graph)
    family = catalog()["family"][target.family]
    # Each sink has one driver; each interface pin one partner.
    assert max(Counter(sink for _, sink in design.wired).values()) == 1
    assert max(Counter(end for ends in design.joined for end in ends).values()) == 1
    # No clock, reset or interrupt is left open: every listed pin is in some net, but for the DMA channel that is off.
    engines = [e for p in ports for e in p.engines]
    off = {e.name: "s2mm" if e.port.is_input else "mm2s" for e in engines}
    for cell, entry in design.cells.items():
        for pin in entry["pins"]:
            if cell.startswith("dma_") and off[cell.removeprefix("dma_")] in pin:
                continue
            assert any(re.fullmatch(f"{cell}/{pin.replace('#', '[0-9]+')}", end) for net in design.wired for end in net)
    # All clocks come from one source.
    clocks = {source for source, sink in design.wired if sink.endswith(("clk", "ACLK"))}
    assert clocks == {f"ps/{family['clock']}"}
    # Every stream goes through its fitting module to its own DMA engine and its DRAM.
    used = buses(graph, target.family)
    assert {e.name for bus in used for e in bus.engines} == {e.name for e in engines}
    for number in range(len(used)):
        pair = frozenset([f"memory{number}/M00_AXI", f"ps/{family['memory'][number]['interface']}"])
        assert pair in {frozenset(ends) for ends in design.joined}
    pairs = {frozenset(ends) for ends in design.joined}
    for port in ports:
        outer, inner = ("s_axis", "m_axis") if port.is_input else ("m_axis", "s_axis")
        assert frozenset([f"fit_{port.name}/{inner}", f"accelerator/{port.name}"]) in pairs
        if port.ways > 1:
            way = f"{'join' if port.is_input else 'part'}_{port.name}"
            assert frozenset([f"{way}/{inner}", f"fit_{port.name}/{outer}"]) in pairs
            assert design.parameters[way, "WAYS"] == str(port.ways)
            assert design.parameters[way, "PART_BYTES"] == str(port.part_bytes)
        for engine in port.engines:
            stream = f"dma_{engine.name}/{'M_AXIS_MM2S' if port.is_input else 'S_AXIS_S2MM'}"
            end = f"fit_{port.name}/{outer}" if port.ways == 1 else f"{way}/{outer[0]}{engine.part}_axis"
            assert frozenset([stream, end]) in pairs
            memory = f"dma_{engine.name}/M_AXI_{'MM2S' if port.is_input else 'S2MM'}"
            ((number, place),) = (
                (n, k) for n, bus in enumerate(used) for k, e in enumerate(bus.engines) if e.name == engine.name
            )
            assert frozenset([memory, f"memory{number}/S{place:02d}_AXI"]) in pairs
        assert design.parameters[f"fit_{port.name}", "STREAM_BYTES"] == str(port.stream_bytes)
        assert design.parameters[f"fit_{port.name}", "MEMORY_BYTES"] == str(port.memory_bytes)
        if not port.is_input:
            assert ("frames/gpio_io_o", f"fit_{port.name}/frames") in design.wired
    assert (out / "flowc_stream_join.v").exists() == (max(p.ways for p in ports) > 1)
    # Registers: one block each, in the window of the control bus.
    assert set(design.addresses) == {"frames", "interrupts", *(f"dma_{e.name}" for e in engines)}
    assert len(set(design.addresses.values())) == len(design.addresses)
    assert all(0 <= a - family["control_base"] < 0x1000_0000 for a in design.addresses.values())
    assert design.parameters["ps", family["clock_parameter"]] == "100"
    order = [call[0] for call in calls]
    assert order.index("validate_bd_design") < order.index("launch_runs") < order.index("wait_on_run")


@needs_tclsh
def test_streams_that_one_memory_port_can_not_carry_get_more(tmp_path):
    """Two inputs of 64 bytes a cycle: each has a port of its own; the output, in the other direction, shares one."""
    one = np.ones(1, np.int64)
    frame = Frame(4, 4, 64, UInt(7))
    join = Join(name="add", left=frame, right=frame, op="add", acc=UInt(8), left_scale=one, right_scale=one, pe=64)
    shape = {"tensor_shape": (1, 64, 4, 4), "simd": 64}
    ports = [InputPort(name=n, tensor=n, frame=frame, **shape) for n in "ab"]
    ports.append(OutputPort(name="s", tensor="s", frame=join.outputs[0], **shape))
    graph = Dataflow("sum", [*ports, join], [Stream("a", "add"), Stream("b", "add", dst_port=1), Stream("add", "s")])
    target = load_target("pynq-z2")
    out = generated(tmp_path, graph, target)
    code, err, _, calls = run(out, boards=target.board_part)
    assert (code, err) == (0, "")
    design = Design(calls)
    joined = {frozenset(ends) for ends in design.joined}
    for number in (0, 1):
        assert frozenset([f"memory{number}/M00_AXI", f"ps/S_AXI_HP{number}"]) in joined
        assert design.parameters["ps", f"PCW_S_AXI_HP{number}_DATA_WIDTH"] == "64"
        assert ("ps/FCLK_CLK0", f"ps/S_AXI_HP{number}_ACLK") in design.wired
        assert ("ps/FCLK_CLK0", f"memory{number}/aclk") in design.wired
    assert ("ps", "PCW_USE_S_AXI_HP2") not in design.parameters
    assert sorted(int(design.parameters[f"memory{n}", "NUM_SI"]) for n in (0, 1)) == [1, 2]


@needs_tclsh
def test_streams_beyond_the_dma_width_get_a_converter(tmp_path):
    graph = mlp(dtype=UInt(8), inputs=300, outputs=200, out=UInt(8), simd=300, pe=200)
    out = generated(tmp_path, graph, load_target("zcu104"))
    code, err, _, calls = run(out, boards="xilinx.com:zcu104:part0:1.1")
    assert (code, err) == (0, "")
    design = Design(calls)
    for port, bytes_in, bytes_out in (("x", "128", "512"), ("y", "256", "128")):
        assert design.parameters[f"width_{port}", "S_TDATA_NUM_BYTES"] == bytes_in
        assert design.parameters[f"width_{port}", "M_TDATA_NUM_BYTES"] == bytes_out
    assert design.parameters["dma_x", "c_m_axis_mm2s_tdata_width"] == "1024"
    assert design.parameters["dma_x", "c_m_axi_mm2s_data_width"] == "1024"
    assert ("dma_x/M_AXIS_MM2S", "width_x/S_AXIS") in design.joined
    assert ("width_x/M_AXIS", "fit_x/s_axis") in design.joined
    assert ("fit_y/m_axis", "width_y/S_AXIS") in design.joined
    assert ("width_y/M_AXIS", "dma_y/S_AXIS_S2MM") in design.joined


@needs_tclsh
def test_a_newer_version_of_the_board_files_will_do(tmp_path):
    out = generated(tmp_path, mlp(), load_target("kv260"))
    code, _, _, calls = run(out, boards="xilinx.com:zcu104:part0:1.1 xilinx.com:kv260_som:part0:1.9")
    assert code == 0
    assert ["set_property", "board_part", "xilinx.com:kv260_som:part0:1.9", "current_project"] in calls


@needs_tclsh
@pytest.mark.parametrize(
    ("exported", "boards", "slack", "message"),
    [
        (False, "tul.com.tw:pynq-z2:part0:1.0", "0.1", "no exported IP under ../hls: run `vitis_hls -f vitis_hls.tcl`"),
        (True, "xilinx.com:zcu104:part0:1.1", "0.1", "board files of tul.com.tw:pynq-z2:part0:1.0 are not installed"),
        (True, "tul.com.tw:pynq-z2:part0:1.0", "-0.25", "timing is not met at 125 MHz (worst slack -0.25 ns"),
    ],
)
def test_what_goes_wrong_is_said(tmp_path, exported, boards, slack, message):
    out = generated(tmp_path, mlp(), load_target("pynq-z2"), 125, exported=exported)
    code, err, _, _ = run(out, boards=boards, slack=slack)
    assert code == 1
    assert message in err


@needs_tclsh
@pytest.mark.parametrize("name", ["u250", "u280", "arty-a7-100t"])
def test_targets_without_a_processor_get_the_ip_alone(tmp_path, name):
    target = load_target(name)
    out = generated(tmp_path, mlp(), target, 250)
    code, err, stdout, calls = run(out, boards="")
    assert (code, err) == (0, "")
    assert "IP only" in stdout
    assert not [call for call in calls if call[0] == "create_bd_cell"]
    assert ["synth_design", "-top", "accelerator", "-part", target.part, "-mode", "out_of_context"] in calls
    assert (out / "clock.xdc").read_text() == "create_clock -period 4.000 -name ap_clk [get_ports ap_clk]\n"
    order = [call[0] for call in calls]
    assert (
        order.index("read_xdc")
        < order.index("synth_design")
        < order.index("report_utilization")
        < order.index("opt_design")
    )
    left = out / "ip" / "accelerator" / "accelerator.xci"
    left.parent.mkdir(parents=True)
    left.touch()
    assert run(out, boards="")[:2] == (0, "")  # again, over what the first run left
    assert not left.exists()
    assert "IP only" in (out / "README.md").read_text()
    assert sorted(f.name for f in out.iterdir() if f.is_file() and f.name != "record.txt") == [
        "README.md",
        "build.tcl",
        "clock.xdc",
    ]


def test_a_target_without_board_files_gets_the_ip_alone(tmp_path):
    known = load_target("pynq-z2")
    target = Target(**{f: getattr(known, f) for f in known.__dataclass_fields__ if f != "board_part"})
    generate_vivado(mlp(), tmp_path, target=target, clock_mhz=100, header=HEADER)
    assert "the target names no board_part" in (tmp_path / "README.md").read_text()


@needs_tclsh
def test_names_are_those_of_the_exported_ip(tmp_path):
    """Names that C++ reserves are changed by the C++ backend; the script of Vitis HLS exports what Vivado wants."""
    graph = mlp("3 odd; name")
    unit = graph.inputs[0].with_(name="register")
    graph = Dataflow(graph.name, [unit, graph["fc"], graph["y"]], [Stream("register", "fc"), Stream("fc", "y")])
    target = load_target("pynq-z2")
    out = generated(tmp_path, graph, target)
    code, err, _, calls = run(out, boards=target.board_part)
    assert (code, err) == (0, "")
    assert ("fit_n_register/m_axis", "accelerator/n_register") in Design(calls).joined

    generate(graph, tmp_path / "hls", part=target.part, clock_mhz=100, header=HEADER)
    _, _, _, exported = run(tmp_path / "hls", boards="", script="vitis_hls.tcl")
    (call,) = [call for call in exported if call[0] == "export_design"]
    options = dict(zip(call[1::2], call[2::2], strict=True))
    vlnv = ":".join(options[f"-{key}"] for key in ("vendor", "library", "ipname", "version"))
    assert ["get_ipdefs", "-quiet", vlnv] in calls
    assert ["set_part", target.part] in exported
    assert ["create_clock", "-period", "10", "-name", "default"] in exported
    signature = (tmp_path / "hls" / "top.cpp").read_text().split("void ")[1]
    assert signature.startswith(options["-ipname"] + "(")
    assert "& n_register," in signature


def test_files_are_headed_and_the_readme_is_honest(tmp_path):
    generate_vivado(two_inputs(), tmp_path, target=load_target("ultra96"), clock_mhz=99.9, header=HEADER + "\r\x1b[31m")
    for name in ("build.tcl", "system.tcl", "flowc_stream_in.v", "flowc_stream_out.v"):
        mark = "#" if name.endswith("tcl") else "//"
        assert (tmp_path / name).read_text().startswith(f"{mark} made by flowc\n{mark} from model\n")
        assert "\x1b" not in (tmp_path / name).read_text()
    readme = (tmp_path / "README.md").read_text()
    assert "They have not been run by the project in Vivado itself" in readme
    assert "| `a` | in | 5 x int3 | 2 / 2 | 6 | `dma_a` |" in readme
    assert "| `s` | out | 5 x int4 | 3 / 4 | 6 | `dma_s` |" in readme


def test_the_catalogue_names_its_sources_and_every_board():
    table = catalog()
    for kind in ("ip", "module", "shared", "status", "platform", "family", "board"):
        assert all(entry["source"] for entry in table[kind].values())
    for target in known_targets():
        if target.is_open:
            continue
        assert table["board"][target.board_part]["part"] == target.part


def test_what_no_dma_engine_can_carry_is_refused(tmp_path):
    wide = mlp(dtype=UInt(16), inputs=512, simd=512)
    with pytest.raises(InfeasibleError, match="512 elements of 16 bits per cycle; an AXI4-Stream holds at most 4096"):
        generate_vivado(wide, tmp_path, target=load_target("zcu104"), clock_mhz=100, header=HEADER)
    assert boundary(mlp(dtype=SInt(8), inputs=512, simd=512))[0].memory_bytes == 512
