"""Measures frames per second: the accelerator alone (buffers packed beforehand), and from numpy array to numpy array.

    python3 -m driver.throughput [--bitfile design.bit] [--frames 10000] [--batch 256]
"""

from __future__ import annotations

import argparse
import time
from typing import Any, Dict

import numpy as np

from .board import Board
from .driver import Accelerator

__all__ = ["main", "measure"]


def measure(accelerator: Accelerator, frames: int) -> Dict[str, Any]:
    """Frames per second of a board, on random integers.

    Returns:
        "batch": frames that are sent at once; "frames": frames in all; "accelerator_fps": DMA and accelerator, without
        packing; "end_to_end_fps": packing, DMA, accelerator and unpacking, host head and tail excluded; "latency_ms":
        of one frame sent alone.

    Raises:
        RuntimeError: there is no board; an emulator's speed says nothing of the accelerator.
    """
    board = accelerator.board
    if board is None:
        raise RuntimeError("throughput is measured on a board; this is the {}".format(accelerator.backend))
    feeds = {s.name: s.random(board.batch) for s in accelerator.inputs}
    batches = max(1, frames // board.batch)
    sent = board.fill(0, feeds)
    seconds = _timed(board, sent, batches)
    one = _timed(board, 1, 100)
    everything = {name: np.concatenate([value] * batches) for name, value in feeds.items()}
    begin = time.perf_counter()
    board.run(everything)
    end_to_end = time.perf_counter() - begin
    return {
        "batch": board.batch,
        "frames": batches * board.batch,
        "accelerator_fps": batches * board.batch / seconds,
        "end_to_end_fps": batches * board.batch / end_to_end,
        "latency_ms": 1000 * one / 100,
    }


def _timed(board: Board, frames: int, times: int) -> float:
    board.start(0, frames)
    board.wait()
    begin = time.perf_counter()
    for _ in range(times):
        board.start(0, frames)
        board.wait()
    return time.perf_counter() - begin


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Frames per second of the accelerator on a board.")
    parser.add_argument("--bitfile", default="design.bit")
    parser.add_argument("--frames", type=int, default=10000)
    parser.add_argument("--batch", type=int, default=256)
    options = parser.parse_args()
    accelerator = Accelerator(options.bitfile, emulate=False, batch=options.batch)
    for key, value in measure(accelerator, options.frames).items():
        print("{:16} {:.6g}".format(key, value))
    accelerator.close()


if __name__ == "__main__":
    main()
