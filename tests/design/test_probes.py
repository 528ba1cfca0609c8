"""Probes of activations: both sides of every step of every channel, and nothing outside of what can occur."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from flowc.design import probes
from flowc.design.design import Design
from flowc.design.probes import probe
from flowc.design.verify import ReferenceRunner
from flowc.exact.sums import FloatSum
from flowc.model.dtypes import UInt
from flowc.streamline.compile import compile_model
from flowc.units import Frame, Mvtu, Thresholds
from tests.compare import design_of
from tests.netbuild import Net

Array = np.ndarray[Any, Any]


def thresholded(*, per_channel: bool = True, bits: int = 3) -> tuple[Design, Mvtu, FloatSum, dict[str, Array]]:
    net = Net([1, 2, 4, 5], seed=3)
    y = net.conv(net.quant(net.x, 0.3), 2, 3, 3, per_channel=per_channel)
    y = net.quant(y, 0.7, bits=bits)
    design = design_of(compile_model(net.model(net.conv(y, 3, 2, 1))))
    unit = next(u for u in design.graph if isinstance(u, Mvtu) and u.activation is not None)
    assert isinstance(unit, Mvtu)
    (stream,) = design.graph.out_of(unit.name)
    (entry,) = (s for s in design.sums if s.stream == stream.tensor)
    known = ReferenceRunner(design.reference).run({"x": np.zeros((1, 2, 4, 5), np.float32)}, 0)
    return design, unit, entry, known


@pytest.mark.parametrize("per_channel", [True, False])
def test_every_step_is_probed_on_both_sides(per_channel: bool) -> None:
    design, unit, entry, known = thresholded(per_channel=per_channel)
    found = probe(design, unit, entry, known)
    assert found is not None
    assert (found.given == found.right).all()
    activation = unit.activation
    assert isinstance(activation, Thresholds)
    assert activation.domain is not None
    assert found.arguments.shape[1:] == unit.outputs[0].shape
    for channel in range(3):
        one = channel % len(activation.values)
        low, high = activation.domain[channel % len(activation.domain)]
        seen = set(found.arguments[..., channel].reshape(-1).tolist())
        wanted = {int(v) + d for v in activation.values[one] for d in (-1, 0)} | {int(low), int(high)}
        assert {min(max(w, int(low)), int(high)) for w in wanted} <= seen
        assert min(seen) == low
        assert max(seen) == high
        assert len(seen) > len(wanted)


def test_levels_are_those_of_the_float_operations() -> None:
    """By hand: the float that an integer stands for, its quantizer's scale of 0.7, three signed bits."""
    design, unit, entry, known = thresholded()
    found = probe(design, unit, entry, known)
    assert found is not None
    scale = np.broadcast_to(entry.scale, (1, 3, 1, 1)).reshape(-1)
    zero = np.broadcast_to(entry.zero, (1, 3, 1, 1)).reshape(-1)
    level = np.clip(np.rint((found.arguments - zero) * scale / np.float32(0.7)), -4, 3)
    off = (found.right != level).mean()
    assert off < 0.01  # but for ties


def test_what_has_no_counterpart_is_not_probed() -> None:
    design, unit, entry, known = thresholded()
    assert unit.activation is not None
    without = unit.with_(activation=replace(unit.activation, domain=None))
    assert probe(design, without, entry, known) is None
    assert probe(design, unit.with_(activation=None), entry, known) is None
    for name in (entry.tensor, entry.reference):
        assert probe(design, unit, entry, {n: a for n, a in known.items() if n != name}) is None
    assert probe(replace(design, tensors={}), unit, entry, known) is None
    assert probe(design, unit, entry, known | {entry.reference: np.zeros((1, 3, 6))}) is None


def test_probes_have_a_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    """Elements: channels times two sides of every step. Steps: so many, spread over all."""
    design, unit, entry, known = thresholded(bits=4)
    assert isinstance(unit.activation, Thresholds)
    sides = 3 * 2 * unit.activation.values.shape[1]
    monkeypatch.setattr("flowc.design.probes._ELEMENTS", sides)
    assert probe(design, unit, entry, known) is not None
    monkeypatch.setattr("flowc.design.probes._ELEMENTS", sides - 1)
    assert probe(design, unit, entry, known) is None
    monkeypatch.setattr("flowc.design.probes._MOST", 10)
    found = probe(design, unit, entry, known)
    assert found is not None
    values = unit.activation.values[0]
    seen = set(found.arguments[..., 0].reshape(-1).tolist())
    assert {int(v) for v in values[::3]} <= seen
    assert (found.given == found.right).all()


@pytest.mark.parametrize(("flip", "error", "differs", "loose"), [
    # The reference steps up at the integer itself; or a little later, within a rounding of it; or further off than that.
    (5.0, 1 / 32, 0, 0), (5.03, 1 / 32, 1, 1), (5.04, 1 / 32, 1, 0), (4.97, 1 / 32, 0, 0), (5.06, 1 / 16, 1, 1), (5.07, 1 / 16, 1, 0), (3.9, 1 / 32, 1, 0),
    # A sixteenth of an integer is a few roundings; more is a sum's error, for which there are windows.
    (5.06, 1 / 15, 1, 0), (5.03, 0.4, 1, 0),
])  # fmt: skip
def test_what_lies_within_a_rounding_of_a_step_is_loose(
    flip: float, error: float, differs: int, loose: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A step at five, for integers 3 to 6 of scale 1/2; the reference is a comparison of its own."""
    steps = Thresholds(
        dtype=UInt(1), values=np.array([[5]]), base=np.zeros(1, np.int64), step=np.ones((1, 1), np.int64), domain=np.array([[3, 6]])
    )  # fmt: skip
    unit: Any = SimpleNamespace(activation=steps, outputs=(Frame(1, 1, 1, UInt(1)),))
    info = SimpleNamespace(
        shape=(1, 1), from_stream=lambda a: a.reshape(-1, 1), to_stream=lambda a, frame: a.reshape(-1, *frame)
    )
    design: Any = SimpleNamespace(tensors={"t": info}, reference=None)
    entry = FloatSum("t", "y", np.array([0.5]), np.array([1.0]), np.array([error]))
    part = SimpleNamespace(graph=SimpleNamespace(input=[SimpleNamespace(name="y")]))
    monkeypatch.setattr(probes, "extract", lambda *_: part)
    monkeypatch.setattr(probes, "open_session", lambda *_, **__: None)
    monkeypatch.setattr(
        probes, "run_session", lambda _, __, feed: [(feed["y"] >= np.float32((flip - 1) / 2)).astype(np.float32)]
    )
    found = probe(design, unit, entry, {"t": np.zeros((1, 1)), "y": np.zeros((1, 1))})
    assert found is not None
    assert found.loose is not None
    wrong = found.given != found.right
    assert set(found.arguments[wrong].tolist()) == ({4.0} if flip == 3.9 else {5.0} if differs else set())
    assert bool(found.loose.any()) == bool(loose)
    assert (found.loose == (wrong if loose else np.zeros(wrong.shape, bool))).all()
