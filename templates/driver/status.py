"""The registers of ``flowc_status.v``: which build the bitstream is of, what its streams did, and its reset."""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Optional, Sequence

from .errors import MissingError

__all__ = ["Status"]

_MAGIC, _LAYOUT = 0x666C6F77, 2
_IDENTITY, _HOLD, _SIZES, _CYCLES, _FIFO, _COUNTERS, _STRIDE = 0x08, 0x10, 0x14, 0x18, 0x1C, 0x20, 0x10
_KINDS = ("beats", "waited", "starved")
_MODULO = 1 << 32


class Status:
    """The status block.

    Args:
        registers: with `read` and `write` of 32-bit words.
        identity: two numbers of the build.
        ports: names of the streams, inputs first, in the block's order.
        fifos: what is known of each FIFO within the accelerator ("from", "to", "depth"), in the block's order; None where the
            hardware keeps no high-water marks.

    Raises:
        MissingError: the bitstream is of another build.
    """

    def __init__(
        self,
        registers: Any,
        identity: Sequence[int],
        ports: Sequence[str],
        fifos: Optional[Sequence[Mapping[str, Any]]] = None,
    ) -> None:
        self._registers, self._ports, self._fifos = registers, ports, fifos
        if registers.read(0) != _MAGIC or registers.read(4) != _LAYOUT:
            raise MissingError("the status block does not answer as flowc's does: load the bitstream of this build")
        found = [registers.read(_IDENTITY + 4 * i) for i in range(2)]
        if found != list(identity) or registers.read(_SIZES) != len(ports) + (len(fifos or ()) << 16):
            raise MissingError(
                "the bitstream is of another build ({:08x}{:08x}, not {:08x}{:08x}): copy design.bit and design.hwh of this "
                "one".format(found[1], found[0], identity[1], identity[0])
            )
        self._frames, self._before, self._after = 0, self._read(), self._read()

    def _read(self) -> List[int]:
        """Cycles, then beats, waiting and starved cycles of every port."""
        words = [_COUNTERS + _STRIDE * p + 4 * k for p in range(len(self._ports)) for k in range(len(_KINDS))]
        return [self._registers.read(offset) for offset in (_CYCLES, *words)]

    def begin(self, frames: int) -> None:
        """Notes that a run begins."""
        self._frames, self._before = frames, self._read()

    def end(self) -> None:
        """Notes that it is over."""
        self._after = self._read()

    def hold(self, reset: bool) -> None:
        """Holds accelerator and streams in reset, or lets them go."""
        self._registers.write(_HOLD, int(reset))

    def figures(self) -> Dict[str, Any]:
        """Of the last run: cycles per frame, and of each stream beats, cycles in which a beat waited, and in which none was there.

        "fifos": as `marks`.
        """
        cycles, *counted = [(b - a) % _MODULO for a, b in zip(self._before, self._after)]
        found: Dict[str, Any] = {"cycles_per_frame": cycles / self._frames if self._frames else None}
        for p, port in enumerate(self._ports):
            for k, kind in enumerate(_KINDS):
                found["{}_{}".format(port, kind)] = counted[len(_KINDS) * p + k]
        found["fifos"] = self.marks()
        return found

    def marks(self) -> Optional[List[Dict[str, Any]]]:
        """Of each FIFO within the accelerator the units that it joins ("from", "to"), its "depth", and the "most" beats that it has held
        since the accelerator was last in reset; None where the hardware keeps no marks.

        Where the memory is block RAM, a FIFO holds one beat more than its depth, in the register in front.
        """
        if self._fifos is None:
            return None
        found = []
        for number, fifo in enumerate(self._fifos):
            self._registers.write(_FIFO, number)
            found.append({**fifo, "most": self._registers.read(_FIFO)})
        return found
