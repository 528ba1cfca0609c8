"""What an engine takes of a device, modelled.

The figures of a multiplier's field extraction, adders and the activation unit come from small synthesis runs with open tools
(docs/loopback.md); nothing was synthesized with the vendor's. Chains of products are taken with fabric adders, the worse case.
"""

from __future__ import annotations

import math

from flowc.loopback.engine import Engine
from flowc.targets import Target
from flowc.units.cost import Resources, block_rams, memory, ultra_rams

__all__ = ["resources_of"]

_CONTROL = 9000
"""Memory masters, descriptor fetch, address generators, sequencers."""
_FIFO = 1700
"""The FIFO of accumulator vectors."""
_POST = 310
"""Shift, clip, correction and join of a result per cycle."""
_EARLY = 60
"""Comparison with a level's mask, where there are tables."""
_SEARCH = 120
"""Comparator and table addressing of a result per cycle, where there are searches."""
_CHAIN_ADDER = 46
_FIELD_ADDER = 14
_FLIP_FLOPS = 1.1
"""Flip-flops per look-up table of a pipelined array."""
_MULTIPLIERS = {4: 28.4, 8: 119.6}
"""Look-up tables of a product of two digits."""


def resources_of(engine: Engine, target: Target) -> Resources:
    """Look-up tables, flip-flops, memories and DSP slices."""
    post = _POST + (_EARLY if engine.table_words else 0) + (_SEARCH if engine.search_depth else 0)
    lut = _CONTROL + _FIFO + _array_luts(engine, target) + engine.results * post
    # Picking results of all lanes, and the lanes' registers.
    lut += engine.rows * engine.lanes * engine.acc_bits * 0.35 + engine.lanes * engine.columns * engine.digit * 2
    bram18, uram = _memories(engine, target)
    per_slice = _products_per_slice(engine)
    wide = 2 if engine.acc_bits > 27 else 1
    dsp = math.ceil(engine.rows * engine.columns * engine.dsp_lanes / per_slice) + engine.results * wide
    tables = memory(engine.table_words, 64 * engine.rows, "auto") if engine.table_words else Resources()
    return tables + Resources(lut=math.ceil(lut), ff=math.ceil(lut * _FLIP_FLOPS), bram18=bram18, uram=uram, dsp=dsp)


def _products_per_slice(engine: Engine) -> int:
    """Products of digits that a DSP slice computes at once."""
    return 4 if engine.digit == 4 else 2


def _chain(engine: Engine, target: Target) -> int:
    """Products that may be summed before their fields are taken apart."""
    narrow = target.family in ("zynq-7000", "artix-7", "kintex-7")
    if engine.digit == 4:
        return 4 if narrow else 8
    return 1 if narrow else 4


def _array_luts(engine: Engine, target: Target) -> float:
    r, c, acc = engine.rows, engine.columns, engine.acc_bits
    per_slice, length = _products_per_slice(engine), min(_chain(engine, target), engine.columns)
    field = 11 if engine.digit == 4 else 18
    chains = r * c * engine.dsp_lanes / per_slice / length
    dsp = chains * (per_slice * (field + 1) + (length - 1) * _CHAIN_ADDER)
    dsp += r * engine.dsp_lanes * ((math.ceil(c / length) - 1) * _FIELD_ADDER + acc)
    levels = int(math.log2(c))
    tree = sum((c >> (i + 1)) * (2 * engine.digit + i + 1) for i in range(levels)) / c
    return dsp + r * c * engine.lut_lanes * (_MULTIPLIERS[engine.digit] + tree) + r * engine.lut_lanes * acc


def _memories(engine: Engine, target: Target) -> tuple[int, int]:
    """Block RAMs and UltraRAMs: buffers go to UltraRAM, the weight buffer first, where blocks are scarce and there is some."""
    word, weight = 8 * engine.word_bytes, 8 * engine.weight_word_bytes
    vector = 64 * engine.rows
    fixed = block_rams(engine.parameter_words, vector) + engine.lanes * block_rams(max(512, engine.out_words), word)
    fixed += 4 * block_rams(512, 128) + block_rams(512, 64 * max(1, engine.results // 4))
    buffers = [(engine.weight_words, weight), *[(engine.act_words, word)] * engine.lanes]
    blocks, ultra = fixed + sum(block_rams(*b) for b in buffers), 0
    for buffer in buffers:
        if blocks <= target.bram18 * 0.5 or ultra + ultra_rams(*buffer) > target.uram * 0.95:
            continue
        blocks -= block_rams(*buffer)
        ultra += ultra_rams(*buffer)
    return blocks, ultra
