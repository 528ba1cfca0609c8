"""What ``flowc explore-array`` prints: points, the layers that waste an array, and how to read the figures."""

from __future__ import annotations

from rich.console import Console

from flowc.arrays import ArrayPoint, ArraySweep, LayerPoint, Setup
from flowc.arrays.points import METRICS, ratio
from flowc.cli.tables import Columns, new_console, new_table, percent, roomy, text
from flowc.report.text import amount

__all__ = ["show"]

_FEW, _BEST = 24, 4


def show(found: ArraySweep, chosen: dict[str, tuple[str, int, int]]) -> None:
    """Print a sweep, with the layers of one array of each network."""
    console = new_console()
    for network in found.networks:
        points = _interesting(found.points[network.name])
        left_out = len(found.points[network.name]) - len(points)
        console.print(text(f"{network.name}: {network.macs / 1e9:.4g} G multiplications an image"), style="bold")
        console.print(_points(points, found.points[network.name], roomy(console)))
        if not roomy(console):
            console.print(text("buffer, between and within (words moved) and energy: in multiples of the least"))
        if left_out:
            console.print(text(f"{left_out} more points; --csv or --json writes all"))
        _show_layers(console, found, network.name, chosen[network.name])
        for note in network.notes:
            console.print(text(f"note: {note}", limit=2000))
        console.print()
    for line in _remarks(found.setup, found.dataflows):
        console.print(text(line, limit=2000))


def _interesting(points: tuple[ArrayPoint, ...]) -> list[ArrayPoint]:
    """All points where they are few; else of each dataflow those of the least energy and the one of the fewest cycles."""
    if len(points) <= _FEW:
        return list(points)
    kept: list[ArrayPoint] = []
    for dataflow in dict.fromkeys(p.dataflow for p in points):
        mine = sorted((p for p in points if p.dataflow == dataflow), key=lambda p: p.energy)
        fastest = min(mine, key=lambda p: p.cycles)
        kept += mine[:_BEST] if fastest in mine[:_BEST] else [*mine[:_BEST], fastest]
    return kept


def _points(points: list[ArrayPoint], every: tuple[ArrayPoint, ...], wide: bool) -> Columns:
    """A row per point; where there is little room, what moves is told in comparison with the best alone."""
    least = {metric: min(getattr(p, metric) for p in every) for metric in METRICS}
    moved = {"buffer": "buffer", "inter_pe": "between", "intra_pe": "within"}
    heads = [head for name in moved.values() for head in ((f"{name}>", "/best>") if wide else (f"{name}>",))]
    table = new_table(
        "dataflow",
        "array>",
        "cycles>",
        "/best>",
        "used>",
        *heads,
        *(["DRAM>"] if wide else []),
        "energy/best>" if wide else "energy>",
    )

    def pair(point: ArrayPoint, metric: str) -> tuple[str, str]:
        times = ratio(getattr(point, metric), least[metric])
        value = getattr(point, metric)
        return f"{value:.4g}" if wide else amount(value), "-" if times is None else f"{times:.2f}"

    for p in points:
        cells = [cell for metric in moved for cell in pair(p, metric)[0 if wide else 1 :]]
        dram = [f"{p.dram:.4g}"] if wide else []
        size, used = f"{p.height}x{p.width}", f"{p.utilization:.1%}"
        table.add_row(p.dataflow, size, *pair(p, "cycles"), used, *cells, *dram, f"{p.energy_to_best:.2f}")
    return table


def _show_layers(console: Console, found: ArraySweep, network: str, array: tuple[str, int, int]) -> None:
    """The layers that leave most of the array's time idle."""
    alike: dict[LayerPoint, int] = {}
    for layer in found.layers(network, *array):
        alike[layer] = alike.get(layer, 0) + 1
    worst = sorted(alike, key=lambda layer: -layer.waste * alike[layer])[: _BEST + 1]
    console.print(text(f"layers that waste most of {array[0]} {array[1]}x{array[2]}:"))
    table = new_table("layer", "of products>", "of cycles>", "used>", "idle, of all>")
    for layer in worst:
        number = alike[layer]
        name = layer.layer if number == 1 else f"{layer.layer}, {number} times"
        shares = [percent(number * value) for value in (layer.mac_share, layer.cycle_share)]
        table.add_row(text(name, 60), *shares, percent(layer.utilization), percent(number * layer.waste))
    console.print(table)


def _remarks(setup: Setup, dataflows: tuple[str, ...]) -> list[str]:
    """What one has to know to read the figures."""
    flat = "energy (of ws, is) hardly depends on the shape, and cycles decide"
    if setup.toggles:
        lines = [
            f"Idle cells toggle, as in CAMUY: most of the difference in energy is theirs. With --idle gated, {flat}."
        ]
    else:
        lines = [f"Idle cells are gated: {flat}. CAMUY's optimum in energy needs --idle toggle."]
    if "rs" in dataflows and setup.toggles:
        lines.append("Row stationary cells are always gated, as in Eyeriss.")
    if setup.loads == "published":
        overlapped = "ws loads weights behind the wave at any bandwidth, as in CAMUY (--loads rows: a row a cycle)"
        exposed = "os and is wait for each block, as in SCALE-Sim (--loads overlapped: they do not)"
        said = [overlapped] * ("ws" in dataflows) + [exposed] * bool({"os", "is"} & {*dataflows})
        lines += [f"Cycles: {'; '.join(said)}."] if said else []
    if setup.costs["dram"] == 0:
        lines.append("Energy is on-chip; DRAM words are the same for every shape (--costs dram=200 adds them).")
    return lines
