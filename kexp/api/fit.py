"""`kexp.fit`: train a model, record everything, and return the result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import keras
import numpy as np

from kexp.core.call_signatures import shows_options
from kexp.core.options import TrainOptions, Unpack
from kexp.data import Dataset
from kexp.result import Result
from kexp.run.fit_plan import Baselines, FinalMetric, FitPlan
from kexp.run.training_run import train_run
from kexp.trackers import active_trackers
from kexp.train.objectives import Objective


@shows_options
def fit(
    model: keras.Model,
    data: Dataset,
    *,
    objective: Objective | None = None,
    preprocessing: keras.Model | None = None,
    target_preprocessing: keras.Model | None = None,
    inference_model: keras.Model | None = None,
    final_metrics: Mapping[str, FinalMetric] | None = None,
    loss: keras.losses.Loss | str | None = None,
    metrics: Sequence[keras.metrics.Metric] | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    augmentation: Sequence[keras.layers.Layer] = (),
    sample_weight: np.ndarray | None = None,
    baselines: Baselines | None = None,
    **train: Unpack[TrainOptions],
) -> Result:
    """Train a model on a data set and record the run in its folder.

    The weights of the epoch with the best validation metric are kept; without validation data, the last. The
    test split is looked at once, with those weights.

    Args:
        model: An uncompiled Keras model; outputs (batch, data.spec.outputs), logits for a classifier.
        data: What to train on, from `kexp.data.load`.
        objective: What a step minimises, from `kexp.objectives`; None (default): that the model gives the
            targets of the data, by the loss and metrics of the task.
        preprocessing: A model without trainable weights from raw inputs to what `model` takes. It is
            applied once before training, and stands before `model` in what is recorded and exported.
        target_preprocessing: For texts as targets, a model from them to (batch, steps + 1) int32 tokens, a
            start token first and 0 for padding, such as `kexp.models.tokenizer` gives. What `model` takes
            is all but the last of them, what it shall give all but the first. With a `preprocessing`, it
            takes them as its input "previous", and what that makes of the inputs as "source".
        inference_model: A model that contains `model`, and is recorded, asked and exported in place of it
            and of `preprocessing`: for texts as targets, from (batch,) strings to a mapping with "text"
            (batch,) or "log_probability" (batch,), such as `kexp.models.transcriber` gives. None (default):
            of an autoencoder's objective a `kexp.models.Reconstructor`, else both as they are.
        final_metrics: By name, functions from a split of the raw data and the outputs of `inference_model` to
            a metric, or to several by the ends of their names; of validation and test data, after training.
        loss: A Keras loss in place of the task's own (cross-entropy; squared error).
        metrics: Keras metrics in place of the task's own (accuracy; RMSE and MAE).
        callbacks: Keras callbacks. The state of Keras's own, and of those with the methods `get_state` and
            `set_state`, is part of a checkpoint.
        augmentation: Keras layers that change training batches, such as `kexp.models.image_augmentation`
            gives; the model that is recorded is without them.
        sample_weight: (training samples,) weights of the training loss, in the order of `data.train`.
        baselines: By name, functions from raw inputs to (samples, outputs) such as
            `kexp.metrics.naive_forecast` gives; measured on the same validation and test data as the model,
            and named before the metric: `test_naive_mean_absolute_error`.
        **train: Training options; see `TrainOptions`.

    Raises:
        InputError: An argument is out of range, or model and data do not fit each other.

    Example:
        >>> import kexp
        >>> data = kexp.data.load("iris")
        >>> preprocessing = kexp.models.tabular_preprocessing(data.train.inputs, data.spec.columns)
        >>> model = kexp.models.mlp(preprocessing.output_shape[1:], 3, hidden=(16,))
        >>> result = fit(model, data, preprocessing=preprocessing, epochs=1, run_dir=new_dir, quiet=True)
        >>> sorted(result.metrics)[:2]
        ['accuracy', 'loss']
    """
    plan = FitPlan(
        model=model,
        data=data,
        objective=objective,
        preprocessing=preprocessing,
        target_preprocessing=target_preprocessing,
        inference_model=inference_model,
        final_metrics={} if final_metrics is None else final_metrics,
        loss=loss,
        metrics=metrics,
        callbacks=() if callbacks is None else callbacks,
        augmentation=() if augmentation is None else augmentation,
        sample_weight=sample_weight,
        baselines={} if baselines is None else baselines,
    )
    return Result.of(train_run(plan, train, active_trackers()))
