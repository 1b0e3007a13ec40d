"""MNIST in PyTorch as tutorials have it, for `time_to_accuracy.py`.

python tools/mnist_torch.py SEED RESULT
"""

import gzip
import json
import os
import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset


class Digits(Dataset):
    """Digits that are scaled and normalised one by one, as ToTensor and Normalize do it."""

    def __init__(self, images, labels):
        self.images, self.labels = images, labels

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, place):
        image = torch.from_numpy(self.images[place]).unsqueeze(0).float().div(255)
        return image.sub(0.1307).div(0.3081), int(self.labels[place])


def part(name):
    """Return the images and labels of a part, from the files that MNIST comes in."""
    folder = Path(os.environ["KEXP_DATA_DIR"]) / "mnist"
    images, labels = (
        gzip.decompress((folder / f"{name}-{kind}-ubyte.gz").read_bytes())
        for kind in ("images-idx3", "labels-idx1")
    )
    return np.frombuffer(images, np.uint8, offset=16).reshape(-1, 28, 28).copy(), np.frombuffer(
        labels, np.uint8, offset=8
    )


def main(seed, result):
    """Train for five epochs, measure, and write down the accuracy."""
    torch.manual_seed(int(seed))
    train, test = Digits(*part("train")), Digits(*part("t10k"))
    hidden = [
        nn.Linear(784, 256),
        nn.ReLU(),
        nn.Dropout(0.2),
        nn.Linear(256, 128),
        nn.ReLU(),
        nn.Dropout(0.2),
    ]
    model = nn.Sequential(nn.Flatten(), *hidden, nn.Linear(128, 10))
    optimizer, measure = torch.optim.Adam(model.parameters(), 1e-3), nn.CrossEntropyLoss()
    for _ in range(5):
        model.train()
        for images, labels in DataLoader(train, 64, shuffle=True):
            optimizer.zero_grad()
            measure(model(images), labels).backward()
            optimizer.step()
    model.eval()
    with torch.no_grad():
        right = sum(int((model(x).argmax(1) == y).sum()) for x, y in DataLoader(test, 1000))
    Path(result).write_text(json.dumps({"metrics": {"test_accuracy": right / len(test)}}))


if __name__ == "__main__":
    main(*sys.argv[1:])
