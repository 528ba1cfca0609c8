"""Trains a perceptron on scikit-learn's breast cancer data: 30 measurements, benign or malignant. Needs flowc[brevitas]."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split
from torch import nn

from examples.training import Dense, fit, inputs, save

HERE = Path(__file__).resolve().parent


def main() -> None:
    torch.manual_seed(0)
    data = load_breast_cancer()
    train_x, test_x, train_y, test_y = train_test_split(
        data.data, data.target, test_size=0.3, random_state=0, stratify=data.target
    )
    mean, spread = train_x.mean(0), train_x.std(0)
    x, test = (torch.from_numpy(((a - mean) / spread).clip(-4, 4).astype(np.float32)) for a in (train_x, test_x))
    net = nn.Sequential(inputs(), Dense(30, 32, 3), Dense(32, 16, 3), Dense(16, 2, 3, relu=False))
    fit(net, x, torch.from_numpy(train_y), nn.CrossEntropyLoss(), epochs=40)
    print(f"{(net(test).argmax(1).numpy() == test_y).mean():.2%} right")
    save(net, HERE, test, torch.from_numpy(test_y))


if __name__ == "__main__":
    main()
