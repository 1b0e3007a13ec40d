"""The explanation of a run: what its network learned, as plain arrays, and as a page."""

from __future__ import annotations

import os
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kexp.core.errors import InputError
from kexp.data import DataLike, Dataset
from kexp.data.adapters import adapt_inputs
from kexp.evaluation.explain.explain import findings
from kexp.evaluation.explain.explained_model import ExplainedModel
from kexp.evaluation.explain.network_findings import Findings
from kexp.report.explanation_page import write_explanation_page
from kexp.report.html import writable
from kexp.report.run_page import recorded_data, require_same_data
from kexp.tasks import task_named

if TYPE_CHECKING:
    from kexp.run.record import RunRecord


@dataclass(frozen=True, eq=False)
class Explanation(Findings):
    """What the network of a run learned.

    Attributes:
        run_dir: The run folder.
    """

    run_dir: Path = Path()

    def report(self, path: str | os.PathLike[str] | None = None) -> Path:
        """Write a page of it, one self-contained HTML file, and return its path.

        Args:
            path: A file in a folder that exists; default: explanation.html in the run folder.

        Raises:
            InputError: The path cannot be written.
        """
        target = writable(self.run_dir / "explanation.html" if path is None else path)
        return write_explanation_page(self, target, f"What the network of {self.run_dir.name} learned")


def explain_run(record: RunRecord, inputs: Any, data: Dataset | DataLike | None) -> Explanation:
    """Return what the network of a run learned.

    Args:
        record: A finished run.
        inputs: Samples as `predict` takes them; None: some of the data.
        data: What it was trained on; None: what the recipe makes of its recorded arguments, if it can.

    Raises:
        InputError: As of `kexp.Result.explain`.
    """
    task = task_named(record.spec.task)
    if not task.predicts_inputs:
        raise InputError(
            f"explain looks at what a model says of inputs, and one for {task.name} takes none; use report."
        )
    adapted = None if inputs is None else adapt_inputs(inputs, record.spec)
    found = _data(record, data, required=inputs is None)
    explained = ExplainedModel(record.model, record.spec, record.from_logits)
    parts = {} if found is None else {"train": found.train, "validation": found.validation}
    of_model = findings(explained, adapted, **parts)
    known = {field.name: getattr(of_model, field.name) for field in fields(of_model)}
    return Explanation(**known, run_dir=record.run_dir)


def _data(record: RunRecord, data: Dataset | DataLike | None, *, required: bool) -> Dataset | None:
    if isinstance(data, Dataset):
        require_same_data(record, data)
        return data
    try:
        return recorded_data(record, data)
    except InputError:
        if data is not None or required:
            raise
        return None
