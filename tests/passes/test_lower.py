"""From the integer graph to units: orders, reorderings, forks, names."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowc.errors import UnsupportedError
from flowc.model.dtypes import UInt
from flowc.passes.lower import Lowering, Place, canonical_order
from flowc.streamline.compile import Compiled, TensorInfo, compile_model
from flowc.units import Fork, Frame, InputPort, OutputPort, Permute
from flowc.units.graph import Dataflow
from tests.compare import check_model
from tests.netbuild import Net

F = np.float32


def kinds(graph: Dataflow) -> list[str]:
    return [u.kind for u in graph]


def compiled(net: Net, y: str) -> Compiled:
    """Compiled and compared with onnxruntime."""
    return check_model(net.model(y)).compiled


def small_conv(net: Net, channels: int = 3) -> str:
    return net.quant(net.relu(net.conv(net.quant(net.x, 0.3), channels, 4, 3)), 0.317, signed=False)


# orders


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(1, 5), min_size=1, max_size=4), st.booleans())
def test_canonical_order_is_a_permutation(shape: list[int], last: bool) -> None:
    full = [1, *shape]
    if last and len(shape) > 3:
        return
    order = canonical_order(full, channels_last=last) if len(shape) <= 3 else canonical_order(full)
    assert order.ndim == 3
    assert sorted(order.reshape(-1).tolist()) == list(range(int(np.prod(full))))
    channels = shape[-1] if last or len(shape) == 1 else shape[0]
    assert order.shape[2] == channels


def test_canonical_order_is_hwc() -> None:
    order = canonical_order((1, 2, 3, 4))
    x = np.arange(24).reshape(1, 2, 3, 4)
    np.testing.assert_array_equal(x.reshape(-1)[order], x[0].transpose(1, 2, 0))
    np.testing.assert_array_equal(canonical_order((1, 2, 5))[0], np.arange(10).reshape(2, 5).T)
    np.testing.assert_array_equal(canonical_order((1, 4, 3), channels_last=True)[0], np.arange(12).reshape(4, 3))


def test_tensors_go_to_streams_and_back() -> None:
    x = np.random.default_rng(0).integers(0, 9, (3, 1, 2, 3, 4))
    for order in (None, np.random.default_rng(1).permutation(24).reshape(3, 4, 2)):
        info = TensorInfo((1, 2, 3, 4), order)
        frames = info.to_stream(x, (3, 4, 2))
        assert frames.shape == (3, 3, 4, 2)
        np.testing.assert_array_equal(info.from_stream(frames), x)
    np.testing.assert_array_equal(TensorInfo((1, 2, 3, 4), None).to_stream(x, (3, 4, 2)), x[:, 0].transpose(0, 2, 3, 1))


# what is absorbed


def test_a_flattened_image_goes_into_the_next_weights() -> None:
    """No unit for the reshape: the matrix has its rows in stream order."""
    net = Net([1, 3, 5, 5])
    found = compiled(net, net.linear(net.flatten(small_conv(net)), 36, 6))
    assert Permute not in {type(u) for u in found.graph}
    assert kinds(found.graph) == ["input", "window", "mvtu", "mvtu", "output"]


def test_depth_to_space_in_front_of_a_linear_layer_costs_nothing() -> None:
    net = Net([1, 3, 6, 6])
    y = net.op("DepthToSpace", small_conv(net), blocksize=2, mode="CRD")
    found = compiled(net, net.linear(net.flatten(y), 64, 6))
    assert "permute" not in kinds(found.graph)


def test_transpositions_that_a_matrix_absorbs() -> None:
    net = Net([1, 3, 5, 5])
    y = net.op("Transpose", small_conv(net), perm=[0, 2, 3, 1])
    found = compiled(net, net.linear(net.reshape(y, [1, 36]), 36, 6))
    assert "permute" not in kinds(found.graph)


@pytest.mark.parametrize(
    ("name", "move", "channels"),
    [
        ("transposed image", lambda net, y: net.op("Transpose", y, perm=[0, 1, 3, 2]), 4),
        ("channels last as channels", lambda net, y: net.op("Transpose", y, perm=[0, 3, 1, 2]), 3),
        ("pixel shuffle", lambda net, y: net.op("DepthToSpace", y, blocksize=2, mode="CRD"), 1),
        (
            "space to depth",
            lambda net, y: net.op(
                "SpaceToDepth", net.op("Pad", y, net.const(np.array([0, 0, 0, 0, 0, 0, 1, 1]))), blocksize=2
            ),
            16,
        ),
        ("another shape", lambda net, y: net.reshape(y, [1, 9, 2, 2]), 9),
    ],
)
def test_reordering_in_front_of_a_convolution(name: str, move: Callable[[Net, str], str], channels: int) -> None:
    """A window needs pixels in raster order, channels innermost: a unit puts them there."""
    net = Net([1, 3, 5, 5])
    found = compiled(net, net.conv(move(net, small_conv(net)), channels, 2, 1))
    assert "permute" in kinds(found.graph), name


def test_a_reordering_works_on_the_smallest_chunk() -> None:
    """Pixel shuffle moves elements within a row of pixels only."""
    net = Net([1, 3, 10, 10])
    y = net.op("DepthToSpace", small_conv(net), blocksize=2, mode="CRD")
    (unit,) = [u for u in compiled(net, net.conv(y, 1, 2, 1)).graph if isinstance(u, Permute)]
    assert unit.order.size == 8 * 4
    assert unit.frame.elements == 8 * 8 * 4


def test_sequences_keep_the_last_axis_innermost() -> None:
    net = Net([1, 6, 8])
    y = net.quant(net.linear(net.quant(net.x, 0.3), 8, 5, form="plain"), 0.61)
    found = compiled(net, net.linear(y, 5, 4, form="plain"))
    assert kinds(found.graph) == ["input", "mvtu", "mvtu", "output"]
    assert found.graph.inputs[0].frame.shape == (1, 6, 8)


# forks


def test_every_reader_gets_its_own_stream() -> None:
    net = Net([1, 3, 5, 5])
    x = small_conv(net)
    parts = [net.quant(net.conv(x, 4, 4, 1), 0.7) for _ in range(3)]
    found = compiled(net, net.conv(net.concat(*parts), 12, 2, 1))
    (fork,) = [u for u in found.graph if isinstance(u, Fork)]
    assert fork.ways == 3
    for unit in found.graph:
        into = [] if isinstance(unit, InputPort) else found.graph.into(unit.name)
        assert [s.dst_port for s in into] == list(range(len(into)))
        out = found.graph.out_of(unit.name)
        assert [s.src_port for s in out] == list(range(len([] if isinstance(unit, OutputPort) else unit.outputs)))


def test_frames_fit_at_both_ends_of_every_stream() -> None:
    net = Net([1, 3, 6, 6])
    y = net.quant(
        net.relu(net.add(net.quant(net.conv(small_conv(net), 4, 4, 1), 0.7), small_conv(net))), 0.4, signed=False
    )
    found = compiled(net, net.linear(net.flatten(net.maxpool(y)), 16, 3))
    for stream in found.graph.streams:
        source, target = found.graph.frame(stream), found.graph[stream.dst].inputs[stream.dst_port]
        assert source.elements == target.elements
        assert source.dtype == target.dtype


# names

HOSTILE = [
    'quote"s', "new\nline", "../../etc/passwd", "int", "while", "<script>alert(1)</script>", "ap_int", "x" * 5000, "", " ", "ümläut", "a;b", "0",
    "conv", "CONV", "conv_", "__", "${HOME}", "`rm`", "a\tb", "%s", "\\", "\x00null",
]  # fmt: skip


def test_names_are_letters_digits_and_underscores() -> None:
    low = Lowering("n", {})
    names = [low.unique(n) for n in HOSTILE * 2]
    for name in names:
        assert re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,70}", name), name
    # Unique also for file systems that ignore case.
    assert len({n.lower() for n in names}) == len(names)


def test_models_with_hostile_names() -> None:
    net = Net([1, 3, 5, 5])
    y = net.quant(net.relu(net.conv(net.quant(net.x, 0.3), 3, 4)), 0.317, signed=False)
    y = net.linear(net.flatten(net.maxpool(y, 3)), 4, 6)
    model = net.model(y)
    rename: dict[str, str] = {}
    for i, node in enumerate(model.graph.node):
        node.name = HOSTILE[i % len(HOSTILE)].replace("\x00", "")
        for k, out in enumerate(node.output):
            rename[out] = (
                f"{i}{HOSTILE[(i + 7) % len(HOSTILE)].replace(chr(0), '')}"
                if i % 3
                else f"{i}'\"\n../int main(){{}} {out}"
            )
            node.output[k] = rename[out]
        for k, name in enumerate(node.input):
            node.input[k] = rename.get(name, name)
    model.graph.output[0].name = rename[y]
    found = check_model(model)
    for unit in found.compiled.graph:
        assert re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", unit.name)
        for origin in unit.origin:
            assert "\n" not in origin
    assert found.compared > 100


def test_unsupported_nodes_are_all_named_with_reasons() -> None:
    net = Net([1, 3, 6, 6])
    y = small_conv(net)
    linear = net.op("Resize", y, "", net.const(np.array([1, 1, 1.5, 1.5], F)), mode="linear")
    spread = net.op("Softmax", y, axis=1)
    a, b = (net.quant(net.conv(net.quant(v, 0.1), 4, 2, 1), 0.5) for v in (linear, spread))
    with pytest.raises(UnsupportedError) as caught:
        compile_model(net.model(net.concat(net.flatten(a), net.flatten(b))))
    text = str(caught.value)
    assert "Resize" in text
    assert "Softmax" in text


def test_places_are_seen_in_another_order() -> None:
    low = Lowering("n", {})
    place = Place("u", 0, Frame(1, 2, 3, UInt(2)), np.arange(6).reshape(1, 2, 3))
    low.units["u"] = InputPort(name="u", tensor="t", tensor_shape=(1, 6), frame=place.frame)
    value: Any = object()
    low._places[value] = place
    same = low.at_order(value, np.arange(6).reshape(1, 1, 6))
    assert (same.unit, same.frame.shape) == ("u", (1, 1, 6))
    turned = low.at_order(value, np.array([3, 4, 5, 0, 1, 2]).reshape(1, 2, 3))
    assert isinstance(low.units[turned.unit], Permute)
