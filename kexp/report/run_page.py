"""The page of a run: its metrics, its curves and its predictions, one self-contained HTML file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from kexp.core.errors import InputError
from kexp.data import DataLike, Dataset
from kexp.report.html import SORTING, document, writable, write
from kexp.report.reported import ReportedRun
from kexp.report.sections import render_sections

if TYPE_CHECKING:
    from kexp.evaluation.explain.network_findings import Findings
    from kexp.run.record import RunRecord


def run_page(record: RunRecord, data: Dataset | None = None, found: Findings | None = None) -> str:
    """Return the page of a run: its metrics, its learning curves and predictions on validation data.

    Of a classifier it shows which classes are taken for which, its most confident mistakes and whether its
    probabilities hold; of a regression the largest residuals; of several outputs the same of each. Of
    generation it shows samples, beside the training images that are nearest to them; of reconstruction what
    comes out again, and what codes and anomaly scores tell; masks as pictures beside the true ones, with the
    intersection over union of each class; texts as a table. Samples are those of the validation split, or of
    the training split when there is none; the test split is only ever measured.

    Args:
        record: A finished run.
        data: What it was trained on, default None: none of it is shown.
        found: What its network learned, default None: that is not shown.

    Raises:
        InputError: The data are not those of the run.

    Example:
        >>> import kexp
        >>> page = run_page(kexp.load(run_dir), kexp.data.load("digits"))
        >>> "test" in page, "most confident mistakes" in page
        (True, True)
    """
    run = ReportedRun(record, data, found)
    require_same_data(record, data)
    title = f"Run of {record.config['recipe']}"
    parts = render_sections("run", run)
    # Whatever is shown is escaped, so what looks like an element is one.
    sorts = any('<table class="sortable">' in part for part in parts)
    script = f"\n{SORTING.read_text('utf-8')}" if sorts else ""
    return document(title, parts, script=script, pictures=True)


def write_run_page(
    record: RunRecord,
    path: str | os.PathLike[str] | None = None,
    data: Dataset | None = None,
    found: Findings | None = None,
) -> Path:
    """Write the page of a run to a file, and return its path.

    Args:
        record: A finished run.
        path: A file whose folder exists, an earlier page there is replaced; default: report.html in the run
            folder.
        data: What it was trained on; default None: what the run's recipe makes of its recorded arguments, if
            it is one of kexp's and its data are at hand.
        found: What its network learned, default None: that is not shown.

    Raises:
        InputError: The folder does not exist, the path is a folder, or the data are not those of the run.

    Example:
        >>> import kexp
        >>> write_run_page(kexp.load(run_dir)).name
        'report.html'
    """
    target = writable(record.run_dir / "report.html" if path is None else path)
    return write(run_page(record, data or _data_at_hand(record), found), target)


def recorded_data(record: RunRecord, data: DataLike | None = None) -> Dataset:
    """Return the raw data that a run's recipe makes of the recorded arguments, or `kexp.fit` of what it got.

    Args:
        record: A finished run.
        data: What the recipe was given as data, if the record does not hold it, or what `kexp.fit` was given:
            see `kexp.run.recorded_fit.fit_data`; default None.

    Raises:
        InputError: The recipe is the user's own, or the data are not given, gone, or have changed.

    Example:
        >>> import kexp
        >>> recorded_data(kexp.load(run_dir)).name
        'digits'
    """
    from kexp.run.context import capture_training
    from kexp.run.recorded_call import recorded_call
    from kexp.run.run_files import FIT

    if data is not None and record.config["recipe"] == FIT:
        from kexp.run.recorded_fit import fit_data

        found = fit_data(record, data)
        require_same_data(record, found)
        return found
    recipe, arguments = recorded_call(record.run_dir, data=data)
    found = capture_training(lambda training: training.raw, recipe, **{**arguments, "quiet": True})
    require_same_data(record, found)
    return found


def _data_at_hand(record: RunRecord) -> Dataset | None:
    try:
        return recorded_data(record)
    except InputError:  # a recipe of the user's own, data that are in memory, gone, or have changed
        return None


def require_same_data(record: RunRecord, data: Dataset | None) -> None:
    """Refuse data that are not those of a run, by their fingerprint.

    Raises:
        InputError: They are others.
    """
    recorded = record.environment["data"]
    if data is not None and data.fingerprint != recorded["fingerprint"]:
        raise InputError(
            f"data {data.name!r} is not what the run was trained on, {recorded['name']!r} with fingerprint "
            f"{recorded['fingerprint'][:8]}; give that, or leave data out."
        )
