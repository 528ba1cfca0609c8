"""What every execution style shares: the host's parts, how tensors lie on streams, the reference; and the plan between."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx

from flowc.design.plan import Plan
from flowc.errors import DamagedError, MismatchError, UsageError, shown
from flowc.exact.sums import FloatSum
from flowc.files.npz import InputSpec, check_inputs
from flowc.model.host import HostGraph
from flowc.streamline.compile import TensorInfo
from flowc.targets import Target
from flowc.units.base import Array
from flowc.units.graph import Dataflow

__all__ = ["Assembly"]


@dataclass(eq=False)
class Assembly:
    """A network ready to run: a plan for its integers, and what stands around it.

    Attributes:
        plan: how the integer part runs on the target.
        head, tail: float parts run on the host by onnxruntime; None where there are none.
        tensors: integer tensors of the reference, by name, and how each lies on its stream.
        ports: the same for the tensors of the input and output ports, by port name.
        inputs, outputs: the model's, by name.
        accumulators: last integer tensors and their float form in the reference.
        sums: the same for what activations are applied to, each under the name of the activation's result.
        reference: the reference as a standard ONNX model (see docs/exactness.md).
        windows: tensor -> (low, high) int64 (P, K): accumulators in [low, high) are ambiguous; P is 1, the channels of its stream, or all
            elements of a frame.
        argmax_slack: argmax result -> int64 (C or 1,): channels closer than the sum of theirs are a tie that the model leaves open.
        sampling: model input -> (least, greatest, step): the values that verification draws.
    """

    plan: Plan
    head: HostGraph | None
    tail: HostGraph | None
    tensors: dict[str, TensorInfo]
    ports: dict[str, TensorInfo]
    inputs: dict[str, InputSpec]
    outputs: dict[str, np.dtype[Any]]
    accumulators: list[FloatSum]
    sums: list[FloatSum]
    reference: onnx.ModelProto
    windows: dict[str, tuple[Array, Array]]
    argmax_slack: dict[str, Array]
    sampling: dict[str, tuple[float, float, float | None]]

    @property
    def graph(self) -> Dataflow:
        """Units and streams of the plan."""
        return self.plan.graph

    @property
    def target(self) -> Target:
        """The board."""
        return self.plan.target

    def as_inputs(self, x: Array | Mapping[str, Array]) -> dict[str, Array]:
        """``x`` by input name, checked."""
        if not isinstance(x, Mapping):
            if len(self.inputs) != 1:
                raise UsageError(
                    f"the model has the inputs {', '.join(map(shown, self.inputs))}", remedy="Give a dict of arrays"
                )
            x = {next(iter(self.inputs)): np.asarray(x)}
        elif len(self.inputs) == 1 and set(x) == {"x"}:
            x = {next(iter(self.inputs)): x["x"]}
        check_inputs(x, self.inputs)
        return {n: x[n] for n in self.inputs}

    def run_all(self, inputs: Mapping[str, Array], *, emulator: str | None = None) -> dict[str, Array]:
        """Outputs by name for checked inputs; ``emulator`` as in `Plan.run`."""
        heads = self.run_head(inputs)
        integers = self.from_ports(self.plan.run(self.to_ports(heads), emulator=emulator))
        return self.finish(inputs, heads, integers)

    def run_head(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Integer tensors that the host gives to the accelerator (and straight to the tail)."""
        return {} if self.head is None else self.head.run(inputs)

    def to_ports(self, integers: Mapping[str, Array]) -> dict[str, Array]:
        """Integer tensors by name -> frames by input port."""
        frames = {}
        for unit in self.graph.inputs:
            given = integers[unit.tensor]
            if given.size != len(given) * unit.frame.elements:
                raise DamagedError(f"what the host makes of '{shown(unit.tensor)}' has the shape {given.shape[1:]}")
            if given.dtype.kind == "f" and not np.isfinite(given).all():
                raise MismatchError(f"what the host makes of '{shown(unit.tensor)}' is infinite, or no number")
            frames[unit.name] = self.ports[unit.name].to_stream(given, unit.frame.shape)
        return frames

    def from_ports(self, frames: Mapping[str, Array]) -> dict[str, Array]:
        """Frames by output port -> integer tensors (N, *shape with batch 1) by name."""
        return {u.tensor: self.ports[u.name].from_stream(frames[u.name]) for u in self.graph.outputs}

    def finish(
        self, inputs: Mapping[str, Array], heads: Mapping[str, Array], integers: Mapping[str, Array]
    ) -> dict[str, Array]:
        """The model's outputs from the accelerator's."""
        results = {} if self.tail is None else self.tail.run({**inputs, **heads, **integers})
        outputs = {}
        for name, dtype in self.outputs.items():
            if name in results:
                outputs[name] = results[name]
                continue
            stacked = integers[name] if name in integers else heads[name]
            shape = stacked.shape[1:]
            outputs[name] = stacked.reshape(-1, *shape[1:]).astype(dtype) if shape else stacked.astype(dtype)
        return outputs

    def samples(self, count: int, seed: int) -> dict[str, Array]:
        """Random inputs over the range that the first quantizers cover."""
        rng = np.random.default_rng(seed)
        arrays = {}
        for name, spec in self.inputs.items():
            lo, hi, step = self.sampling.get(name, (0.0, 1.0, None))
            shape = (count, *spec.shape)
            if np.dtype(spec.dtype).kind in "iu":
                arrays[name] = rng.integers(int(lo), int(hi), shape, dtype=spec.dtype, endpoint=True)
            else:
                drawn = (
                    rng.uniform(lo, hi, shape)
                    if step is None
                    else rng.integers(0, round((hi - lo) / step), shape, endpoint=True) * step + lo
                )
                ends = np.finfo(spec.dtype)
                arrays[name] = drawn.clip(ends.min, ends.max).astype(spec.dtype)
        return arrays
