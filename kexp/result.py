"""The result of a run: its record, and what can be done with it."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import fields
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from kexp.core.constraints import Between, Count, ExampleCount, check_value
from kexp.core.errors import InputError
from kexp.core.html_tables import summary, table
from kexp.data import DataLike, Dataset
from kexp.data import load as load_data
from kexp.data.dataset import sample_count
from kexp.evaluation.calibrated_run import CalibratedRun
from kexp.export import export_model
from kexp.export.export_checks import check_license
from kexp.export.exporter import exporters_of
from kexp.export.extreme_inputs import rows_of_data, with_extremes
from kexp.export.quantization import Quantization, QuantizedType, check_measurable
from kexp.export.recorded_examples import ExampleRows
from kexp.report import recorded_data, write_run_page
from kexp.run.environment import versions
from kexp.run.record import RunRecord
from kexp.run.recorded_call import recorded_call
from kexp.tasks import task_named

if TYPE_CHECKING:
    import keras
    from matplotlib.figure import Figure

    from kexp.api.explanation import Explanation


_MOST_SHOWN = 24  # metrics, in a notebook


class Result(CalibratedRun):
    """A finished run, and what can be done with it.

    Example:
        >>> result = load(run_dir)
        >>> sorted(result.metrics)[:2]
        ['accuracy', 'loss']
        >>> result.predict(__import__("numpy").zeros((2, 8, 8), "uint8")).probabilities.shape
        (2, 10)
    """

    @classmethod
    def of(cls, record: RunRecord) -> Result:
        """Return the result of a run that is at hand, with the model it may have loaded."""
        result = cls(**{field.name: getattr(record, field.name) for field in fields(record)})
        vars(result).update(vars(record))
        return result

    def _repr_html_(self) -> str:
        """What a notebook shows: where the run is, how it went, and its metrics."""
        best = f", weights of epoch {self.best_epoch}" if self.best_epoch else ""
        facts = {
            "data": str(self.environment["data"]["name"]),
            "epochs": f"{self.epochs}{best}",
            "parameters": f"{self.parameters:,}",
            "folder": str(self.run_dir),
        }
        for output, sentence in ({} if self.classical is None else self.classical.sentences).items():
            facts[f"classical method{output and f' ({output})'}"] = sentence
        shown = list(self.metrics.items())[:_MOST_SHOWN]
        more = len(self.metrics) - len(shown)
        facts["metrics"] = f"these {len(shown)}, and {more} more in .metrics" if more else ""
        return summary(f"Run of {self.config['recipe']}", facts, table(["metric", "value"], shown))

    def evaluate(self, data: Dataset | str | os.PathLike[str], batch_size: int = 256) -> dict[str, float]:
        """Return loss and metrics on the test split of a data set, or all of it when it has none.

        The exact metrics of the task are among them, those that the split defines.

        Args:
            data: A `Dataset`, or anything `kexp.data.load` takes without further arguments.
            batch_size: Samples per call, default 256, 1 or more.

        Raises:
            InputError: The data does not fit the model, or its metrics are of other kinds than those of
                predictions and targets.
        """
        batch_size = check_value("batch_size", batch_size, Count)
        task_named(self.spec.task).check_evaluable()
        chosen = data if isinstance(data, Dataset) else load_data(data, validation=0.0)
        if (chosen.spec.task, chosen.spec.outputs) != (self.spec.task, self.spec.outputs):
            raise InputError(
                f"data must be for {self.spec.task} with {self.spec.outputs} outputs as in training; "
                f"received {chosen.spec.task} with {chosen.spec.outputs}."
            )
        split = chosen.test or chosen.train
        task = task_named(self.spec.task)
        if task.measures_itself:
            predictions = self.predictions_of(split.inputs, batch_size=batch_size).named()
            return task.measured(self.model, split.targets, predictions)
        from kexp.engine.engine_choice import backend
        from kexp.run.split_metrics import exact_metrics
        from kexp.run.training_setup import first_outputs
        from kexp.train.objectives import supervised

        first_outputs(self.model, chosen)
        objective = supervised(self.spec, from_logits=self.from_logits)
        measured = backend().evaluator(self.model, objective, split).measure(batch_size)
        exact = exact_metrics(
            self.model, split, self.spec, from_logits=self.from_logits, batch_size=batch_size
        ).values
        return {**measured, **{name: value for name, value in exact.items() if name not in measured}}

    def plot(self) -> Figure:
        """Return the learning curves as a matplotlib figure, with the chosen epoch and where phases begin."""
        from kexp.run.learning_curves import draw_curves

        return draw_curves(self.history, self.best_epoch, self.phases)

    def export(
        self,
        directory: str | os.PathLike[str],
        *,
        formats: str | Sequence[str] = ("saved_model",),
        quantize: QuantizedType | None = None,
        max_drop: Annotated[float, Between(0.0, 1.0)] = 0.01,
        data: DataLike | None = None,
        overwrite: bool = False,
        license: str | None = None,
        examples: ExampleCount = 8,
    ) -> Path:
        """Write a SavedModel or other formats, and prove in a fresh process that they compute the same.

        Args:
            directory: New folder; the model goes into `directory/1/`. In that of an earlier export for the
                same inputs and outputs it is the next version, `directory/2/` and so on, beside it.
            formats: Names of one or several, also with commas between them: saved_model (default); onnx, for
                ONNX Runtime (extra `onnx`); litert, for LiteRT (extra `litert`). Both take strings as
                the numbers that `preprocess.py` makes of them, which is written beside them.
            quantize: Hold the weights of LiteRT and ONNX in fewer bits, "float16" or "int8", by samples of
                validation; default None. What it costs there is recorded in kexp.json as "quantization".
            max_drop: What quantizing may take from the first exact metric of the task, as from accuracy, from
                0 to 1, default 0.01; of an error it is the share by which it may grow.
            data: What it was trained on, as for `report`; only needed to quantize.
            overwrite: Remove the earlier versions once there is the new one, default False.
            license: Of the model, such as "apache-2.0", for kexp.json and the model card; default None: they
                say that it was not given.
            examples: How many raw inputs are recorded in the export with the network's outputs, 0 to 64,
                default 8, by which `kexp verify export` repeats the check. They are of the validation part,
                or of the training part where there is none; 0: whoever gets the export sees none.

        Returns:
            The folder of the export, in which every version has a model card, README.md.

        Raises:
            InputError: The folder holds something else or cannot be written, a format cannot hold the model,
                or what it needs is not installed.
            ExportError: The exported model predicts differently; nothing is left behind.
        """
        overwrite = check_value("overwrite", overwrite, bool)
        quantize = check_value("quantize", quantize, QuantizedType | None)
        max_drop = check_value("max_drop", max_drop, Annotated[float, Between(0.0, 1.0)])
        license = check_license(license)
        examples = check_value("examples", examples, ExampleCount)
        names = [exporter.format for exporter in exporters_of(formats, quantize)]
        asked: dict[str, Any] = {"examples": ExampleRows(None, ()) if examples else None}
        if task_named(self.spec.task).predicts_inputs:
            given = self.example_inputs()
            samples = with_extremes(given, self.spec, self.predictions_of)
            rows = rows_of_data(sample_count(given), sample_count(samples))[:examples]
            recorded = ExampleRows(self.sample_split, rows) if self.sample_split and examples else None
            asked = {
                "samples": samples,
                "expected": self.predictions_of(samples),
                "examples": recorded,
            }
        return export_model(
            self.model,
            self.spec,
            directory,
            **asked,
            provenance={**self.provenance(), "exported": _export_facts()},
            license=license,
            from_probabilities=not self.from_logits,
            overwrite=overwrite,
            formats=names,
            quantization=None if quantize is None else self._quantization(quantize, max_drop, data),
        )

    def _quantization(self, quantize: QuantizedType, max_drop: float, data: DataLike | None) -> Quantization:
        check_measurable(self.spec)
        found = data if isinstance(data, Dataset) else recorded_data(self, data)
        if found.validation is None:
            raise InputError("quantize needs validation samples, and the run had none; leave it out.")
        inputs = found.validation.inputs
        return Quantization(quantize, inputs, found.validation.targets, self.predictions_of(inputs), max_drop)

    def explain(self, inputs: Any = None, *, data: DataLike | None = None) -> Explanation:
        """Return what the network learned, as plain arrays; its `report()` writes a page of it.

        Of some samples: what speaks for the output, by integrated gradients, Grad-CAM and occlusion, where
        the maps pass the randomisation test (Adebayo et al. 2018), and what attention looks at. Of the
        network: first-layer filters, what units respond to, linear probes by depth, a map of the last
        layer; of tables permutation importance and partial dependence. It takes seconds for small networks,
        and goes with any Keras model; no test sample is looked at.

        Args:
            inputs: One to 16 samples as `predict` takes them; default: six validation samples.
            data: What it was trained on, as for `report`; default: what the recipe was given by name, while
                that is at hand. Without data only the samples are explained.

        Raises:
            InputError: The inputs are not what the model was trained on, the data are not those of the run,
                both are missing, or the output is no number.

        Example:
            >>> explanation = load(run_dir).explain()
            >>> explanation.probe.layers
            ('input', 'dense', 'dense_1', 'logits')
            >>> [one.method for one in explanation.saliency]
            ['integrated gradients', 'occlusion']
        """
        from kexp.api.explanation import explain_run

        return explain_run(self, inputs, data)

    def report(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        data: DataLike | None = None,
        explain: bool | Explanation = False,
    ) -> Path:
        """Write a page with the metrics, the curves and the predictions on validation data, or samples.

        Args:
            path: An HTML file in a folder that exists; default: report.html in the run folder.
            data: What it was trained on: the `Dataset`, or what the recipe was given, where that is one of
                kexp's or installed; what `kexp.fit` was given, as `(x, y)` or `{"x": x, "y": y,
                "validation_data": (x, y)}`; default: what a recipe was given by name, while that is at hand.
                Without data, as of a run on data in memory, the page has no samples, and says so.
            explain: Whether the page also shows what the network learned, default False; or what `explain`
                has returned.

        Returns:
            The path of the page, which is one file; its one script sorts tables.

        Raises:
            InputError: The path cannot be written, or the data are not those of the run.
        """
        if data is not None and not isinstance(data, Dataset):
            data = recorded_data(self, data)
        found = self.explain(data=data) if explain is True else explain or None
        return write_run_page(self, path, data, found)


def _export_facts() -> dict[str, str]:
    """Return when and by which versions an export is made."""
    return {"date": datetime.now(timezone.utc).isoformat(timespec="seconds"), **versions()}


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
    return Result.load(run_dir)


def resume(
    run_dir: str | os.PathLike[str],
    recipe: Callable[..., Result] | None = None,
    *,
    data: DataLike | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    checkpoint_dir: str | None = None,
    track: str | Sequence[str] | None = None,
    quiet: bool = False,
) -> Result:
    """Call the recipe of a run again with the recorded arguments, which goes on from its last checkpoint.

    Args:
        run_dir: Folder of a run; a finished one is returned as it is.
        recipe: The recipe, if it is neither one of kexp's own nor an installed one, of which the recorded
            name is enough: what a folder names is not imported.
        data: What was trained on, if that was in memory, of which the folder has no more than a fingerprint.
        callbacks: Those that the recipe was called with.
        checkpoint_dir: Where the state of the run is, if that is outside of the folder: nothing is written
            where the folder alone says. Default None: in the folder.
        track: Trackers to tell of the run; default: none.
        quiet: Print nothing, default False.

    Raises:
        InputError: There is no run in the folder, or a damaged one, or its recipe is not one of kexp's, its
            data were in memory, or its state is elsewhere, and that was not given.

    Example:
        >>> sorted(resume(run_dir, quiet=True).metrics)[:2]
        ['accuracy', 'loss']
    """
    again, arguments = recorded_call(run_dir, recipe, checkpoint_dir, data)
    return again(**arguments, track=track, quiet=quiet, callbacks=callbacks)
