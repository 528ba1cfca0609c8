"""Compiling a model and comparing the emulated hardware with onnxruntime, integer by integer.

The integers come from `tests.oracle` where that knows the model's quantizers (nothing of flowc is used for them), and from
the reference that the compiler itself writes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import onnx

from flowc.backends import find
from flowc.design.dataflow_plan import DataflowPlan
from flowc.design.design import Design
from flowc.design.verify import Verification, compare
from flowc.model.input_type import InputType
from flowc.streamline.compile import Compiled, compile_model
from flowc.targets import load_target
from flowc.units.base import Array
from tests.oracle import reference_integers


@dataclass(frozen=True, eq=False)
class Checked:
    """A compiled model that agrees with onnxruntime.

    ``compared`` counts the integers that were compared with the independent oracle.
    """

    compiled: Compiled
    design: Design
    found: Verification
    inputs: dict[str, Array]
    compared: int


def design_of(compiled: Compiled) -> Design:
    """A design without folding or target: enough to run and verify."""
    shared = {f.name: getattr(compiled, f.name) for f in fields(Design) if hasattr(compiled, f.name)}
    own = {
        "report": {},
        "sampling": {},
        "plan": DataflowPlan(compiled.graph, load_target("zcu104"), find("hls"), {}),
        "notes": [],
    }
    return Design(**(shared | own))


def inputs_for(compiled: Compiled, samples: int, seed: int = 0, spread: float = 1.2) -> dict[str, Array]:
    """Normally distributed floats, or all integers of the input's dtype."""
    rng = np.random.default_rng(seed)
    arrays: dict[str, Array] = {}
    for name, spec in compiled.inputs.items():
        kind = np.dtype(spec.dtype)
        if kind.kind in "iu":
            info = np.iinfo(kind)
            arrays[name] = rng.integers(info.min, int(info.max) + 1, (samples, *spec.shape)).astype(kind)
        else:
            arrays[name] = rng.normal(0, spread, (samples, *spec.shape)).astype(kind)
    return arrays


def check_model(
    model: onnx.ModelProto, *, samples: int = 4, input_type: InputType | None = None, inputs: Mapping[str, Array] | None = None,
    oracle: bool = True,
) -> Checked:  # fmt: skip
    """Compiles, emulates and compares every integer tensor; any difference that no window holds fails.

    Args:
        oracle: also compare with the model's own quantizers written out by `tests.oracle` (ROUND, FLOOR, CEIL; no Trunc).
    """
    compiled = compile_model(model, input_type=input_type)
    design = design_of(compiled)
    given = dict(inputs) if inputs is not None else inputs_for(compiled, samples)
    found = compare(design, given)
    wrong = {c.tensor: c.mismatches for c in found.tensors.values() if c.mismatches > c.explained}
    assert not wrong, f"integers that differ from onnxruntime: {wrong}"
    assert found.tensors
    assert found.worst_output < 1e-5
    compare_emulators(design, given)
    compared = 0
    if oracle and input_type is None:
        expected = reference_integers(model, given)
        outputs = design.run_all(design.as_inputs(given))
        for name, values in outputs.items():
            wanted = expected[name]
            assert values.shape == wanted.shape
            assert values.dtype == wanted.dtype
            scale = max(1.0, float(np.abs(wanted).max(initial=0)))
            np.testing.assert_allclose(values, wanted, rtol=0, atol=1e-5 * scale)
        compared = _compare_streams(design, given, expected)
    return Checked(compiled, design, found, given, compared)


def compare_emulators(design: Design, inputs: Mapping[str, Array]) -> None:
    """The compiled kernels against numpy: on every stream, each unit alone, and the program as a whole with its fused windows."""
    from flowc.dataflow import native
    from flowc.dataflow.emulator import emulate, unfolded

    graph = unfolded(design.graph)
    frames = design.to_ports(design.run_head(design.as_inputs(inputs)))
    wanted: dict[Any, Array] = {}
    seen = set()

    def record(stream: Any, values: Array) -> Array:
        wanted[stream] = values
        return values

    def check(stream: Any, values: Array) -> Array:
        np.testing.assert_array_equal(values, wanted[stream].reshape(values.shape), err_msg=str(stream))
        seen.add(stream)
        return values

    outputs = emulate(graph, frames, probe=record, emulator="numpy")
    streams = frozenset(graph.streams)
    for found in (
        native.run_probed(graph, frames, check, streams),
        native.run(graph, frames, threads=2),
    ):
        for name, values in outputs.items():
            np.testing.assert_array_equal(found[name], values, err_msg=name)
    assert seen == streams


def _compare_streams(design: Design, inputs: Mapping[str, Array], expected: Mapping[str, Array]) -> int:
    """Every stream that carries a tensor of the oracle, end to end; returns how many integers were compared."""
    from flowc.dataflow.emulator import emulate

    compared = 0

    def probe(stream: Any, frames: Array) -> Array:
        nonlocal compared
        name = stream.tensor
        if name in expected and name in design.tensors:
            info = design.tensors[name]
            values = info.from_stream(frames).reshape(expected[name].shape)
            np.testing.assert_array_equal(values, expected[name], err_msg=name)
            compared += values.size
        return frames

    emulate(design.graph, design.to_ports(design.run_head(inputs)), probe=probe)
    return compared
