"""What report.json says of a loopback program: layers, traffic, roofline, energy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flowc.loopback.allocate import Allocation
from flowc.loopback.blocks import Blocks
from flowc.loopback.cost import LayerCost
from flowc.loopback.layers import MAC
from flowc.targets import Target
from flowc.units.energy import BUFFER_PJ, MAC_PJ, ORIGIN, WORD_BYTES, external_pj

__all__ = ["figures_of"]


def figures_of(found: Allocation, target: Target, budget: Mapping[str, int]) -> dict[str, Any]:
    """The plan's part of report.json."""
    program = found.program
    e, batch = program.engine, program.batch
    used = found.resources.as_dict()
    layers = [_entry(b, c, found) for b, c in zip(program.blocks, found.costs, strict=True)]
    slowest = max(layers, key=lambda entry: entry["cycles"], default=None)
    moved = sum(c.read_bytes + c.write_bytes for c in found.costs)
    bound = sum(_least_bytes(b, batch) for b in program.blocks)
    return {
        "clock_mhz": e.clock_mhz,
        "execution": "loopback",
        "fps": found.fps,
        "latency_ms": found.latency_ms,
        "interval_cycles": round(found.cycles / batch),
        "bottleneck": None if slowest is None else slowest["name"],
        "resources": used,
        "available": dict(target.available),
        "budget": dict(budget),
        "fits": all(value is not None and value <= budget[key] for key, value in used.items()),
        "layers": layers,
        "fifos": [],
        "engine": e.as_dict(),
        "batch": batch,
        "stripes": program.stripes,
        "traffic": {
            "bytes_per_image": moved / batch,
            "lower_bound_bytes": bound / batch,
            "gbytes_per_s": moved / batch * found.fps / 1e9,
            "available_gbytes_per_s": None if target.ddr_gbps is None else target.ddr_gbps * target.ddr_efficiency,
        },
        "roofline": _roofline(found, moved),
        "energy": _energy(found),
        "external_memory_bytes": program.memory.size,
        "descriptors": len(program.table),
        "host": [{"unit": step.unit.name, "reason": step.reason} for step in program.network.host],
    }


def _entry(b: Blocks, cost: LayerCost, found: Allocation) -> dict[str, Any]:
    layer, program = b.layer, found.program
    units = [program.graph[name] for name in layer.units]
    own: dict[str, Any] = dict(units[0].entry()) if units else _helper(b)
    own |= {
        "name": layer.name,
        "unit": "+".join(u.kind for u in units) or own["unit"],
        "onnx_nodes": list(layer.origin),
        "macs": layer.macs or None,
        "pe": None,
        "simd": None,
        "cycles": round(cost.cycles / program.batch),
        "memory": None,
        "lut": None,
        "ff": None,
        "bram18": None,
        "uram": None,
        "dsp": None,
        "compute_cycles": cost.compute_cycles,
        "ddr_read_bytes": cost.read_bytes,
        "ddr_write_bytes": cost.write_bytes,
        "utilization": layer.macs * program.batch / (cost.cycles * program.engine.macs) if layer.macs else None,
        "binds": cost.binds,
        "energy_nj": sum(_energy_of(b, cost, program.batch)) / 1e3,
        "tile": _tile(b, program.tilings[program.number(layer)]),
    }
    return own


def _tile(b: Blocks, tiling: Any) -> dict[str, Any]:
    return {
        "rows": tiling.rows,
        "columns": tiling.columns,
        "blocks": tiling.blocks,
        "images": tiling.images,
        "outer": "weights" if tiling.weights_outer else "positions",
        "steps": b.steps,
    }


def _helper(b: Blocks) -> dict[str, Any]:
    """A layer that moves a tensor: no unit of the graph."""
    nothing = dict.fromkeys(("bops", "weights", "weight_bits", "accumulator_bits", "activation"))
    bits = {
        f"{side}_bits": max(1, int(s.hi - s.lo).bit_length())
        for side, s in (("input", b.layer.source.storage), ("output", b.layer.out.storage))
    }
    return {"unit": "move", **nothing, **bits}


def _least_bytes(b: Blocks, batch: int) -> int:
    """Bytes of a batch if each weight and each activation were moved once, without channels that only fill up blocks."""
    layer, digit = b.layer, b.engine.digit
    source, out = layer.source, layer.out
    weights = 0 if layer.products is None else layer.products.weights.size * b.weight_planes * digit // 8
    weights += 8 * len(out.slots)
    read = min(
        source.storage.h,
        (layer.h - 1) * layer.window.stride[0] + _reach(layer.window.kernel[0], layer.window.dilation[0]),
    )
    across = min(
        source.storage.w,
        (layer.w - 1) * layer.window.stride[1] + _reach(layer.window.kernel[1], layer.window.dilation[1]),
    )
    if layer.taps == 1:
        read, across = min(read, layer.h), min(across, layer.w)
    inputs = read * across * len(source.slots) * b.planes
    results = layer.h * layer.w * len(out.slots) * (b.out_planes + b.skip_planes)
    return weights + (inputs + results) * digit // 8 * batch


def _reach(kernel: int, dilation: int) -> int:
    return (kernel - 1) * dilation + 1


def _roofline(found: Allocation, moved: int) -> dict[str, Any]:
    """Operations per byte, and what array and external memory allow."""
    program = found.program
    operations = 2 * sum(layer.macs for layer in program.network.layers) * program.batch
    peak = 2 * program.engine.macs * program.engine.clock_mhz * 1e6
    rate = found.memory.bytes_per_cycle
    intensity = operations / max(1, moved)
    ceiling = None if rate is None else min(peak, intensity * rate * program.engine.clock_mhz * 1e6)
    return {
        "operations_per_byte": intensity,
        "peak_gops": peak / 1e9,
        "attainable_gops": None if ceiling is None else ceiling / 1e9,
        "reached_gops": operations / program.batch * found.fps / 1e9,
    }


def _energy_of(b: Blocks, cost: LayerCost, batch: int) -> tuple[float, float, float]:
    """Picojoules of a layer per image: in the array, in its buffers, for the external memory."""
    e, positions = b.engine, b.layer.h * b.layer.w * b.count
    digits = positions * b.steps * e.rows * e.columns if b.layer.kind == MAC else 0
    # An activation word per position and step, and a weight word per step that all lanes share.
    words = positions * b.steps * (e.word_bytes + e.weight_word_bytes // e.lanes) // WORD_BYTES
    return digits * MAC_PJ, words * BUFFER_PJ, external_pj((cost.read_bytes + cost.write_bytes) / batch)


def _energy(found: Allocation) -> dict[str, Any]:
    """Energy per image by a table of energies per operation: an estimate for comparing programs, not a measurement."""
    program = found.program
    layers = [_energy_of(b, c, program.batch) for b, c in zip(program.blocks, found.costs, strict=True)]
    compute, buffers, external = (sum(column) for column in zip((0.0, 0.0, 0.0), *layers, strict=True))
    return {
        "origin": ORIGIN,
        "compute_uj": compute / 1e6,
        "buffers_uj": buffers / 1e6,
        "external_memory_uj": external / 1e6,
        "per_image_uj": (compute + buffers + external) / 1e6,
    }
