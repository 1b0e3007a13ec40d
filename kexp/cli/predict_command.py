"""The command `predict`: what an exported model answers for files, as CSV, JSON lines or Parquet."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from kexp.cli.streams import print_exactly
from kexp.core.errors import InputError
from kexp.core.table_writers import TableFormat, TableWriter, table_file, text_writer
from kexp.core.tensorflow_start import KERAS, start_tensorflow
from kexp.core.user_paths import output_file

if TYPE_CHECKING:
    from kexp.data.dataset import Inputs
    from kexp.data.input_files import LeftOut
    from kexp.export import Exported

_FORMATS: tuple[TableFormat, ...] = ("csv", "jsonl", "parquet")


def predict(
    directory: str,
    inputs: tuple[str, ...],
    *,
    output: str | None = None,
    format: Literal["csv", "jsonl", "parquet"] | None = None,
    input_format: Literal["csv", "jsonl"] | None = None,
    on_error: Literal["stop", "skip"] = "stop",
) -> None:
    """Print what an exported model answers, as CSV: one line per sample, in order.

    Of an autoencoder these are anomaly scores and codes. A text that a spreadsheet would take for a formula,
    since it begins with = + - @ or a tab and is no number, has a ' before it in CSV. Of several files, or a
    folder, the first column is the file. Tables and texts are read and answered piece by piece.

    Args:
        directory: Folder of an exported model.
        inputs: Files or folders, one or more: images, CSV, Parquet or JSON lines files (.jsonl) with the
            columns of the training data, .txt files with a text in every line, or .npy arrays; - is the
            standard input.
        output: File to write to, .csv, .jsonl or .parquet; replaced if it is there. By default the answers
            are printed.
        format: Of the answers, by default that of the file, or csv.
        input_format: Of the standard input.
        on_error: stop at the first row or image that cannot be read, or skip it and say which ones were.
    """
    from kexp.data.input_files import STANDARD_INPUT, LeftOut, input_files, read_in_turn
    from kexp.export import load_exported
    from kexp.tasks import task_named

    unknown = next((one for one in inputs if one.startswith("-") and one != str(STANDARD_INPUT)), None)
    if unknown is not None:  # the command line takes "-", and so whatever begins like it
        raise InputError(f"Unknown option: {unknown}.")
    path, kind = _output(output, format)
    exported = load_exported(directory)
    task_named(exported.spec.task).check_predicts()
    found = input_files(inputs, exported.spec)
    _check_stdin(STANDARD_INPUT in found.paths, input_format, exported)
    several = len(inputs) > 1 or len(found.paths) > 1
    left_out = LeftOut(allowed=on_error == "skip")
    pieces = read_in_turn(found.paths, exported.spec, left_out, input_format)
    # What is wrong with the first piece is said before TensorFlow is imported, or anything is written.
    first = next(pieces, None)
    if first is not None:
        start_tensorflow(without=KERAS)
        with _writer(path, kind) as writer:
            said: set[str] = set()
            _write(writer, exported, *first, several=several, said=said)
            for files, samples in pieces:
                _write(writer, exported, files, samples, several=several, said=said)
    _say_left_out(left_out, found.skipped, anything=first is not None)


def _output(output: str | None, asked: TableFormat | None) -> tuple[Path | None, TableFormat]:
    """Return the file to write to, and the format."""
    if output is None:
        if asked == "parquet":
            raise InputError("output must be a .parquet file for format parquet, which is not for terminals.")
        return None, asked or "csv"
    path = output_file("output", output)
    own = path.suffix.removeprefix(".").lower()
    kind = asked or next((one for one in _FORMATS if one == own), None)
    if kind is None:
        raise InputError(f"output must be a .csv, .jsonl or .parquet file; received {output!r}.")
    return path, kind


def _check_stdin(is_read: bool, input_format: str | None, exported: Exported) -> None:
    if is_read and input_format is None:
        raise InputError("input_format must be csv or jsonl for the standard input, -; received none.")
    if not is_read and input_format is not None:
        raise InputError("input_format must be left out but for the standard input; give - as the input.")
    if is_read and exported.spec.kind not in ("table", "text"):
        raise InputError(
            "inputs must be files for a model of this kind of data "
            f"({exported.spec.kind}); the standard input has rows of tables or texts."
        )


@contextmanager
def _writer(path: Path | None, kind: TableFormat) -> Iterator[TableWriter]:
    if path is None:
        yield text_writer(kind, print_exactly)
        return
    with table_file(path, kind) as writer:
        yield writer


def _write(
    writer: TableWriter,
    exported: Exported,
    files: list[str],
    samples: Inputs,
    *,
    several: bool,
    said: set[str],
) -> None:
    """Write what the model answers for samples, and say what is strange about them, of each column once."""
    from kexp.tasks import task_named

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        table = exported.predict(samples).to_frame(exported.spec)
        own = task_named(exported.spec.task).sample_columns(samples, exported.spec)
        for place, (name, values) in enumerate(own.items()):
            table.insert(place, name, values, allow_duplicates=True)
    for warning in caught:
        text = str(warning.message)
        about = f"{files[0]} {text.partition(':')[0]} {'missing, as' in text}"
        if about not in said:
            print(f"kexp: {text}", file=sys.stderr)
        said.add(about)
    if several:
        table.insert(0, "file", files, allow_duplicates=True)
    writer.write(table)


def _say_left_out(left_out: LeftOut, others: int, *, anything: bool) -> None:
    for line in left_out.lines():
        print(f"kexp: {line}", file=sys.stderr)
    if others:
        plural = "s" * (others != 1)
        print(f"kexp: {others} other file{plural} in the folders left out.", file=sys.stderr)
    if not anything:
        raise InputError("inputs must have a row or an image that can be read; all of them are left out.")
