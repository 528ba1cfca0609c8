"""Compiled kernels of the emulator: a small C++ library, built once per machine, that runs programs on frames of integers.

The library knows nothing of units; `flowc.dataflow.native` plans its programs.
"""

from __future__ import annotations

from flowc.kernels.build import KernelsUnavailableError
from flowc.kernels.library import Activation, ActivationKind, Library, Operation, OperationKind
from flowc.kernels.loading import load, unavailable, used

__all__ = [
    "Activation",
    "ActivationKind",
    "KernelsUnavailableError",
    "Library",
    "Operation",
    "OperationKind",
    "load",
    "unavailable",
    "used",
]
