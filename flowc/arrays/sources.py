"""A network from whatever a user names it by."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import onnx

from flowc.arrays.layers import Network
from flowc.arrays.onnx_layers import read_network
from flowc.arrays.tables import read_table, shipped
from flowc.errors import UsageError, shown

__all__ = ["Source", "load_network"]

Source = str | os.PathLike[str] | onnx.ModelProto | Network
"""A shipped name, the path of an ONNX file or of a CSV table, a model in memory, or a network."""


def load_network(source: Source, input_shapes: Mapping[str, Sequence[int]] | None = None) -> Network:
    """The network that ``source`` stands for.

    Args:
        source: a name without a folder and an ending is a shipped table, unless a file is called so; ``.csv`` is a table, anything
            else an ONNX file.
        input_shapes: for ONNX models whose inputs are dynamic.

    Raises:
        UsageError, ModelError: there is none such, or it can't be read.
    """
    if isinstance(source, Network):
        return source
    if isinstance(source, onnx.ModelProto):
        return read_network(source, input_shapes)
    path = Path(source)
    bare = path.name == str(source) and not path.suffix and not path.exists()
    table = bare or path.suffix.lower() == ".csv"
    if table and input_shapes:
        raise UsageError(
            f"shapes of inputs are for ONNX models; '{shown(str(source))}' is a table of shapes",
            remedy="Leave the shapes of inputs out",
        )
    if bare:
        return shipped(str(source))
    return read_table(path) if table else read_network(path, input_shapes)
