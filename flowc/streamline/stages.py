"""The model graph after every pass: kept as ONNX on request, and compared with what it computed before."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir

from flowc.errors import MismatchError
from flowc.model.ir import DOMAIN, is_op
from flowc.model.reference import Reference, expand
from flowc.units.base import Array

__all__ = ["Stages"]

_SAMPLES = 2


@dataclass
class Stages:
    """An observer of passes.

    Attributes:
        keep: remember each stage as a standard ONNX model, for `write`.
        check: execute each stage on random inputs and compare its integer tensors with those of the imported model.
    """

    keep: bool = False
    check: bool = False
    models: list[tuple[str, onnx.ModelProto]] = field(default_factory=list, repr=False)
    _inputs: dict[str, Array] = field(default_factory=dict, repr=False)
    _expected: dict[str, Array] = field(default_factory=dict, repr=False)

    def observe(self, name: str, model: ir.Model) -> None:
        """Called after the import and after every pass that changed the graph.

        Raises:
            MismatchError: the stage computes other integers than the imported model; names the pass and the tensor.
        """
        if self.keep:
            self.models.append((name, expand(model)))
        if self.check:
            self._compare(name, model)

    def _compare(self, name: str, model: ir.Model) -> None:
        if not self._expected:
            reference = Reference(model)
            rng = np.random.default_rng(0)
            self._inputs = {
                n: (rng.random((_SAMPLES, *shape[1:])) * 2 - 0.5).astype(np.float32)
                for n, shape in reference.inputs.items()
            }
            self._expected = reference.run(self._inputs)
            quantized = {n.outputs[0].name for n in model.graph if is_op(n, "Quantize", DOMAIN)}
            self._expected = {n: a for n, a in self._expected.items() if n in quantized}
            return
        alive = {o.name for node in model.graph for o in node.outputs}
        names = [n for n in self._expected if n in alive]
        results = Reference(model, outputs=names).run(self._inputs)
        for tensor in names:
            wrong = int((results[tensor] != self._expected[tensor]).sum())
            if wrong:
                raise MismatchError(
                    f"the pass {name} changed {wrong} of {results[tensor].size} values of the integer tensor '{tensor}'"
                )

    def write(self, directory: Path) -> None:
        """Writes the kept stages as ``NN_pass.onnx``."""
        directory.mkdir(parents=True, exist_ok=True)
        for i, (name, model) in enumerate(self.models):
            onnx.save(model, directory / f"{i:02d}_{name}.onnx")
