"""One self-contained HTML page about a run: its figures, its curves, and what it answers."""

from __future__ import annotations

import os
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from kexp.core.errors import InputError
from kexp.core.files import read_json
from kexp.report import generated, html, reconstructed
from kexp.report.drawing import style
from kexp.report.examples import examples, shown, take
from kexp.report.sweep_record import label

if TYPE_CHECKING:
    from kexp.data import Dataset, DatasetSpec, Split
    from kexp.run.result import Result

_PREFIXES = {"training": "", "validation": "val_", "test": "test_"}


def run_page(result: Result, data: Dataset | None = None) -> str:
    """Return a page with the figures of a run, its curves and what its model answers on validation data.

    Of generation it shows samples, beside the training images that are nearest to them; of reconstruction
    what comes out again, and what codes and anomaly scores tell; masks as pictures beside the true ones, with
    the intersection over union of each class; texts as a table. Samples are those of the validation part, or
    of the training part when there is none; the test part is only ever measured.

    Args:
        result: A finished run.
        data: What it was trained on, default None: none of it is shown.

    Raises:
        InputError: The data are not those of the run.

    Example:
        >>> import kexp
        >>> page = run_page(kexp.load(run_dir), kexp.data.load("digits"))
        >>> "test" in page, "its probability" in page
        (True, True)
    """
    from kexp.run.learning_curves import draw_curves

    provenance = result.provenance()
    _require_same_data(provenance, data)
    with style():
        curves = html.section("Learning curves", draw_curves(result.history))
    parts = [_summary(result, provenance), _figures(result), _class_figures(result), curves]
    parts += _shown(result, data)
    return html.document(f"Run of {provenance['config']['recipe']}", parts, pictures=True)


def write_run_page(
    result: Result, path: str | os.PathLike[str] | None = None, data: Dataset | None = None
) -> Path:
    """Write the page of a run to a file, and return its path.

    Args:
        result: A finished run.
        path: A file whose folder exists, an earlier page there is replaced; default: report.html in the run
            folder.
        data: What it was trained on; default None: what the run's recipe makes of its recorded arguments, if
            it is one of kexp's and its data are at hand.

    Raises:
        InputError: The folder does not exist, the path is a folder, or the data are not those of the run.

    Example:
        >>> import kexp
        >>> write_run_page(kexp.load(run_dir)).name
        'report.html'
    """
    target = html.writable(result.run_dir / "report.html" if path is None else path)
    return html.write(run_page(result, data or recorded_data(result)), target)


def recorded_data(result: Result) -> Dataset | None:
    """Return the raw data that a run's recipe makes of the recorded arguments, or None if it cannot.

    Example:
        >>> import kexp
        >>> recorded_data(kexp.load(run_dir)).name
        'digits'
    """
    from kexp.run.context import capture_training
    from kexp.run.resume import recorded_call

    try:
        recipe, arguments = recorded_call(result.run_dir)
        arguments = {**arguments, "quiet": True}
        data = capture_training(lambda training: training.raw, recipe, **arguments)
        _require_same_data(result.provenance(), data)
    except InputError:  # a recipe of the user's own, data that are gone or have changed
        return None
    return data


def _require_same_data(provenance: dict, data: Dataset | None) -> None:
    recorded = provenance["env"]["data"]
    if data is not None and data.fingerprint != recorded["fingerprint"]:
        raise InputError(
            f"data {data.name!r} is not what the run was trained on, {recorded['name']!r} with fingerprint "
            f"{recorded['fingerprint'][:8]}; give that, or leave data out."
        )


def _summary(result: Result, provenance: dict) -> str:
    config, environment = provenance["config"], provenance["env"]
    recorded = read_json(result.run_dir / "result.json")
    arguments = config["arguments"]
    best = recorded["best_epoch"]
    return html.definitions(
        {
            "data": f"{environment['data']['name']} ({environment['data']['fingerprint'][:8]})",
            "task": result.spec.task,
            "epochs": str(recorded["epochs"]) + (f", weights of epoch {best}" if best else ""),
            "parameters": f"{recorded['parameters']:,}",
            "time": html.duration(recorded["seconds"]),
            "arguments": ", ".join(f"{name} {label(value)}" for name, value in arguments.items()),
            "folder": str(result.run_dir),
        }
    )


def _figures(result: Result) -> str:
    """Return a table of all figures but those of the classes, a column for each part."""
    classes = _class_names(result.spec)
    return html.heading("Figures") + _by_part(
        result, "figure", {name: name for name in _stems(result) if name not in classes}
    )


def _class_figures(result: Result) -> str:
    named = {name: metric for metric, name in _class_names(result.spec).items() if metric in _stems(result)}
    if not named:
        return ""
    text = (
        "<p>Pixels of a class that were found, over those that are its own or were taken for its own. "
        "A class that neither occurs nor is predicted has 0 here and is left out of mean_iou.</p>"
    )
    return html.heading("Intersection over union of each class") + text + _by_part(result, "class", named)


def _by_part(result: Result, first: str, named: dict[str, str]) -> str:
    parts = {
        part: prefix
        for part, prefix in _PREFIXES.items()
        if any(prefix + metric in result.metrics for metric in named.values())
    }
    rows = [
        [name, *(result.metrics.get(prefix + metric, "") for prefix in parts.values())]
        for name, metric in named.items()
    ]
    return html.table([first, *parts], rows)


def _stems(result: Result) -> list[str]:
    """Return the names of the figures without their prefixes, each once."""
    return list(dict.fromkeys(name.removeprefix("val_").removeprefix("test_") for name in result.metrics))


def _class_names(spec: DatasetSpec) -> dict[str, str]:
    """Return the names of the classes by their metrics'."""
    if spec.task != "segmentation":
        return {}
    from kexp.metrics.iou import metric_names

    return dict(zip(metric_names(spec.class_names), spec.class_names, strict=True))


def _shown(result: Result, data: Dataset | None) -> list[str]:
    """Return sections about what the model answers, or makes."""
    if result.spec.task == "generation":
        return generated.sections(result, data)
    if data is None:
        return []
    return (
        reconstructed.sections(result, data)
        if result.spec.task == "reconstruction"
        else [_samples(result, data)]
    )


def _samples(result: Result, data: Dataset) -> str:
    part: Split = data.validation or data.train
    where = "validation" if data.validation is not None else "training"
    predictions = result.predict(take(part.inputs, shown(result.spec)))
    masks = predictions.masks is not None
    order = " Above one another: image, true mask, predicted mask." if masks else ""
    text = f"<p>The first {len(predictions)} of {len(part):,} {where} samples.{escape(order)}</p>"
    shown_samples = examples(part, predictions, result.spec)
    return f"<section>{html.heading(f'Samples of the {where} part')}{text}{shown_samples}</section>"
