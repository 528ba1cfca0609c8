"""What is on the chip beside the accelerator: the status block that the user asks for, and the board's serial line."""

from __future__ import annotations

from dataclasses import dataclass

from flowc.dataflow.allocate.device import gathered, on_device
from flowc.dataflow.allocate.line import line_resources
from flowc.dataflow.allocate.status import StatusBlock
from flowc.targets import Target
from flowc.units.cost import Resources
from flowc.units.graph import Dataflow

__all__ = ["Beside"]


@dataclass(frozen=True)
class Beside:
    """What is on the chip beside the accelerator, and counts as it does.

    Attributes:
        target, clock_mhz: of the design.
        status: the status block; None: none.
    """

    target: Target
    clock_mhz: float
    status: StatusBlock | None

    def status_resources(self, graph: Dataflow) -> Resources | None:
        """Of the target's, the status block's; None without one."""
        return None if self.status is None else on_device(self.status.resources(graph), self.target)

    def line_resources(self, graph: Dataflow) -> Resources | None:
        """Of the target's, the serial line's; None without one."""
        return line_resources(graph, self.target, self.clock_mhz)

    def resources(self, graph: Dataflow) -> Resources:
        """Of the target's, all of it."""
        parts = (self.status_resources(graph), self.line_resources(graph))
        return gathered([Resources(), *(part for part in parts if part is not None)])
