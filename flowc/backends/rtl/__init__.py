"""SystemVerilog backend: a dataflow graph as modules that open tools simulate, check and synthesize."""

from __future__ import annotations

from flowc.backends.base import register
from flowc.backends.rtl.backend import RtlBackend
from flowc.backends.rtl.generate import generate

__all__ = ["generate"]

register(RtlBackend())
