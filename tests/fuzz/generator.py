"""The strategy: random quantized nets of 2 to 12 blocks with the inputs to try them on."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

import numpy as np
import onnx
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from onnx import TensorProto

from tests.fuzz.blocks import BLOCKS, PER_CHANNEL_BLOCKS, VECTOR_BLOCKS, flattened, global_average, layer, max_pool
from tests.fuzz.choices import Array, Choices, Grid, Tensor, of_class
from tests.fuzz.elementwise import activation, batch_norm, tensor_norm
from tests.fuzz.layers import MOST_CHANNELS, MOST_ELEMENTS, product, random_bits, requantize
from tests.fuzz.writer import DOMAINS, Writer

__all__ = ["RandomNet", "random_net", "random_nets"]


@dataclass(frozen=True, eq=False)
class RandomNet:
    """A generated net.

    Attributes:
        model: as an exporter would write it.
        inputs: input name -> samples (N, ...), float32.
        input_type: for ``--input-type``, where the model leaves its input float.
        seen: the inputs as the model sees them: behind the quantizer that the input type stands for.
        tags: constructs in it.
        blocks: their number.
    """

    model: onnx.ModelProto
    inputs: dict[str, Array]
    input_type: str | None
    seen: dict[str, Array]
    tags: frozenset[str]
    blocks: int

    def __repr__(self) -> str:
        ops = " ".join(n.op_type for n in self.model.graph.node)
        return f"RandomNet({self.blocks} blocks, opset {self.model.opset_import[0].version}, input_type={self.input_type}: {ops})"


def random_net(random: Random) -> RandomNet:
    """One net made of the given random numbers."""
    c = Choices(random)
    kind = c.weighted({"image": 60, "sequence": 20, "vector": 20})
    shape = _shape(c, kind)
    dialect = c.weighted({"qonnx": 65, "qcdq": 23, "mixed": 12})
    opset = c.pick((17, 13, 14, 16, 18, 19, 20, 21) if dialect != "qonnx" else (17, 9, 10, 11, 12, 13, 15, 18, 20, 21))
    batch = "N" if c.chance(20) else 1
    declared = (1, *shape[2:], shape[1]) if kind == "image" and c.chance(8) else shape
    w = Writer(
        [batch, *declared[1:]], c, scales=c.weighted({"pow2": 30, "dyadic": 15, "free": 35, "decimal": 10, "mixed": 10}),
        dialect=dialect, opset=opset, domain=c.pick(DOMAINS), seed=c.integer(0, 2**16),
    )  # fmt: skip
    w.tag(f"dialect {dialect}", f"opset {opset}", f"scales {w.scales}", kind, f"batch {batch}")
    x, grid, input_type = _input(w, shape, declared)
    grids = {"x": grid}
    if input_type is None and c.chance(6):
        x, grids["second"] = _second_input(w, x, [batch, *declared[1:]], declared)
    blocks = c.integer(2, 12)
    for _ in range(blocks):
        x = _block(w, x)
        w.skips.append(x)
    outputs, elem_type = _tail(w, x)
    model = w.model(*outputs, elem_type=elem_type)
    samples = {name: _samples(w, declared, g) for name, g in grids.items()}
    seen = samples if input_type is None else {"x": _typed(samples["x"], grid)}
    return RandomNet(model, samples, input_type, seen, frozenset(w.tags), blocks)


def random_nets() -> SearchStrategy[RandomNet]:
    """The strategy. All choices are drawn from one source, so that hypothesis does not spend examples on near copies."""
    return st.randoms(use_true_random=False).map(random_net)


def _shape(c: Choices, kind: str) -> tuple[int, ...]:
    if kind == "image":
        return (1, c.pick((2, 1, 3, 4)), c.integer(1, 8), c.integer(1, 8))
    if kind == "sequence":
        return (1, c.pick((2, 1, 3, 4)), c.integer(2, 16))
    return (1, c.integer(2, 16))


def _input(w: Writer, shape: tuple[int, ...], declared: tuple[int, ...]) -> tuple[Tensor, Grid, str | None]:
    """The input behind its quantizer, or left float for ``--input-type``; what it is quantized to."""
    c = w.choices
    grid = _input_grid(w)
    if declared != shape:
        return _channels_first(w, w.quantize(Tensor("x", declared, grid.spread), grid), shape), grid, None
    source = Tensor("x", shape, grid.spread)
    if c.chance(12):
        return _typed_input(w, source, grid)
    if c.chance(15):
        w.tag("float preprocessing")
        source = Tensor(
            w.op("Sub", w.op("Mul", "x", w.const(np.float32(2))), w.const(np.float32(1))), shape, grid.spread
        )
    return w.nothing(w.quantize(source, grid)), grid, None


def _channels_first(w: Writer, x: Tensor, shape: tuple[int, ...]) -> Tensor:
    w.tag("channels last input")
    return Tensor(w.op("Transpose", x.name, perm=[0, 3, 1, 2]), shape, x.spread, x.grid, x.positive)


def _second_input(w: Writer, x: Tensor, dims: list[int | str], declared: tuple[int, ...]) -> tuple[Tensor, Grid]:
    """Another input of the same shape, joined with the first; its grid."""
    w.tag("two inputs")
    grid = _input_grid(w)
    other = w.quantize(Tensor(w.input("second", dims), declared, grid.spread), grid)
    if declared != x.shape:
        other = _channels_first(w, other, x.shape)
    if w.choices.chance(50):
        return requantize(w, Tensor(w.op("Add", x.name, other.name), x.shape, x.spread + grid.spread)), grid
    shape = (1, 2 * x.channels, *x.spatial)
    return requantize(w, Tensor(w.concat(x.name, other.name), shape, max(x.spread, grid.spread))), grid


def _input_grid(w: Writer) -> Grid:
    c = w.choices
    bits = random_bits(w)
    signed = c.chance(60) or (bits == 1 and w.dialect == "qcdq")
    bipolar = bits == 1 and signed
    scale = np.float32(of_class(w.scale_class, 2.0 / 2**bits, c))
    grid = Grid(bits, signed, False, scale, bipolar=bipolar)
    if bits > 1 and c.chance(20):
        grid = Grid(bits, signed, False, scale, c.integer(grid.lo, grid.hi))
    return grid


def _typed_input(w: Writer, x: Tensor, grid: Grid) -> tuple[Tensor, Grid, str]:
    """The input as it is; the third result is what to tell flowc about it."""
    w.tag("input type")
    name = "bipolar" if grid.bipolar else f"{'int' if grid.signed else 'uint'}{grid.bits}"
    text = f"{name}:{float(grid.scale)!r}" + (f":{grid.zero}" if grid.zero else "")
    given = Tensor(x.name, x.shape, grid.spread, grid, positive=grid.lo >= grid.zero)
    if not w.choices.chance(40) or w.dialect == "qcdq":
        return given, grid, text
    w.tag("float preprocessing behind the input type")
    y = w.op("Sub", w.op("Mul", x.name, w.const(np.float32(2))), w.const(np.float32(1)))
    wide = Grid(grid.bits + 1, True, False, np.asarray(grid.scale * 2, np.float32))
    return w.quantize(Tensor(y, x.shape, 2 * grid.spread), wide), grid, text


def _block(w: Writer, x: Tensor) -> Tensor:
    """One more block; large tensors are made smaller."""
    c = w.choices
    if x.size > MOST_ELEMENTS or x.channels > MOST_CHANNELS:
        if len(x.shape) == 2:
            return layer(w, x, outputs=c.integer(2, 8))
        if x.channels > MOST_CHANNELS and x.scalar:
            return layer(w, x, outputs=c.integer(1, 4))
        return max_pool(w, x)
    if len(x.shape) == 2:
        return c.weighted(VECTOR_BLOCKS)(w, x)
    if c.chance(6):
        return global_average(w, x)
    if c.chance(5) and x.scalar and x.size <= 64:
        return flattened(w, x)
    if not x.scalar:
        return c.weighted(PER_CHANNEL_BLOCKS)(w, x)
    block = c.weighted(BLOCKS)
    return layer(w, x, scalar=not c.chance(10)) if block is layer else block(w, x)


def _tail(w: Writer, x: Tensor) -> tuple[list[str], int]:
    """How the net ends: output names and their element type."""
    c = w.choices
    kind = c.weighted({"classifier": 45, "product": 20, "quantized": 12, "softmax": 8, "argmax": 8, "scaled": 7})
    w.tag(f"tail {kind}")
    if kind == "quantized":
        y = layer(w, x)
        return ([y.name, x.name] if c.chance(15) else [y.name]), TensorProto.FLOAT
    if kind != "product":
        if len(x.shape) > 2:
            x = flattened(w, x) if x.scalar and x.size <= 100 else global_average(w, x)
        y = product(w, x, outputs=c.integer(2, 8))
    else:
        y = product(w, x)
    if kind == "product":
        return [y.name], TensorProto.FLOAT
    y = c.weighted({_nothing: 60, batch_norm: 20, tensor_norm: 12, activation: 8})(w, y)
    if kind == "argmax":
        return [w.op("ArgMax", y.name, axis=1, keepdims=int(c.chance(50)))], TensorProto.INT64
    if kind == "softmax":
        return [w.op("Softmax", y.name, axis=1)], TensorProto.FLOAT
    if kind == "scaled":
        return [w.op("Mul", y.name, w.const(np.float32(0.37)))], TensorProto.FLOAT
    return [y.name], TensorProto.FLOAT


def _nothing(w: Writer, x: Tensor) -> Tensor:
    return x


def _typed(x: Array, grid: Grid) -> Array:
    """What an input type makes of float inputs."""
    if grid.bipolar:
        return np.where(x >= 0, grid.scale, -grid.scale).astype(np.float32)
    q = np.clip(np.rint(x / grid.scale + np.float32(grid.zero)), grid.lo, grid.hi).astype(np.float32)
    return (q - np.float32(grid.zero)) * grid.scale


def _samples(w: Writer, shape: tuple[int, ...], grid: Grid) -> Array:
    """Three random samples on the input's grid and beyond, one between grid points, and the two extremes."""
    rng, step = w.rng, grid.step
    full = (3, *shape[1:])
    on_grid = rng.integers(grid.lo - 1, grid.hi + 2, full) if not grid.bipolar else rng.integers(-1, 2, full)
    between = rng.uniform(grid.lo - 0.5, grid.hi + 0.5, (1, *shape[1:]))
    extremes = np.stack([np.full(shape[1:], grid.lo), np.full(shape[1:], grid.hi)])
    integers = np.concatenate([on_grid, between, extremes])
    return ((integers - grid.zero) * step).astype(np.float32)
