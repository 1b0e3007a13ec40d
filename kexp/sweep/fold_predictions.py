"""Predictions for a fold of the run without it: a table in its run folder, and how many rows there were."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kexp.core.constraints import RecordedCount
from kexp.core.errors import InputError
from kexp.core.files import replacing, write_json
from kexp.core.json_files import read_json_file
from kexp.data.dataset import Dataset
from kexp.data.folds import Fold

if TYPE_CHECKING:
    import pandas as pd

    from kexp.result import Result

PREDICTIONS, FOLD = "held_out.parquet", "fold.json"
ADVICE = "call kexp.cross_validate again in a new dir"


@dataclass(frozen=True)
class FoldRows:
    """How many rows a fold has.

    Attributes:
        train: That weights are fitted to.
        validation: That choices are made on.
        held_out: That it is measured on.
    """

    train: int
    validation: int
    held_out: int

    @property
    def ratio(self) -> float:
        """Held-out rows for each of the others."""
        return self.held_out / (self.train + self.validation)


def held_rows(fold: Fold, data: Dataset) -> np.ndarray:
    """Return which rows a fold holds out, of data that a run is about to be trained on.

    Args:
        fold: The fold.
        data: As `kexp.fit` is given them.

    Raises:
        InputError: They are not divided for it.
    """
    split = getattr(data, fold.part)
    if split is None or getattr(split, "rows", None) is None:
        raise InputError(
            f"folds: data {data.name!r} of the recipe are not as kexp.data.load or kexp.data.windows divide "
            "them, so that no fold can be held out; hand on what these return."
        )
    return split.rows


def is_written(folder: Path) -> bool:
    """Return whether a run folder has its fold's predictions."""
    return (folder / FOLD).is_file()


def write_held_out(result: Result, data: Dataset, fold: Fold, folder: Path) -> None:
    """Write a table of the held-out rows, what is expected and what is predicted, into a run folder.

    Args:
        result: Of the run.
        data: What it was given.
        fold: That it was trained without.
        folder: Of the run.
    """
    assert data.test is not None
    with replacing(folder / PREDICTIONS) as temporary:
        held_out_table(result, data, fold).to_parquet(temporary, index=False)
    sizes = FoldRows(*(0 if part is None else len(part) for part in (data.train, data.validation, data.test)))
    # The last one: a folder with it has both.
    write_json(folder / FOLD, {"fold": fold.number, "repeat": fold.repeat, **asdict(sizes)})


def held_out_table(result: Result, data: Dataset, fold: Fold) -> pd.DataFrame:
    """Return a row per held-out sample: repeat, fold, row, what is expected, and the predictions.

    Of models that answer no inputs it has no more than the rows.
    """
    import pandas as pd

    from kexp.tasks import task_named

    split = data.test
    assert split is not None
    columns: dict[str, Any] = {"repeat": fold.repeat, "fold": fold.number, "row": held_rows(fold, data)}
    table = pd.DataFrame(columns)
    if not task_named(result.spec.task).predicts_inputs:
        return table
    expected = task_named(data.spec.task).expected_columns(split.targets, data.spec)
    table = table.assign(**{name: list(values) for name, values in expected.items()})
    answers = result.predictions_of(split.inputs).to_frame(result.spec)
    taken = {*table.columns}
    answers.columns = [f"predicted {name}" if name in taken else str(name) for name in answers.columns]
    return pd.concat([table, answers.reset_index(drop=True)], axis=1)


def read_rows(folder: Path) -> FoldRows:
    """Return how many rows a fold has, from the run folder.

    Raises:
        InputError: The file is damaged.
    """
    sizes = [field.name for field in fields(FoldRows)]
    keys = dict.fromkeys(("fold", "repeat", *sizes), RecordedCount)
    found = read_json_file(folder / FOLD, keys, advice=ADVICE)
    return FoldRows(**{name: found[name] for name in sizes})
