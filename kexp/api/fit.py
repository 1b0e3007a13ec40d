"""`kexp.fit`: train a model, record everything, and return the result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras

from kexp.core.call_signatures import shows_options
from kexp.core.options import TrainOptions, Unpack
from kexp.core.types import Nest
from kexp.result import Result
from kexp.run.fit_arguments import planned
from kexp.run.fit_plan import Baselines, FinalMetric
from kexp.run.training_run import train_run
from kexp.trackers import active_trackers
from kexp.train.objectives import Objective
from kexp.train.phases import Phase


@shows_options
def fit(
    model: keras.Model,
    x: Nest = None,
    y: Nest = None,
    *,
    data: Nest = None,
    sample_weight: Nest = None,
    validation_data: Nest = None,
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
    phases: Sequence[Phase] = (),
    **train: Unpack[TrainOptions],
) -> Result:
    """Train a model, record the run in its folder and return the result; in the place of `model.fit`.

    A compiled model trains as it was compiled, by its optimizer, losses, metrics and steps of its own;
    another one by the training options. The weights of the epoch with the best validation metric are kept;
    without validation data, the last. A test split is looked at once, with those weights.

    Args:
        model: A Keras model. Not compiled, it gives what the data need, such as (batch, classes) logits.
        x: A data set of `kexp.data.load` or its name; or as Keras takes it, arrays, DataFrames or a nest of
            them, a tf.data.Dataset, a PyDataset, a PyTorch DataLoader or a generator, which is read on to the
            same place when a run goes on.
        y: The targets of arrays, likewise; default None.
        data: Another name of `x`.
        sample_weight: (samples,) weights of the training loss, or such by output; default None: all alike.
        validation_data: (x, y), (x, y, sample_weight), or batches to read into memory; default None.
        validation_split: Share at the end of `x` and `y` to validate on, from 0 (default) to below 1.
        steps_per_epoch: Steps of an epoch, 1 or more; default None: as many as take all data.
        validation_steps: How many batches of `validation_data` to take; default None: all.
        validation_freq: Epochs from one validation to the next, or their numbers from 1; default 1.
        initial_epoch: The first epoch, from 0 (default).
        shuffle: Whether each epoch takes the samples in an order of its own, default True.
        objective: What a step minimises, from `kexp.objectives`; None (default): that the model gives the
            targets of the data, by the loss and metrics of the task.
        preprocessing: A model from raw inputs to what `model` takes that is not trained, applied once before
            training; it stands before `model` in what is recorded and exported.
        target_preprocessing: For texts as targets, a model to (batch, steps + 1) int32 tokens as
            `kexp.models.tokenizer` gives; `model` takes all but the last, and gives all but the first.
        inference_model: A model that contains `model`, and is recorded, called and exported in its place, as
            `kexp.models.transcriber` gives for texts; default None.
        final_metrics: By name, functions from a split of the raw data and the outputs of `inference_model` to
            a metric, or to several by the ends of their names; of validation and test data, after training.
        loss: A Keras loss, its name, or a function, in place of the task's own; or such by output.
        metrics: Keras metrics, names or functions in place of the task's own, or such by output.
        callbacks: Keras callbacks; plain data of Keras's own, and what `get_state` gives, are in checkpoints.
        augmentation: Keras layers that change training batches, as `kexp.models.image_augmentation` gives.
        baselines: By name, functions from raw inputs to (samples, outputs), measured like the model.
        phases: `kexp.Phase`s of the training, each with its layers, rates and epochs; default: none.
        **train: Training options. `optimizer` may be a Keras optimizer too, `learning_rate` a Keras schedule,
            and `class_weight` a mapping by class, or by output and class.

    Raises:
        InputError: An argument does not fit, or contradicts what the model was compiled with.

    Example:
        >>> import kexp
        >>> data = kexp.data.load("iris")
        >>> preprocessing = kexp.models.tabular_preprocessing(data.train.inputs, data.spec.columns)
        >>> model = kexp.models.mlp(preprocessing.output_shape[1:], 3, hidden=(16,))
        >>> result = fit(model, data, preprocessing=preprocessing, epochs=1, run_dir=new_dir, quiet=True)
        >>> sorted(result.metrics)[:2]
        ['accuracy', 'loss']
    """
    return Result.of(train_run(*planned(locals()), active_trackers))
