"""Loads of weights: which blocks of outputs, which piece of their kernel, where in the external memory."""

from __future__ import annotations

from dataclasses import dataclass

from flowc.loopback.blocks import Blocks, chunks_of
from flowc.loopback.search import Tiling

__all__ = ["WeightPart", "weight_parts"]


@dataclass(frozen=True)
class WeightPart:
    """A load of weights: output blocks [start, start + count) of a layer, one piece of their kernel, at ``address``."""

    start: int
    count: int
    chunk: int
    address: int
    words: int
    parameters: int
    tables: int


def weight_parts(blocks: Blocks, tiling: Tiling, address: int) -> list[WeightPart]:
    """The loads of a layer's weights in fetch order, from ``address`` on."""
    e = blocks.engine
    parts: list[WeightPart] = []
    pieces = chunks_of(blocks, e.weight_words // 2) or []
    for start in range(0, blocks.count, tiling.blocks):
        count = min(tiling.blocks, blocks.count - start)
        for index, (ky, kx, cb) in enumerate(pieces):
            taps = (ky.stop - ky.start) * (kx.stop - kx.start) * (cb.stop - cb.start)
            words = count * taps * blocks.planes * blocks.weight_planes if blocks.weight_words else 0
            last = index == len(pieces) - 1
            part = WeightPart(
                start, count, index, address, words, count if last else 0, count * blocks.tables_each if last else 0
            )
            address += words * e.weight_word_bytes + (part.parameters + part.tables) * e.parameter_word_bytes
            parts.append(part)
    return parts
