"""What users read when something is wrong: one paragraph, harmless, with the right exit code."""

from __future__ import annotations

import pytest

from flowc.errors import (
    FlowcError,
    InfeasibleError,
    MismatchError,
    ModelError,
    TargetError,
    UnsupportedError,
    UsageError,
    shown,
)


@pytest.mark.parametrize(
    ("kind", "code"),
    [(FlowcError, 2), (UsageError, 2), (ModelError, 2), (TargetError, 2), (InfeasibleError, 3), (MismatchError, 4)],
)
def test_exit_codes(kind: type[FlowcError], code: int) -> None:
    assert kind("it is wrong").exit_code == code
    assert issubclass(kind, FlowcError)


def test_text_says_what_where_and_what_to_do() -> None:
    error = ModelError("its scale is 0", node="/conv/Quant", remedy="calibrate the model")
    assert str(error) == "node '/conv/Quant': its scale is 0. Calibrate the model."
    assert (error.message, error.node, error.remedy) == ("its scale is 0", "/conv/Quant", "calibrate the model")
    assert str(FlowcError("really?")) == "really?"
    assert str(FlowcError("no", remedy="flowc does not do that")) == "no. flowc does not do that."


def test_text_is_one_harmless_paragraph() -> None:
    error = FlowcError("bad\nname \x1b[2J\u202e", node="a\r\nb", remedy="run\tagain")
    assert str(error) == "node 'a b': bad name [2J. Run again."


def test_long_names_are_cut() -> None:
    assert shown("x" * 500) == "x" * 117 + "..."
    assert shown("x" * 120) == "x" * 120


def test_unsupported_lists_every_offence() -> None:
    error = UnsupportedError([("a", "LSTM", "recurrent"), ("b\n", "Loop", "control flow")], remedy="remove them")
    assert str(error) == "2 unsupported nodes: 'a' (LSTM): recurrent; 'b' (Loop): control flow. Remove them."
    assert [o.op for o in error.offences] == ["LSTM", "Loop"]
    assert str(UnsupportedError([("a", "LSTM", "recurrent")])) == "1 unsupported node: 'a' (LSTM): recurrent."


def test_what_holds_for_every_group_of_a_node_is_said_once() -> None:
    error = UnsupportedError(
        [("c", "Conv", "scales differ"), ("c", "Conv", "scales differ"), ("c", "Conv", "zeros differ")]
    )
    assert str(error) == "2 unsupported nodes: 'c' (Conv): scales differ; 'c' (Conv): zeros differ."
