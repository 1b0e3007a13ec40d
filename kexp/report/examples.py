"""Some samples of a part of the data beside what a model answers for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from kexp.core.images import grid, png
from kexp.data import DatasetSpec, Split, class_names
from kexp.data.dataset import Inputs
from kexp.report import html

if TYPE_CHECKING:
    from kexp.run.predictions import Predictions

MASKS = 12  # pictures of a page
ROWS = 40  # of a table
_LEAST = 44  # pixels of the shorter side of an image among others
_LONGEST = 300  # characters of a text
# Apart from one another for as long as there are colours; a page looks the same whatever is installed.
_COLOURS = (
    *("#1b1e24", "#e6194b", "#3cb44b", "#4363d8", "#f58231", "#911eb4", "#42d4f4", "#f032e6", "#bfef45"),
    *("#fabed4", "#469990", "#9a6324", "#ffe119", "#dcbeff", "#800000", "#aaffc3", "#808000", "#000075"),
)


def take(inputs: Inputs, count: int) -> Inputs:
    """Return the first samples of inputs."""
    if isinstance(inputs, Mapping):
        return {name: column[:count] for name, column in inputs.items()}
    return inputs[:count]


def shown(spec: DatasetSpec) -> int:
    """Return how many samples `examples` shows."""
    return MASKS if spec.task == "segmentation" else ROWS


def examples(split: Split, predictions: Predictions, spec: DatasetSpec) -> str:
    """Return HTML with the first samples of a part: masks as pictures, everything else as a table.

    Args:
        split: The part, its inputs raw.
        predictions: What the model answers for the first of its samples.
        spec: What the data is.

    Example:
        >>> from kexp.run.predictions import Predictions
        >>> spec = DatasetSpec("text", (), "string", "text", 0)
        >>> texts = np.array(["<b>"], object)
        >>> examples(Split(texts, texts), Predictions(texts=np.array(["b"], object)), spec).count("&lt;b&gt;")
        2
    """
    if predictions.masks is not None:
        return _legend(spec) + _pictures(split, predictions.masks)
    return html.table(*_table(split, predictions, spec))


def colour(index: int) -> str:
    """Return the colour of a class, the same on every page; after 17 they begin anew.

    Example:
        >>> colour(0), colour(1) == colour(18)
        ('#1b1e24', True)
    """
    return _COLOURS[index if index == 0 else 1 + (index - 1) % (len(_COLOURS) - 1)]


def _legend(spec: DatasetSpec) -> str:
    names = class_names(spec)
    entries = [
        f'<span><i style="background:{colour(index)}"></i>{escape(name)}</span>'
        for index, name in enumerate(names)
    ]
    return f'<p class="legend">{"".join(entries)}</p>'


def _pictures(split: Split, predicted: np.ndarray) -> str:
    columns = []
    rows = zip(split.inputs, split.targets, predicted, strict=False)
    for image, mask, answer in rows:
        parts = (
            ("image", grey_or_colour(image)),
            ("mask", painted(mask)),
            ("predicted mask", painted(answer)),
        )
        columns.append("<div>" + "".join(_picture(name, pixels) for name, pixels in parts) + "</div>")
    return f'<div class="masks">{"".join(columns)}</div>'


def painted(mask: np.ndarray) -> np.ndarray:
    """Return (height, width, 3) uint8 of (height, width) class indices.

    Example:
        >>> painted(np.array([[0, 1]])).tolist()
        [[[27, 30, 36], [230, 25, 75]]]
    """
    palette = np.array(
        [list(bytes.fromhex(colour(index)[1:])) for index in range(int(mask.max(initial=0)) + 1)]
    )
    return palette.astype(np.uint8)[mask]


def grey_or_colour(image: np.ndarray) -> np.ndarray:
    """Return (height, width, 3) uint8 of an image of any number of channels and range.

    Example:
        >>> grey_or_colour(np.array([[[0.0], [2.0]]], np.float32)).tolist()
        [[[0, 0, 0], [255, 255, 255]]]
    """
    if image.dtype != np.uint8:
        low, high = float(image.min()), float(image.max())
        image = ((image - low) * (255 / max(high - low, 1e-12))).astype(np.uint8)
    return image[..., :3] if image.shape[-1] >= 3 else np.repeat(image[..., :1], 3, axis=-1)


def _picture(name: str, pixels: np.ndarray) -> str:
    return html.picture(name, png(pixels))


def picture_of(name: str, images: np.ndarray, columns: int) -> str:
    """Return (n, height, width, channels) uint8 as one picture of a page, large enough to be looked at."""
    return html.picture(name, png(grid(images, columns, least=_LEAST)))


def _table(split: Split, predictions: Predictions, spec: DatasetSpec) -> tuple[list[str], list[list[object]]]:
    """Return the columns and rows of a table of inputs that are texts, what was expected and the answers."""
    columns: dict[str, Sequence[Any]] = {}
    if spec.kind == "text":
        columns["input"] = [short(text) for text in split.inputs]
    if predictions.labels is not None and predictions.probabilities is not None:
        names = class_names(spec)
        columns["expected"] = [names[index] for index in split.targets]
        columns["answer"] = list(predictions.labels)
        columns["its probability"] = [float(row.max()) for row in predictions.probabilities]
    elif predictions.values is not None:
        for index in range(predictions.values.shape[1]):
            number = f" {index}" if spec.outputs > 1 else ""
            columns[f"expected{number}"] = [float(value) for value in split.targets[:, index]]
            columns[f"answer{number}"] = [float(value) for value in predictions.values[:, index]]
    elif predictions.texts is not None:
        columns["expected"] = [short(text) for text in split.targets]
        columns["answer"] = [short(text) for text in predictions.texts]
    if predictions.log_probabilities is not None:
        columns["log probability"] = [float(value) for value in predictions.log_probabilities]
    return list(columns), [list(row) for row in zip(*(c[:ROWS] for c in columns.values()), strict=False)]


def short(text: object) -> str:
    """Return a text that fits into a table.

    Example:
        >>> short("ab"), len(short("ab" * 1000))
        ('ab', 300)
    """
    whole = text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text)
    return whole if len(whole) <= _LONGEST else whole[: _LONGEST - 1] + "…"
