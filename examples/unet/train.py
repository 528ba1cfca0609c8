"""Trains a small U-Net that finds discs in noisy images with squares. Needs flowc[brevitas]; the images are made here."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from brevitas.nn import QuantIdentity
from brevitas.quant import Uint8ActPerTensorFloat
from torch import Tensor, nn

from examples.training import Conv, fit, inputs, save

HERE = Path(__file__).resolve().parent
SIDE = 16


def scenes(count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Images float32 (count, 1, SIDE, SIDE) and which of their pixels lie in a disc, float32 of the same shape."""
    y, x = np.mgrid[:SIDE, :SIDE]
    images, masks = np.zeros((2, count, 1, SIDE, SIDE), np.float32)
    for i in range(count):
        (cy, cx), (sy, sx) = rng.uniform(3, SIDE - 4, (2, 2))
        radius, half = rng.uniform(2.2, 3.8, 2)
        masks[i, 0] = (y - cy) ** 2 + (x - cx) ** 2 <= radius**2
        square = (abs(y - sy) <= half) & (abs(x - sx) <= half)
        images[i, 0] = np.maximum(masks[i, 0], square & (masks[i, 0] == 0)) + rng.normal(0, 0.2, (SIDE, SIDE))
    return images, masks


class Unet(nn.Module):
    """Down twice, up twice; each step up sees what was there on the way down. One quantizer serves both parts of a concatenation."""

    def __init__(self) -> None:
        super().__init__()
        self.entry = inputs()
        self.down = nn.ModuleList([Conv(1, 8, 3), Conv(8, 16, 3), Conv(16, 16, 3)])
        self.up = nn.ModuleList([Conv(32, 8, 3), Conv(16, 8, 3)])
        self.same = nn.ModuleList([QuantIdentity(act_quant=Uint8ActPerTensorFloat, bit_width=4) for _ in range(2)])
        self.pool, self.wider = nn.MaxPool2d(2), nn.Upsample(scale_factor=2, mode="nearest")
        self.last = Conv(8, 1, 1, relu=False)

    def forward(self, x: Tensor) -> Tensor:
        first = self.down[0](self.entry(x))
        second = self.down[1](self.pool(first))
        third = self.down[2](self.pool(second))
        x = self.up[0](torch.cat([self.same[0](self.wider(third)), self.same[0](second)], 1))
        x = self.up[1](torch.cat([self.same[1](self.wider(x)), self.same[1](first)], 1))
        return self.last(x)


def main() -> None:
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    (train_x, train_y), (test_x, test_y) = scenes(600, rng), scenes(64, rng)
    net = Unet()
    fit(net, torch.from_numpy(train_x), torch.from_numpy(train_y), nn.BCEWithLogitsLoss(), epochs=8)
    test = torch.from_numpy(test_x)
    print(f"{((net(test).detach().numpy() > 0) == test_y).mean():.2%} of pixels right")
    save(net, HERE, test, torch.from_numpy(test_y))


if __name__ == "__main__":
    main()
