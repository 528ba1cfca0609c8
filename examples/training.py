"""What the training scripts have in common. Needs flowc[brevitas]; running the examples does not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from brevitas.export import export_qonnx
from brevitas.nn import QuantConv1d, QuantConv2d, QuantIdentity, QuantLinear, QuantReLU
from brevitas.quant import Int8ActPerTensorFloat, Int8WeightPerTensorFloat, Uint8ActPerTensorFloat
from torch import Tensor, nn

__all__ = ["Conv", "Dense", "active", "fit", "inputs", "save"]

BATCH = 32


def inputs() -> nn.Module:
    """The input as signed 8-bit integers."""
    return QuantIdentity(act_quant=Int8ActPerTensorFloat)


def active(bits: int) -> nn.Module:
    return QuantReLU(act_quant=Uint8ActPerTensorFloat, bit_width=bits)


class Conv(nn.Sequential):
    """Convolution, batch normalization, ReLU behind a quantizer: ``bits`` for weights and activations."""

    def __init__(
        self, cin: int, cout: int, k: int, bits: int = 4, *, flat: bool = False, relu: bool = True, **options: int
    ) -> None:
        kind, norm = (QuantConv1d, nn.BatchNorm1d) if flat else (QuantConv2d, nn.BatchNorm2d)
        conv = kind(
            cin,
            cout,
            k,
            padding=k // 2,
            bias=False,
            weight_quant=Int8WeightPerTensorFloat,
            weight_bit_width=bits,
            **options,
        )
        super().__init__(conv, norm(cout), *([active(bits)] if relu else []))


class Dense(nn.Sequential):
    """Linear layer; with ``relu`` batch normalization and a quantized ReLU behind it."""

    def __init__(self, cin: int, cout: int, bits: int = 4, *, relu: bool = True) -> None:
        linear = QuantLinear(cin, cout, bias=False, weight_quant=Int8WeightPerTensorFloat, weight_bit_width=bits)
        super().__init__(linear, *([nn.BatchNorm1d(cout), active(bits)] if relu else []))


def fit(net: nn.Module, x: Tensor, y: Tensor, loss: nn.Module, *, epochs: int, rate: float = 4e-3) -> None:
    """Adam with a falling learning rate; the same result at every run."""
    torch.set_num_threads(1)
    optimizer = torch.optim.Adam(net.parameters(), rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    order = torch.Generator().manual_seed(0)
    net.train()
    for _ in range(epochs):
        for rows in torch.randperm(len(x), generator=order).split(BATCH):
            if len(rows) > 1:
                optimizer.zero_grad()
                loss(net(x[rows]), y[rows]).backward()
                optimizer.step()
        schedule.step()
    net.eval()


def save(net: nn.Module, folder: Path, x: Tensor, labels: Tensor) -> None:
    """``model.onnx`` and ``test.npz``."""
    export_qonnx(
        net.eval(),
        args=x[:1],
        export_path=str(folder / "model.onnx"),
        dynamo=False,
        keep_initializers_as_inputs=False,
        input_names=["x"],
        output_names=["y"],
    )
    np.savez_compressed(folder / "test.npz", x=x.numpy(), labels=labels.numpy())
