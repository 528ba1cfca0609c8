"""Layers of random nets: matrix products and convolutions, batch normalization, activations, quantizers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from tests.fuzz.choices import ROUNDINGS, Array, Grid, Tensor, of_class
from tests.fuzz.writer import Writer

MOST_ELEMENTS = 360
MOST_CHANNELS = 10


@dataclass(frozen=True)
class Kernel:
    """One spatial axis of a convolution or pool."""

    size: int
    stride: int = 1
    dilation: int = 1
    begin: int = 0
    end: int = 0
    extra: int = 0

    @property
    def reach(self) -> int:
        """Elements that the window covers."""
        return (self.size - 1) * self.dilation + 1

    def length(self, n: int) -> int:
        """Output length of a convolution on `n` elements."""
        return (n + self.begin + self.end - self.reach) // self.stride + 1

    def transposed(self, n: int) -> int:
        """Output length of a transposed convolution on `n` elements."""
        return (n - 1) * self.stride + self.reach - self.begin - self.end + self.extra


# quantizers


def random_bits(w: Writer) -> int:
    """1 to 8 bits, the widths in use more often."""
    return w.choices.weighted({4: 24, 2: 16, 3: 16, 1: 8, 5: 10, 6: 6, 8: 14, 7: 6})


def random_grid(w: Writer, x: Tensor, *, scalar: bool = True, bits: int | None = None) -> Grid:
    """A quantizer that suits the values of `x`."""
    c = w.choices
    rounding = c.pick(ROUNDINGS) if w.dialect != "qcdq" and c.chance(25) else "ROUND"
    if bits is None:
        bits = 16 if c.integer(0, 499) == 499 and x.channels <= 3 else random_bits(w)
    signed = c.chance(20) if x.positive else c.chance(70)
    if bits == 1 and (signed or w.dialect == "qcdq" or c.chance(30)):
        return Grid(1, True, False, np.float32(of_class(w.scale_class, x.spread, c)), bipolar=True)
    narrow = bits > 1 and c.chance(25)
    plain = Grid(bits, signed, narrow, np.float32(1), rounding=rounding)
    half = max(1.0, (plain.hi - plain.lo) / 2 if signed else float(plain.hi))
    wanted = x.spread * c.pick((2.0, 1.0, 3.0)) / half
    zero = 0
    if bits > 1 and c.chance(15):
        zero = c.integer(plain.lo, plain.hi)
    scale: Array = np.asarray(of_class(w.scale_class, wanted, c), np.float32)
    if not scalar:
        w.tag("per-channel activation scale")
        factors = w.rng.uniform(0.6, 1.6, (1, x.channels) + (1,) * len(x.spatial))
        if w.exact:
            factors = 2.0 ** w.rng.integers(-1, 2, factors.shape)
        scale = (scale * factors).astype(np.float32)
    return replace(plain, scale=scale, zero=zero, multiples=not scalar and w.exact)


def requantize(w: Writer, x: Tensor, *, like: Grid | None = None, scalar: bool = True) -> Tensor:
    """`x` behind a quantizer: a new one, or another instance of `like`."""
    if like is not None and like.scale.ndim not in (0, len(x.shape)):
        # The scale of a single channel, of the rank of the tensor it came with.
        like = replace(like, scale=like.scale.reshape(()))
    grid = like if like is not None else random_grid(w, x, scalar=scalar)
    return w.nothing(w.quantize(x, grid, shared=like is not None))


# weights


def weights(w: Writer, shape: Sequence[int], output_axis: int) -> tuple[str, float, Grid | None]:
    """A quantized weight tensor: its name, the rough size of its values, and its grid (None where it has no quantizer)."""
    key = (tuple(shape), output_axis)
    if key in w.weights and w.choices.chance(20):
        w.tag("weights used twice")
        return w.weights[key]
    w.weights[key] = _new_weights(w, shape, output_axis)
    return w.weights[key]


def _new_weights(w: Writer, shape: Sequence[int], output_axis: int) -> tuple[str, float, Grid | None]:
    c = w.choices
    kind = c.weighted({"int": 50, "binary": 10, "ternary": 10, "zero": 8, "raw": 5, "two-level": 2})
    thin = [1] * len(shape)
    thin[output_axis] = shape[output_axis]
    per_channel = c.chance(35)
    base = of_class(w.scale_class, 0.3, c)
    scale: Array = np.full(thin if per_channel else (), base, np.float32)
    if per_channel:
        factors = 2.0 ** w.rng.integers(-1, 2, thin) if w.exact else w.rng.uniform(0.5, 1.5, thin)
        scale = (scale * factors).astype(np.float32)
        w.tag("per-channel weight scale")
    w.tag(f"weights {kind}")
    if kind == "two-level" and int(np.prod(shape)) // shape[output_axis] <= 24:
        levels = w.rng.choice([-1, 0, 1], shape)
        values = np.where(levels > 0, np.float32(base), np.float32(-1.5 * base)) * np.abs(levels)
        return w.const(values.astype(np.float32), "w"), base, None
    if kind in ("raw", "two-level"):
        levels = w.rng.integers(-7, 8, shape)
        # The step of each output is recovered from its least weight.
        levels[tuple(slice(None) if axis == output_axis else 0 for axis in range(len(shape)))] = 1
        return w.const((levels * scale).astype(np.float32), "w"), 4 * base, None
    if kind == "binary":
        grid = Grid(1, True, False, scale, bipolar=True)
        source = w.rng.normal(0, 1, shape)
    else:
        bits = 2 if kind == "ternary" else c.weighted({4: 30, 2: 10, 3: 20, 5: 10, 6: 10, 7: 5, 8: 25})
        signed = kind != "zero" or c.chance(50)
        grid = Grid(bits, signed, c.chance(50) or kind == "ternary", scale)
        if kind == "zero":
            grid = replace(grid, zero=c.integer(grid.lo, grid.hi))
        source = (w.rng.uniform(grid.lo - 0.4, grid.hi + 0.4, shape) - grid.zero) * grid.scale
    name = w.quantizer(w.const(source.astype(np.float32), "w"), grid, axis=output_axis)
    return name, max(grid.spread, 0.5 * grid.step), grid


def bias(w: Writer, x: Tensor, weight: Grid | None, outputs: int, spread: float) -> str | None:
    """A bias vector: none, float, or quantized to 8, 16 or 32 bits."""
    c = w.choices
    kind = c.weighted({"none": 45, "float": 30, "quantized": 25})
    w.tag(f"bias {kind}")
    if kind == "none":
        return None
    values = w.rng.normal(0, 0.4 * spread, outputs)
    if kind == "float" or weight is None or x.grid is None or not x.grid.scalar:
        return w.floats(values, "bias")
    scale = (x.grid.scale.reshape(()) * weight.scale).reshape(-1).astype(np.float32)
    bits = c.pick((32, 16, 8))
    w.tag(f"bias int{bits}")
    if w.dialect == "qcdq":
        integers = np.rint(values / scale).astype(np.int32)
        along = {"axis": 0} if len(scale) > 1 else {}
        return w.op(
            "DequantizeLinear", w.const(integers), w.const(scale if len(scale) > 1 else scale.reshape(())), **along
        )
    if c.chance(20):
        w.tag("bias of its own scale")
        scale = np.asarray([of_class(w.scale_class, float(np.abs(values).max()) / 100, c)], np.float32)
    grid = Grid(bits, True, c.chance(20), scale if len(scale) > 1 else scale.reshape(()))
    return w.quantizer(w.const(values.astype(np.float32), "b"), grid, axis=0)


# products


def linear(w: Writer, x: Tensor, outputs: int | None = None) -> Tensor:
    """A linear layer on [1, F], or on the channels of [1, C, L] between two transposes."""
    c = w.choices
    n_in = x.channels
    n_out = outputs or c.integer(1, 12)
    form = "MatMul" if len(x.shape) == 3 else c.pick(("Gemm", "MatMul", "plain"))
    w.tag("linear")
    transposed = form == "Gemm" or (form == "MatMul" and c.chance(50))
    name, size, grid = weights(w, (n_out, n_in) if transposed else (n_in, n_out), 0 if transposed else 1)
    spread = max(x.spread * size * np.sqrt(n_in), 1e-6)
    offset = bias(w, x, grid, n_out, spread)
    if form == "Gemm":
        return Tensor(w.gemm(x.name, name, offset, n_out), (1, n_out), spread, linear=True)
    matrix = w.op("Transpose", name, perm=[1, 0]) if transposed else name
    source = x.name
    if len(x.shape) == 3:
        w.tag("transpose")
        source = w.op("Transpose", source, perm=[0, 2, 1])
    y = w.op("MatMul", source, matrix)
    if offset is not None:
        y = w.op("Add", y, offset) if c.chance(70) else w.op("Add", offset, y)
    if len(x.shape) == 3:
        y = w.op("Transpose", y, perm=[0, 2, 1])
    return Tensor(y, (1, n_out, *x.spatial), spread, linear=offset is None)


def _kernel(w: Writer, n: int, *, same: bool, longest: int = 3) -> Kernel:
    c = w.choices
    size = c.pick((3, 1, 2, 3, 4)) if longest > 3 else c.pick((3, 1, 2))
    if same:
        size = min(size, 3)
        dilation = 2 if size == 3 and n >= 3 and c.chance(15) else 1
        total = (size - 1) * dilation
        begin = total // 2 if c.chance(70) else c.integer(0, total)
        return Kernel(size, 1, dilation, begin, total - begin)
    dilation = 2 if c.chance(15) else 1
    begin, end = (c.pick((0, 1, 2)) if c.chance(50) else 0 for _ in range(2))
    kernel = Kernel(size, c.pick((1, 2, 3)), dilation, begin, end)
    return kernel if kernel.length(n) >= 1 else Kernel(1)


def _auto_pad(w: Writer, spatial: Sequence[int], kernels: Sequence[Kernel]) -> tuple[str, list[int]] | None:
    """Now and then auto_pad instead of pads, with the output lengths that it makes."""
    mode = w.choices.pick(("SAME_UPPER", "SAME_LOWER", "VALID"))
    if mode == "VALID":
        lengths = [(n - k.reach) // k.stride + 1 for n, k in zip(spatial, kernels, strict=True)]
    else:
        lengths = [-(-n // k.stride) for n, k in zip(spatial, kernels, strict=True)]
    if min(lengths) < 1 or any(k.dilation > 1 for k in kernels):
        return None
    w.tag("auto_pad")
    return mode, lengths


def conv(w: Writer, x: Tensor, *, same: bool = False, outputs: int | None = None, kind: str | None = None) -> Tensor:
    """A convolution, plain, grouped, depthwise or transposed; `same`: of the shape of `x` (or with `outputs` channels)."""
    c = w.choices
    cin = x.channels
    kind = kind or c.weighted({"plain": 60, "depthwise": 18, "grouped": 10, "transposed": 8})
    if kind == "transposed" and not same and x.size <= 80 and x.scalar:
        return _conv_transpose(w, x, outputs or c.integer(1, 6))
    divisors = [g for g in range(2, cin) if cin % g == 0]
    if kind == "depthwise":
        group = cin
        multiplier = 2 if c.chance(30) and 2 * cin <= MOST_CHANNELS and not (same or outputs) else 1
        if (outputs or (cin if same else cin * multiplier)) % cin:
            group = 1
        cout = outputs or cin * multiplier
        w.tag("depthwise" if multiplier == 1 else "depthwise multiplier")
    elif kind == "grouped" and divisors and x.scalar:
        group = c.pick(divisors)
        cout = outputs or (cin if same else group * c.integer(1, max(1, MOST_CHANNELS // group)))
        group = group if cout % group == 0 else 1
        w.tag("grouped")
    else:
        group, cout = 1, outputs or (cin if same else c.integer(1, 8))
        w.tag("conv")
    kernels = [_kernel(w, n, same=same, longest=4) for n in x.spatial]
    attributes: dict[str, object] = {
        "kernel_shape": [k.size for k in kernels],
        "strides": [k.stride for k in kernels],
        "dilations": [k.dilation for k in kernels],
        "pads": [k.begin for k in kernels] + [k.end for k in kernels],
        "group": group,
    }
    lengths = [k.length(n) for k, n in zip(kernels, x.spatial, strict=True)]
    auto = None if same or not c.chance(12) else _auto_pad(w, x.spatial, kernels)
    if auto is not None:
        attributes["auto_pad"], lengths = auto
        del attributes["pads"]
    for k in kernels:
        w.tag(
            *(
                t
                for t, on in (
                    ("stride", k.stride > 1),
                    ("dilation", k.dilation > 1),
                    ("padding", k.begin + k.end),
                    ("asymmetric", k.begin != k.end),
                )
                if on
            )
        )
    name, size, grid = weights(w, (cout, cin // group, *(k.size for k in kernels)), 0)
    fan_in = cin // group * int(np.prod([k.size for k in kernels]))
    return _convolved(w, "Conv", x, (1, cout, *lengths), (name, size, grid), fan_in, attributes)


def _conv_transpose(w: Writer, x: Tensor, cout: int) -> Tensor:
    c = w.choices
    w.tag("transposed convolution")
    kernels = []
    for n in x.spatial:
        size, stride = c.pick((2, 3, 1)), c.pick((2, 1, 3))
        dilation = 2 if c.chance(10) else 1
        reach = (size - 1) * dilation
        begin, end = (c.integer(0, min(reach, 2)) if c.chance(40) else 0 for _ in range(2))
        extra = c.integer(0, stride - 1) if stride > 1 and c.chance(25) else 0
        k = Kernel(size, stride, dilation, begin, end, extra)
        kernels.append(k if k.transposed(n) >= 1 else Kernel(size, stride, dilation))
    attributes = {
        "kernel_shape": [k.size for k in kernels],
        "strides": [k.stride for k in kernels],
        "dilations": [k.dilation for k in kernels],
        "pads": [k.begin for k in kernels] + [k.end for k in kernels],
        "output_padding": [k.extra for k in kernels],
    }
    name, size, grid = weights(w, (x.channels, cout, *(k.size for k in kernels)), 1)
    fan_in = x.channels * int(np.prod([-(-k.size // k.stride) for k in kernels]))
    lengths = [k.transposed(n) for k, n in zip(kernels, x.spatial, strict=True)]
    return _convolved(w, "ConvTranspose", x, (1, cout, *lengths), (name, size, grid), fan_in, attributes)


def _convolved(
    w: Writer,
    op: str,
    x: Tensor,
    shape: tuple[int, ...],
    weight: tuple[str, float, Grid | None],
    fan_in: int,
    attributes: dict[str, object],
) -> Tensor:
    name, size, grid = weight
    spread = max(x.spread * size * np.sqrt(fan_in), 1e-6)
    offset = bias(w, x, grid if op == "Conv" else None, shape[1], spread)
    inside = offset is not None and w.choices.chance(60)
    y = w.op(op, x.name, name, *([offset] if offset is not None and inside else []), **attributes)
    if offset is not None and not inside:
        target = w.ints(*((-1,) + (1,) * len(x.spatial)))
        y = w.op("Add", y, w.op("Reshape", offset, target))
    return Tensor(y, shape, spread, linear=offset is None)


def product(w: Writer, x: Tensor, *, same: bool = False, outputs: int | None = None) -> Tensor:
    """A matrix product or convolution that suits the rank and the quantizer of `x`."""
    if len(x.shape) == 2:
        return linear(w, x, outputs if outputs is not None else x.channels if same else None)
    if len(x.shape) == 3 and x.scalar and w.choices.chance(15):
        return linear(w, x, outputs if outputs is not None else x.channels if same else None)
    if x.grid is not None and x.grid.multiples and w.choices.chance(50):
        w.tag("dense product of related scales")
        return conv(w, x, same=same, outputs=outputs, kind="plain")
    return conv(w, x, same=same, outputs=outputs, kind=None if x.scalar else "depthwise")
