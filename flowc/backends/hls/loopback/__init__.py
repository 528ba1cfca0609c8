"""The loopback engine as HLS C++: written from templates, and simulated with the descriptors and memory of a program."""

from __future__ import annotations

from flowc.backends.hls.loopback.csim import (
    EngineRun,
    check_engine,
    compile_engine,
    run_engine,
    simulate_engine,
)
from flowc.backends.hls.loopback.vectors import write_golden, write_vectors
from flowc.backends.hls.loopback.writer import write_engine

__all__ = [
    "EngineRun",
    "check_engine",
    "compile_engine",
    "run_engine",
    "simulate_engine",
    "write_engine",
    "write_golden",
    "write_vectors",
]
