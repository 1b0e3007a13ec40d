"""What a model answers: labels and probabilities, values, masks, texts, or its inputs once more."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from kexp.core.errors import InputError
from kexp.data.dataset import DatasetSpec, class_names

if TYPE_CHECKING:
    import pandas as pd


_NAMES = {
    "labels": "label",
    "probabilities": "probabilities",
    "values": "values",
    "masks": "mask",
    "texts": "text",
    "log_probabilities": "log_probability",
    "reconstructions": "reconstruction",
    "codes": "code",
    "anomaly_scores": "anomaly_score",
}
RECONSTRUCTED = ("reconstruction", "code", "anomaly_score")
_MOST_CODE = 64  # numbers that a frame shows of a code


@dataclass(frozen=True, eq=False)
class Predictions:
    """The answers for n samples, in the order they were given.

    Attributes:
        labels: (n,) str objects, the most probable class of each sample; classification.
        probabilities: (n, classes) float32, rows that sum to one; for masks (n, height, width, classes).
        values: (n, outputs) float32; regression.
        masks: (n, height, width) int32, the index of the most probable class of each pixel; segmentation.
        texts: (n,) str objects, the answers; texts from texts.
        log_probabilities: (n,) float32, natural logarithm of the answer's probability or, of a model that
            answers nothing, of the text that it was given; texts.
        reconstructions: (n, ...) float32, the inputs as they come out of their codes; reconstruction.
        codes: (n, ...) float32; reconstruction.
        anomaly_scores: (n,) float32, how far inputs and reconstructions are apart; reconstruction.
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

    def __len__(self) -> int:
        return len(next(iter(self.named().values()), ()))

    def named(self) -> dict[str, np.ndarray]:
        """Return the arrays that there are, as an export calls them.

        Example:
            >>> Predictions(values=np.zeros((2, 1)), texts=np.array(["a", "b"])).named().keys()
            dict_keys(['values', 'text'])
        """
        arrays = {_NAMES[field.name]: getattr(self, field.name) for field in fields(self)}
        return {name: array for name, array in arrays.items() if array is not None}

    @classmethod
    def from_named(cls, arrays: Mapping[str, np.ndarray]) -> Predictions:
        """Return the predictions that an export answers, its strings as str objects."""
        return cls(**{name: arrays[key] for name, key in _NAMES.items() if key in arrays})

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
            InputError: `outputs` has another shape, or the task is generation, which has no answers.

        Example:
            >>> spec = DatasetSpec("array", (4,), "float32", "classification", 2, ("cat", "dog"))
            >>> answer = Predictions.from_outputs(np.array([[0.0, 0.0], [1000.0, 0.0]]), spec)
            >>> answer.labels.tolist(), answer.probabilities.tolist()
            (['cat', 'cat'], [[0.5, 0.5], [1.0, 0.0]])
        """
        check_answers(spec)
        if spec.task == "text":
            return cls.from_named(outputs)
        if spec.task == "reconstruction":
            return cls.from_named(_reconstructed(outputs))
        outputs = np.asarray(outputs, dtype=np.float32)
        wanted = output_shape(spec)
        if outputs.shape[1:] != wanted:
            raise InputError(
                f"outputs must have the shape (samples, {', '.join(map(str, wanted))}), received "
                f"{outputs.shape}; give the model a last layer with {spec.outputs} units."
            )
        if spec.task == "regression":
            return cls(values=outputs)
        probabilities = outputs if from_probabilities else _softmax(outputs)
        if spec.task == "segmentation":
            return cls(masks=probabilities.argmax(axis=-1).astype(np.int32), probabilities=probabilities)
        names = np.array(class_names(spec), dtype=object)
        return cls(labels=names[probabilities.argmax(axis=1)], probabilities=probabilities)

    def to_frame(self, spec: DatasetSpec) -> pd.DataFrame:
        """Return one row per sample: label and a probability per class, or a column per target.

        Of a mask it is the share of pixels of each class, of a reconstruction the anomaly score and the code,
        "code_0" and so on, which is left out where it has more than 64 numbers.

        Args:
            spec: What the model was made for; it names the columns.

        Example:
            >>> spec = DatasetSpec("array", (4,), "float32", "regression", 1, target="price")
            >>> Predictions(values=np.array([[1.5]], np.float32)).to_frame(spec).to_dict("list")
            {'price': [1.5]}
        """
        import pandas as pd

        if spec.task == "text":
            named = self.named()
            return pd.DataFrame({spec.target if name == "text" else name: named[name] for name in named})
        if self.anomaly_scores is not None:
            return self._reconstruction_frame()
        if self.masks is not None:
            shares = [(self.masks == index).mean(axis=(1, 2)) for index in range(spec.outputs)]
            return pd.DataFrame(np.stack(shares, axis=-1), columns=class_names(spec))
        if self.probabilities is None:
            return pd.DataFrame(self.values, columns=_target_names(spec))
        # A class may itself be called "label"; two columns of one name cannot be written to Parquet.
        columns = ["probability of label" if name == "label" else name for name in class_names(spec)]
        frame = pd.DataFrame(self.probabilities, columns=columns)
        frame.insert(0, "label", self.labels)
        return frame

    def _reconstruction_frame(self) -> pd.DataFrame:
        import pandas as pd

        columns = {"anomaly_score": self.anomaly_scores}
        if self.codes is not None:
            codes = self.codes.reshape(len(self.codes), -1)
            if codes.shape[1] <= _MOST_CODE:
                columns.update({f"code_{index}": column for index, column in enumerate(codes.T)})
        return pd.DataFrame(columns)


def check_answers(spec: DatasetSpec) -> None:
    """Check that a model of this task answers inputs at all.

    Raises:
        InputError: It makes samples instead.

    Example:
        >>> check_answers(DatasetSpec("image", (8, 8, 1), "uint8", "generation", 10))
        Traceback (most recent call last):
        kexp.InputError: predict answers inputs, and this model takes none but makes samples; use
        sample.
    """
    if spec.task == "generation":
        raise InputError("predict answers inputs, and this model takes none but makes samples; use sample.")


def output_shape(spec: DatasetSpec) -> tuple[int, ...]:
    """Return the shape of a model's outputs for one sample, where they are numbers.

    Example:
        >>> output_shape(DatasetSpec("image", (4, 5, 3), "uint8", "segmentation", 2))
        (4, 5, 2)
    """
    pixels = spec.input_shape[:2] if spec.task == "segmentation" else ()
    return (*pixels, spec.outputs)


def _reconstructed(outputs: Any) -> dict[str, np.ndarray]:
    if not isinstance(outputs, Mapping) or not outputs.keys() >= set(RECONSTRUCTED):
        raise InputError(
            'outputs must be a mapping with "reconstruction", "code" and "anomaly_score", received '
            f"{sorted(outputs) if isinstance(outputs, Mapping) else type(outputs).__name__}; record a "
            "kexp.models.Reconstructor of the model."
        )
    return {name: np.asarray(outputs[name], dtype=np.float32) for name in RECONSTRUCTED}


def as_str(array: np.ndarray) -> np.ndarray:
    """Return TensorFlow's strings, which are bytes objects, as str objects; all else as it is.

    Example:
        >>> as_str(np.array([b"a"], dtype=object))
        array(['a'], dtype=object)
    """
    return array if array.dtype != object else np.array([text.decode() for text in array], dtype=object)


def _softmax(logits: np.ndarray) -> np.ndarray:  # (n, ..., classes) float32 -> (n, ..., classes) float32
    # Without the largest logit taken off, exp overflows from about 89 on.
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def _target_names(spec: DatasetSpec) -> list[str]:
    if spec.outputs == 1:
        return [spec.target]
    return [f"{spec.target}_{index}" for index in range(spec.outputs)]
