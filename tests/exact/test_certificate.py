"""The certificate under attack: no order of addition, and no fusing, may decide an integer otherwise that no window holds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.exact.adversary import Array, F, Layer, attempts, reach
from tests.exact.analysis import Analysis, last_activation


def layer(
    seed: int, inputs: int, outputs: int, weight_bits: int, input_bits: int, output_bits: int, *, signed: bool = False,
    zero: int = 0, bias: bool = False, bn: bool = False, per_channel: bool = False, cancel: float = 0.0, sx: float = 0.0713,
    sw: float = 0.0837, steps: float = 3.0, spelled: bool = False,
) -> Layer:  # fmt: skip
    """A random layer whose results spread over the levels of its quantizer (``steps`` standard deviations in all).

    ``cancel``: batch normalization subtracts a mean and adds a beta of that many times the result.
    """
    rng = np.random.default_rng(seed)
    wq = rng.integers(-(2 ** (weight_bits - 1)) + 1, 2 ** (weight_bits - 1), (outputs, inputs))
    wq[:, :2], wq[:, 2:4] = 1, -1
    scale: Any = (rng.uniform(0.5, 1.5, outputs) * sw).astype(F) if per_channel else F(sw)
    lo, hi = (-(2 ** (input_bits - 1)), 2 ** (input_bits - 1) - 1) if signed else (0, 2**input_bits - 1)
    spread = float(np.sqrt(inputs) * np.abs(wq).mean() * (hi - lo) * 0.3 * np.mean(scale) * sx)
    biases = (rng.normal(0, 0.5, outputs) * spread).astype(F) if bias else None
    norm = None
    if bn:
        gamma = rng.uniform(0.5, 2, outputs) * rng.choice([-1, 1, 1], outputs)
        mean, var = rng.normal(0, 0.3, outputs) * spread, rng.uniform(0.5, 2, outputs) * spread**2
        beta = rng.normal(0, 1, outputs) + cancel
        if cancel:
            mean = mean + cancel * np.sqrt(var) / gamma
        norm = tuple(np.asarray(p, F) for p in (gamma, beta, mean, var))
        spread = 1.5
    so = float(F(steps * spread / (2**output_bits - 1)))
    return Layer(wq, scale, float(F(sx)), zero, lo, hi, so, output_bits, biases, norm, spelled=spelled)  # type: ignore[arg-type]


def closest(attacked: Layer, seen: Analysis, count: int, rng: np.random.Generator) -> tuple[Array, Array, Array]:
    """Outputs, accumulator values and inputs next to thresholds where the model's float lies nearest to where it rounds over."""
    at = np.broadcast_to(seen.steps.at, (attacked.outputs, seen.steps.at.shape[1]))
    inside = (at > seen.steps.lo[:, None]) & (at <= seen.steps.hi[:, None])
    rows, columns = np.nonzero(inside)
    rows, q = np.concatenate([rows, rows]), np.concatenate([at[rows, columns], at[rows, columns] - 1])
    zeros = (attacked.wq * attacked.zx).sum(axis=1)
    value, slope = attacked.real(rows, q - zeros[rows])
    nearest = np.argsort(np.abs(value - np.floor(value) - 0.5) / slope)[:count]
    rows, q = rows[nearest], q[nearest]
    x, which = reach(attacked, rows, q - zeros[rows], rng)
    return rows[which], q[which], x


LAYERS: dict[str, dict[str, Any]] = {
    "4 bit": {"inputs": 32, "outputs": 64, "weight_bits": 4, "input_bits": 4, "output_bits": 4},
    "4 bit, bias": {"inputs": 64, "outputs": 64, "weight_bits": 4, "input_bits": 4, "output_bits": 4, "bias": True},
    "8 bit": {"inputs": 48, "outputs": 24, "weight_bits": 8, "input_bits": 8, "output_bits": 8},
    "8 bit, bias, per channel": {
        "inputs": 48, "outputs": 24, "weight_bits": 8, "input_bits": 8, "output_bits": 8, "bias": True, "per_channel": True,
    },
    "4 bit, batch norm": {
        "inputs": 96, "outputs": 32, "weight_bits": 4, "input_bits": 4, "output_bits": 4, "bn": True, "per_channel": True,
    },
    "8 bit, bias, batch norm": {
        "inputs": 48, "outputs": 24, "weight_bits": 8, "input_bits": 8, "output_bits": 8, "bias": True, "bn": True,
    },
    "8 bit, signed, zero point": {
        "inputs": 48, "outputs": 24, "weight_bits": 8, "input_bits": 8, "output_bits": 8, "signed": True, "zero": 3, "bn": True,
    },
    "2 bit, wide, several levels per integer": {
        "inputs": 160, "outputs": 32, "weight_bits": 2, "input_bits": 2, "output_bits": 8, "bn": True, "signed": True,
    },
    "2 bit, fan-in 400": {
        "inputs": 400, "outputs": 48, "weight_bits": 2, "input_bits": 2, "output_bits": 4, "per_channel": True, "bias": True,
    },
    "cancelling batch norm": {
        "inputs": 48, "outputs": 32, "weight_bits": 4, "input_bits": 4, "output_bits": 4, "bn": True, "cancel": 300.0,
    },
    "batch norm spelled out": {
        "inputs": 48, "outputs": 48, "weight_bits": 4, "input_bits": 4, "output_bits": 4, "bn": True, "bias": True, "spelled": True,
    },
    "powers of two, batch norm": {
        "inputs": 64, "outputs": 64, "weight_bits": 4, "input_bits": 4, "output_bits": 4, "bn": True, "sx": 0.25, "sw": 0.125,
    },
    "powers of two, bias": {
        "inputs": 64, "outputs": 64, "weight_bits": 8, "input_bits": 8, "output_bits": 8, "bias": True, "sx": 0.25, "sw": 0.125,
    },
}  # fmt: skip


def run_attack(attacked: Layer, seed: int, count: int) -> dict[bool, int]:
    """Attacks; returns how many distinct flips there were as written and fused. Every one must lie in a window."""
    rng = np.random.default_rng(seed)
    seen = last_activation(attacked.model())
    rows, q, x = closest(attacked, seen, count, rng)
    assert len(rows) >= count // 3, "too few accumulator values were reached for an attack"
    expected = seen.levels_at(rows, q)
    flips: dict[bool, set[tuple[int, int]]] = {False: set(), True: set()}
    open_ = {fused: seen.open_at(rows, q, fused=fused) for fused in (False, True)}
    for how, fused, levels in attempts(attacked, x, rows, rng):
        wrong = levels != expected
        closed = wrong & ~open_[fused]
        assert not closed.any(), (
            f"{how}: output {rows[closed][0]}, accumulator {q[closed][0]} gives {levels[closed][0]}, "
            f"not {expected[closed][0]}, outside every window"
        )
        flips[fused].update(zip(rows[wrong].tolist(), q[wrong].tolist(), strict=True))
    return {fused: len(found) for fused, found in flips.items()}


@pytest.mark.parametrize("name", LAYERS)
def test_no_order_of_addition_flips_what_is_proven(name: str) -> None:
    options = LAYERS[name]
    found = run_attack(layer(1, **options), 1, 24)
    # The attack has teeth: where thresholds are many, it does flip some that are called ambiguous.
    if options["output_bits"] == 8 and "2 bit" not in name and "powers" not in name:
        assert found[False] >= 3


def test_powers_of_two_are_exact_ties_included() -> None:
    """Scales that are powers of two: no order changes anything, and levels meet their exact half-way ties."""
    attacked = layer(3, 48, 24, 4, 4, 4, sx=0.25, sw=0.125, bias=False)
    attacked = Layer(attacked.wq, attacked.sw, attacked.sx, 0, attacked.lo, attacked.hi, 2.0, 4)
    seen = last_activation(attacked.model())
    certificate = seen.certificate
    assert certificate.exact == certificate.thresholds > 0
    assert certificate.windows is None
    rng = np.random.default_rng(3)
    rows, q, x = closest(attacked, seen, 60, rng)
    value, _ = attacked.real(rows, q)
    ties = value - np.floor(value) == 0.5
    assert ties.sum() > 10
    for how, _, levels in attempts(attacked, x, rows, rng):
        np.testing.assert_array_equal(levels, seen.levels_at(rows, q), err_msg=how)
    np.testing.assert_array_equal(seen.levels_at(rows, q)[ties], np.clip(2 * np.rint(value[ties] / 2 + 0.01), 0, 15))


def test_a_bias_off_the_grid_is_not_exact() -> None:
    """Sums are exact, but a runtime that begins with the bias loses its last bit: 0.5 + 2^-24 becomes 0.5, and rounds to 0."""
    bias = np.nextafter(F(0.5), F(1))
    wq = np.array([[1, 1, -1]])
    attacked = Layer(wq, F(1), 1.0, 0, 0, 255, 1.0, 4, bias=np.array([bias]))
    seen = last_activation(attacked.model())
    x, rows = np.array([[200, 0, 200]]), np.zeros(1, int)
    q = np.zeros(1, int)
    assert seen.levels_at(rows, q) == 1
    results = {how: int(levels[0]) for how, _, levels in attempts(attacked, x, rows, np.random.default_rng(0))}
    assert results["in order"] == 1
    assert results["in order, bias among the terms"] == 0
    assert seen.certificate.exact == 0
    assert seen.open_at(rows, q, fused=False).all()
    aligned = Layer(wq, F(1), 1.0, 0, 0, 255, 4.0, 4, bias=np.array([F(3)]))
    assert last_activation(aligned.model()).certificate.exact > 0


def test_batch_norm_behind_an_exact_sum_is_not_exact() -> None:
    """As written nothing is open; but multiplied into the weights, they are no powers of two any more."""
    attacked = layer(5, **LAYERS["powers of two, batch norm"])
    certificate = last_activation(attacked.model()).certificate
    assert certificate.exact == certificate.ambiguous == 0
    assert certificate.proven_unfused > 0
    assert certificate.proven + certificate.proven_unfused == certificate.thresholds


def test_counts_add_up() -> None:
    for name in ("4 bit, bias", "8 bit", "cancelling batch norm", "2 bit, wide, several levels per integer"):
        seen = last_activation(layer(2, **LAYERS[name]).model())
        c = seen.certificate
        assert c.thresholds == c.exact + c.proven + c.proven_unfused + c.ambiguous
        assert c.values == int((seen.steps.hi - seen.steps.lo + 1).sum())
        low, high = seen.windows(fused=False)
        covered = 0
        for row in range(len(low)):
            covered += len({q for a, b in zip(low[row].tolist(), high[row].tolist(), strict=True) for q in range(a, b)})
        assert c.inside == covered
        assert (c.ambiguous == 0) == (c.inside == 0)
        assert 0 <= c.inside < c.values


def test_fusing_opens_more_than_what_is_written() -> None:
    seen = last_activation(layer(2, **LAYERS["4 bit, batch norm"]).model())
    low, high = seen.windows(fused=False)
    fused_low, fused_high = seen.windows(fused=True)
    written = high > low
    assert (fused_low[written] <= low[written]).all()
    assert (fused_high[written] >= high[written]).all()
    assert int((fused_high - fused_low).sum()) > int((high - low).sum())


def test_levels_beyond_the_ends_of_the_range() -> None:
    """The greatest sum lies just where the next level begins: a threshold that no integer reaches, and yet open."""
    wq = np.ones((1, 24), int)
    sx, sw = F(0.1), F(0.3)
    top = 24 * 15 * float(sx) * float(sw)
    x, rows, q = np.full((1, 24), 15), np.zeros(1, int), np.array([360])
    flips = 0
    for ulps in (-1, 0, 1):
        so = F(top / 7.5)
        so = np.nextafter(so, F(np.inf * ulps)) if ulps else so
        attacked = Layer(wq, sw, float(sx), 0, 0, 15, float(so), 4)
        seen = last_activation(attacked.model())
        assert seen.open_at(rows, q, fused=False).all()
        levels = [levels[0] for _, _, levels in attempts(attacked, x, rows, np.random.default_rng(0))]
        flips += int((np.array(levels) != seen.levels_at(rows, q)).sum())
    assert flips > 0
