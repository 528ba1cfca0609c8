"""Lowering of operators that repeat or leave out elements: resizing to the nearest by any factor, padding by what is inside."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from flowc.exact.movement import source_map
from flowc.model.ir import array_of, origins, shape_of
from flowc.passes.lower import CannotLower, Lowering, canonical_order
from flowc.units import Frame, Gather
from flowc.units.base import Array

__all__ = ["gathered"]

_MOST = 1 << 22


def gathered(low: Lowering, node: ir.Node) -> None:
    """A Gather unit for a node of which every output element is an input element."""
    value = node.inputs[0]
    assert value is not None
    shape, out = shape_of(value), shape_of(node.outputs[0])
    size, most = int(np.prod(shape)), max(int(np.prod(shape)), int(np.prod(out)))
    if most > _MOST:
        raise CannotLower(
            f"its frames of {most} elements would have to lie on the chip whole; up to {_MOST} can be reordered; "
            "move it behind a pool or a strided convolution, or to the host, behind the last quantized layer"
        )
    amounts = array_of(node.inputs[1]) if node.op_type == "Pad" else None
    if amounts is not None and amounts.min() < 0:
        raise CannotLower("negative padding is not supported; crop with Slice (torch: x[..., 1:-1]) instead")
    place = low.canonical(value)
    position = np.empty(size, np.int64)
    position[place.order.reshape(-1)] = np.arange(size)
    order = canonical_order(out)
    wanted = position[source_map(node, np.arange(size).reshape(shape)).reshape(-1)[order.reshape(-1)]]
    h, w, c = order.shape
    unit = Gather(
        name=low.unique(low.hint(node)), origin=origins(node), frame=place.frame, out=Frame(h, w, c, place.frame.dtype),
        order=_repeated(wanted, size, place.frame.h),
    )  # fmt: skip
    low.add(unit, place)
    low.place(node.outputs[0], unit, order)


def _repeated(wanted: Array, size: int, rows: int) -> Array:
    """The order within one row where all rows are treated alike, else that of the whole frame."""
    if len(wanted) % rows:
        return wanted
    taken = size // rows
    chunks = wanted.reshape(rows, -1) - taken * np.arange(rows)[:, None]
    alike = (chunks == chunks[:1]).all() and chunks[0].min() >= 0 and chunks[0].max() < taken
    return np.ascontiguousarray(chunks[0]) if alike else wanted
