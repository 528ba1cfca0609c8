"""Constants of a layer: weight rows and activation parameters."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from flowc.backends.hls.layer import Constant, element, word
from flowc.backends.hls.text import decimal_rows, hex_rows
from flowc.errors import UsageError
from flowc.interface.packing import pack_rows
from flowc.model.dtypes import IntType
from flowc.units import Activation, Array, Requant, Table, Thresholds
from flowc.units.cost import WIDEST_WORD, memory_style

__all__ = [
    "ActivationCode",
    "WeightStore",
    "activation_code",
    "lane_memories",
    "stored_bits",
    "stored_type",
    "weight_store",
]


def stored_bits(values: Array) -> int:
    """Bits of the smallest of int8_t ... int64_t that holds all values."""
    least, greatest = (int(values.min()), int(values.max())) if values.size else (0, 0)
    return next(w for w in (8, 16, 32, 64) if -(1 << (w - 1)) <= least and greatest < 1 << (w - 1))


def stored_type(values: Array) -> str:
    """The smallest of int8_t ... int64_t that holds all values."""
    return f"int{stored_bits(values)}_t"


class WeightStore(NamedTuple):
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


def weight_store(layer: str, rows: Array, dtype: IntType, memory: str, lane: int, about: str) -> WeightStore:
    """Where a layer's weights are.

    Args:
        layer: C++ name of the layer.
        rows: integers (rows, weights per row), in the order of reading.
        dtype: type of the weights.
        memory: auto, lutram, bram, uram or stream.
        lane: weights that belong together: a row that is too wide for one memory is cut between lanes.
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
    slices = _slices(lanes // lane, lane * dtype.bits)
    style = memory_style(depth, bits // slices, constant=True) if memory == "auto" else memory
    pragmas = (f"BIND_STORAGE variable = {name} type = rom_1p impl = {style}",) if depth > 1 else ()
    if bits <= 64:
        size = next(w for w in (8, 16, 32, 64) if w >= bits)
        words = pack_rows(rows, dtype, size // 8).view(f"<u{size // 8}")[:, 0]
        constant = Constant(f"uint{size}_t", name, (depth,), hex_rows(words), about)
        return WeightStore(name, depth, (constant,), pragmas)
    count = -(-bits // slices // 64)
    words = pack_rows(rows.reshape(depth * slices, -1), dtype, 8 * count).view("<u8")
    if slices == 1:
        constant = Constant("uint64_t", name, (depth, count), hex_rows(words), about)
        return WeightStore(
            name, depth, (constant,), (f"ARRAY_RESHAPE variable = {name} type = complete dim = 2", *pragmas)
        )
    words = words.reshape(depth, slices, count).transpose(1, 0, 2)
    about = f"{slices} slices of {about}"
    text = ",\n".join("{" + hex_rows(np.ascontiguousarray(part)) + "}" for part in words)
    constant = Constant("uint64_t", name, (slices, depth, count), text, about)
    partition = (
        f"ARRAY_PARTITION variable = {name} type = complete dim = 1",
        f"ARRAY_RESHAPE variable = {name} type = complete dim = 3",
    )
    return WeightStore(name, depth, (constant,), (*partition, *pragmas))


def _slices(lanes: int, bits: int) -> int:
    """Equal slices of a row of ``lanes`` of so many bits, each at most `WIDEST_WORD` wide."""
    return next(n for n in range(1, lanes + 1) if lanes % n == 0 and lanes // n * bits <= WIDEST_WORD)


class ActivationCode(NamedTuple):
    """An activation in C++: the expression that names it, its constants and the pragmas about them."""

    expression: str
    cpp_type: str
    constants: tuple[Constant, ...] = ()
    pragmas: tuple[str, ...] = ()


def activation_code(
    layer: str, activation: Activation | None, source: IntType, blocks: int, lanes: int, pixels: int = 1
) -> ActivationCode:
    """The C++ object of an activation.

    Args:
        layer: C++ name of the layer.
        activation: what is applied, or None: values pass.
        source: type of its argument.
        blocks: beats per position.
        lanes: channels per beat, of one pixel.
        pixels: pixels per beat: their lanes follow one another, with the parameters of the first's again.
    """
    if activation is not None and pixels > 1:
        activation, lanes = activation.select(np.tile(np.arange(blocks * lanes), pixels)), lanes * pixels
    if activation is None:
        cpp_type = f"flowc::Identity<{element(source)}>"
        return ActivationCode(f"{cpp_type}()", cpp_type)
    name = f"{layer}_activation"
    shared = activation.channels == 1
    own = 1 if shared else blocks
    if isinstance(activation, Table):
        return _table(name, activation, source, own, lanes)
    if isinstance(activation, Thresholds) and activation.searched(lanes, blocks * lanes, source):
        return _search(name, activation, source, own, lanes)
    if shared and not (isinstance(activation, Requant) and activation.late is not None):
        lanes = 1  # nothing of it is addressed by data, so that all lanes can read the same
    if isinstance(activation, Thresholds):
        return _thresholds(name, activation, source, own, lanes)
    if isinstance(activation, Requant):
        return _requant(name, activation, source, own, lanes)
    raise UsageError(
        f"no C++ for activation '{type(activation).kind}' of layer '{layer}'", remedy="Build with --backend rtl"
    )


def _by_lane(values: Array, blocks: int, lanes: int) -> Array:
    """(C, ...) or (1, ...) as (blocks, lanes, ...): channel b * lanes + l."""
    rest = values.shape[1:]
    return np.broadcast_to(values, (blocks * lanes, *rest)).reshape(blocks, lanes, *rest)


def _by_memory(values: Array, blocks: int, lanes: int) -> Array:
    """(C, n) or (1, n) as (lanes, blocks * n): what each lane addresses by data."""
    return _by_lane(values, blocks, lanes).transpose(1, 0, 2).reshape(lanes, -1)


def lane_memories(
    variable: str, blocks: int, lanes: int, bits: int, parts: int = 1, style: str | None = None
) -> list[str]:
    """Pragmas of parameters [block][lane], or [block][lane][part]: a memory per lane, whose word holds all parts of ``bits`` in all.

    A single block is wired in. A memory's style is ``style``, or the cheaper one.
    """
    pragmas = [f"ARRAY_PARTITION variable = {variable} type = complete dim = 2"] if lanes > 1 else []
    if parts > 1:
        pragmas.append(f"ARRAY_RESHAPE variable = {variable} type = complete dim = 3")
    return pragmas + (_rom(variable, blocks, bits, style) if blocks > 1 else [])


def _rom(variable: str, depth: int, bits: int, style: str | None = None) -> list[str]:
    style = style or memory_style(depth, bits, constant=True)
    return [f"BIND_STORAGE variable = {variable} type = rom_1p impl = {style}"] if depth > 1 else []


def _addressed(variable: str, depth: int, lanes: int, bits: int, style: str | None = None) -> list[str]:
    """Pragmas of parameters [lane][entry]; ``style`` as of `lane_memories`."""
    pragmas = [f"ARRAY_PARTITION variable = {variable} type = complete dim = 1"] if lanes > 1 else []
    return pragmas + _rom(variable, depth, bits, style)


def _search(name: str, act: Thresholds, source: IntType, blocks: int, lanes: int) -> ActivationCode:
    found = act.search
    constants, pragmas = [], []
    # A key below the type's range is always reached, one above never; one step beyond it says the same.
    arrays = []
    for step in range(found.steps):
        keys = np.clip(found.at(step), source.lo, source.hi + 1)
        arrays.append((f"{name}_keys{step}", keys, source.bits, f"step {step} of the search"))
    uniform = found.results is None and (act.base == act.base[0]).all()
    if not uniform:
        paths = np.arange(1 << found.steps)
        results = act.base[:, None] + (act.uniform_step or 0) * paths if found.results is None else found.results
        # Paths beyond the thresholds do not occur; their results need not fit.
        results = np.clip(results, act.dtype.lo, act.dtype.hi)
        arrays.append((f"{name}_results", results, act.dtype.bits, "results of the paths"))
    for number, (variable, values, bits, what) in enumerate(arrays):
        table = _by_memory(values, blocks, lanes)
        about = f"{what}, [lane][block][path]"
        constants.append(Constant(stored_type(table), variable, table.shape, decimal_rows(table)[1:-1], about))
        pragmas += _addressed(
            variable, table.shape[1], lanes, bits, act.stored(table.shape[1], bits, first=number == 0)
        )
    block = "block" if blocks > 1 else "0"
    path = f"flowc::search<0>(value, {block}, lane, 0, {', '.join(v for v, *_ in arrays[: found.steps])})"
    if uniform:
        base, factor = int(act.base[0]), act.uniform_step
        result = f"{f'{base} + ' if base else ''}{f'{factor} * ' if factor != 1 else ''}static_cast<int>(path)"
    else:
        at = f"({block} << {found.steps}) + path" if blocks > 1 else "path"
        result = f"{name}_results[lane][{at}]"
    cpp_type = f"{name}_search"
    first = "unsigned block" if blocks > 1 else "unsigned"
    argument = "const flowc::Number<Input::VALUE_BITS, Input::SIGNED>& value"
    code = f"""struct {cpp_type} {{
  using Input = {element(source)};
  using Output = {element(act.dtype)};
  using Result = flowc::Number<Output::VALUE_BITS, Output::SIGNED>;

  Result operator()({argument}, {first}, unsigned lane) const {{
#pragma HLS INLINE
    const unsigned path = {path};
    return Result({result});
  }}
}};"""
    about = f"{found.count} thresholds by {found.steps} comparisons, result {act.dtype}; reached means accumulator >= threshold"
    constants.append(Constant("", cpp_type, (), "", about, code))
    return ActivationCode(f"{cpp_type}()", cpp_type, tuple(constants), tuple(pragmas))


def _thresholds(name: str, act: Thresholds, source: IntType, blocks: int, lanes: int) -> ActivationCode:
    # A threshold below the type's range is always reached, one above never; one step beyond it says the same.
    values = _by_lane(np.clip(act.values, source.lo, source.hi + 1), blocks, lanes)
    base = _by_lane(act.base, blocks, lanes)
    shape = (blocks, lanes, act.levels)
    sizes = ", ".join(map(str, shape))
    types = f"{element(source)}, {element(act.dtype)}, {stored_type(values)}"
    about = f"thresholds [block][lane][level], result {act.dtype}; reached means accumulator >= threshold"

    def memories(member: str, bits: int, parts: int = 1) -> list[str]:
        return lane_memories(f"{name}.{member}", blocks, lanes, bits, parts, act.stored(blocks, bits))

    pragmas = memories("values", act.levels * source.bits, act.levels)
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
    pragmas += memories("base", act.dtype.bits)
    pragmas += memories("steps", act.levels * act.dtype.bits, act.levels)
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
    pragmas = _requant_memories(name, mult, add)
    return ActivationCode(name, cpp_type, (Constant(cpp_type, name, (), text, about),), tuple(pragmas))


def _requant_memories(name: str, mult: Array, add: Array) -> list[str]:
    pragmas = []
    for member, values in (("mult", mult), ("add", add)):
        bits = IntType.for_range(int(values.min()), int(values.max())).bits
        pragmas += lane_memories(f"{name}.{member}", values.shape[0], values.shape[1], bits)
    return pragmas


def _late_requant(name: str, act: Requant, source: IntType, mult: Array, add: Array, reach: int) -> ActivationCode:
    blocks, lanes = mult.shape
    late = _by_memory(np.asarray(act.late), blocks, lanes)
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
    pragmas = _requant_memories(name, mult, add)
    pragmas += _addressed(f"{name}.late", late.shape[1], lanes, int(late.max()).bit_length())
    return ActivationCode(name, cpp_type, (Constant(cpp_type, name, (), text, about),), tuple(pragmas))


def _table(name: str, act: Table, source: IntType, blocks: int, lanes: int) -> ActivationCode:
    entries = act.values.shape[1]
    values = _by_memory(act.values, blocks, lanes)
    cpp_type = (
        f"flowc::Table<{element(source)}, {element(act.dtype)}, {stored_type(values)}, "
        f"{blocks}, {lanes}, {entries}, {act.lo}>"
    )
    about = f"results {act.dtype} of the arguments {act.lo} to {act.lo + entries - 1}, [lane][block][argument]"
    pragmas = _addressed(f"{name}.values", blocks * entries, lanes, act.dtype.bits)
    return ActivationCode(name, cpp_type, (Constant(cpp_type, name, (), decimal_rows(values), about),), tuple(pragmas))
