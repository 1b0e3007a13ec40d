"""Data sets: `kexp.data.load` makes one immutable `Dataset` from any source."""

from kexp.data.array_sounds import sample_rate_of
from kexp.data.audio_arguments import AudioArguments
from kexp.data.catalog import check_source, names
from kexp.data.dataset import Dataset, DatasetSpec, Split, class_names
from kexp.data.forecast_arguments import ForecastArguments
from kexp.data.image_arguments import ImageArguments
from kexp.data.load import load
from kexp.data.memory_forms import DataLike
from kexp.data.sample_files import sample_path
from kexp.data.small_batches import small_batches
from kexp.data.sources.tfds import prepare
from kexp.data.streaming import Stream, stream
from kexp.data.table_arguments import TableArguments
from kexp.data.table_columns import Column
from kexp.data.transforms.detection_scenes import scenes
from kexp.data.transforms.forecast_windows import ForecastDataset, forecast_windows
from kexp.data.transforms.one_class import one_class
from kexp.data.transforms.synthetic_scenes import canvases
from kexp.data.transforms.text_chunks import passages, split_words, text_parts
from kexp.data.transforms.windows import windows

__all__ = [
    "AudioArguments",
    "Column",
    "DataLike",
    "Dataset",
    "DatasetSpec",
    "ForecastArguments",
    "ForecastDataset",
    "ImageArguments",
    "Split",
    "Stream",
    "TableArguments",
    "canvases",
    "check_source",
    "class_names",
    "forecast_windows",
    "load",
    "names",
    "one_class",
    "passages",
    "prepare",
    "sample_path",
    "sample_rate_of",
    "scenes",
    "small_batches",
    "split_words",
    "stream",
    "text_parts",
    "windows",
]
