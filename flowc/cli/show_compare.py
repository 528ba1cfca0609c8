"""What ``flowc report BEFORE AFTER`` prints."""

from __future__ import annotations

from rich.text import Text

from flowc.cli.tables import count, new_console, new_table, pairs, text
from flowc.report.compare import Comparison

__all__ = ["comparison"]

_STYLES = {True: "green", False: "red", None: ""}
_MOST_LAYERS = 40


def comparison(found: Comparison) -> None:
    """The figures of builds side by side, changes from the first, and the layers that differ."""
    console = new_console()
    table = new_table("", *(f"{build['name']}>" for build in found.builds))
    for title, key in (
        ("model", "model"),
        ("board", "target"),
        ("execution", "execution"),
        ("bottleneck", "bottleneck"),
    ):
        table.add_row(title, *(text(build[key]) for build in found.builds))
    table.add_row(
        "fits", *(Text("yes") if build["fits"] else Text("no", style=_STYLES[False]) for build in found.builds)
    )
    for figure in found.figures:
        cells = []
        for i in range(len(figure.values)):
            cell = Text(figure.text(i))
            if i and figure.change(i):
                cell.append(f" {figure.change(i)}", style=_STYLES[figure.good(i)])
            cells.append(cell)
        table.add_row(figure.name, *cells)
    console.print(table)
    console.print()
    if not found.layers:
        pairs(console, [("layers", f"all {count(found.same)} are the same")])
        return
    layers = new_table("layer", "what", *(f"{build['name']}>" for build in found.builds))
    for row in found.layers[:_MOST_LAYERS]:
        if not all(row.there):
            layers.add_row(text(row.name), "there", *("yes" if there else "no" for there in row.there))
            continue
        for i, (key, values) in enumerate(row.values.items()):
            layers.add_row(text(row.name if not i else ""), key, *(count(v, "-") for v in values))
    console.print(layers)
    console.print()
    left = len(found.layers) - _MOST_LAYERS
    more = f"; {left} more are left out here (--json has them)" if left > 0 else ""
    pairs(console, [("layers", f"{len(found.layers)} differ, {found.same} are the same{more}")])
