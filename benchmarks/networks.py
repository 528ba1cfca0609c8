"""The networks of the benchmarks as dataflow graphs, with random weights and thresholds.

Only shapes and types matter for allocation; these need no training framework and no files. `brevitas_cnv` makes one with it.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from flowc.model.dtypes import BIPOLAR, IntType, SInt, UInt
from flowc.streamline.compile import compile_model
from flowc.units import (
    Activation,
    Fork,
    Frame,
    GlobalSum,
    InputPort,
    Join,
    Mvtu,
    OutputPort,
    Pad,
    Pool,
    Requant,
    Thresholds,
    Unit,
    Vvtu,
    Window,
)
from flowc.units.graph import Dataflow, Stream


class Net:
    """Builds a graph unit by unit; ``at`` is the name of the last one."""

    def __init__(self, h: int, w: int, c: int, dtype: IntType, seed: int = 0) -> None:
        self.rng = np.random.default_rng(seed)
        frame = Frame(h, w, c, dtype)
        self.units: list[Unit] = [InputPort(name="x", tensor="x", tensor_shape=(c, h, w), frame=frame)]
        self.streams: list[Stream] = []
        self.at = "x"
        self.frame = frame
        self.count = 0

    def add(self, unit: Unit, src: str | None = None, src_port: int = 0, dst_port: int = 0) -> str:
        """Puts a unit behind ``src``, or behind the last one."""
        self.units.append(unit)
        self.streams.append(Stream(src or self.at, unit.name, src_port, dst_port))
        self.at, self.frame = unit.name, unit.outputs[0]
        return unit.name

    def _activation(self, channels: int, out: IntType, acc: IntType) -> Activation:
        """Thresholds up to three bits, else a multiply-add-shift with 14-bit multipliers, as a real network gets them."""
        if out.bits > 3:
            mult = self.rng.integers(1 << 12, 1 << 13, channels)
            add = self.rng.integers(-(1 << 19), 1 << 19, channels)
            return Requant(dtype=out, mult=mult, add=add, shift=16, lo=out.lo, hi=out.hi)
        levels = 1 if out.bipolar else out.hi - out.lo
        values = np.sort(self.rng.integers(acc.lo, acc.hi + 1, (channels, levels)), axis=1)
        step = np.array([[2 if out.bipolar else 1]])
        return Thresholds(dtype=out, values=values, base=np.full(channels, out.lo), step=step)

    def _acc(self, inputs: int, weight: IntType) -> IntType:
        bound = inputs * max(abs(weight.lo), weight.hi) * max(abs(self.frame.dtype.lo), self.frame.dtype.hi)
        return IntType.for_range(-bound, bound)

    def matrix(self, out: int, weight: IntType, act: IntType | None) -> str:
        """A dense layer on the channels; ``act`` None leaves the accumulators."""
        self.count += 1
        return self._matrix(f"fc{self.count}", out, weight, act, 1)

    def _matrix(self, name: str, out: int, weight: IntType, act: IntType | None, taps: int) -> str:
        mw = self.frame.c
        acc = self._acc(mw, weight)
        values = self.rng.integers(max(weight.lo, -1), 2, (out, mw))
        if weight.bipolar:
            values = 2 * self.rng.integers(0, 2, (out, mw)) - 1
        activation = None if act is None else self._activation(out, act, acc)
        unit = Mvtu(
            name=name, frame=self.frame, weights=values.astype(np.int64), weight_type=weight, acc=acc, activation=activation,
            taps=taps, block=mw // taps,
        )  # fmt: skip
        return self.add(unit)

    def flatten(self) -> None:
        """Sees the frame as a vector."""
        f = self.frame
        self.frame = Frame(1, 1, f.elements, f.dtype)

    def window(self, name: str, k: int, stride: int, pad: int, block: int) -> None:
        """Padding and a sliding window."""
        f = self.frame
        if pad:
            out = Frame(f.h + 2 * pad, f.w + 2 * pad, f.c, f.dtype)
            self.add(Pad(name=f"{name}_pad", frame=f, out=out, top=pad, left=pad, bottom=pad, right=pad))
        self.add(Window(name=f"{name}_window", frame=self.frame, kernel=(k, k), stride=(stride, stride), block=block))

    def conv(self, out: int, weight: IntType, act: IntType | None, *, k: int = 3, stride: int = 1, pad: int = 0) -> str:
        """A convolution with its padding and window."""
        self.count += 1
        name = f"conv{self.count}"
        if k > 1 or stride > 1:
            self.window(name, k, stride, pad, self.frame.c)
        return self._matrix(name, out, weight, act, k * k)

    def depthwise(self, weight: IntType, act: IntType | None, *, k: int = 3, stride: int = 1, pad: int = 1) -> str:
        """A depthwise convolution with its padding and window."""
        self.count += 1
        name, c = f"dw{self.count}", self.frame.c
        self.window(name, k, stride, pad, 1)
        acc = self._acc(k * k, weight)
        values = self.rng.integers(-1, 2, (c, k * k))
        activation = None if act is None else self._activation(c, act, acc)
        unit = Vvtu(
            name=name, frame=self.frame, channels=c, weights=values, weight_type=weight, acc=acc, activation=activation
        )
        return self.add(unit)

    def pool(self, k: int = 2) -> str:
        """A maximum pool with its window."""
        self.count += 1
        c, dtype = self.frame.c, self.frame.dtype
        self.window(f"pool{self.count}", k, k, 0, 1)
        return self.add(Pool(name=f"pool{self.count}", frame=self.frame, channels=c, op="max", acc=dtype))

    def fork(self, ways: int = 2) -> str:
        """Copies the stream; the current one is the first copy."""
        self.count += 1
        return self.add(Fork(name=f"fork{self.count}", frame=self.frame, ways=ways))

    def join(self, left: str, right: str, right_port: int, act: IntType) -> str:
        """Adds the outputs of two units."""
        self.count += 1
        a, b = self.frame, self.frame
        acc = IntType.for_range(2 * min(a.dtype.lo, 0), 2 * a.dtype.hi)
        one = np.array([1])
        unit = Join(
            name=f"add{self.count}", left=a, right=b, op="add", acc=acc, left_scale=one, right_scale=one,
            activation=self._activation(a.c, act, acc),
        )  # fmt: skip
        self.add(unit, src=left)
        self.streams.append(Stream(right, unit.name, right_port, 1))
        return unit.name

    def global_sum(self, act: IntType) -> str:
        """The sum over all positions."""
        self.count += 1
        acc = IntType.for_range(0, self.frame.pixels * self.frame.dtype.hi)
        activation = self._activation(self.frame.c, act, acc)
        return self.add(GlobalSum(name=f"sum{self.count}", frame=self.frame, acc=acc, activation=activation))

    def shortcut(self, fork: str, at: Frame, out: int, weight: IntType, act: IntType, stride: int) -> str:
        """A 1 x 1 convolution on the second branch of a fork; the main branch stays the current one."""
        main = self.at, self.frame
        self.at, self.frame = fork, at
        before = len(self.streams)
        name = self.conv(out, weight, act, k=1, stride=stride)
        first = self.streams[before]
        self.streams[before] = Stream(first.src, first.dst, 1, first.dst_port)
        self.at, self.frame = main
        return name

    def done(self, name: str = "net") -> Dataflow:
        """The graph, with its output port."""
        f = self.frame
        self.add(OutputPort(name="y", tensor="y", tensor_shape=(f.c, f.h, f.w), frame=f))
        return Dataflow(name, self.units, self.streams)


def cnv(bits: int) -> Dataflow:
    """The VGG-like CIFAR-10 network of the FINN papers with ``bits``-bit weights and activations (1: bipolar)."""
    weight = BIPOLAR if bits == 1 else SInt(bits)
    act = BIPOLAR if bits == 1 else UInt(bits)
    net = Net(32, 32, 3, UInt(8))
    for out, pool in ((64, False), (64, True), (128, False), (128, True), (256, False), (256, False)):
        net.conv(out, weight, act)
        if pool:
            net.pool()
    net.flatten()
    net.matrix(512, weight, act)
    net.matrix(512, weight, act)
    net.matrix(10, weight, None)
    return net.done(f"cnv_{bits}w{bits}a")


_EXPORT = """
import sys, torch
from brevitas.export import export_qonnx
from brevitas_examples.bnn_pynq.models import model_with_cfg
torch.manual_seed(0)
model, _ = model_with_cfg(sys.argv[1], pretrained=False)
with torch.no_grad():
    if "drawn" in sys.argv[3:]:
        for norm in model.modules():
            if isinstance(norm, torch.nn.modules.batchnorm._BatchNorm):
                norm.weight.uniform_(0.5, 1.5)
                norm.bias.normal_(0, 0.5)
    if "calibrated" in sys.argv[3:]:
        for _ in range(8):
            model(torch.rand(16, 3, 32, 32))
export_qonnx(model.eval(), args=torch.zeros(1, 3, 32, 32), export_path=sys.argv[2], dynamo=False,
             keep_initializers_as_inputs=False, input_names=["x"], output_names=["y"])
"""


def brevitas_cnv(bits: int) -> Dataflow | None:
    """Brevitas' own CNV (bnn_pynq, untrained), exported to QONNX and read as any model; None without Brevitas.

    Its batch norms are drawn and calibrated: as they begin, all thresholds of a layer are one number, and no memory is needed for it.

    The export runs in a process of its own: the training framework's memory is not flowc's.
    """
    if importlib.util.find_spec("brevitas_examples") is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"cnv_{bits}w{bits}a_brevitas.onnx"
        export_brevitas(f"cnv_{bits}w{bits}a", path, calibrated=True, drawn=True)
        return compile_model(path).graph


def export_brevitas(name: str, path: Path, *, calibrated: bool = False, drawn: bool = False) -> None:
    """Writes one of Brevitas' bnn_pynq models for CIFAR-10, untrained, as QONNX.

    Args:
        name: of its configuration, such as "cnv_2w2a" or "resnet18_4w4a".
        calibrated: batch norms and scales take the statistics of random images, so that the integers of all layers vary.
        drawn: factors (0.5 to 1.5) and addends (normal, of deviation 0.5) of batch norms are drawn first, so that every channel has
            thresholds of its own, as after training.

    Raises:
        subprocess.CalledProcessError: the export fails, for want of Brevitas to begin with.
    """
    chosen = [word for word, wanted in (("calibrated", calibrated), ("drawn", drawn)) if wanted]
    command = [sys.executable, "-W", "ignore", "-c", _EXPORT, name, str(path), *chosen]
    subprocess.run(command, check=True, capture_output=True)


def mobilenet_v1(bits: int = 4) -> Dataflow:
    """MobileNetV1 for 224 x 224 images, 4.2 million weights, 568 million products."""
    net = Net(224, 224, 3, UInt(8))
    weight, act = SInt(bits), UInt(bits)
    net.conv(32, SInt(8), act, stride=2, pad=1)
    steps = [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5, (1024, 2), (1024, 1)]
    for out, stride in steps:
        net.depthwise(weight, act, stride=stride)
        net.conv(out, weight, act, k=1)
    net.global_sum(act)
    net.matrix(1000, weight, None)
    return net.done(f"mobilenet_v1_{bits}b")


def resnet18(bits: int = 4) -> Dataflow:
    """ResNet-18 for 32 x 32 images (11.2 million weights, 555 million products)."""
    net = Net(32, 32, 3, UInt(8))
    weight, act = SInt(bits), UInt(bits)
    net.conv(64, SInt(8), act, pad=1)
    for out, stride in ((64, 1), (64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), (512, 1)):
        fork, at = net.fork(), net.frame
        net.conv(out, weight, act, stride=stride, pad=1)
        left = net.conv(out, weight, act, pad=1)
        right, port = fork, 1
        if stride > 1:
            right, port = net.shortcut(fork, at, out, weight, act, stride), 0
        net.join(left, right, port, act)
    net.global_sum(act)
    net.matrix(10, weight, None)
    return net.done(f"resnet18_{bits}b")


def resnet8() -> Dataflow:
    """The ResNet of MLPerf Tiny's image classification (32 x 32 images, 77,360 weights, 12.5 million products), of 8 bits."""
    net = Net(32, 32, 3, UInt(8))
    weight, act = SInt(8), UInt(8)
    net.conv(16, weight, act, pad=1)
    for out, stride in ((16, 1), (32, 2), (64, 2)):
        fork, at = net.fork(), net.frame
        net.conv(out, weight, act, stride=stride, pad=1)
        left = net.conv(out, weight, act, pad=1)
        right, port = fork, 1
        if stride > 1:
            right, port = net.shortcut(fork, at, out, weight, act, stride), 0
        net.join(left, right, port, act)
    net.global_sum(act)
    net.matrix(10, weight, None)
    return net.done("resnet8_8b")
