"""The whole model: float head on the host, accelerator (on a board or emulated), float tail on the host.

What it reads lies beside it: ``accelerator.json`` and ``orders.npz`` (the streams); ``weights.npz``, ``head.onnx`` and
``tail.onnx`` where the model has them.
"""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, List, Mapping, Optional, Union

import numpy as np

from .board import Board
from .host import HostGraph
from .stream import Stream, Weights

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]
    Arrays = Union[Array, Mapping[str, Array]]

__all__ = ["Accelerator"]

HERE = Path(__file__).resolve().parent


class Accelerator:
    """The whole model: host head, accelerator, host tail.

    Args:
        bitfile: the bitstream; its ``.hwh`` lies beside it. A name without a folder is looked for here, too.
        emulate: True runs flowc's emulator instead of a board; None does so where pynq is not installed.
        design: the folder that ``flowc build`` wrote, for the emulator; by default the folder above this file's.
        batch: frames that are sent at once.

    Attributes:
        backend: "fpga" or "emulator".
        inputs, outputs: the streams.
        board: access to the DMA engines; None on the emulator.

    Raises:
        FileNotFoundError: there is no such bitstream.
        RuntimeError: neither pynq nor flowc is installed, or the head or tail needs onnxruntime.
    """

    def __init__(
        self,
        bitfile: Union[str, Path] = "design.bit",
        *,
        emulate: Optional[bool] = None,
        design: Union[str, Path, None] = None,
        batch: int = 256,
    ) -> None:
        description = json.loads((HERE / "accelerator.json").read_text(encoding="utf-8"))
        with np.load(HERE / "orders.npz") as orders:
            self.inputs = [_stream(entry, orders) for entry in description["inputs"]]
            self.outputs = [_stream(entry, orders) for entry in description["outputs"]]
        self._results: Dict[str, str] = dict(description["results"])
        if emulate is None:
            emulate = not _installed("pynq")
        self.backend = "emulator" if emulate else "fpga"
        self.board: Optional[Board] = None
        self._design: Any = None
        if emulate:
            if not _installed("flowc"):
                raise RuntimeError("no board (pynq is not installed) and no emulator (flowc is not installed)")
            import flowc

            self._design = flowc.load(Path(design) if design is not None else HERE.parent)
            return
        self._head = HostGraph.load(HERE / "head.onnx")
        self._tail = HostGraph.load(HERE / "tail.onnx")
        self.board = Board(_found(Path(bitfile)), self.inputs, self.outputs, batch, _weights(description["weights"]))

    def __call__(self, x: Arrays) -> Union[Array, Dict[str, Array]]:
        """Runs the model.

        Args:
            x: the model's input (N, ...), or inputs by name.

        Returns:
            The model's output (N, ...), or outputs by name if there are several.

        Raises:
            ValueError: an input is missing, has the wrong shape, or holds values outside its type.
        """
        if self._design is not None:
            emulated: Union[Array, Dict[str, Array]] = self._design.run(x)
            return emulated
        known = dict(self._named(x))
        if self._head is not None:
            known.update(self._head(known))
        known.update(self.run_integers({s.tensor: known[s.tensor] for s in self.inputs}))
        if self._tail is not None:
            known.update(self._tail(known))
        results = {name: known[name].astype(dtype, copy=False) for name, dtype in self._results.items()}
        return next(iter(results.values())) if len(results) == 1 else results

    def run_integers(self, tensors: Mapping[str, Array]) -> Dict[str, Array]:
        """Runs the accelerator alone, on the board: integer tensors out from integer tensors in, by tensor name.

        Raises:
            RuntimeError: there is no board.
            ValueError: as `__call__`.
        """
        if self.board is None:
            raise RuntimeError("integers go in and out on a board only; the emulator runs the whole model")
        results = self.board.run({s.name: np.asarray(tensors[s.tensor]) for s in self.inputs})
        return {s.tensor: results[s.name] for s in self.outputs}

    def close(self) -> None:
        """Gives the board's buffers back."""
        if self.board is not None:
            self.board.close()

    def _named(self, x: Arrays) -> Mapping[str, Array]:
        """The model's inputs by name."""
        names = self._head.inputs if self._head is not None else [s.tensor for s in self.inputs]
        if isinstance(x, Mapping):
            missing = [name for name in names if name not in x]
            if missing:
                raise ValueError("missing inputs: {}; the model has {}".format(", ".join(missing), ", ".join(names)))
            return {name: np.asarray(value) for name, value in x.items()}
        if len(names) != 1:
            raise ValueError("the model has {} inputs: give them by name ({})".format(len(names), ", ".join(names)))
        return {names[0]: np.asarray(x)}


def _stream(entry: Mapping[str, Any], orders: Mapping[str, Array]) -> Stream:
    fields = {**entry, "shape": tuple(entry["shape"])}
    return Stream(order=orders[entry["name"]] if entry["name"] in orders else None, **fields)


def _weights(entries: List[Mapping[str, Any]]) -> List[Weights]:
    if not entries:
        return []
    with np.load(HERE / "weights.npz") as data:
        return [Weights(data=data[entry["name"]], **entry) for entry in entries]


def _installed(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


def _found(bitfile: Path) -> Path:
    for path in (bitfile, HERE / bitfile):
        if path.exists():
            return path.resolve()
    raise FileNotFoundError("no bitstream {} (nor {})".format(bitfile, HERE / bitfile))
