"""The Vivado scripts of a loopback engine, executed with stubs, beside the C++ and the driver that they belong to."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from flowc.backends.hls.loopback import write_engine
from flowc.backends.vivado import SYSTEM, catalog
from flowc.backends.vivado_loopback import generate_engine_vivado
from flowc.loopback.engine import Engine
from flowc.loopback.registers import REGISTERS
from flowc.targets import Target, load_target
from tests.backends.hls.test_scripts import STEPS, environment, named, steps
from tests.backends.test_vivado import HEADER, Design, needs_tclsh, run, systems

ENGINE = Engine(rows=16, columns=16, dsp_lanes=2, clock_mhz=150.0)
DRIVER = Path(__file__).parents[2] / "templates" / "loopback" / "driver" / "loopback.py"
PROCESSOR = {
    "zynq-7000": ("M_AXI_GP0", "S_AXI_HP{}", "FCLK_CLK0", "FCLK_RESET0_N", "IRQ_F2P", 0x40000000),
    "zynq-ultrascale+": ("M_AXI_HPM0_FPD", "S_AXI_HP{}_FPD", "pl_clk0", "pl_resetn0", "pl_ps_irq0", 0xA0000000),
}
"""Names and base address in the vendor's manuals (UG585, PG082; UG1085, PG201), by family."""


def project(folder: Path, target: Target, engine: Engine = ENGINE, *, exported: bool = True) -> Path:
    """hls/ and vivado/, with what the vendor's tools would have left there."""
    out = folder / "vivado"
    generate_engine_vivado(engine, out, target=target, header=HEADER)
    write_engine(engine, folder / "hls", part=target.part, header=HEADER)
    made = [out / "project" / "runs" / "impl_1" / f"{SYSTEM}_wrapper.bit"]
    made.append(out / "project" / "x.gen" / "sources_1" / "bd" / SYSTEM / "hw_handoff" / f"{SYSTEM}.hwh")
    if exported:
        made.append(folder / "hls" / "vitis_loopback_engine" / "solution" / "impl" / "ip" / "component.xml")
    for path in made:
        path.parent.mkdir(parents=True)
        path.write_text(path.suffix)
    return out


def pragmas(folder: Path) -> dict[str, dict[str, str]]:
    """Options of the interface pragmas of the engine's top function, by port and mode."""
    text = (folder / "hls" / "top.cpp").read_text()
    found = {}
    for line in re.findall(r"#pragma HLS INTERFACE (.*)", text):
        options = dict(re.findall(r"(\w+) = (\w+)", line))
        found[options["port"], options["mode"]] = options
    return found


@needs_tclsh
@pytest.mark.parametrize("target", systems(), ids=lambda t: t.name)
def test_the_block_design_is_that_of_code_and_driver(tmp_path: Path, target: Target) -> None:
    out = project(tmp_path, target)
    code, err, stdout, calls = run(out, boards=target.board_part)
    assert (code, err) == (0, "")
    assert "design.bit and design.hwh are in" in stdout
    assert (out / "design.bit").read_text() == ".bit"
    assert (out / "design.hwh").read_text() == ".hwh"
    design = Design(calls)
    control, memory, clock, reset, interrupt, base = PROCESSOR[target.family]
    joined = {frozenset(ends) for ends in design.joined}
    wired = set(design.wired)

    # The cell is the one that the driver looks for, of the IP that Vitis HLS exports.
    (cell,) = re.findall(r'part_of\(overlay, "(\w+)"\)', DRIVER.read_text())
    assert design.cells[cell] is catalog()["ip"]["loopback_engine"]

    # Each memory port of the C++ goes to a port of the processor that is its own and switched on.
    interfaces = pragmas(tmp_path)
    bundles = {o["bundle"] for (_, mode), o in interfaces.items() if mode == "m_axi"}
    assert len(bundles) == 4
    reached = set()
    for bundle in bundles:
        (bus,) = (end for ends in joined if f"{cell}/m_axi_{bundle}" in ends for end in ends if cell not in end)
        assert bus.endswith("/S00_AXI")
        (port,) = (e for ends in joined if bus.replace("S00", "M00") in ends for e in ends if e.startswith("ps/"))
        reached.add(port)
        for parameter in ("NUM_SI", "NUM_MI"):
            assert design.parameters[bus.split("/")[0], parameter] == "1"
    assert reached == {"ps/" + memory.format(n) for n in range(4)}
    on = [v for (c, name), v in design.parameters.items() if c == "ps" and re.search("USE_+S_AXI_(HP|GP[2-5])", name)]
    assert on == ["1"] * 4
    clocked = [sink for _, sink in wired if re.fullmatch(r"ps/s_?axi_?hp[0-3](_fpd)?_aclk", sink.lower())]
    assert len(clocked) == 4

    # Registers, at the begin of the processor's window; interrupt; one clock and one reset.
    assert {o.get("bundle", "control") for (_, mode), o in interfaces.items() if mode == "s_axilite"} == {"control"}
    assert frozenset([f"ps/{control}", "control/S00_AXI"]) in joined
    assert frozenset(["control/M00_AXI", f"{cell}/s_axi_control"]) in joined
    assert frozenset(["control/M01_AXI", "interrupts/s_axi"]) in joined
    assert design.parameters["control", "NUM_MI"] == "2"
    assert design.addresses == {cell: base, "interrupts": base + 0x10000}
    assert {(f"{cell}/interrupt", "interrupts/intr"), ("interrupts/irq", f"ps/{interrupt}")} <= wired
    assert (f"ps/{reset}", "sys_reset/ext_reset_in") in wired
    assert {(f"ps/{clock}", f"{cell}/ap_clk"), ("sys_reset/peripheral_aresetn", f"{cell}/ap_rst_n")} <= wired
    assert {source for source, sink in wired if sink.endswith(("clk", "ACLK"))} == {f"ps/{clock}"}
    assert design.parameters["ps", catalog()["family"][target.family]["clock_parameter"]] == "150"

    # Nothing is driven twice, nothing left open.
    assert max(Counter(sink for _, sink in design.wired).values()) == 1
    assert max(Counter(end for ends in design.joined for end in ends).values()) == 1
    for name, entry in design.cells.items():
        for pin in entry["pins"]:
            assert any(re.fullmatch(f"{name}/{pin.replace('#', '[0-9]+')}", end) for net in wired for end in net), pin
    order = [call[0] for call in calls]
    assert order.index("validate_bd_design") < order.index("launch_runs") < order.index("wait_on_run")
    assert "add_files" in order  # the wrapper
    assert not list(out.glob("*.v"))


def test_registers_of_the_code_are_those_of_the_readme(tmp_path: Path) -> None:
    out = project(tmp_path, load_target("pynq-z2"))
    readme = (out / "README.md").read_text()
    told = {name: int(at, 16) for at, name in re.findall(r"\| `(0x[0-9A-F]{2})` \| `(\w+)` \|", readme)}
    assert told == REGISTERS
    coded = {
        port: int(o["offset"], 16)
        for (port, mode), o in pragmas(tmp_path).items()
        if mode == "s_axilite" and "offset" in o
    }
    assert coded.items() <= told.items()
    assert told.keys() - coded.keys() == {"control", "done"}  # where Vitis HLS puts them by itself
    assert "| `m_axi_gmem3` | results, written | 64 | `S_AXI_HP3` |" in readme
    assert "(the processor's have 64 bits)" in readme
    assert "They have not been run by the project in Vivado itself" in readme
    for file in ("build.tcl", "system.tcl"):
        assert (out / file).read_text().startswith("# made by flowc\n# from model\n")


def test_no_two_pointers_share_a_memory_port(tmp_path: Path) -> None:
    """Vitis HLS refuses a port that several processes of a dataflow region read through."""
    project(tmp_path, load_target("kv260"))
    bundles = Counter(o["bundle"] for (_, mode), o in pragmas(tmp_path).items() if mode == "m_axi")
    assert set(bundles.values()) == {1}


@needs_tclsh
@pytest.mark.parametrize(
    ("exported", "boards", "slack", "message"),
    [
        (False, "tul.com.tw:pynq-z2:part0:1.0", "0.1", "no exported IP under ../hls: run `vitis_hls -f vitis_hls.tcl`"),
        (True, "", "0.1", "board files of tul.com.tw:pynq-z2:part0:1.0 are not installed"),
        (True, "tul.com.tw:pynq-z2:part0:1.0", "-0.25", "timing is not met at 150 MHz (worst slack -0.25 ns"),
    ],
)
def test_what_goes_wrong_is_said(tmp_path: Path, exported: bool, boards: str, slack: str, message: str) -> None:
    out = project(tmp_path, load_target("pynq-z2"), exported=exported)
    code, err, _, _ = run(out, boards=boards, slack=slack)
    assert code == 1
    assert message in err


@needs_tclsh
@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("u250", "a card is reached through XRT kernels, which flowc writes around dataflow designs only"),
        ("arty-a7-100t", "connect the engine's memory ports and registers in a design of your own"),
    ],
)
def test_targets_without_a_processor_get_the_engine_alone(tmp_path: Path, name: str, reason: str) -> None:
    target = load_target(name)
    out = project(tmp_path, target)
    code, err, stdout, calls = run(out, boards="")
    assert (code, err) == (0, "")
    assert "IP only" in stdout
    assert reason in stdout
    assert not [call for call in calls if call[0] == "create_bd_cell"]
    assert ["synth_design", "-top", "accelerator", "-part", target.part, "-mode", "out_of_context"] in calls
    assert ["get_ipdefs", "-quiet", "flowc:hls:loopback_engine:1.0"] in calls
    assert not (out / "system.tcl").exists()
    readme = (out / "README.md").read_text()
    assert "**IP only:** " in readme
    assert reason in readme
    assert "| `m_axi_gmem0` | commands, read | 128 |\n" in readme


@needs_tclsh
def test_the_script_of_vitis_hls_exports_what_vivado_wants(tmp_path: Path) -> None:
    target = load_target("kv260")
    project(tmp_path, target)
    environment(tmp_path)
    code, err, calls = steps(tmp_path, None)
    assert (code, err) == (0, "")
    order = ("open_project", "set_top", "open_solution", "set_part", "create_clock", "set_clock_uncertainty", *STEPS)
    assert named(calls, *order) == list(order)
    assert ["set_part", target.part] in calls
    assert ["create_clock", "-period", "6.667", "-name", "default"] in calls
    assert ["set_clock_uncertainty", "27%"] in calls
    assert all((tmp_path / "hls" / call[-1]).is_file() for call in calls if call[0] == "add_files")
    (export,) = [call for call in calls if call[0] == "export_design"]
    options = dict(zip(export[1::2], export[2::2], strict=True))
    assert (
        ":".join(options[f"-{key}"] for key in ("vendor", "library", "ipname", "version"))
        == (catalog()["ip"]["loopback_engine"]["vlnv"])
    )
    code, err, calls = steps(tmp_path, "export")
    assert (code, err, named(calls, *STEPS)) == (0, "", ["export_design"])
