"""The base of all tasks: what a task decides, with what holds for one array of numbers as the default."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from kexp.core.errors import InputError
from kexp.core.types import Tensor
from kexp.data.dataset import DatasetSpec, Inputs
from kexp.metrics.class_suffixes import class_suffixes
from kexp.metrics.direction import Direction, better
from kexp.metrics.intervals import Interval
from kexp.metrics.row_scores import RowScores
from kexp.tasks.expected_loss import FirstLoss, constant_loss, first_loss
from kexp.tasks.output_part import OutputPart
from kexp.tasks.sample_requests import check_sample_request, images_from_unit

if TYPE_CHECKING:
    import keras
    import pandas as pd

Arrays = Mapping[str, np.ndarray]


class Task:
    """What a model is for, and everything that follows from it.

    A task has no state. TensorFlow, Keras and pandas are imported in methods alone, so that a task can be
    asked what it is in milliseconds. Predictions are arrays by the names that an export gives them.

    Attributes:
        name: As `DatasetSpec.task` and the files of a run have it.
        has_classes: Outputs are classes of the data, of whole samples or of pixels.
        has_labels: The target of a sample is one class index, so that classes can be weighted, mixed and
            asked for.
        has_boxes: The targets of a sample are boxes, which move with what augmentation moves.
        has_residuals: The targets of a sample are numbers, and each prediction is off by some.
        has_logits: Outputs are logits or probabilities, rather than numbers that are taken as they are.
        predicts_inputs: The model gives predictions for inputs.
        makes_samples: The model is trained to make new samples, of which its loss says little.
        can_sample: Some models of the task draw new samples.
        has_text_targets: Targets are texts, which training takes as tokens; what predicts is a model of its
            own.
        is_teacher_forced: In training the model is told the tokens before the one that it is asked for.
        can_augment: Inputs may be changed at random while their targets stay.
        can_trim_padding: Batches may be cut where all of their samples end in padding.
        can_memorize: A batch can be learnt by heart, which preflight tries.
        takes_any_outputs: Predictions are what the model gives, of any shape.
        measures_itself: `evaluate` gives what `measured` does, rather than loss, metrics and exact metrics.
        ties_reorder: Where predictions are `tied`, they may come in another order, with all that is of them.
        class_metric: What the metric of each class is called on a page, and a sentence on it.
        counted: What has a class each, for messages: "samples" or "pixels".
        output_noun: What outputs stand for, for messages: "classes" or "targets".
        monitor: The metric that the best epoch is chosen by, unless the caller gives loss or metrics.
        undefined: Why a split may not define an exact metric, for messages.
    """

    name: ClassVar[str]
    has_classes: ClassVar[bool] = False
    has_labels: ClassVar[bool] = False
    has_boxes: ClassVar[bool] = False
    has_residuals: ClassVar[bool] = False
    has_logits: ClassVar[bool] = False
    predicts_inputs: ClassVar[bool] = True
    makes_samples: ClassVar[bool] = False
    can_sample: ClassVar[bool] = False
    has_text_targets: ClassVar[bool] = False
    is_teacher_forced: ClassVar[bool] = False
    can_augment: ClassVar[bool] = True
    can_trim_padding: ClassVar[bool] = True
    can_memorize: ClassVar[bool] = True
    takes_any_outputs: ClassVar[bool] = False
    measures_itself: ClassVar[bool] = False
    ties_reorder: ClassVar[bool] = False
    class_metric: ClassVar[tuple[str, str]] = ("Classes", "")
    counted: ClassVar[str] = "samples"
    output_noun: ClassVar[str] = "classes"
    monitor: ClassVar[str] = "val_loss"
    undefined: ClassVar[str] = ""

    @property
    def mode(self) -> Direction:
        """Whether the best epoch has the "max" or the "min" of the monitor."""
        return better(self.monitor)

    # Training

    def loss(self, *, from_logits: bool, label_smoothing: float) -> keras.losses.Loss:
        """Return the loss of targets and outputs.

        Args:
            from_logits: Outputs are logits rather than probabilities, where they are either.
            label_smoothing: Share of a label spread over all classes, where there are classes.
        """
        raise InputError(
            f"objective must be given for {self.name}, which compares no outputs with targets; take one of "
            "kexp.objectives."
        )

    def loss_of(self, spec: DatasetSpec, *, from_logits: bool, label_smoothing: float) -> keras.losses.Loss:
        """Return the loss for data of a kind, where it is not the same for all; arguments as of `loss`."""
        return self.loss(from_logits=from_logits, label_smoothing=label_smoothing)

    def metrics(self, spec: DatasetSpec, *, from_logits: bool) -> tuple[keras.metrics.Metric, ...]:
        """Return the metrics of targets and outputs."""
        return ()

    def accuracy(self, name: str) -> keras.metrics.Metric:
        """Return the metric that "accuracy" stands for.

        Raises:
            InputError: The targets are none that a prediction meets or misses.
        """
        raise InputError(
            f"metrics must be those of {self.name}, which has no accuracy; give others, such as "
            "'mean_absolute_error'."
        )

    def class_metrics(self, spec: DatasetSpec) -> dict[str, str]:
        """Return the names of the classes by those of their metrics, where each class has one of its own."""
        return {}

    def labels_of(self, targets: np.ndarray) -> np.ndarray:
        """Return the class indices that targets hold, of any shape."""
        return targets

    def sample_mask(self, targets: Tensor) -> Any:
        """Return 1 for what loss and metrics count and 0 for padding, float32; None where all counts."""
        return None

    def metric_targets(self, targets: Tensor) -> Any:
        """Return targets as metrics take them."""
        return targets

    def loss_targets(self, targets: Tensor, outputs: Tensor) -> Any:
        """Return targets in the form that losses compare with outputs."""
        return targets

    def metric_inputs(
        self, metric: keras.metrics.Metric, targets: Tensor, outputs: Tensor, *, from_logits: bool
    ) -> tuple[Any, Any]:
        """Return targets and outputs in the form that one of Keras's own metrics takes.

        Args:
            metric: A Keras metric; one of a user's own gets both as they are.
            targets: As `metric_targets` gives them.
            outputs: (batch, ...) of the model.
            from_logits: They are logits rather than probabilities, where they are either.
        """
        return targets, outputs

    def result_names(self, metric: keras.metrics.Metric, count: int, spec: DatasetSpec) -> list[str | None]:
        """Return the names of the values of a metric that gives several, None for those to leave out.

        Args:
            metric: A Keras metric.
            count: Of its values.
            spec: What the data is.
        """
        names = self.component_names(spec)
        per_component = len(names) == count and not hasattr(metric, "thresholds")
        return [
            f"{metric.name}_{suffix}" for suffix in class_suffixes(names if per_component else range(count))
        ]

    def component_names(self, spec: DatasetSpec) -> Sequence[str]:
        """Return what the outputs of a sample are called, where they have names."""
        return ()

    def units_apart(self, spec: DatasetSpec, units: int) -> bool:
        """Return whether each of so many outputs is a logit or a probability by itself."""
        return False

    def gives_logits(self, outputs: np.ndarray) -> bool:
        """Return whether outputs are logits or numbers, rather than probabilities.

        Args:
            outputs: (samples, ..., outputs) of a model that may be untrained.
        """
        return True

    def output_shape(self, spec: DatasetSpec) -> tuple[int, ...]:
        """Return the shape of a model's outputs for one sample, where they are one array."""
        return (spec.outputs,)

    def fits_outputs(self, spec: DatasetSpec, received: tuple[int, ...]) -> bool:
        """Return whether outputs of a shape for one sample can stand for predictions."""
        return received == self.output_shape(spec)

    def check_training_outputs(
        self, model: str, spec: DatasetSpec, targets: np.ndarray, received: tuple[int, ...]
    ) -> None:
        """Check the shape of what a model in training gives for one sample.

        Args:
            model: Its name, for the message.
            spec: What the data is.
            targets: (samples, ...) as the model is trained on them.
            received: The shape of its outputs without the batch axis.

        Raises:
            InputError: It is another than the data needs.
        """
        if not self.fits_outputs(spec, received):
            raise wrong_shape(
                model, self.output_shape(spec), received, f"for the data's {spec.outputs} {self.output_noun}"
            )

    # Preflight

    def first_loss(self, loss: Any, spec: DatasetSpec, targets: np.ndarray) -> FirstLoss | None:
        """Return the loss that a model should start at, or None where nothing is known of it.

        Args:
            loss: The loss function of targets and outputs; None: the objective has none.
            spec: What the data is, its outputs those of the model.
            targets: (samples, ...) of the training split.
        """
        return first_loss(loss, spec.outputs, targets)

    def constant_loss(self, loss: Any, targets: np.ndarray) -> float | None:
        """Return what the best constant output scores, where that is known: nothing is learnt above it."""
        return constant_loss(loss, targets)

    def least_loss(self, loss: Any, spec: DatasetSpec, label_smoothing: float) -> float:
        """Return what is left of the loss when everything is known."""
        return 0.0

    # Predictions

    def check_predicts(self) -> None:
        """Raise InputError if a model gives no predictions for inputs."""
        if not self.predicts_inputs:
            raise InputError("predict takes inputs, and this model takes none but makes samples; use sample.")

    def check_evaluable(self) -> None:
        """Raise InputError if predictions cannot be compared with the targets of other data by a loss."""

    def named_predictions(
        self, outputs: Any, spec: DatasetSpec, *, from_probabilities: bool = False
    ) -> dict[str, np.ndarray]:
        """Return the predictions that a model's raw outputs stand for, by name.

        Args:
            outputs: What the model gives, NumPy arrays of (samples, ...).
            spec: What it was made for.
            from_probabilities: The outputs are probabilities already.

        Raises:
            InputError: The outputs have another shape, or a model of the task predicts nothing.
        """
        self.check_predicts()
        outputs = np.asarray(outputs, dtype=np.float32)
        wanted = self.output_shape(spec)
        if not self.fits_outputs(spec, outputs.shape[1:]):
            raise InputError(
                f"outputs must have the shape (samples, {', '.join(map(str, wanted))}), received "
                f"{outputs.shape}; give the model a last layer with {spec.outputs} units."
            )
        return self._predictions_of(outputs, spec, from_probabilities)

    def _predictions_of(
        self, outputs: np.ndarray, spec: DatasetSpec, from_probabilities: bool
    ) -> dict[str, np.ndarray]:
        return {"values": outputs}

    def frame(self, predictions: Arrays, spec: DatasetSpec) -> pd.DataFrame:
        """Return predictions as a table with a row per sample."""
        import pandas as pd

        columns = list(spec.target_names) or [spec.target]
        if spec.outputs > 1 and not spec.target_names:
            columns = [f"{spec.target}_{index}" for index in range(spec.outputs)]
        return pd.DataFrame(predictions["values"], columns=columns)

    def sample_columns(self, inputs: Inputs, spec: DatasetSpec) -> dict[str, Sequence[object]]:
        """Return columns that say what each prediction is of, to stand before it in a table; mostly none.

        Args:
            inputs: As the model takes them.
            spec: What it was made for.
        """
        return {}

    # Exact metrics

    def exact_metrics(self, targets: np.ndarray, predictions: Arrays, spec: DatasetSpec) -> dict[str, float]:
        """Return the metrics that people judge the task by, of all samples of a split at once.

        Args:
            targets: (samples, ...) of the data, or as a compiled model is given them.
            predictions: By name, (samples, ...) each.
            spec: What the data is.

        Returns:
            By name, without those that the split does not define; none for targets of another form.
        """
        return {}

    def measured(self, model: keras.Model, targets: np.ndarray, predictions: Arrays) -> dict[str, float]:
        """Return by name the metrics of a trained model, where the task `measures_itself`.

        Args:
            model: That is recorded in the run.
            targets: (samples, ...) of the data.
            predictions: Of the same samples, by name.
        """
        raise NotImplementedError

    def intervals(self, targets: np.ndarray, predictions: Arrays, spec: DatasetSpec) -> dict[str, Interval]:
        """Return the 95 % intervals of those of the exact metrics that have one, by name."""
        return {}

    def row_scores(self, targets: np.ndarray, predictions: Arrays, spec: DatasetSpec) -> RowScores | None:
        """Return what each sample adds to the metric that the task is first judged by.

        Args:
            targets: As of `exact_metrics`.
            predictions: By name, (samples, ...) each.
            spec: What the data is.

        Returns:
            The scores; None where samples have none, for targets of another form, or predictions that are
            not finite.
        """
        return None

    def parts(self, spec: DatasetSpec) -> Sequence[OutputPart]:
        """Return what of the answers is measured by itself, where there are several such; mostly none."""
        return ()

    def exact_names(self, spec: DatasetSpec) -> dict[str, Direction]:
        """Return the names of all that `exact_metrics` may give, each with its direction."""
        return {}

    def fitted(self, spec: DatasetSpec, targets: np.ndarray, predictions: Arrays) -> DatasetSpec:
        """Return a spec with what is chosen on validation data once a model is trained.

        Args:
            spec: What the data is.
            targets: (samples, ...) of the validation data.
            predictions: By name, (samples, ...) each.
        """
        return spec

    def example_columns(
        self, targets: Any, predictions: Arrays, spec: DatasetSpec
    ) -> dict[str, Sequence[object]]:
        """Return targets beside predictions as columns of a report's table, a row per sample.

        Args:
            targets: (samples, ...) of the data.
            predictions: By name, (samples, ...) each.
            spec: What the data is.
        """
        columns: dict[str, Sequence[object]] = {}
        for index, (title, values) in enumerate(self.expected_columns(targets, spec).items()):
            columns[title] = values
            columns[title.replace("expected", "answer", 1)] = list(predictions["values"][:, index])
        return columns

    def expected_columns(self, targets: Any, spec: DatasetSpec) -> dict[str, Sequence[object]]:
        """Return targets as columns of a table, a row per sample.

        Args:
            targets: (samples, ...) of the data.
            spec: What the data is.
        """
        names = spec.target_names or (range(spec.outputs) if spec.outputs > 1 else [""])
        return {f"expected {name}".rstrip(): list(targets[:, index]) for index, name in enumerate(names)}

    # Samples

    def sampleable_classes(self, config: Mapping[str, Any]) -> tuple[str, ...] | None:
        """Return the classes that a saved model draws by name: none for some models, None: it draws nothing.

        Args:
            config: Of the model, as its .keras file has it.
        """
        return None

    def sample(
        self, model: keras.Model, spec: DatasetSpec, n: int, seed: int, labels: Sequence[str | int] | None
    ) -> np.ndarray:
        """Return (n, ...) new samples of a trained model as the data has them.

        Raises:
            InputError: The model makes none, or the arguments are not what it draws.
        """
        check_sample_request(n, seed, labels, None)
        raise AssertionError("the check refuses models that draw nothing")

    def exported_samples(self, outputs: Arrays, spec: DatasetSpec) -> np.ndarray:
        """Return (n, ...) samples as the data has them, of what the signature "sample" of an export gives."""
        return images_from_unit(outputs["reconstruction"], spec)

    # Export

    def pipeline_tag(self, spec: DatasetSpec) -> str | None:
        """Return the name that the Hugging Face Hub has for the task on data of a kind; None: it has none."""
        return None

    def served_outputs(
        self, outputs: Any, spec: DatasetSpec, *, from_probabilities: bool = False
    ) -> dict[str, Any]:
        """Return what an export gives by name, as `named_predictions` in operations of TensorFlow.

        Args:
            outputs: What the model gives, tensors of (n, ...).
            spec: What it was made for.
            from_probabilities: The outputs are probabilities already.
        """
        import tensorflow as tf

        return {"values": tf.cast(outputs, tf.float32)}

    def check_model_outputs(self, outputs: Any, spec: DatasetSpec) -> None:
        """Check what a model that is to be exported gives for a few samples.

        Raises:
            InputError: It is not what predictions of the task are made of.
        """
        shape, wanted = getattr(outputs, "shape", None), self.output_shape(spec)
        if shape is None or not self.fits_outputs(spec, tuple(shape)[1:]):
            raise InputError(
                f"model must give one tensor of shape (samples, {', '.join(map(str, wanted))}), received "
                f"{'several tensors' if shape is None else tuple(shape)}; give it a last layer of "
                f"{spec.outputs} units."
            )

    def check_predictions(self, predictions: Arrays, samples: int, spec: DatasetSpec) -> None:
        """Check that there are predictions for so many samples, which an export is to be compared with.

        Raises:
            InputError: There are not.
        """
        require_rows(predictions.get("values"), (samples, *self.output_shape(spec)))

    def tied(self, predictions: Arrays, tolerance: float, spec: DatasetSpec) -> np.ndarray | np.bool_:
        """Return where choices may differ between an export and the model, since either is right.

        Args:
            predictions: By name, (samples, ...) each.
            tolerance: Numbers that are closer together than this count as equal.
            spec: What the model was made for.

        Returns:
            Of the shape of the choices, or of any that broadcasts to it.
        """
        return np.False_


def wrong_shape(model: str, wanted: tuple[int, ...], received: tuple[int, ...], what: str) -> InputError:
    """Return the error of a model in training whose outputs have another shape than its targets need."""
    return InputError(
        f"model {model} must give outputs of shape (batch, {', '.join(map(str, wanted))}) {what}; "
        f"received (batch, {', '.join(map(str, received))}), so change its last layer."
    )


def require_rows(array: np.ndarray | None, wanted: tuple[int, ...]) -> None:
    """Raise InputError unless there is an array of predictions of the shape that the samples need."""
    shape = None if array is None else array.shape
    if shape != wanted:
        raise InputError(
            f"expected must hold predictions of shape {wanted}, one row for each of the samples, "
            f"received {shape}; pass what the model predicts for exactly these samples."
        )
