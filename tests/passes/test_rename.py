"""A node is exchanged, and its tensor keeps its name."""

from __future__ import annotations

import pytest

from flowc.importer import load_model
from flowc.model.ir import Editor
from flowc.passes.rename import rename
from tests.netbuild import Net


@pytest.mark.parametrize("is_output", [False, True])
def test_the_name_stays(is_output: bool) -> None:
    net = Net([1, 4])
    y = net.relu(net.quant(net.x))
    model = load_model(net.model(y if is_output else net.op("Sigmoid", y)))
    node = next(n for n in model.graph if n.op_type == "Relu")
    editor = Editor(model.graph)
    value = editor.insert(node, "Abs", [node.inputs[0]], shape=[1, 4])
    rename(editor, node, value)
    assert [n.op_type for n in model.graph if n.op_type in ("Relu", "Abs")] == ["Abs"]
    assert value.name == y
    assert value.is_graph_output() == is_output
    assert model.graph.outputs[0].name == (y if is_output else net.nodes[-1].output[0])
