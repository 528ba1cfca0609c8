"""The accelerator in the FPGA, reached through its DMA engines under PYNQ."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from .stream import Stream, Weights

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

__all__ = ["Board"]

# Registers of a reader, and bits of the first one (UG1399, S_AXILITE Control Register Map).
_CONTROL, _ADDRESS = 0x00, 0x10
_START, _AGAIN = 0x01, 0x80


class Board:
    """The accelerator in the FPGA.

    Buffers for a batch are allocated once, twice over: while one batch is in the FPGA, the next one is packed and the
    one before is unpacked.

    Args:
        bitfile: the bitstream; its ``.hwh`` lies beside it.
        inputs, outputs: the streams.
        batch: frames that are sent at once; fewer where a DMA transfer can't be that long.
        weights: what the accelerator takes from memory besides; it is put there, and sent from then on.

    Attributes:
        batch: frames that are sent at once.
    """

    def __init__(
        self,
        bitfile: Path,
        inputs: Sequence[Stream],
        outputs: Sequence[Stream],
        batch: int,
        weights: Sequence[Weights] = (),
    ) -> None:
        pynq = importlib.import_module("pynq")
        self._inputs, self._outputs = inputs, outputs
        self._overlay = pynq.Overlay(str(bitfile))
        self._frames = self._overlay.frames
        engines = {s.name: getattr(self._overlay, "dma_" + s.name) for s in (*inputs, *outputs)}
        self._send = {s.name: engines[s.name].sendchannel for s in inputs}
        self._receive = {s.name: engines[s.name].recvchannel for s in outputs}
        fitting = [engines[s.name].buffer_max_size // s.frame_bytes for s in (*inputs, *outputs)]
        self.batch = max(1, min(batch, *fitting))
        self._buffers = [
            {s.name: pynq.allocate((self.batch * s.frame_bytes,), np.uint8) for s in (*inputs, *outputs)}
            for _ in range(2)
        ]
        self._kept = [(getattr(self._overlay, w.reader), self._load(pynq, w)) for w in weights]

    def _load(self, pynq: Any, weights: Weights) -> Any:
        """Puts a layer's weights into memory and starts what reads them; returns the buffer, which must stay."""
        buffer = pynq.allocate((weights.copies * weights.data.size,), np.uint8)
        buffer[:] = np.tile(weights.data.reshape(-1), weights.copies)
        buffer.flush()
        reader = getattr(self._overlay, weights.reader)
        reader.write(_ADDRESS, buffer.physical_address & 0xFFFFFFFF)
        reader.write(_ADDRESS + 4, buffer.physical_address >> 32)
        reader.write(_CONTROL, _START | (_AGAIN if weights.repeats else 0))
        return buffer

    def fill(self, half: int, feeds: Mapping[str, Array]) -> int:
        """Packs at most `batch` frames of integer tensors, by stream name, into half 0 or 1 of the buffers.

        Returns:
            The number of frames.

        Raises:
            ValueError: the tensors have different numbers of frames, wrong shapes, or values outside their types.
        """
        counts = {len(feeds[s.name]) for s in self._inputs}
        if len(counts) != 1:
            raise ValueError("the inputs have different numbers of frames: {}".format(sorted(counts)))
        for stream in self._inputs:
            data = stream.encode(feeds[stream.name])
            self._buffers[half][stream.name][: data.size] = data.reshape(-1)
        return counts.pop()

    def start(self, half: int, frames: int) -> None:
        """Lets the accelerator work on the frames in a half of the buffers."""
        self._frames.write(0, 0)
        self._frames.write(0, frames)
        for stream in self._outputs:
            self._receive[stream.name].transfer(self._buffers[half][stream.name], nbytes=frames * stream.frame_bytes)
        for stream in self._inputs:
            self._send[stream.name].transfer(self._buffers[half][stream.name], nbytes=frames * stream.frame_bytes)

    def wait(self) -> None:
        """Returns when what was started is done."""
        for stream in self._inputs:
            self._send[stream.name].wait()
        for stream in self._outputs:
            self._receive[stream.name].wait()

    def read(self, half: int, frames: int) -> Dict[str, Array]:
        """Unpacks the integer tensors, by stream name, from a half of the buffers."""
        results = {}
        for stream in self._outputs:
            data = np.asarray(self._buffers[half][stream.name][: frames * stream.frame_bytes])
            results[stream.name] = stream.decode(data.reshape(frames, stream.frame_bytes))
        return results

    def run(self, feeds: Mapping[str, Array]) -> Dict[str, Array]:
        """Integer tensors out, by stream name, from integer tensors in; any number of frames.

        Raises:
            ValueError: as `fill`.
        """
        total = len(next(iter(feeds.values())))
        parts: List[Dict[str, Array]] = []
        running: Optional[Tuple[int, int]] = None
        for number, begin in enumerate(range(0, total, self.batch)):
            half = number % 2
            frames = self.fill(half, {name: value[begin : begin + self.batch] for name, value in feeds.items()})
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
        return {s.name: np.concatenate([part[s.name] for part in parts]) for s in self._outputs}

    def close(self) -> None:
        """Gives the buffers back."""
        for half in self._buffers:
            for buffer in half.values():
                buffer.freebuffer()
        for reader, buffer in self._kept:
            reader.write(_CONTROL, 0)  # no further run; one under way waits for the accelerator and only reads
            buffer.freebuffer()
