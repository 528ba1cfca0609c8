"""Wide activations, inside and outside of what the functions of one model may take: exact, or refused by name with a remedy."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowc.errors import ModelError
from flowc.exact import steps as stepping
from flowc.exact.budget import VISITS, Budget, TooLarge
from flowc.exact.crossings import crossings, meeting_of
from flowc.exact.joins import JoinForm, find_join
from flowc.streamline import pipeline
from flowc.streamline.compile import Compiled, compile_model
from tests.exact.test_joins import Meet, add, q, region_of
from tests.netbuild import Net

F = np.float32


def layers(channels: int, bits: int, count: int = 1, activation: str = "") -> onnx.ModelProto:
    """Depthwise convolutions with batch normalization, each behind an activation with a scale per channel."""
    net = Net([1, channels, 2, 2], seed=3)
    x = net.quant(net.x, 0.05, bits=8)
    for _ in range(count):
        x = net.bn(net.conv(x, channels, channels, 1, bits=8, per_channel=True, group=channels), channels)
        if activation == "SiLU":
            x = net.op("Mul", x, net.op("Sigmoid", x))
        x = net.quant(x, net.rng.uniform(0.5, 1.5, (1, channels, 1, 1)) * 8 / 2 ** (bits - 1), bits=bits)
    return net.model(net.conv(x, channels, channels, 1, group=channels))


def with_budget(monkeypatch: pytest.MonkeyPatch, visits: int) -> None:
    monkeypatch.setattr(pipeline, "Budget", lambda: Budget(visits))


def test_a_layer_of_many_16_bit_channels_is_refused_before_it_takes_long() -> None:
    net = Net([1, 4, 4, 4])
    y = net.bn(net.conv(net.quant(net.x, 0.05, bits=8), 4, 256, 3, bits=8, per_channel=True), 256)
    y = net.quant(y, net.rng.uniform(0.5, 1.5, (1, 256, 1, 1)) / 4096, bits=16)
    with pytest.raises(
        ModelError,
        match=r"'n_Quant_\d+' \(Quantize\): its result passes through 65,536 levels in each of 256 parameter sets while its input goes from "
        r"-\d{3},\d{3} to \d{3},\d{3}: 16,776,960 thresholds, .* to 13 bits or fewer \(Brevitas: bit_width=13; onnxruntime and torch.ao: ",
    ):
        compile_model(net.model(net.conv(y, 256, 256, 1, group=256)))


def test_layers_share_one_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    """What one 11-bit layer of 4 channels may take, two may not; the second one is named."""
    with_budget(monkeypatch, 1 << 19)
    assert compile_model(layers(4, 11)).certificate.as_dict()["thresholds"] > 1 << 12
    with pytest.raises(
        ModelError, match=r"levels in each of 4 parameter sets .* in one model; quantize its result to \d+ bits"
    ):
        compile_model(layers(4, 11, count=2))
    with_budget(monkeypatch, 1 << 20)
    compile_model(layers(4, 11, count=2))


def test_8_bit_activations_take_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    with_budget(monkeypatch, 0)
    compile_model(layers(16, 8, count=3))
    net = Net([1, 3, 2, 2])
    y = net.add(net.quant(net.x, 0.1, bits=6), net.quant(net.input("y", [1, 3, 2, 2]), 0.07, bits=6))
    compile_model(net.model(net.conv(net.quant(y, 0.2, bits=6), 3, 2, 1)))


def test_what_is_refused_is_not_sought_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Passes meet the same function several times."""
    with_budget(monkeypatch, 1 << 10)
    asked = []
    settling = stepping.steps_by_settling

    def counted(*args: Any) -> Any:
        asked.append(1)
        return settling(*args)

    monkeypatch.setattr(stepping, "steps_by_settling", counted)
    monkeypatch.setattr(stepping, "_EXHAUSTIVE", 0)
    with pytest.raises(
        ModelError, match=r"passes through 1,288 levels in each of 4 parameter sets .* to 8 bits or fewer"
    ):
        compile_model(layers(4, 12, activation="SiLU"))
    assert len(asked) == 1


def test_the_budget_counts_what_is_beyond_8_bits() -> None:
    budget = Budget()
    assert budget.take((1 << 14) * 5, 5)
    assert budget.left == VISITS
    assert not budget.take(VISITS + (1 << 14) + 1, 1)
    assert budget.left == VISITS
    assert budget.take(VISITS + (1 << 14), 1)
    assert budget.left == 0
    assert budget.levels(3) == 256


# joins


def test_wide_sums_are_exact_at_every_step() -> None:
    """12-bit branches: 16.7 million pairs, of which those at the crossings are compared with the float32 operations themselves."""
    a, b = q(8 / 2**11, 12), q(6.7 / 2**11, 12)
    region, _ = region_of(lambda net, x, y: net.relu(net.add(x, y)), a, b, q(12 / 256, 8, signed=False))
    form = find_join(region, 1)
    assert isinstance(form, JoinForm)
    rng = np.random.default_rng(0)
    right = rng.integers(-2048, 2048, 4000)
    m, n = int(form.left[0]), int(form.right[0])
    # Pairs on either side of thresholds, and anywhere.
    at = rng.choice(form.steps.at[0], 4000)
    left = np.concatenate(
        [np.clip((at - n * right) // m + d, -2048, 2047) for d in (-1, 0, 1)] + [rng.integers(-2048, 2048, 4000)]
    )
    right = np.tile(right, 4)
    given = form.steps((m * left + n * right)[None])
    wanted = region.evaluate({region.leaves[0]: left[None], region.leaves[1]: right[None]})
    np.testing.assert_array_equal(given, wanted)
    assert len(np.unique(given)) == 256


def test_joins_of_too_many_pairs_name_both_tensors() -> None:
    with pytest.raises(
        ModelError,
        match=r"passes through 65,536 levels while its inputs 'Quant_\d+' \(-32,768 to 32,767\) and .* every pair of values, .* to 8 bits "
        r"\(Brevitas: bit_width=8; .*, or share one quantizer on both branches",
    ):
        compile_model_with_join(16, 16)


def compile_model_with_join(bits: int, result: int) -> Compiled:
    net = Net([1, 2, 2, 2])
    sides = [net.quant(v, s / 2 ** (bits - 1), bits=bits) for v, s in ((net.x, 8), (net.input("y", [1, 2, 2, 2]), 6.7))]
    sides = [net.quant(net.conv(v, 2, 2, 1), 9 / 2 ** (bits - 1), bits=bits) for v in sides]
    y = net.quant(
        net.op("Sub", sides[0], net.op("Mul", sides[1], net.const(F(0.7)))), 12 / 2 ** (result - 1), bits=result
    )
    return compile_model(net.model(net.conv(y, 2, 2, 1)))


def mul(net: Net, a: str, b: str) -> str:
    return net.op("Mul", a, b)


MEETINGS: dict[str, Meet] = {
    "sum": add,
    "difference": lambda net, a, b: net.op("Sub", b, a),
    "falling": lambda net, a, b: net.op("Neg", net.add(a, net.op("Mul", b, net.const(F(-1.3))))),
    "product": mul,
    "falling product": lambda net, a, b: net.bn(net.op("Mul", net.op("Neg", a), b), 3, signs=True),
    "clipped": lambda net, a, b: net.add(net.relu(a), b),
}


@pytest.mark.parametrize("name", MEETINGS)
@settings(max_examples=6, deadline=None)
@given(
    st.floats(0.01, 2), st.floats(0.01, 2), st.floats(0.05, 2), st.integers(-3, 3), st.integers(-3, 3), st.booleans()
)
def test_crossings_are_where_the_operations_cross(
    name: str, left: float, right: float, result: float, y: int, z: int, signed: bool
) -> None:
    """Against the region's own operations on every pair."""
    region, _ = region_of(MEETINGS[name], q(left, 5, y, signed=signed), q(right, 4, z), q(result, 4))
    meeting = meeting_of(region)
    assert meeting is not None
    a, b = region.leaves
    found = crossings(region, meeting, a, b, 1, Budget())
    assert found is not None
    for place, other in enumerate(found.b):
        for row in range(region.sets):
            column = place if found.sign.shape[1] > 1 else 0
            low, high = (
                found.low[row, column if len(found.low[row]) > 1 else 0],
                found.high[row, column if len(found.high[row]) > 1 else 0],
            )
            along = np.arange(low, high + 1)
            sign = -1 if found.sign[row, column] < 0 else 1
            levels = region.evaluate({a: sign * along[None], b: np.array([[other]])}, rows=slice(row, row + 1))
            full = np.broadcast_to(levels, (1, len(along)))[0]
            wanted = [
                low + np.argmax(full >= k) if (full >= k).any() else high + 1
                for k in found.base + 1 + np.arange(found.at.shape[2])
            ]
            np.testing.assert_array_equal(found.at[row, place], wanted)


def test_what_meets_twice_or_bends_has_no_crossings() -> None:
    twice, _ = region_of(lambda net, a, b: net.add(net.add(a, b), a), q(0.3), q(0.2), q(0.31))
    assert meeting_of(twice) is None
    bent, _ = region_of(lambda net, a, b: net.op("Abs", net.add(a, b)), q(0.3), q(0.2), q(0.31))
    meeting = meeting_of(bent)
    assert meeting is not None
    assert crossings(bent, meeting, *bent.leaves, 1, Budget()) is None


def test_too_many_crossings() -> None:
    region, _ = region_of(add, q(0.3, 8), q(0.2, 8), q(0.31, 8))
    meeting = meeting_of(region)
    assert meeting is not None
    with pytest.raises(TooLarge, match="take on every pair of values"):
        crossings(region, meeting, *region.leaves, 1, Budget(0))
