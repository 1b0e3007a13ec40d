"""Metrics of generated images against real ones, each named after the features and the number of samples."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import numpy as np

from kexp.core.constraints import AtLeast, check_value
from kexp.data.dataset import Split, single_array
from kexp.metrics.image_features import Features
from kexp.metrics.sample_distances import (
    bootstrap_interval,
    class_histogram,
    frechet_distance,
    kernel_distance,
    precision_recall,
)

HIGHER_IS_BETTER = ("diversity", "rarest", "recognised")
KNOWN_HIGHER = ("diversity", "rarest_class", "recognised")
KNOWN_LOWER = ("commonest_class", "frechet", "kernel")
SHARES = ("recognised",)
NOT_NEGATIVE = ("commonest_class", "diversity", "frechet", "rarest_class")

_REAL = 10_000  # real images that generated ones are compared with
_ROWS = 2_000  # of each, where every sample is compared with every other
_INTERVAL = 5e10  # floating-point operations that the interval of a Fréchet distance may take, about
_KERNEL_RESAMPLES = 50


@contextmanager
def _one_thread() -> Iterator[None]:
    """Keep NumPy to one thread: several, with few cores free, wait for each other a hundred times as long."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1, "blas"):
        yield


class Quality:
    """Measures generated images: how near to real ones, how diverse, of which classes.

    A metric's name ends in that of the features and the number n of generated images, `frechet_cnn_1000`:
    those of other features, or of another n, are other metrics. Everything is deterministic.

    Args:
        features: Of a network that classifies images of the kind.
        samples: Images that a run generates to be measured, default 1000, 8 or more.
        seed: Of the choice of real images and of the intervals, default 0.
        collapse: Diversity below which a warning is given, default 0.5; 0 for none.

    Raises:
        InputError: A number is not in its range.

    Example:
        >>> from kexp.data import load
        >>> from kexp.models import cnn
        >>> data = load("digits")
        >>> network = cnn((8, 8, 1), 10, filters=(4, 8), head="average")
        >>> quality = Quality(Features("cnn", network), samples=100)
        >>> figures = quality.figures(data.train.inputs[:100], data.validation)
        >>> sorted(figures)[2:]
        ['frechet_cnn_100', 'rarest_class_cnn_100']
        >>> quality.monitor
        'val_frechet_cnn_100'
    """

    def __init__(self, features: Features, samples: int = 1000, seed: int = 0, collapse: float = 0.5) -> None:
        self.features = features
        self.samples = check_value("samples", samples, Annotated[int, AtLeast(8)])
        self.seed = check_value("seed", seed, Annotated[int, AtLeast(0)])
        self.collapse = check_value("collapse", collapse, Annotated[float, AtLeast(0)])
        self._known: dict[int, tuple[Split, np.ndarray]] = {}

    @property
    def monitor(self) -> str:
        """Name, in a run's history, of the metric that says which epoch is the best: the lowest."""
        return f"val_frechet_{self.features.name}_{self.samples}"

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all that `figures` may give."""
        figures = ("frechet", "diversity", "rarest_class", "commonest_class", "recognised")
        return tuple(self._name(figure, self.samples) for figure in figures)

    @_one_thread()
    def figures(
        self, images: np.ndarray, real: Split, *, labels: np.ndarray | None = None
    ) -> dict[str, float]:
        """Return the quick metrics, for every epoch.

        Args:
            images: (n, height, width, channels), generated.
            real: Images to compare with, of which 10,000 at most are taken, always the same.
            labels: (n,) classes that the images were generated for; None (default): none were.

        Returns:
            `frechet`, the distance of the features, 0 is best; `diversity`, their root mean squared distance
            from their mean over that of real images, 1 is as diverse; where the network has classes,
            `rarest_class` and `commonest_class`, shares of the images taken for these times the number of
            classes, 1 is uniform; and with labels `recognised`, the share classified as their label.

        Raises:
            InputError: There are fewer than two images, or their features are not finite.

        Warns:
            RuntimeWarning: The diversity is below `collapse`.
        """
        return self._figures(*self.features.both(images), real, labels)

    @_one_thread()
    def thorough(
        self, images: np.ndarray, real: Split, train: Split, *, labels: np.ndarray | None = None
    ) -> dict[str, float]:
        """Return all metrics, for the end of a run; takes some seconds.

        Args:
            images: (n, height, width, channels), generated, 8 or more.
            real: Images to compare with, 8 or more.
            train: What the generator was trained on.
            labels: (n,) classes that the images were generated for; None (default): none were.

        Returns:
            Those of `figures`, and `kernel`, the kernel distance without bias; both distances with the ends
            of the 95 % interval of their expectation, `_low95` and `_high95`; `precision` and `recall`; and
            `training_data_frechet`, which n training images have: the scale of the Fréchet distance. Kernel
            distance, precision and recall are those of 2,000 images of each kind at most.

        Raises:
            InputError: There are too few images, or their features are not finite.

        Warns:
            RuntimeWarning: The diversity is below `collapse`.
        """
        features, answers = self.features.both(images)
        known = self._features_of(real)
        few = known[:_ROWS], self._chosen(features, _ROWS)
        precision, recall = precision_recall(*few)
        return {
            **self._figures(features, answers, real, labels),
            **self._interval("frechet", frechet_distance, (known, features), len(images)),
            self._name("kernel", len(images)): kernel_distance(*few),
            **self._interval("kernel", kernel_distance, few, len(images)),
            self._name("precision", len(images)): precision,
            self._name("recall", len(images)): recall,
            **self._scale(known, train, len(images)),
        }

    def _figures(
        self, features: np.ndarray, answers: np.ndarray | None, real: Split, labels: np.ndarray | None
    ) -> dict[str, float]:
        known = self._features_of(real)
        figures = {
            "frechet": frechet_distance(known, features),
            "diversity": _spread(features) / max(_spread(known), 1e-12),
        }
        self._report_collapse(figures["diversity"])
        if answers is not None and self.features.classes is not None:
            shares = class_histogram(answers, self.features.classes) * self.features.classes
            figures |= {"rarest_class": float(shares.min()), "commonest_class": float(shares.max())}
            if labels is not None:
                figures["recognised"] = float(np.mean(answers == labels))
        return {self._name(name, len(features)): figure for name, figure in figures.items()}

    def _report_collapse(self, diversity: float) -> None:
        if diversity < self.collapse:
            warnings.warn(
                f"Samples have collapsed: by {self.features.name} they have {diversity:.3g} of the diversity "
                f"of real images, below {self.collapse:g}; lower the learning rate or take another loss.",
                RuntimeWarning,
                stacklevel=5,
            )

    def _interval(
        self,
        name: str,
        distance: Callable[[Any, Any], float],
        features: tuple[np.ndarray, np.ndarray],
        count: int,
    ) -> dict[str, float]:
        resamples = _KERNEL_RESAMPLES if name == "kernel" else _affordable(*features)
        low, high = bootstrap_interval(distance, *features, resamples, self.seed)
        return {f"{self._name(name, count)}_low95": low, f"{self._name(name, count)}_high95": high}

    def _scale(self, known: np.ndarray, train: Split, count: int) -> dict[str, float]:
        chosen = self.features.features(self._chosen(single_array(train.inputs), count))
        return {self._name("training_data_frechet", len(chosen)): frechet_distance(known, chosen)}

    def _features_of(self, split: Split) -> np.ndarray:
        # By identity, and with the split, whose identity is free again when it is gone.
        if id(split) not in self._known:
            images = self._chosen(single_array(split.inputs), _REAL)
            self._known[id(split)] = split, self.features.features(images)
        return self._known[id(split)][1]

    def _chosen(self, rows: np.ndarray, count: int) -> np.ndarray:
        """Return so many rows at most, always the same."""
        return rows[np.random.default_rng(self.seed).permutation(len(rows))[:count]]

    def _name(self, figure: str, count: int) -> str:
        return f"{figure}_{self.features.name}_{count}"


def _spread(features: np.ndarray) -> float:
    """Return the root mean squared distance of features from their mean."""
    return float(np.sqrt(np.var(features.astype("float64"), axis=0).sum()))


def _affordable(real: np.ndarray, fake: np.ndarray) -> int:
    """Return how many Fréchet distances of halves are computed in some seconds, 20 to 100."""
    rows, width = (len(real) + len(fake)) / 2, real.shape[1]
    return int(np.clip(_INTERVAL / (4 * rows * width**2 + 20 * width**3), 20, 100))
