"""Data sets: `kexp.data.load` makes one immutable `Data` from any source."""

from kexp.data.anomalies import area_under_roc, one_class
from kexp.data.canvases import canvases
from kexp.data.catalog import check_source, names
from kexp.data.embedded import sample_path
from kexp.data.error_rates import error_rates, text_error_rate, token_error_rate
from kexp.data.forecasts import naive_forecast
from kexp.data.load import load
from kexp.data.passages import bits_per_character, passages, split_words, text_parts
from kexp.data.spec import Column, Data, Spec, Split, Task, class_names
from kexp.data.stream import Stream, stream
from kexp.data.tfds import prepare
from kexp.data.windows import windows

__all__ = [
    "Column",
    "Data",
    "Spec",
    "Split",
    "Stream",
    "Task",
    "area_under_roc",
    "bits_per_character",
    "canvases",
    "check_source",
    "class_names",
    "error_rates",
    "load",
    "naive_forecast",
    "names",
    "one_class",
    "passages",
    "prepare",
    "sample_path",
    "split_words",
    "stream",
    "text_error_rate",
    "text_parts",
    "token_error_rate",
    "windows",
]
