"""Names of ports, IP, streams, DMA engines and modules: after the model's inputs and outputs, and fit for every language on the way."""

import keyword
import re

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import flowc
from flowc.backends.hls import generate
from flowc.backends.rtl import simulate
from flowc.backends.rtl.generate import generate as generate_rtl
from flowc.dataflow.emulator import emulate
from flowc.interface.names import _CPP, _HDL, name_design, top_name
from flowc.interface.weights import weight_ports
from flowc.interface.wire import boundary
from flowc.passes.lower import Lowering
from flowc.streamline.port_names import port_hint
from flowc.targets import load_target
from flowc.units.graph import Dataflow, Stream
from flowc.units.names import LONGEST, LONGEST_PORT, legal, numbered, short
from tests.backends.graphs import mlp
from tests.backends.test_vivado import generated, needs_tclsh, run
from tests.netbuild import Net

LONG = "model/backbone/stage_three/block_twelve/residual_branch/conv_" * 4
HOSTILE = [
    "class", "signal", "Signal", "x", "X", "", "a.b/c:0", "$x; exit 1", "[exec rm]", "入力", "出力", "in", "out", "1st", "__", "_x_",
    "ap_clk", "ap_rst_n", "frames", "None", "lambda", "x\ny", '"', "\\", "é", LONG + "a", LONG + "b",
]  # fmt: skip


def fit(name, limit=LONGEST):
    """Whether C++, Verilog, VHDL (which knows no case and no double underscore), Tcl and Python take a name as it is."""
    return (
        re.fullmatch(r"[A-Za-z][A-Za-z0-9]*(_[A-Za-z0-9]+)*", name) is not None
        and len(name) <= limit
        and name.lower() not in _HDL
        and name not in _CPP
        and not keyword.iskeyword(name)
    )


def renamed(model, names):
    """The model with tensors renamed everywhere."""
    for node in model.graph.node:
        node.input[:] = [names.get(n, n) for n in node.input]
        node.output[:] = [names.get(n, n) for n in node.output]
    for value in (*model.graph.input, *model.graph.output):
        value.name = names.get(value.name, value.name)
    return model


def joined():
    """Two inputs, three outputs: two made of one tensor, and one of another."""
    net = Net([1, 4], seed=3)
    other = net.input("b", [1, 4])
    x, y = net.quant(net.x, 0.25, bits=4), net.quant(other, 0.25, bits=3)
    first = net.quant(net.op("Relu", net.linear(x, 4, 6)), 0.5, bits=4, signed=False)
    second = net.linear(net.quant(net.op("Add", first, net.quant(net.linear(y, 4, 6), 0.5)), 0.5), 6, 3)
    logits = net.linear(first, 6, 5)
    model = net.model(logits)
    for name, size in ((net.op("Softmax", logits, axis=1), 5), (second, 3)):
        model.graph.output.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1, size]))
    del model.graph.node[:]
    model.graph.node.extend(net.nodes)
    outputs = [o.name for o in model.graph.output]
    return model, ["x", "b"], outputs


def test_ports_bear_the_names_of_the_models_inputs_and_outputs(tmp_path):
    model, inputs, outputs = joined()
    renamed(model, dict(zip(outputs, ("logits", "probabilities", "aux"), strict=True)) | {"x": "left", "b": "right"})
    design = flowc.build(model, target="pynq-z2", output=tmp_path / "out", verify=False)
    graph = design.graph
    assert {p.name for p in boundary(graph)} == {"in_left", "in_right", "out_logits", "out_aux"}
    assert {u.name for u in (*graph.inputs, *graph.outputs)} == {p.name for p in boundary(graph)}
    top = (tmp_path / "out" / "hls" / "top.cpp").read_text()
    system = (tmp_path / "out" / "vivado" / "system.tcl").read_text()
    for name in ("in_left", "out_aux"):
        assert f"mode = axis port = {name}\n" in top
        assert f"accelerator/{name}]" in system
        assert f" dma_{name}\n" in system
    x = design.samples(3, 0)
    assert set(x) == {"left", "right"}
    assert list(design.run(x)) == ["logits", "probabilities", "aux"]


def test_a_passed_or_shared_tensor_gets_a_name_of_its_own():
    net = Net([1, 4], seed=1)
    a, b = net.quant(net.x, 0.25, bits=4), net.quant(net.x, 0.5, bits=2)
    design = flowc.build(net.model(net.op("Mul", net.linear(a, 4, 3), net.linear(b, 4, 3))), target="pynq-z2")
    assert [u.name for u in design.graph.inputs] == ["in_x", "in_x_2"]
    (output,) = design.outputs
    assert [u.name for u in design.graph.outputs] == [f"out_{output}", f"out_{output}_2"]


@pytest.mark.parametrize("first", range(0, len(HOSTILE) - 1, 9))
def test_hostile_names_reach_no_language(tmp_path, first):
    """Every name of a list, as input and as output, through allocation, HLS, RTL, Tcl and the driver's description."""
    names = HOSTILE[first : first + 9]
    single = mlp()
    units, streams = [], []
    low = Lowering(LONG, {})
    for name in names:
        x, y = (low.unique(port_hint(k, name), LONGEST_PORT) for k in ("in", "out"))
        fc = low.unique(f"{name}/MatMul")
        units += [single["x"].with_(name=x), single["fc"].with_(name=fc, memory="stream"), single["y"].with_(name=y)]
        streams += [Stream(x, fc), Stream(fc, y)]
    graph = Dataflow(LONG, units, streams)
    given = name_design(graph)
    ports = boundary(graph)
    assert all(p.name in {u.name for u in units} for p in ports)  # nothing had to be renamed again
    assert all(fit(p.name, LONGEST_PORT) for p in (*ports, *weight_ports(graph)))
    assert all(fit(n) for n in (given.top, *(p.reader for p in weight_ports(graph))))
    # No module or variable bears a layer's name alone, but for the C++ function.
    assert all(fit(f"u_{n}", LONGEST + 2) and n not in _CPP for n in given.layers.values())
    every = [p.name.lower() for p in (*ports, *weight_ports(graph))]
    assert len(set(every)) == len(every)

    generate(graph, tmp_path / "hls", part="xc7z020clg400-1", clock_mhz=100, header="A test")
    code = "\n".join(f.read_text() for f in (tmp_path / "hls").rglob("*.cpp"))
    assert all(len(name) <= LONGEST for name in re.findall(r"^void (?:layers::)?(\w+)\(", code, re.MULTILINE))
    assert max(len(f.stem) for f in (tmp_path / "hls").rglob("*")) <= LONGEST
    generate_rtl(graph, tmp_path / "rtl", header="A test")
    text = (tmp_path / "rtl" / f"{given.top}.sv").read_text()
    assert re.search(rf"^module {given.top} \(", text, re.MULTILINE)
    code = "\n".join(f.read_text() for f in (tmp_path / "rtl").rglob("*.sv"))
    assert all(len(name) <= LONGEST for name in re.findall(r"^module (\w+)", code, re.MULTILINE))


@needs_tclsh
def test_cells_of_the_block_design_are_short_and_apart(tmp_path):
    target = load_target("pynq-z2")
    units, streams = [], []
    for i in range(3):
        parts = mlp(seed=i)
        x, fc, y = (f"{kind}_{LONG}{i}".replace("/", "_") for kind in ("in", "fc", "out"))
        units += [parts["x"].with_(name=x), parts["fc"].with_(name=fc, memory="stream"), parts["y"].with_(name=y)]
        streams += [Stream(x, fc), Stream(fc, y)]
    out = generated(tmp_path, Dataflow(LONG, units, streams), target)
    code, err, _, calls = run(out, boards=target.board_part)
    assert (code, err) == (0, "")
    cells = [call[-1] for call in calls if call[0] == "create_bd_cell"]
    assert len({c.lower() for c in cells}) == len(cells) > 20
    assert all(fit(cell) or cell in ("frames", "control", "ps") for cell in cells)


@pytest.mark.slow
def test_hostile_names_in_verilator(tmp_path):
    """A design with ports and layers of such names, from ONNX, as SystemVerilog: the names must be ones."""
    model, inputs, outputs = joined()
    names = dict(zip((*inputs, *outputs), ("signal", "$[exec x]", LONG, "出力", "begin"), strict=True))
    design = flowc.build(renamed(model, names), target="pynq-z2", backend="rtl", output=tmp_path / "out", verify=False)
    graph = design.graph
    frames = design.to_ports(design.run_head(design.samples(2, 0)))
    binary = simulate.compile(tmp_path / "out" / "rtl", graph, quick=True)
    seen = simulate.run(binary, graph, [frames[u.name] for u in graph.inputs])
    expected = emulate(graph, frames)
    assert all(np.array_equal(seen.frames[u.name], expected[u.name]) for u in graph.outputs)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.text(max_size=90), max_size=8), st.sampled_from([LONGEST, LONGEST_PORT]))
def test_short_names_are_legal_short_and_apart(texts, limit):
    low = Lowering("n", {})
    names = [low.unique(f"in_{text}", limit) for text in texts]
    assert len({n.lower() for n in names}) == len(names)
    for text, name in zip(texts, names, strict=True):
        assert re.fullmatch(r"[A-Za-z][A-Za-z0-9]*(_[A-Za-z0-9]+)*", name)
        assert len(name) <= limit
        if re.fullmatch(r"[A-Za-z0-9]{1,20}", text) and sum(t.lower() == text.lower() for t in texts) == 1:
            assert name.startswith(f"in_{text}")


def test_a_short_name_keeps_begin_and_end():
    name = legal("/features/stage3/block12/conv2/weight_quant/Quant")
    found = short(name)
    assert len(found) <= LONGEST
    assert found.startswith("features_s")
    assert found.endswith("weight_quant_Quant"[-15:])
    assert found == short(name)
    assert found != short(name.replace("block12", "block13"))
    assert (numbered("conv", 1), numbered("conv", 2)) == ("conv", "conv_2")
    assert len(numbered(name, 12)) <= LONGEST
    assert numbered(name, 12).endswith("_12")
    assert legal("") == "unit"
    assert legal("入力") != legal("出力")
    assert len(top_name(LONG)) <= LONGEST
