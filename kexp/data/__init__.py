"""Data sets: `kexp.data.load` makes one immutable `Data` from any source."""

from kexp.data.catalog import check_source, names
from kexp.data.embedded import sample_path
from kexp.data.forecasts import naive_forecast
from kexp.data.load import load
from kexp.data.spec import Column, Data, Spec, Split
from kexp.data.stream import Stream, stream
from kexp.data.tfds import prepare
from kexp.data.windows import windows

__all__ = [
    "Column",
    "Data",
    "Spec",
    "Split",
    "Stream",
    "check_source",
    "load",
    "naive_forecast",
    "names",
    "prepare",
    "sample_path",
    "stream",
    "windows",
]
