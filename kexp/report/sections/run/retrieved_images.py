"""Images with the texts that are nearest to them, and texts with their nearest images, misses first."""

from __future__ import annotations

from html import escape
from typing import NamedTuple

import numpy as np

from kexp.data import Split
from kexp.metrics.retrieval_recall import ranks, text_numbers
from kexp.report.html import heading, name_of, rows
from kexp.report.reported import ReportedRun
from kexp.report.sample_images import grey_or_colour, image_grid
from kexp.report.shown_samples import WRONG, shown_samples

ORDER = 45
_SHOWN = 24
_FIRST = 5  # of what was found


class _Pairs(NamedTuple):
    """Images and the texts that they are looked for with.

    Attributes:
        images: (samples, width) embeddings.
        of_texts: (different texts, width) embeddings.
        texts: Of each sample.
        numbers: (samples,) of the texts.
        first: (different texts,) the first sample that has each.
    """

    images: np.ndarray
    of_texts: np.ndarray
    texts: list[str]
    numbers: np.ndarray
    first: np.ndarray


def applies(run: ReportedRun) -> bool:
    """True for a model that finds texts and images by their embeddings, with its data."""
    return "embedding" in run.prediction_names and isinstance(run.split, Split)


def html(run: ReportedRun) -> str:
    """HTML of the section."""
    texts = [str(text) for text in run.judged.targets]
    images = run.judged_predictions.embeddings
    assert images is not None
    numbers = text_numbers(texts)
    _, first = np.unique(numbers, return_index=True)
    of_texts = run.record.model.text_embeddings([texts[place] for place in first])
    text = (
        f"Of {run.judged_name} with {len(first):,} different texts, which are looked for among one another: "
        f"the first {_FIRST} texts for an image, then the first {_FIRST} images for a text. What was found "
        "least well comes first."
    )
    pairs = _Pairs(images, of_texts, texts, numbers, first)
    shown, found = _of_images(run, pairs), _of_texts(run, pairs)
    return (
        f"<section>{heading('Images and texts')}<p>{escape(text)}</p><h3>Texts for images</h3>{shown}"
        f"<h3>Images for texts</h3>{found}</section>"
    )


def _of_images(run: ReportedRun, pairs: _Pairs) -> str:
    images, of_texts, texts, numbers, first = pairs
    missed = ranks(images, of_texts, numbers, numbers[first])
    places = np.argsort(-missed, kind="stable")[:_SHOWN]
    nearest = np.argsort(-(images[places] @ of_texts.T), axis=1, kind="stable")[:, :_FIRST]
    facts = [
        {
            "text": texts[place],
            "place": int(missed[place]) + 1,
            **{f"{number + 1}.": texts[first[one]] for number, one in enumerate(found)},
            "outcome": WRONG if missed[place] else "right",
        }
        for place, found in zip(places, nearest, strict=True)
    ]
    return shown_samples(run, places.tolist(), facts)


def _of_texts(run: ReportedRun, pairs: _Pairs) -> str:
    images, of_texts, texts, numbers, first = pairs
    missed = ranks(of_texts, images, numbers[first], numbers)
    pixels = np.asarray(run.judged.inputs)
    shown = []
    for text in np.argsort(-missed, kind="stable")[:_SHOWN]:
        nearest = np.argsort(-(images @ of_texts[text]), kind="stable")[:_FIRST]
        name = texts[first[text]]
        found = [
            f"{texts[place]}{'' if numbers[place] == numbers[first[text]] else ' ✗'}" for place in nearest
        ]
        grid = image_grid(
            f"{name}: {', '.join(found)}", np.stack([grey_or_colour(pixels[one]) for one in nearest]), _FIRST
        )
        left = f"{name_of(name)}, place {int(missed[text]) + 1}"
        shown.append((left, f"{grid}<p>{', '.join(map(name_of, found))}</p>"))
    return rows(shown)
