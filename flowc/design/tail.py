"""The host's tail under verification: run on the reference's own floats, it must give the reference's own outputs.

What a tail decides (ArgMax, TopK, Greater, Round, NonMaxSuppression, ...) may hang on the last bit of a float sum, and ONNX leaves that
bit open. So the tail is compared like every other layer: fed with what the reference has at its inputs, where nothing is
open. The sums at its inputs are compared by themselves.
"""

from __future__ import annotations

from collections.abc import Mapping

from flowc.design.assembly import Assembly
from flowc.model.host import HostGraph
from flowc.streamline.partition import extract
from flowc.units.base import Array

__all__ = ["TailCheck"]


class TailCheck:
    """The tail of a design, cut off at the float tensors that the reference has.

    Args:
        design: the design.
        known: tensors that the reference has, of one sample.

    Attributes:
        outputs: names of the model's outputs that it computes.
        open_: inputs that the reference does not have, so that the tail can't be compared by itself.
    """

    def __init__(self, design: Assembly, known: Mapping[str, Array]) -> None:
        self.graph: HostGraph | None = None
        self.outputs: list[str] = []
        self.open_: list[str] = []
        if design.tail is None:
            return
        whole = design.tail.model
        produced = {name for node in whole.graph.node for name in node.output}
        sums = {s.reference for s in design.accumulators}
        stops = {name: known[name].shape for name in sums if name in produced and name in known}
        self.outputs = [name for name in design.tail.outputs if name not in stops]
        part = extract(whole, stops, self.outputs, {})
        if part is None:
            return
        self.graph = HostGraph(part)
        self.open_ = [n for n in self.graph.inputs if n not in known and n not in design.inputs]

    def run(self, sample: Mapping[str, Array], expected: Mapping[str, Array]) -> dict[str, Array]:
        """The outputs of the tail on the reference's tensors, one sample.

        Args:
            sample: the model's inputs; expected: what the reference has.
        """
        if self.graph is None:
            return {}
        return self.graph.run({n: (expected if n in expected else sample)[n][None] for n in self.graph.inputs})
