"""Exactness of loopback execution on whole models: against onnxruntime tensor by tensor, and the engine's C++ byte by byte.

    python -m benchmarks.exact_loopback [FILE.onnx ...] [--brevitas NAME,...] [--samples 2] [--input-type NAME=TYPE] [--output FILE.json]

Each model is compiled for three engines: digits of 4 bits with images in the lanes, the same with stripes of one image, digits of 8 bits.
The descriptors, executed by the emulator, are compared with the reference (every integer tensor, and end to end); then each engine's C++,
compiled once, runs the program on random inputs, and every byte that a layer writes is compared with the emulator's. Cycles that it
counts stand beside the cost model's. ``--brevitas`` exports Brevitas' own models, calibrated (resnet18_4w4a). Inputs are those of a
file NAME.npz ("x") beside the model, else random ones. Models of an earlier record stay in it. Exit code 4 if anything differs.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.loopback import random_memory
from benchmarks.networks import export_brevitas
from benchmarks.provenance import commit
from flowc.api import build
from flowc.backends.hls.loopback import check_engine, compile_engine, write_engine
from flowc.design.verify import compare
from flowc.errors import FlowcError, InfeasibleError, ModelError
from flowc.loopback.cost import costs_of
from flowc.loopback.engine import Engine

RECORD = Path(__file__).parent / "records" / "exact_loopback.json"
_TARGET, _PART = "zcu104", "xczu7ev-ffvc1156-2-e"
_FOUR = Engine(
    rows=16, columns=16, dsp_lanes=4, lut_lanes=2, weight_words=1280, table_words=1 << 12, search_depth=8, acc_bits=40
)
_EIGHT = Engine(
    rows=16, columns=8, dsp_lanes=5, lut_lanes=1, digit=8, weight_words=1280, table_words=1 << 12, search_depth=8, acc_bits=40
)  # fmt: skip


class Bench:
    """An engine, compiled.

    Args:
        name: in the record.
        engine: which.
        stripes: lanes are stripes of one image.
        folder: for its files.
    """

    def __init__(self, name: str, engine: Engine, folder: Path, *, stripes: bool = False) -> None:
        self.name, self.engine, self.stripes = name, engine, stripes
        self.folder = folder / name.replace(" ", "_")
        self.folder.mkdir()
        self.document = self.folder / "engine.json"
        engine.write(self.document)

    @cached_property
    def binary(self) -> Path:
        """The engine's C++, compiled by g++."""
        write_engine(self.engine, self.folder / "hls", part=_PART, header="a benchmark")
        return compile_engine(self.folder / "hls")

    def check(self, path: Path, samples: int, input_type: str | None) -> dict[str, Any]:
        """Compares a model; counts."""
        start = time.perf_counter()
        batch = 1 if self.stripes else self.engine.lanes
        design = build(
            path, _TARGET, execution="loopback", engine=self.document, batch=batch, verify=False, input_type=input_type
        )  # fmt: skip
        given = path.with_suffix(".npz")
        inputs = design.samples(samples, 0)
        if given.exists():
            (name,) = inputs
            inputs = {name: np.load(given)["x"][:samples].astype(inputs[name].dtype)}
        found = compare(design, design.as_inputs(inputs)).as_dict("onnxruntime")
        program = design.plan.program  # type: ignore[attr-defined]
        run = check_engine(self.binary, program, random_memory(program))
        cycles = sum(run.cycles) + sum(run.tails)
        modelled = sum(c.cycles for c in costs_of(program.segments, program.blocks, program.engine, None))
        return {
            "layers": len(program.segments),
            "host": [step.unit.name for step in program.network.host],
            **{
                k: found[k]
                for k in (
                    "samples",
                    "tensors",
                    "values",
                    "mismatches",
                    "explained_by_ambiguous",
                    "end_to_end_mismatches",
                )
            },
            "unexplained": found["failing"],
            "csim_images": program.batch,
            "csim_bytes_compared": sum(len(data) for _, data in run.written),
            "cycles_counted": cycles,
            "cycles_modelled": round(modelled),
            "seconds": round(time.perf_counter() - start, 1),
        }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", type=Path)
    parser.add_argument("--brevitas", default="")
    parser.add_argument("--samples", type=int, default=2)
    parser.add_argument("--input-type", action="append", default=[], metavar="NAME=TYPE")
    parser.add_argument("--output", type=Path, default=RECORD)
    options = parser.parse_args()
    types = dict(given.split("=", 1) for given in options.input_type)
    stored = json.loads(options.output.read_text(encoding="utf-8"))["models"] if options.output.exists() else {}
    good = True
    with tempfile.TemporaryDirectory(prefix="flowc-exact-") as scratch:
        folder = Path(scratch)
        benches = [
            Bench("digits of 4 bits", _FOUR, folder),
            Bench("digits of 4 bits, stripes", replace(_FOUR, act_words=4096), folder, stripes=True),
            Bench("digits of 8 bits", _EIGHT, folder),
        ]
        paths = list(options.models)
        for name in filter(None, options.brevitas.split(",")):
            paths.append(folder / f"brevitas_{name}.onnx")
            export_brevitas(name, paths[-1], calibrated=True)
        for path in paths:
            found: dict[str, Any] = {"commit": commit(), "engines": {}}
            for bench in benches:
                found["engines"][bench.name] = entry = _checked(bench, path, options.samples, types.get(path.stem))
                good &= entry.get("refused") is not None or not (entry.get("failed") or entry["unexplained"])
                print(path.stem, bench.name, json.dumps(entry), flush=True)
            stored[path.stem] = found
            _write(options.output, stored)
    return 0 if good else 4


def _checked(bench: Bench, path: Path, samples: int, input_type: str | None) -> dict[str, Any]:
    try:
        return bench.check(path, samples, input_type)
    except (ModelError, InfeasibleError) as error:
        return {"refused": error.message}
    except FlowcError as error:
        return {"failed": str(error)}


def _write(path: Path, models: dict[str, Any]) -> None:
    runs = [entry for model in models.values() for entry in model["engines"].values()]
    ran = [entry for entry in runs if "values" in entry]
    record = {
        "models_run": sum(any("values" in e for e in m["engines"].values()) for m in models.values()),
        "values_compared": sum(e["values"] for e in ran),
        "mismatches": sum(e["mismatches"] for e in ran),
        "explained_by_ambiguous": sum(e["explained_by_ambiguous"] for e in ran),
        "csim_bytes_compared": sum(e["csim_bytes_compared"] for e in ran),
        "failed": sorted(
            {n for n, m in models.items() for e in m["engines"].values() if e.get("failed") or e.get("unexplained")}
        ),
        "refused": {n: e["refused"] for n, m in models.items() for e in m["engines"].values() if "refused" in e},
        "models": dict(sorted(models.items())),
    }
    path.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
