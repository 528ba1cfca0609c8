"""Random nets in loopback execution: every integer against onnxruntime, layer by layer and end to end."""

from __future__ import annotations

import traceback
from collections import Counter
from dataclasses import dataclass, field, replace

from flowc.dataflow.emulator import unfolded
from flowc.design.design import Design
from flowc.design.loopback_plan import LoopbackPlan
from flowc.design.verify import compare
from flowc.errors import InfeasibleError, ModelError
from flowc.loopback.engine import Engine
from flowc.loopback.program import Program, compile_program
from flowc.loopback.ranges import fit_all
from flowc.loopback.search import Memory
from flowc.model.input_type import InputType
from flowc.streamline.compile import Compiled, compile_model
from flowc.targets import load_target
from tests.fuzz.checking import ALLOWED_REFUSALS
from tests.fuzz.checking import unfolded as bare_design
from tests.fuzz.generator import RandomNet

__all__ = ["Checked", "check"]

_ENGINES = (
    Engine(rows=16, columns=16, dsp_lanes=2, lut_lanes=1, table_words=1 << 14, search_depth=8, act_words=2048, weight_words=512),
    Engine(rows=16, columns=8, dsp_lanes=2, digit=8, table_words=1 << 14, search_depth=8, act_words=4096, weight_words=512),
    Engine(rows=32, columns=16, dsp_lanes=4, table_words=1 << 14, search_depth=8, act_words=1024, weight_words=256),
    Engine(rows=8, columns=8, dsp_lanes=4, digit=8, table_words=1 << 14, search_depth=8),
)  # fmt: skip

_SAMPLES = 2


@dataclass
class Checked:
    """What became of a net: "ok", "refused" or "failed"; integers compared, that differ, that the certificate explains."""

    status: str = "ok"
    reason: str = ""
    values: int = 0
    mismatches: int = 0
    explained: int = 0
    layers: int = 0
    counts: Counter[str] = field(default_factory=Counter)


def check(net: RandomNet, number: int) -> Checked:
    """Compiles a net for one of four engines and compares it; every third with lanes that are stripes of one image."""
    done = Checked()
    try:
        compiled = compile_model(net.model, input_type=InputType.parse(net.input_type) if net.input_type else None)
        program = _program(compiled, number)
        _compare(net, compiled, program, done)
    except ModelError as error:
        allowed = next((name for name, part in ALLOWED_REFUSALS.items() if part in str(error)), None)
        done.status, done.reason = ("failed", str(error)) if allowed is None else ("refused", allowed)
    except InfeasibleError as error:
        done.status, done.reason = "refused", f"no tile: {error.message.partition(' has ')[2][:60]}"
    except Exception as error:  # noqa: BLE001  (whatever it is, it is a finding)
        place = traceback.extract_tb(error.__traceback__)[-1]
        done.status = "failed"
        done.reason = (
            f"{type(error).__name__}: {error} at {place.name} in {place.filename.rpartition('/')[2]}:{place.lineno}"
        )
    return done


def _program(compiled: Compiled, number: int) -> Program:
    graph = unfolded(compiled.graph)
    engine = _ENGINES[number % len(_ENGINES)]
    stripes = number % 3 == 0
    return compile_program(
        graph, engine, fit_all(graph), batch=1 if stripes else 4, memory=Memory(16.0), stripes=stripes
    )


def _compare(net: RandomNet, compiled: Compiled, program: Program, done: Checked) -> None:
    plan = LoopbackPlan(program.graph, load_target("zcu104"), program.engine, program.batch, {}, (), program)
    design: Design = replace(bare_design(compiled), plan=plan)
    found = compare(design, {name: a[:_SAMPLES] for name, a in design.as_inputs(net.inputs).items()})
    done.values = sum(c.values for c in found.tensors.values())
    done.mismatches, done.explained = found.mismatches, found.explained
    done.layers = len(program.network.layers)
    for step in program.network.host:
        done.counts[f"host: {step.unit.kind}, {step.reason}"] += 1
    for layer in program.network.layers:
        done.counts[f"layer: {('products', 'maximum', 'sum')[layer.kind]}"] += 1
        done.counts[f"activation: {('word', 'word and early mask', 'search')[layer.post.mode]}"] += 1
        done.counts["fused join"] += layer.join is not None
    failing = [c.tensor for c in found.tensors.values() if c.mismatches > c.explained]
    if failing:
        done.status, done.reason = (
            "failed",
            f"{found.mismatches - found.explained} integers differ, first in '{failing[0]}'",
        )
    elif found.end_to_end and not found.mismatches:
        done.status, done.reason = "failed", f"{found.end_to_end} integers differ end to end though no layer does"
