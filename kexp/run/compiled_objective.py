"""The objective of a compiled model, and the description of its data by what its losses say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, NamedTuple

import keras

from kexp.core.errors import InputError
from kexp.core.foreign_files import reason
from kexp.core.options import DEFAULTS, TrainOptions
from kexp.core.structures import Structure, is_nested, packed
from kexp.core.trainer_private import build_compiled, overrides
from kexp.core.types import Nest
from kexp.data import Dataset
from kexp.data.dataset import DatasetSpec, Split
from kexp.data.splits import head
from kexp.engine.engine_choice import backend
from kexp.run.compiled_model import answers_of, refuse_for_own_step
from kexp.run.inference import raw_outputs, state_kept
from kexp.tasks import task_named
from kexp.train.objectives.compiled import Compiled

_TRIED = 8  # samples


class Nests(NamedTuple):
    """The nests in which a model takes its inputs and its targets, with their names; None: it has none."""

    inputs: Structure
    targets: Structure


def compiled_objective(
    model: keras.Model, nests: Nests, raw: Dataset, ready: Dataset, options: TrainOptions
) -> tuple[Compiled, Dataset, Dataset]:
    """Return the objective of a compiled model, and its data with what the outputs stand for.

    Args:
        model: Compiled.
        nests: Of inputs and targets.
        raw: The data as they are given.
        ready: The data as the model takes them.
        options: Complete training options.

    Returns:
        The objective, `ready` and the data as they are given, both with the same outputs.

    Raises:
        InputError: The model cannot take the data, or its losses and metrics cannot compare them.
    """
    refuse_for_own_step(model, options, DEFAULTS, backend().replicas())
    with state_kept(model):
        return _tried_objective(model, nests, raw, ready, options)


def _tried_objective(
    model: keras.Model, nests: Nests, raw: Dataset, ready: Dataset, options: TrainOptions
) -> tuple[Compiled, Dataset, Dataset]:
    outputs = _outputs(model, nests, ready)
    if not overrides(model, "train_step"):  # which makes what it needs when it is traced, as with Keras
        with _explained(model, ready):
            build_compiled(model, _tensors(nests, head(ready.train, _TRIED)))
    if outputs is None and ready.validation is not None and not overrides(model, "test_step"):
        raise InputError(
            f"validation needs a model with a call that takes the inputs, or with a test_step of its own; "
            f"{model.name} has a train_step alone, so give validation=0 and no validation_data."
        )
    answers = None if outputs is None else answers_of(model, outputs, ready.train.targets, nests.targets)

    def described(spec: DatasetSpec) -> DatasetSpec:
        if answers is None:
            return replace(spec, task="outputs", outputs=0)
        if answers.several:
            return replace(
                spec, task="several", outputs=0, heads=answers.heads, output_structure=answers.structure
            )
        (head,) = answers.heads
        known = task_named(spec.task)
        if known is not task_named(head.task) and not known.takes_any_outputs:
            # Data of another task than the loss is for.
            return replace(spec, task="outputs", outputs=0)
        return replace(spec, task=head.task, outputs=head.outputs)

    raw, ready = replace(raw, spec=described(raw.spec)), replace(ready, spec=described(ready.spec))
    is_logits = answers is not None and not answers.several and answers.heads[0].from_logits
    objective = Compiled(model, nests.inputs, nests.targets, task=raw.spec.task, from_logits=is_logits)
    _require_shareable(objective, options)
    _try(objective, ready)
    return objective, ready, raw


def _outputs(model: keras.Model, nests: Nests, ready: Dataset) -> Any:
    """Return what the model gives for a few samples, which also builds it; None where it has no `call`."""
    inputs = head(ready.train, _TRIED).inputs
    structure = nests.inputs if is_nested(nests.inputs) else None
    try:
        return raw_outputs(model, inputs, _TRIED, structure)
    except NotImplementedError:
        if overrides(model, "train_step"):
            return None
        raise InputError(
            f"model {model.name} must have a call, or a train_step of its own; it has neither."
        ) from None
    except Exception as error:  # whatever a layer of the caller's raises
        if overrides(model, "train_step"):
            return None  # its step may feed it something else
        raise InputError(
            f"model {model.name} cannot take the inputs of {ready.name}: {reason(error)}."
        ) from error


def _tensors(nests: Nests, split: Split) -> tuple[Any, ...]:
    def tensors(structure: Any, arrays: Nest) -> Any:
        if isinstance(arrays, Mapping):
            arrays = {name: keras.ops.convert_to_tensor(array) for name, array in arrays.items()}
        else:
            arrays = keras.ops.convert_to_tensor(arrays)
        return packed(structure, arrays) if is_nested(structure) else arrays

    x = tensors(nests.inputs, split.inputs)
    if nests.targets is None:
        return (x,)
    y = tensors(nests.targets, split.targets)
    if split.sample_weight is None:
        return (x, y)
    structure = nests.targets if isinstance(split.sample_weight, Mapping) else "weight"
    return (x, y, tensors(structure, split.sample_weight))


def _try(objective: Compiled, ready: Dataset) -> None:
    """Compute loss and metrics of a few samples once, so that what does not fit is said before training."""
    if objective.has_own_train_step or backend().replicas() > 1:
        return
    for split, training in ((ready.train, True), (ready.validation, False)):
        if split is not None:
            _look_at(objective, head(split, _TRIED), ready, training=training)


def _look_at(objective: Compiled, split: Split, ready: Dataset, *, training: bool) -> None:
    model = objective.model
    tensors = keras.tree.map_structure(
        lambda array: None if array is None else keras.ops.convert_to_tensor(array),
        (_plain(split.inputs), _plain(split.targets), _plain(split.sample_weight)),
    )
    with _explained(model, ready):
        inputs, targets, weights = tensors
        look: Any = SimpleNamespace(training=training, sample_weight=weights)
        passed = objective.losses("model", model, inputs, targets, look).outputs
        assert passed is not None
        model.compute_metrics(passed.x, passed.y, passed.outputs, sample_weight=passed.sample_weight)
        model.reset_metrics()


def _plain(arrays: Nest) -> Any:
    return dict(arrays) if isinstance(arrays, Mapping) else arrays


@contextmanager
def _explained(model: keras.Model, data: Dataset) -> Iterator[None]:
    try:
        yield
    except InputError:
        raise
    except Exception as error:  # whatever a loss, a metric or a layer of the caller's raises
        raise InputError(
            f"loss or metrics of model {model.name} do not fit {data.name}: {reason(error)}; give others."
        ) from error


def _require_shareable(objective: Compiled, options: TrainOptions) -> None:
    """Refuse to split a batch whose loss is no mean over samples."""
    sums = objective.sums_up()
    splits = options["accumulate"] > 1 or options["batch_size"] == "auto" or backend().replicas() > 1
    if sums and splits:
        raise InputError(
            f"accumulate, batch_size='auto' and several replicas need losses that are a mean over the batch; "
            f"{sums[0]} of model {objective.model.name} is none, so compile it with reduction "
            "'sum_over_batch_size'."
        )
