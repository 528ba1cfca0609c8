"""One writer per kind of unit: what the unit's C++ is made of. ``WRITERS`` maps a unit's ``kind`` to its writer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flowc.backends.hls.layer import Layer
from flowc.backends.hls.writers.elementwise import write_activate, write_join
from flowc.backends.hls.writers.mvtu import write_mvtu
from flowc.backends.hls.writers.pool import write_pool
from flowc.backends.hls.writers.port import write_input, write_output
from flowc.backends.hls.writers.routing import write_fork, write_width_converter
from flowc.backends.hls.writers.window import write_pad, write_window

__all__ = ["WRITERS"]

WRITERS: dict[str, Callable[[Any], Layer]] = {
    "activate": write_activate,
    "fork": write_fork,
    "input": write_input,
    "join": write_join,
    "mvtu": write_mvtu,
    "output": write_output,
    "pad": write_pad,
    "pool": write_pool,
    "width_converter": write_width_converter,
    "window": write_window,
}
