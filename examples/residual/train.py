"""Trains a small residual network on scikit-learn's digits. Needs flowc[brevitas]."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import Tensor, nn

from examples.training import Conv, Dense, active, fit, inputs, save

HERE = Path(__file__).resolve().parent


class Block(nn.Module):
    """Two convolutions and a shortcut. Both branches end in the same quantizer, so that their sum is an addition of integers."""

    def __init__(self, cin: int, cout: int, stride: int) -> None:
        super().__init__()
        self.first = Conv(cin, cout, 3, stride=stride)
        self.second = Conv(cout, cout, 3, relu=False)
        self.short = Conv(cin, cout, 1, stride=stride, relu=False)
        self.shared, self.out = active(4), active(4)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.shared(self.second(self.first(x))) + self.shared(self.short(x)))


def main() -> None:
    torch.manual_seed(0)
    digits = load_digits()
    images = (digits.images / 16).astype(np.float32)[:, None]
    train_x, test_x, train_y, test_y = train_test_split(
        images, digits.target, test_size=0.2, random_state=0, stratify=digits.target
    )
    net = nn.Sequential(
        inputs(), Conv(1, 8, 3), Block(8, 16, 2), Block(16, 32, 2), nn.Flatten(), Dense(128, 10, relu=False)
    )
    fit(net, torch.from_numpy(train_x), torch.from_numpy(train_y), nn.CrossEntropyLoss(), epochs=15)
    test = torch.from_numpy(test_x)
    print(f"{(net(test).argmax(1).numpy() == test_y).mean():.2%} right")
    save(net, HERE, test, torch.from_numpy(test_y))


if __name__ == "__main__":
    main()
