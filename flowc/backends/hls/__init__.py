"""HLS C++ backend: a dataflow graph as a project for Vitis HLS that plain g++ can run too."""

from __future__ import annotations

from flowc.backends.base import register
from flowc.backends.hls.backend import HlsBackend
from flowc.backends.hls.generate import generate

__all__ = ["generate"]

register(HlsBackend())
