"""Writes a loopback engine as a self-contained HLS C++ project. What it computes comes later, as descriptors."""

from __future__ import annotations

import importlib.resources
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flowc.backends.hls.generate import FLAGS
from flowc.backends.hls.text import comment
from flowc.backends.render import commented, copied, render, write
from flowc.loopback.descriptors import DESCRIPTORS, bits_of
from flowc.loopback.engine import Engine
from flowc.loopback.registers import ARGUMENTS, BUNDLES

__all__ = ["ENGINE_FLAGS", "THREAD_FLAGS", "write_engine"]

ENGINE_FLAGS = f"{FLAGS} -O3 -fno-strict-aliasing -Wno-unused-label"
"""g++ options of the engine's simulation; its ports see one memory in beats of two sizes, and labels name loops in reports of synthesis."""
THREAD_FLAGS = "-std=c++17 -pthread -DFLOWC_THREADS"
"""What is added for processes as threads."""

_COSIM_BEATS = 1 << 20
"""Depth of the memory ports in co-simulation, in beats of 16 bytes."""
_NARROW_SLICE = "xc7"
"""How the names of parts begin whose slices multiply 25 x 18 bits (UG479); later ones multiply 27 x 18 (UG579)."""


@dataclass(frozen=True)
class _Wire:
    """A stream between two processes; with ``lanes`` one for each lane."""

    name: str
    type: str
    depth: int
    lanes: bool = False


def _wires(engine: Engine) -> list[_Wire]:
    return [
        _Wire("act_commands", "loopback::Command", 16),
        _Wire("weight_commands", "loopback::Command", 16),
        _Wire("step_commands", "loopback::Command", 16),
        _Wire("registers", "loopback::Command", 2),
        _Wire("store_commands", "loopback::Command", 16),
        _Wire("act_beats", "loopback::ActBeat", 64),
        _Wire("weight_beats", "loopback::WeightBeat", 64),
        _Wire("steps", "loopback::Step", 16),
        _Wire("control", "loopback::PostCommand", 4),
        _Wire("vectors", "loopback::Vector", 4, lanes=True),
        _Wire("formats", "loopback::UInt<16>", 4),
        _Wire("blocks", "loopback::Block", 4, lanes=True),
        _Wire("words", "loopback::Word", engine.out_words, lanes=True),
    ]


_CALLS = (
    "fetch(table, first, count, act_commands, weight_commands, step_commands, registers, store_commands, next)",
    "load_acts(acts, act_commands, act_beats)",
    "load_weights(weights, weight_commands, weight_beats)",
    "agen(step_commands, steps)",
    "compute(fresh, act_beats, weight_beats, steps, control, vectors, worked)",
    "post(registers, control, vectors, blocks, formats)",
    "pack(formats, blocks, words)",
    "store(store_commands, results, words)",
)


def _descriptors() -> list[dict[str, Any]]:
    """The kinds of descriptors as the template of their C++ wants them."""
    return [
        {
            "name": kind.__name__,
            "fields": [
                {"name": name, "at": 32 * b.word + b.at, "bits": b.bits, "signed": b.signed, "meaning": b.meaning}
                for name, b in bits_of(kind).items()
            ],
        }
        for kind in DESCRIPTORS
    ]


def write_engine(engine: Engine, out: Path, *, part: str, header: str) -> None:
    """Writes the HLS C++ project of an engine.

    Args:
        engine: the array and its memories.
        out: folder to write into, made if missing. Files of an earlier engine in it stay: give an empty one.
        part: full device name, for the Vitis HLS script and the width of its multipliers.
        header: what made the project from what; every file starts with it as a comment.

    Raises:
        UsageError: ``out`` can't be written.
    """
    header = "\n".join(comment(line) for line in header.splitlines())
    heading = commented(header, "//")
    wires = _wires(engine)

    def rendered(name: str, mark: str = "//", **values: Any) -> str:
        return render(f"loopback/{name}.j2", heading=heading if mark == "//" else commented(header, mark), **values)

    files = {
        "engine/params.hpp": rendered("engine/params.hpp", e=engine, wide_slice=not part.startswith(_NARROW_SLICE)),
        "engine/descriptors.hpp": rendered("engine/descriptors.hpp", descriptors=_descriptors()),
        "top.hpp": rendered("project/top.hpp"),
        "top.cpp": rendered(
            "project/top.cpp",
            streams=wires,
            calls=_CALLS,
            arguments=ARGUMENTS,
            bundles=BUNDLES,
            depth=_COSIM_BEATS,
            store_depth=_COSIM_BEATS * 16 // engine.store_bytes,
        ),
        "testbench.cpp": rendered("project/testbench.cpp"),
        "sim/threads.hpp": rendered("project/threads.hpp", streams=wires, calls=_CALLS, lanes=engine.lanes),
        "sim/bounded/hls_stream.h": copied("hls/sim/hls_stream.h", header, "//"),
        "flowc/ap.hpp": copied("hls/flowc/ap.hpp", header, "//"),
        "vitis_hls.tcl": rendered(
            "project/vitis_hls.tcl", "#", part=comment(part), period=f"{1000 / engine.clock_mhz:.4g}"
        ),
        "Makefile": rendered("project/Makefile", "#", flags=ENGINE_FLAGS, thread_flags=THREAD_FLAGS),
    }  # fmt: skip
    library = importlib.resources.files("flowc.templates").joinpath("loopback", "engine")
    for name in sorted(p.name for p in library.iterdir() if p.name.endswith(".hpp")):
        files[f"engine/{name}"] = copied(f"loopback/engine/{name}", header, "//")
    for name, text in files.items():
        write(out / name, text)
