"""The exported model: predictions and samples without Keras."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from kexp.core.errors import InputError
from kexp.core.foreign_files import reason
from kexp.core.user_paths import user_path
from kexp.data.adapters import adapt_inputs, read_inputs
from kexp.data.dataset import DatasetSpec, class_names
from kexp.data.table_columns import unknown_values
from kexp.export.exporter import Exporter, exporters
from kexp.export.input_names import DEFAULT, by_key
from kexp.export.manifest import LOCATION, Manifest
from kexp.export.parity import Arrays, Runner
from kexp.export.preprocessing_files import load_runner
from kexp.tasks import task_named
from kexp.tasks.predictions import Predictions, as_str
from kexp.tasks.sample_requests import check_sample_request

_BATCH_SIZE = 128


@dataclass(frozen=True, eq=False)
class Exported:
    """An exported model, ready to predict or to make samples.

    Attributes:
        directory: The folder of the version that was loaded.
        manifest: Its description.
    """

    directory: Path
    manifest: Manifest = field(repr=False)

    @property
    def spec(self) -> DatasetSpec:
        """The data it was made for: shapes, columns, class names."""
        return self.manifest.spec

    @property
    def provenance(self) -> dict[str, Any]:
        """What was recorded at its export: metrics, config, versions."""
        return self.manifest.provenance

    @property
    def signatures(self) -> tuple[str, ...]:
        """Names of the functions that it serves."""
        return self.manifest.signatures

    @property
    def keys(self) -> dict[str, str]:
        """The signature key of every column of a table; of "inputs" for everything else."""
        return self.manifest.keys

    @cached_property
    def _runner(self) -> Runner:
        self.manifest.check_files(self.directory)
        exporter = next(one for one in exporters().values() if _holds(self.directory, one))
        try:
            return load_runner(self.directory, exporter)
        except (ImportError, InputError):
            raise
        except Exception as error:  # whatever a format raises, the cause is the artifact
            raise InputError(
                f"{self.directory} cannot be loaded ({reason(error)}); export the model again."
            ) from error

    def _run(self, signature: str, inputs: Arrays) -> Arrays:
        try:
            return self._runner(signature, inputs)
        except InputError:
            raise
        except Exception as error:  # the inputs fit its description, so that is not what is in the folder
            raise InputError(
                f"{self.directory} cannot compute {signature} ({reason(error)}); export the model again."
            ) from error

    def predict(self, inputs: Any) -> Predictions:
        """Return the model's predictions for raw inputs.

        Args:
            inputs: What `kexp.data.inputs.adapt_inputs` takes: an array with or without batch axis, or a list
                of series; strings for text; for tables a DataFrame or a mapping of columns.

        Raises:
            InputError: The inputs are not what the model was made for, it makes samples instead, or it is
                damaged.
        """
        task_named(self.spec.task).check_predicts()
        adapted = adapt_inputs(inputs, self.spec)
        for note in unknown_values(self.spec.columns, adapted):
            warnings.warn(note, UserWarning, stacklevel=2)
        samples = by_key(adapted, self.keys)
        count = len(next(iter(samples.values())))
        batches = [
            self._run(DEFAULT, {key: values[start : start + _BATCH_SIZE] for key, values in samples.items()})
            for start in range(0, count, _BATCH_SIZE)
        ]
        outputs = {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}
        self._check_outputs(outputs)
        return Predictions.from_named({name: as_str(values) for name, values in outputs.items()}, self.spec)

    def _check_outputs(self, outputs: Arrays) -> None:
        """Refuse outputs that are not as many as the description says, which names the classes."""
        for name in ("probabilities", "values"):
            known = name in outputs and not task_named(self.spec.task).takes_any_outputs
            received = outputs[name].shape[-1] if known else self.spec.outputs
            if received != self.spec.outputs:
                raise InputError(
                    f"{self.directory} computes {received} {name} for a sample, and its {LOCATION.name} is "
                    f"for {self.spec.outputs}; export the model again."
                )

    def sample(self, n: int, *, seed: int = 0, labels: Sequence[str | int] | None = None) -> np.ndarray:
        """Draw new samples from a generative model or a variational autoencoder.

        Args:
            n: How many, 1 or more, all at once.
            seed: Of the draws, default 0, 0 or more; the same one gives the same on the same device.
            labels: (n,) names or indices of the classes to draw; None (default): classes drawn at random, and
                the only choice for a model without classes, as an autoencoder is.

        Returns:
            As `kexp.run.record.RunRecord.sample`.

        Raises:
            InputError: The model makes no samples, n is below 1, the labels are not n of its classes, or the
                export is damaged.
        """
        names = check_sample_request(n, seed, labels, self.sampleable_classes)
        seeds = np.array(seed, np.int64)
        if names is None:
            outputs = self._run("sample", {"n": np.array(n, np.int32), "seed": seeds})
        else:
            outputs = self._run("sample_class", {"label": np.array(names), "seed": seeds})
        return task_named(self.spec.task).exported_samples(outputs, self.spec)

    @property
    def sampleable_classes(self) -> tuple[str, ...] | None:
        """The classes that it draws by name: none for some models, None for one that draws nothing."""
        if "sample" not in self.signatures:
            return None
        return class_names(self.spec) if "sample_class" in self.signatures else ()


def load_exported(directory: str | os.PathLike[str]) -> Exported:
    """Open what `export_model` wrote; it is loaded, without Keras, at the first prediction.

    Args:
        directory: The export, of whose versions the highest is taken, or the folder of one version.

    Raises:
        InputError: There is no export of kexp's.

    Example:
        >>> load_exported("no/such/folder")
        Traceback (most recent call last):
        kexp.InputError: directory must be the folder of an exported model, but no/such/folder ...
    """
    folder = _version_folder(user_path("directory", directory))
    return Exported(folder, Manifest.read(folder))


def predict_file(directory: str | os.PathLike[str], path: str | os.PathLike[str]) -> Predictions:
    """Return an exported model's predictions for an image, table, text or array in a file.

    Args:
        directory: As `load_exported` takes it.
        path: .png, .jpg, .csv, .csv.gz, .parquet, .txt or .npy, whichever the model can take.

    Raises:
        InputError: There is no export, or the file cannot be read as what the model was made for.
            This comes before TensorFlow is imported.
    """
    exported = load_exported(directory)
    task_named(exported.spec.task).check_predicts()
    return exported.predict(read_inputs(path, exported.spec))


def _version_folder(directory: Path) -> Path:
    if not directory.is_dir():
        raise InputError(
            f"directory must be the folder of an exported model, but {directory} "
            f"{'is a file' if directory.exists() else 'does not exist'}; give the folder that export made."
        )
    formats = list(exporters().values())
    found = newest_version(directory, lambda folder: any(_holds(folder, one) for one in formats))
    if found is None:
        artifacts = " or ".join(one.artifact for one in formats)
        raise InputError(
            f"directory must be the folder of an exported model, but {directory} holds no {artifacts}, "
            "nor does a folder 1 in it; give the folder that export made."
        )
    return found


def newest_version(directory: Path, is_version: Callable[[Path], bool]) -> Path | None:
    """Return a folder if it is a version, or the highest version in it; None: there is none.

    Args:
        directory: The folder.
        is_version: Whether a folder counts as one.
    """
    if is_version(directory):
        return directory
    versions = (path for path in directory.glob("*") if path.name.isdecimal() and is_version(path))
    return max(versions, key=lambda path: int(path.name), default=None)


def _holds(version_folder: Path, exporter: Exporter) -> bool:
    return (version_folder / exporter.artifact).is_file()
