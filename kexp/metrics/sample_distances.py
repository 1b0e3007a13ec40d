"""How good generated samples are, from features of real and of generated ones.

Features are whatever a network makes of samples, such as what a classifier's last layer sees. Statistics of
different features are not comparable, nor are those of different numbers of samples, but where it is said.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Annotated, Any

import numpy as np

from kexp.core.constraints import AtLeast, Between, check_value
from kexp.core.errors import InputError
from kexp.core.types import TensorLike

BLOCK_SIZE = 1000  # rows whose distances to all others are held at once


def frechet_distance(real: TensorLike, fake: TensorLike) -> float:
    """Return the squared Fréchet distance of normal distributions with the means and covariances of both.

    Heusel et al. 2017, "GANs trained by a two time-scale update rule converge to a local Nash equilibrium":
    ‖m - n‖² + tr(C + D - 2 (C D)^½). The trace of the root is the sum of the singular values of A Bᵀ, where
    C = AᵀA and D = BᵀB, which needs no root of a matrix and is real for any number of samples. It is too
    large with few samples, so that only statistics of equally many can be compared.

    Args:
        real: (n, d) features, 2 or more rows.
        fake: (m, d) features, 2 or more rows.

    Returns:
        0 or more; 0 for the same features.

    Raises:
        InputError: The features are not of such shapes, or not finite.

    Example:
        >>> real = np.random.default_rng(0).normal(size=(100, 4))
        >>> round(frechet_distance(real, real + [3.0, 0.0, 4.0, 0.0]), 6)
        25.0
    """
    real, fake = _features(real, fake)
    (one, first), (other, second) = _moments(real), _moments(fake)
    root = np.linalg.svd(first @ second.T, compute_uv=False).sum()
    distance = np.sum((one - other) ** 2) + np.sum(first**2) + np.sum(second**2) - 2 * root
    return max(float(distance), 0.0)


def _moments(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return (d,) means, and a triangle whose product with itself, transposed first, is the covariance."""
    mean = features.mean(axis=0)
    triangle: Any = np.linalg.qr((features - mean) / np.sqrt(len(features) - 1), mode="r")
    return mean, triangle


def kernel_distance(real: TensorLike, fake: TensorLike) -> float:
    """Return the squared maximum mean discrepancy with a cubic kernel, without bias.

    Bińkowski et al. 2018, "Demystifying MMD GANs": the kernel is (x · y / d + 1)³, and no sample is compared
    with itself. Of two sets from the same distribution it is 0 in the mean, whatever their sizes, and so may
    be below 0; of a set and itself it always is.

    Args:
        real: (n, d) features, 2 or more rows.
        fake: (m, d) features, 2 or more rows.

    Raises:
        InputError: The features are not of such shapes, or not finite.

    Example:
        >>> real = np.array([[0.0], [1.0]])
        >>> kernel_distance(real, real + 1.0)
        9.5
    """
    real, fake = _features(real, fake)
    within = [(_kernel(one, one) - _own_kernel(one)) / (len(one) * (len(one) - 1)) for one in (real, fake)]
    return float(sum(within) - 2 * _kernel(real, fake) / (len(real) * len(fake)))


def _kernel(one: np.ndarray, other: np.ndarray) -> float:
    """Return the sum of the kernel of each row of one and each of the other."""
    return sum(float(np.sum(_cube(block @ other.T / one.shape[1] + 1))) for block in _blocks(one))


def _own_kernel(one: np.ndarray) -> float:
    """Return the sum of the kernel of each row and itself."""
    return float(np.sum(_cube(np.sum(one**2, axis=1) / one.shape[1] + 1)))


def _cube(numbers: np.ndarray) -> np.ndarray:
    return numbers * numbers * numbers  # as a power it takes a good ten times as long


def precision_recall(real: TensorLike, fake: TensorLike, k: int = 3) -> tuple[float, float]:
    """Return the share of generated samples that could be real, and of real ones that could be generated.

    Kynkäänniemi et al. 2019, "Improved precision and recall metric for assessing generative models": a
    sample could be of a set if it is as near to one of its members as that one's k-th nearest other member.

    Args:
        real: (n, d) features, more than k rows.
        fake: (m, d) features, more than k rows.
        k: Default 3, 1 or more.

    Returns:
        Precision, low where samples are bad, and recall, low where kinds of samples are missing; each from
        0 to 1.

    Raises:
        InputError: The features are not of such shapes, or not finite, or k is out of range.

    Example:
        >>> real = np.arange(10.0)[:, None]
        >>> precision_recall(real, real[:5])
        (1.0, 0.8)
    """
    real, fake = _features(real, fake)
    check_value("k", k, Annotated[int, Between(1, min(len(real), len(fake)) - 1)])
    return _covered(fake, real, k), _covered(real, fake, k)


def _covered(samples: np.ndarray, members: np.ndarray, k: int) -> float:
    """Return the share of samples that are within reach of a member."""
    # Distances of differences: those of squares and products are not 0 from a sample to itself.
    from scipy.spatial.distance import cdist

    blocks = _blocks(members)
    reach = np.concatenate([np.partition(cdist(block, members), k, axis=1)[:, k] for block in blocks])
    covered = [(cdist(block, members) <= reach).any(axis=1) for block in _blocks(samples)]
    return float(np.concatenate(covered).mean())


def class_histogram(labels: TensorLike, classes: int) -> np.ndarray:
    """Return the share of each class among samples, such as a classifier's predictions for generated ones.

    Args:
        labels: (n,) class indices, one or more.
        classes: Number of classes, 1 or more.

    Returns:
        (classes,) float64, with a sum of 1.

    Raises:
        InputError: A label is none of the classes, or there is none.

    Example:
        >>> class_histogram([0, 2, 2, 0], 3)
        array([0.5, 0. , 0.5])
    """
    check_value("classes", classes, Annotated[int, AtLeast(1)])
    labels = np.asarray(labels)
    if labels.ndim != 1 or not labels.size or not np.issubdtype(labels.dtype, np.integer):
        raise InputError(
            "labels must be whole numbers of shape (samples,), 1 or more; "
            f"received {labels.dtype} of shape {labels.shape}."
        )
    if labels.min() < 0 or labels.max() >= classes:
        raise InputError(
            f"labels must be from 0 to {classes - 1}; received {labels.min()} to {labels.max()}."
        )
    return np.bincount(labels, minlength=classes) / len(labels)


def nearest(train: TensorLike, samples: TensorLike) -> np.ndarray:
    """Return the index of the training sample that is nearest to each sample: what it may be a copy of.

    Args:
        train: (n, d) features.
        samples: (m, d) features.

    Returns:
        (m,) int64.

    Raises:
        InputError: The features are not of such shapes, or not finite.

    Example:
        >>> nearest([[0.0], [5.0], [9.0]], [[8.0], [1.0]])
        array([2, 0])
    """
    from sklearn.neighbors import NearestNeighbors

    train, samples = _features(train, samples, names=("train", "samples"), least=1)
    return NearestNeighbors(n_neighbors=1).fit(train).kneighbors(samples, return_distance=False)[:, 0]


def bootstrap_interval(
    statistic: Callable[[np.ndarray, np.ndarray], float],
    real: TensorLike,
    fake: TensorLike,
    resamples: int = 200,
    seed: int = 0,
    confidence: float = 0.95,
) -> tuple[float, float]:
    """Return the confidence interval of the expected statistic of as many samples of the same kinds.

    It is not where the statistic of other samples lies: of Fréchet and kernel distances of simulated features
    it held the expected one in 0.96 of the cases at the default confidence, and those of other samples in
    0.82 to 0.86.

    Each resample is half of the rows of each, drawn without repetition: statistics of halves scatter about as
    much as those of the whole do (Efron 1982, "The jackknife, the bootstrap and other resampling plans",
    chapter 8). A row that is drawn twice, as in the usual bootstrap, would be its own nearest neighbour. As
    statistics of fewer samples may be larger throughout, the scatter is set about the statistic of the whole.

    Args:
        statistic: From real and generated features to a statistic, such as `kernel_distance`.
        real: (n, d) features, 4 or more rows.
        fake: (m, d) features, 4 or more rows.
        resamples: Default 200, 2 or more.
        seed: Of the draws, default 0.
        confidence: How often the expected statistic is to lie inside, default 0.95, above 0, below 1.

    Returns:
        Lower and upper end.

    Raises:
        InputError: The features are not of such shapes, or not finite, or an argument is out of range.

    Example:
        >>> features = np.random.default_rng(0).normal(size=(2, 400, 1))
        >>> low, high = bootstrap_interval(lambda one, other: float(one.mean() - other.mean()), *features)
        >>> 0.2 < high - low < 0.4
        True
    """
    check_value("resamples", resamples, Annotated[int, AtLeast(2)])
    if not 0 < confidence < 1:
        raise InputError(f"confidence must be above 0 and below 1; received {confidence!r}.")
    real, fake = _features(real, fake, least=4)
    random = np.random.default_rng(seed)

    def half(rows: np.ndarray) -> np.ndarray:
        return rows[random.permutation(len(rows))[: len(rows) // 2]]

    figures = np.array([statistic(half(real), half(fake)) for _ in range(resamples)])
    tails = [(1 - confidence) / 2, (1 + confidence) / 2]
    low, high = statistic(real, fake) + np.quantile(figures - figures.mean(), tails)
    return float(low), float(high)


def _features(
    one: TensorLike, other: TensorLike, names: tuple[str, str] = ("real", "fake"), least: int = 2
) -> tuple[np.ndarray, np.ndarray]:
    """Return both as float64 of shape (samples, features), or say which of them is not."""
    arrays = [np.asarray(features, "float64") for features in (one, other)]
    for name, array in zip(names, arrays, strict=True):
        if array.ndim != 2 or len(array) < least or not array.shape[1]:
            raise InputError(
                f"{name} must be of shape (samples, features), {least} samples or more; "
                f"received shape {array.shape}."
            )
        if not np.isfinite(array).all():
            raise InputError(f"{name} must be finite numbers; received NaN or infinity.")
    if arrays[0].shape[1] != arrays[1].shape[1]:
        raise InputError(
            f"{names[1]} must have as many features as {names[0]}, {arrays[0].shape[1]}; "
            f"received {arrays[1].shape[1]}."
        )
    return arrays[0], arrays[1]


def _blocks(rows: np.ndarray) -> Iterator[np.ndarray]:
    return (rows[start : start + BLOCK_SIZE] for start in range(0, len(rows), BLOCK_SIZE))
