"""The accelerator on a card, reached through XRT: a kernel per stream moves batches between the card's memory and the accelerator."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, List, Mapping, Sequence, Tuple

import numpy as np

from .device import Device
from .errors import DriverError, InputError, MissingError
from .stream import Stream, Weights, read_streams, read_weights

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

__all__ = ["Card", "open_device"]

_WORD = 64
"""Bytes of a word of the kernels' memory ports: buffers are whole words."""


def open_device(folder: Path, description: Mapping[str, Any], bitfile: Path, batch: int) -> Device:
    """The card, for `driver.Accelerator`; arguments as in `driver.device`."""
    inputs, outputs = read_streams(folder, description)
    return Card(bitfile, inputs, outputs, batch, read_weights(folder, description), description["kernels"])


class Card(Device):
    """The accelerator on a card.

    Buffers for a batch are allocated once, twice over, in the card's memory and on the host: while one batch is computed, the next
    one is packed and the one before is unpacked.

    Args:
        bitfile: the ``.xclbin`` file.
        inputs, outputs: the streams.
        batch: frames that are sent at once.
        weights: what the accelerator takes from memory besides.
        kernels: port to the kernel that moves its stream ("kernel"), and how often weights are sent per frame ("per_frame";
            0: once, when the card is opened).
        index: of the card.

    Raises:
        InputError: `batch` is not above 0.
        MissingError: XRT is not there, finds no card or no such kernels, or the card's memory is too small for a batch.
    """

    def __init__(
        self,
        bitfile: Path,
        inputs: Sequence[Stream],
        outputs: Sequence[Stream],
        batch: int,
        weights: Sequence[Weights],
        kernels: Mapping[str, Mapping[str, Any]],
        index: int = 0,
    ) -> None:
        if batch < 1:
            raise InputError("a batch of {} frames: at least 1 is needed".format(batch))
        self.batch, self._inputs, self._outputs = batch, inputs, outputs
        try:
            self._xrt = importlib.import_module("pyxrt")
        except ImportError as error:
            raise MissingError("no card: pyxrt can't be imported ({}): source XRT's setup.sh".format(error)) from error
        try:
            self._device = self._xrt.device(index)
            identity = self._device.load_xclbin(self._xrt.xclbin(str(bitfile)))
            self._kernels = {
                port: self._xrt.kernel(self._device, identity, entry["kernel"], self._xrt.kernel.shared)
                for port, entry in kernels.items()
            }
        except (OSError, RuntimeError, ValueError, IndexError) as error:
            raise MissingError(
                "XRT can't run {}: {}. It must be linked for this card's platform, from the same build as this driver".format(
                    bitfile, error
                )
            ) from error
        every = (*inputs, *outputs)
        self._buffers = [{s.name: self._allocate(s.name, batch * s.frame_bytes) for s in every} for _ in range(2)]
        self._runs: List[Tuple[str, Any]] = []
        self._results: List[Tuple[Any, int]] = []
        self._weights = []
        for w in weights:
            buffer = self._allocate(w.name, w.data.size)
            self._write(buffer, w.data.reshape(-1))
            often = kernels[w.name]["per_frame"]
            if often:
                self._weights.append((w.name, buffer, often))
            else:
                self._finish(w.name, self._kernels[w.name](buffer, 1))

    def _allocate(self, port: str, size: int) -> Any:
        """A buffer where the kernel of a port reaches it."""
        whole = -(-size // _WORD) * _WORD
        try:
            return self._xrt.bo(self._device, whole, self._xrt.bo.normal, self._kernels[port].group_id(0))
        except (MemoryError, RuntimeError) as error:
            raise MissingError(
                "the card has no memory for {:,} bytes of '{}': {}. Give a smaller batch".format(whole, port, error)
            ) from error

    def _write(self, buffer: Any, data: Array) -> None:
        np.frombuffer(buffer.map(), np.uint8)[: data.size] = data
        if data.size:
            buffer.sync(self._xrt.xclBOSyncDirection.XCL_BO_SYNC_BO_TO_DEVICE, data.size, 0)

    def _finish(self, port: str, run: Any) -> None:
        run.wait()
        if run.state() != self._xrt.ert_cmd_state.ERT_CMD_STATE_COMPLETED:
            raise DriverError("the kernel that moves '{}' stopped: {}".format(port, run.state()))

    def fill(self, half: int, tensors: Mapping[str, Array]) -> int:
        counts = {len(tensors[s.tensor]) for s in self._inputs}
        if len(counts) != 1:
            raise InputError("the inputs have different numbers of frames: {}".format(sorted(counts)))
        for stream in self._inputs:
            self._write(self._buffers[half][stream.name], stream.encode(tensors[stream.tensor]).reshape(-1))
        return counts.pop()

    def start(self, half: int, frames: int) -> None:
        buffers = self._buffers[half]
        for stream in (*self._outputs, *self._inputs):
            self._runs.append((stream.name, self._kernels[stream.name](buffers[stream.name], frames)))
        for name, buffer, often in self._weights:
            self._runs.append((name, self._kernels[name](buffer, frames * often)))
        self._results = [(buffers[s.name], frames * s.frame_bytes) for s in self._outputs]

    def wait(self) -> None:
        runs, self._runs = self._runs, []
        for port, run in runs:
            self._finish(port, run)
        for buffer, size in self._results:
            if size:
                buffer.sync(self._xrt.xclBOSyncDirection.XCL_BO_SYNC_BO_FROM_DEVICE, size, 0)

    def read(self, half: int, frames: int) -> Dict[str, Array]:
        results = {}
        for stream in self._outputs:
            data = np.frombuffer(self._buffers[half][stream.name].map(), np.uint8)[: frames * stream.frame_bytes]
            results[stream.tensor] = stream.decode(data.reshape(frames, stream.frame_bytes))
        return results

    def random(self, frames: int) -> Dict[str, Array]:
        return {s.tensor: s.random(frames) for s in self._inputs}

    def close(self) -> None:
        """Gives the buffers back."""
        self._buffers, self._weights, self._results = [], [], []
