"""The headline of a run: the figure to be seen first, and how far chance may have moved it."""

from __future__ import annotations

from html import escape

from kexp.report.metric_table import headline_metric, interval_text
from kexp.report.reported import ReportedRun

ORDER = 5
_PARTS = {"test_": "on test data", "val_": "on validation data", "": "on training data"}


def applies(run: ReportedRun) -> bool:
    """True for every run that has a metric."""
    return bool(run.record.metrics)


def html(run: ReportedRun) -> str:
    """HTML of the section."""
    name = headline_metric(run)
    prefix = next(prefix for prefix in _PARTS if name.startswith(prefix))
    interval = run.record.intervals.get(name)
    said = f"{name.removeprefix(prefix).replace('_', ' ')} {_PARTS[prefix]}"
    if interval is not None:
        said += f", 95 % interval {interval_text(interval)} if samples are independent"
    beside = baselines(run, prefix, name)
    if beside:
        said += f"; {', '.join(f'{other} {value:.4g}' for other, value in beside.items())}"
    shown = f'<p class="headline"><strong>{run.record.metrics[name]:.4g}</strong> {escape(said)}</p>'
    classical = run.record.classical
    sentences = {} if classical is None else classical.sentences
    beside_it = [
        f'<p class="classical">{escape(output and f"{output}: ")}{escape(sentence)}</p>'
        for output, sentence in sentences.items()
    ]
    return "\n".join([shown, *beside_it])


def baselines(run: ReportedRun, prefix: str, name: str) -> dict[str, float]:
    """Return the same metric of what the run compares itself with, by its name in words.

    Args:
        run: The run.
        prefix: Of the metric, such as "test_".
        name: Of the metric, with its prefix.
    """
    ending, own = f"_{name.removeprefix(prefix)}", run.task.exact_names(run.spec)
    found = (other.removeprefix(prefix) for other in run.record.metrics if other.startswith(prefix))
    return {
        other.removesuffix(ending).replace("_", " "): run.record.metrics[f"{prefix}{other}"]
        for other in found
        if other.endswith(ending) and other not in own
    }
