"""Samples of a run as a page shows them: images, texts, rows of tables, series."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np

from kexp.core.images import png
from kexp.data import DatasetSpec, Split
from kexp.data.splits import taken
from kexp.report.html import Markup, name_of, picture, short, table
from kexp.report.line_picture import left_out, line_picture
from kexp.report.reported import ReportedRun
from kexp.report.sample_images import grey_or_colour
from kexp.report.sound_cards import how_cut, sound_card

_SIDE = 128  # pixels of the longer side of a picture: 66 kB at most as it stands in the page
_COLUMNS = 8  # of the data
_SQUARE = 6  # numbers of a side, from which on an array is looked at as an image
WRONG = "✗ wrong"  # marked, and not by a colour alone

Facts = Mapping[str, object]


def shown_samples(run: ReportedRun, places: Sequence[int], facts: Sequence[Facts]) -> str:
    """Return HTML of some of the samples that are compared with their targets.

    Args:
        run: The run.
        places: Of the samples in `run.judged`.
        facts: What there is to say of each, by name.
    """
    samples = taken(run.judged, np.asarray(places, dtype=np.int64))
    numbers = [int(run.judged_rows[place]) + 1 for place in places]
    pixels, rate = pixels_of(_array(samples), run.spec), run.spec.sample_rate
    if pixels is not None or rate is not None:
        shown = _array(samples) if pixels is None else pixels
        names = [f"sample {number}: {_sentence(said)}" for number, said in zip(numbers, facts, strict=True)]
        cards = [
            card(_pixel_picture(name, one) if rate is None else sound_card(name, one, rate), said)
            for name, one, said in zip(names, shown, facts, strict=True)
        ]
        return f'<div class="cards">{"".join(cards)}</div>'
    columns = _columns(samples, run.spec, facts)
    names = ["sample", *(facts[0] if facts else ()), *columns]
    rows = [
        [number, *(_cell(value) for value in said.values()), *(values[place] for values in columns.values())]
        for place, (number, said) in enumerate(zip(numbers, facts, strict=True))
    ]
    return table(names, rows)


def how_shown(run: ReportedRun) -> str:
    """Return a sentence on what is left out of the samples, if anything is."""
    spec, inputs = run.spec, run.judged.inputs
    if isinstance(inputs, Mapping):
        count = len(inputs)
        return f" With the first {_COLUMNS} of {count:,} columns." if count > _COLUMNS else ""
    shape = np.shape(inputs[:1])[1:]
    pixels = pixels_of(inputs[:1], spec)
    if spec.sample_rate is not None:
        return f" Each with its spectrogram, to be listened to.{how_cut(shape[0], spec.sample_rate)}"
    if pixels is None and len(shape) == 2:
        return left_out(shape[1])
    if pixels is not None and max(pixels.shape[1:3]) > _SIDE:
        return f" Pictures are made smaller, to {_SIDE} pixels."
    if len(shape) == 1 and shape[0] > _COLUMNS:
        return f" With the first {_COLUMNS} of {shape[0]:,} numbers."
    return ""


def _array(samples: Split) -> Any:
    return samples.inputs if isinstance(samples.inputs, Mapping) else np.asarray(samples.inputs)


def pixels_of(inputs: Any, spec: DatasetSpec) -> np.ndarray | None:
    """Return (n, height, width, channels) of what can be looked at, None of anything else.

    Arrays that are not known to be images, as those of models that the caller compiled, are taken for such by
    their shape, to be looked at: squares, and what has colours.
    """
    if isinstance(inputs, Mapping) or spec.kind not in ("image", "array") or inputs.dtype.kind not in "uif":
        return None
    if inputs.ndim == 4 and (spec.kind == "image" or inputs.shape[-1] in (1, 3, 4)):
        return inputs
    square = inputs.ndim == 3 and inputs.shape[1] == inputs.shape[2] >= _SQUARE
    return inputs[..., None] if square else None


def card(content: str, facts: Facts) -> str:
    """Return HTML of a sample with what there is to say of it below.

    Args:
        content: HTML of the sample.
        facts: By name.
    """
    lines = "".join(
        f'<span class="{"failed" if value is WRONG else ""}">{escape(name)} {name_of(_text(value))}</span>'
        for name, value in facts.items()
    )
    return f"<figure>{content}<figcaption>{lines}</figcaption></figure>"


def _pixel_picture(name: str, pixels: np.ndarray) -> str:
    return picture(name, png(small_picture(grey_or_colour(pixels))))


def small_picture(pixels: np.ndarray) -> np.ndarray:
    """Return a picture that is no larger than it is shown; small ones are enlarged by the style sheet."""
    longest = max(pixels.shape[:2])
    if longest <= _SIDE:
        return pixels
    from PIL import Image

    size = [max(1, round(side * _SIDE / longest)) for side in pixels.shape[1::-1]]
    return np.asarray(Image.fromarray(pixels).resize((size[0], size[1]), Image.Resampling.BOX))


def _columns(samples: Split, spec: DatasetSpec, facts: Sequence[Facts]) -> dict[str, list[object]]:
    """Return what there is to see of each sample, by the heading of its column."""
    inputs = _array(samples)
    if isinstance(inputs, Mapping):
        flat = {name: np.asarray(column) for name, column in list(inputs.items())[:_COLUMNS]}
        return {name: [_cell(value) for value in column] for name, column in flat.items() if column.ndim == 1}
    if spec.kind == "text" and inputs.ndim == 1:
        return {"input": [short(text) for text in inputs]}
    if spec.kind in ("series", "array") and inputs.ndim == 3 and inputs.dtype.kind in "uif":
        lines = [Markup(line_picture(_sentence(said), one)) for said, one in zip(facts, inputs, strict=True)]
        return {"input": list(lines)}
    if inputs.ndim == 2 and inputs.dtype.kind in "biuf":
        return {
            f"number {place}": [_cell(value) for value in inputs[:, place]]
            for place in range(min(inputs.shape[1], _COLUMNS))
        }
    return {}


def _sentence(facts: Facts) -> str:
    return ", ".join(f"{name} {short(_text(value), 40)}" for name, value in facts.items())


def _cell(value: object) -> object:
    if value is WRONG:
        return Markup(f'<span class="failed">{WRONG}</span>')
    if isinstance(value, np.generic):
        value = value.item()
    return value if isinstance(value, float | int) else short(value)


def _text(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
