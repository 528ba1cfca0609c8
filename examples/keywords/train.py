"""Trains a depthwise separable network on one-dimensional signals. Needs flowc[brevitas].

The "words" are made here: two tones that glide from one pitch to another, behind one another, in noise. Six pairs are to be told apart.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import nn

from examples.training import Conv, Dense, fit, inputs, save

HERE = Path(__file__).resolve().parent
LENGTH = 128
GLIDES = ((4, 12), (12, 4), (8, 8))
"""Cycles per half a word, at the start and at the end of a tone."""


def words(count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """float32 (count, 1, LENGTH) and classes (count,)."""
    pairs = [(a, b) for a in GLIDES for b in GLIDES if a != b]
    labels = rng.integers(0, len(pairs), count)
    time = np.linspace(0, 1, LENGTH // 2, endpoint=False)
    x = np.empty((count, 1, LENGTH), np.float32)
    for i, label in enumerate(labels):
        tones = []
        for start, stop in pairs[label]:
            low, high = start * rng.uniform(0.9, 1.1), stop * rng.uniform(0.9, 1.1)
            phase = 2 * np.pi * (low * time + (high - low) * time**2 / 2 + rng.uniform())
            tones.append(rng.uniform(0.5, 1) * np.sin(phase))
        x[i, 0] = np.concatenate(tones) + rng.normal(0, 0.3, LENGTH)
    return x, labels


def separable(cin: int, cout: int) -> list[nn.Module]:
    """A depthwise convolution of every channel by itself, then one pixel wide over all channels."""
    return [Conv(cin, cin, 9, flat=True, groups=cin, stride=2), Conv(cin, cout, 1, flat=True)]


def main() -> None:
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    (train_x, train_y), (test_x, test_y) = words(1500, rng), words(300, rng)
    net = nn.Sequential(
        inputs(),
        Conv(1, 16, 9, flat=True, stride=2),
        *separable(16, 24),
        *separable(24, 32),
        nn.Flatten(),
        Dense(32 * LENGTH // 8, 6, relu=False),
    )
    fit(net, torch.from_numpy(train_x), torch.from_numpy(train_y), nn.CrossEntropyLoss(), epochs=8)
    test = torch.from_numpy(test_x)
    print(f"{(net(test).argmax(1).numpy() == test_y).mean():.2%} right")
    save(net, HERE, test, torch.from_numpy(test_y))


if __name__ == "__main__":
    main()
