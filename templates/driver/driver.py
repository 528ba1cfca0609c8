"""The whole model: float head on the host, accelerator (on a board or emulated), float tail on the host.

What it reads lies beside it: ``accelerator.json``, which says what the accelerator is; ``head.onnx`` and ``tail.onnx`` where the model
has them; and what its device needs.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, List, Mapping, Optional, Union

import numpy as np

from .device import Device
from .errors import InputError, MissingError
from .host import HostGraph

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]
    Arrays = Union[Array, Mapping[str, Array]]

__all__ = ["Accelerator"]

HERE = Path(__file__).resolve().parent


class Accelerator:
    """The whole model: host head, accelerator, host tail.

    Where there is neither a board nor an emulator, `head` and `tail` still run; `lacks` says what is missing for the rest.

    Args:
        bitfile: the bitstream; its ``.hwh`` lies beside it. A name without a folder is looked for here, too. None: the one
            that the build makes. Of a board at a serial line: its port, such as "/dev/ttyUSB0"; None: one is looked for.
        emulate: True computes on an emulator instead of a board; None does so where pynq is not installed.
        design: the folder that ``flowc build`` wrote, for flowc's emulator; by default the folder above this file's.
        batch: frames that are sent at once, where the board's memory is large enough.
        interrupts: sleep while the hardware works, instead of asking it over and over, where it has interrupts.

    Attributes:
        backend: "fpga", "emulator", or "host" where only head and tail run.
        inputs: names of the model's inputs.
        device: what computes the integers; None with backend "host".
        lacks: what can't run here and why, one sentence each.

    Raises:
        MissingError: what was asked for is not there: the board, its bitstream, the emulator, a file of this folder.
    """

    def __init__(
        self,
        bitfile: Union[str, Path, None] = None,
        *,
        emulate: Optional[bool] = None,
        design: Union[str, Path, None] = None,
        batch: int = 256,
        interrupts: bool = False,
    ) -> None:
        self._description = _described()
        self._entries: List[str] = self._description["entries"]
        self._results: Dict[str, str] = dict(self._description["results"])
        self._head, self._tail = HostGraph.load(HERE / "head.onnx"), HostGraph.load(HERE / "tail.onnx")
        self.inputs = list(self._entries if self._head is None else self._head.inputs)
        self.lacks = [part.lacks for part in (self._head, self._tail) if part is not None and part.lacks]
        self.device: Optional[Device] = None
        package = self._description["package"]
        board = importlib.util.find_spec(package) is not None
        if emulate:
            self.device = self._emulator(design)
        elif board:
            try:
                self.device = self._board(self._description["bitfile"] if bitfile is None else bitfile, batch)
            except MissingError:
                # A computer with pyserial need not have a board at its USB. Where no port was named, the emulator takes its place.
                if emulate is False or bitfile is not None or self._description["bitfile"] is not None:
                    raise
                self.device = self._emulator(design)
        elif emulate is False:
            raise MissingError("no board: {} is not installed".format(package))
        else:
            try:
                self.device = self._emulator(design)
            except MissingError as error:
                self.lacks.append("no board ({} is not installed), and {}".format(package, error))
        if self.device is not None:
            self.device.interrupts = interrupts
        self.backend = "host" if self.device is None else self.device.name

    def _board(self, bitfile: Union[str, Path, None], batch: int) -> Device:
        module = importlib.import_module("." + self._description["device"], __package__)
        place = None if bitfile is None else Path(bitfile)
        if self._description["bitfile"] is not None and place is not None:
            place = _found(place)
        found: Device = module.open_device(HERE, self._description, place, batch)
        return found

    def _emulator(self, design: Union[str, Path, None]) -> Device:
        module = importlib.import_module("." + self._description["emulator"], __package__)
        found: Device = module.open_emulator(HERE, self._description, None if design is None else Path(design))
        return found

    def __call__(self, x: Arrays) -> Union[Array, Dict[str, Array]]:
        """Runs the model.

        Args:
            x: the model's input (N, ...), or inputs by name.

        Returns:
            The model's output (N, ...), or outputs by name if there are several.

        Raises:
            InputError: an input is missing, has the wrong shape, or holds values outside its type.
            MissingError: a part of the model can't run here (see `lacks`).
        """
        given = self._named(x)
        integers = self.head(given)
        return self.tail(self.run_integers(integers), {**given, **integers})

    def head(self, x: Arrays) -> Dict[str, Array]:
        """The float part in front of the accelerator: integer tensors by name, for `run_integers`.

        Raises:
            InputError, MissingError: as `__call__`.
        """
        given = self._named(x)
        if self._head is None:
            return {name: given[name] for name in self._entries}
        return self._head(given)

    def tail(
        self, integers: Mapping[str, Array], also: Optional[Mapping[str, Array]] = None
    ) -> Union[Array, Dict[str, Array]]:
        """The float part behind the accelerator.

        Args:
            integers: what `run_integers` gave.
            also: the model's inputs and what `head` gave, where the tail reads some of these.

        Returns:
            As `__call__`.

        Raises:
            InputError, MissingError: as `__call__`.
        """
        known = {**(also or {}), **integers}
        if self._tail is not None:
            missing = [name for name in self._tail.inputs if name not in known]
            if missing:
                raise InputError("the model's tail needs {}, too: give it as 'also'".format(", ".join(missing)))
            known.update(self._tail(known))
        results = {name: known[name].astype(dtype, copy=False) for name, dtype in self._results.items()}
        return next(iter(results.values())) if len(results) == 1 else results

    def run_integers(self, tensors: Mapping[str, Array]) -> Dict[str, Array]:
        """Runs the accelerator alone: integer tensors out from integer tensors in, by tensor name.

        Raises:
            InputError, MissingError: as `__call__`.
        """
        if self.device is None:
            raise MissingError(
                "the accelerator can't run here: {}. head() and tail() can".format(self.lacks[-1])
            )
        missing = [name for name in self._entries if name not in tensors]
        if missing:
            raise InputError("missing tensors: {}".format(", ".join(missing)))
        return self.device.run({name: np.asarray(tensors[name]) for name in self._entries})

    def close(self) -> None:
        """Gives the board's buffers back."""
        if self.device is not None:
            self.device.close()

    def _named(self, x: Arrays) -> Dict[str, Array]:
        """The model's inputs by name."""
        if isinstance(x, Mapping):
            missing = [name for name in self.inputs if name not in x]
            if missing:
                text = "missing inputs: {}; the model has {}"
                raise InputError(text.format(", ".join(missing), ", ".join(self.inputs)))
            return {name: _array(name, value) for name, value in x.items()}
        if len(self.inputs) != 1:
            text = "the model has {} inputs: give them by name ({})"
            raise InputError(text.format(len(self.inputs), ", ".join(self.inputs)))
        return {self.inputs[0]: _array(self.inputs[0], x)}


def _array(name: str, value: Any) -> Array:
    array = np.asarray(value)
    if array.dtype.kind not in "biuf" or not array.ndim:
        raise InputError("input '{}' must be an array of numbers, a sample per row of its first axis".format(name))
    return array


def _described() -> Dict[str, Any]:
    path = HERE / "accelerator.json"
    try:
        found: Dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise MissingError("{} can't be read ({}): copy the whole driver folder".format(path, error)) from error
    return found


def _found(bitfile: Path) -> Path:
    for path in (bitfile, HERE / bitfile):
        if path.is_file():
            return path.resolve()
    raise MissingError("no bitstream {} (nor {}): copy it from ../vivado".format(bitfile, HERE / bitfile))
