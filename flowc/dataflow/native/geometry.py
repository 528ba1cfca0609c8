"""Where the inputs of an output position lie: windows that the kernels read in place."""

from __future__ import annotations

from typing import NamedTuple

from flowc.units import Mvtu, Pool, Vvtu, Window

__all__ = ["Geometry", "fuses"]


class Geometry(NamedTuple):
    """A frame (h, w, c), and windows on it.

    Attributes:
        kernel, stride, dilation: (rows, columns).
        out: output rows and columns.
    """

    h: int
    w: int
    c: int
    kernel: tuple[int, int] = (1, 1)
    stride: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    out: tuple[int, int] = (1, 1)

    @classmethod
    def of_window(cls, window: Window) -> Geometry:
        """The window's own."""
        f = window.frame
        return cls(f.h, f.w, f.c, window.kernel, window.stride, window.dilation, (window.out_h, window.out_w))

    @classmethod
    def of_stream(cls, h: int, w: int, taps: int, c: int) -> Geometry:
        """Of a stream (h, w, taps * c) of windows that were written out: the taps lie side by side."""
        return cls(h, w * taps, c, (1, taps), (1, taps), (1, 1), (h, w))

    @property
    def fields(self) -> dict[str, int]:
        """As the kernels' operations name them."""
        return {
            "h": self.h, "w": self.w, "c": self.c, "kh": self.kernel[0], "kw": self.kernel[1], "sh": self.stride[0],
            "sw": self.stride[1], "dh": self.dilation[0], "dw": self.dilation[1], "oh": self.out[0], "ow": self.out[1],
        }  # fmt: skip

    def runs(self, groups: int) -> tuple[list[int], int]:
        """Offsets (elements) and length of the contiguous runs that a window of one group's channels is made of."""
        row, own = self.w * self.c, self.c // groups
        (kh, kw), (dh, dw) = self.kernel, self.dilation
        if groups == 1 and (dw == 1 or kw == 1):
            return [i * dh * row for i in range(kh)], kw * own
        return [i * dh * row + j * dw * self.c for i in range(kh) for j in range(kw)], own


def fuses(window: Window, reader: object) -> bool:
    """Whether the reader's kernel can read the window's frame in place of the windows."""
    taps, c = window.kernel[0] * window.kernel[1], window.frame.c
    if isinstance(reader, Mvtu):
        own = reader.mw // reader.taps
        return reader.taps == taps and own * reader.groups == c and window.block == reader.block == own
    if isinstance(reader, Vvtu):
        return reader.channels == c and reader.taps == taps and window.block == reader.pe == c
    if isinstance(reader, Pool):
        return reader.channels == c and reader.taps == taps and window.block == reader.pe == c
    return False
