"""The passes of the model graph, in order: from float costume to integers."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass, field

import onnx_ir as ir

from flowc import progress
from flowc.exact.budget import Budget
from flowc.exact.certificate import Certificate
from flowc.model.ir import remove_dead
from flowc.passes.base import ModelPass, Note
from flowc.passes.close_elementwise import CloseElementwise
from flowc.passes.expand_broadcasts import ExpandBroadcasts
from flowc.passes.fold_activations import FoldActivations
from flowc.passes.hoist_quantizers import HoistQuantizers
from flowc.passes.integer_argmax import IntegerArgmax
from flowc.passes.integer_joins import IntegerJoins
from flowc.passes.integer_lookups import IntegerLookups
from flowc.passes.integer_pools import IntegerPools
from flowc.passes.integer_products import IntegerProducts
from flowc.passes.integer_resize import IntegerResize
from flowc.passes.sink_dequantizers import SinkDequantizers
from flowc.passes.sink_elementwise import SinkElementwise
from flowc.passes.spread_reductions import SpreadReductions
from flowc.passes.turn_products import TurnProducts
from flowc.units.base import Array

__all__ = ["STREAMLINE", "Streamlined", "streamline"]

STREAMLINE: tuple[tuple[type[ModelPass], ...], ...] = (
    (TurnProducts, SpreadReductions),
    (ExpandBroadcasts,),
    (IntegerLookups,),
    (HoistQuantizers,),
    # Each of these makes room for the others; the group runs until nothing changes.
    (
        SinkElementwise,
        SinkDequantizers,
        CloseElementwise,
        SpreadReductions,
        IntegerResize,
        IntegerProducts,
        IntegerPools,
        IntegerJoins,
    ),
    (FoldActivations,),
    (IntegerArgmax,),
)

Observer = Callable[[str, ir.Model], None]


@dataclass
class Streamlined:
    """A model graph in integers: what is proven of its activations, and what the passes had to say about each node."""

    model: ir.Model
    certificate: Certificate = field(default_factory=lambda: Certificate(()))
    argmax_slack: dict[str, Array] = field(default_factory=dict)
    notes: list[Note] = field(default_factory=list)


def streamline(
    model: ir.Model, observer: Observer | None = None, compared: Container[str] | None = None
) -> Streamlined:
    """Runs `STREAMLINE` on a canonical model graph, in place.

    Args:
        observer: called as ``observer(pass_name, model)`` after every pass that changed something.
        compared: names of the float tensors that integers can be compared with; None: all.
    """
    result = Streamlined(model)
    for step in _runs(model, compared):
        result.notes.extend(step.notes)
        if isinstance(step, FoldActivations):
            result.certificate = Certificate((*result.certificate.tensors, *step.certificates))
        if isinstance(step, IntegerArgmax):
            result.argmax_slack |= step.slack
        if observer is not None and step.changed:
            observer(step.name, model)
    return result


def _runs(model: ir.Model, compared: Container[str] | None) -> Iterator[ModelPass]:
    budget = Budget()
    for group in STREAMLINE:
        again = True
        while again:
            again = False
            for kind in group:
                step = kind()
                if isinstance(step, FoldActivations):
                    step.budget, step.compared = budget, compared
                progress.at(step.name)
                step.changed = step(model).modified
                if step.changed:
                    remove_dead(model.graph)
                    again = len(group) > 1
                yield step
