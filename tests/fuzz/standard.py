"""A second reference, independent of flowc: every QONNX operator written in standard operators of the model's own opset.

`second_opinion` runs that under onnxruntime and compares integer by integer with the reference that flowc verifies
against, so that a misread model can't pass unnoticed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper

from tests.oracle import run_onnxruntime, with_outputs

__all__ = ["Opinion", "second_opinion", "standard_model"]

Array = npt.NDArray[Any]
_MAGIC = 1.5 * 2.0**23
_NUDGE = 1e-5


@dataclass
class Standard:
    """A model in standard operators; ``integers``: name of integers in flowc's reference -> name here, in graph order."""

    model: onnx.ModelProto
    integers: dict[str, str] = field(default_factory=dict)


class _Writer:
    """Writes one model; `nudge` moves the input of the quantizers named in it by a 1e-5 of its greatest value and of the scale."""

    def __init__(self, model: onnx.ModelProto, nudge: Mapping[str, float]) -> None:
        self.result = onnx.ModelProto()
        self.result.CopyFrom(model)
        self.constants = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
        self.opset = next(o.version for o in model.opset_import if o.domain == "")
        self.nudge = nudge
        del self.result.graph.node[:]
        self.standard = Standard(self.result)
        self._count = 0

    def op(self, op_type: str, inputs: Sequence[str], output: str | None = None, **attributes: Any) -> str:
        self._count += 1
        name = output or f"standard/{self._count}"
        self.result.graph.node.append(helper.make_node(op_type, inputs, [name], **attributes))
        return name

    def const(self, value: float) -> str:
        self._count += 1
        name = f"standard/c{self._count}"
        self.result.graph.initializer.append(numpy_helper.from_array(np.asarray(value, np.float32), name))
        return name

    def floats(self, name: str) -> str:
        """A constant as float32."""
        array = self.constants[name]
        if array.dtype == np.float32:
            return name
        self._count += 1
        copy = f"{name}/{self._count}"
        self.result.graph.initializer.append(numpy_helper.from_array(array.astype(np.float32), copy))
        return copy

    def scalar(self, name: str) -> float:
        return float(self.constants[name].reshape(()))

    def round(self, x: str, mode: str) -> str:
        mode = mode.upper()
        if mode in ("ROUND", "HALF_EVEN"):
            if self.opset >= 11:
                return self.op("Round", [x])
            # Adding 1.5 * 2^23 leaves no bits for a fraction: float addition itself rounds half to even.
            x = self.op("Min", [self.op("Max", [x, self.const(-(2.0**21))]), self.const(2.0**21)])
            return self.op("Sub", [self.op("Add", [x, self.const(_MAGIC)]), self.const(_MAGIC)])
        if mode in ("FLOOR", "CEIL"):
            return self.op(mode.capitalize(), [x])
        size, sign = self.op("Abs", [x]), self.op("Sign", [x])
        if mode == "HALF_UP":
            size = self.op("Floor", [self.op("Add", [size, self.const(0.5)])])
        elif mode == "HALF_DOWN":
            size = self.op("Ceil", [self.op("Sub", [size, self.const(0.5)])])
        else:
            size = self.op({"UP": "Ceil", "DOWN": "Floor"}[mode], [size])
        return self.op("Mul", [sign, size])

    def sign(self, x: str, output: str) -> str:
        """+1 where x >= 0, else -1."""
        shifted = self.op("Add", [self.op("Sign", [x]), self.const(0.5)])
        return self.op("Sign", [shifted], output)

    def clipped(self, v: str, mode: str, bits: int, attributes: Mapping[str, Any], output: str) -> str:
        signed, narrow = attributes["signed"], attributes["narrow"]
        lo = -(2 ** (bits - 1)) + narrow if signed else 0
        hi = 2 ** (bits - 1) - 1 if signed else 2**bits - 1 - narrow
        return self.op("Min", [self.op("Max", [self.round(v, mode), self.const(lo)]), self.const(hi)], output)

    def source(self, node: onnx.NodeProto) -> str:
        """The input of a quantizer, nudged on request."""
        x = node.input[0]
        if node.output[0] not in self.nudge:
            return x
        greatest = self.op("ReduceMax", [self.op("Abs", [x])], keepdims=0)
        # Sums that cancel are all zero but for their rounding: the scale says what is little.
        scale = self.op("ReduceMax", [self.op("Abs", [self.floats(node.input[1])])], keepdims=0)
        greatest = self.op("Add", [greatest, scale])
        return self.op("Add", [x, self.op("Mul", [greatest, self.const(self.nudge[node.output[0]] * _NUDGE)])])

    def quantizer(self, node: onnx.NodeProto) -> None:
        """Quant, BipolarQuant or Trunc, its integers under the name <output>/q."""
        attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        mode = attributes.get("rounding_mode", b"ROUND").decode()
        y, x = node.output[0], self.source(node)
        q = f"{y}/q"
        self.standard.integers[q] = q
        if node.op_type == "BipolarQuant":
            self.op("Mul", [self.sign(x, q), node.input[1]], y)
            return
        scale, zero = self.floats(node.input[1]), self.floats(node.input[2])
        v = self.op("Add", [self.op("Div", [x, scale]), zero])
        if node.op_type == "Trunc":
            self._trunc(node, self.op("Round", [v]) if self.opset >= 11 else self.round(v, "ROUND"), mode, attributes)
            return
        bits = int(self.scalar(node.input[3]))
        if bits == 1 and attributes["signed"]:
            self.sign(v, q)
        else:
            self.clipped(v, mode, bits, attributes, q)
        self.op("Mul", [self.op("Sub", [q, zero]), scale], y)

    def _trunc(self, node: onnx.NodeProto, v: str, mode: str, attributes: Mapping[str, Any]) -> None:
        y, zero = node.output[0], self.scalar(node.input[2])
        q = f"{y}/q"
        if len(node.input) == 5:
            divisor = 2.0 ** (self.scalar(node.input[3]) - self.scalar(node.input[4]))
            self.op("Identity", [self.round(self.op("Div", [v, self.const(divisor)]), mode)], q)
            self.op("Mul", [self.op("Sub", [q, self.const(zero)]), self.floats(node.input[1])], y)
            return
        divisor = 2.0 ** np.rint(np.log2(self.scalar(node.input[4]) / self.scalar(node.input[1])))
        v = self.op("Div", [v, self.const(divisor)])
        self.clipped(v, mode, int(self.scalar(node.input[5])), attributes, q)
        self.op("Mul", [self.op("Sub", [q, self.const(zero / divisor)]), self.floats(node.input[4])], y)

    def linear(self, node: onnx.NodeProto, readers: Sequence[onnx.NodeProto]) -> None:
        """QuantizeLinear, whose integers may be those of the Clip behind it."""
        copy = onnx.NodeProto()
        copy.CopyFrom(node)
        copy.input[0] = self.source(node)
        self.result.graph.node.append(copy)
        clipped = len(readers) == 1 and readers[0].op_type == "Clip"
        self.standard.integers[f"{node.output[0]}/q"] = readers[0].output[0] if clipped else node.output[0]


def standard_model(model: onnx.ModelProto, nudge: Mapping[str, float] | None = None) -> Standard:
    """`model` with every QONNX operator written out by hand."""
    writer = _Writer(model, nudge or {})
    constant = set(writer.constants)
    for node in model.graph.node:
        if all(name in constant for name in node.input if name):
            constant.update(node.output)
        if node.domain:
            writer.quantizer(node)
        elif node.op_type == "QuantizeLinear":
            writer.linear(node, [n for n in model.graph.node if node.output[0] in n.input])
        else:
            writer.result.graph.node.append(node)
    standard = writer.standard
    for name in [n for n in standard.integers if n.removesuffix("/q") in constant]:
        del standard.integers[name]
    kept = [o for o in model.opset_import if o.domain == ""]
    del standard.model.opset_import[:]
    standard.model.opset_import.extend(kept)
    return standard


@dataclass
class Opinion:
    """What a second look found.

    Attributes:
        values: integers compared.
        on_edge: integers that differ where the float sum lies within rounding of an edge between two levels.
        wrong: tensors or outputs that differ for no such reason.
        worst_output: greatest difference of a float output, relative to its size; 0 after integers that differ.
    """

    values: int = 0
    on_edge: int = 0
    wrong: list[str] = field(default_factory=list)
    worst_output: float = 0.0


def second_opinion(
    model: onnx.ModelProto, inputs: Mapping[str, Array], reference: Sequence[Mapping[str, Array]]
) -> Opinion:
    """Compares the outputs of flowc's reference (one mapping per sample) with `model` in its hand-written standard form.

    After the first tensor of a sample that differs, later ones are not compared: they have other inputs.
    """
    standard = standard_model(model)
    outputs = [o.name for o in model.graph.output]
    found = run_onnxruntime(with_outputs(standard.model, list(standard.integers.values())), dict(inputs))
    opinion = Opinion()
    for index, expected in enumerate(reference):
        same = True
        for name, here in standard.integers.items():
            if name not in expected or not same:
                continue
            ours, theirs = found[here][index].astype(np.float64), expected[name][0].astype(np.float64)
            opinion.values += ours.size
            wrong = ours != theirs
            if wrong.any():
                same = False
                edge = _edges(model, {n: a[index : index + 1] for n, a in inputs.items()}, name)
                opinion.on_edge += int((wrong & edge).sum())
                if (wrong & ~edge).any():
                    opinion.wrong.append(name)
        for name in outputs if same else []:
            ours, theirs = found[name][index : index + 1].astype(np.float64), expected[name].astype(np.float64)
            if ours.shape != theirs.shape:
                opinion.wrong.append(f"{name}: shape {theirs.shape} instead of {ours.shape}")
                continue
            picks = [n for n in model.graph.node if n.op_type == "ArgMax" and n.output[0] == name]
            if picks and (ours != theirs).any():
                sample = {n: a[index : index + 1] for n, a in inputs.items()}
                tied = _tied(standard.model, picks[0], sample, ours, theirs)
                opinion.on_edge += int(tied.sum())
                theirs = np.where(tied, ours, theirs)
            difference = float(np.abs(ours - theirs).max(initial=0)) / max(1.0, float(np.abs(ours).max(initial=0)))
            opinion.worst_output = max(opinion.worst_output, difference)
    return opinion


def _tied(model: onnx.ModelProto, pick: onnx.NodeProto, sample: dict[str, Array], ours: Array, theirs: Array) -> Array:
    """Where the entries that two ArgMax results point at are the same but for rounding."""
    values = run_onnxruntime(with_outputs(model, [pick.input[0]]), sample)[pick.input[0]]
    attributes = {a.name: helper.get_attribute_value(a) for a in pick.attribute}
    axis = attributes.get("axis", 0)
    picked = []
    for index in (ours, theirs):
        full = index if attributes.get("keepdims", 1) else np.expand_dims(index, axis)
        picked.append(np.take_along_axis(values, full.astype(np.int64), axis).reshape(index.shape))
    return np.asarray((ours != theirs) & (np.abs(picked[0] - picked[1]) <= _NUDGE * np.abs(values).max()))


def _edges(model: onnx.ModelProto, sample: dict[str, Array], name: str) -> Array:
    """Where the integers `name` change when the quantizer's input moves by a rounding error."""
    sides = []
    for sign in (-1.0, 1.0):
        standard = standard_model(model, {name.removesuffix("/q"): sign})
        here = standard.integers[name]
        sides.append(run_onnxruntime(with_outputs(standard.model, [here]), sample)[here][0])
    return np.asarray(sides[0] != sides[1])
