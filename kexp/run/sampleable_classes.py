"""The classes that a recorded model draws samples of, known before it is loaded."""

from __future__ import annotations

from pathlib import Path

from kexp.core.errors import InputError
from kexp.core.foreign_files import reason
from kexp.core.keras_file import keras_file_config
from kexp.data.dataset import DatasetSpec
from kexp.run.run_files import ADVICE
from kexp.tasks import task_named


def sampleable_classes(model_file: Path, spec: DatasetSpec) -> tuple[str, ...] | None:
    """Return the classes that a recorded model draws by name: none for some models, None: it draws nothing.

    Keras is not asked, whose import takes seconds.

    Args:
        model_file: The model.keras of a run.
        spec: Of the run.

    Raises:
        InputError: The file is absent or damaged.
    """
    task = task_named(spec.task)
    if not task.can_sample:
        return None
    config = keras_file_config(model_file, ADVICE)["config"]
    try:
        classes = task.sampleable_classes(config)
        if classes and not all(isinstance(name, str) for name in classes):
            raise TypeError("class_names are no texts")
        return classes
    except (LookupError, TypeError, AttributeError, StopIteration) as error:
        raise InputError(
            f"file {model_file}: its config.json does not say its classes ({reason(error)}); {ADVICE}."
        ) from None
