"""`tests.netbuild.Net` with every operator in the form of the net's opset, and quantizers written from a `Grid`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import TensorProto

from tests.fuzz.choices import Array, Choices, Grid, Tensor
from tests.netbuild import Net

DOMAINS = ("qonnx.custom_op.general", "onnx.brevitas", "finn.custom_op.general")


class Writer(Net):
    """A net under construction.

    Attributes:
        choices: what to ask for choices.
        scales: class of its scales, see `of_class`; "mixed" for a new choice each time.
        tags: constructs used so far.
        weights: weight tensors by shape and output axis, to be used again.
        skips: quantized tensors to come back to.
    """

    def __init__(
        self,
        shape: Sequence[int | str],
        choices: Choices,
        *,
        scales: str,
        dialect: str,
        opset: int,
        domain: str,
        seed: int,
    ) -> None:
        super().__init__(shape, dialect=dialect, opset=opset, seed=seed, domain=domain)
        self.choices = choices
        self.scales = scales
        self.tags: set[str] = set()
        self.mixed = dialect == "mixed"
        self._known: dict[Grid, list[str]] = {}
        self.weights: dict[tuple[tuple[int, ...], int], tuple[str, float, Grid | None]] = {}
        self.skips: list[Tensor] = []

    @property
    def exact(self) -> bool:
        """Whether constants should be dyadic, so that half-way ties are hit."""
        return self.scales in ("pow2", "dyadic")

    @property
    def scale_class(self) -> str:
        """The class of the next scale."""
        return self.choices.pick(("pow2", "dyadic", "decimal", "free")) if self.scales == "mixed" else self.scales

    def tag(self, *names: str) -> None:
        """Notes that constructs are used."""
        self.tags.update(names)

    def floats(self, array: npt.ArrayLike, hint: str = "c") -> str:
        """A float constant; on a grid of 1/16 where the net is to be exact."""
        values = np.asarray(array, np.float64)
        return self.const((np.rint(values * 16) / 16 if self.exact else values).astype(np.float32), hint)

    def ints(self, *numbers: int) -> str:
        """An int64 vector as a constant."""
        return self.const(np.asarray(numbers, np.int64))

    # quantizers

    def quantize(self, x: Tensor, grid: Grid, *, shared: bool = False) -> Tensor:
        """`x` through the quantizer `grid`; `shared`: on the same initializers as before."""
        return Tensor(
            self.quantizer(x.name, grid, shared=shared), x.shape, grid.spread, grid, positive=grid.lo >= grid.zero
        )

    def quantizer(self, x: str, grid: Grid, *, shared: bool = False, axis: int = 1) -> str:
        """A quantizer of the net's dialect; one-bit signed ones are always QONNX."""
        self.tag(f"bits{grid.bits}", "signed" if grid.signed else "unsigned", f"rounding {grid.rounding}")
        if grid.narrow:
            self.tag("narrow")
        if grid.zero:
            self.tag("zero point")
        if grid.bipolar:
            self.tag("bipolar")
            if self.choices.chance(80):
                return self.bipolar(x, grid.scale)
            return self._quant(x, grid, shared)
        qonnx = (
            self.dialect == "qonnx"
            or (self.mixed and self.choices.chance(50))
            or grid.bits > 8
            or grid.rounding != "ROUND"
        )
        if qonnx:
            return self._quant(x, grid, shared)
        self.tag("qcdq")
        dialect, self.dialect = self.dialect, "qcdq"
        result = self.quant(x, grid.scale, grid.zero, grid.bits, signed=grid.signed, narrow=grid.narrow, axis=axis)
        self.dialect = dialect
        return result

    def _quant(self, x: str, grid: Grid, shared: bool) -> str:
        if not (shared and grid in self._known):
            zero_type = np.int64 if self.choices.chance(5) else np.float32
            self._known[grid] = [
                self.const(grid.scale, "scale", np.float32),
                self.const(np.asarray(grid.zero), "zero", zero_type),
                self.const(np.asarray(grid.bits), "bits", np.float32),
            ]
        rounding = grid.rounding.lower() if self.choices.chance(10) else grid.rounding
        attributes: dict[str, Any] = {"signed": int(grid.signed), "narrow": int(grid.narrow), "rounding_mode": rounding}
        return self.op("Quant", x, *self._known[grid], domain=self.domain, **attributes)

    # operators whose form depends on the opset

    def clip(self, x: str, lo: float, hi: float) -> str:
        if self.opset < 11:
            return self.op("Clip", x, min=float(lo), max=float(hi))
        return self.op("Clip", x, self.const(np.float32(lo)), self.const(np.float32(hi)))

    def slice(self, x: str, start: int, end: int, axis: int = 1, step: int = 1) -> str:
        """A slice; only from opset 10 on with a step."""
        if self.opset < 10:
            return self.op("Slice", x, starts=[start], ends=[end], axes=[axis])
        steps = [self.ints(step)] if step != 1 else []
        return self.op("Slice", x, self.ints(start), self.ints(end), self.ints(axis), *steps)

    def split(self, x: str, sizes: Sequence[int], axis: int = 1) -> list[str]:
        if self.opset < 13:
            first = self.op("Split", x, outputs=len(sizes), axis=axis, split=list(sizes))
        else:
            first = self.op("Split", x, self.ints(*sizes), outputs=len(sizes), axis=axis)
        return [first, *(f"{first}.{i}" for i in range(1, len(sizes)))]

    def pad(self, x: str, pads: Sequence[int], value: float = 0.0) -> str:
        if self.opset < 11:
            return self.op("Pad", x, pads=list(pads), value=float(value), mode="constant")
        return self.op("Pad", x, self.ints(*pads), self.const(np.float32(value)), mode="constant")

    def upsample(self, x: str, factors: Sequence[int]) -> str:
        scales = self.const(np.asarray([1, 1, *factors], np.float32))
        if self.opset < 10:
            return self.op("Upsample", x, scales, mode="nearest")
        if self.opset < 11:
            return self.op("Resize", x, scales, mode="nearest")
        form = self.choices.pick(
            (("asymmetric", "floor"), ("half_pixel", "round_prefer_floor"), ("half_pixel", "round_prefer_ceil"))
        )
        roi = "" if self.opset >= 13 else self.const(np.zeros(0, np.float32))
        attributes = {"mode": "nearest", "coordinate_transformation_mode": form[0], "nearest_mode": form[1]}
        return self.op("Resize", x, roi, scales, **attributes)

    def depth_to_space(self, x: str, block: int) -> str:
        if self.opset < 11:
            return self.op("DepthToSpace", x, blocksize=block)
        return self.op("DepthToSpace", x, blocksize=block, mode=self.choices.pick(("DCR", "CRD")))

    def mean(self, x: str, axes: Sequence[int], keepdims: bool) -> str:
        if self.opset < 18:
            return self.op("ReduceMean", x, axes=list(axes), keepdims=int(keepdims))
        return self.op("ReduceMean", x, self.ints(*axes), keepdims=int(keepdims))

    def squeeze(self, x: str, axes: Sequence[int]) -> str:
        if self.opset < 13:
            return self.op("Squeeze", x, axes=list(axes))
        return self.op("Squeeze", x, self.ints(*axes))

    def unsqueeze(self, x: str, axes: Sequence[int]) -> str:
        if self.opset < 13:
            return self.op("Unsqueeze", x, axes=list(axes))
        return self.op("Unsqueeze", x, self.ints(*axes))

    def gemm(self, x: str, weights: str, bias: str | None, outputs: int) -> str:
        """Gemm with transposed weights; the bias was compulsory before opset 11."""
        if bias is None and self.opset < 11:
            bias = self.const(np.zeros(outputs, np.float32))
        return self.op("Gemm", x, weights, *([bias] if bias else []), transB=1)

    def nothing(self, x: Tensor) -> Tensor:
        """`x`, now and then behind an operator that does nothing."""
        if not self.choices.chance(4):
            return x
        self.tag("identity")
        kind = self.choices.pick(("Identity", "Dropout", "Cast"))
        attributes = {"to": TensorProto.FLOAT} if kind == "Cast" else {}
        return Tensor(self.op(kind, x.name, **attributes), x.shape, x.spread, x.grid, x.positive, x.linear)

    def column(self, array: Array, rank: int) -> Array:
        """Values per channel, shaped to broadcast along axis 1 of a tensor of `rank` dimensions."""
        return (
            array.reshape((-1,) + (1,) * (rank - 2))
            if self.choices.chance(50)
            else array.reshape((1, -1) + (1,) * (rank - 2))
        )
