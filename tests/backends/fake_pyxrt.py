"""A stand-in for XRT's `pyxrt`: a card whose movers and accelerator are flowc's emulator.

It keeps the rules that a driver can break: the card sees what was synchronized, not what lies on the host; a buffer belongs to the memory of
a kernel; a kernel runs once at a time here, and ends when all streams have their frames.
"""

from __future__ import annotations

import enum
import importlib.util
import types
from typing import Any

import numpy as np

from flowc.backends.alveo import movers
from flowc.dataflow.emulator import emulate
from flowc.interface.names import name_design
from flowc.interface.weights import weight_ports
from flowc.interface.wire import boundary
from flowc.units.graph import Dataflow
from tests.backends.fake_pynq import slow_decode, slow_encode


class Direction(enum.Enum):
    XCL_BO_SYNC_BO_TO_DEVICE = 0
    XCL_BO_SYNC_BO_FROM_DEVICE = 1


class State(enum.Enum):
    ERT_CMD_STATE_RUNNING = 3
    ERT_CMD_STATE_COMPLETED = 4


class Buffer:
    normal = "normal"

    def __init__(self, device: Any, size: int, flags: str, group: int) -> None:
        if size > device.memory:
            raise RuntimeError("failed to allocate bo")
        assert size % 64 == 0
        assert flags == self.normal
        self.host, self.card, self.group = np.full(size, 0xAA, np.uint8), np.full(size, 0x55, np.uint8), group

    def map(self) -> memoryview:
        return memoryview(self.host)

    def sync(self, direction: Direction, size: int, offset: int) -> None:
        part = slice(offset, offset + size)
        if direction is Direction.XCL_BO_SYNC_BO_TO_DEVICE:
            self.card[part] = self.host[part]
        else:
            self.host[part] = self.card[part]


class Card:
    def __init__(self, graph: Dataflow, memory: int) -> None:
        self.graph, self.memory = graph, memory
        self.kernels = {m.kernel: m for m in movers(graph)}
        self.pending: dict[str, tuple[Buffer, int]] = {}
        self.batches: list[int] = []
        self.weighted: set[str] = set()

    def check_weights(self, port: Any) -> None:
        buffer, times = self.pending.pop(port.name)
        rows = [slow_encode(row, port.dtype, port.per_word, port.memory_bytes) for row in port.unit.weight_rows]
        assert buffer.card.tobytes()[: len(b"".join(rows))] == b"".join(rows)
        assert times == (port.positions * next(iter(self.frames())) if port.repeats else 1)
        self.weighted.add(port.name)

    def frames(self) -> set[int]:
        return {count for name, (_, count) in self.pending.items() if not name.startswith("weights_")}

    def work(self) -> None:
        """Moves what can be moved: weights that come once at any time, the rest when every stream has its call."""
        for port in weight_ports(self.graph):
            if not port.repeats and port.name in self.pending:
                self.check_weights(port)
        ports = boundary(self.graph)
        if {p.name for p in ports} - set(self.pending) or any(
            w.repeats and w.name not in self.pending for w in weight_ports(self.graph)
        ):
            return
        (frames,) = self.frames()
        for port in weight_ports(self.graph):
            if port.repeats:
                self.check_weights(port)
        assert self.weighted == {w.name for w in weight_ports(self.graph)}
        names = name_design(self.graph).ports
        inputs = {}
        for unit in self.graph.inputs:
            port = next(p for p in ports if p.name == names[unit.name])
            data = self.pending.pop(port.name)[0].card[: frames * port.frame_bytes].tobytes()
            inputs[unit.name] = np.array(slow_decode(data, port.dtype, port.per_beat, port.memory_bytes)).reshape(
                -1, *unit.frame.shape
            )
        for name, y in emulate(self.graph, inputs).items():
            port = next(p for p in ports if p.name == names[name])
            flat = y.reshape(frames, -1).astype(int)
            data = b"".join(slow_encode(f, port.dtype, port.per_beat, port.memory_bytes) for f in flat)
            self.pending.pop(port.name)[0].card[: len(data)] = np.frombuffer(data, np.uint8)
        self.batches.append(frames)


class Run:
    def __init__(self, card: Card, port: str) -> None:
        self.card, self.port = card, port

    def wait(self) -> None:
        self.card.work()

    def state(self) -> State:
        return State.ERT_CMD_STATE_RUNNING if self.port in self.card.pending else State.ERT_CMD_STATE_COMPLETED


class Kernel:
    shared = "shared"

    def __init__(self, card: Card, identity: str, name: str, access: str) -> None:
        assert (identity, access) == ("uuid", self.shared)
        if name not in card.kernels:
            raise RuntimeError(f"no such kernel '{name}'")
        self.card, self.mover = card, card.kernels[name]
        self.group = 1 + list(card.kernels).index(name)

    def group_id(self, argument: int) -> int:
        assert argument == 0
        return self.group

    def __call__(self, buffer: Buffer, count: int) -> Run:
        assert buffer.group == self.group
        assert self.mover.port not in self.card.pending
        self.card.pending[self.mover.port] = buffer, count
        return Run(self.card, self.mover.port)


def make_pyxrt(graph: Dataflow, memory: int = 1 << 30) -> types.ModuleType:
    """A module that stands in for pyxrt; its `cards` are what was opened."""
    module: Any = types.ModuleType("pyxrt")
    module.__spec__ = importlib.util.spec_from_loader("pyxrt", None)
    module.cards = []

    def device(index: int) -> Card:
        assert index == 0
        card = Card(graph, memory)
        card.load_xclbin = lambda image: "uuid"  # type: ignore[attr-defined]
        module.cards.append(card)
        return card

    module.device, module.xclbin, module.kernel, module.bo = device, str, Kernel, Buffer
    module.xclBOSyncDirection, module.ert_cmd_state = Direction, State
    return module
