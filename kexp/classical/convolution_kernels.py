"""The kernels of MiniRocket: 84 of length 9, dilated, each with biases from the training data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np

_LENGTH = 9
_KERNELS = list(combinations(range(_LENGTH), 3))  # places of the weights 2; the others are -1
_BIASES = 12  # of a kernel, over all of its dilations
_MOST_DILATIONS = 6
FEATURES = len(_KERNELS) * _BIASES
_AT_ONCE = 256  # series
_GOLDEN = (np.sqrt(5) + 1) / 2


@dataclass(frozen=True, eq=False)
class ConvolutionKernels:
    """Kernels that are fitted to training series.

    The weights of a kernel sum to zero, so that a level that is added to a series changes nothing. A feature
    is the share of steps at which a convolution is above its bias; biases are quantiles of the convolution of
    a training series drawn by chance. Every other kernel leaves the ends of a series out, where it would need
    steps that are not there.

    Attributes:
        dilations: Steps between the weights of a kernel.
        channels: By dilation, by kernel: the channels whose sum is convolved.
        biases: (dilations, kernels, biases).
        mean: (channels,) of the training series.
        deviation: (channels,) of them.
    """

    dilations: tuple[int, ...]
    channels: list[list[np.ndarray]]
    biases: list[np.ndarray]
    mean: np.ndarray
    deviation: np.ndarray

    @classmethod
    def fitted(cls, series: np.ndarray, seed: int) -> ConvolutionKernels:
        """Return kernels for series like those of training.

        Args:
            series: (samples, steps, channels), steps of padding NaN.
            seed: Of channels, and of the series that biases are from.

        Example:
            >>> series = np.random.default_rng(0).normal(size=(5, 30, 2))
            >>> ConvolutionKernels.fitted(series, 0).features(series).shape
            (5, 1008)
        """
        rng = np.random.default_rng(seed)
        mean, deviation = np.nanmean(series, axis=(0, 1)), np.nanstd(series, axis=(0, 1))
        dilations = _dilations(series.shape[1])
        channels = [[_some_channels(rng, series.shape[2]) for _ in _KERNELS] for _ in dilations]
        counts = [len(part) for part in np.array_split(np.arange(_BIASES), len(dilations))]
        empty = [np.zeros((len(_KERNELS), count)) for count in counts]
        kernels = cls(dilations, channels, empty, mean, np.where(deviation > 0, deviation, 1))
        place = 0
        for number, _ in enumerate(dilations):
            drawn = kernels._scaled(series[rng.integers(len(series), size=len(_KERNELS))])
            for kernel, found in kernels._convolved(drawn, number):
                quantiles = (np.arange(place, place + counts[number]) * _GOLDEN) % 1
                empty[number][kernel] = np.quantile(found[kernel], quantiles)
                place += counts[number]
        return kernels

    def features(self, series: np.ndarray) -> np.ndarray:
        """Return (samples, features) float32 shares.

        Args:
            series: (samples, steps, channels), as those of training.
        """
        blocks = [
            self._shares(self._scaled(series[start : start + _AT_ONCE]))
            for start in range(0, len(series), _AT_ONCE)
        ]
        return np.concatenate(blocks)

    def _shares(self, series: np.ndarray) -> np.ndarray:
        shares = []
        for number, biases in enumerate(self.biases):
            for kernel, found in self._convolved(series, number):
                shares += [(found > bias).mean(axis=1, dtype=np.float32) for bias in biases[kernel]]
        return np.stack(shares, axis=1)

    def _scaled(self, series: np.ndarray) -> np.ndarray:
        """Return (channels, samples, steps) float32 at the scale of training, with 0 for padding."""
        scaled = np.nan_to_num((series - self.mean) / self.deviation).astype(np.float32)
        short = max(0, _LENGTH - scaled.shape[1])
        return np.ascontiguousarray(np.pad(scaled, ((0, 0), (0, short), (0, 0))).transpose(2, 0, 1))

    def _convolved(self, series: np.ndarray, number: int) -> Iterator[tuple[int, np.ndarray]]:
        """Yield every kernel with its convolution at a dilation, (samples, steps) each.

        Args:
            series: (channels, samples, steps).
            number: Of the dilation.
        """
        dilation, steps = self.dilations[number], series.shape[2]
        reach = dilation * (_LENGTH // 2)
        padded = np.pad(series, ((0, 0), (0, 0), (reach, reach)))
        shifted = [padded[:, :, place * dilation : place * dilation + steps] for place in range(_LENGTH)]
        whole = np.sum(shifted, axis=0)
        for kernel, places in enumerate(_KERNELS):
            found = np.zeros(series.shape[1:], np.float32)
            for one in self.channels[number][kernel]:
                found += 3 * sum(shifted[place][one] for place in places) - whole[one]
            inner = (kernel + number) % 2 and steps > 2 * reach
            yield kernel, found[:, reach : steps - reach] if inner else found


def _dilations(steps: int) -> tuple[int, ...]:
    """Return up to six dilations, the largest of which spans a series, evenly on a logarithmic scale."""
    longest = np.log2(max(1.0, (max(steps, _LENGTH) - 1) / (_LENGTH - 1)))
    return tuple(sorted({int(2**power) for power in np.linspace(0, longest, _MOST_DILATIONS)}))


def _some_channels(rng: np.random.Generator, channels: int) -> np.ndarray:
    """Return a few channels drawn by chance, fewer of them more often."""
    most = min(channels, _LENGTH)
    count = int(2 ** rng.uniform(0, np.log2(most + 1)))
    return rng.choice(channels, min(count, channels), replace=False)
