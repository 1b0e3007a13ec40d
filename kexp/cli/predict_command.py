"""The command `predict`: what an exported model answers for files, as CSV."""

from __future__ import annotations

import sys
import warnings

from kexp.cli.streams import print_exactly
from kexp.core.spreadsheets import csv_text
from kexp.core.tensorflow_start import KERAS, start_tensorflow


def predict(directory: str, inputs: tuple[str, ...]) -> None:
    """Print what an exported model answers, as CSV: one line per sample, in order.

    Of an autoencoder these are anomaly scores and codes. A text that a spreadsheet would take for a formula,
    since it begins with = + - @ or a tab and is no number, has a ' before it. Of several files, or a folder,
    the first column is the file.

    Args:
        directory: Folder of an exported model.
        inputs: Files or folders, one or more: images, CSV or Parquet files with the columns of the training
            data, .txt files with a text in every line, or .npy arrays.
    """
    from kexp.data.input_files import input_files, read_in_turn
    from kexp.export import load_exported
    from kexp.tasks import task_named

    exported = load_exported(directory)
    task_named(exported.spec.task).check_predicts()
    found = input_files(inputs, exported.spec)
    several = len(inputs) > 1 or len(found.paths) > 1
    is_first = True
    for files, samples in read_in_turn(found.paths, exported.spec):
        if is_first:
            start_tensorflow(without=KERAS)
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always", UserWarning)
            table = exported.predict(samples).to_frame(exported.spec)
        for warning in said:
            print(f"kexp: {warning.message}", file=sys.stderr)
        if several:
            table.insert(0, "file", files, allow_duplicates=True)
        print_exactly(csv_text(table, header=is_first))
        is_first = False
    if found.skipped:
        plural = "s" * (found.skipped != 1)
        print(f"kexp: {found.skipped} other file{plural} in the folders left out.", file=sys.stderr)
