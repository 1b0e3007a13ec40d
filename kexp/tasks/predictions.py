"""Predictions: labels and probabilities, values, masks, boxes, texts, or the inputs once more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from kexp.core.html_tables import short, summary, table
from kexp.data.dataset import DatasetSpec
from kexp.tasks import task_named
from kexp.tasks.several import head_spec, of_head

if TYPE_CHECKING:
    import pandas as pd


_MOST_SHOWN = 10  # samples, in a notebook
_MOST_NUMBERS = 12  # of a sample
_NAMES = {
    "labels": "label",
    "label_sets": "labels",
    "probabilities": "probabilities",
    "values": "values",
    "quantiles": "quantiles",
    "masks": "mask",
    "texts": "text",
    "log_probabilities": "log_probability",
    "reconstructions": "reconstruction",
    "codes": "code",
    "anomaly_scores": "anomaly_score",
    "boxes": "box",
    "scores": "score",
    "embeddings": "embedding",
    "similarities": "similarity",
    "leads": "lead",
}


@dataclass(frozen=True, eq=False)
class Predictions:
    """The predictions for n samples, in the order they were given.

    Attributes:
        labels: (n,) str objects, the most probable class of each sample; classification.
        probabilities: (n, classes) float32, rows that sum to one; for masks (n, height, width, classes); for
            several labels (n, labels), each from 0 to 1.
        values: (n, outputs) float32; regression; of forecasts (n, horizon) medians.
        masks: (n, height, width) int32, the index of the most probable class of each pixel; segmentation.
        texts: (n,) str objects; texts from texts; retrieval, the most similar training text.
        log_probabilities: (n,) float32, natural logarithm of the probability of the predicted text or, of a
            model that predicts none, of the text that it was given; texts.
        reconstructions: (n, ...) float32, the inputs as they come out of their codes; reconstruction.
        codes: (n, ...) float32; reconstruction.
        anomaly_scores: (n,) float32, how far inputs and reconstructions are apart; reconstruction.
        outputs: Of a model with several outputs the predictions of each, by name.
        label_sets: (n, labels) str objects, the name of each label that is given and "" where it is not;
            several labels for a sample.
        quantiles: (n, horizon, levels) float32, ascending in the levels; forecasts.
        boxes: (n, 100, 4) float32, x_min, y_min, x_max, y_max in pixels of each object, the surest first,
            with its class in `labels`, (n, 100), "" where there is none; detection.
        scores: (n, 100) float32 from 0 to 1, how sure it is that there is such an object; detection.
        embeddings: (n, width) float32 of length 1, near to those of texts that fit; retrieval.
        similarities: (n,) float32 from -1 to 1, the cosine of the embeddings of sample and text; retrieval.
        leads: (n,) float32, how much less similar the next text is; retrieval.
    """

    labels: np.ndarray | None = None
    probabilities: np.ndarray | None = None
    values: np.ndarray | None = None
    masks: np.ndarray | None = None
    texts: np.ndarray | None = None
    log_probabilities: np.ndarray | None = None
    reconstructions: np.ndarray | None = None
    codes: np.ndarray | None = None
    anomaly_scores: np.ndarray | None = None
    outputs: Mapping[str, Predictions] | None = None
    label_sets: np.ndarray | None = None
    quantiles: np.ndarray | None = None
    boxes: np.ndarray | None = None
    scores: np.ndarray | None = None
    embeddings: np.ndarray | None = None
    similarities: np.ndarray | None = None
    leads: np.ndarray | None = None

    def __len__(self) -> int:
        return len(next(iter(self.named().values()), ()))

    def _repr_html_(self) -> str:
        """What a notebook shows: the predictions of the first samples."""
        shown = dict(pair for named in self.named().items() for pair in _columns(*named))
        count = min(len(self), _MOST_SHOWN)
        rows = [[values[place] for values in shown.values()] for place in range(count)]
        facts = {"samples": f"{len(self):,}" + (f", of which the first {count}" if count < len(self) else "")}
        return summary("Predictions", facts, *([table(list(shown), rows)] if rows else []))

    @property
    def label_lists(self) -> list[list[str]] | None:
        """The labels of each sample, in the order of the data's; None where it has no several ones.

        Example:
            >>> Predictions(label_sets=np.array([["red", "round"], ["", ""]], object)).label_lists
            [['red', 'round'], []]
        """
        if self.label_sets is None:
            return None
        return [[label for label in row if label] for row in self.label_sets.tolist()]

    def named(self) -> dict[str, np.ndarray]:
        """Return the arrays that there are, as an export calls them.

        Example:
            >>> Predictions(values=np.zeros((2, 1)), texts=np.array(["a", "b"])).named().keys()
            dict_keys(['values', 'text'])
        """
        arrays = {key: getattr(self, name) for name, key in _NAMES.items()}
        for output, predictions in (self.outputs or {}).items():
            arrays.update({f"{output}_{key}": array for key, array in predictions.named().items()})
        return {name: array for name, array in arrays.items() if array is not None}

    @classmethod
    def from_named(cls, arrays: Mapping[str, np.ndarray], spec: DatasetSpec | None = None) -> Predictions:
        """Return the predictions that an export gives, its strings as str objects.

        Args:
            arrays: By name.
            spec: What the model was made for, which names its outputs if there are several.
        """
        if spec is not None and spec.heads:
            by_output = {head.name: of_head(head.name, arrays) for head in spec.heads}
            return cls(
                outputs={
                    head.name: cls.from_named(by_output[head.name], head_spec(spec, head))
                    for head in spec.heads
                }
            )
        found: Any = {name: arrays[key] for name, key in _NAMES.items() if key in arrays}
        return cls(**found)

    @classmethod
    def from_outputs(cls, outputs: Any, spec: DatasetSpec, from_probabilities: bool = False) -> Predictions:
        """Return the predictions that a model's raw outputs stand for.

        Args:
            outputs: (n, spec.outputs) logits, or values for regression; for masks (n, height, width,
                spec.outputs) logits; for texts a mapping with "text" or "log_probability", (n,) each; for
                reconstruction one with "reconstruction", "code" and "anomaly_score".
            spec: What the model was made for.
            from_probabilities: The outputs are probabilities already. Default False.

        Raises:
            InputError: `outputs` has another shape, or the task is generation, which has no predictions.

        Example:
            >>> spec = DatasetSpec("array", (4,), "float32", "classification", 2, ("cat", "dog"))
            >>> found = Predictions.from_outputs(np.array([[0.0, 0.0], [1000.0, 0.0]]), spec)
            >>> found.labels.tolist(), found.probabilities.tolist()
            (['cat', 'cat'], [[0.5, 0.5], [1.0, 0.0]])
        """
        named = task_named(spec.task).named_predictions(outputs, spec, from_probabilities=from_probabilities)
        return cls.from_named(named, spec)

    def to_frame(self, spec: DatasetSpec) -> pd.DataFrame:
        """Return one row per sample: label and a probability per class, or a column per target.

        Of several labels it is one text, joined by what separated them in the data or ";".

        Of a mask it is the share of pixels of each class, of a reconstruction the anomaly score and the code,
        "code_0" and so on, which is left out where it has more than 64 numbers.

        Args:
            spec: What the model was made for; it names the columns.

        Example:
            >>> spec = DatasetSpec("array", (4,), "float32", "regression", 1, target="price")
            >>> Predictions(values=np.array([[1.5]], np.float32)).to_frame(spec).to_dict("list")
            {'price': [1.5]}
        """
        return task_named(spec.task).frame(self.named(), spec)


def _columns(name: str, array: np.ndarray) -> list[tuple[str, Sequence[object]]]:
    """Return the columns in which the first samples of an array are shown.

    Example:
        >>> _columns("label", np.array(["cat"])), _columns("p", np.array([[0.25, 0.75]]))
        ([('label', ['cat'])], [('p_0', [0.25]), ('p_1', [0.75])])
        >>> _columns("mask", np.zeros((1, 8, 8), np.int32))
        [('mask', ['8 × 8 int32'])]
    """
    first = array[:_MOST_SHOWN]
    if first.ndim == 1:
        return [(name, [short(one) if isinstance(one, str) else one for one in first.tolist()])]
    if first.ndim == 2 and first.shape[1] <= _MOST_NUMBERS:
        columns = [[short(one) if isinstance(one, str) else one for one in each] for each in first.T.tolist()]
        return [(f"{name}_{number}", column) for number, column in enumerate(columns)]
    return [(name, [f"{' × '.join(map(str, first.shape[1:]))} {array.dtype}"] * len(first))]


def as_str(array: np.ndarray) -> np.ndarray:
    """Return TensorFlow's strings, which are bytes objects, as str objects; all else as it is.

    Example:
        >>> as_str(np.array([b"a"], dtype=object))
        array(['a'], dtype=object)
    """
    if array.dtype != object:
        return array
    return np.array([text.decode() for text in array.flat], dtype=object).reshape(array.shape)
