"""What a pass on the model graph is."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple

import onnx_ir as ir

__all__ = ["ModelPass", "Note"]


class Note(NamedTuple):
    """Why a rewrite did or did not apply to a node: shown by ``--explain``, and in errors if the node stays behind."""

    node: str
    text: str


@dataclass
class ModelPass(ir.passes.InPlacePass):
    """A rewrite of the model graph: changes the graph in place and says whether it did.

    Options of a pass are dataclass fields; one without any is a plain class. ``name`` serves registry, command line and documentation.
    """

    name: ClassVar[str]
    notes: list[Note] = field(default_factory=list, repr=False)
    changed: bool = field(default=False, init=False)

    @abstractmethod
    def rewrite(self, graph: ir.Graph) -> bool:
        """Rewrites ``graph``; returns whether anything changed."""

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """onnx-ir's entry point."""
        return ir.passes.PassResult(model, self.rewrite(model.graph))

    def note(self, node: str, text: str) -> None:
        """Records why the rewrite did or did not apply."""
        self.notes.append(Note(node, text))
