"""Constants of a layer: weight rows and activation parameters."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from flowc.backends.hls.layer import Constant, element, word
from flowc.backends.hls.text import decimal_rows, hex_rows
from flowc.errors import UsageError
from flowc.interface.packing import pack_rows
from flowc.model.dtypes import IntType
from flowc.units import Activation, Array, Requant, Table, Thresholds
from flowc.units.cost import memory_style

__all__ = ["ActivationCode", "WeightStore", "activation_code", "stored_type", "weight_store"]

_WIDEST_RESHAPED = 64
"""Words of 64 bits up to which a row is reshaped into one memory word (4096 bits); wider rows are partitioned."""


def stored_type(values: Array) -> str:
    """The smallest of int8_t ... int64_t that holds all values."""
    least, greatest = (int(values.min()), int(values.max())) if values.size else (0, 0)
    wide = next(w for w in (8, 16, 32, 64) if -(1 << (w - 1)) <= least and greatest < 1 << (w - 1))
    return f"int{wide}_t"


@dataclass(frozen=True)
class WeightStore:
    """A layer's weights in C++.

    Attributes:
        argument: what the unit reads them from.
        rows: words of all weights.
        constants, pragmas: of a memory whose contents are fixed.
        word, storage: C++ type of a word, and the pragma, of a memory that is filled when the weights come; else None.
        arrive: whether they come over a stream.
    """

    argument: str
    rows: int
    constants: tuple[Constant, ...] = ()
    pragmas: tuple[str, ...] = ()
    word: str | None = None
    storage: str | None = None
    arrive: bool = False


def weight_store(layer: str, rows: Array, dtype: IntType, memory: str, about: str) -> WeightStore:
    """Where a layer's weights are.

    Args:
        layer: C++ name of the layer.
        rows: integers (rows, weights per row), in the order of reading.
        dtype: type of the weights.
        memory: auto, lutram, bram, uram or stream.
        about: order of the rows and of the weights in one, for the comment.
    """
    name = f"{layer}_weights"
    depth, lanes = rows.shape
    bits = lanes * dtype.bits
    if memory == "stream":
        return WeightStore("weights", depth, arrive=True)
    if memory == "uram":
        storage = (
            f"BIND_STORAGE variable = {name} type = ram_1p impl = uram"
            if depth > 1
            else f"ARRAY_PARTITION variable = {name} type = complete"
        )
        return WeightStore(name, depth, word=word(bits), storage=storage, arrive=True)
    about = f"{depth} rows of {lanes} x {dtype} = {bits} bits; {about}"
    style = memory_style(depth, bits, constant=True) if memory == "auto" else memory
    pragmas = [f"BIND_STORAGE variable = {name} type = rom_1p impl = {style}"] if depth > 1 else []
    if bits <= 64:
        size = next(w for w in (8, 16, 32, 64) if w >= bits)
        words = pack_rows(rows, dtype, size // 8).view(f"<u{size // 8}")[:, 0]
        constant = Constant(f"uint{size}_t", name, (depth,), hex_rows(words), about)
        return WeightStore(name, depth, (constant,), tuple(pragmas))
    count = -(-bits // 64)
    words = pack_rows(rows, dtype, 8 * count).view("<u8")
    how = "ARRAY_RESHAPE" if count <= _WIDEST_RESHAPED else "ARRAY_PARTITION"
    pragmas.insert(0, f"{how} variable = {name} type = complete dim = 2")
    return WeightStore(
        name, depth, (Constant("uint64_t", name, (depth, count), hex_rows(words), about),), tuple(pragmas)
    )


@dataclass(frozen=True)
class ActivationCode:
    """An activation in C++: the expression that names it, its constants and the pragmas about them."""

    expression: str
    cpp_type: str
    constants: tuple[Constant, ...] = ()
    pragmas: tuple[str, ...] = ()


def activation_code(
    layer: str, activation: Activation | None, source: IntType, blocks: int, lanes: int
) -> ActivationCode:
    """The C++ object of an activation.

    Args:
        layer: C++ name of the layer.
        activation: what is applied, or None: values pass.
        source: type of its argument.
        blocks: beats per position.
        lanes: channels per beat.
    """
    if activation is None:
        cpp_type = f"flowc::Identity<{element(source)}>"
        return ActivationCode(f"{cpp_type}()", cpp_type)
    name = f"{layer}_activation"
    shared = activation.channels == 1
    blocks = 1 if shared else blocks
    if isinstance(activation, Table):
        return _table(name, activation, source, blocks, lanes)
    if shared and not (isinstance(activation, Requant) and activation.late is not None):
        lanes = 1  # nothing of it is addressed by data, so that all lanes can read the same
    if isinstance(activation, Thresholds):
        return _thresholds(name, activation, source, blocks, lanes)
    if isinstance(activation, Requant):
        return _requant(name, activation, source, blocks, lanes)
    raise UsageError(f"no C++ for activation '{type(activation).kind}' of layer '{layer}'")


def _by_lane(values: Array, blocks: int, lanes: int) -> Array:
    """(C, ...) or (1, ...) as (blocks, lanes, ...): channel b * lanes + l."""
    rest = values.shape[1:]
    return np.broadcast_to(values, (blocks * lanes, *rest)).reshape(blocks, lanes, *rest)


def _partitions(name: str, member: str, shape: tuple[int, ...]) -> list[str]:
    return [
        f"ARRAY_PARTITION variable = {name}.{member} type = complete dim = {d + 1}"
        for d in range(1, len(shape))
        if shape[d] > 1
    ]


def _thresholds(name: str, act: Thresholds, source: IntType, blocks: int, lanes: int) -> ActivationCode:
    # A threshold below the type's range is always reached, one above never; one step beyond it says the same.
    values = _by_lane(np.clip(act.values, source.lo, source.hi + 1), blocks, lanes)
    base = _by_lane(act.base, blocks, lanes)
    shape = (blocks, lanes, act.levels)
    sizes = ", ".join(map(str, shape))
    types = f"{element(source)}, {element(act.dtype)}, {stored_type(values)}"
    about = f"thresholds [block][lane][level], result {act.dtype}; reached means accumulator >= threshold"
    pragmas = _partitions(name, "values", shape)
    step = act.uniform_step
    if step is not None and (base == base.flat[0]).all():
        cpp_type = f"flowc::Thresholds<{types}, {sizes}, {int(base.flat[0])}, {step}>"
        return ActivationCode(
            name, cpp_type, (Constant(cpp_type, name, (), decimal_rows(values), about),), tuple(pragmas)
        )
    steps = np.broadcast_to(act.step, act.values.shape)
    steps = _by_lane(steps, blocks, lanes)
    cpp_type = (
        f"flowc::SteppedThresholds<{types}, {stored_type(np.concatenate([base.ravel(), steps.ravel()]))}, {sizes}>"
    )
    text = ",\n".join(map(decimal_rows, (values, base, steps)))
    pragmas += _partitions(name, "base", shape[:2]) + _partitions(name, "steps", shape)
    about += "; then base [block][lane]; then steps [block][lane][level]"
    return ActivationCode(name, cpp_type, (Constant(cpp_type, name, (), text, about),), tuple(pragmas))


def _requant(name: str, act: Requant, source: IntType, blocks: int, lanes: int) -> ActivationCode:
    mult, add = (_by_lane(v, blocks, lanes) for v in (act.mult, act.add))
    reach = max(abs(source.lo), source.hi) * int(np.abs(mult).max()) + int(np.abs(add).max())
    if act.late is not None:
        return _late_requant(name, act, source, mult, add, reach)
    wide = min(64, max(reach.bit_length() + 1, act.shift + 2, act.dtype.bits + 1))
    cpp_type = (
        f"flowc::Requant<{element(source)}, {element(act.dtype)}, {stored_type(mult)}, {stored_type(add)}, "
        f"{blocks}, {lanes}, {wide}, {act.shift}, {act.lo}, {act.hi}, {str(act.half_even).lower()}>"
    )
    rounding = "to nearest, ties to even" if act.half_even else "down"
    about = (
        f"clip((x * mult + add) >> {act.shift}, {act.lo}, {act.hi}), rounding {rounding}; mult, then add, [block][lane]"
    )
    text = ",\n".join(map(decimal_rows, (mult, add)))
    pragmas = _partitions(name, "mult", (blocks, lanes)) + _partitions(name, "add", (blocks, lanes))
    return ActivationCode(name, cpp_type, (Constant(cpp_type, name, (), text, about),), tuple(pragmas))


def _late_requant(name: str, act: Requant, source: IntType, mult: Array, add: Array, reach: int) -> ActivationCode:
    blocks, lanes = mult.shape
    late = _by_lane(np.asarray(act.late), blocks, lanes).transpose(1, 0, 2).reshape(lanes, -1)
    passed = int(late.max()) * int(np.abs(mult).max())
    wide = min(64, max(reach.bit_length() + 1, act.shift + 2, act.dtype.bits + 1, passed.bit_length() + 1))
    cpp_type = (
        f"flowc::LateRequant<{element(source)}, {element(act.dtype)}, {stored_type(mult)}, {stored_type(add)}, "
        f"{stored_type(late)}, {blocks}, {lanes}, {wide}, {act.shift}, {act.lo}, {act.hi}>"
    )
    about = (
        f"clip((x * mult + add) >> {act.shift}, {act.lo}, {act.hi}), some levels later; mult, then add, [block][lane]; "
        "then late [lane][block][level]"
    )
    text = ",\n".join(map(decimal_rows, (mult, add, late)))
    pragmas = _partitions(name, "mult", (blocks, lanes)) + _partitions(name, "add", (blocks, lanes))
    if lanes > 1:
        pragmas.append(f"ARRAY_PARTITION variable = {name}.late type = complete dim = 1")
    return ActivationCode(name, cpp_type, (Constant(cpp_type, name, (), text, about),), tuple(pragmas))


def _table(name: str, act: Table, source: IntType, blocks: int, lanes: int) -> ActivationCode:
    entries = act.values.shape[1]
    values = _by_lane(act.values, blocks, lanes).transpose(1, 0, 2).reshape(lanes, blocks * entries)
    cpp_type = (
        f"flowc::Table<{element(source)}, {element(act.dtype)}, {stored_type(values)}, "
        f"{blocks}, {lanes}, {entries}, {act.lo}>"
    )
    about = f"results {act.dtype} of the arguments {act.lo} to {act.lo + entries - 1}, [lane][block][argument]"
    pragmas = [f"ARRAY_PARTITION variable = {name}.values type = complete dim = 1"] if lanes > 1 else []
    return ActivationCode(name, cpp_type, (Constant(cpp_type, name, (), decimal_rows(values), about),), tuple(pragmas))
