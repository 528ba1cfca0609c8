"""The accelerator at a serial line (an FTDI chip on the board), reached through pyserial.

Both sides send blocks: a head of 1 to 64, as many bytes, and their CRC-8. A side sends only what the other has made room for (the byte
80 hex for 64 bytes more), so that nothing is lost however slow either is. C0 begins anew.
"""

from __future__ import annotations

import importlib
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, List, Mapping, Optional

import numpy as np

from .device import Device
from .errors import DriverError, InputError, MissingError
from .stream import Stream, read_streams

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

__all__ = ["Link", "Uart", "open_device"]

_BLOCK, _MORE, _ANEW = 64, 0x80, 0xC0
_WRONG = {
    0xE1: "the check of a block was wrong: bits were lost on the line",
    0xE2: "a byte had no stop bit: is the baud rate right?",
    0xE3: "more bytes came than there was room for",
    0xE4: "an unknown head came: bytes were lost on the line",
}
_AHEAD = 4
"""Blocks of results that may be under way: fewer bytes than the FTDI chip holds."""
_FTDI = {(0x0403, 0x6015): 0, (0x0403, 0x6010): 1}
"""USB vendor and product, and which of its serial lines goes to the FPGA: FT231X (ULX3S), FT2232H (iCEBreaker)."""


def _table() -> List[int]:
    table = []
    for value in range(256):
        for _ in range(8):
            value = (value << 1) ^ (0x107 if value & 0x80 else 0)
        table.append(value)
    return table


_CRC = _table()


def _check(data: bytes) -> int:
    """CRC-8 with the polynomial x^8 + x^2 + x + 1."""
    check = 0
    for byte in data:
        check = _CRC[check ^ byte]
    return check


class Link:
    """The protocol, on anything with ``write(bytes)`` and ``read(size)`` (at most so many bytes, none after a while).

    Args:
        line: the serial line.
        room: bytes that the chip has room for.
        patience: seconds without a byte after which the line counts as dead.
    """

    def __init__(self, line: Any, room: int, patience: float = 2.0) -> None:
        self._line, self._room, self._patience = line, room, patience
        self._pending = bytearray()
        self._may_send = 0
        self.begin()

    def begin(self) -> None:
        """Begins anew: whatever was under way is gone.

        Raises:
            DriverError: nothing answers, or it is no accelerator of this driver.
        """
        self._line.write(bytes([_ANEW]) * (_BLOCK + 2))  # as many as end a block that was under way
        quiet = 0
        deadline = time.monotonic() + self._patience
        while quiet < 2 and time.monotonic() < deadline:
            quiet = 0 if self._line.read(4096) else quiet + 1
        self._pending.clear()
        self._line.write(bytes([_ANEW]))
        answer = self._byte()
        if answer != _ANEW:
            raise DriverError("the board answers {:02x}, not c0: is the right bitstream loaded?".format(answer))
        self._line.write(bytes([_MORE]) * _AHEAD)
        self._may_send = self._room

    def exchange(self, data: bytes, expected: int) -> bytes:
        """Sends `data` and returns the `expected` bytes that come for it.

        Raises:
            DriverError: the line is dead, or bits were lost on it; the next call begins anew.
        """
        try:
            return self._exchange(memoryview(data), expected)
        except DriverError:
            self._may_send = -1
            raise

    def _exchange(self, data: memoryview, expected: int) -> bytes:
        if self._may_send < 0:
            self.begin()
        got, sent, taken = bytearray(), 0, 0
        while len(got) < expected or sent < len(data):
            size = min(_BLOCK, len(data) - sent, self._may_send)
            if size:
                block = bytes(data[sent : sent + size])
                self._line.write(bytes([size]) + block + bytes([_check(block)]))
                sent += size
                self._may_send -= size
                if self._may_send and sent < len(data):
                    continue
            if len(got) == expected and (sent == len(data) or self._may_send):
                continue
            head = self._byte()
            if head == _MORE:
                self._may_send += _BLOCK
            elif 1 <= head <= _BLOCK:
                block = bytes(self._byte() for _ in range(head))
                if self._byte() != _check(block):
                    raise DriverError("the check of a block from the board is wrong: bits were lost on the line")
                got += block
                taken += head
                if taken >= _BLOCK:
                    self._line.write(bytes([_MORE]) * (taken // _BLOCK))
                    taken %= _BLOCK
            else:
                raise DriverError("the board says: {}".format(_WRONG.get(head, "{:02x}, which means nothing".format(head))))
        return bytes(got)

    def _byte(self) -> int:
        deadline = time.monotonic() + self._patience
        while not self._pending:
            self._pending += self._line.read(max(1, min(4096, getattr(self._line, "in_waiting", 1))))
            if not self._pending and time.monotonic() > deadline:
                raise DriverError("the board is silent: is it powered, its bitstream loaded, the port the right one?")
        return self._pending.pop(0)


class Uart(Device):
    """An accelerator behind a `Link`.

    Args:
        link: to the board.
        source, sink: the streams of the accelerator.
        batch: frames that are sent at once.
    """

    def __init__(self, link: Link, source: Stream, sink: Stream, batch: int) -> None:
        if batch < 1:
            raise InputError("a batch of {} frames: at least 1 is needed".format(batch))
        self.batch = batch
        self._link, self._source, self._sink = link, source, sink
        self._sent: List[bytes] = [b"", b""]
        self._results: List[bytes] = [b"", b""]

    def fill(self, half: int, tensors: Mapping[str, Array]) -> int:
        data = self._source.encode(tensors[self._source.tensor])
        self._sent[half] = data.tobytes()
        return len(data)

    def start(self, half: int, frames: int) -> None:
        self._results[half] = self._link.exchange(self._sent[half], frames * self._sink.frame_bytes)

    def wait(self) -> None:
        """Nothing: `start` returns when all is done."""

    def read(self, half: int, frames: int) -> Dict[str, Array]:
        data = np.frombuffer(self._results[half][: frames * self._sink.frame_bytes], np.uint8)
        return {self._sink.tensor: self._sink.decode(data.reshape(frames, self._sink.frame_bytes))}

    def random(self, frames: int) -> Dict[str, Array]:
        return {self._source.tensor: self._source.random(frames)}

    def close(self) -> None:
        line = self._link._line
        if hasattr(line, "close"):
            line.close()


def open_device(folder: Path, description: Mapping[str, Any], port: Optional[Path], batch: int) -> Device:
    """The board at a serial port, for `driver.Accelerator`; `port` None: the first FTDI chip that the boards have.

    Raises:
        MissingError: pyserial is not installed, there is no such port, or it can't be opened.
    """
    try:
        serial = importlib.import_module("serial")
    except ImportError as error:
        raise MissingError("no board: pyserial can't be imported ({})".format(error)) from error
    name = _found_port() if port is None else str(port)
    try:
        line = serial.Serial(name, description["baud"], timeout=0.05)
    except (OSError, ValueError) as error:
        raise MissingError("the serial port {} can't be opened: {}".format(name, error)) from error
    inputs, outputs = read_streams(folder, description)
    return Uart(Link(line, description["room"]), inputs[0], outputs[0], batch)


def _found_port() -> str:
    ports = importlib.import_module("serial.tools.list_ports").comports()
    found: Dict[Any, List[str]] = {}
    for port in sorted(ports, key=lambda p: str(p.device)):
        found.setdefault((port.vid, port.pid), []).append(str(port.device))
    for chip, number in _FTDI.items():
        if len(found.get(chip, [])) > number:
            return found[chip][number]
    raise MissingError("no board: no FTDI chip at USB. Give the serial port, as Accelerator('/dev/ttyUSB0')")
