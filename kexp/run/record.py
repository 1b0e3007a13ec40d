"""The record of a run: what its folder holds, as plain data, with the model when it is asked for."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kexp.classical.classical_comparison import ClassicalComparison
from kexp.core.errors import InputError, located
from kexp.data import DatasetSpec
from kexp.data.adapters import adapt_inputs
from kexp.data.dataset import Inputs
from kexp.data.table_columns import unknown_values
from kexp.metrics.intervals import Interval
from kexp.run.calibration_file import Calibration, read_calibration
from kexp.run.example_inputs import SampleSplit, load_samples
from kexp.run.inference import raw_outputs
from kexp.run.model_file import load_model, require_inputs, require_outputs
from kexp.run.run_files import (
    ADVICE,
    CONFIG,
    ENVIRONMENT,
    FORMAT,
    MODEL,
    RESULT,
    SAMPLES,
    read_config,
    read_environment,
    read_result,
    require_unchanged,
    run_folder,
)
from kexp.tasks import task_named
from kexp.tasks.predictions import Predictions

if TYPE_CHECKING:
    import keras
    from typing_extensions import Self


@dataclass(frozen=True)
class RunRecord:
    """A finished run, as its folder records it.

    Attributes:
        run_dir: The run folder.
        metrics: Final metrics by name: without a prefix the running means of the chosen epoch, on
            validation data with `val_` and on test data with `test_` those of the chosen weights, among them
            the exact ones that the task is judged by.
        history: Metrics of every epoch, by name.
        spec: What goes into the model and comes out.
        from_logits: Whether outputs that stand for classes or tokens are logits.
        best_epoch: The epoch whose weights were chosen, from 1; None: the last.
        parameters: Numbers in the weights of the model.
        seconds: How long the run took, from its last start.
        intervals: The 95 % intervals of those metrics that have one, (low, high) by name, as if samples were
            independent; {}: of a kexp that recorded none.
        sample_split: The part of the data that `example_inputs` are of; None: of a kexp that did not say, and
            took the test part where there was one.
        phases: The first epoch of each phase that has begun, from 1; (): it was trained in one go, or by a
            kexp that did not say.
        ended: How the training ended, where there is anything to say of it: on a plateau, or while the
            validation figure was still getting better.
        classical: The network beside classical methods; None: it was not compared, or by a kexp that did not.
        files: SHA-256 of the other files of the folder by name, which are compared when they are read; empty
            in runs of kexp 0.1.0.
        calibration: How its probabilities were calibrated after training; None: they were not.

    Example:
        >>> record = RunRecord.load(run_dir)
        >>> sorted(name for name in record.metrics if name.startswith("test_"))[:3]
        ['test_accuracy', 'test_auroc', 'test_balanced_accuracy']
        >>> images = np.zeros((2, 8, 8), "uint8")
        >>> record.predict(images).probabilities.shape
        (2, 10)
    """

    run_dir: Path
    metrics: dict[str, float]
    history: dict[str, list[float]]
    spec: DatasetSpec
    from_logits: bool
    best_epoch: int | None = None
    parameters: int = 0
    seconds: float = 0.0
    files: dict[str, str] = field(default_factory=dict, repr=False)
    phases: tuple[int, ...] = ()
    intervals: dict[str, Interval] = field(default_factory=dict)
    sample_split: SampleSplit | None = None
    ended: str = ""
    classical: ClassicalComparison | None = None
    calibration: Calibration | None = None

    @classmethod
    def load(cls, run_dir: str | os.PathLike[str]) -> Self:
        """Return the record of a finished run from its folder.

        Raises:
            InputError: There is no finished run in it, or one of its JSON files is damaged, was changed since
                or is of a newer kexp. What else is in there is checked when it is asked for.

        Example:
            >>> RunRecord.load("no/such/folder")
            Traceback (most recent call last):
            ...
            kexp.InputError: run_dir must be the folder of a finished run; no/such/folder holds no run.
        """
        path = run_folder("run_dir", run_dir)
        record = cls.from_json(path, read_result(path))
        _ = record.config, record.environment
        return record.calibrated(read_calibration(path, record.files))

    @classmethod
    def from_json(cls, run_dir: Path, recorded: dict[str, Any]) -> Self:
        """Return the record that result.json of a run folder holds.

        Raises:
            InputError: What it says of the data is damaged.
        """
        place = f"file {run_dir / RESULT}: spec"
        spec = DatasetSpec.from_json(recorded["spec"], place, advice=ADVICE)
        with located(place):
            task_named(spec.task)
        return cls(
            run_dir=run_dir,
            metrics=recorded["metrics"],
            history=recorded["history"],
            spec=spec,
            from_logits=recorded["from_logits"],
            best_epoch=recorded["best_epoch"],
            parameters=recorded["parameters"],
            seconds=recorded["seconds"],
            files=recorded.get("files") or {},
            phases=tuple(recorded.get("phases") or ()),
            intervals={name: (low, high) for name, (low, high) in (recorded.get("intervals") or {}).items()},
            sample_split=recorded.get("sample_split"),
            ended=recorded.get("ended") or "",
            classical=_comparison_of(recorded, f"file {run_dir / RESULT}: classical"),
        )

    def calibrated(self, calibration: Calibration | None) -> Self:
        """Return the record whose predictions are by a temperature, or by none."""
        if calibration is None and self.calibration is None:
            return self
        temperature = None if calibration is None else calibration.temperature
        return replace(self, spec=replace(self.spec, temperature=temperature), calibration=calibration)

    def to_json(self) -> dict[str, Any]:
        """Return the content of result.json."""
        return {
            "format": FORMAT,
            "metrics": self.metrics,
            "epochs": self.epochs,
            "best_epoch": self.best_epoch,
            "parameters": self.parameters,
            "history": self.history,
            "spec": self.spec.to_json(),
            "from_logits": self.from_logits,
            "seconds": self.seconds,
            "files": self.files,
            **({"phases": list(self.phases)} if self.phases else {}),
            **({"intervals": self.intervals} if self.intervals else {}),
            **({"sample_split": self.sample_split} if self.sample_split else {}),
            **({"ended": self.ended} if self.ended else {}),
            **self._comparison_json(),
        }

    def _comparison_json(self) -> dict[str, Any]:
        if self.classical is None:
            return {}
        # Times apart from what a run that was killed must come to again.
        seconds = self.classical.seconds_json()
        timed = {"classical_seconds": seconds} if seconds else {}
        return {"classical": self.classical.to_json(), **timed}

    @property
    def epochs(self) -> int:
        """Epochs that were trained."""
        return len(next(iter(self.history.values())))

    @cached_property
    def config(self) -> dict[str, Any]:
        """The recipe and the arguments that decide the result."""
        content = read_config(self.run_dir)
        require_unchanged(self.run_dir / CONFIG, self.files)
        return content

    @cached_property
    def environment(self) -> dict[str, Any]:
        """Versions, code, hardware and data of the run."""
        content = read_environment(self.run_dir)
        require_unchanged(self.run_dir / ENVIRONMENT, self.files)
        return content

    @cached_property
    def model(self) -> keras.Model:
        """The trained model, raw inputs in; outputs as in training, or what answers in its place."""
        path = self.run_dir / MODEL
        require_unchanged(path, self.files)
        model = load_model(path, ADVICE, checked=MODEL in self.files)
        require_inputs(model, self.spec, path, ADVICE)
        return model

    def predict(self, inputs: Any, batch_size: int = 256) -> Predictions:
        """Return labels and probabilities, values, masks, texts or reconstructions for raw inputs.

        What training had nothing of is counted in a warning: categories, missing values, tokens of texts.

        Args:
            inputs: Images (samples, height, width[, channels]), a DataFrame or mapping of columns, strings,
                a list of (steps, channels) series, or an array as the model was trained on.
            batch_size: Samples per call of the model, default 256.

        Raises:
            InputError: The inputs are not what the model was trained on, it makes samples instead, or its
                file is damaged.
        """
        adapted = self._adapted(inputs)
        for note in self._unknown(adapted):
            warnings.warn(note, UserWarning, stacklevel=2)
        return self._predicted(adapted, batch_size)

    def _unknown(self, adapted: Inputs) -> tuple[str, ...]:
        if isinstance(adapted, np.ndarray) and self.spec.kind == "text":
            from kexp.models.preprocessing.token_counts import unknown_tokens

            return unknown_tokens(self.model, adapted)
        return unknown_values(self.spec.columns, adapted)

    def predictions_of(self, inputs: Any, *, batch_size: int = 256) -> Predictions:
        """Return what `predict` does for inputs of the data's own, without a word on what is new in them.

        Args:
            inputs: As of `predict`.
            batch_size: As of `predict`.
        """
        return self._predicted(self._adapted(inputs), batch_size)

    def outputs_of(self, inputs: Any, *, batch_size: int = 256) -> Any:
        """Return what the network itself gives for inputs of the data's own: logits, where it gives logits.

        Args:
            inputs: As of `predict`.
            batch_size: As of `predict`.
        """
        return self._outputs(self._adapted(inputs), batch_size)

    def _outputs(self, adapted: Inputs, batch_size: int) -> Any:
        outputs = raw_outputs(self.model, adapted, batch_size, self.spec.input_structure)
        require_outputs(outputs, self.spec, self.run_dir / MODEL, ADVICE)
        return outputs

    def _predicted(self, adapted: Inputs, batch_size: int) -> Predictions:
        outputs = self._outputs(adapted, batch_size)
        return Predictions.from_outputs(outputs, self.spec, from_probabilities=not self.from_logits)

    def _adapted(self, inputs: Any) -> Inputs:
        task_named(self.spec.task).check_predicts()
        return adapt_inputs(inputs, self.spec)

    def sample(self, n: int, *, seed: int = 0, labels: Sequence[str | int] | None = None) -> np.ndarray:
        """Draw new samples from a generative model or a variational autoencoder.

        Args:
            n: How many, 1 or more, all at once.
            seed: Of the draws, default 0, 0 or more; the same one gives the same on the same device.
            labels: (n,) names or indices of the classes to draw; None (default): classes drawn at random, and
                the only choice for a model without classes, as an autoencoder is.

        Returns:
            (n, height, width, channels) uint8, or of an autoencoder what it reconstructs of random codes,
            (n, ...) uint8 where the data is, else float32.

        Raises:
            InputError: The model makes no samples, n is below 1, or the labels are not n of its classes.

        Example:
            >>> RunRecord.load(run_dir).sample(3)
            Traceback (most recent call last):
            kexp.InputError: sample draws from models that make samples (generation, or a variational
            autoencoder), and this is none of them; use predict.
        """
        task = task_named(self.spec.task)
        if task.can_sample and not hasattr(self.model, "sample"):
            raise InputError(
                f"file {self.run_dir / MODEL}: makes no samples, and the run is one of {task.name}; {ADVICE}."
            )
        return task.sample(self.model, self.spec, n, seed, labels)

    def example_inputs(self) -> Any:
        """Return the first raw inputs of the run's data, as the model takes them."""
        require_unchanged(self.run_dir / SAMPLES, self.files)
        return load_samples(self.run_dir / SAMPLES, self.spec)

    def provenance(self) -> dict[str, Any]:
        """Return where the model is from: config, environment, metrics with intervals, and its training."""
        return {
            "config": self.config,
            "env": self.environment,
            "metrics": self.metrics,
            "intervals": self.intervals,
            **({"calibration": self.calibration.to_json()} if self.calibration else {}),
            "training": {
                "epochs": self.epochs,
                "best_epoch": self.best_epoch,
                "parameters": self.parameters,
                "seconds": self.seconds,
            },
        }


def _comparison_of(recorded: dict[str, Any], place: str) -> ClassicalComparison | None:
    found = recorded.get("classical")
    if found is None:
        return None
    return ClassicalComparison.from_json(found, recorded.get("classical_seconds") or {}, place, ADVICE)
