"""How every dialect writes its quantizers down: ``flowc.Quantize`` and ``flowc.Dequantize``, parameters checked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from flowc.errors import ModelError
from flowc.model import ir as fir

__all__ = ["Emitter", "Quantizer"]

Array = npt.NDArray[Any]
_SHARED = 1024


class Quantizer(NamedTuple):
    """The integer side of a quantizer: inclusive bounds `lo`, `hi`, how it rounds, and in which order it computes."""

    bits: int
    signed: bool
    lo: int
    hi: int
    narrow: bool = False
    rounding: str = "ROUND"
    style: str = "qonnx"

    @property
    def attributes(self) -> dict[str, int | float | str]:
        """As attributes of ``flowc.Quantize``."""
        return {
            "bits": self.bits, "signed": int(self.signed), "narrow": int(self.narrow), "lo": self.lo, "hi": self.hi,
            "rounding": self.rounding, "style": self.style,
        }  # fmt: skip


class Emitter:
    """Writes quantizers into one graph; equal small parameters share one initializer."""

    def __init__(self, graph: ir.Graph) -> None:
        self.editor = fir.Editor(graph)
        self._shared: dict[tuple[str, tuple[int, ...], bytes], ir.Value] = {}

    def constant(self, array: Array, hint: str) -> ir.Value:
        """An initializer holding `array`, shared with earlier equal ones where small."""
        if array.size > _SHARED:
            return self.editor.constant(array, hint)
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self._shared:
            self._shared[key] = self.editor.constant(array, hint)
        return self._shared[key]

    def quantize(
        self, node: ir.Node, x: ir.Value, scale: Array, zero: Array, quantizer: Quantizer, hint: str,
        more: Sequence[Array] = (),
    ) -> ir.Value:  # fmt: skip
        """``Quantize(x, scale, zero, *more)`` in front of `node`; the result is named after `hint`."""
        shape, label = fir.shape_of(x), fir.label(node)
        inputs = [x, *self._parameters(node, x, scale, zero)]
        inputs += [
            self.constant(fitted(a.astype(np.float32), shape, label, "thresholds"), f"{label}/level") for a in more
        ]
        attributes = quantizer.attributes
        return self.editor.insert(
            node, "Quantize", inputs, attributes, domain=fir.DOMAIN, hint=f"{hint}/q", shape=shape
        )

    def dequantize(self, node: ir.Node, q: ir.Value, scale: Array, zero: Array, hint: str) -> ir.Value:
        """``Dequantize(q, scale, zero)`` in front of `node`."""
        inputs = [q, *self._parameters(node, q, scale, zero)]
        return self.editor.insert(
            node, "Dequantize", inputs, domain=fir.DOMAIN, hint=f"{hint}/dq", shape=fir.shape_of(q)
        )

    def _parameters(self, node: ir.Node, x: ir.Value, scale: Array, zero: Array) -> list[ir.Value]:
        shape = fir.shape_of(x)
        label = fir.label(node)
        return [
            self.constant(fitted(scale, shape, label, "scale"), f"{label}/scale"),
            self.constant(fitted(zero.astype(np.float32), shape, label, "zero point"), f"{label}/zero_point"),
        ]


def fitted(array: Array, shape: tuple[int, ...], label: str, what: str) -> Array:
    """A parameter at rank 0 if it is one number, else at the rank of the tensor it applies to.

    Raises:
        ModelError: it does not broadcast to `shape`.
    """
    if array.size == 1:
        return array.reshape(())
    try:
        fits = np.broadcast_shapes(array.shape, shape) == shape
    except ValueError:
        fits = False
    if not fits:
        raise ModelError(
            f"its {what} of shape {list(array.shape)} does not broadcast to the shape {list(shape)} it quantizes",
            node=label,
            remedy="export the model again with per-tensor or per-channel scales",
        )
    return array.reshape((1,) * (len(shape) - array.ndim) + array.shape)


def constant_input(node: ir.Node, index: int, what: str) -> Array:
    """The constant input `index` of a quantizer node.

    Raises:
        ModelError: it is missing, or computed at run time.
    """
    array = fir.array_of(fir.required(node, index))
    if array is None:
        raise ModelError(
            f"its {what} is not a constant but computed at run time",
            node=fir.label(node),
            remedy="quantize the model statically, with constants for scale, zero point and bit width",
        )
    return array


def checked_scale(array: Array, node: ir.Node) -> Array:
    """A scale as float32: finite, and not zero. A negative one mirrors the integers, as it does in the model.

    Raises:
        ModelError: it is not.
    """
    with np.errstate(all="ignore"):
        scale = np.asarray(array, np.float32)
    if scale.size == 0 or not np.isfinite(scale).all() or (scale == 0).any():
        worst = (
            "empty"
            if scale.size == 0
            else next((str(v) for v in scale.reshape(-1) if not np.isfinite(v) or v == 0), "0")
        )
        raise ModelError(
            f"its scale must be finite and not zero, but is {worst}", node=fir.label(node),
            remedy="calibrate or train the quantizer before the export",
        )  # fmt: skip
    return scale
