"""HLS C++ backend: a dataflow graph as a project for Vitis HLS that plain g++ can run too."""

from flowc.backends.hls.generate import generate

__all__ = ["generate"]
