"""Helpers on onnx-ir: names stay unique, graph outputs keep theirs, origins are carried along."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest

from flowc.errors import ModelError
from flowc.model import ir as fir


@pytest.fixture
def graph() -> ir.Graph:
    """x -> Relu -> h -> Neg -> y"""
    x = ir.Value(name="x", shape=ir.Shape([1, 3]), type=ir.TensorType(ir.DataType.FLOAT))
    nodes = []
    value = x
    for op, name in (("Relu", "h"), ("Neg", "y")):
        node = ir.node(op, [value], name=f"node_{name}")
        value = node.outputs[0]
        value.name, value.shape, value.dtype = name, ir.Shape([1, 3]), ir.DataType.FLOAT
        node.metadata_props[fir.ORIGIN] = name
        nodes.append(node)
    return ir.Graph([x], [value], nodes=nodes, opset_imports={"": 20})


def ops(graph: ir.Graph) -> list[str]:
    return [n.op_type for n in graph]


def test_fresh_names_never_collide(graph: ir.Graph) -> None:
    editor = fir.Editor(graph)
    names = [editor.fresh("h") for _ in range(3)] + [editor.fresh("new"), editor.fresh("new")]
    assert len({*names, "h", "x", "y"}) == 8


def test_insert_carries_the_origin(graph: ir.Graph) -> None:
    editor = fir.Editor(graph)
    neg = list(graph)[1]
    value = editor.insert(neg, "Abs", [neg.inputs[0]], shape=[1, 3])
    producer = value.producer()
    assert producer is not None
    assert ops(graph) == ["Relu", "Abs", "Neg"]
    assert fir.origins(producer) == ("y",)
    explicit = editor.insert(neg, "Abs", [value], origin=["a\nb", "c;d", "a\nb"], attributes={"k": 1}).producer()
    assert explicit is not None
    assert fir.origins(explicit) == ("a b", "c,d")


def test_replace_keeps_the_name_of_a_graph_output(graph: ir.Graph) -> None:
    editor = fir.Editor(graph)
    neg = list(graph)[1]
    editor.replace(neg, editor.insert(neg, "Abs", [neg.inputs[0]]))
    assert ops(graph) == ["Relu", "Abs"]
    assert graph.outputs[0].name == "y"
    assert fir.shape_of(graph.outputs[0]) == (1, 3)


def test_a_graph_input_that_becomes_the_output_needs_an_identity(graph: ir.Graph) -> None:
    editor = fir.Editor(graph)
    editor.replace(list(graph)[1], graph.inputs[0])
    fir.remove_dead(graph)
    assert ops(graph) == ["Identity"]
    assert [graph.inputs[0].name, graph.outputs[0].name] == ["x", "y"]


def test_constants(graph: ir.Graph) -> None:
    editor = fir.Editor(graph)
    value = editor.constant(np.arange(3, dtype=np.int64), "h")
    assert value.name != "h"
    array = fir.array_of(value)
    assert array is not None
    assert array.tolist() == [0, 1, 2]
    assert fir.array_of(graph.inputs[0]) is None
    assert fir.array_of(None) is None
    fir.remove_dead(graph)
    assert not graph.initializers


def test_remove_dead_keeps_what_outputs_need(graph: ir.Graph) -> None:
    editor = fir.Editor(graph)
    neg = list(graph)[1]
    editor.insert(neg, "Exp", [editor.insert(neg, "Abs", [neg.inputs[0]])])
    fir.remove_dead(graph)
    assert ops(graph) == ["Relu", "Neg"]


def test_attributes_and_their_types() -> None:
    node = ir.node("Op", [], {"i": 3, "f": 0.5, "s": "text", "many": [1, 2]}, name="here")
    assert fir.int_attr(node, "i", 0) == 3
    assert fir.int_attr(node, "none", 7) == 7
    assert fir.float_attr(node, "f", 0.0) == 0.5
    assert fir.str_attr(node, "s", "") == "text"
    assert fir.ints_attr(node, "many") == (1, 2)
    assert fir.ints_attr(node, "none") is None
    with pytest.raises(ModelError, match="node 'here': attribute 'i' of Op is not of type FLOAT"):
        fir.float_attr(node, "i", 0.0)


def test_missing_things() -> None:
    node = ir.node("Op", [None], name="here")
    with pytest.raises(ModelError, match="node 'here': Op lacks its input 0"):
        fir.required(node, 0)
    with pytest.raises(ModelError, match="node 'here': Op lacks its input 5"):
        fir.required(node, 5)
    assert fir.optional(node, 5) is None
    with pytest.raises(ModelError, match="the shape of tensor 'v' is not known"):
        fir.shape_of(ir.Value(name="v", shape=ir.Shape([1, None])))
