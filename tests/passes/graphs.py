"""Running passes on models and comparing what the graph computes before and after, under onnxruntime."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx
import onnx_ir as ir

import flowc.model.expansions  # noqa: F401
from flowc.importer import load_model
from flowc.model.ir import remove_dead
from flowc.model.reference import Reference
from flowc.passes.base import ModelPass
from flowc.units.base import Array


def random_inputs(model: ir.Model, samples: int = 3, seed: int = 0) -> dict[str, Array]:
    """Floats that spread over the range of a quantizer of a few bits."""
    rng = np.random.default_rng(seed)
    arrays = {}
    for value in model.graph.inputs:
        shape = tuple(int(d) for d in value.shape.numpy())  # type: ignore[union-attr]
        arrays[value.name or ""] = rng.normal(0, 1.2, (samples, *shape[1:])).astype(np.float32)
    return arrays


def alive(model: ir.Model) -> set[str]:
    return {o.name or "" for node in model.graph for o in node.outputs}


def run(model: ir.Model, names: set[str], inputs: Mapping[str, Array]) -> dict[str, Array]:
    """The model's outputs and the tensors ``names`` that exist."""
    return Reference(model, outputs=sorted(names & alive(model))).run(inputs)


def same_before_and_after(model: ir.Model | onnx.ModelProto, *passes: ModelPass, integers: bool = True) -> ir.Model:
    """Runs the passes; every integer tensor and output must come out as before. Returns the changed model.

    Args:
        integers: float outputs may differ by float32 rounding; the integers are equal in any case.
    """
    imported = load_model(model) if isinstance(model, onnx.ModelProto) else model
    inputs = random_inputs(imported)
    quantized = {n.outputs[0].name or "" for n in imported.graph if n.op_type == "Quantize"}
    before = run(imported, quantized, inputs)
    for step in passes:
        step.changed = step(imported).modified
        remove_dead(imported.graph)
    after = run(imported, quantized, inputs)
    outputs = {v.name for v in imported.graph.outputs}
    for name, values in before.items():
        if name in quantized and name in after:
            np.testing.assert_array_equal(after[name], values, err_msg=name)
        elif name in outputs:
            np.testing.assert_allclose(
                after[name], values, rtol=2e-5, atol=1e-5 * max(1.0, float(np.abs(values).max())), err_msg=name
            )
    return imported


def operators(model: ir.Model) -> list[str]:
    """Operators of the graph in order."""
    return [n.op_type for n in model.graph]


def only(model: ir.Model, op: str) -> ir.Node:
    """The one node of an operator."""
    (node,) = [n for n in model.graph if n.op_type == op]
    return node
