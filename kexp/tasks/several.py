"""Several outputs: each with a task of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from kexp.core.errors import InputError
from kexp.core.structures import flat
from kexp.data.array_specs import Head
from kexp.data.dataset import DatasetSpec, Split
from kexp.metrics.direction import Direction
from kexp.metrics.intervals import Interval
from kexp.tasks.base import Arrays, Task
from kexp.tasks.output_part import OutputPart

if TYPE_CHECKING:
    import pandas as pd


def head_spec(spec: DatasetSpec, head: Head) -> DatasetSpec:
    """Return the description of the data as that of one output alone.

    Example:
        >>> price = Head("price", "regression", 1)
        >>> spec = DatasetSpec("array", (3,), "float32", "several", 0, heads=(price,))
        >>> head_spec(spec, spec.heads[0]).target
        'price'
    """
    return replace(
        spec,
        task=head.task,
        outputs=head.outputs,
        class_names=head.class_names,
        target=head.name,
        thresholds=head.thresholds,
        heads=(),
        output_structure=None,
    )


def of_head(name: str, arrays: Mapping[str, Any]) -> dict[str, Any]:
    """Return the predictions of one output, by their own names.

    Example:
        >>> of_head("kind", {"kind_label": 1, "size_values": 2})
        {'label': 1}
    """
    start = f"{name}_"
    return {key.removeprefix(start): value for key, value in arrays.items() if key.startswith(start)}


class Several(Task):
    """Predicts what each output stands for, under its name: "kind_label", "size_values"."""

    name: ClassVar[str] = "several"
    can_trim_padding: ClassVar[bool] = False
    can_memorize: ClassVar[bool] = False
    undefined: ClassVar[str] = "a class or a label is not in it, or a target has only one value"

    def check_evaluable(self) -> None:
        raise InputError(
            "evaluate compares predictions with targets by the loss of one task, and this model has several "
            "outputs; use result.model.evaluate after compiling it."
        )

    def check_training_outputs(
        self, model: str, spec: DatasetSpec, targets: np.ndarray, received: tuple[int, ...]
    ) -> None:
        """Accept any shape: each output was looked at by itself."""

    def named_predictions(
        self, outputs: Any, spec: DatasetSpec, *, from_probabilities: bool = False
    ) -> dict[str, np.ndarray]:
        by_name = flat(spec.output_structure, outputs)
        return {
            f"{head.name}_{key}": array
            for head, task, own in _heads(spec)
            for key, array in task.named_predictions(
                by_name[head.name], own, from_probabilities=not head.from_logits
            ).items()
        }

    def frame(self, predictions: Arrays, spec: DatasetSpec) -> pd.DataFrame:
        """Return the tables of all outputs side by side, their columns named after the output."""
        import pandas as pd

        frames = {
            head.name: task.frame(of_head(head.name, predictions), own) for head, task, own in _heads(spec)
        }
        named = [
            frame if set(frame.columns) == {name} else frame.add_prefix(f"{name} ")
            for name, frame in frames.items()
        ]
        return pd.concat(named, axis=1)

    def parts(self, spec: DatasetSpec) -> Sequence[OutputPart]:
        """Return the outputs, each with its own targets."""
        return [_part(head, own) for head, _, own in _heads(spec)]

    def exact_metrics(self, targets: Any, predictions: Arrays, spec: DatasetSpec) -> dict[str, float]:
        """Return the metrics of each output under its name: "kind_accuracy"."""
        return {
            f"{name}_{metric}": value
            for name, task, truth, answers, own in _measured(targets, predictions, spec)
            for metric, value in task.exact_metrics(truth, answers, own).items()
        }

    def intervals(self, targets: Any, predictions: Arrays, spec: DatasetSpec) -> dict[str, Interval]:
        """Return the intervals of each output's metrics under its name."""
        return {
            f"{name}_{metric}": value
            for name, task, truth, answers, own in _measured(targets, predictions, spec)
            for metric, value in task.intervals(truth, answers, own).items()
        }

    def exact_names(self, spec: DatasetSpec) -> dict[str, Direction]:
        return {
            f"{head.name}_{name}": direction
            for head, task, own in _heads(spec)
            for name, direction in task.exact_names(own).items()
        }

    def fitted(self, spec: DatasetSpec, targets: Any, predictions: Arrays) -> DatasetSpec:
        """Return a spec with what is chosen for each output."""
        heads = []
        for head, task, own in _heads(spec):
            if head.name in targets:
                named = of_head(head.name, predictions)
                fitted = task.fitted(own, targets[head.name], named)
                head = replace(head, thresholds=fitted.thresholds)
            heads.append(head)
        return replace(spec, heads=tuple(heads))

    def example_columns(
        self, targets: Any, predictions: Arrays, spec: DatasetSpec
    ) -> dict[str, Sequence[object]]:
        return {
            f"{head.name}: {title}": column
            for head, task, own in _heads(spec)
            if head.name in targets
            for title, column in task.example_columns(
                targets[head.name], of_head(head.name, predictions), own
            ).items()
        }

    def expected_columns(self, targets: Any, spec: DatasetSpec) -> dict[str, Sequence[object]]:
        return {
            f"{head.name}: {title}": column
            for head, task, own in _heads(spec)
            if head.name in targets
            for title, column in task.expected_columns(targets[head.name], own).items()
        }

    def served_outputs(
        self, outputs: Any, spec: DatasetSpec, *, from_probabilities: bool = False
    ) -> dict[str, Any]:
        by_name = flat(spec.output_structure, outputs)
        return {
            f"{head.name}_{key}": tensor
            for head, task, own in _heads(spec)
            for key, tensor in task.served_outputs(
                by_name[head.name], own, from_probabilities=not head.from_logits
            ).items()
        }

    def check_model_outputs(self, outputs: Any, spec: DatasetSpec) -> None:
        by_name = flat(spec.output_structure, outputs)
        for head, task, own in _heads(spec):
            task.check_model_outputs(by_name[head.name], own)

    def check_predictions(self, predictions: Arrays, samples: int, spec: DatasetSpec) -> None:
        for head, task, own in _heads(spec):
            task.check_predictions(of_head(head.name, predictions), samples, own)

    def tied(self, predictions: Arrays, tolerance: float, spec: DatasetSpec) -> np.ndarray | np.bool_:
        """Return where a choice of any output is tied, (n,) bool."""
        found: Any = np.False_
        for head, task, own in _heads(spec):
            tied = np.asarray(task.tied(of_head(head.name, predictions), tolerance, own))
            found = found | (tied.reshape(len(tied), -1).any(axis=1) if tied.ndim else tied)
        return found


def _part(head: Head, own: DatasetSpec) -> OutputPart:
    def split(whole: Split) -> Split:
        # Without targets of the output, as where its loss needs none, no row is left to compare on.
        targets = whole.targets.get(head.name, np.empty((0, 1), np.float32))
        return replace(whole, targets=targets, sample_weight=None)

    return OutputPart(
        head.name,
        own,
        lambda metric: f"{head.name}_{metric}",
        split,
        lambda predictions: of_head(head.name, predictions),
    )


def _measured(
    targets: Any, predictions: Arrays, spec: DatasetSpec
) -> list[tuple[str, Task, Any, Arrays, DatasetSpec]]:
    """Return each output that there are targets of: its name and task, and what that measures."""
    return [
        (head.name, task, targets[head.name], of_head(head.name, predictions), own)
        for head, task, own in _heads(spec)
        if head.name in targets
    ]


def _heads(spec: DatasetSpec) -> list[tuple[Head, Task, DatasetSpec]]:
    from kexp.tasks import task_named

    return [(head, task_named(head.task), head_spec(spec, head)) for head in spec.heads]
