"""Parameters and memories of activations, as ``flowc_activation`` takes them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from flowc.backends.rtl.instance import Bits, Memory, Value, constant_style, pack_fields
from flowc.errors import UsageError
from flowc.model.dtypes import IntType
from flowc.units import Activation, Array, Requant, Table, Thresholds
from flowc.units.applied import compared_style, signed_bits
from flowc.units.thresholds import LATE_PACE

__all__ = ["ActivationPart", "activation_part"]


@dataclass(frozen=True, eq=False)
class ActivationPart:
    """What an activation adds to its unit's instance.

    Attributes:
        parameters: of the unit's module.
        memories: files that it reads.
        cycles: what it takes.
    """

    parameters: dict[str, Value]
    memories: tuple[Memory, ...] = ()
    cycles: int = 0


def activation_part(
    name: str,
    activation: Activation | None,
    source: IntType,
    blocks: int,
    lanes: int,
    pixels: int = 1,
    spacing: int = 1,
) -> ActivationPart:
    """An activation's parameters and memories.

    Args:
        name: of the layer, for its files.
        activation: what is applied, or None: values pass.
        source: type of its argument.
        blocks: beats per position.
        lanes: channels per beat, of one pixel.
        pixels: pixels per beat: their lanes follow one another, with the parameters of the first's again.
        spacing: cycles from a beat to the next, at least.
    """
    if activation is not None and pixels > 1:
        activation, lanes = activation.select(np.tile(np.arange(blocks * lanes), pixels)), lanes * pixels
    if activation is None:
        return ActivationPart({"OUT_BITS": source.bits, "OUT_BIPOLAR": source.bipolar})
    rows = 1 if activation.channels == 1 else blocks
    common: dict[str, Value] = {
        "ROWS": rows,
        "OUT_BITS": activation.dtype.bits,
        "OUT_BIPOLAR": activation.dtype.bipolar,
    }
    shape = lanes, blocks * lanes, source
    if isinstance(activation, Thresholds):
        form = activation.form(*shape, spacing)
        made = {"compare": _thresholds, "search": _search, "serial": _serial}[form]
        found = made(name, activation, source, rows, lanes)
        if form == "search":
            found.parameters["ENTRIES"] = activation.first_block(*shape)
            found.parameters["LATE"] = activation.first_late(*shape)
        elif form == "serial":
            in_blocks = activation.turned_memory(*shape)[1] == "bram"
            found.parameters["PARAMETER_STYLE"] = "block" if in_blocks else "logic"
            found.parameters["LATE"] = int(activation.pace(*shape) == LATE_PACE)
    elif isinstance(activation, Requant):
        found = _requant(name, activation, rows, lanes)
    elif isinstance(activation, Table):
        found = _table(name, activation, rows, lanes)
    else:
        raise UsageError(
            f"no SystemVerilog for activation '{type(activation).kind}' of layer '{name}'",
            remedy="Build with --backend hls",
        )
    return ActivationPart(common | found.parameters, found.memories, activation.stages(*shape, spacing))


def by_lane(values: Array, rows: int, lanes: int) -> Array:
    """(C, ...) or (1, ...) as (rows, lanes, ...): channel r * lanes + l."""
    rest = values.shape[1:]
    return np.broadcast_to(values, (rows * lanes, *rest)).reshape(rows, lanes, *rest)


def _parameters(name: str, fields: list[tuple[Array, int]], style: str = "auto") -> tuple[Memory, str]:
    words, bits = pack_fields(fields)
    return Memory(f"data/{name}_activation.hex", words, bits), constant_style(style, len(words), bits)


def _thresholds(name: str, act: Thresholds, source: IntType, rows: int, lanes: int) -> ActivationPart:
    # A threshold below the type's range is always reached, one above never; one step beyond it says the same.
    values = by_lane(np.clip(act.values, source.lo, source.hi + 1), rows, lanes)
    bits = signed_bits(values)
    shared: dict[str, Value] = {"LEVELS": act.levels, "PARAM_BITS": bits}
    kept = compared_style(act, lanes, rows * lanes, source)
    if act.plain:
        memory, style = _parameters(name, [(values, bits)], kept)
        fixed: dict[str, Value] = {"BASE": int(act.base[0]), "STEP": act.uniform_step or 0}
        form: dict[str, Value] = {"FORM": "thresholds", "PARAMETERS": memory.file, "PARAMETER_STYLE": style}
        return ActivationPart(form | shared | fixed, (memory,))
    base = by_lane(act.base[:, None], rows, lanes)
    steps = by_lane(np.broadcast_to(act.step, act.values.shape), rows, lanes)
    wide = signed_bits(base, steps)
    memory, style = _parameters(name, [(values, bits), (base, wide), (steps, wide)], kept)
    form = {"FORM": "steps", "PARAMETERS": memory.file, "PARAMETER_STYLE": style, "STEP_BITS": wide}
    return ActivationPart(form | shared, (memory,))


def _search(name: str, act: Thresholds, source: IntType, rows: int, lanes: int) -> ActivationPart:
    search = act.search
    keys = by_lane(np.clip(search.keys, source.lo, source.hi + 1), rows, lanes)
    bits, stem = signed_bits(keys), f"data/{name}_search_"
    halves = [1 << (search.steps - 1 - step) for step in range(search.steps)]
    words, width = pack_fields([(keys[:, :, halves[0] - 1 : halves[0]], bits)])
    memories = [Memory(f"{stem}first.hex", words, width)]
    tables = [(keys[:, :, half - 1 :: 2 * half], bits) for half in halves[1:]]
    parameters: dict[str, Value] = {
        "FORM": "search", "PARAMETERS": stem, "LEVELS": search.steps, "PARAM_BITS": bits, "STEP_BITS": 1,
    }  # fmt: skip
    if not act.tabled:
        parameters |= {"BASE": int(act.base[0]), "STEP": act.uniform_step or 0}
    else:
        tables.append((by_lane(_by_path(act), rows, lanes), act.dtype.bits))
        parameters["STEP_BITS"] = 0
    for step_number, (values, wide) in enumerate(tables, 1):
        for lane in range(lanes):
            words, width = pack_fields([(values[:, lane].reshape(-1, 1, 1), wide)])
            memories.append(Memory(f"{stem}{lane:04d}_{step_number}.hex", words, width))
    return ActivationPart(parameters, tuple(memories))


def _by_path(act: Thresholds) -> Array:
    """Results of a search by the number of keys reached, (C, 2^steps)."""
    search = act.search
    paths = np.arange(1 << search.steps)
    results = act.base[:, None] + (act.uniform_step or 0) * paths if search.results is None else search.results
    coded = results > 0 if act.dtype.bipolar else results
    return np.broadcast_to(coded, (act.channels, paths.size))


def _serial(name: str, act: Thresholds, source: IntType, rows: int, lanes: int) -> ActivationPart:
    search = act.search
    # Number 2^k + path is the key of step k; number 0 is none.
    tree = np.concatenate([np.zeros((len(search.keys), 1), np.int64), *map(search.at, range(search.steps))], axis=1)
    keys = by_lane(np.clip(tree, source.lo, source.hi + 1), rows, lanes)
    bits, stem = signed_bits(keys), f"data/{name}_serial_"
    parameters: dict[str, Value] = {
        "FORM": "serial", "PARAMETERS": stem, "LEVELS": search.steps, "PARAM_BITS": bits, "STEP_BITS": int(not act.tabled),
    }  # fmt: skip
    memories = _lane_memories(stem, keys, bits)
    if not act.tabled:
        return ActivationPart(parameters | {"BASE": int(act.base[0]), "STEP": act.uniform_step or 0}, memories)
    results = _lane_memories(stem, by_lane(_by_path(act), rows, lanes), act.dtype.bits, "_results")
    return ActivationPart(parameters, (*memories, *results))


def _requant(name: str, act: Requant, rows: int, lanes: int) -> ActivationPart:
    mult, add = (by_lane(v[:, None], rows, lanes) for v in (act.mult, act.add))
    factor, addend = signed_bits(mult), signed_bits(add)
    memory, style = _parameters(name, [(mult, factor), (add, addend)])
    parameters: dict[str, Value] = {
        "FORM": "requant", "PARAMETERS": memory.file, "PARAMETER_STYLE": style, "FACTOR": factor, "ADDEND": addend,
        "SHIFT": act.shift, "LOW": Bits((act.lo,), 64), "HIGH": Bits((act.hi,), 64), "HALF_EVEN": act.half_even,
    }  # fmt: skip
    if act.late is None:
        return ActivationPart(parameters, (memory,))
    late_rows = rows if act.late.shape[0] > 1 else 1
    late = by_lane(act.late, late_rows, lanes)
    bits = max(1, int(late.max()).bit_length())
    stem = f"data/{name}_late_"
    parameters |= {"LATE": bits, "LATE_ROWS": late_rows, "PARAMETERS_2": stem}
    return ActivationPart(parameters, (memory, *_lane_memories(stem, late, bits)))


def _lane_memories(stem: str, values: Array, bits: int, what: str = "") -> tuple[Memory, ...]:
    """A memory per lane for values (rows, lanes, entries): [rows][entries]."""
    memories = []
    for lane in range(values.shape[1]):
        words, _ = pack_fields([(values[:, lane].reshape(-1, 1, 1), bits)])
        memories.append(Memory(f"{stem}{lane:04d}{what}.hex", words, bits))
    return tuple(memories)


def _table(name: str, act: Table, rows: int, lanes: int) -> ActivationPart:
    entries = int(act.values.shape[1])
    stem = f"data/{name}_table_"
    encoded = act.values > 0 if act.dtype.bipolar else act.values
    parameters: dict[str, Value] = {
        "FORM": "table", "PARAMETERS": stem, "PARAMETER_STYLE": constant_style("auto", rows * entries, act.dtype.bits),
        "BASE": act.lo, "ENTRIES": entries,
    }  # fmt: skip
    return ActivationPart(parameters, _lane_memories(stem, by_lane(encoded, rows, lanes), act.dtype.bits))
