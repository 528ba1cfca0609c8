"""Several pixels of a row per cycle: what a beat of whole pixels asks of a frame, and how its rows are filled up.

A stream brings the elements of a frame in the order (row, column, channel). A beat of P whole pixels is only a wider word of the same
order, so converters, FIFOs and ports carry it as it is. Units that look at pixels count them in beats: a beat must not hold pixels of two
rows. Between a padding and the window behind it, rows are filled up to whole beats.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flowc.units.base import Frame

__all__ = ["MOST_PIXELS", "beat", "beats_of_row", "filled", "lane_counts", "lane_faults", "per_beat"]

MOST_PIXELS = 16
"""Most pixels of a row that a unit takes in a cycle."""


def beats_of_row(width: int, pixels: int) -> int:
    """Beats of ``pixels`` that hold a row, the last one filled up."""
    return -(-width // pixels)


def filled(frame: Frame, pixels: int) -> Frame:
    """The frame with its rows filled up to whole beats of ``pixels``."""
    return frame if pixels == 1 else replace(frame, w=beats_of_row(frame.w, pixels) * pixels)


def per_beat(frame: Frame) -> list[int]:
    """Numbers of pixels above 1 of which a row of the frame is whole beats, ascending."""
    return [p for p in range(2, min(frame.w, MOST_PIXELS) + 1) if frame.w % p == 0]


def lane_counts(frame: Frame) -> list[int]:
    """Lanes that hold several whole pixels of a row, ascending: what units that treat elements one by one have beyond the channels."""
    return [pixels * frame.c for pixels in per_beat(frame)]


def beat(lanes: int, frame: Frame) -> tuple[int, int, int]:
    """A beat of so many lanes: beats per pixel (1 where it holds several), lanes of a pixel, pixels."""
    return max(1, frame.c // lanes), min(lanes, frame.c), max(1, lanes // frame.c)


def lane_faults(key: str, lanes: int, frame: Frame) -> list[str]:
    """What is wrong with so many lanes for a frame: a share of a pixel's channels, or whole pixels that a frame divides into."""
    whole = lanes >= 1 and (frame.c % lanes == 0 or (lanes % frame.c == 0 and frame.elements % lanes == 0))
    return (
        []
        if whole
        else [f"{key} = {lanes} does not divide the channels = {frame.c}, and is no whole pixels of a frame"]
    )
