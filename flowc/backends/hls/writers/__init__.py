"""One writer per kind of unit: what the unit's C++ is made of. ``WRITERS`` maps a unit's ``kind`` to its writer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flowc.backends.hls.layer import Layer
from flowc.backends.hls.writers.argmax import write_argmax
from flowc.backends.hls.writers.elementwise import write_activate, write_join
from flowc.backends.hls.writers.gather import write_gather
from flowc.backends.hls.writers.lookup import write_lookup
from flowc.backends.hls.writers.mvtu import write_mvtu
from flowc.backends.hls.writers.pool import write_global_sum, write_pool
from flowc.backends.hls.writers.port import write_input, write_output
from flowc.backends.hls.writers.routing import (
    write_bundle,
    write_concat,
    write_fork,
    write_permute,
    write_split,
    write_upsample,
    write_width_converter,
)
from flowc.backends.hls.writers.vvtu import write_vvtu
from flowc.backends.hls.writers.window import write_pad, write_pixel_pad, write_window

__all__ = ["WRITERS"]

WRITERS: dict[str, Callable[[Any], Layer]] = {
    "activate": write_activate,
    "argmax": write_argmax,
    "bundle": write_bundle,
    "concat": write_concat,
    "fork": write_fork,
    "gather": write_gather,
    "global_sum": write_global_sum,
    "input": write_input,
    "join": write_join,
    "lookup": write_lookup,
    "mvtu": write_mvtu,
    "output": write_output,
    "pad": write_pad,
    "permute": write_permute,
    "pixel_pad": write_pixel_pad,
    "pool": write_pool,
    "split": write_split,
    "upsample": write_upsample,
    "vvtu": write_vvtu,
    "width_converter": write_width_converter,
    "window": write_window,
}
