"""Matrix-vector-threshold and vector-vector-threshold units."""

from __future__ import annotations

import numpy as np

from flowc.backends.rtl.activation import activation_part
from flowc.backends.rtl.instance import Instance, Memory, Value, constant_style, delay, kind, value_bits
from flowc.interface.packing import pack_rows
from flowc.model.dtypes import IntType, UInt
from flowc.units import Array, Mvtu, Vvtu
from flowc.units.packing import Packing
from flowc.units.weighted import uses_dsp

__all__ = ["write_mvtu", "write_vvtu"]


def _weights(unit: Mvtu | Vvtu) -> tuple[dict[str, Value], tuple[Memory, ...]]:
    """Parameters about the weights, and the memory of those that the bitstream holds."""
    depth, bits = unit.weight_memory
    style = constant_style(unit.memory, depth, bits)
    parameters: dict[str, Value] = {
        "W_BITS": unit.weight_type.bits, "W_KIND": kind(unit.weight_type), "X_BITS": unit.frame.dtype.bits,
        "X_KIND": kind(unit.frame.dtype), "SUM": value_bits(unit.acc), "WEIGHT_STYLE": style,
        "DOT_STYLE": dot_style(unit),
    }  # fmt: skip
    if unit.weights_arrive:
        return parameters, ()
    rows = unit.weight_rows
    if isinstance(unit, Mvtu) and dot_style(unit) == "heap":
        words = _planes(rows.reshape(len(rows), unit.pe, unit.simd), unit.weight_type)
    elif dot_style(unit) == "packed" and unit.weight_type.signed and not unit.weight_type.bipolar:
        # Unsigned codes (flowc_dot_packed)
        words = pack_rows(rows.astype(np.int64) - unit.weight_type.lo, UInt(unit.weight_type.bits))
    else:
        words = pack_rows(rows, unit.weight_type)
    memory = Memory(f"data/{unit.name}_weights.hex", words, bits)
    return parameters | {"WEIGHTS": memory.file}, (memory,)


def dot_style(unit: Mvtu | Vvtu) -> str:
    """How the unit multiplies: on a heap of bits in tables, or by multipliers for DSP slices, several products to one or one."""
    if _packing(unit) is not None:
        return "packed"
    return "multiply" if uses_dsp(unit) else "heap"


def _packing(unit: Mvtu | Vvtu) -> Packing | None:
    return unit.packing if isinstance(unit, Mvtu) else None


def _planes(weights: Array, dtype: IntType) -> Array:
    """Weights (words, lanes, terms) as packed words, each lane [bit][term]."""
    coded = (weights > 0).astype(np.int64) if dtype.bipolar else weights.astype(np.int64)
    bits = (coded[:, :, np.newaxis] >> np.arange(dtype.bits)[:, np.newaxis]) & 1
    return np.packbits(bits.astype(np.uint8).reshape(len(weights), -1), axis=1, bitorder="little")


def _instance(unit: Mvtu | Vvtu, shape: dict[str, Value], terms: int, blocks: int, lanes: int) -> Instance:
    weights, memories = _weights(unit)
    spacing = unit.activation_spacing(unit.simd) if isinstance(unit, Mvtu) else unit.activation_spacing
    part = activation_part(unit.name, unit.activation, unit.acc, blocks, lanes, unit.pixels, spacing)
    shape |= {"PIXELS": unit.pixels} if unit.pixels > 1 else {}
    stages = unit.tree(terms) if isinstance(unit, Mvtu) else unit.tree
    packed = _packing(unit)
    if packed is not None:
        chain = packed.length(terms)
        stages += chain  # a slice has a register behind its product, and one behind the sum
        shape |= {"PACKED_ROWS": packed.rows, "FIELD": packed.field, "CHAIN": chain}
        shape |= {"KNOWN": packed.known} if packed.known else {}
    # A weight takes two cycles, its product one, the sum over time one.
    latency: dict[str, Value] = {"STAGES": stages, "DELAY": delay(unit, 4 + stages + part.cycles)}
    return Instance(
        unit, unit.kind, shape | weights | part.parameters | latency, (*memories, *part.memories), weights=True
    )


def write_mvtu(unit: Mvtu) -> Instance:
    """An MVTU."""
    shape: dict[str, Value] = {
        "PE": unit.pe, "SIMD": unit.simd, "GROUPS": unit.groups, "ROW_FOLDS": unit.mh // unit.groups // unit.pe,
        "COLUMN_FOLDS": unit.mw // unit.simd,
    }  # fmt: skip
    return _instance(unit, shape, unit.simd, unit.mh // unit.pe, unit.pe)


def write_vvtu(unit: Vvtu) -> Instance:
    """A VVTU."""
    terms = unit.taps if unit.parallel else 1
    blocks = unit.channels // unit.pe
    shape: dict[str, Value] = {
        "PE": unit.pe, "COPIES": unit.depth_multiplier, "TERMS": terms, "FOLDS": unit.taps // terms, "BLOCKS": blocks,
    }  # fmt: skip
    return _instance(unit, shape, terms, blocks, unit.pe * unit.depth_multiplier)
