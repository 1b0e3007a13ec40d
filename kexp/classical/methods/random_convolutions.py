"""Random convolutions of a series, and a linear model on how often each is positive."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from kexp.classical.classical_method import (
    ClassicalMethod,
    FittedMethod,
    predicts_classes,
    predicts_numbers,
)
from kexp.classical.convolution_kernels import FEATURES, ConvolutionKernels
from kexp.classical.series_values import is_series
from kexp.data.dataset import Dataset, DatasetSpec, Inputs, Split, single_array
from kexp.tasks.classification import class_indices

_PENALTIES = np.logspace(-3, 3, 10)


class RandomConvolutions(ClassicalMethod):
    """A ridge classifier, or ridge regression, on the features of MiniRocket, of which there are 1,008 here.

    Source:
        Dempster, Schmidt and Webb 2021, "MiniRocket: a very fast (almost) deterministic transform for time
        series classification".
    """

    name: ClassVar[str] = "random_convolutions"
    work: ClassVar[float] = 4e5  # numbers in the series

    def applies(self, data: Dataset) -> bool:
        """Return whether the inputs are series with a class or numbers each."""
        return is_series(data) and (predicts_classes(data.spec) or predicts_numbers(data.spec))

    def row_work(self, data: Dataset) -> float:
        """Return the steps of a series, and what the linear model takes."""
        return float(data.spec.input_shape[0] + FEATURES / 10)

    def title(self, spec: DatasetSpec) -> str:
        """Return its name."""
        return self.name

    def fit(self, train: Split, choice: Split, spec: DatasetSpec, seed: int) -> FittedMethod:
        """Fit the linear model to the features of the training series."""
        from sklearn.linear_model import RidgeClassifierCV, RidgeCV
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        kernels = ConvolutionKernels.fitted(_series(train.inputs), seed)
        found = kernels.features(_series(train.inputs))
        words = "Ridge regression on random convolutions"
        if predicts_numbers(spec):
            model = make_pipeline(StandardScaler(), RidgeCV(_PENALTIES))
            model.fit(found, np.asarray(train.targets).reshape(len(train), -1))
            return FittedMethod(
                lambda inputs: model.predict(kernels.features(_series(inputs))).reshape(-1, spec.outputs),
                words,
            )
        chooser = make_pipeline(StandardScaler(), RidgeClassifierCV(_PENALTIES))
        chooser.fit(found, class_indices(train.targets, spec.outputs))
        one_hot = np.eye(spec.outputs, dtype=np.float32)
        return FittedMethod(
            lambda inputs: one_hot[chooser.predict(kernels.features(_series(inputs)))],
            "A ridge classifier on random convolutions",
        )


def _series(inputs: Inputs) -> np.ndarray:
    return np.asarray(single_array(inputs))
