"""One writer per kind of unit: which module it is, with which parameters and memories. ``WRITERS`` maps a unit's ``kind`` to its writer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flowc.backends.rtl.instance import Instance
from flowc.backends.rtl.writers.elementwise import write_activate, write_argmax, write_join
from flowc.backends.rtl.writers.lookup import write_lookup
from flowc.backends.rtl.writers.pool import write_global_sum, write_pool
from flowc.backends.rtl.writers.port import write_input, write_output
from flowc.backends.rtl.writers.products import write_mvtu, write_vvtu
from flowc.backends.rtl.writers.routing import (
    write_concat,
    write_fork,
    write_gather,
    write_permute,
    write_split,
    write_upsample,
    write_width_converter,
)
from flowc.backends.rtl.writers.window import write_pad, write_pixel_pad, write_window

__all__ = ["WRITERS"]

WRITERS: dict[str, Callable[[Any], Instance]] = {
    "activate": write_activate,
    "argmax": write_argmax,
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
