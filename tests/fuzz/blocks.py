"""Blocks of random nets: each takes a quantized tensor and returns a quantized one."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from tests.fuzz.choices import Grid, Tensor
from tests.fuzz.elementwise import activation, between
from tests.fuzz.layers import MOST_CHANNELS, MOST_ELEMENTS, Kernel, product, random_grid, requantize
from tests.fuzz.writer import Writer

Block = Callable[[Writer, Tensor], Tensor]


def layer(
    w: Writer,
    x: Tensor,
    *,
    same: bool = False,
    outputs: int | None = None,
    like: Grid | None = None,
    scalar: bool = True,
) -> Tensor:
    """Product, what follows it, quantizer; now and then something is moved or pooled in front of the quantizer."""
    y = product(w, x, same=same, outputs=outputs)
    if not same and outputs is None and w.choices.chance(14):
        y = _moved(w, y)
    y = between(w, y)
    if not same and outputs is None and like is None and w.choices.chance(10):
        y = _moved_late(w, y)
    return requantize(w, y, like=like, scalar=scalar or len(y.shape) == 2)


def _moved(w: Writer, y: Tensor) -> Tensor:
    """Accumulators are pooled, resized or joined before anything else happens to them."""
    if len(y.shape) == 2 or not y.linear:
        return y
    kind = w.choices.pick(("pool", "upsample", "average", "concat"))
    w.tag(f"early {kind}")
    if kind == "pool":
        return _pooled(w, y)
    if kind == "average":
        return _averaged(w, y)
    if kind == "concat" and 2 * y.channels <= MOST_CHANNELS:
        return Tensor(w.concat(y.name, y.name), (1, 2 * y.channels, *y.spatial), y.spread, linear=True)
    return _upsampled(w, y)


def _moved_late(w: Writer, y: Tensor) -> Tensor:
    """Floats that a quantizer follows are pooled, resized or flattened."""
    if len(y.shape) == 2:
        return y
    kind = w.choices.pick(("pool", "upsample", "flatten"))
    w.tag(f"late {kind}")
    if kind == "pool":
        return _pooled(w, y)
    return _upsampled(w, y) if kind == "upsample" else flattened(w, y)


# pools


def _window(w: Writer, n: int) -> tuple[Kernel, bool]:
    """One axis of a pool, and whether it may be rounded up."""
    c = w.choices
    size = c.pick((2, 3)) if n >= 3 else c.pick((2, 1)) if n >= 2 else 1
    stride = c.pick((2, 1, 3)) if n > 1 else 1
    begin, end = (c.integer(0, size // 2) if c.chance(30) else 0 for _ in range(2))
    k = Kernel(size, stride, 1, begin, end)
    return (k, c.chance(30)) if k.length(n) >= 1 else (Kernel(1), False)


def _rounded_up(k: Kernel, n: int) -> int:
    """Output length with ceil_mode; 0 where the last window would begin behind the input (ONNX and runtimes disagree)."""
    length = -(-(n + k.begin + k.end - k.reach) // k.stride) + 1
    return 0 if (length - 1) * k.stride >= n + k.begin else length


def _pooled(w: Writer, x: Tensor) -> Tensor:
    windows = [_window(w, n) for n in x.spatial]
    kernels = [k for k, _ in windows]
    lengths = [_rounded_up(k, n) for k, n in zip(kernels, x.spatial, strict=True)]
    up = w.opset >= 10 and any(u for _, u in windows) and min(lengths) > 0
    if not up:
        lengths = [k.length(n) for k, n in zip(kernels, x.spatial, strict=True)]
    w.tag("max pool")
    attributes: dict[str, object] = {
        "kernel_shape": [k.size for k in kernels],
        "strides": [k.stride for k in kernels],
        "pads": [k.begin for k in kernels] + [k.end for k in kernels],
    }
    if up:
        w.tag("ceil_mode")
        attributes["ceil_mode"] = 1
    if any(k.begin or k.end for k in kernels):
        w.tag("pool padding")
    if any(k.stride < k.size for k in kernels):
        w.tag("pool overlap")
    y = w.op("MaxPool", x.name, **attributes)
    return Tensor(y, (*x.shape[:2], *lengths), x.spread, x.grid, x.positive, x.linear)


def max_pool(w: Writer, x: Tensor) -> Tensor:
    """MaxPool of integers; now and then behind it a second instance of their quantizer, which changes nothing."""
    y = _pooled(w, x)
    if not w.choices.chance(15):
        return y
    w.tag("idle quantizer")
    return requantize(w, y, like=x.grid)


def _averaged(w: Writer, x: Tensor) -> Tensor:
    kernels = [_window(w, n)[0] for n in x.spatial]
    if w.choices.chance(60) or (x.grid is None and any(k.begin or k.end for k in kernels)):
        kernels = [Kernel(k.size, k.stride) for k in kernels]
    w.tag("average pool")
    attributes: dict[str, object] = {"kernel_shape": [k.size for k in kernels], "strides": [k.stride for k in kernels]}
    if any(k.begin or k.end for k in kernels):
        attributes |= {"pads": [k.begin for k in kernels] + [k.end for k in kernels], "count_include_pad": 1}
    y = w.op("AveragePool", x.name, **attributes)
    lengths = [k.length(n) for k, n in zip(kernels, x.spatial, strict=True)]
    return Tensor(y, (*x.shape[:2], *lengths), x.spread, None, x.positive)


def average_pool(w: Writer, x: Tensor) -> Tensor:
    """AveragePool -> quantizer."""
    y = _averaged(w, x)
    like = x.grid if w.choices.chance(30) else None
    return requantize(w, activation(w, y) if like is None and w.choices.chance(25) else y, like=like)


def trunc_pool(w: Writer, x: Tensor) -> Tensor:
    """AveragePool -> Mul by the number of taps -> Trunc, as Brevitas exports TruncAvgPool2d; or a Trunc by itself."""
    c, g = w.choices, x.grid
    if g is None or not g.scalar or g.bipolar or g.bits > 6 or w.dialect == "qcdq":
        return average_pool(w, x)
    w.tag("Trunc")
    rounding = c.pick(("FLOOR", "ROUND", "CEIL", "DOWN", "HALF_UP"))
    name, shape, in_bits = x.name, x.shape, g.bits
    if c.chance(75) and g.zero == 0:
        kernels = [Kernel(c.pick((2, 3)), c.pick((2, 1))) if n >= 3 else Kernel(1) for n in x.spatial]
        taps = int(np.prod([k.size for k in kernels]))
        shape = (*x.shape[:2], *(k.length(n) for k, n in zip(kernels, x.spatial, strict=True)))
        name = w.op("AveragePool", name, kernel_shape=[k.size for k in kernels], strides=[k.stride for k in kernels])
        name = w.op("Mul", name, w.const(np.float32(taps)))
        in_bits += int(np.ceil(np.log2(max(taps, 1))))
    out_bits = max(2, min(g.bits, in_bits - 1))
    cut = in_bits - out_bits
    step = float(g.scale.reshape(()))
    if c.chance(50):
        y = w.trunc(name, step, in_bits, out_bits, zero_point=g.zero, rounding=rounding)
        # Version 1 divides the integers and keeps the scale.
        return Tensor(y, shape, max(x.spread * 2.0**-cut, step), Grid(out_bits + 1, g.signed, False, g.scale, g.zero))
    y = w.trunc(
        name, step, in_bits, out_bits, zero_point=0.0, out_scale=step * 2.0**cut, rounding=rounding, signed=g.signed
    ) if g.zero == 0 else w.trunc(name, step, in_bits, out_bits, zero_point=g.zero, rounding=rounding)  # fmt: skip
    scale = np.float32(step * 2.0**cut) if g.zero == 0 else g.scale
    return Tensor(y, shape, x.spread, Grid(out_bits, g.signed, False, scale, g.zero))


def global_average(w: Writer, x: Tensor) -> Tensor:
    """Global average -> [1, C], behind a quantizer."""
    c = w.choices
    w.tag("global average")
    like = x.grid if x.scalar and c.chance(30) else None
    if c.chance(50):
        y = w.op("GlobalAveragePool", x.name)
        pooled = Tensor(y, (*x.shape[:2], *(1 for _ in x.spatial)), x.spread, None, x.positive)
        if c.chance(50):
            return flattened(w, requantize(w, pooled, like=like))
        return requantize(w, flattened(w, pooled), like=like)
    keep = c.chance(40)
    name = w.mean(x.name, range(2, len(x.shape)), keep)
    shape = (*x.shape[:2], *(1 for _ in x.spatial)) if keep else x.shape[:2]
    y = requantize(w, Tensor(name, shape, x.spread, None, x.positive), like=like)
    return flattened(w, y) if keep else y


# movement


def flattened(w: Writer, x: Tensor) -> Tensor:
    """[1, ...] -> [1, F], in one of the forms exporters use."""
    form = w.choices.pick(("Flatten", "Reshape", "Reshape -1"))
    w.tag("flatten")
    size = x.size
    if form == "Flatten":
        y = w.flatten(x.name)
    else:
        y = w.reshape(x.name, [1, -1] if form == "Reshape" else [-1, size])
    return Tensor(y, (1, size), x.spread, x.grid, x.positive)


def _upsampled(w: Writer, x: Tensor) -> Tensor:
    factors = [2 if x.size <= MOST_ELEMENTS // 4 and w.choices.chance(70) else 1 for _ in x.spatial]
    if max(factors) == 1:
        return x
    w.tag("upsample")
    shape = (*x.shape[:2], *(n * f for n, f in zip(x.spatial, factors, strict=True)))
    return Tensor(w.upsample(x.name, factors), shape, x.spread, x.grid, x.positive, x.linear)


def upsample(w: Writer, x: Tensor) -> Tensor:
    """Nearest-neighbour upsampling of integers."""
    return _upsampled(w, x)


def depth_to_space(w: Writer, x: Tensor) -> Tensor:
    """DepthToSpace, where the channels allow it."""
    if len(x.shape) != 4 or x.channels % 4 or not x.scalar:
        return layer(w, x)
    h, v = x.spatial
    if h % 2 == 0 and v % 2 == 0 and w.choices.chance(30):
        w.tag("space to depth")
        shape = (1, 4 * x.channels, h // 2, v // 2)
        return Tensor(w.op("SpaceToDepth", x.name, blocksize=2), shape, x.spread, x.grid, x.positive)
    w.tag("depth to space")
    return Tensor(w.depth_to_space(x.name, 2), (1, x.channels // 4, 2 * h, 2 * v), x.spread, x.grid, x.positive)


def pad(w: Writer, x: Tensor) -> Tensor:
    """Padding with zero, or with another value of the tensor's grid."""
    c, g = w.choices, x.grid
    if g is None or (g.bipolar and g.scale.size):
        return layer(w, x)
    w.tag("pad")
    begins, ends = ([c.integer(0, 2) for _ in x.spatial] for _ in range(2))
    value = 0.0
    if g.scalar and c.chance(20) and w.exact:
        value = float(np.float32((g.hi - g.zero) * g.scale.reshape(())))
    shape = (*x.shape[:2], *(n + a + b for n, a, b in zip(x.spatial, begins, ends, strict=True)))
    return Tensor(w.pad(x.name, [0, 0, *begins, 0, 0, *ends], value), shape, x.spread, x.grid)


def crop(w: Writer, x: Tensor) -> Tensor:
    """Some rows or columns, or every second one."""
    c = w.choices
    axis = c.integer(2, len(x.shape) - 1)
    n = x.shape[axis]
    if n < 3:
        return layer(w, x)
    w.tag("crop")
    start, end = c.integer(0, 1), c.integer(n - 1, n)
    step = 2 if w.opset >= 10 and c.chance(40) else 1
    shape = list(x.shape)
    shape[axis] = -(-(end - start) // step)
    return Tensor(w.slice(x.name, start, end, axis, step), tuple(shape), x.spread, x.grid, x.positive)


def reshaped(w: Writer, x: Tensor) -> Tensor:
    """Another rank: image to sequence and back, vector to image."""
    c = w.choices
    if not x.scalar:
        return layer(w, x)
    w.tag("reshape")
    if len(x.shape) == 4:
        shape: Sequence[int] = (1, x.channels, x.size // x.channels)
    elif len(x.shape) == 3:
        return Tensor(w.unsqueeze(x.name, [2]), (*x.shape[:2], 1, x.shape[2]), x.spread, x.grid, x.positive)
    else:
        n = x.channels
        rows = next((r for r in (3, 2, 4) if n % r == 0), 1)
        shape = (1, rows, n // rows) if c.chance(50) else (1, n // rows, rows, 1)
    return Tensor(w.reshape(x.name, shape), tuple(shape), x.spread, x.grid, x.positive)


def elementwise(w: Writer, x: Tensor) -> Tensor:
    """Activation and quantizer on integers."""
    w.tag("requantize")
    y = activation(w, x) if w.choices.chance(60) else x
    return requantize(w, Tensor(y.name, y.shape, y.spread, None, y.positive))


# joins


def split(w: Writer, x: Tensor) -> Tensor:
    """Channels are split or sliced, one part goes through a layer or two, and the parts come together again."""
    c = w.choices
    if x.channels < 2 or not x.scalar or x.grid is None:
        return layer(w, x)
    w.tag("split")
    first = c.integer(1, x.channels - 1)
    sizes = [first, x.channels - first]
    if c.chance(50):
        names = w.split(x.name, sizes)
    else:
        names = [w.slice(x.name, 0, first), w.slice(x.name, first, x.channels)]
    a, b = (Tensor(n, (1, s, *x.spatial), x.spread, x.grid, x.positive) for n, s in zip(names, sizes, strict=True))
    if c.chance(25):
        return layer(w, a)
    a = layer(w, a, same=True, like=x.grid)
    parts = [b, a] if c.chance(50) else [a, b]
    return Tensor(w.concat(*(p.name for p in parts)), x.shape, x.spread, x.grid)


def _branch(w: Writer, x: Tensor, like: Grid | None, *, same: bool) -> Tensor:
    outputs = None if same else w.choices.integer(1, 4)
    y = x
    if w.choices.chance(12):
        w.tag("nested fork")
        y = residual(w, y, same=True)
    for last in ([False] if w.choices.chance(25) else []) + [True]:
        y = layer(w, y, same=True, outputs=outputs if last else None, like=like if last else None)
    return y


def concat(w: Writer, x: Tensor) -> Tensor:
    """Two branches side by side: on one grid, or on grids of their own and then behind a quantizer."""
    c = w.choices
    w.tag("concat")
    shared = c.chance(60)
    like = (x.grid if c.chance(50) and x.scalar else random_grid(w, x)) if shared else None
    a = x if like is not None and like is x.grid else _branch(w, x, like, same=False)
    b = _branch(w, x, like, same=False)
    shape = (1, a.channels + b.channels, *a.spatial)
    y = Tensor(w.concat(a.name, b.name), shape, max(a.spread, b.spread), like, a.positive and b.positive)
    if like is not None:
        return y
    w.tag("concat of different scales")
    if len(x.shape) > 2 and c.chance(30) and a.grid is not None and b.grid is not None and a.grid.zero == b.grid.zero:
        scale = np.concatenate([np.full(t.channels, t.grid.step) for t in (a, b) if t.grid is not None])
        wide = Grid(8, True, False, scale.reshape((1, -1) + (1,) * len(x.spatial)).astype(np.float32), a.grid.zero)
        return layer(w, Tensor(y.name, y.shape, y.spread, wide))
    return requantize(w, activation(w, y) if c.chance(40) else y)


def gate(w: Writer, x: Tensor) -> Tensor:
    """Squeeze and excite: one factor per channel, computed from the global average, multiplies the whole image."""
    c = w.choices
    if not x.scalar or x.channels > 6:
        return layer(w, x)
    w.tag("gate")
    y = w.op("GlobalAveragePool", x.name)
    pooled = requantize(w, Tensor(y, (*x.shape[:2], *(1 for _ in x.spatial)), x.spread, None, x.positive))
    middle = product(w, pooled, same=True)
    squashed = Tensor(w.op("Sigmoid" if c.chance(50) else "HardSigmoid", middle.name), middle.shape, 0.6, positive=True)
    factor = requantize(w, squashed)
    names = (x.name, factor.name) if c.chance(70) else (factor.name, x.name)
    return requantize(w, Tensor(w.op("Mul", *names), x.shape, x.spread * 0.6, None, x.positive))


def long_skip(w: Writer, x: Tensor) -> Tensor:
    """Side by side with, or added to, a tensor from further up."""
    fitting = [t for t in w.skips if t.spatial == x.spatial and len(t.shape) == len(x.shape) and t is not x]
    if not fitting:
        return residual(w, x)
    w.tag("long skip")
    other = w.choices.pick(fitting[::-1])
    if other.shape == x.shape and w.choices.chance(60):
        total = Tensor(
            w.op("Add", x.name, other.name), x.shape, x.spread + other.spread, None, x.positive and other.positive
        )
    else:
        shape = (1, x.channels + other.channels, *x.spatial)
        names = (x.name, other.name)
        if 2 * x.channels + other.channels <= MOST_CHANNELS and w.choices.chance(20):
            w.tag("concat of three")
            names, shape = (x.name, other.name, x.name), (1, shape[1] + x.channels, *x.spatial)
        total = Tensor(w.concat(*names), shape, max(x.spread, other.spread), None, x.positive and other.positive)
    return requantize(w, activation(w, total) if w.choices.chance(50) else total)


def residual(w: Writer, x: Tensor, *, same: bool = False) -> Tensor:
    """A fork and a sum or product of both ways; `same`: of the shape of `x`."""
    c = w.choices
    op = c.weighted({"Add": 75, "Mul": 20, "Sub": 5})
    w.tag(f"join {op}")
    shared = x.scalar and c.chance(55)
    left = x if c.chance(75) else layer(w, x, same=True, like=x.grid if shared else None)
    right = _branch(w, x, left.grid if shared and left.scalar else None, same=True)
    w.tag("join of equal scales" if shared else "join of different scales")
    names = (left.name, right.name) if c.chance(50) else (right.name, left.name)
    y = w.op(op, *names)
    if shared and op == "Add" and c.chance(15):
        w.tag("sum of three")
        y = w.op("Add", y, _branch(w, x, left.grid, same=True).name)
    spread = left.spread * right.spread if op == "Mul" else left.spread + right.spread
    positive = left.positive and right.positive and op != "Sub"
    total = Tensor(y, x.shape, spread, None, positive)
    if shared and op == "Add" and left.grid is not None and not same and c.chance(15):
        w.tag("sum into a product")
        exact = Tensor(y, x.shape, spread, left.grid, positive)
        return requantize(w, between(w, product(w, exact)))
    like = x.grid if x.scalar and c.chance(25) else None
    return requantize(w, activation(w, total) if c.chance(60) else total, like=like)


BLOCKS: dict[Block, int] = {
    layer: 40, residual: 12, concat: 7, split: 6, max_pool: 8, average_pool: 6, trunc_pool: 3, pad: 3, upsample: 3,
    depth_to_space: 3, reshaped: 3, elementwise: 4, crop: 3, gate: 3, long_skip: 6,
}  # fmt: skip
VECTOR_BLOCKS: dict[Block, int] = {
    layer: 50,
    residual: 14,
    concat: 8,
    split: 8,
    elementwise: 6,
    reshaped: 4,
    long_skip: 5,
}
PER_CHANNEL_BLOCKS: dict[Block, int] = {
    layer: 40,
    max_pool: 15,
    average_pool: 15,
    elementwise: 15,
    residual: 8,
    upsample: 5,
}
