"""What report.json says of a dataflow design: rate, layers, FIFOs, traffic, roofline, energy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flowc.dataflow.allocate import Allocation, chosen_folding
from flowc.dataflow.allocate.device import gathered
from flowc.interface.weights import weight_ports
from flowc.interface.wire import boundary
from flowc.targets import Target
from flowc.units import Unit
from flowc.units.energy import ORIGIN, external_pj, local_pj, mac_pj
from flowc.units.graph import Dataflow

__all__ = ["figures_of"]


def figures_of(found: Allocation, target: Target) -> dict[str, Any]:
    """The plan's part of report.json."""
    graph = found.graph
    streamed = {port.unit.name: port.frame_bytes for port in weight_ports(graph)}
    traffic = _traffic(graph, target, found.fps, sum(streamed.values()))
    energies = {u.name: _energy_of(u, streamed.get(u.name, 0)) for u in graph if not u.is_port}
    return {
        "clock_mhz": found.clock_mhz,
        "execution": "dataflow",
        "fps": found.fps,
        "latency_ms": found.latency_cycles / found.clock_mhz / 1e3,
        "interval_cycles": found.interval_cycles,
        "bottleneck": found.bottleneck,
        "resources": found.resources.as_dict(),
        "fifo_resources": gathered(found.fifo_resources.values()).as_dict(),
        "status_resources": None if found.status_resources is None else found.status_resources.as_dict(),
        "line_resources": None if found.line_resources is None else found.line_resources.as_dict(),
        "available": dict(found.available),
        "budget": dict(found.budget),
        "fits": found.fits,
        "layers": [
            u.entry() | found.unit_resources[u.name].as_dict() | {"energy_nj": sum(energies[u.name]) / 1e3}
            for u in graph
            if not u.is_port
        ],
        "fifos": _fifos(found),
        "folding": chosen_folding(graph),
        "traffic": traffic,
        "roofline": _roofline(found, traffic),
        "energy": _energy(energies.values(), traffic["bytes_per_image"] - sum(streamed.values())),
    }


def _fifos(found: Allocation) -> list[dict[str, Any]]:
    graph = found.graph
    return [
        {
            "from": s.src,
            "to": s.dst,
            "depth": s.depth,
            "width": graph.frame(s).dtype.bits * graph[s.src].out_widths[s.src_port],
            "held": found.occupancy.get(s),
        }
        for s in graph.streams
    ]


def _traffic(graph: Dataflow, target: Target, fps: float, weights: int) -> dict[str, Any]:
    """Bytes that a frame moves between accelerator and external memory: what really moves, and what it can't be less than."""
    ports = boundary(graph)
    moved = weights + sum(p.frame_bytes if target.has_processor else p.beats * p.stream_bytes for p in ports)
    least = sum(u.frame.elements * u.frame.dtype.bits for u in (*graph.inputs, *graph.outputs)) / 8
    least += sum(_weight_bits(port.unit) for port in weight_ports(graph)) / 8
    return {
        "bytes_per_image": float(moved),
        "lower_bound_bytes": least,
        "gbytes_per_s": moved * fps / 1e9,
        "available_gbytes_per_s": None if target.ddr_gbps is None else target.ddr_gbps * target.ddr_efficiency,
    }


def _weight_bits(unit: Unit) -> int:
    entry = unit.entry()
    return (entry["weights"] or 0) * (entry["weight_bits"] or 0)


def _roofline(found: Allocation, traffic: Mapping[str, Any]) -> dict[str, Any]:
    """Operations per byte, and what the units together and the external memory allow."""
    operations = 2 * sum(u.macs for u in found.graph)
    peak = 2 * sum(u.macs / u.cycles for u in found.graph if u.macs) * found.clock_mhz / 1e3
    intensity = operations / max(1.0, traffic["bytes_per_image"])
    bandwidth = traffic["available_gbytes_per_s"]
    return {
        "operations_per_byte": intensity,
        "peak_gops": peak,
        "attainable_gops": None if bandwidth is None else min(peak, intensity * bandwidth),
        "reached_gops": operations * found.fps / 1e9,
    }


def _energy_of(unit: Unit, streamed: int) -> tuple[float, float, float]:
    """Picojoules of a unit per frame: in its products, in its memories, for weights from the external memory.

    Every product reads its weight; a sliding window writes every element once and reads it as often as it leaves.
    """
    entry = unit.entry()
    compute = local = 0.0
    if unit.macs and entry["weight_bits"] is not None:
        accumulator = entry["accumulator_bits"] or 32
        compute = unit.macs * mac_pj(entry["weight_bits"], entry["input_bits"], accumulator)
        local = 0.0 if streamed else local_pj(unit.macs * entry["weight_bits"])
    if unit.is_window:
        local += local_pj(sum(f.elements * f.dtype.bits for f in (*unit.inputs, *unit.outputs)))
    return compute, local, external_pj(streamed)


def _energy(units: Any, port_bytes: float) -> dict[str, Any]:
    """Energy per frame: an estimate for comparing designs."""
    compute, local, streamed = (sum(column) for column in zip((0.0, 0.0, 0.0), *units, strict=True))
    external = streamed + external_pj(port_bytes)
    return {
        "origin": ORIGIN,
        "compute_uj": compute / 1e6,
        "buffers_uj": local / 1e6,
        "external_memory_uj": external / 1e6,
        "per_image_uj": (compute + local + external) / 1e6,
    }
