"""A region: everything elementwise between integer tensors and the value it ends in.

Between two integer tensors the model computes in float32, per channel and elementwise. A `Region` gathers those
operations (backwards from a value) and evaluates them on integers: the definition from which thresholds, tables and
requantizers are made. A *parameter set* is one combination of the constants: one per channel as a rule, one in all where no
constant varies.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_ir as ir

from flowc.exact import ops
from flowc.model.ir import DOMAIN, array_of, is_op, label, shape_of
from flowc.model.quantizers import dequantize
from flowc.units.base import Array

__all__ = ["NOT_A_NUMBER", "NO_LEVEL", "Blocked", "Region", "Step", "compress", "constant_of"]

NOT_A_NUMBER = (
    "it is not a number (NaN) for integers that can occur; keep what goes into it where it is defined, for instance by a ReLU, a Clip "
    "or an unsigned quantizer in front of it (Brevitas: QuantReLU)"
)
"""What is said of a square root, a logarithm or a division that meets values outside of its domain."""

NO_LEVEL = np.float32(-(2.0**31))
"""What stands for a result that is no number where floats were given."""


class Blocked(Exception):
    """A region can't be gathered: ``node`` (or None for the graph input ``value``) is in the way, and why."""

    def __init__(self, value: ir.Value, reason: str) -> None:
        super().__init__(reason)
        self.value = value
        self.reason = reason


def constant_of(value: ir.Value | None) -> Array | None:
    """The float array of a constant or of a dequantized constant; None for anything else."""
    direct = array_of(value)
    if direct is not None or value is None:
        return direct
    node = value.producer()
    if node is not None and is_op(node, "Dequantize", DOMAIN):
        args = [array_of(i) for i in node.inputs]
        q, scale, zero = args
        if q is not None and scale is not None and zero is not None:
            return dequantize(q, scale, zero)
    return None


def compress(array: Array) -> Array:
    """The smallest array that still broadcasts to ``array``: axes along which it is constant get length 1."""
    for axis, size in enumerate(array.shape):
        if size > 1:
            first = array.take([0], axis)
            if (array == first).all():
                array = first
    return array


@dataclass(frozen=True, eq=False)
class Step:
    """One operation of a region with its inputs and output (kept here: the node itself may leave the graph)."""

    node: ir.Node
    inputs: tuple[ir.Value | None, ...]
    output: ir.Value


@dataclass(frozen=True, eq=False)
class _Operation:
    """A step as it is evaluated: a function of ``inputs``, which are values, or constants computed from constants."""

    node: ir.Node
    run: ops.Function
    inputs: tuple[Hashable | None, ...]
    output: ir.Value


class Region:
    """The elementwise operations that lead from integer tensors (the *leaves*, through Dequantize) to ``output``.

    Attributes:
        output: the value that the region computes.
        leaves: the integer tensors it depends on, in the order met.
        steps: its operations in topological order (Dequantize nodes of the leaves included); nodes: the same, bare.
        axes: axes of the output along which any constant varies.
        sets: number of parameter sets (the product of the lengths of ``axes``).
    Raises on construction:
        Blocked: an operation that is not elementwise, or a tensor that is not integer, lies in the way.
    """

    def __init__(self, output: ir.Value, ranges: Mapping[ir.Value, tuple[Array, Array]] | None = None) -> None:
        self.output = output
        self.shape = shape_of(output)
        self.leaves: list[ir.Value] = []
        self.dequantizers: dict[ir.Value, tuple[ir.Value, ir.Value, ir.Value]] = {}
        self.steps: list[Step] = []
        self._constants: dict[ir.Value, Array] = {}
        self._seen: set[ir.Value] = set()
        self._gather(output)
        self.nodes = [s.node for s in self.steps]
        self.by_runtime = any(ops.left_open(n) for n in self.nodes)
        self._place_constants(ranges or {})

    def _gather(self, output: ir.Value) -> None:
        stack: list[tuple[ir.Value, bool]] = [(output, False)]
        while stack:
            value, done = stack.pop()
            node = value.producer()
            if done:
                assert node is not None
                self.steps.append(Step(node, tuple(node.inputs), value))
                continue
            if value in self._seen:
                continue
            self._seen.add(value)
            constant = constant_of(value)
            if constant is not None:
                self._constants[value] = constant
                continue
            if node is None:
                raise Blocked(
                    value,
                    f"the graph input '{value.name}' is not quantized; quantize it (Brevitas: QuantIdentity), or give --input-type",
                )
            if is_op(node, "Dequantize", DOMAIN):
                leaf = node.inputs[0]
                assert leaf is not None
                if leaf not in self.leaves:
                    self.leaves.append(leaf)
                scale, zero = node.inputs[1:3]
                assert scale is not None
                assert zero is not None
                self.dequantizers.setdefault(value, (leaf, scale, zero))
                self._constants.update({v: a for v in (scale, zero) if (a := array_of(v)) is not None})
                self.steps.append(Step(node, tuple(node.inputs), value))
                continue
            if (node.domain == DOMAIN and value is not output) or not ops.is_elementwise(node):
                raise Blocked(value, f"{node.op_type} '{label(node)}' is not elementwise")
            stack.append((value, True))
            stack.extend((i, False) for i in node.inputs if i is not None)

    def _aligned(self, array: Array, vector_axis: bool) -> Array:
        rank = len(self.shape)
        if vector_axis:
            return array.reshape([1, -1] + [1] * (rank - 2))
        return array.reshape([1] * (rank - array.ndim) + list(array.shape)) if array.ndim <= rank else array

    def _place_constants(self, ranges: Mapping[ir.Value, tuple[Array, Array]]) -> None:
        aligned: dict[ir.Value, Array] = {}
        for step in self.steps:
            for i, value in enumerate(step.inputs):
                if value is not None and value in self._constants:
                    array = self._aligned(self._constants[value], ops.axis_aligned(step.node, i))
                    if array.ndim > len(self.shape):
                        raise Blocked(
                            self.output,
                            f"constant '{value.name}' has more dimensions than the tensor; export it with as many or fewer",
                        )
                    aligned[value] = compress(array)
        self._limits = {}
        for leaf in self.leaves:
            if shape_of(leaf) != self.shape:
                raise Blocked(
                    leaf,
                    f"'{leaf.name}' of shape {shape_of(leaf)} is broadcast to {self.shape}; expand it in the model (torch: .expand)",
                )
            if leaf in ranges:
                lo, hi = (self._aligned(np.asarray(a), False) for a in ranges[leaf])
                self._limits[leaf] = (lo, hi)
        arrays = [*aligned.values(), *(a for pair in self._limits.values() for a in pair)]
        varying = [any(a.shape[axis] > 1 for a in arrays) for axis in range(len(self.shape))]
        self.axes = tuple(axis for axis, v in enumerate(varying) if v)
        self._sets_shape = tuple(self.shape[axis] if v else 1 for axis, v in enumerate(varying))
        self.sets = int(np.prod(self._sets_shape)) if self._sets_shape else 1
        self._sets = {value: self.as_sets(array) for value, array in aligned.items()}
        self._prepare()

    def as_sets(self, array: Array) -> Array:
        """An array aligned with the output (full rank, or of one element) as (sets or 1, 1)."""
        if array.size == 1:
            return array.reshape(1, 1)
        if array.shape != self._sets_shape:
            array = np.broadcast_to(array, self._sets_shape)
        return array.reshape(-1, 1)

    def limits(self, leaf: ir.Value) -> tuple[Array, Array]:
        """Integer range of a leaf per parameter set: two int64 arrays (sets,)."""
        lo, hi = (self.as_sets(a)[:, 0].astype(np.int64) for a in self._limits[leaf])
        return np.broadcast_to(lo, (self.sets,)), np.broadcast_to(hi, (self.sets,))

    @property
    def nudges(self) -> tuple[int, ...]:
        """What ``nudge`` of `evaluate` to try for all that a runtime may compute."""
        return (-1, 1) if self.by_runtime else (0,)

    @property
    def constants(self) -> Mapping[ir.Value, Array]:
        """All constant inputs, each (sets or 1, 1)."""
        return self._sets

    def constant(self, value: ir.Value) -> Array:
        """A constant input as (sets or 1, 1)."""
        return self._sets[value]

    def scale(self, leaf_float: ir.Value) -> tuple[Array, Array]:
        """Scale and zero point of a Dequantize output in this region, each (sets or 1, 1)."""
        _, scale, zero = self.dequantizers[leaf_float]
        return self._sets[scale], self._sets[zero]

    def dequantized(self, leaf: ir.Value) -> list[ir.Value]:
        """The Dequantize outputs of a leaf (as a rule one)."""
        return [v for v, (source, _, _) in self.dequantizers.items() if source is leaf]

    def evaluate(
        self,
        integers: Mapping[ir.Value, Array],
        floats: Mapping[ir.Value, Array] | None = None,
        rows: slice | Array | None = None,
        nudge: int = 0,
        of: ir.Value | None = None,
    ) -> Array:
        """The region's float32 output, or another float of it.

        Args:
            integers: integer values of the leaves, (sets or 1, n).
            floats: float32 values to take for some intermediate results instead of computing them (the certificate
                puts perturbed sums here).
            rows: evaluate these parameter sets only: a slice, or an index per row.
            nudge: -1 or +1 moves every result of a function whose last bits are the runtime's choice down or up, by as much
                as is left open.

        Returns:
            float32 (sets or 1, n).

        Raises:
            Blocked: a result is not a number, for integers alone. With ``floats`` given, such an output is -2^31, which is no level, and
                another float stays what it is.
        """
        whole = rows is None or (isinstance(rows, slice) and rows.indices(self.sets) == (0, self.sets, 1))
        known: dict[Any, Array] = {v: a if whole or len(a) == 1 else a[rows] for v, a in self._fixed.items()}
        known.update(integers)
        known.update(floats or {})
        with np.errstate(all="ignore"):
            for operation in self._needed(frozenset(floats or ()), of or self.output):
                args = [None if i is None else known[i] for i in operation.inputs]
                result = operation.run(*args)
                if nudge:
                    result = ops.nudged(operation.node, args, result, nudge)
                known[operation.output] = result
        found = known[of or self.output]
        if np.isnan(found.min(initial=0)):
            if not floats:
                raise Blocked(self.output, NOT_A_NUMBER)
            if of is None:
                found = np.where(np.isnan(found), NO_LEVEL, found)
        return found

    def _prepare(self) -> None:
        """Reads every operation once: its attributes, and what of it follows from constants alone."""
        self._fixed: dict[Any, Array] = dict(self._sets)
        self._operations: list[_Operation] = []
        self._directions: dict[ir.Value, Array | None] = {}
        self._plans: dict[tuple[frozenset[ir.Value], ir.Value], list[_Operation]] = {}
        for step in self.steps:
            parts = ops.split(step.node, [self._sets.get(v) if v is not None else None for v in step.inputs[1:]])
            if parts is None:
                self._operations.append(_Operation(step.node, ops.prepared(step.node), step.inputs, step.output))
                continue
            function, constants = parts
            keys = [(step, i) for i in range(len(constants))]
            self._fixed.update(zip(keys, constants, strict=True))
            self._operations.append(_Operation(step.node, function, (step.inputs[0], *keys), step.output))

    def _needed(self, given: frozenset[ir.Value], output: ir.Value) -> list[_Operation]:
        """The operations that lead from ``given`` values, and from leaves, to ``output``, in order."""
        known = self._plans.get((given, output))
        if known is None:
            wanted: set[Hashable] = {output}
            known = []
            for operation in reversed(self._operations):
                if operation.output in wanted and operation.output not in given:
                    known.append(operation)
                    wanted.update(operation.inputs)
            known.reverse()
            self._plans[given, output] = known
        return known

    def monotone(self, leaf: ir.Value) -> Array | None:
        """+1, 0 or -1 per parameter set: the direction in which the output follows ``leaf``; None where not provable."""
        if leaf not in self._directions:
            self._directions[leaf] = self._direction(leaf)
        return self._directions[leaf]

    def _direction(self, leaf: ir.Value) -> Array | None:
        found: dict[ir.Value, Array | None] = {leaf: np.ones((1, 1))}
        for step in self.steps:
            moving = [i for i, v in enumerate(step.inputs) if v in found]
            if not moving:
                continue
            total: Array | None = None
            for i in moving:
                below = found[step.inputs[i]]  # type: ignore[index]
                constants = [self._sets.get(v) if v is not None and v not in found else None for v in step.inputs]
                own = ops.direction(step.node, constants, i)
                part = None if own is None or below is None else own * below
                if part is None or (total is not None and (total * part < 0).any()):
                    total = None
                    break
                total = part if total is None else np.sign(total + part)
            found[step.output] = total
        return found[self.output]
