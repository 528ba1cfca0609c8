"""Windows in the order of a stream, for parameters that vary over any axes."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from flowc.exact.certificate import Certificate, TensorCertificate
from flowc.streamline.evidence import stream_windows


@pytest.mark.parametrize(("shape", "axes"), [
    ((1, 3, 2, 2), (1,)), ((1, 3, 1, 2), (3,)), ((1, 3, 1, 2), (1, 3)), ((1, 2, 3, 2), (2, 3)), ((1, 2, 3, 1), (2,)), ((1, 1, 1, 4), (3,)),
])  # fmt: skip
def test_windows_lie_where_their_parameters_do(shape: tuple[int, ...], axes: tuple[int, ...]) -> None:
    sets = int(np.prod([shape[a] for a in axes]))
    low = np.arange(sets).reshape(sets, 1) * 10
    entry = TensorCertificate("t", 1, 0, 0, 0, 1, 1, 1, low, low + 3, axes)
    order = np.arange(np.prod(shape)).reshape(shape[1:]).transpose(1, 2, 0)
    low_of: Any = SimpleNamespace(aliases=lambda: {"t": "s"}, order_of=lambda _: order)
    found = stream_windows(Certificate((entry, TensorCertificate("none", 0, 0, 0, 0, 0, 0, 0))), low_of, {"t": shape})
    assert set(found) == {"s"}
    begin, end = found["s"]
    assert (end == begin + 3).all()
    layout = [n if a in axes else 1 for a, n in enumerate(shape)]
    wanted = np.broadcast_to(low.reshape(layout), shape).reshape(-1)[order]
    if len(begin) == shape[1]:
        assert (wanted == begin[:, 0]).all()
    else:
        assert (wanted.reshape(-1) == begin[:, 0]).all()
    assert len(begin) == (shape[1] if axes == (1,) else wanted.size)


def test_one_set_for_all_needs_no_order() -> None:
    low = np.array([[4, 0]])
    entry = TensorCertificate("t", 1, 0, 0, 0, 1, 1, 1, low, low + np.array([[2, 0]]))
    nothing: Any = SimpleNamespace(aliases=dict, order_of=lambda _: None)
    ((begin, end),) = stream_windows(Certificate((entry,)), nothing, {}).values()
    assert (begin.tolist(), end.tolist()) == ([[4, 0]], [[6, 0]])
