"""The bound on float sums against sums of the same terms in many orders, for every kind of layer that adds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from flowc.exact.bounds import SumBound
from flowc.exact.partial import PartialSums
from flowc.model.ir import is_op
from flowc.passes.integer_ranges import integer_ranges
from tests.exact.adversary import Array, F, orders
from tests.exact.analysis import Analysis, last_activation, streamlined
from tests.exact.test_certificate import LAYERS, closest, layer
from tests.netbuild import Net


def errors(terms: Array, exact: Array, rng: np.random.Generator) -> Array:
    """Greatest distance of float32 sums of ``terms`` (B, M) from ``exact`` (B,) over all orders."""
    worst = np.zeros(len(exact))
    for _, add in orders(terms.shape[1], rng, randoms=4):
        np.maximum(worst, np.abs(add(terms).astype(np.float64) - exact), out=worst)
    return worst


def bound_of(seen: Analysis) -> SumBound:
    bound = seen.bound
    assert bound is not None
    return bound


@pytest.mark.parametrize(
    "name", ["4 bit", "8 bit", "8 bit, bias, per channel", "8 bit, signed, zero point", "2 bit, fan-in 400"]
)
def test_bound_holds_and_is_not_far_off(name: str) -> None:
    attacked = layer(7, **LAYERS[name])
    seen, rng = last_activation(attacked.model()), np.random.default_rng(7)
    rows, q, x = closest(attacked, seen, 24, rng)
    sums = q - (attacked.wq * attacked.zx).sum(axis=1)[rows]
    terms = (attacked.xf(x) * attacked.wf[rows]).astype(F)
    worst = errors(terms, sums * attacked.scale[rows], rng) / attacked.scale[rows]
    full = bound_of(seen).error(np.broadcast_to(sums, (attacked.outputs, len(sums))), 0, attacked.scale, np.zeros(1))
    bound = full[rows, np.arange(len(sums))]
    assert (worst <= bound).all()
    if attacked.hi > 3:
        # The adversary is greedy, not perfect. Where all terms are alike it has no choice at all.
        assert np.median(bound / worst) < 12
    # The textbook bound: fan-in times the relative rounding of the sum of magnitudes.
    peak = np.maximum(abs(attacked.lo - attacked.zx), abs(attacked.hi - attacked.zx))
    naive = attacked.inputs * 2.0**-24 * peak * np.abs(attacked.wq[rows]).sum(axis=1)
    assert (bound < naive).all()


def test_bound_grows_with_span_offset_and_fusing() -> None:
    seen = last_activation(layer(7, **LAYERS["8 bit"]).model())
    bound, total = bound_of(seen), np.array([[-500, 0, 40000]]).repeat(24, 0)
    scale, none = np.full(24, 0.3), np.zeros(1)
    plain = bound.error(total, 0, scale, none)
    assert plain.shape == (24, 3)
    assert (bound.error(total, 5000, scale, none) >= plain).all()
    assert (bound.error(total, 0, scale, np.array([1e6])) > plain).all()
    assert (bound.error(total, 0, scale, none, fused=True) > plain).all()


def test_what_is_kept_of_a_bound_serves_its_own_scale_and_offset_only() -> None:
    """Asked again and again, for other scales, offsets, spans and rows, it answers as one that was never asked before."""
    seen = last_activation(layer(7, **LAYERS["8 bit, bias, per channel"]).model())
    asked, total = bound_of(seen), np.array([[-500, 0, 40000]]).repeat(24, 0)
    for scale in (np.full(24, 0.3), np.linspace(0.2, 0.9, 24)):
        for offset in (np.zeros(1), np.array([1e4]), np.linspace(0, 1e5, 24)):
            for span in (0, 700):
                for fused in (False, True):
                    fresh = bound_of(seen).error(total, span, scale, offset, fused=fused)
                    assert (asked.error(total, span, scale, offset, fused=fused) == fresh).all()
                    rows = np.array([5, 0, 7])
                    some = asked.at_rows(rows).error(
                        total[:3], span, scale[rows], offset[rows] if len(offset) > 1 else offset, fused=fused
                    )
                    assert (some == fresh[rows]).all()
    assert asked.at_rows(np.arange(24)) is asked.at_rows(slice(0, 99)) is asked


def test_ways_that_are_asked_together_answer_as_each_alone() -> None:
    seen = last_activation(layer(7, **LAYERS["8 bit, bias, per channel"]).model())
    scales, offsets = np.stack([np.full(24, 0.3), np.linspace(0.2, 0.9, 24)]), np.stack([np.zeros(24), np.arange(24)])
    totals, spans = np.stack([np.full((24, 3), 70), np.arange(72).reshape(24, 3)]), np.array([[[5]], [[900]]])
    bound, ways = bound_of(seen), np.array([False, True])
    for _ in range(2):
        found = bound.error(totals, spans, scales, offsets, fused=ways)
        for k, each in enumerate(zip(totals, spans.reshape(-1), scales, offsets, strict=True)):
            alone = bound_of(seen).error(*each, fused=bool(ways[k]))
            assert (found[k] == alone).all()
            assert (bound.error(*each, fused=bool(ways[k])) == alone).all()


def brute_force(up: Array, down: Array, total: float, mantissa: float) -> float:
    """The definition in docs/exactness.md, addition by addition."""
    plus = np.concatenate([[0], np.cumsum(-np.sort(-up))])
    minus = np.concatenate([[0], np.cumsum(-np.sort(-down))])
    count, error, largest = len(up), 0.0, 0.0
    for m in range(2, count + 1):
        # A tree may add many small groups: the m-th addition completes m terms at most, but may well complete fewer.
        largest = max(largest, min(plus[m], total + minus[count - m]), min(minus[m], plus[count - m] - total))
        if largest > 0:
            error += 2.0 ** (np.floor(np.log2(largest * mantissa)) - 24) / mantissa
    return error


def test_counting_by_binades_equals_the_sum_over_additions() -> None:
    rng = np.random.default_rng(0)
    for trial in range(30):
        terms = int(rng.integers(2, 60))
        up, down = rng.integers(0, 40, (3, terms)), rng.integers(0, 40, (3, terms))
        up[0] = 0
        bound = SumBound(
            PartialSums.of_terms(up), PartialSums.of_terms(down),
            np.maximum(up, down).sum(axis=1).astype(float), np.zeros(3), False, False, np.arange(3).reshape(1, 3),
        )  # fmt: skip
        scale = rng.uniform(0.01, 10, 3)
        totals = np.stack([rng.integers(-d.sum(), u.sum() + 1, 5) for u, d in zip(up, down, strict=True)])
        found = bound.error(totals, 0, scale, np.zeros(1))
        for row in range(3):
            mantissa = 2 * np.frexp(scale[row])[0]
            for k in range(5):
                wanted = brute_force(up[row], down[row], totals[row, k], mantissa)
                # Never below; above by the slack, which may lift a partial sum into the next binade, and by the least half ulp of all.
                assert wanted <= found[row, k] <= wanted * 1.1 + terms * 2.0**-24, trial


def pool_model(*, zero: float, global_: bool, scale: float = 0.1) -> Any:
    net = Net([1, 2, 6, 6])
    x = net.quant(net.x, scale, zero, 8, signed=False)
    w = net.conv(x, 2, 2, 1, bits=4)
    y = net.quant(w, 0.9, zero, 8, signed=False)
    y = net.op("GlobalAveragePool", y) if global_ else net.avgpool(y, 3)
    return net.model(net.quant(y, 0.05, 0.0, 8, signed=False))


@pytest.mark.parametrize("global_", [False, True])
def test_average_pools_with_zero_points(global_: bool) -> None:
    """The float terms are (q - zero) * scale, twice as large as q where the zero point lies at one end."""
    seen, rng = last_activation(pool_model(zero=255.0, global_=global_)), np.random.default_rng(0)
    taps, scale = (36, F(0.9)) if global_ else (9, F(0.9))
    q = rng.choice([0, 1, 2, 200, 255], (200, taps), p=[0.6, 0.1, 0.1, 0.1, 0.1])
    terms = ((q.astype(F) - F(255)) * scale).astype(F)
    unit = float(scale) / taps
    exact = (q - 255).sum(axis=1)
    worst = np.zeros(len(q))
    for _, add in orders(taps, rng):
        for mean in (add(terms) / F(taps), add(terms) * (F(1) / F(taps))):
            np.maximum(worst, np.abs(mean.astype(np.float64) / unit - exact), out=worst)
    bound = bound_of(seen).error(exact[None], 0, np.array([unit]), np.zeros(1))[0]
    assert (worst <= bound).all()
    assert (bound < 40 * np.maximum(worst, 1e-6)).mean() > 0.5


def test_average_of_a_power_of_two_of_exact_values_is_exact() -> None:
    net = Net([1, 2, 4, 4])
    x = net.quant(net.x, 0.25, 0.0, 8, signed=False)
    y = net.conv(x, 2, 2, 1, bits=4)
    y = net.quant(y, 0.5, 0.0, 4, signed=False)
    seen = last_activation(net.model(net.quant(net.avgpool(y, 2), 0.5, 0.0, 4, signed=False)))
    assert bound_of(seen).exact
    assert seen.certificate.exact == seen.certificate.thresholds > 0


def test_product_of_two_tensors_is_bounded_as_a_product() -> None:
    net = Net([1, 4])
    a = net.quant(net.x, 0.3, 3.0, 8, signed=False)
    b = net.quant(net.x, 0.07, -5.0, 8)
    graph = streamlined(net.model(net.linear(net.op("Mul", a, b), 4, 2, form="plain"))).graph
    join = next(n for n in graph if is_op(n, "Join", "flowc"))
    seen = sum_of(graph, join)
    rng = np.random.default_rng(1)
    qa, qb = rng.integers(0, 256, 20000), rng.integers(-128, 128, 20000)
    fa, fb = ((qa.astype(F) - F(3)) * F(0.3)).astype(F), ((qb.astype(F) + F(5)) * F(0.07)).astype(F)
    unit = float(F(0.3)) * float(F(0.07))
    error = np.abs((fa * fb).astype(np.float64) / unit - (qa - 3) * (qb + 5))
    bound = seen.error(np.zeros((1, 1)), 0, np.array([unit]), np.zeros(1))[0, 0]
    assert error.max() <= bound < 5 * error.max()


def sum_of(graph: Any, node: Any) -> SumBound:
    from flowc.exact.bounds import sum_bound

    bound = sum_bound(node.outputs[0], integer_ranges(graph))
    assert bound is not None
    return bound


def test_sums_of_sums_inherit_their_errors() -> None:
    """Three tensors added, then a product: what the product is fed is itself off, more than one rounding of a small sum."""
    net = Net([1, 8])
    parts = [net.quant(net.x, s, 0.0, 8) for s in (0.1, 0.2, 0.4)]
    y = net.linear(net.add(net.add(parts[0], parts[1]), parts[2]), 8, 3, form="plain")
    seen = last_activation(net.model(net.quant(y, 3.0, 0.0, 8)))
    rng = np.random.default_rng(2)
    q = rng.integers(-128, 128, (3, 4000, 8))
    # Sums that cancel: the third makes up for the first two.
    q[0] = np.clip(-(2 * q[1] + 4 * q[2]) + rng.integers(-2, 3, q[0].shape), -128, 127)
    fa, fb, fc = ((p.astype(F) * F(s)).astype(F) for p, s in zip(q, (0.1, 0.2, 0.4), strict=True))
    x = ((fa + fb).astype(F) + fc).astype(F)
    node = seen.leaf.producer()
    assert node is not None
    weights = np.asarray(node.inputs[1].const_value.numpy())  # type: ignore[union-attr]
    scale = np.broadcast_to(np.asarray(seen.region.scale(seen.region.dequantized(seen.leaf)[0])[0]).reshape(-1), (3,))
    unit = float(F(0.1))
    wf = (weights * (scale / unit)[None]).astype(F)
    integers = q[0] + 2 * q[1] + 4 * q[2]
    for output in range(3):
        exact = integers @ weights[:, output]
        worst = errors((x * wf[:, output]).astype(F), exact * scale[output], rng) / scale[output]
        total = np.broadcast_to(exact, (3, len(exact)))
        bound = bound_of(seen).error(total, 0, scale, np.zeros(1))[output]
        assert (worst <= bound).all()


def test_errors_of_unquantized_inputs_are_carried_on() -> None:
    """A sum of four tensors that goes into a product: more than the roundings of one tensor of that range."""

    def carried(parts: int) -> float:
        net = Net([1, 8], seed=3)
        y = net.quant(net.x, 0.3, 0.0, 8)
        for _ in range(parts - 1):
            y = net.add(y, net.quant(net.relu(net.x), 0.3, 0.0, 8))
        seen = last_activation(net.model(net.quant(net.linear(y, 8, 3, form="plain"), 3.0)))
        bound = bound_of(seen)
        return float((bound.carried / bound.size).min())

    assert carried(1) == pytest.approx(2 * 2.0**-24)
    assert carried(2) > carried(1) * 1.5
    assert carried(4) > carried(2)


def test_offsets_in_front_of_a_product_cancel() -> None:
    """(x * a - b) straight into a product, as preprocessing is: near zero its float is off by roundings of a and b."""
    net = Net([1, 16])
    x = net.quant(net.x, 0.1, 0.0, 8, signed=False)
    x = net.op("Sub", net.op("Mul", x, net.const(0.7, "a")), net.const(8.9, "b"))
    seen = last_activation(net.model(net.quant(net.linear(x, 16, 4, form="plain"), 0.5, 0.0, 8)))
    node = seen.leaf.producer()
    assert node is not None
    weights = np.asarray(node.inputs[1].const_value.numpy())  # type: ignore[union-attr]
    scale, zero = (
        np.asarray(a, np.float64).reshape(-1) for a in seen.region.scale(seen.region.dequantized(seen.leaf)[0])
    )
    rng = np.random.default_rng(3)
    unit = float(F(0.1)) * float(F(0.7))
    q = rng.integers(126, 129, (3000, 16))
    moved = ((q.astype(F) * F(0.1)).astype(F) * F(0.7)).astype(F) - F(8.9)
    wf = (weights * (np.broadcast_to(scale, (4,)) / unit)).astype(F)
    for output in range(4):
        s, z = scale[output % len(scale)], zero[output % len(zero)]
        exact = q @ weights[:, output] - z
        worst = errors((moved * wf[:, output]).astype(F), exact * s, rng) / s
        total = np.broadcast_to(exact, (4, len(exact)))
        bound = bound_of(seen).error(total, 0, np.broadcast_to(scale, (4,)), np.zeros(1))[output]
        assert (worst <= bound).all()


@pytest.mark.parametrize("move", ["MaxPool", "Reshape", "Concat", "Slice", "Transpose", "DepthToSpace"])
def test_movement_keeps_the_bound_of_what_it_moves(move: str) -> None:
    """An accumulator that is pooled or reshaped before its quantizer is as open as it was."""
    net = Net([1, 8, 4, 4], seed=4)
    x = net.quant(net.x, 0.1, 0.0, 8)
    y = net.conv(x, 8, 8, 1, bits=8)
    z = net.conv(x, 8, 4, 1, bits=8)
    shape = [1, 8, 16]
    if move == "MaxPool":
        # A quantizer that falls does not go above a maximum.
        y = net.op("Neg", net.maxpool(y))
    else:
        y = {
            "Reshape": lambda: net.reshape(y, shape),
            "Concat": lambda: net.concat(y, z),
            "Slice": lambda: net.op("Slice", y, *(net.const(np.array([v]), "i") for v in (2, 6, 1))),
            "Transpose": lambda: net.op("Transpose", y, perm=[0, 2, 3, 1]),
            "DepthToSpace": lambda: net.op("DepthToSpace", y, blocksize=2, mode="CRD"),
        }[move]()
        # Per-element constants keep the quantizer from being moved above.
        size = {
            "Reshape": (1, 8, 1),
            "Concat": (1, 12, 1, 1),
            "Slice": (1, 4, 1, 1),
            "Transpose": (8,),
            "DepthToSpace": (1, 2, 1, 1),
        }
        y = net.op("Mul", y, net.const(np.random.default_rng(0).uniform(0.5, 1.5, size[move]), "m"))
    seen = last_activation(net.model(net.quant(y, 0.37, 0.0, 8)))
    assert is_op(seen.leaf.producer(), move)
    assert seen.bound is not None
    certificate = seen.certificate
    assert certificate.exact == 0
    assert 0 < certificate.ambiguous <= certificate.thresholds


def test_constants_that_vary_over_positions() -> None:
    net = Net([1, 3, 4, 4])
    y = net.conv(net.quant(net.x, 0.1, 0.0, 8), 3, 2, 3, bits=8)
    y = net.add(y, net.const(np.random.default_rng(0).normal(0, 3, (1, 2, 2, 2)), "b"))
    seen = last_activation(net.model(net.quant(y, 0.3, 0.0, 8)))
    assert seen.region.sets == 8
    assert seen.certificate.ambiguous > 0


@pytest.mark.parametrize("group", [1, 2, 4])
def test_extremes_of_convolutions(group: int) -> None:
    """Per output: the greatest and least sums that its own weights and the range of its own inputs allow."""
    net = Net([1, 4, 5, 5], seed=group)
    zeros = 3.0
    y = net.conv(net.quant(net.x, 0.3, zeros, 4), 4, 8, 3, group=group, pads=[1] * 4, per_channel=True)
    seen = last_activation(net.model(net.quant(y, 0.317)))
    node = seen.leaf.producer()
    assert node is not None
    weights = np.asarray(node.inputs[1].const_value.numpy())  # type: ignore[union-attr]
    bound = bound_of(seen)
    assert bound.rows.reshape(-1).tolist() == list(range(8))
    for output in range(8):
        terms = [sorted((w * (-8 - zeros), w * (7 - zeros))) for w in weights[output].reshape(-1).tolist()]
        ups, downs = (
            sorted((max(t[1], 0) for t in terms), reverse=True),
            sorted((max(-t[0], 0) for t in terms), reverse=True),
        )
        np.testing.assert_allclose(bound.up.dense()[output], np.concatenate([[0], np.cumsum(ups)]))
        np.testing.assert_allclose(bound.down.dense()[output], np.concatenate([[0], np.cumsum(downs)]))
        assert bound.size[output] == sum(max(abs(t[0]), abs(t[1])) for t in terms)
