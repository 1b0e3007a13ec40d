"""The jobs of `bench.py` in PyTorch, run by the Python of an environment that has it.

    python tools/bench_torch.py JOB EPOCHS [loader]

Tensors stay on the device and batches are taken by index, or, with `loader`, come from a DataLoader. One line
of JSON says the steps of an epoch, the seconds of each and the memory that the process took at most.
"""

import itertools
import json
import resource
import sys
import time

import torch
from bench_jobs import JOBS, arrays
from torch import nn

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


class Scaled(nn.Module):
    """Images of bytes as numbers from 0 to 1, channels first."""

    def forward(self, x):
        return (x.float() / 255).permute(0, 3, 1, 2)


class Block(nn.Module):
    """A residual block of two convolutions; a shortcut into a wider stage has no weights."""

    def __init__(self, before, count):
        super().__init__()
        self.stride, self.grown = (2 if count > before else 1), count - before
        first = nn.Conv2d(before, count, 3, self.stride, padding=1, bias=False)
        second = nn.Conv2d(count, count, 3, padding=1, bias=False)
        normal = nn.BatchNorm2d(count), nn.BatchNorm2d(count)
        self.branch = nn.Sequential(first, normal[0], nn.ReLU(), second, normal[1])

    def forward(self, x):
        shortcut = x[:, :, :: self.stride, :: self.stride]
        half = self.grown // 2
        shortcut = nn.functional.pad(shortcut, (0, 0, 0, 0, half, self.grown - half))
        return nn.functional.relu(self.branch(x) + shortcut)


def resnet20():
    """Return ResNet-20."""
    stem = [Scaled(), nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU()]
    widths = [16] * 4 + [32] * 3 + [64] * 3
    blocks = [Block(one, other) for one, other in itertools.pairwise(widths)]
    return nn.Sequential(*stem, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))


class LSTM(nn.Module):
    """An LSTM that answers with its last step."""

    def __init__(self):
        super().__init__()
        self.walked, self.answer = nn.LSTM(12, 128, batch_first=True), nn.Linear(128, 9)

    def forward(self, x):
        return self.answer(self.walked(x)[0][:, -1])


class Transformer(nn.Module):
    """Two blocks with normalisation before each branch, and the mean of the steps."""

    def __init__(self, width=128):
        super().__init__()
        self.embedded = nn.Linear(128, width)
        options = {"activation": "gelu", "batch_first": True, "norm_first": True}
        layers = [nn.TransformerEncoderLayer(width, 4, 4 * width, 0.1, **options) for _ in range(2)]
        self.blocks = nn.Sequential(*layers, nn.LayerNorm(width))
        self.answer = nn.Linear(width, 9)

    def forward(self, x):
        return self.answer(self.blocks(self.embedded(x)).mean(1))


class UNet(nn.Module):
    """Two levels of two convolutions each."""

    def __init__(self):
        super().__init__()
        self.first, self.low, self.last = doubled(1, 32), doubled(32, 64), doubled(64, 32)
        self.halved, self.up = nn.MaxPool2d(2), nn.ConvTranspose2d(64, 32, 2, 2)
        self.answer = nn.Conv2d(32, 1, 1)

    def forward(self, x):
        skip = self.first(x.permute(0, 3, 1, 2))
        x = torch.cat([skip, self.up(self.low(self.halved(skip)))], dim=1)
        return self.answer(self.last(x)).permute(0, 2, 3, 1)


def doubled(before, count):
    """Return two convolutions with normalisation."""
    layers = []
    for channels in (before, count):
        convolution = nn.Conv2d(channels, count, 3, padding=1, bias=False)
        layers += [convolution, nn.BatchNorm2d(count), nn.ReLU()]
    return nn.Sequential(*layers)


def perceptron():
    """Return 784-256-128-10 with dropout."""
    hidden = [
        nn.Linear(784, 256),
        nn.ReLU(),
        nn.Dropout(0.2),
        nn.Linear(256, 128),
        nn.ReLU(),
        nn.Dropout(0.2),
    ]
    return nn.Sequential(Scaled(), nn.Flatten(), *hidden, nn.Linear(128, 10))


def convnet():
    """Return the convnet of 34,826 weights."""
    first = [nn.Conv2d(1, 32, 3), nn.ReLU(), nn.MaxPool2d(2)]
    second = [nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Dropout(0.5)]
    return nn.Sequential(Scaled(), *first, *second, nn.Linear(1600, 10))


MODELS = {
    "perceptron": perceptron,
    "convnet": convnet,
    "resnet20": resnet20,
    "lstm": LSTM,
    "transformer": Transformer,
    "unet": UNet,
}


def batches(inputs, targets, size, loader):
    """Yield the batches of an epoch in a new order."""
    if loader:
        yield from loader
        return
    order = torch.randperm(len(inputs), device=DEVICE)
    for first in range(0, len(inputs), size):
        rows = order[first : first + size]
        yield inputs[rows], targets[rows]


def main(name, epochs, way="resident"):
    """Train and print what it took."""
    job = JOBS[name]
    inputs, targets = (torch.from_numpy(array) for array in arrays(job))
    targets = targets if job.classes is None else targets.long()
    loader = None
    if way == "loader":
        pairs = torch.utils.data.TensorDataset(inputs, targets)
        loader = torch.utils.data.DataLoader(pairs, job.batch_size, shuffle=True)
    else:
        inputs, targets = inputs.to(DEVICE), targets.to(DEVICE)
    model = MODELS[name]().to(DEVICE)
    # Fused: the fastest of its Adams.
    optimizer = torch.optim.Adam(model.parameters(), 1e-3, fused=True)
    measure = nn.MSELoss() if job.classes is None else nn.CrossEntropyLoss()
    seconds = []
    for _ in range(int(epochs)):
        began = time.perf_counter()
        total, right = torch.zeros((), device=DEVICE), torch.zeros((), device=DEVICE)
        for x, y in batches(inputs, targets, job.batch_size, loader):
            x, y = x.to(DEVICE), y.to(DEVICE)
            outputs = model(x)
            loss = measure(outputs, y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.detach() * len(x)
            right += 0 if job.classes is None else (outputs.argmax(1) == y).sum()
        float(total), float(right)
        seconds.append(time.perf_counter() - began)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    versions = {"torch": torch.__version__}
    print(json.dumps({"steps": job.steps, "seconds": seconds, "peak_mb": round(peak), "versions": versions}))


if __name__ == "__main__":
    main(*sys.argv[1:])
