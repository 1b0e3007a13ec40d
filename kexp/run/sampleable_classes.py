"""The classes that a recorded model draws samples of, known before it is loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kexp.core.errors import InputError
from kexp.core.json_files import parse_json
from kexp.core.zip_archives import read_zip_member
from kexp.data.dataset import DatasetSpec
from kexp.tasks import task_named

_AGAIN = "the run is damaged, so train it again"


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
    content = read_zip_member(model_file, "config.json", "a saved Keras model", _AGAIN)
    config = parse_json(content, f"file {model_file}", {"config": dict[str, Any]}, advice=_AGAIN)["config"]
    try:
        return task.sampleable_classes(config)
    except (KeyError, TypeError, AttributeError, StopIteration):  # the config is another model's
        raise InputError(
            f"file {model_file}: expected a model for {task.name}, but its config.json is not such; {_AGAIN}."
        ) from None
