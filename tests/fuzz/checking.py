"""What is asked of every random net: it compiles, and every integer equals the reference's."""

from __future__ import annotations

import traceback
from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from flowc.api import build
from flowc.design.design import Design
from flowc.design.reference import ReferenceRunner
from flowc.design.verify import compare
from flowc.errors import ModelError
from flowc.model.input_type import InputType
from flowc.streamline.compile import compile_model
from tests.compare import compare_emulators
from tests.compare import design_of as unfolded
from tests.fuzz.generator import RandomNet
from tests.fuzz.standard import second_opinion

__all__ = ["ALLOWED_REFUSALS", "OUTPUT_TOLERANCE", "Outcome", "check", "unfolded"]

OUTPUT_TOLERANCE = 1e-5
"""Float outputs behind the last integers: greatest difference relative to the greatest output (float32 sums of another order)."""

ALLOWED_REFUSALS = {
    "join too large to prove": "parameter sets is too large to prove",
    "no integer rescaling of a join": "no integer rescaling",
    "dense product of unrelated scales": "a dense product adds channels of unrelated scales",
}
"""Short name -> part of the message: what may be refused."""


@dataclass
class Outcome:
    """What became of one net.

    Attributes:
        status: "ok", "refused" (for an allowed reason) or "failed".
        reason: of a refusal or failure.
        values, mismatches, explained: integers compared with the reference, that differ, and that the certificate explains.
        second_values, on_edge: integers compared with the hand-written reference; that differ on an edge of rounding.
        worst_output: greatest difference of a float output.
        units: kinds of hardware units and activations in the design.
    """

    status: str = "ok"
    reason: str = ""
    values: int = 0
    mismatches: int = 0
    explained: int = 0
    second_values: int = 0
    on_edge: int = 0
    worst_output: float = 0.0
    units: Counter[str] = field(default_factory=Counter)

    def fail(self, reason: str) -> None:
        """Notes a failure; the first one stays."""
        if self.status != "failed":
            self.status, self.reason = "failed", reason


def check(net: RandomNet, *, whole: bool = False) -> Outcome:
    """Compiles a net and compares it; `whole`: with allocation, as `flowc build` does."""
    outcome = Outcome()
    try:
        if whole:
            design = build(net.model, "zcu104", input_type=net.input_type, verify=False)
        else:
            design = unfolded(
                compile_model(net.model, input_type=InputType.parse(net.input_type) if net.input_type else None)
            )
        _compare(net, design, outcome)
        compare_emulators(design, design.as_inputs(net.inputs))
    except ModelError as error:
        text = str(error)
        allowed = next((name for name, part in ALLOWED_REFUSALS.items() if part in text), None)
        if allowed is None:
            outcome.fail(f"{type(error).__name__}: {text}")
        else:
            outcome.status, outcome.reason = "refused", allowed
    except Exception as error:  # noqa: BLE001  (whatever it is, it is a finding)
        place = traceback.extract_tb(error.__traceback__)[-1]
        outcome.fail(
            f"{type(error).__name__}: {error} at {place.name} in {place.filename.rpartition('/')[2]}:{place.lineno}"
        )
    return outcome


def _compare(net: RandomNet, design: Design, outcome: Outcome) -> None:
    inputs = design.as_inputs(net.inputs)
    found = compare(design, inputs)
    outcome.values = sum(c.values for c in found.tensors.values())
    outcome.mismatches, outcome.explained = found.mismatches, found.explained
    outcome.worst_output = found.worst_output
    for unit in design.graph:
        outcome.units[unit.kind] += 1
        activation = getattr(unit, "activation", None)
        if activation is not None:
            outcome.units[activation.kind] += 1
    failing = [c.tensor for c in found.tensors.values() if c.mismatches > c.explained]
    if failing:
        outcome.fail(
            f"{found.mismatches - found.explained} of {outcome.values} integers differ, first in '{failing[0]}'"
        )
    if found.mismatches == 0 and found.end_to_end:
        outcome.fail(f"{found.end_to_end} integers differ end to end though no layer does")
    if found.worst_output > OUTPUT_TOLERANCE:
        outcome.fail(f"an output differs by {found.worst_output:.2g}")
    reference = ReferenceRunner(design.reference, threads=1)
    count = len(next(iter(inputs.values())))
    samples = [reference.run(inputs, i) for i in range(count)]
    opinion = second_opinion(net.model, net.seen, samples)
    outcome.second_values, outcome.on_edge = opinion.values, opinion.on_edge
    if opinion.wrong:
        outcome.fail(f"the reference itself is wrong in '{opinion.wrong[0]}'")
    if opinion.worst_output > OUTPUT_TOLERANCE:
        outcome.fail(f"an output of the reference is off by {opinion.worst_output:.2g}")
    if found.mismatches == 0:
        _batched(design, inputs, samples, outcome)


def _batched(
    design: Design, inputs: dict[str, np.ndarray], samples: list[dict[str, np.ndarray]], outcome: Outcome
) -> None:  # type: ignore[type-arg]
    """The whole batch at once, as a user runs it."""
    for name, values in design.run_all(inputs).items():
        expected = np.concatenate([s[name] for s in samples])
        if values.shape != expected.shape:
            outcome.fail(f"output '{name}' has shape {values.shape} instead of {expected.shape}")
            continue
        scale = max(1.0, float(np.abs(expected).max(initial=0)))
        if float(np.abs(values.astype(np.float64) - expected).max(initial=0)) > OUTPUT_TOLERANCE * scale:
            outcome.fail(f"output '{name}' of a batch differs from the samples' one by one")
