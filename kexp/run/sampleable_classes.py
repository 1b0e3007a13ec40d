"""The classes that a recorded model draws samples of, known before it is loaded."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

from kexp.core.errors import InputError
from kexp.data.dataset import DatasetSpec
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
    try:
        with zipfile.ZipFile(model_file) as archive:
            config = json.loads(archive.read("config.json"))["config"]
        return task.sampleable_classes(config)
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise InputError(
            f"{model_file} cannot be read ({error}); the run is damaged, train it again."
        ) from error
