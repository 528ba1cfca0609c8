"""flowc's emulator in place of the board: the same integers, bit for bit, where flowc is installed and the design at hand."""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, Mapping, Optional

import numpy as np

from .device import Device
from .errors import InputError, MissingError
from .stream import read_streams

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

__all__ = ["Emulator", "open_emulator"]


def open_emulator(folder: Path, description: Mapping[str, Any], design: Optional[Path]) -> Device:
    """The emulator, for `driver.Accelerator`; arguments as in `driver.device`."""
    return Emulator(folder, description, folder.parent if design is None else design)


class Emulator(Device):
    """A design under flowc's emulator.

    Args:
        folder: of the driver.
        description: ``accelerator.json``.
        design: the folder that ``flowc build`` wrote.

    Raises:
        MissingError: flowc is not installed, or finds no design in the folder.
    """

    name = "emulator"
    batch = 256

    def __init__(self, folder: Path, description: Mapping[str, Any], design: Path) -> None:
        if importlib.util.find_spec("flowc") is None:
            raise MissingError("no emulator: flowc is not installed")
        flowc = importlib.import_module("flowc")
        try:
            self._design = flowc.load(design)
        except flowc.FlowcError as error:
            raise MissingError("no emulator: {}".format(error)) from error
        self._inputs, self._outputs = read_streams(folder, description)
        self._halves: Dict[int, Dict[str, Array]] = {}

    def fill(self, half: int, tensors: Mapping[str, Array]) -> int:
        # Encoding and decoding is what the board's driver does, and checks what is given.
        self._halves[half] = {s.tensor: s.decode(s.encode(tensors[s.tensor])) for s in self._inputs}
        counts = {len(value) for value in self._halves[half].values()}
        if len(counts) != 1:
            raise InputError("the inputs have different numbers of frames: {}".format(sorted(counts)))
        return counts.pop()

    def start(self, half: int, frames: int) -> None:
        given = {name: value.astype(np.int64) for name, value in self._halves[half].items()}
        self._halves[half] = self._design.from_ports(self._design.plan.run(self._design.to_ports(given)))

    def wait(self) -> None:
        pass

    def read(self, half: int, frames: int) -> Dict[str, Array]:
        if not frames:
            return {s.tensor: np.zeros((0, *s.shape), np.int64) for s in self._outputs}
        return {s.tensor: self._halves[half][s.tensor].reshape(frames, *s.shape) for s in self._outputs}

    def random(self, frames: int) -> Dict[str, Array]:
        return {s.tensor: s.random(frames) for s in self._inputs}
