"""Measures frames per second: the accelerator alone (buffers packed beforehand), and from numpy array to numpy array.

    python3 -m driver.throughput [--bitfile design.bit] [--frames 10000] [--batch 256]
"""

from __future__ import annotations

import argparse
import time
from typing import Any, Dict

import numpy as np

from .device import Device
from .driver import Accelerator
from .errors import MissingError
from .samples import guarded, positive

__all__ = ["main", "measure"]


def measure(accelerator: Accelerator, frames: int) -> Dict[str, Any]:
    """Frames per second of a board, on random integers.

    Returns:
        "batch": frames that are sent at once; "frames": frames in all; "accelerator_fps": data movement and accelerator, without
        packing; "end_to_end_fps": packing, accelerator and unpacking, host head and tail excluded; "latency_ms": of one frame
        sent alone; and what the hardware counted (`Device.figures`).

    Raises:
        MissingError: there is no board; an emulator's speed says nothing of the accelerator.
    """
    device = accelerator.device
    if device is None or device.name != "fpga":
        where = "the emulator" if device is not None else "; ".join(accelerator.lacks)
        raise MissingError("throughput is measured on a board; this is {}".format(where))
    given = device.random(device.batch)
    batches = max(1, frames // device.batch)
    sent = device.fill(0, given)
    seconds = _timed(device, sent, batches)
    counted = device.figures()
    one = _timed(device, 1, 100)
    everything = {name: np.concatenate([value] * batches) for name, value in given.items()}
    begin = time.perf_counter()
    device.run(everything)
    end_to_end = time.perf_counter() - begin
    return {
        "batch": device.batch,
        "frames": batches * device.batch,
        "accelerator_fps": batches * device.batch / seconds,
        "end_to_end_fps": batches * device.batch / end_to_end,
        "latency_ms": 1000 * one / 100,
        **counted,
    }


def _timed(device: Device, frames: int, times: int) -> float:
    device.start(0, frames)
    device.wait()
    begin = time.perf_counter()
    for _ in range(times):
        device.start(0, frames)
        device.wait()
    return time.perf_counter() - begin


@guarded
def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Frames per second of the accelerator on a board.")
    parser.add_argument("--bitfile")
    parser.add_argument("--frames", type=positive, default=10000)
    parser.add_argument("--batch", type=positive, default=256)
    parser.add_argument("--interrupts", action="store_true", help="sleep while the hardware works")
    options = parser.parse_args()
    accelerator = Accelerator(options.bitfile, emulate=False, batch=options.batch, interrupts=options.interrupts)
    try:
        figures = measure(accelerator, options.frames)
        fifos = figures.pop("fifos", None) or []
        for key, value in figures.items():
            print("{:16} {:.6g}".format(key, value))
        for fifo in fifos:
            print("FIFO {from} -> {to}: at most {most} beats at once, depth {depth}".format(**fifo))
    finally:
        accelerator.close()


if __name__ == "__main__":
    main()
