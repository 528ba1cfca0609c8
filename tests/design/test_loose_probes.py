"""Probes of activations compare only where the reference's result is known."""

from __future__ import annotations

from random import Random

import numpy as np

import flowc
from flowc.design.probes import probe
from flowc.design.verify import _Run, compare
from tests.fuzz.generator import random_net


def test_a_float_within_a_rounding_of_a_step_is_no_mismatch() -> None:
    """A batch normalization behind a pool: the float that an integer stands for is one rounding off the one that is computed."""
    net = random_net(Random(20082))
    design = flowc.build(net.model, target="u250", verify=False)
    found = compare(design, {name: a[:1] for name, a in design.as_inputs(net.inputs).items()})
    assert found.mismatches == 0
    assert sum(tensor.skipped for tensor in found.tensors.values()) == 1  # which is said
    run = _Run(design, None)
    (_, (expected,)) = next(run.reference.batches({n: a[:1] for n, a in design.as_inputs(net.inputs).items()}))
    loose = differ = 0
    for stream in run.graph.streams:
        entry = run.sums.get(stream.tensor or "")
        probed = None if entry is None else probe(design, run.graph[stream.src], entry, expected)
        if probed is not None and probed.loose is not None:
            loose += int(probed.loose.sum())
            differ += int((probed.given != probed.right).sum())
            assert not np.any((probed.given != probed.right) & ~probed.loose)
    assert (differ, loose) == (1, 1)
