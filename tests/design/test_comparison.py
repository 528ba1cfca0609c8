"""How values are counted, to the edge of every allowance."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from flowc.design.comparison import CAUSES, Comparison, Verification
from flowc.exact.sums import FloatSum

Array = np.ndarray[Any, Any]


def entry(error: float, scale: float, zero: float = 0.0) -> FloatSum:
    return FloatSum("q", "y", np.array([scale]), np.array([zero]), np.array([error]))


@pytest.mark.parametrize(("top", "room"), [(0.25, 1e-5), (1.0, 1e-5), (500.0, 5e-3)])
@pytest.mark.parametrize("check", ["close", "dequantized"])
def test_rounding_is_relative_to_the_greatest_value_and_to_one_at_least(check: str, top: float, room: float) -> None:
    """Beyond it a value differs, on either side; infinities and NaN only equal themselves and do not widen it."""
    right = np.array([top, -top / 2, 0.0, np.inf, np.nan])
    for off, wrong in ((0.98 * room, 0), (-0.98 * room, 0), (1.02 * room, 1), (-1.02 * room, 1)):
        found = Comparison("y")
        given = right + np.array([0, 0, off, 0, 0])
        if check == "close":
            found.close(given, right)
            assert (found.exactly, found.within, found.not_finite) == (4, 1, 2)
        else:
            found.dequantized(given, right, [entry(0.0, 1.0)])
            assert (found.exactly, found.within) == (0, 0)
        assert found.mismatches == wrong
        assert found.explained == 0


def test_outputs_of_sums_may_be_off_by_their_bound_besides() -> None:
    right = np.array([1.0, -1.0])
    for off, wrong in ((0.249, 0), (-0.249, 0), (0.251, 2), (-0.251, 2)):
        found = Comparison("y")
        found.dequantized(right + off, right, [entry(0.5, -0.5)])
        assert found.mismatches == wrong


def test_the_bound_of_a_sum_is_one_integer_wide_or_wider() -> None:
    """Where the bound is below a half the integer must be the nearest; a bound of a half or more is the allowance itself."""
    integers = np.array([[8]])
    for error, off, wrong in (
        (0.4999, 0.4999, 0),
        (0.4999, 0.5001, 1),
        (0.5, 0.5, 0),
        (0.5, 0.5001, 1),
        (0.75, 0.75, 0),
    ):
        found = Comparison("y")
        found.sums(integers, (integers - 3.0) * 2.0 + off * 2.0, entry(error, 2.0, 3.0))
        assert found.mismatches == wrong, (error, off)
        assert (found.exactly, found.within) == ((1, 0) if error < 0.5 else (0, 1))


def test_excuses_are_asked_in_order_and_only_for_what_differs() -> None:
    given, right = np.array([1, 2, 3, 4, 5]), np.array([1, 0, 0, 0, 5])
    asked = []

    def excuse(name: str, where: list[int]) -> Any:
        def says() -> Array:
            asked.append(name)
            return np.array(where, bool)

        return says

    found = Comparison("q")
    found.same(given, right, {"window": excuse("window", [1, 1, 0, 0, 1]), "tie": excuse("tie", [1, 1, 1, 0, 0])})
    assert found.causes == {"window": 1, "tie": 1}
    assert (found.exactly, found.mismatches, found.explained, found.values) == (5, 3, 2, 5)
    found.same(given, given, {"window": excuse("never", [1] * 5)})
    assert asked == ["window", "tie"]
    assert found.mismatches == 3
    found.tied(2)
    assert (found.mismatches, found.explained, found.causes["tie"]) == (5, 4, 3)


def verification() -> Verification:
    found = Verification(samples=2, layers={"a": "Conv_0"})
    found.tensor("a").same(
        np.array([1, 2, 3, 4]), np.array([1, 0, 0, 4]), {"window": lambda: np.array([0, 1, 0, 0], bool)}
    )
    found.tensor("b").close(np.array([1.0, 1.0, np.inf]), np.array([1.0, 1.0 + 1e-6, np.inf]))
    found.tensor("c").skipped += 7
    found.worst_output = 0.5
    found.end_to_end = 3
    return found


def test_the_entry_of_a_report_adds_up() -> None:
    found = verification()
    assert found.as_dict("onnxruntime") == {
        "reference": "onnxruntime", "samples": 2, "tensors": 3, "values": 7, "compared_exactly": 6, "compared_within_bound": 1,
        "not_compared": 7, "not_finite": 1, "mismatches": 2, "explained_by_ambiguous": 1, "end_to_end_mismatches": 3,
        "worst_output_difference": 0.5, "failing": ["a"],
        "explanations": [{
            "tensor": "a", "layer": "Conv_0", "cause": "window", "mismatches": 1, "share": 0.25,
            "text": f"1 of 4 values of 'a' (layer 'Conv_0') {CAUSES['window']}",
        }],
    }  # fmt: skip
    found.worst_output = np.inf
    assert found.as_dict("onnxruntime")["worst_output_difference"] is None
    found.tensor("c").tied(2)
    assert found.as_dict("onnxruntime")["explanations"][1] == {
        "tensor": "c", "layer": None, "cause": "tie", "mismatches": 2, "share": 2.0, "text": f"2 of 0 values of 'c' {CAUSES['tie']}",
    }  # fmt: skip


def test_the_error_names_the_first_tensor_that_fails() -> None:
    found = verification()
    text = str(found.error(7))
    assert text.startswith(
        "1 of 7 integers differ from onnxruntime, first in tensor 'a' of layer 'Conv_0'. This is a bug in flowc"
    )
    found.tensor("a").not_finite = 1234
    assert "'Conv_0', where 1,234 values of the model itself are infinite or not a number. Its float32" in str(
        found.error(7)
    )
    found.tensor("a").causes["tie"] = 1
    assert found.failing == []
    found.tensor("b").mismatches = 1
    assert "first in tensor 'b', where 1 value of the model itself is infinite or not a number. Its" in str(
        found.error(7)
    )
    found.tensor("b").not_finite = 0
    assert "first in tensor 'b'. This is a bug" in str(found.error(7))


def test_parts_of_a_sum_that_overflows_here_as_there() -> None:
    parts = [entry(0.0, 1e38), entry(0.0, 1e38)]
    for value, wrong in ((np.inf, 0), (-np.inf, 1), (np.nan, 1), (3e38, 1)):
        found = Comparison("y")
        found.joint([np.array([[2]]), np.array([[3]])], np.array([[value]], np.float32), parts)
        assert (found.mismatches, found.within) == (wrong, 1), value
