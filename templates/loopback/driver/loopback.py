"""The loopback engine: in the FPGA under PYNQ, or its commands executed in numpy, which gives the same bytes and takes its time.

The commands and the weights go into memory once. A batch is then: inputs into the tensors' room, the table from its begin, with steps of the
processor where the network has layers that the engine has no form for, and outputs from there. The tensors have room twice where
the contiguous memory allows: one batch is packed while the one before is computed.
"""

from __future__ import annotations

import time
from abc import abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, List, Mapping, Optional, Sequence

import numpy as np

from .descriptors import decode
from .device import Device, cma_bytes
from .engine import read_engine
from .errors import DriverError, InputError, MissingError
from .hoststeps import compute
from .integers import Integers
from .machine import Machine
from .overlay import load_overlay, part_of
from .places import Place

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

__all__ = ["EngineBoard", "Interpreter", "Loopback", "open_device", "open_emulator"]

_START, _DONE, _IDLE = 1, 2, 4
_ALIGNMENT = 64
_STUCK = 30.0  # seconds that no call of the engine takes


def open_device(folder: Path, description: Mapping[str, Any], bitfile: Path, batch: int) -> Device:
    """The board, for `driver.Accelerator`. The batch is the program's, whatever is wished."""
    return EngineBoard(folder, description, bitfile, batch)


def open_emulator(folder: Path, description: Mapping[str, Any], design: Optional[Path]) -> Device:
    """The engine's commands in numpy: needs nothing but this folder."""
    return Interpreter(folder, description)


class Loopback(Device):
    """What board and interpreter share: the processor's steps around the engine's runs.

    Args:
        folder: of the driver.
        description: ``accelerator.json``.
    """

    def __init__(self, folder: Path, description: Mapping[str, Any]) -> None:
        self.engine = read_engine(description)
        self.batch = description["batch"]
        self._description = description
        self._inputs = [_integers(entry) for entry in description["inputs"]]
        self._outputs = [(entry["tensor"], tuple(entry["shape"])) for entry in description["outputs"]]
        with np.load(folder / "steps.npz") as data:
            self._arrays = {name: data[name] for name in data.files}
        self._steps: List[Mapping[str, Any]] = description["steps"]
        runs = [i for i, step in enumerate(self._steps) if step["do"] == "run"]
        self._first, self._last = runs[0], runs[-1]
        self._places = {
            i: Place(self.engine, step["place"], self._arrays) for i, step in enumerate(self._steps) if "place" in step
        }
        self._values: List[Dict[int, Array]] = [{}, {}]
        self._running = (0, 0)
        self.cycles = 0

    @abstractmethod
    def _memory(self, half: int) -> Any:
        """The external memory of a half, uint8, addressed as the commands do."""

    @abstractmethod
    def _launch(self, half: int, first: int, count: int) -> None:
        """Starts commands on a half."""

    @abstractmethod
    def _join(self) -> None:
        """Returns when they are done."""

    def fill(self, half: int, tensors: Mapping[str, Array]) -> int:
        counts = {len(tensors[t.tensor]) for t in self._inputs}
        if len(counts) != 1:
            raise InputError("the inputs have different numbers of frames: {}".format(sorted(counts)))
        frames = counts.pop()
        if frames > self.batch:
            raise InputError("{} frames; the program takes {} at once".format(frames, self.batch))
        given = zip(self._description["inputs"], self._inputs)
        self._values[half] = {entry["value"]: t.flat(tensors[t.tensor]).astype(np.int64) for entry, t in given}
        self._compute(half, frames, 0, self._first)
        return frames

    def start(self, half: int, frames: int) -> None:
        self._running = half, frames
        self.cycles = 0
        step = self._steps[self._first]
        self._launch(half, step["first"], step["count"])

    def wait(self) -> None:
        half, frames = self._running
        self._join()
        begin = self._first + 1
        for i in range(begin, self._last + 1):
            step = self._steps[i]
            if step["do"] == "run":
                self._compute(half, frames, begin, i)
                self._launch(half, step["first"], step["count"])
                self._join()
                begin = i + 1

    def read(self, half: int, frames: int) -> Dict[str, Array]:
        if not frames:
            return {name: np.zeros((0, *shape), np.int64) for name, shape in self._outputs}
        self._compute(half, frames, self._last + 1, len(self._steps))
        values = self._values[half]
        entries = zip(self._description["outputs"], self._outputs)
        return {name: values[entry["value"]].reshape(frames, *shape) for entry, (name, shape) in entries}

    def random(self, frames: int) -> Dict[str, Array]:
        return {t.tensor: t.random(frames) for t in self._inputs}

    def _compute(self, half: int, frames: int, begin: int, end: int) -> None:
        """The processor's steps from one number up to another."""
        values, memory = self._values[half], self._memory(half)
        for i in range(begin, end):
            step = self._steps[i]
            if step["do"] == "write":
                self._places[i].write(memory, values[step["value"]])
            elif step["do"] == "read":
                values[step["value"]] = self._places[i].read(memory, frames)
            else:
                values[step["value"]] = compute(step, values, self._arrays)


def _integers(entry: Mapping[str, Any]) -> Integers:
    names = ("tensor", "bits", "signed", "bipolar")
    return Integers(shape=tuple(entry["shape"]), **{name: entry[name] for name in names})


def _weights(folder: Path) -> Array:
    return np.fromfile(folder / "weights.bin", np.uint8)


class Interpreter(Loopback):
    """The engine's commands, executed in numpy: equal bit for bit, and slow."""

    name = "emulator"

    def __init__(self, folder: Path, description: Mapping[str, Any]) -> None:
        super().__init__(folder, description)
        table = np.fromfile(folder / "descriptors.bin", "<u4").reshape(-1, 16)
        self._commands: Sequence[Any] = decode(table.astype(np.uint32))
        self._ddr = [np.zeros(description["memory_bytes"], np.uint8) for _ in range(2)]
        weights = _weights(folder)
        for memory in self._ddr:
            memory[: len(weights)] = weights
        self._machine: Any = None

    def _memory(self, half: int) -> Any:
        return self._ddr[half]

    def _launch(self, half: int, first: int, count: int) -> None:
        if first == 0:  # the counters of a table begin with it
            lanes = self.engine.lanes if self._description["stripes"] else min(self._running[1], self.engine.lanes)
            self._machine = Machine(self.engine, self._ddr[half], lanes=range(lanes))
        self._machine.run(self._commands[first : first + count])

    def _join(self) -> None:
        pass


class EngineBoard(Loopback):
    """The engine in the FPGA.

    Weights and commands lie in a buffer of their own, once. The engine's addresses count from the begin of the weights, so the port of the
    activations is given the address at which the weights would begin in front of the tensors.

    Raises:
        MissingError: the bitstream can't be loaded or holds another engine, or the contiguous memory is too small.
    """

    def __init__(self, folder: Path, description: Mapping[str, Any], bitfile: Path, batch: int) -> None:
        super().__init__(folder, description)
        if batch < 1:
            raise InputError("a batch of {} frames: at least 1 is needed".format(batch))
        pynq, overlay = load_overlay(bitfile)
        self._core = part_of(overlay, "engine")
        self._registers: Mapping[str, int] = description["registers"]
        weights, table = _weights(folder), np.fromfile(folder / "descriptors.bin", np.uint8)
        self._behind = description["weight_bytes"]
        size = max(description["memory_bytes"] - self._behind, _ALIGNMENT)
        free = cma_bytes() - len(weights) - len(table)
        if free < size:
            text = (
                "weights and commands take {:,} bytes of contiguous memory, a batch of {} frames {:,}; {:,} are free. Build with a "
                "smaller --batch, or boot with a larger 'cma=' in the kernel's command line"
            )
            raise MissingError(text.format(len(weights) + len(table), self.batch, size, cma_bytes()))
        self._kept = [_filled(pynq, table), _filled(pynq, weights)]
        self._halves = [_allocated(pynq, size)]
        if free >= 2 * size:
            try:
                self._halves.append(_allocated(pynq, size))
            except MissingError:
                pass  # what is free lies in pieces: batches take turns then
        self._expected = 0

    @property
    def overlaps(self) -> bool:
        """Whether there is room for two batches."""
        return len(self._halves) == 2

    def run(self, tensors: Mapping[str, Array]) -> Dict[str, Array]:
        if self.overlaps:
            return super().run(tensors)
        total = len(next(iter(tensors.values())))
        parts = []
        for begin in range(0, max(total, 1), self.batch):
            frames = self.fill(0, {name: value[begin : begin + self.batch] for name, value in tensors.items()})
            if frames:
                self.start(0, frames)
                self.wait()
            parts.append(self.read(0, frames))
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def _buffer(self, half: int) -> Any:
        return self._halves[half % len(self._halves)]

    def _memory(self, half: int) -> Any:
        # A view whose byte 0 is where the weights would begin; nothing in front of the tensors is touched through it.
        return _Shifted(np.asarray(self._buffer(half)), self._behind)

    def _launch(self, half: int, first: int, count: int) -> None:
        buffer = self._buffer(half)
        buffer.flush()
        tensors = buffer.physical_address - self._behind
        addresses = {
            "table": self._kept[0].physical_address,
            "weights": self._kept[1].physical_address,
            "acts": tensors,
            "results": tensors,
        }
        for name, address in addresses.items():
            self._core.write(self._registers[name], address & 0xFFFFFFFF)
            self._core.write(self._registers[name] + 4, address >> 32 & 0xFFFFFFFF)
        self._core.write(self._registers["first"], first)
        self._core.write(self._registers["count"], count)
        self._expected = count
        self._core.write(self._registers["control"], _START)

    def _join(self) -> None:
        begin = time.monotonic()
        while not self._core.read(self._registers["control"]) & (_DONE | _IDLE):
            if time.monotonic() - begin > _STUCK:
                raise DriverError("the engine has not finished for {:g} s: load the overlay anew".format(_STUCK))
        done = self._core.read(self._registers["done"])
        if done != self._expected:
            raise DriverError("the engine stopped after {} of {} commands".format(done, self._expected))
        self.cycles += self._core.read(self._registers["cycles"])
        self._buffer(self._running[0]).invalidate()

    def figures(self) -> Dict[str, Any]:
        return {"engine_cycles": self.cycles}

    def close(self) -> None:
        """Gives the buffers back."""
        for buffer in (*self._halves, *self._kept):
            buffer.freebuffer()


class _Shifted:
    """A memory that is addressed from an address on which is not its own begin."""

    def __init__(self, memory: Array, begin: int) -> None:
        self._memory, self._begin = memory, begin

    def __getitem__(self, where: slice) -> Array:
        return self._memory[where.start - self._begin : where.stop - self._begin]


def _allocated(pynq: Any, size: int) -> Any:
    try:
        buffer = pynq.allocate((size,), np.uint8)
    except (MemoryError, RuntimeError) as error:
        raise MissingError("no {:,} bytes of contiguous memory: {}".format(size, error)) from error
    buffer[:] = 0
    return buffer


def _filled(pynq: Any, data: Array) -> Any:
    buffer = _allocated(pynq, max(len(data), _ALIGNMENT))
    buffer[: len(data)] = data
    buffer.flush()
    return buffer
