"""What computes the model's integers: a board, or a stand-in for it.

Every device takes and gives integer tensors by name, the first axis being the batch. Devices that work on frames in buffers of
their own fill one half of these while the other one is computed with: `Device.run` is the same for all of them.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from .errors import InputError, MissingError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

__all__ = ["CMA_BYTES", "Device", "allocate_halves", "cma_bytes", "fitting_batch"]

CMA_BYTES = 128 << 20
"""Contiguous memory of PYNQ's images, where the kernel does not say."""

_MEMINFO = Path("/proc/meminfo")
_SPARE = 8 << 20
"""Bytes that are left to others."""


class Device(ABC):
    """Something that computes integer tensors from integer tensors.

    Attributes:
        name: "fpga" where hardware computes, else "emulator".
        batch: frames that it takes at once.
        interrupts: sleep while the hardware works, where it has interrupts that say when it is done.
    """

    name = "fpga"
    batch = 1
    interrupts = False

    @abstractmethod
    def fill(self, half: int, tensors: Mapping[str, Array]) -> int:
        """Puts at most `batch` frames into half 0 or 1 of the buffers and returns their number.

        Raises:
            InputError: different numbers of frames, wrong shapes, or values outside their types.
        """

    @abstractmethod
    def start(self, half: int, frames: int) -> None:
        """Lets the accelerator work on the frames in a half of the buffers."""

    @abstractmethod
    def wait(self) -> None:
        """Returns when what was started is done."""

    @abstractmethod
    def read(self, half: int, frames: int) -> Dict[str, Array]:
        """The results in a half of the buffers."""

    @abstractmethod
    def random(self, frames: int) -> Dict[str, Array]:
        """Random integers of the inputs' types."""

    def close(self) -> None:
        """Gives everything back."""

    def figures(self) -> Dict[str, Any]:
        """What the hardware counted in its last run, by name; empty where it counts nothing."""
        return {}

    def flush(self) -> None:
        """Makes the hardware forget what an aborted run has left in it.

        Raises:
            DriverError: it can't without being loaded again.
        """

    def run(self, tensors: Mapping[str, Array]) -> Dict[str, Array]:
        """Integer tensors out from integer tensors in, any number of frames; packing and computing overlap.

        Raises:
            InputError: as `fill`.
        """
        counts = {name: len(value) for name, value in tensors.items()}
        total = next(iter(counts.values()))
        if set(counts.values()) != {total}:
            raise InputError("the inputs have different numbers of frames: {}".format(counts))
        parts: List[Dict[str, Array]] = []
        running: Optional[Tuple[int, int]] = None
        for number, begin in enumerate(range(0, total, self.batch)):
            half = number % 2
            frames = self.fill(half, {name: value[begin : begin + self.batch] for name, value in tensors.items()})
            if running is not None:
                self.wait()
            self.start(half, frames)
            if running is not None:
                parts.append(self.read(*running))
            running = half, frames
        if running is None:
            return self.read(0, 0)
        self.wait()
        parts.append(self.read(*running))
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def cma_bytes() -> int:
    """Bytes of contiguous memory that may be taken: what the kernel says is free, or PYNQ's default, less a spare."""
    try:
        found = re.search(r"^CmaFree:\s*(\d+) kB", _MEMINFO.read_text(), re.MULTILINE)
    except OSError:
        found = None
    return max(0, (CMA_BYTES if found is None else int(found.group(1)) << 10) - _SPARE)


def fitting_batch(batch: int, frame_bytes: int, *, fixed: int = 0, longest: Sequence[int] = ()) -> int:
    """How many frames may go at once.

    Args:
        batch: wanted.
        frame_bytes: bytes of all buffers per frame; they exist twice.
        fixed: bytes that are taken whatever the batch.
        longest: frames that the transfer of each buffer may have.

    Raises:
        InputError: `batch` is not above 0.
        MissingError: not even one frame fits.
    """
    if batch < 1:
        raise InputError("a batch of {} frames: at least 1 is needed".format(batch))
    memory = cma_bytes()
    fitting = min([(memory - fixed) // (2 * frame_bytes), *longest])
    if fitting < 1:
        raise MissingError(
            "a frame takes {:,} bytes of contiguous memory twice{}; {:,} are free. Close other overlays, or boot with a larger "
            "'cma=' in the kernel's command line".format(
                frame_bytes, " besides {:,} for weights".format(fixed) if fixed else "", memory
            )
        )
    return min(batch, fitting)


def allocate_halves(
    allocate: Callable[..., Any], sizes: Mapping[str, int], batch: int
) -> Tuple[int, List[Dict[str, Any]]]:
    """Buffers twice over, for as many frames as the memory gives.

    Args:
        allocate: ``pynq.allocate``.
        sizes: bytes of each buffer per frame, by name.
        batch: frames wanted.

    Returns:
        Frames that fit, and the two halves: uint8 buffers by name. What is free may lie in pieces: then the batch is halved until it fits.

    Raises:
        MissingError: not even one frame fits.
    """
    while True:
        halves: List[Dict[str, Any]] = [{}, {}]
        try:
            for half in halves:
                for name, size in sizes.items():
                    half[name] = allocate((batch * size,), np.uint8)
            return batch, halves
        except (MemoryError, RuntimeError) as error:  # what pynq raises depends on its version
            for half in halves:
                for buffer in half.values():
                    buffer.freebuffer()
            if batch == 1:
                raise MissingError("no contiguous memory for a single frame: {}".format(error)) from error
            batch //= 2
