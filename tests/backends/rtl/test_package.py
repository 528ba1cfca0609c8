"""The SystemVerilog as an IP: IP-XACT that agrees with the module, a script that packages it, the block design around it."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import pytest

from flowc.backends import find
from flowc.backends.vivado import generate_vivado
from flowc.interface.names import name_design
from flowc.interface.wire import boundary
from flowc.targets import load_target
from flowc.units.graph import Dataflow
from tests.backends.graphs import mlp, two_inputs
from tests.backends.rtl.elaborated import elaborated
from tests.backends.test_vivado import Design, run

HEADER = 'made by flowc\nfrom "a < b"'
SPIRIT = "{http://www.spiritconsortium.org/XMLSchema/SPIRIT/1685-2009}"
needs_tclsh = pytest.mark.skipif(shutil.which("tclsh") is None, reason="tclsh is not installed: scripts not executed")

ORDER = {
    "component": "vendor library name version busInterfaces channels remapStates addressSpaces memoryMaps model componentGenerators choices "
    "fileSets whiteboxElements cpus otherClockDrivers description parameters vendorExtensions",
    "busInterface": "name displayName description busType abstractionType master slave system mirroredSlave mirroredMaster "
    "mirroredSystem monitor connectionRequired portMaps bitsInLau bitSteering endianness parameters vendorExtensions",
    "portMap": "logicalPort physicalPort",
    "model": "views ports modelParameters",
    "view": "name displayName description envIdentifier hierarchyRef language modelName defaultFileBuilder fileSetRef constraintSetRef "
    "whiteboxElementRefs parameters vendorExtensions",
    "port": "name displayName description wire transactional access vendorExtensions",
    "wire": "direction vector wireTypeDefs driver constraintSets",
    "vector": "left right",
    "fileSet": "name displayName description group file defaultFileBuilder dependency function vendorExtensions",
    "file": "name fileType userFileType isIncludeFile logicalName exportedName buildCommand dependency define imageType description",
    "parameter": "name displayName description value vendorExtensions",
}
"""Children of an element in the order of the schemas of IEEE 1685-2009."""


def streamed() -> Dataflow:
    graph = mlp("fed")
    return graph.with_units({"fc": graph["fc"].with_(memory="stream")})


GRAPHS = {"mlp": mlp, "two inputs": two_inputs, "weights over a port": streamed}


def written(graph: Dataflow, out: Path, part: str = "xczu3eg-sbva484-1-i") -> Path:
    backend = find("rtl")
    backend.write(backend.prepare(graph), out / "rtl", part=part, clock_mhz=100, header=HEADER)
    return out / "rtl"


def texts(root: Element, path: str) -> list[str]:
    return [element.text or "" for element in root.findall(path.replace("spirit:", SPIRIT))]


@pytest.fixture(params=GRAPHS)
def project(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Dataflow, Path, Element]:
    graph = GRAPHS[request.param]()
    folder = written(graph, tmp_path)
    return graph, folder, ElementTree.parse(folder / "component.xml").getroot()


def ports_of(folder: Path) -> dict[str, tuple[str, int]]:
    """Ports of the top module as slang elaborates it: direction and bits."""
    own = (folder / "files.f").read_text().split()[-1]
    compilation, _driver = elaborated(folder)
    top = next(instance for instance in compilation.getRoot().topInstances if f"{instance.name}.sv" == own)
    return {p.name: (p.direction.name.lower(), p.type.bitWidth) for p in top.body.portList}


def test_the_component_has_the_ports_of_the_module(project: tuple[Dataflow, Path, Element]) -> None:
    pytest.importorskip("pyslang", reason="pyslang is not installed: ports of the module not compared")
    graph, folder, root = project
    described = {}
    for port in root.iter(f"{SPIRIT}port"):
        (direction,) = texts(port, "spirit:wire/spirit:direction")
        left = texts(port, "spirit:wire/spirit:vector/spirit:left")
        (name,) = texts(port, "spirit:name")
        described[name] = (direction, int(left[0]) + 1 if left else 1)
    assert described == ports_of(folder)
    assert texts(root, "spirit:name") == [name_design(graph).top]


def test_bus_interfaces_map_every_port_once(project: tuple[Dataflow, Path, Element]) -> None:
    graph, _, root = project
    ports = {name: direction for port in root.iter(f"{SPIRIT}port")
             for name, direction in zip(texts(port, "spirit:name"), texts(port, "spirit:wire/spirit:direction"), strict=True)}  # fmt: skip
    mapped = texts(root, ".//spirit:physicalPort/spirit:name")
    assert sorted(mapped) == sorted(ports)
    modes = {}
    for bus in root.iter(f"{SPIRIT}busInterface"):
        (name,) = texts(bus, "spirit:name")
        (kind,) = [t.get(f"{SPIRIT}name") for t in bus.findall(f"{SPIRIT}busType")]
        if kind == "axis":
            modes[name] = "slave" if bus.find(f"{SPIRIT}slave") is not None else "master"
            assert ports[f"{name}_TVALID"] == ("in" if modes[name] == "slave" else "out")
            parameters = dict(
                zip(
                    texts(bus, ".//spirit:parameter/spirit:name"),
                    texts(bus, ".//spirit:parameter/spirit:value"),
                    strict=True,
                )
            )
            assert parameters["HAS_TLAST"] == str(int(f"{name}_TLAST" in ports))
        if kind == "clock":
            associated = dict(
                zip(
                    texts(bus, ".//spirit:parameter/spirit:name"),
                    texts(bus, ".//spirit:parameter/spirit:value"),
                    strict=True,
                )
            )
    assert associated == {"ASSOCIATED_BUSIF": ":".join(modes), "ASSOCIATED_RESET": "ap_rst_n"}
    for port in boundary(graph):
        assert modes[port.name] == ("slave" if port.is_input else "master")


def test_elements_stand_in_the_order_of_the_schema_and_files_exist(project: tuple[Dataflow, Path, Element]) -> None:
    _, folder, root = project
    for element in root.iter():
        order = ORDER.get(element.tag.removeprefix(SPIRIT))
        if order is not None:
            places = [order.split().index(child.tag.removeprefix(SPIRIT)) for child in element]
            assert places == sorted(places), element.tag
    names = texts(root, ".//spirit:file/spirit:name")
    assert all((folder / name).is_file() for name in names)
    assert {n for n in names if n.endswith(".sv")} == set((folder / "files.f").read_text().split())
    assert texts(root, "spirit:description") == ['made by flowc from "a < b"']


NAMED = {"flowc_heap.sv": "FLOWC_LUT6_2", "flowc_lut.sv": "FLOWC_LUT6_2", "flowc_small.sv": "FLOWC_LUT6_2",
         "flowc_mac.sv": "FLOWC_DSP48E2", "flowc_dsp48e2.sv": "FLOWC_DSP48E2"}  # fmt: skip
"""Sources that ask for a primitive of UltraScale devices by name."""


@needs_tclsh
def test_7_series_have_no_slice_of_ultrascale(tmp_path: Path) -> None:
    folder = written(mlp(), tmp_path, part="xc7z020clg400-1")
    assert run(folder, boards="", script="package.tcl")[0] == 0
    for path in (folder / "package" / "flat").glob("*.sv"):
        assert path.read_text().startswith("`define FLOWC_LUT6_2\n") == (NAMED.get(path.name) == "FLOWC_LUT6_2")
        assert not path.read_text().startswith("`define FLOWC_DSP48E2\n")


@needs_tclsh
def test_the_script_packages_all_of_it(project: tuple[Dataflow, Path, Element]) -> None:
    graph, folder, root = project
    code, err, _, calls = run(folder, boards="", script="package.tcl")
    assert (code, err) == (0, "")
    flat = folder / "package" / "flat"
    (added,) = [call[-1].split() for call in calls if call[0] == "add_files"]
    assert sorted(map(Path, added)) == sorted(flat.iterdir())
    # Names of files are apart, and what the modules read is there under the name that they read.
    assert len(added) == len((folder / "files.f").read_text().split()) + len(list(folder.glob("data/*.hex")))
    memories = {path.name: path for path in flat.glob("*.mem")}
    for path in flat.glob("*.sv"):
        assert not re.search(r'"data/|\.hex"', path.read_text())
        # Vivado gets primitives by name: the macro is defined in each file that asks for it, as none sees another file's.
        macro = NAMED.get(path.name)
        assert ("`ifdef FLOWC_LUT6_2" in path.read_text()) == (macro == "FLOWC_LUT6_2")
        assert ("`ifdef FLOWC_DSP48E2" in path.read_text()) == (macro == "FLOWC_DSP48E2")
        assert path.read_text().startswith("`define") == (macro is not None)
        assert macro is None or path.read_text().startswith(f"`define {macro}\n")
    read = re.findall(r'"data/([^"]+)"', (folder / f"{name_design(graph).top}.sv").read_text())
    text = (flat / f"{name_design(graph).top}.sv").read_text()
    assert bool(read) == bool(memories)
    for name in read:  # of a file, or the begin of the names of several
        assert f'"{name.replace(".hex", ".mem")}"' in text
        assert any(known.startswith(name.removesuffix(".hex")) for known in memories)
    for name, path in memories.items():
        assert path.read_text() == (folder / "data" / name).with_suffix(".hex").read_text()
    # Bus interfaces are those of the component.
    inferred = {(call[1], call[2]) for call in calls if call[0] == "ipx::infer_bus_interface"}
    expected = set()
    for bus in root.iter(f"{SPIRIT}busInterface"):
        (kind,) = bus.findall(f"{SPIRIT}abstractionType")
        vlnv = ":".join(kind.get(f"{SPIRIT}{key}") or "" for key in ("vendor", "library", "name", "version"))
        expected.add((" ".join(texts(bus, ".//spirit:physicalPort/spirit:name")), vlnv))
    assert inferred == expected
    order = [call[0] for call in calls]
    steps = ("create_project", "add_files", "ipx::package_project", "ipx::infer_bus_interface", "ipx::update_checksums",
             "ipx::check_integrity", "ipx::save_core", "close_project")  # fmt: skip
    assert [order.index(step) for step in steps] == sorted(order.index(step) for step in steps)
    assert run(folder, boards="", script="package.tcl")[:2] == (0, "")  # again


@needs_tclsh
@pytest.mark.parametrize("name", ["pynq-z2", "kv260"])
def test_the_block_design_is_that_of_hls(tmp_path: Path, name: str) -> None:
    graph, target = mlp(), load_target(name)
    designs = {}
    for backend in ("rtl", "hls"):
        out = tmp_path / backend / "vivado"
        written(graph, tmp_path / backend)
        component = tmp_path / backend / "hls" / "vitis_x" / "solution" / "impl" / "ip" / "component.xml"
        component.parent.mkdir(parents=True, exist_ok=True)
        component.touch()
        generate_vivado(graph, out, target=target, clock_mhz=100, header=HEADER, backend=backend)
        for made in (
            out / "project/runs/impl_1/flowc_system_wrapper.bit",
            out / "project/x.gen/sources_1/bd/flowc_system/hw_handoff/flowc_system.hwh",
        ):
            made.parent.mkdir(parents=True)
            made.touch()
        code, err, _, calls = run(out, boards=target.board_part)
        assert (code, err) == (0, "")
        assert ["get_ipdefs", "-quiet", f"flowc:{backend}:tiny:1.0"] in calls
        designs[backend] = Design(calls)
        ((_, _, repositories, _),) = [call for call in calls if call[:2] == ["set_property", "ip_repo_paths"]]
        made_in = tmp_path / "rtl" / "rtl" / "ip" if backend == "rtl" else component.parent
        assert Path(repositories).resolve() == made_in
    for what in ("joined", "wired", "addresses", "parameters"):
        assert getattr(designs["rtl"], what) == getattr(designs["hls"], what)


@needs_tclsh
def test_readers_of_weights_are_exported_beside_it(tmp_path: Path) -> None:
    graph, target = streamed(), load_target("kv260")
    folder = written(graph, tmp_path)
    code, err, _, calls = run(folder / "weights", boards="", script="vitis_hls.tcl")
    # The stub has no csynth.xml to export from, but all steps are asked for at once.
    assert (code, err) == (0, "")
    assert [dict(zip(c[1::2], c[2::2], strict=True))["-ipname"] for c in calls if c[0] == "export_design"] == [
        "read_weights_fc"
    ]
    generate_vivado(graph, tmp_path / "vivado", target=target, clock_mhz=100, header=HEADER, backend="rtl")
    code, err, _, _ = run(tmp_path / "vivado", boards=target.board_part)
    assert code == 1
    assert "no exported IP under ../rtl/weights, which brings weights" in err
