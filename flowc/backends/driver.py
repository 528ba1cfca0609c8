"""The PYNQ driver: files that run on the board with numpy and pynq, and without a board on the emulator."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from flowc.backends.alveo import movers, platform
from flowc.backends.base import Marked
from flowc.backends.hls.text import comment
from flowc.backends.render import copied, render, write
from flowc.backends.rtl.board import ROOM
from flowc.backends.vivado import identity, why_ip_only
from flowc.errors import UsageError
from flowc.interface.weights import WeightPort, weight_ports
from flowc.interface.wire import HostPort, boundary
from flowc.targets import Target
from flowc.templates.driver.operators import NUMPY_OPERATORS
from flowc.units import Array
from flowc.units.graph import Dataflow

__all__ = ["about_host", "generate_driver", "host_notes", "npz_bytes", "write_package"]

_COMMON = (
    "__init__.py", "__main__.py", "accuracy.py", "device.py", "driver.py", "errors.py", "host.py", "integers.py", "onnxfile.py",
    "operators.py", "overlay.py", "packing.py", "samples.py", "throughput.py",
)  # fmt: skip
"""Scripts of every driver."""
_STREAMS = ("emulator.py", "stream.py")
"""Scripts of a driver whose accelerator has streams."""
_DEVICE = {"board": ("board.py", "status.py"), "card": ("card.py",), "uart": ("uart.py",)}
"""Scripts of what reaches the accelerator."""
_32_BIT = frozenset({"zynq-7000"})
"""Families whose processor onnxruntime is not built for."""
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest date of a zip entry, so that equal designs give equal bytes


def generate_driver(
    graph: Dataflow,
    out: Path,
    *,
    target: Target,
    header: str,
    results: Mapping[str, str],
    host: Mapping[str, bytes] | None = None,
    status: bool = False,
    fifos: Sequence[Marked] | None = None,
) -> None:
    """Writes the driver: scripts copied as they are, and the description of the streams that they read.

    Args:
        graph: the accelerator.
        out: folder to write to; made if it is not there.
        target: the board.
        header: what made the files from what, plain text of some lines; written at the top of each script.
        results: the model's outputs in order: name to numpy dtype. Those that the tail does not compute are tensors of
            output ports.
        host: "head.onnx" and "tail.onnx" as far as the model has them, with a batch of 1. The head's outputs are
            the tensors of the input ports; the tail's inputs are those of the output ports, the head's outputs or the
            model's inputs, all under their names.
        status: whether the bitstream has the registers of ``flowc_status.v``.
        fifos: those within the accelerator whose high-water marks it keeps there; None: it keeps none.

    Raises:
        InfeasibleError: a port is too wide for a DMA engine.
        UsageError: a file can't be written.
    """
    ports, readers = boundary(graph), weight_ports(graph)
    units = {port.name: unit for port, unit in zip(ports, (*graph.inputs, *graph.outputs), strict=True)}
    described: dict[str, Any] = {
        "name": graph.name,
        **_device(graph, target),
        "emulator": "emulator",
        "entries": [p.tensor for p in ports if p.is_input],
        "inputs": [_entry(p, units[p.name].tensor_shape, target) for p in ports if p.is_input],
        "outputs": [_entry(p, units[p.name].tensor_shape, target) for p in ports if not p.is_input],
        "weights": [_weights(p) for p in readers],
        "results": [[name, str(np.dtype(dtype))] for name, dtype in results.items()],
        **({"status": list(identity(header)), "fifos": _fifos(fifos)} if status else {}),
    }
    told = {
        key: [{**e, "frame_bytes": e["elements"] / e["per_beat"] * e["beat_bytes"]} for e in described[key]]
        for key in ("inputs", "outputs")
    }
    orders = {name: np.asarray(u.order, np.int32) for name, u in units.items() if u.order is not None}
    files = {"orders.npz": npz_bytes(orders)}
    if readers:
        files["weights.npz"] = npz_bytes({p.name: p.image for p in readers})
    texts = {name: copied(f"driver/{name}", header, "#") for name in (*_STREAMS, *_DEVICE[described["device"]])}
    readme = about_host(graph.name, host, target) | told | {"weights": readers}
    card = platform(target) is not None
    readme |= {"card": card, "kernels": described.get("kernels", {}), "no_board": None if card else why_ip_only(target)}
    page = "driver/README_line.md.j2" if target.has_board else "driver/README.md.j2"
    texts["README.md"] = render(page, **readme, baud=target.baud)
    write_package(out, described, texts, files | dict(host or {}), header)


def write_package(
    out: Path, described: Mapping[str, Any], texts: Mapping[str, str], files: Mapping[str, bytes], header: str
) -> None:
    """Writes a driver: the scripts that all have, and what is its own.

    Args:
        out: folder to write to; made if it is not there.
        described: ``accelerator.json``; it names the module with ``open_device`` ("device"), that with ``open_emulator`` ("emulator"), the
            Python package that a board has ("package"), the bitstream ("bitfile"), the integer tensors that go in ("entries"), and
            the model's outputs with their dtypes ("results").
        texts, files: further files by name.
        header: what made the files from what.

    Raises:
        UsageError: a file can't be written.
    """
    for name in _COMMON:
        write(out / name, copied(f"driver/{name}", header, "#"))
    write(out / "accelerator.json", json.dumps(described, indent=1) + "\n")
    for name, text in texts.items():
        write(out / name, text)
    try:
        for name, content in files.items():
            (out / name).write_bytes(content)
    except OSError as error:
        raise UsageError(f"can't write '{out}': {error.strerror}", remedy="Choose a folder you may write to") from error


def about_host(name: str, host: Mapping[str, bytes] | None, target: Target) -> dict[str, Any]:
    """What the README of every driver says of the model, the board and the float parts."""
    models = {part: onnx.load_model_from_string(content) for part, content in (host or {}).items()}
    needs, lacks = host_notes(models, target)
    return {
        "graph": comment(name),
        "target": target.description,
        "host": sorted(models),
        "needs": needs,
        "lacks": lacks,
    }


def host_notes(host: Mapping[str, onnx.ModelProto], target: Target) -> tuple[list[str], list[str]]:
    """What to know of the float parts that the driver runs on the board's processor.

    Args:
        host: "head.onnx" and "tail.onnx" as far as the model has them.

    Returns:
        (notes, warnings): a warning where a part needs onnxruntime and the board can't have it.
    """
    notes, warnings = [], []
    for name, model in host.items():
        foreign = sorted({n.op_type for n in model.graph.node} - NUMPY_OPERATORS)
        part = name.removesuffix(".onnx")
        if not foreign:
            continue
        text = f"the model's {part} stays on the host, and needs onnxruntime there for {', '.join(foreign)}"
        if target.family in _32_BIT:
            warnings.append(f"warning: {text}; onnxruntime has no build for the 32-bit processor of {target.name}")
        else:
            notes.append(text)
    return notes, warnings


def _device(graph: Dataflow, target: Target) -> dict[str, Any]:
    """What the driver reaches the accelerator through: PYNQ and DMA engines, XRT and kernels that move streams, or a serial line."""
    if target.has_board:
        return {"device": "uart", "package": "serial", "bitfile": None, "baud": target.baud, "room": ROOM}
    if platform(target) is None:
        return {"device": "board", "package": "pynq", "bitfile": "design.bit"}
    kernels = {m.port: {"kernel": m.kernel, "per_frame": m.per_frame} for m in movers(graph)}
    return {"device": "card", "package": "pyxrt", "bitfile": "design.xclbin", "kernels": kernels}


def _entry(port: HostPort, shape: tuple[int, ...], target: Target) -> dict[str, Any]:
    """The fields of the driver's ``Stream``; `shape` is the tensor's, with its batch of 1."""
    return {
        "name": port.name,
        "tensor": port.tensor,
        "shape": list(shape[1:]),
        "bits": port.dtype.bits,
        "signed": port.dtype.signed,
        "bipolar": port.dtype.bipolar,
        "elements": port.elements,
        "per_beat": port.per_beat,
        "beat_bytes": port.stream_bytes if target.has_board else port.memory_bytes,
        "ways": port.ways,
    }


def _fifos(fifos: Sequence[Marked] | None) -> list[dict[str, Any]] | None:
    """What the driver says of FIFOs beside their marks."""
    return None if fifos is None else [{"from": f.src, "to": f.dst, "depth": f.depth} for f in fifos]


def _weights(port: WeightPort) -> dict[str, Any]:
    """The fields of the driver's ``Weights``, but for the bytes themselves."""
    return {"name": port.name, "reader": port.reader, "copies": port.copies, "repeats": port.repeats}


def npz_bytes(arrays: Mapping[str, Array]) -> bytes:
    """An .npz file of `arrays` that depends on nothing but them (numpy's own writer stamps the time)."""
    archive = BytesIO()
    with zipfile.ZipFile(archive, "w") as zipped:
        for name, array in arrays.items():
            content = BytesIO()
            np.lib.format.write_array(content, np.ascontiguousarray(array), allow_pickle=False)
            zipped.writestr(zipfile.ZipInfo(f"{name}.npy", _EPOCH), content.getvalue())
    return archive.getvalue()
