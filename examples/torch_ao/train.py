"""Trains a small network on scikit-learn's digits in float and quantizes it to 8 bits by torch.ao, after training.

Nothing of Brevitas is in the network; its helpers come with flowc[brevitas], which this script needs. Half a minute.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.ao.quantization import DeQuantStub, QuantStub, convert, fuse_modules, get_default_qconfig, prepare

from examples.digits.train import load_data
from examples.training import fit

HERE = Path(__file__).resolve().parent
CALIBRATION = 256


class Net(nn.Module):
    """Two convolutions and a linear layer; the stubs say where integers begin and end."""

    def __init__(self) -> None:
        super().__init__()
        self.quant, self.dequant = QuantStub(), DeQuantStub()
        self.conv1, self.bn1, self.relu1 = nn.Conv2d(1, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU()
        self.conv2, self.bn2, self.relu2 = nn.Conv2d(8, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU()
        self.pool = nn.MaxPool2d(2)
        self.linear = nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.quant(x)
        x = self.pool(self.relu1(self.bn1(self.conv1(x))))
        x = self.pool(self.relu2(self.bn2(self.conv2(x))))
        y: Tensor = self.dequant(self.linear(x.flatten(1)))
        return y


def quantized(net: nn.Module, x: Tensor) -> nn.Module:
    """Batch normalizations into the convolutions, ranges from ``x``, integers."""
    torch.backends.quantized.engine = "qnnpack"
    fused = fuse_modules(net.eval(), [["conv1", "bn1", "relu1"], ["conv2", "bn2", "relu2"]])
    fused.qconfig = get_default_qconfig("qnnpack")
    watched = prepare(fused)
    watched(x)
    result: nn.Module = convert(watched)
    return result


def main() -> None:
    warnings.filterwarnings(
        "ignore", category=DeprecationWarning
    )  # of torch.ao itself, and of the exporter that it needs
    torch.manual_seed(0)
    data = load_data()
    net = Net()
    fit(net, data.train_x, data.train_y, nn.CrossEntropyLoss(), epochs=15)
    with torch.no_grad():
        for name, told in (("float", net), ("8 bits", quantized(net, data.train_x[:CALIBRATION]))):
            print(f"{name:8} {(told(data.test_x).argmax(1) == data.test_y).double().mean():.2%} right")
    torch.onnx.export(
        told,
        (data.test_x[:1],),
        str(HERE / "model.onnx"),
        dynamo=False,
        opset_version=13,
        input_names=["x"],
        output_names=["y"],
        dynamic_axes={"x": {0: "N"}, "y": {0: "N"}},
    )


if __name__ == "__main__":
    main()
