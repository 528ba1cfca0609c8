"""A stand-in for the `pynq` package: an overlay whose DMA engines feed flowc's emulator.

It keeps the rules of the hardware that a driver can break: a channel runs one transfer at a time, a receive ends at
TLAST (which comes with the last of the `frames` that the register says, or with every frame at 0), nothing may be
longer than the length register allows, and a transfer that never gets its data hangs (here: raises). Nothing runs before
all weights that come from memory were started, with the right bytes in a flushed buffer.
"""

from __future__ import annotations

import types

import numpy as np

from flowc.dataflow.emulator import emulate
from flowc.interface.names import name_design
from flowc.interface.weights import weight_ports
from flowc.interface.wire import DMA_LENGTH_BITS, boundary
from flowc.model.dtypes import IntType
from flowc.units import InputPort


class Buffer(np.ndarray):
    """What pynq.allocate gives: an array that remembers whether it was freed."""

    freed = False
    flushed = False
    physical_address = 0

    def freebuffer(self):
        self.freed = True

    def flush(self):
        self.flushed = True


class Reader:
    """What brings a layer's weights: checks that what lies at its address are the weights."""

    def __init__(self, port, buffers):
        self.port, self.buffers = port, buffers
        self.registers = {}
        self.control = 0

    def write(self, offset, value):
        if offset:
            self.registers[offset] = value
            return
        self.control = value
        if value:
            self.check()

    def check(self):
        port = self.port
        address = self.registers[0x10] | self.registers[0x14] << 32
        (buffer,) = [b for b in self.buffers if b.physical_address == address]
        assert buffer.flushed
        assert not buffer.freed
        assert self.control == (0x81 if port.repeats else 0x01)
        assert buffer.nbytes == port.beats * port.reader_bytes
        rows = [slow_encode(row, port.dtype, port.per_word, port.memory_bytes) for row in port.unit.weight_rows]
        assert buffer.tobytes() == b"".join(rows) * port.copies


def slow_encode(values, dtype: IntType, per_beat, beat_bytes):
    """Bytes of one frame, by the definition."""
    data = bytearray()
    for start in range(0, len(values), per_beat):
        word = 0
        for e, value in enumerate(values[start : start + per_beat]):
            code = (int(value) + 1) // 2 if dtype.bipolar else int(value) % (1 << dtype.bits)
            word |= code << (e * dtype.bits)
        data += word.to_bytes(beat_bytes, "little")
    return bytes(data)


def slow_decode(data, dtype: IntType, per_beat, beat_bytes):
    """The inverse of slow_encode."""
    values = []
    for start in range(0, len(data), beat_bytes):
        word = int.from_bytes(data[start : start + beat_bytes], "little")
        for e in range(per_beat):
            code = word >> (e * dtype.bits) & ((1 << dtype.bits) - 1)
            if dtype.bipolar:
                code = 2 * code - 1
            elif dtype.signed and code >> (dtype.bits - 1):
                code -= 1 << dtype.bits
            values.append(code)
    return values


class Status:
    """The registers of flowc_status.v, as far as the driver uses them: each look at the cycles takes one."""

    def __init__(self, overlay, identity):
        self.overlay = overlay
        self.words = {
            0: 0x666C6F77,
            4: 2,
            8: identity[0],
            12: identity[1],
            0x10: 0,
            0x14: len(overlay.ports),
            0x18: (1 << 32) - 2,
        }

    def read(self, offset):
        if offset == 0x18:
            self.words[offset] = (self.words[offset] + 1) % (1 << 32)
        return self.words.get(offset, 0)

    def write(self, offset, value):
        assert offset == 0x10
        self.words[offset] = value
        if value:
            self.overlay.dirty = False
            self.words |= {o: 0 for o in self.words if o >= 0x20}
        else:
            assert all(e.resets for e in self.overlay.engines), (
                "the streams run again before the DMA engines were reset"
            )

    def count(self, frames):
        """Beats of a run; in each a cycle waited, in every second one none was there."""
        for i, port in enumerate(self.overlay.ports):
            for k, share in enumerate((1, 1, 2)):
                offset = 0x20 + 16 * i + 4 * k
                self.words[offset] = self.words.get(offset, 0) + frames * port.beats // share


class Engine:
    """Registers of a DMA engine: its reset ends what is under way."""

    def __init__(self, channel, length_bits, **ends):
        self.channel, self.buffer_max_size, self.resets = channel, (1 << length_bits) - 1, 0
        self.__dict__.update(ends)

    def write(self, offset, value):
        assert (offset, value) == (0x00 if self.channel.port.port.is_input else 0x30, 4)
        self.channel.pending, self.channel.running = None, False
        self.resets += 1

    def read(self, offset):
        return 0


class Channel:
    def __init__(self, overlay, port):
        self.overlay, self.port = overlay, port
        self.pending, self.running = None, True

    def start(self):
        self.running = True

    async def wait_async(self):
        self.overlay.interrupts += 1
        self.wait()

    def transfer(self, array, start=0, nbytes=0):
        if self.pending is not None or not self.running:
            raise RuntimeError("DMA channel not idle")
        nbytes = nbytes or array.nbytes - start
        if nbytes >= 1 << self.overlay.length_bits:
            raise ValueError("Transfer size exceeds the maximum DMA buffer size")
        assert not array.freed
        self.pending = array[start : start + nbytes]

    def wait(self):
        self.overlay.work()
        if self.pending is not None:
            raise RuntimeError(f"the transfer of {self.port.name} never ends")


def make_pynq(graph, length_bits=DMA_LENGTH_BITS, identity=None):
    """A module object that stands in for pynq, and the list of its overlays."""
    overlays, buffers = [], []

    class Overlay:
        def __init__(self, bitfile):
            overlays.append(self)
            self.bitfile = bitfile
            self.length_bits = length_bits
            self.register = 0
            self.batches, self.engines = [], []
            self.dirty, self.interrupts = False, 0
            self.interrupt_pins = {
                f"dma_{e.name}/{'mm2s' if p.is_input else 's2mm'}_introut": {"controller": "interrupts"}
                for p in boundary(graph)
                for e in p.engines
            }
            self.ports = boundary(graph)
            self.readers = [Reader(port, buffers) for port in weight_ports(graph)]
            for reader in self.readers:
                setattr(self, reader.port.reader, reader)
            self.channels = {e.name: Channel(self, e) for p in self.ports for e in p.engines}
            self.frames = types.SimpleNamespace(write=self.write)
            for name, channel in self.channels.items():
                ends = {"sendchannel": channel} if channel.port.port.is_input else {"recvchannel": channel}
                self.engines.append(Engine(channel, length_bits, **ends))
                setattr(self, f"dma_{name}", self.engines[-1])
            if identity is not None:
                self.status = Status(self, identity)

        def write(self, offset, value):
            assert offset == 0
            assert all(c.pending is None for c in self.channels.values()), "the batch size changed while streaming"
            self.register = value

        def work(self):
            """Runs the accelerator if every channel has a transfer."""
            if any(c.pending is None for c in self.channels.values()):
                return
            assert not self.dirty, "what an aborted run left is still in the accelerator"
            assert all(reader.control for reader in self.readers), "the accelerator waits for weights"
            inputs = {}
            names = name_design(graph).ports
            for unit in graph.inputs:
                assert isinstance(unit, InputPort)
                port = next(p for p in self.ports if p.name == names[unit.name])
                parts = [self.channels[e.name].pending.reshape(-1, port.part_bytes) for e in port.engines]
                data = b"".join(bytes(p) for beat in zip(*parts, strict=True) for p in beat)
                assert len(data) % port.frame_bytes == 0
                values = slow_decode(data, port.dtype, port.per_beat, port.memory_bytes)
                inputs[unit.name] = np.array(values).reshape(-1, *unit.frame.shape)
            frames = len(next(iter(inputs.values())))
            assert all(len(x) == frames for x in inputs.values())
            for name, y in emulate(graph, inputs).items():
                port = next(p for p in self.ports if p.name == names[name])
                packet = self.register or 1  # frames until TLAST
                channels = [self.channels[e.name] for e in port.engines]
                if any(packet * port.frame_bytes > port.ways * c.pending.nbytes for c in channels):
                    continue  # no TLAST: the transfer does not end
                flat = y.reshape(frames, -1)[:packet]
                data = b"".join(slow_encode(f, port.dtype, port.per_beat, port.memory_bytes) for f in flat.astype(int))
                beats = np.frombuffer(data, np.uint8).reshape(-1, port.ways, port.part_bytes)
                for k, channel in enumerate(channels):
                    channel.pending[: len(data) // port.ways] = beats[:, k].reshape(-1)
                    channel.pending = None
            for port in self.ports:
                for engine in port.engines if port.is_input else ():
                    self.channels[engine.name].pending = None
            self.batches.append(frames)
            if identity is not None:
                self.status.count(frames)

    def allocate(shape, dtype):
        buffer = np.full(shape, 0xAA, dtype).view(Buffer)
        buffer.freed = buffer.flushed = False
        buffer.physical_address = (0x7_0000_0000 if len(buffers) % 2 else 0x1000_0000) + 0x10_0000 * len(buffers)
        buffers.append(buffer)
        return buffer

    module = types.ModuleType("pynq")
    module.Overlay = Overlay
    module.allocate = allocate
    module.overlays = overlays
    return module
