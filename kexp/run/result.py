"""What a finished run gives back: figures, history, the model, and what can be done with them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kexp.core.errors import InputError
from kexp.core.files import read_json
from kexp.data import Dataset, DatasetSpec
from kexp.data import load as load_data
from kexp.data.adapters import adapt_inputs
from kexp.run.example_inputs import load_samples
from kexp.run.inference import raw_outputs
from kexp.tasks import task_named
from kexp.tasks.predictions import Predictions

if TYPE_CHECKING:
    import keras
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Result:
    """A finished run, as its folder records it.

    Attributes:
        run_dir: The run folder.
        metrics: Final figures by name: without a prefix the running means of the chosen epoch, on
            validation data with `val_` and on test data with `test_` those of the chosen weights.
        history: Figures of every epoch, by name.
        spec: What goes into the model and comes out.

    Example:
        >>> result = load(run_dir)
        >>> sorted(result.metrics)
        ['accuracy', 'loss', 'test_accuracy', 'test_loss', 'val_accuracy', 'val_loss']
        >>> images = np.zeros((2, 8, 8), "uint8")
        >>> result.predict(images).probabilities.shape
        (2, 10)
    """

    run_dir: Path
    metrics: dict[str, float]
    history: dict[str, list[float]]
    spec: DatasetSpec
    from_logits: bool

    @classmethod
    def from_json(cls, recorded: dict[str, Any]) -> Result:
        """Return the result that result.json holds, with its "run_dir"."""
        return cls(
            run_dir=Path(recorded["run_dir"]),
            metrics=recorded["metrics"],
            history=recorded["history"],
            spec=DatasetSpec.from_json(recorded["spec"]),
            from_logits=recorded["from_logits"],
        )

    @cached_property
    def model(self) -> keras.Model:
        """The trained model, raw inputs in; outputs as in training, or what answers in its place."""
        import keras

        import kexp.models  # noqa: F401  # Keras finds no layer of a builder whose file was not imported

        return keras.models.load_model(self.run_dir / "model.keras")

    def predict(self, inputs: Any, batch_size: int = 256) -> Predictions:
        """Return labels and probabilities, values, masks, texts or reconstructions for raw inputs.

        Args:
            inputs: Images (samples, height, width[, channels]), a DataFrame or mapping of columns, strings,
                a list of (steps, channels) series, or an array as the model was trained on.
            batch_size: Samples per call of the model, default 256.

        Raises:
            InputError: The inputs are not what the model was trained on, or it makes samples instead.
        """
        task_named(self.spec.task).check_predicts()
        outputs = raw_outputs(self.model, adapt_inputs(inputs, self.spec), batch_size)
        return Predictions.from_outputs(outputs, self.spec, from_probabilities=not self.from_logits)

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
            >>> load(run_dir).sample(3)
            Traceback (most recent call last):
            kexp.InputError: sample draws from models that make samples (generation, or a variational
            autoencoder), and this is none of them; use predict.
        """
        return task_named(self.spec.task).sample(self.model, self.spec, n, seed, labels)

    def evaluate(self, data: Dataset | str | os.PathLike[str], batch_size: int = 256) -> dict[str, float]:
        """Return loss and metrics on the test part of a data set, or all of it when it has none.

        Args:
            data: A `Dataset`, or anything `kexp.data.load` takes without further arguments.
            batch_size: Samples per call, default 256.

        Raises:
            InputError: The data does not fit the model, or its figures are of other kinds than those of
                answers and targets.
        """
        task_named(self.spec.task).check_evaluable()
        chosen = data if isinstance(data, Dataset) else load_data(data, validation=0.0)
        if (chosen.spec.task, chosen.spec.outputs) != (self.spec.task, self.spec.outputs):
            raise InputError(
                f"data must be for {self.spec.task} with {self.spec.outputs} outputs as in training; "
                f"received {chosen.spec.task} with {chosen.spec.outputs}."
            )
        from kexp.engine.backend import backend
        from kexp.train.objectives import supervised

        objective = supervised(self.spec, from_logits=self.from_logits)
        return backend().evaluator(self.model, objective, chosen.test or chosen.train).measure(batch_size)

    def plot(self) -> Figure:
        """Return the learning curves as a matplotlib figure."""
        from kexp.run.learning_curves import draw_curves

        return draw_curves(self.history)

    def export(self, directory: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
        """Write a SavedModel and prove in a fresh process that it computes what was trained.

        Args:
            directory: New folder; the model goes into `directory/1/`.
            overwrite: Replace an earlier export there, default False.

        Returns:
            The folder of the SavedModel.

        Raises:
            InputError: The folder exists or cannot be written.
            ExportError: The exported model answers differently; nothing is left behind.
        """
        # Export stands above the run in the order of imports, so it is fetched when asked for.
        from kexp.export import export_model

        asked: dict[str, Any] = {}
        if task_named(self.spec.task).predicts_inputs:
            samples = load_samples(self.run_dir / "samples.npz", self.spec)
            asked = {"samples": samples, "expected": self.predict(samples)}
        return export_model(
            self.model,
            self.spec,
            directory,
            **asked,
            provenance=self.provenance(),
            from_probabilities=not self.from_logits,
            overwrite=overwrite,
        )

    def report(self, path: str | os.PathLike[str] | None = None, *, data: Dataset | None = None) -> Path:
        """Write a page with the figures, the curves and what the model answers on validation data, or makes.

        Args:
            path: An HTML file in a folder that exists; default: report.html in the run folder.
            data: What it was trained on; default: what a recipe of kexp's makes of the recorded arguments,
                while its data are at hand. Without data the page has no samples.

        Returns:
            The path of the page, which is one file without scripts.

        Raises:
            InputError: The path cannot be written, or the data are not those of the run.
        """
        from kexp.report import write_run_page

        return write_run_page(self, path, data)

    def provenance(self) -> dict[str, Any]:
        """Return where the model is from: config, environment and metrics."""
        files = {name: read_json(self.run_dir / f"{name}.json") for name in ("config", "env")}
        return {**files, "metrics": self.metrics}


def load(run_dir: str | os.PathLike[str]) -> Result:
    """Return the result of a finished run from its folder.

    Args:
        run_dir: The run folder.

    Raises:
        InputError: There is no finished run in it.

    Example:
        >>> load("no/such/folder")
        Traceback (most recent call last):
        ...
        kexp.InputError: run_dir must be the folder of a finished run; no/such/folder holds no run.
    """
    path = Path(run_dir).expanduser()
    if not (path / "result.json").is_file():
        state = "an unfinished run" if (path / "config.json").is_file() else "no run"
        raise InputError(f"run_dir must be the folder of a finished run; {path} holds {state}.")
    return Result.from_json({**read_json(path / "result.json"), "run_dir": str(path)})
