"""Trains the two digits networks of this example with Brevitas and exports them to QONNX.

Writes, beside this script, `digits_cnn_w4a4.onnx`, `digits_cnn_w1a1.onnx`, `digits_test.npz` (the whole test set) and
`accuracy.json` (what torch measures on it). Seeds, split and number of threads are fixed, so that a second run gives
the same files. About a minute on one core. Needs `pip install "flowc[brevitas]"`; using the results does not.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import torch
from brevitas.export import export_qonnx
from brevitas.inject.enum import ScalingImplType
from brevitas.nn import QuantConv2d, QuantIdentity, QuantLinear, QuantReLU
from brevitas.quant import (
    Int8WeightPerTensorFloat,
    SignedBinaryActPerTensorConst,
    SignedBinaryWeightPerTensorConst,
    Uint8ActPerTensorFloat,
)
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

HERE = Path(__file__).resolve().parent
TEST_SHARE = 0.2
BATCH = 32
EPOCHS = 40
LEARNING_RATE = 4e-3


class PixelQuant(Uint8ActPerTensorFloat):
    """Unsigned 8-bit input with the constant scale 1/255, the one an 8-bit camera pixel has."""

    scaling_impl_type = ScalingImplType.CONST
    scaling_init = 1.0


@dataclass(frozen=True)
class Data:
    """Images are float32 [N, 1, 8, 8] holding multiples of 1/255 in 0..1; labels are int64 [N]."""

    train_x: Tensor
    train_y: Tensor
    test_x: Tensor
    test_y: Tensor


def load_data() -> Data:
    """scikit-learn's digits, their 17 grey levels spread over 0..255, split in a fixed, stratified way."""
    digits = load_digits()
    pixels = np.round(digits.images * (255 / 16)).astype(np.uint8)
    images = (pixels / np.float32(255)).astype(np.float32)[:, None]
    train_x, test_x, train_y, test_y = train_test_split(
        images, digits.target.astype(np.int64), test_size=TEST_SHARE, random_state=0, stratify=digits.target
    )
    return Data(*map(torch.from_numpy, (train_x, train_y, test_x, test_y)))


def cnn_w4a4() -> nn.Module:
    """4-bit weights and activations: two 3x3 convolutions with ReLU and pooling, and a linear layer."""

    def conv(inputs: int, outputs: int) -> list[nn.Module]:
        return [
            QuantConv2d(
                inputs, outputs, 3, padding=1, bias=False, weight_quant=Int8WeightPerTensorFloat, weight_bit_width=4
            ),
            nn.BatchNorm2d(outputs),
            QuantReLU(act_quant=Uint8ActPerTensorFloat, bit_width=4),
        ]

    return nn.Sequential(
        QuantIdentity(act_quant=PixelQuant),
        *conv(1, 16),
        nn.MaxPool2d(2),
        *conv(16, 32),
        nn.MaxPool2d(2),
        nn.Flatten(),
        QuantLinear(128, 10, bias=False, weight_quant=Int8WeightPerTensorFloat, weight_bit_width=4),
    )


def cnn_w1a1() -> nn.Module:
    """Binary weights and activations (-1 and +1): three 3x3 convolutions and a linear layer.

    Only the first convolution pads: its input has a zero, the -1/+1 activations of the others have none.
    """

    def sign() -> nn.Module:
        return QuantIdentity(act_quant=SignedBinaryActPerTensorConst)

    def conv(inputs: int, outputs: int, padding: int = 0) -> list[nn.Module]:
        return [
            QuantConv2d(inputs, outputs, 3, padding=padding, bias=False, weight_quant=SignedBinaryWeightPerTensorConst),
            nn.BatchNorm2d(outputs),
            sign(),
        ]

    return nn.Sequential(
        QuantIdentity(act_quant=PixelQuant),
        *conv(1, 32, padding=1),
        *conv(32, 32),
        nn.MaxPool2d(2),
        *conv(32, 64),
        nn.Flatten(),
        QuantLinear(64, 10, bias=False, weight_quant=SignedBinaryWeightPerTensorConst),
        nn.BatchNorm1d(10),
    )


def shifted(images: Tensor, generator: torch.Generator) -> Tensor:
    """The batch with each image moved by at most one pixel in each direction."""
    padded = nn.functional.pad(images, (1, 1, 1, 1))
    dy, dx = torch.randint(0, 3, (2, len(images)), generator=generator)
    return torch.stack([image[:, y : y + 8, x : x + 8] for image, y, x in zip(padded, dy, dx, strict=True)])


def train(net: nn.Module, data: Data, epochs: int = EPOCHS) -> None:
    """Adam with a cosine schedule; the last epoch's weights are kept, the test set is not looked at."""
    generator = torch.Generator().manual_seed(0)
    steps = epochs * (len(data.train_x) // BATCH)
    optimizer = torch.optim.Adam(net.parameters(), lr=LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    net.train()
    for _ in range(epochs):
        order = torch.randperm(len(data.train_x), generator=generator)
        for batch in order[: len(order) // BATCH * BATCH].split(BATCH):
            loss = cross_entropy(net(shifted(data.train_x[batch], generator)), data.train_y[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()


def accuracy(net: nn.Module, data: Data) -> float:
    """Share of the test images whose largest output is their label."""
    with torch.no_grad():
        return (net.eval()(data.test_x).argmax(1) == data.test_y).double().mean().item()


def export(net: nn.Module, path: Path) -> None:
    """Writes `net` as QONNX with input "x" and output "y", without traces of where it was made."""
    export_qonnx(
        net.eval(),
        args=torch.zeros(1, 1, 8, 8),
        export_path=str(path),
        dynamo=False,
        keep_initializers_as_inputs=False,
        opset_version=17,
        input_names=["x"],
        output_names=["y"],
    )
    model = onnx.load(path)
    model.producer_name, model.producer_version, model.doc_string = "flowc digits example", "", ""
    model.graph.name, model.graph.doc_string = path.stem, ""
    del model.metadata_props[:]
    for node in model.graph.node:
        node.doc_string = ""
        del node.metadata_props[:]
    onnx.save(model, path)


def main() -> None:
    torch.use_deterministic_algorithms(True)
    torch.set_num_threads(1)
    data = load_data()
    np.savez_compressed(HERE / "digits_test.npz", x=data.test_x.numpy(), labels=data.test_y.numpy())
    measured = {}
    for name, build in {"cnn_w4a4": cnn_w4a4, "cnn_w1a1": cnn_w1a1}.items():
        torch.manual_seed(0)
        net = build()
        train(net, data)
        measured[name] = round(accuracy(net, data), 6)
        export(net, HERE / f"digits_{name}.onnx")
        print(f"{name}: {measured[name]:.2%} of {len(data.test_y)} test images")
    record = {"test_images": len(data.test_y), "torch": measured}
    (HERE / "accuracy.json").write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()
