"""What a model answers: labels and probabilities, or values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from kexp.data.spec import Spec
from kexp.errors import InputError

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class Predictions:
    """The answers for n samples, in the order they were given.

    Attributes:
        labels: (n,) str objects, the most probable class of each sample; None for regression.
        probabilities: (n, classes) float32, rows that sum to one; None for regression.
        values: (n, outputs) float32; None for classification.
    """

    labels: np.ndarray | None = None
    probabilities: np.ndarray | None = None
    values: np.ndarray | None = None

    def __len__(self) -> int:
        answers = self.values if self.probabilities is None else self.probabilities
        return 0 if answers is None else len(answers)

    @classmethod
    def from_outputs(cls, outputs: np.ndarray, spec: Spec, from_probabilities: bool = False) -> Predictions:
        """Return the predictions that a model's raw outputs stand for.

        Args:
            outputs: (n, spec.outputs) logits, or values for regression.
            spec: What the model was made for.
            from_probabilities: The outputs are probabilities already. Default False.

        Raises:
            InputError: `outputs` has another shape.

        Example:
            >>> spec = Spec("array", (4,), "float32", "classification", 2, ("cat", "dog"))
            >>> answer = Predictions.from_outputs(np.array([[0.0, 0.0], [1000.0, 0.0]]), spec)
            >>> answer.labels.tolist(), answer.probabilities.tolist()
            (['cat', 'cat'], [[0.5, 0.5], [1.0, 0.0]])
        """
        outputs = np.asarray(outputs, dtype=np.float32)
        if outputs.ndim != 2 or outputs.shape[1] != spec.outputs:
            raise InputError(
                f"outputs must have the shape (samples, {spec.outputs}), received {outputs.shape}; "
                f"give the model a last layer with {spec.outputs} units."
            )
        if spec.task == "regression":
            return cls(values=outputs)
        probabilities = outputs if from_probabilities else _softmax(outputs)
        names = np.array(class_names(spec), dtype=object)
        return cls(labels=names[probabilities.argmax(axis=1)], probabilities=probabilities)

    def to_frame(self, spec: Spec) -> pd.DataFrame:
        """Return one row per sample: label and a probability per class, or a column per target.

        Args:
            spec: What the model was made for; it names the columns.

        Example:
            >>> spec = Spec("array", (4,), "float32", "regression", 1, target="price")
            >>> Predictions(values=np.array([[1.5]], np.float32)).to_frame(spec).to_dict("list")
            {'price': [1.5]}
        """
        import pandas as pd

        if self.probabilities is None:
            return pd.DataFrame(self.values, columns=_target_names(spec))
        # A class may itself be called "label"; two columns of one name cannot be written to Parquet.
        columns = ["probability of label" if name == "label" else name for name in class_names(spec)]
        frame = pd.DataFrame(self.probabilities, columns=columns)
        frame.insert(0, "label", self.labels)
        return frame


def class_names(spec: Spec) -> tuple[str, ...]:
    """Return the names of the classes, their indices where the data has no names.

    Example:
        >>> class_names(Spec("array", (4,), "float32", "classification", 3))
        ('0', '1', '2')
    """
    return spec.class_names or tuple(str(index) for index in range(spec.outputs))


def _softmax(logits: np.ndarray) -> np.ndarray:  # (n, classes) float32 -> (n, classes) float32
    # Without the largest logit taken off, exp overflows from about 89 on.
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def _target_names(spec: Spec) -> list[str]:
    if spec.outputs == 1:
        return [spec.target]
    return [f"{spec.target}_{index}" for index in range(spec.outputs)]
