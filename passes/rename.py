"""Replacing a node while its output keeps its name: integer tensors are known by name in verification."""

from __future__ import annotations

import onnx_ir as ir

from flowc.model.ir import Editor

__all__ = ["rename"]


def rename(editor: Editor, node: ir.Node, value: ir.Value) -> None:
    """Lets ``value`` stand for the output of ``node`` under that output's name, and drops ``node``."""
    old = node.outputs[0]
    name = old.name
    if old.is_graph_output():
        editor.replace(node, value)
        return
    old.replace_all_uses_with(value)
    editor.drop(node)
    value.name = name
