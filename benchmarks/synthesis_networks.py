"""The networks that the synthesis benchmark measures whole, folded as ``flowc build --backend rtl`` folds them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.models import tfc
from benchmarks.networks import brevitas_cnv
from flowc.backends.rtl.backend import RtlBackend
from flowc.dataflow.allocate import allocate
from flowc.streamline.compile import compile_model
from flowc.targets import load_target
from flowc.units.graph import Dataflow

__all__ = ["NETWORKS", "Network", "folded"]

DIGITS = Path(__file__).parents[1] / "examples" / "digits" / "digits_cnn_w4a4.onnx"


@dataclass(frozen=True)
class Network:
    """A network and how it is built for the Ultra96 at 100 MHz.

    Attributes:
        make: the compiled graph; None where Brevitas is missing.
        fps: frames per second wanted.
        most: what it may take.
        folding: as ``--folding``.
    """

    make: Callable[[], Dataflow | None]
    fps: int
    most: Mapping[str, int] = field(default_factory=dict)
    folding: Mapping[str, Any] = field(default_factory=dict)


WITHOUT_DSP: Mapping[str, Any] = {"defaults": {"multiplier": "lut"}}


def _digits() -> Dataflow:
    return compile_model(DIGITS).graph


def _tfc() -> Dataflow:
    return compile_model(tfc()).graph


NETWORKS: Mapping[str, Network] = {
    "digits": Network(_digits, 10_000),
    "TFC-2W2A": Network(_tfc, 100_000),
    "CNV-1W1A": Network(partial(brevitas_cnv, 1), 3000, {"lut": 11_000}, WITHOUT_DSP),
    "CNV-2W2A": Network(partial(brevitas_cnv, 2), 3000, {"lut": 29_000, "bram18": 215}, WITHOUT_DSP),
}


def folded(network: Network) -> Dataflow:
    """A network as the RTL backend makes it."""
    graph = network.make()
    if graph is None:
        raise SystemExit("the package 'brevitas' is needed for CNV")
    prepared = RtlBackend().prepare(graph)
    return allocate(
        prepared, load_target("ultra96"), clock_mhz=100, fps=network.fps, folding=dict(network.folding)
    ).graph
