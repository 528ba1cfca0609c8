"""Networks given by their shapes alone: CSV tables, those shipped with flowc among them.

One line per layer; `COLUMNS` says what may stand in it. SCALE-Sim's topology files are read too.
"""

from __future__ import annotations

import csv
import io
import os
from importlib import resources
from pathlib import Path

from flowc.arrays.layers import Layer, Network
from flowc.errors import UsageError, shown

__all__ = ["COLUMNS", "known_networks", "read_table", "shipped"]

COLUMNS = {
    "layer": "name",
    "height": "rows of the input map; of a plain product, its positions",
    "width": "columns of the input map; of a plain product, 1",
    "channels": "input channels, all groups together",
    "filters": "output channels, all groups together",
    "kernel": "3, or rows x columns as 3x1 [1]",
    "stride": "as kernel [1]",
    "dilation": "distance of kernel elements, as kernel [1]",
    "padding": "zeros at each edge, as kernel; or 'same': the input size divided by the stride, rounded up [0]",
    "groups": "groups of channels; heads of an attention product [1]",
    "count": "how often the layer is there [1]",
    "runtime": "1 where both operands are computed at run time [0]",
}
"""Columns of a table, and their defaults."""

_NEEDED = ("layer", "height", "width", "channels", "filters")
_SCALE_SIM = {
    "layer name": "layer",
    "ifmap height": "height",
    "ifmap width": "width",
    "filter height": "kernel rows",
    "filter width": "kernel columns",
    "num filter": "filters",
    "strides": "stride",
}
_LARGEST_FILE = 2**24
_MOST_LAYERS = 100_000
_LARGEST = 2**31


def known_networks() -> list[str]:
    """Names of the shipped tables."""
    folder = resources.files("flowc.arrays") / "shapes"
    return sorted(file.name.removesuffix(".csv") for file in folder.iterdir() if file.name.endswith(".csv"))


def shipped(name: str) -> Network:
    """A shipped table.

    Raises:
        UsageError: there is none of that name.
    """
    known = known_networks()
    match = next((n for n in known if _plain(n) == _plain(name)), None)
    if match is None:
        raise UsageError(
            f"there is no network '{shown(name)}'",
            remedy=f"Known are {', '.join(known)}; or give the path of an ONNX file or of a CSV table of shapes",
        )
    file = resources.files("flowc.arrays") / "shapes" / f"{match}.csv"
    return _parse(file.read_text(encoding="utf-8"), match, f"{match}.csv")


def _plain(name: str) -> str:
    """How names are compared: resnet50, ResNet-50 and resnet_50 are one."""
    return "".join(c for c in name.lower() if c.isalnum())


def read_table(path: str | os.PathLike[str]) -> Network:
    """The network that a CSV file describes.

    Raises:
        UsageError: the file can't be read, or a line makes no sense; the message names the line.
    """
    path = Path(path)
    name = shown(str(path))
    try:
        if path.is_dir():
            raise UsageError(f"'{name}' is a directory, not a table of shapes", remedy="Name a CSV file")
        if path.stat().st_size > _LARGEST_FILE:
            raise UsageError(
                f"'{name}' is larger than a table of shapes can be ({_LARGEST_FILE:,} bytes)",
                remedy="Split it into several",
            )
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise UsageError(f"there is no file '{name}'", remedy="Check the path") from None
    except UnicodeDecodeError:
        raise UsageError(f"'{name}' is not a table of shapes: it is not text", remedy=_help()) from None
    except (OSError, ValueError) as error:
        raise UsageError(f"'{name}' can't be read: {error}", remedy="Give a CSV file of text in UTF-8") from None
    return _parse(text, path.stem, name)


def _help() -> str:
    return f"A table begins with the line '{','.join(COLUMNS)}'; all but the first five may be left out"


def _parse(text: str, network: str, file: str) -> Network:
    reader = csv.reader(io.StringIO(text), skipinitialspace=True)
    try:
        lines = [(reader.line_num, [cell.strip() for cell in row]) for row in reader]
    except csv.Error as error:
        raise UsageError(f"'{file}' is not a table of shapes: {error}", remedy=_help()) from None
    lines = [(number, row) for number, row in lines if any(row) and not row[0].startswith("#")]
    if not lines:
        raise UsageError(f"'{file}' is empty", remedy=_help())
    columns = _columns(lines[0][1], file)
    layers: list[Layer] = []
    for number, row in lines[1:]:
        where = f"'{file}', line {number}"
        if len(row) > len(columns) and any(row[len(columns) :]):
            raise UsageError(
                f"{where}: {len(row)} cells for {len(columns)} columns",
                remedy="Give every row a cell for each column, empty or not",
            )
        cells = dict(zip(columns, row, strict=False))
        try:
            layers += _layers({key: value for key, value in cells.items() if key and value}, f"layer{len(layers)}")
        except UsageError as error:
            raise UsageError(f"{where}: {error.message}", remedy=error.remedy or "Correct this row") from None
        if len(layers) > _MOST_LAYERS:
            raise UsageError(f"'{file}' has more than {_MOST_LAYERS:,} layers", remedy="Split it into several")
    if not layers:
        raise UsageError(f"'{file}' has a header and no layers", remedy=_help())
    return Network(network, tuple(layers))


def _columns(header: list[str], file: str) -> list[str]:
    """What the header calls its columns, in flowc's words; "" for the empty column that SCALE-Sim's files end with."""
    columns = [_SCALE_SIM.get(title.lower(), title.lower()) for title in header]
    while columns and not columns[-1]:
        columns.pop()
    for title in columns:
        if title not in {*COLUMNS, "kernel rows", "kernel columns"}:
            raise UsageError(f"'{file}' has a column '{shown(title)}' that is not known", remedy=_help())
    missing = [name for name in _NEEDED if name not in columns]
    if missing:
        raise UsageError(f"'{file}' lacks the column '{missing[0]}'", remedy=_help())
    twice = [title for title in columns if columns.count(title) > 1]
    if twice:
        raise UsageError(f"'{file}' has the column '{twice[0]}' twice", remedy="Name each column once")
    return columns


def _layers(cells: dict[str, str], default_name: str) -> list[Layer]:
    name = cells.get("layer", default_name)
    for needed in _NEEDED[1:]:
        if needed not in cells:
            raise UsageError(f"'{needed}' is empty", remedy="Fill the cell in")
    height, width, channels, filters = (_whole(cells[key], key) for key in _NEEDED[1:])
    groups, count = (_whole(cells.get(key, "1"), key) for key in ("groups", "count"))
    runtime = cells.get("runtime", "0")
    if runtime not in ("0", "1"):
        raise UsageError(f"'runtime' is 0 or 1, not '{shown(runtime)}'", remedy="Write 0 or 1")
    if channels % groups or filters % groups:
        raise UsageError(
            f"{channels} channels and {filters} filters can't be divided into {groups} groups",
            remedy="Give a number of groups that divides both",
        )
    if count > _MOST_LAYERS:
        raise UsageError(f"a count of {count:,} is more than {_MOST_LAYERS:,}", remedy="Give a smaller count")
    kernel = _pair(cells.get("kernel", "1"), "kernel")
    kernel = (
        _whole(cells.get("kernel rows", str(kernel[0])), "kernel rows"),
        _whole(cells.get("kernel columns", str(kernel[1])), "kernel columns"),
    )
    stride = _pair(cells.get("stride", "1"), "stride")
    dilation = _pair(cells.get("dilation", "1"), "dilation")
    padding = cells.get("padding", "0")
    pads = None if padding.lower() == "same" else _pair(padding, "padding", lowest=0)
    sizes = []
    for i, size in enumerate((height, width)):
        reach = (kernel[i] - 1) * dilation[i] + 1
        span = size + 2 * pads[i] - reach if pads is not None else (-(-size // stride[i]) - 1) * stride[i]
        if span < 0:
            raise UsageError(
                f"a kernel of {kernel[i]} does not fit into {size} with a padding of {padding}",
                remedy="Give a smaller kernel, or more padding",
            )
        sizes.append(span // stride[i] + 1)
    layer = Layer(
        name, sizes[0], sizes[1], channels // groups, filters // groups, *kernel, *stride, *dilation, height, width,
        groups, runtime=runtime == "1",
    )  # fmt: skip
    return [layer] * count


def _pair(text: str, name: str, lowest: int = 1) -> tuple[int, int]:
    parts = text.lower().replace("×", "x").split("x")
    if len(parts) > 2:
        raise UsageError(f"'{name}' is a number or two as 3x1, not '{shown(text)}'", remedy="Write it as 3 or 3x1")
    values = [_whole(part, name, lowest) for part in parts]
    return values[0], values[-1]


def _whole(text: str, name: str, lowest: int = 1) -> int:
    try:
        value = int(text.strip())
    except ValueError:
        raise UsageError(f"'{name}' is a whole number, not '{shown(text)}'", remedy="Write digits only") from None
    if not lowest <= value <= _LARGEST:
        raise UsageError(
            f"'{name}' must be {lowest} to {_LARGEST:,}, not {value:,}", remedy="Give a number in that range"
        )
    return value
