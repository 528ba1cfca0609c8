"""What is asked of flowc for damaged files: it says what is wrong in its own words, or what it makes equals onnxruntime."""

from __future__ import annotations

import shutil
import tempfile
import traceback
import warnings
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import onnxruntime.capi.onnxruntime_pybind11_state as ort_errors
from onnx import numpy_helper

from flowc.api import build
from flowc.design.design import load
from flowc.errors import FlowcError, MismatchError
from tests.fuzz.mutations import damaged_bytes, damaged_design, damaged_model
from tests.netbuild import cnn, mlp
from tests.oracle import standard_form

__all__ = ["KINDS", "Outcome", "attack"]

KINDS = ("bytes", "model", "design")
TOLERANCE = 1e-5
"""Greatest difference of a float output, relative to the greatest output."""


@dataclass
class Outcome:
    """What became of a case.

    Attributes:
        status: "ok", "refused" (in flowc's own words), "detected" (verification found the damage) or "failed".
        reason: of a failure.
        compared: outputs that were compared with onnxruntime besides what verification compares.
        what: what was damaged.
    """

    status: str
    reason: str = ""
    compared: int = 0
    what: str = ""

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@cache
def models() -> tuple[onnx.ModelProto, ...]:
    """What is damaged: small nets in two dialects."""
    return (mlp(), mlp(dialect="qcdq"), cnn(), cnn(dialect="qcdq"), cnn(residual=True))


@cache
def designs() -> tuple[tuple[Path, dict[str, Any], Any], ...]:
    """Saved designs of the first and the last, without generated code; inputs, and what they give."""
    made = []
    for model in (models()[0], models()[-1]):
        folder = Path(tempfile.mkdtemp(prefix="flowc-attack-"))
        design = build(model, "u250", output=folder / "whole", verify=False)
        bare = folder / "design"
        bare.mkdir()
        for path in (folder / "whole").iterdir():
            if path.suffix in (".json", ".npz", ".onnx") and path.name != "manifest.json":
                shutil.copy(path, bare)
        shutil.rmtree(folder / "whole")
        inputs = design.samples(2, 1)
        made.append((bare, inputs, design.run(inputs)))
    return tuple(made)


def attack(kind: str, seed: int, folder: Path) -> Outcome:
    """One case, made of a seed, in an empty folder."""
    random = Random(f"{kind} {seed}")
    outcome = Outcome("ok")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", RuntimeWarning)
            _CHECKS[kind](random, folder, outcome)
    except MismatchError:
        outcome.status = "detected"
    except FlowcError as error:
        outcome.status = "refused"
        if not str(error) or "\n" in str(error) or error.exit_code not in (2, 3):
            outcome.status, outcome.reason = "failed", f"a message that is none: {error!r}"
    except Exception as error:  # noqa: BLE001 - that is what is looked for
        where = traceback.extract_tb(error.__traceback__)[-1]
        outcome.status = "failed"
        outcome.reason = f"{type(error).__name__} {str(error)[:200]} ({Path(where.filename).name}:{where.lineno})"
    return outcome


def _check_bytes(random: Random, folder: Path, outcome: Outcome) -> None:
    _check_file(damaged_bytes(random.choice(models()).SerializeToString(), random), folder, outcome)


def _check_model(random: Random, folder: Path, outcome: Outcome) -> None:
    _check_file(damaged_model(random.choice(models()), random).SerializeToString(), folder, outcome)


def _check_file(data: bytes, folder: Path, outcome: Outcome) -> None:
    path = folder / "model.onnx"
    path.write_bytes(data)
    design = build(path, "u250", verify=False)
    found = design.verify(samples=1)
    inputs = design.samples(2, 1)
    given = design.run_all(inputs)
    if found["mismatches"] == 0:
        _compare(onnx.load(path, load_external_data=False), inputs, given, outcome)


def _compare(model: onnx.ModelProto, inputs: dict[str, Any], given: dict[str, Any], outcome: Outcome) -> None:
    """Outputs against the model itself under onnxruntime, its quantizers written out without flowc; where that runs it."""
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    try:
        if not _written_by_hand(model):
            return
        standard = standard_form(model)
        standard.ir_version = min(standard.ir_version, 10)
        session = ort.InferenceSession(standard.SerializeToString(), options, providers=["CPUExecutionProvider"])
        runs = [session.run(list(given), {n: a[i : i + 1] for n, a in inputs.items()}) for i in range(2)]
    except (KeyError, ValueError, IndexError, TypeError, AttributeError, RuntimeError, *_ORT_ERRORS):
        return  # no second opinion: the hand-written form is of what exporters write
    for i, name in enumerate(given):
        right = np.concatenate([np.asarray(run[i]).reshape(1, -1) for run in runs])
        mine = given[name].reshape(2, -1)
        outcome.compared += 1
        scale = max(1.0, float(np.abs(right).max(initial=0)))
        if mine.shape != right.shape or not np.abs(mine.astype(np.float64) - right).max(initial=0) <= TOLERANCE * scale:
            raise AssertionError(f"output '{name}' differs from onnxruntime")


def _written_by_hand(model: onnx.ModelProto) -> bool:
    """Whether the hand-written form covers the quantizers: flags of 0 and 1, two bits or more (one signed bit is bipolar)."""
    bits = {n.input[3] for n in model.graph.node if n.op_type == "Quant"}
    flags = [a.i for n in model.graph.node for a in n.attribute if a.name in ("signed", "narrow")]
    small = [t for t in model.graph.initializer if t.name in bits and numpy_helper.to_array(t).min() < 2]
    return set(flags) <= {0, 1} and not small


_ORT_ERRORS = tuple(e for e in vars(ort_errors).values() if isinstance(e, type) and issubclass(e, Exception))


def _check_design(random: Random, folder: Path, outcome: Outcome) -> None:
    bare, inputs, right = random.choice(designs())
    place = folder / "design"
    shutil.copytree(bare, place)
    outcome.what = damaged_design(place, random)
    design = load(place)
    design.verify(inputs)
    given = design.run(inputs)
    if outcome.what.endswith("reference.onnx") or outcome.what.endswith("report.json"):
        return  # another model, consistently or not: verification compares with that one
    outcome.compared += 1
    if not np.allclose(given, right, rtol=0, atol=TOLERANCE * max(1.0, float(np.abs(right).max()))):
        raise AssertionError("the damage changes an output, and verification does not see it")


_CHECKS = {"bytes": _check_bytes, "model": _check_model, "design": _check_design}
