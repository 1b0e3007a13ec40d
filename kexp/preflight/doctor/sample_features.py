"""Plain numbers for samples of any kind: what a simple classifier and a distance can do with."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from scipy.fft import dctn
from sklearn.feature_extraction.text import HashingVectorizer

from kexp.data import Split
from kexp.data.dataset import DatasetSpec, single_array
from kexp.data.splits import taken
from kexp.data.stored_arrays import blocks_of
from kexp.preflight.doctor.column_frames import column_frame, has_columns, is_number

_SIDE = 32  # pixels of the images that fingerprints are made of
_FREQUENCIES = 16
_MOST_NUMBERS = 20_000  # of a sample that is taken as it is
_SHINGLE = 5  # characters
_MOST_CHARACTERS = 500
_HASHES = 2**14
_PROJECTED = 256


def has_features(spec: DatasetSpec) -> bool:
    """Return whether samples are of a kind that `sample_features` knows.

    Example:
        >>> import kexp
        >>> has_features(kexp.data.load("digits").spec)
        True
    """
    if has_columns(spec) or spec.kind == "text":
        return True
    known = all(size is not None for size in spec.input_shape)
    size = math.prod(spec.input_shape) if known else 0
    return spec.kind in ("image", "series", "array") and 0 < size <= _limit(spec)


def _limit(spec: DatasetSpec) -> float:
    return math.inf if spec.kind == "image" else _MOST_NUMBERS


def sample_features(split: Split, spec: DatasetSpec, rows: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Return (rows, features) float32 without NaN, and the features' names, none where they mean nothing.

    Columns are taken as they are, categories hashed; of images the brightnesses at 32 by 32 pixels at
    most; of series the mean, deviation and last value of each channel; of texts projected shingles.

    Example:
        >>> import kexp
        >>> digits = kexp.data.load("digits")
        >>> sample_features(digits.train, digits.spec, np.arange(3))[0].shape
        (3, 64)
    """
    if has_columns(spec):
        frame = column_frame(split, spec, rows)
        numbers = np.stack([_stable(frame[name]) for name in frame], axis=1)
        return np.nan_to_num(numbers, posinf=0.0, neginf=0.0).astype(np.float32), list(map(str, frame))
    if spec.kind == "image":
        images = single_array(taken(split, rows).inputs)
        return np.concatenate(
            [small_images(block).reshape(len(block), -1) for block in blocks_of(images)]
        ), []
    samples = single_array(split.inputs)[rows]
    if spec.kind == "text":
        return projected_shingles(samples), []
    if spec.kind == "series":
        return _series_features(samples)
    return np.nan_to_num(samples.reshape(len(samples), -1).astype(np.float32)), []


def _stable(column: pd.Series) -> np.ndarray:
    """Return a column as numbers, a category as the same one in whatever part it is."""
    if is_number(column):
        return column.to_numpy(np.float64)
    return pd.util.hash_array(column.astype(str).to_numpy(object)) / 2.0**64


def _series_features(series: np.ndarray) -> tuple[np.ndarray, list[str]]:
    flat = series.reshape(*series.shape[:2], -1).astype(np.float32)
    known = np.isfinite(flat)
    counts = np.maximum(known.sum(axis=1), 1)
    zeroed = np.where(known, flat, 0)
    mean = zeroed.sum(axis=1) / counts
    deviation = np.sqrt(np.where(known, (flat - mean[:, None]) ** 2, 0).sum(axis=1) / counts)
    names = [
        f"{what} of channel {number}" for what in ("mean", "deviation") for number in range(flat.shape[2])
    ]
    return np.concatenate([mean, deviation], axis=1), names


def small_images(images: np.ndarray) -> np.ndarray:
    """Return (samples, height, width) float32 brightnesses, as means of blocks where images are large.

    Args:
        images: (samples, height, width, channels).

    Example:
        >>> small_images(np.ones((2, 100, 64, 3))).shape
        (2, 34, 32)
    """
    small = []
    for start in range(0, len(images), 256):
        gray = images[start : start + 256].astype(np.float32).mean(axis=-1)
        for axis in (1, 2):
            step = max(1, gray.shape[axis] // _SIDE)
            edges = np.arange(0, gray.shape[axis], step)
            sizes = np.diff([*edges, gray.shape[axis]])
            shape = [1, 1, 1]
            shape[axis] = -1
            gray = np.add.reduceat(gray, edges, axis=axis) / sizes.reshape(shape)
        small.append(gray)
    return np.nan_to_num(np.concatenate(small)).astype(np.float32)


def perceptual_hashes(images: np.ndarray) -> np.ndarray:
    """Return (samples, frequencies) unit vectors, alike for images that look alike.

    They are the low frequencies of the cosine transform, without the mean and of length 1, so that neither
    brightness, contrast, size nor fine noise matters; as numbers, where the usual hash keeps their signs.

    Args:
        images: (samples, height, width, channels).

    Source:
        Zauner 2010, "Implementation and benchmarking of perceptual image hash functions".

    Example:
        >>> images = np.random.default_rng(0).random((2, 40, 40, 1))
        >>> hashes = perceptual_hashes(np.concatenate([images, 0.5 * images + 0.2]))
        >>> bool(np.allclose(hashes[:2], hashes[2:], atol=1e-5)), bool(hashes[0] @ hashes[1] > 0.5)
        (True, False)
    """
    waves = dctn(small_images(images), axes=(1, 2), norm="ortho")[:, :_FREQUENCIES, :_FREQUENCIES]
    flat = waves.reshape(len(waves), -1)[:, 1:]
    return flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-6)


def projected_shingles(texts: np.ndarray) -> np.ndarray:
    """Return (samples, 256) vectors whose products are about the share of pieces of 5 characters in common.

    Source:
        Broder 1997, "On the resemblance and containment of documents", for shingles; Achlioptas 2003,
        "Database-friendly random projections".

    Example:
        >>> texts = np.array(["a quick brown fox", "a quick brown dog", "unlike both"])
        >>> one, two, other = projected_shingles(texts)
        >>> bool(one @ two > 0.5 > one @ other)
        True
    """
    signs = np.random.default_rng(0).choice(np.array([-1, 1], np.float32), (_HASHES, _PROJECTED))
    shingled = shingles().transform(beginnings(texts))
    return np.asarray(shingled @ signs, np.float32) / np.float32(math.sqrt(_PROJECTED))


def beginnings(texts: np.ndarray) -> list[str]:
    """Return what texts begin with, which tells them apart as well and keeps long ones quick.

    Example:
        >>> beginnings(np.array(["short", ""], object)), len(beginnings(np.array(["x" * 1000]))[0])
        (['short', '-'], 500)
    """
    return [str(text)[:_MOST_CHARACTERS].strip() or "-" for text in texts]


def shingles() -> HashingVectorizer:
    """Return what turns texts into which pieces of 5 characters they have, hashed, of length 1 together."""
    return HashingVectorizer(
        analyzer="char",
        ngram_range=(_SHINGLE, _SHINGLE),
        n_features=_HASHES,
        binary=True,
        alternate_sign=False,
        dtype=np.float32,
    )


def row_vectors(frames: list[pd.DataFrame]) -> list[np.ndarray]:
    """Return rows as vectors with a distance: standardised numbers, random places for categories.

    Args:
        frames: Of the same columns; the first is what numbers are standardised by.

    Example:
        >>> frame = pd.DataFrame({"a": [1.0, 2.0, 3.0], "b": ["x", "y", "x"]})
        >>> [vectors.shape for vectors in row_vectors([frame, frame[:1]])]
        [(3, 4), (1, 4)]
    """
    parts: list[list[np.ndarray]] = [[] for _ in frames]
    for name in frames[0]:
        columns = [frame[name] for frame in frames]
        for part, vectors in zip(parts, _vectors(columns), strict=True):
            part.append(vectors)
    return [np.concatenate(part, axis=1) for part in parts]


def _vectors(columns: list[pd.Series]) -> list[np.ndarray]:
    if is_number(columns[0]):
        known = columns[0].to_numpy(np.float64)
        known = known[np.isfinite(known)]
        mean, deviation = (known.mean(), known.std()) if len(known) else (0.0, 0.0)
        standard = [(column.to_numpy(np.float64) - mean) / (deviation or 1.0) for column in columns]
        return [np.nan_to_num(values, posinf=0, neginf=0)[:, None].astype(np.float32) for values in standard]
    whole = pd.concat(columns).astype(str)
    codes, values = pd.factorize(whole, sort=True)
    places = np.random.default_rng(0).normal(size=(len(values), 3)).astype(np.float32)
    return np.split(places[codes], np.cumsum([len(column) for column in columns])[:-1])
