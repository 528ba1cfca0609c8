"""Model file -> parsed ONNX protobuf with all tensor data inside it. Every failure becomes a `ModelError`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError

from flowc.errors import ModelError, shown

__all__ = ["read_model"]

_LARGEST_FILE = 2**31 - 1  # protobuf's own limit
_MOST_EXTERNAL = 1 << 30
"""Bytes of external data of all tensors together, however often they name the same file."""
_ONE_FILE = "save the model as one file with onnx.save(model, path)"
_EXPORT = "export the model again, for instance with brevitas.export.export_qonnx"


def read_model(source: str | os.PathLike[str] | onnx.ModelProto) -> onnx.ModelProto:
    """The parsed model: a copy, so the caller's object is never changed. External data is read into the tensors.

    Raises:
        ModelError: no such file, not a file, empty, not ONNX, damaged, or external data that is missing or lies outside
            the folder of the model.
    """
    if isinstance(source, onnx.ModelProto):
        model = onnx.ModelProto()
        model.CopyFrom(source)
        folder = None
    else:
        path = Path(source)
        model = _parse(path)
        folder = path.resolve().parent
    if not model.HasField("graph") or not (model.graph.node or model.graph.output):
        raise ModelError("the file holds no ONNX graph: it is not an ONNX model, or is damaged", remedy=_EXPORT)
    room = _MOST_EXTERNAL
    for tensor in _tensors(model.graph):
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            _load_external(tensor, folder, room)
            room -= len(tensor.raw_data)
    return model


def _parse(path: Path) -> onnx.ModelProto:
    name = shown(str(path))
    try:
        if path.is_dir():
            raise ModelError(f"'{name}' is a directory, not an ONNX file", remedy="name the file in it")
        size = path.stat().st_size
        if size == 0:
            raise ModelError(f"'{name}' is empty", remedy=_EXPORT)
        if size > _LARGEST_FILE:
            raise ModelError(
                f"'{name}' has {size} bytes; ONNX files end at 2 GiB", remedy="store the weights as external data"
            )
        data = path.read_bytes()
    except FileNotFoundError:
        raise ModelError(f"there is no file '{name}'", remedy="check the path of the model") from None
    except (OSError, ValueError) as error:
        raise ModelError(f"'{name}' can't be read: {error}", remedy="check the path and its permissions") from None
    model = onnx.ModelProto()
    try:
        model.ParseFromString(data)
    except (DecodeError, RuntimeError, ValueError) as error:
        detail = f" ({error})" if str(error) else ""
        raise ModelError(f"'{name}' is not an ONNX model, or is damaged or truncated{detail}", remedy=_EXPORT) from None
    return model


def _tensors(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors


def _load_external(tensor: onnx.TensorProto, folder: Path | None, room: int) -> None:
    """Read the data of one externally stored tensor, only ever from inside `folder` and at most `room` bytes."""
    name = tensor.name
    fields = {entry.key: entry.value for entry in tensor.external_data}
    location = fields.get("location", "")
    if folder is None:
        raise ModelError(
            f"the data of tensor '{name}' is in a separate file, which a model given as an object does not carry",
            remedy="give the path of the model instead, or load it with onnx.load(path)",
        )
    try:
        target = (folder / location).resolve()
        offset = int(fields.get("offset") or 0)
        length = int(fields["length"]) if fields.get("length") else None
    except (ValueError, OSError, RuntimeError):
        raise ModelError(f"the external data entry of tensor '{name}' is malformed", remedy=_ONE_FILE) from None
    if not location or Path(location).is_absolute() or not target.is_relative_to(folder):
        raise ModelError(
            f"the data of tensor '{name}' is outside the model's folder, in '{location}'; flowc does not read there",
            remedy=_ONE_FILE,
        )
    try:
        if not target.is_file():
            raise ModelError(
                f"the data file '{location}' of tensor '{name}' is missing",
                remedy=f"put it beside the model, or {_ONE_FILE}",
            )
        available = target.stat().st_size - offset
        count = available if length is None else length
        if offset < 0 or count < 0 or count > available:
            message = f"the data file '{location}' is too short for tensor '{name}'"
            raise ModelError(message, remedy="copy or export it again")
        if count > room:
            raise ModelError(
                f"the external data of the model is more than {_MOST_EXTERNAL:,} bytes, with that of tensor '{name}'",
                remedy="flowc is for networks of up to some hundred million weights",
            )
        with target.open("rb") as file:
            file.seek(offset)
            tensor.raw_data = file.read(count)
    except OSError as error:
        message = f"the data file '{location}' of tensor '{name}' can't be read: {error}"
        raise ModelError(message, remedy="check its permissions") from None
    tensor.data_location = onnx.TensorProto.DEFAULT
    del tensor.external_data[:]
