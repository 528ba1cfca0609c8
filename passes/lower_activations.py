"""Lowering of integer activations: into the unit that computes their input where they are its only consumer, else standalone."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from flowc.model.dtypes import IntType
from flowc.model.ir import DOMAIN, origins, shape_of
from flowc.passes.fold_activations import read_activation
from flowc.passes.lower import Lowering, Place, lowers
from flowc.units import Activate, Activation, Frame

__all__ = ["absorb_activation"]

_KINDS = ("Threshold", "Requant", "Table")


def absorb_activation(low: Lowering, node: ir.Node, *, axis: int) -> tuple[IntType, Activation | None, ir.Value]:
    """The accumulator type of ``node``, the activation that its unit can apply itself, and the tensor that leaves the unit.

    An activation is absorbed when it is the only consumer and its parameters vary along the channels (``axis``) at most.
    """
    value = node.outputs[0]
    acc = low.type_of(value)
    uses = list(value.uses())
    if len(uses) == 1 and not value.is_graph_output():
        user = uses[0].node
        if user.domain == DOMAIN and user.op_type in _KINDS:
            activation, axes = read_activation(user)
            if set(axes) <= {axis}:
                low.absorbed.add(user)
                return acc, activation, user.outputs[0]
    return acc, None, value


@lowers(*_KINDS)
def _activation(low: Lowering, node: ir.Node) -> None:
    place = low.at(node.inputs[0])
    activation, axes = read_activation(node)
    shape = shape_of(node.outputs[0])
    frame = place.frame
    if axes:
        layout = [n if axis in axes else 1 for axis, n in enumerate(shape)]
        sets = np.broadcast_to(np.arange(int(np.prod(layout))).reshape(layout), shape).reshape(-1)
        index = sets[place.order]
        if (index == index[:1, :1]).all():
            activation = activation.select(index[0, 0])
        else:
            # Parameters that vary over positions: the frame seen as one vector of channels.
            activation = activation.select(index.reshape(-1))
            frame = Frame(1, 1, frame.elements, frame.dtype)
    unit = Activate(name=low.unique(low.hint(node)), origin=origins(node), frame=frame, activation=activation)
    low.add(unit, Place(place.unit, place.port, frame, place.order))
    low.place(node.outputs[0], unit, place.order)
