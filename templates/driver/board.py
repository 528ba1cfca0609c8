"""The accelerator in the FPGA, reached through its DMA engines under PYNQ."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, Mapping, Optional, Sequence

import numpy as np

from .device import Device, allocate_halves, fitting_batch
from .errors import DriverError, InputError
from .overlay import load_overlay, part_of
from .status import Status
from .stream import Stream, Weights, read_streams, read_weights

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

__all__ = ["Board", "open_device"]

# Registers of a reader, and bits of the first one (UG1399, S_AXILITE Control Register Map).
_CONTROL, _ADDRESS = 0x00, 0x10
_START, _AGAIN = 0x01, 0x80
# Control registers of a DMA engine and their reset bit (PG021, MM2S_DMACR, S2MM_DMACR).
_SEND_CONTROL, _RECEIVE_CONTROL, _ENGINE_RESET = 0x00, 0x30, 0x04


def open_device(folder: Path, description: Mapping[str, Any], bitfile: Path, batch: int) -> Device:
    """The board, for `driver.Accelerator`; arguments as in `driver.device`."""
    inputs, outputs = read_streams(folder, description)
    return Board(bitfile, inputs, outputs, batch, read_weights(folder, description), description.get("status"), description.get("fifos"))


class Board(Device):
    """The accelerator in the FPGA.

    Buffers for a batch are allocated once, twice over: while one batch is in the FPGA, the next one is packed and the
    one before is unpacked.

    Args:
        bitfile: the bitstream; its ``.hwh`` lies beside it.
        inputs, outputs: the streams.
        batch: frames that are sent at once; fewer where a DMA transfer can't be that long, or the contiguous memory is too small.
        weights: what the accelerator takes from memory besides; it is put there, and sent from then on.
        identity: numbers of the build that the bitstream must have, where it has a status block.
        fifos: those whose high-water marks it keeps.

    Attributes:
        interrupts: wait for the DMA engines' interrupts, and leave the processor to others meanwhile, instead of asking them over and
            over. Those are still asked whose interrupt PYNQ does not find in the bitstream, and all where an event loop runs already
            (in a notebook), which can't be waited in.

    Raises:
        MissingError: the bitstream can't be loaded, is of another design, or the memory is too small for a frame.
    """

    def __init__(
        self,
        bitfile: Path,
        inputs: Sequence[Stream],
        outputs: Sequence[Stream],
        batch: int,
        weights: Sequence[Weights] = (),
        identity: Optional[Sequence[int]] = None,
        fifos: Optional[Sequence[Mapping[str, Any]]] = None,
    ) -> None:
        pynq, self._overlay = load_overlay(bitfile)
        self._inputs, self._outputs = inputs, outputs
        names = [s.name for s in (*inputs, *outputs)]
        self._status = None if identity is None else Status(part_of(self._overlay, "status"), identity, names, fifos)
        sizes = {name: s.frame_bytes // s.ways for s in (*inputs, *outputs) for name in s.engines}
        self._engines = engines = {name: part_of(self._overlay, "dma_" + name) for name in sizes}
        self._frames = part_of(self._overlay, "frames")
        self._readers = {w.name: part_of(self._overlay, w.reader) for w in weights}
        self._sizes = sizes
        self._send = {name: engines[name].sendchannel for s in inputs for name in s.engines}
        self._receive = {name: engines[name].recvchannel for s in outputs for name in s.engines}
        fixed = sum(w.copies * w.data.size for w in weights)
        longest = [max(1, engines[name].buffer_max_size // size) for name, size in sizes.items()]
        batch = fitting_batch(batch, sum(sizes.values()), fixed=fixed, longest=longest)
        self._kept = [(self._readers[w.name], self._load(pynq, w), w.repeats) for w in weights]
        self.batch, self._buffers = allocate_halves(pynq.allocate, sizes, batch)

    def _load(self, pynq: Any, weights: Weights) -> Any:
        """Puts a layer's weights into memory and starts what reads them; returns the buffer, which must stay."""
        buffer = pynq.allocate((weights.copies * weights.data.size,), np.uint8)
        buffer[:] = np.tile(weights.data.reshape(-1), weights.copies)
        buffer.flush()
        reader = self._readers[weights.name]
        reader.write(_ADDRESS, buffer.physical_address & 0xFFFFFFFF)
        reader.write(_ADDRESS + 4, buffer.physical_address >> 32)
        reader.write(_CONTROL, _START | (_AGAIN if weights.repeats else 0))
        return buffer

    def fill(self, half: int, tensors: Mapping[str, Array]) -> int:
        counts = {len(tensors[s.tensor]) for s in self._inputs}
        if len(counts) != 1:
            raise InputError("the inputs have different numbers of frames: {}".format(sorted(counts)))
        for stream in self._inputs:
            for name, part in zip(stream.engines, stream.parts(stream.encode(tensors[stream.tensor]))):
                self._buffers[half][name][: part.size] = part
        return counts.pop()

    def start(self, half: int, frames: int) -> None:
        if self._status is not None:
            self._status.begin(frames)
        self._frames.write(0, 0)
        self._frames.write(0, frames)
        for name, channel in (*self._receive.items(), *self._send.items()):
            channel.transfer(self._buffers[half][name], nbytes=frames * self._sizes[name])

    def wait(self) -> None:
        channels = [("input", name, channel) for name, channel in self._send.items()]
        channels += [("output", name, channel) for name, channel in self._receive.items()]
        for kind, name, channel in channels:
            try:
                self._wait_for(kind, name, channel)
            except RuntimeError as error:
                raise DriverError("the DMA engine of the {} '{}' stopped: {}".format(kind, name, error)) from error
        if self._status is not None:
            self._status.end()

    def _wait_for(self, kind: str, name: str, channel: Any) -> None:
        pin = "dma_{}/{}_introut".format(name, "mm2s" if kind == "input" else "s2mm")
        if self.interrupts and pin in self._overlay.interrupt_pins:
            loop = _loop()
            if not loop.is_running():
                loop.run_until_complete(channel.wait_async())
                return
        channel.wait()

    def figures(self) -> Dict[str, Any]:
        return {} if self._status is None else self._status.figures()

    def flush(self) -> None:
        """Makes the accelerator forget what an aborted run has left in it; the bitstream stays.

        Raises:
            DriverError: it has no status block, a DMA engine does not answer, or weights are sent to it over and over, which stand at
                some word or other: then load the bitstream again.
        """
        if self._status is None:
            raise DriverError("the bitstream has no status block (flowc build --status): load it again to empty the accelerator")
        if any(repeats for _, _, repeats in self._kept):
            raise DriverError("weights that are sent over and over can't be brought back into step: load the bitstream again")
        self._status.hold(True)
        for name in self._send:
            self._reset(name, _SEND_CONTROL)
        for name in self._receive:
            self._reset(name, _RECEIVE_CONTROL)
        self._status.hold(False)
        for channel in (*self._send.values(), *self._receive.values()):
            channel.start()
        for reader, _, _ in self._kept:
            reader.write(_CONTROL, _START)

    def _reset(self, name: str, control: int) -> None:
        """Resets a DMA engine, which first ends what it has begun on the bus."""
        engine = self._engines[name]
        engine.write(control, _ENGINE_RESET)
        for _ in range(100000):
            if not engine.read(control) & _ENGINE_RESET:
                return
        raise DriverError("the DMA engine of '{}' does not come out of its reset".format(name))

    def read(self, half: int, frames: int) -> Dict[str, Array]:
        results = {}
        for stream in self._outputs:
            parts = [np.asarray(self._buffers[half][name][: frames * self._sizes[name]]) for name in stream.engines]
            results[stream.tensor] = stream.decode(stream.whole(parts))
        return results

    def random(self, frames: int) -> Dict[str, Array]:
        return {s.tensor: s.random(frames) for s in self._inputs}

    def close(self) -> None:
        """Gives the buffers back."""
        for half in self._buffers:
            for buffer in half.values():
                buffer.freebuffer()
        for reader, buffer, _ in self._kept:
            reader.write(_CONTROL, 0)  # no further run; one under way waits for the accelerator and only reads
            buffer.freebuffer()


def _loop() -> asyncio.AbstractEventLoop:
    """The event loop that pynq's interrupts belong to: the thread's own."""
    try:
        return asyncio.get_event_loop_policy().get_event_loop()
    except RuntimeError:  # none yet, outside of the main thread
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        return loop
