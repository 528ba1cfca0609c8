"""Lowering of integer activations: into the unit that computes their input where they are its only consumer, else standalone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx_ir as ir

from flowc.model.dtypes import IntType
from flowc.model.ir import DOMAIN, origins, shape_of
from flowc.passes.fold_activations import read_activation
from flowc.passes.lower import Lowering, Place, lowers
from flowc.units import Activate, Activation, Frame, Requant, Table, Thresholds
from flowc.units.base import Array

__all__ = ["absorb_activation", "select_channels"]

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


def select_channels(activation: Activation, index: Array) -> Activation:
    """The activation with parameter sets picked by ``index`` (one per channel)."""
    if activation.channels == 1:
        return activation
    if isinstance(activation, Thresholds):
        step = activation.step if activation.step.size == 1 else activation.step[index]
        return replace(activation, values=activation.values[index], base=activation.base[index], step=step)
    if isinstance(activation, Requant):
        mult, add = (a if len(a) == 1 else a[index] for a in (activation.mult, activation.add))
        late = activation.late
        return replace(activation, mult=mult, add=add, late=late if late is None or len(late) == 1 else late[index])
    assert isinstance(activation, Table)
    return replace(activation, values=activation.values[index])


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
            activation = select_channels(activation, index[0, 0])
        else:
            # Parameters that vary over positions: the frame seen as one vector of channels.
            activation = select_channels(activation, index.reshape(-1))
            frame = Frame(1, 1, frame.elements, frame.dtype)
    unit = Activate(name=low.unique(low.hint(node)), origin=origins(node), frame=frame, activation=activation)
    low.add(unit, Place(place.unit, place.port, frame, place.order))
    low.place(node.outputs[0], unit, place.order)
