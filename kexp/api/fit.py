"""`kexp.fit`: train a model, record everything, and return the result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras

from kexp.core.call_signatures import shows_options
from kexp.core.options import TrainOptions, Unpack
from kexp.data import Dataset
from kexp.result import Result
from kexp.run.fit_arguments import check_given, split_options
from kexp.run.fit_plan import Baselines, EpochOptions, FinalMetric, FitPlan, GivenData
from kexp.run.training_run import train_run
from kexp.trackers import active_trackers
from kexp.train.objectives import Objective


@shows_options
def fit(
    model: keras.Model,
    x: Any = None,
    y: Any = None,
    *,
    data: Any = None,
    sample_weight: Any = None,
    validation_data: Any = None,
    validation_split: float = 0.0,
    steps_per_epoch: int | None = None,
    validation_steps: int | None = None,
    validation_freq: int | Sequence[int] = 1,
    initial_epoch: int = 0,
    shuffle: bool = True,
    objective: Objective | None = None,
    preprocessing: keras.Model | None = None,
    target_preprocessing: keras.Model | None = None,
    inference_model: keras.Model | None = None,
    final_metrics: Mapping[str, FinalMetric] | None = None,
    loss: Any = None,
    metrics: Any = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    augmentation: Sequence[keras.layers.Layer] = (),
    baselines: Baselines | None = None,
    **train: Unpack[TrainOptions],
) -> Result:
    """Train a model, record the run in its folder and return the result; in the place of `model.fit`.

    A compiled model trains as it was compiled, by its optimizer, losses, metrics and steps of its own;
    another one by the training options. The weights of the epoch with the best validation metric are kept;
    without validation data, the last. A test split is looked at once, with those weights.

    Args:
        model: A Keras model. Without `loss` and not compiled it gives what the task of the data needs, such
            as (batch, classes) logits.
        x: What to train on: a data set of `kexp.data.load` or its name; or as Keras takes it, an array, a
            DataFrame or a nest of them, a tf.data.Dataset, a PyDataset, a PyTorch DataLoader or a generator.
            What has no numbers to take batches by is read on to the same place when a run goes on.
        y: The targets of arrays, likewise; default None.
        data: Another name of `x`.
        sample_weight: (training samples,) weights of the training loss in the order of the samples, or such
            by output; default None: all alike.
        validation_data: (x, y) or (x, y, sample_weight), or batches that are read into memory; default None.
        validation_split: Share at the end of `x` and `y` to validate on, from 0 (default) to below 1.
        steps_per_epoch: Steps of an epoch, 1 or more; default None: as many as take all data.
        validation_steps: Batches of `validation_data` that come in batches to take; default None: all.
        validation_freq: After every so many epochs there is a validation, or after those of these numbers
            from 1; default 1.
        initial_epoch: The first epoch, from 0 (default), as its number goes into schedules and callbacks.
        shuffle: Whether each epoch takes the samples in an order of its own, default True.
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
        loss: A Keras loss, its name, or a function, in place of the task's own (cross-entropy; squared
            error); for several outputs a list or a mapping. Default None.
        metrics: Keras metrics, names or functions in place of the task's own (accuracy; RMSE and MAE).
        callbacks: Keras callbacks. The state of Keras's own, and of those with the methods `get_state` and
            `set_state`, is part of a checkpoint.
        augmentation: Keras layers that change training batches, such as `kexp.models.image_augmentation`
            gives; the model that is recorded is without them.
        baselines: By name, functions from raw inputs to (samples, outputs) such as
            `kexp.metrics.naive_forecast` gives; measured on the same validation and test data as the model,
            and named before the metric: `test_naive_mean_absolute_error`.
        **train: Training options; see `TrainOptions`. `optimizer` may be a Keras optimizer too,
            `learning_rate` a Keras schedule, and `class_weight` a mapping by class, or by output and class.

    Raises:
        InputError: An argument is out of range, contradicts what the model was compiled with, or model and
            data do not fit each other.

    Example:
        >>> import kexp
        >>> data = kexp.data.load("iris")
        >>> preprocessing = kexp.models.tabular_preprocessing(data.train.inputs, data.spec.columns)
        >>> model = kexp.models.mlp(preprocessing.output_shape[1:], 3, hidden=(16,))
        >>> result = fit(model, data, preprocessing=preprocessing, epochs=1, run_dir=new_dir, quiet=True)
        >>> sorted(result.metrics)[:2]
        ['accuracy', 'loss']
    """
    options, objects = split_options(train)
    epochs = EpochOptions(steps_per_epoch, shuffle, initial_epoch, validation_freq, validation_steps)
    given = GivenData(x if data is None else data, y, sample_weight, validation_data, validation_split)
    plan = FitPlan(
        model=model,
        data=given.x if isinstance(given.x, Dataset) else None,
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
        given=None if isinstance(given.x, Dataset) else given,
        epochs=epochs,
        **objects,
    )
    check_given(given, epochs, twice=x is not None and data is not None)
    return Result.of(train_run(plan, options, active_trackers()))
