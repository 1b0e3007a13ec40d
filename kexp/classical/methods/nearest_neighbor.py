"""The nearest neighbour of a series."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from kexp.classical.classical_method import (
    ClassicalMethod,
    FittedMethod,
    predicts_classes,
    predicts_numbers,
    spread,
)
from kexp.classical.series_values import is_series, z_normalized
from kexp.data.dataset import Dataset, DatasetSpec, Inputs, Split, single_array
from kexp.tasks.classification import class_indices

_AT_ONCE = 256  # series that are compared with all of training


class NearestNeighbor(ClassicalMethod):
    """What the training series has that is nearest by Euclidean distance, each z-normalised by channel.

    Source:
        Bagnall et al. 2017, "The great time series classification bake off".
    """

    name: ClassVar[str] = "nearest_neighbor"
    work: ClassVar[float] = 1e5

    def applies(self, data: Dataset) -> bool:
        """Return whether the inputs are series with a class or numbers each."""
        return is_series(data) and (predicts_classes(data.spec) or predicts_numbers(data.spec))

    def row_work(self, data: Dataset) -> float:
        """Return the root of the numbers of a series: every one is compared with every other."""
        return float(np.sqrt(np.prod(data.spec.input_shape)))

    def title(self, spec: DatasetSpec) -> str:
        """Return its name."""
        return self.name

    def fit(self, train: Split, choice: Split, spec: DatasetSpec, seed: int) -> FittedMethod:
        """Keep the training series."""
        known = _flat(train.inputs)
        if predicts_classes(spec):
            classes = class_indices(train.targets, spec.outputs)
            assert classes is not None
            values = spread(np.arange(spec.outputs), np.eye(spec.outputs)[classes], spec.outputs)
        else:
            values = np.asarray(train.targets).reshape(len(train), -1)
        squares = (known**2).sum(axis=1)

        def predict(inputs: Inputs) -> np.ndarray:
            asked = _flat(inputs)
            starts = range(0, len(asked), _AT_ONCE)
            # Of each squared distance the part that differs between training series.
            nearest = [
                (squares - 2 * asked[start : start + _AT_ONCE] @ known.T).argmin(axis=1) for start in starts
            ]
            return values[np.concatenate(nearest)]

        return FittedMethod(predict, "The nearest neighbour")


def _flat(inputs: Inputs) -> np.ndarray:  # (samples, steps * channels) float32
    series = z_normalized(np.asarray(single_array(inputs)))
    return series.reshape(len(series), -1)
