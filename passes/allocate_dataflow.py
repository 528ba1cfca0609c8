"""Folds a dataflow graph for a target, places width converters and sizes FIFOs.

Before::

    x (simd 1) -> conv1_window (simd 1) -> conv1 (pe 1, simd 1) -> y (simd 1)

After, e.g. for 3,000 frames per second::

    x (simd 3) -> conv1_window (simd 3) -> conv1 (pe 16, simd 3) -> y_width (16 -> 1) -> y (simd 1), all FIFOs sized
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flowc.allocate import allocate
from flowc.dataflow import Dataflow
from flowc.targets import Target

__all__ = ["allocate_dataflow"]


def allocate_dataflow(
    graph: Dataflow,
    target: Target,
    *,
    clock_mhz: float | None = None,
    fps: float | None = None,
    folding: Mapping[str, Any] | None = None,
) -> Dataflow:
    """The graph of `flowc.allocate.allocate`, whose arguments and errors these are."""
    return allocate(graph, target, clock_mhz=clock_mhz, fps=fps, folding=folding).graph
