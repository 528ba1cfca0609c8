"""What the delays at one end of a stream allow at its other end, in one step: both ends written out, as `DenseLoop` has them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from flowc.dataflow.allocate.loops import DenseLoop
from flowc.dataflow.allocate.times import FIFO_DELAY
from flowc.units.graph import Stream
from flowc.units.runs import Integers

__all__ = ["Link", "due", "room"]


@dataclass(frozen=True, eq=False)
class Link:
    """Greatest delays at one end of a stream, given those at the other.

    Attributes:
        known: index of the iterations that touch the stream at the end whose delays are given.
        turned: beats by which these are ahead, less whole frames: those that many from the first on stand first.
        offset: (beats,), what is added: iterations, stages, frames.
        bound: index of the iterations at the end that is bound.
    """

    known: Integers | slice
    turned: int
    offset: Integers
    bound: Integers | slice

    def limit(self, delays: Integers) -> tuple[Integers | slice, Integers]:
        """The iterations that are bound, and their greatest delays."""
        given = delays[self.known]
        if self.turned:
            given = np.concatenate([given[self.turned :], given[: self.turned]])
        return self.bound, given + self.offset


def due(stream: Stream, writer: DenseLoop, reader: DenseLoop) -> Link:
    """What the reader's delays allow the writer: a beat is there when it is read."""
    written, writes = writer.writes[stream.src_port]
    read, reads = reader.reads[stream.dst_port]
    return Link(read, 0, reads - writes - (FIFO_DELAY + writer.stages), written)


def room(stream: Stream, writer: DenseLoop, reader: DenseLoop, places: int, interval: int) -> Link:
    """What the writer's delays allow the reader, with so many places between them: a beat is read when its place is needed again."""
    written, writes = writer.writes[stream.src_port]
    read, reads = reader.reads[stream.dst_port]
    frames, turned = divmod(places, reads.size)
    needed = np.concatenate([writes[turned:], writes[:turned] + interval])
    return Link(written, turned, needed - reads + (writer.room_at + frames * interval - FIFO_DELAY), read)
