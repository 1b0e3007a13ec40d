"""What a page shows of an autoencoder: reconstructions, codes, anomaly scores, and samples."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from kexp.core.images import to_uint8
from kexp.data import Dataset, DatasetSpec, Split
from kexp.report import html
from kexp.report.drawing import style
from kexp.report.examples import picture_of, short, take
from kexp.report.latent_plots import draw_map, draw_scores, labels_of, plane
from kexp.run.inference import raw_outputs
from kexp.run.predictions import Predictions, class_names

if TYPE_CHECKING:
    from kexp.run.result import Result

_SHOWN = 20  # images beside their reconstructions
_COLUMNS = 10
_MAPPED = 2000  # samples whose codes and scores are shown
_QUERIES, _NEAREST = 6, 8
_SEARCHED = 20_000  # training images
_PAIRS, _STEPS = 5, 9
_SIDE = 8  # samples beside and below one another
_HIGHEST = 20  # rows of a table
_CELLS = 8  # columns of the data in it


def sections(result: Result, data: Dataset) -> list[str]:
    """Return what there is to see of an autoencoder, each as HTML.

    Args:
        result: A run of the task "reconstruction".
        data: What it was trained on; its validation part is shown, or the training part where there is none.
    """
    part, where = (data.train, "training") if data.validation is None else (data.validation, "validation")
    answers = result.predict(take(part.inputs, _MAPPED))
    labels = labels_of(part, result.spec)
    labels = None if labels is None else labels[:_MAPPED]
    images = _are_images(answers, result.spec)
    found = [_side_by_side(part, answers, where)] if images else []
    found += _map(answers, labels, result.spec, where)
    found += [_retrieved(result, data.train, part, where)] if images else []
    found.append(_scores(answers, labels, result.spec, where))
    if not images:
        return [*found, _strangest(part, answers, labels, result.spec, where)]
    return [*found, _samples(result), _between(result, answers)] if result.model.variational else found


def _are_images(answers: Predictions, spec: DatasetSpec) -> bool:
    """Return whether reconstructions are images on the scale of the data's."""
    shape = np.asarray(answers.reconstructions).shape[1:]
    return spec.kind == "image" and spec.dtype == "uint8" and shape == spec.input_shape


def _side_by_side(part: Split, answers: Predictions, where: str) -> str:
    count = min(_SHOWN, len(answers))
    pixels = to_uint8(np.asarray(answers.reconstructions)[:count])
    images = np.asarray(part.inputs)[:count]
    blocks = [
        np.concatenate([images[start : start + _COLUMNS], pixels[start : start + _COLUMNS]])
        for start in range(0, count, _COLUMNS)
    ]
    text = f"The first {count} {where} images, and below each what comes out of its code."
    name = "images above their reconstructions"
    return html.shown(
        "Reconstructions",
        text,
        "".join(picture_of(name, block, len(block) // 2) for block in blocks),
    )


def _map(answers: Predictions, labels: np.ndarray | None, spec: DatasetSpec, where: str) -> list[str]:
    codes = np.asarray(answers.codes).reshape(len(answers), -1)
    if min(codes.shape) < 2:
        return []
    shown = plane(codes)
    colours = "in the colour of its class" if labels is not None else "all of them in one colour"
    text = f"A dot for each of {len(codes):,} {where} samples, {colours}. {shown.text}"
    with style():
        figure = draw_map(shown, labels, class_names(spec))
        return [html.section("Map of the codes", figure, f"<p>{text}</p>")]


def _retrieved(result: Result, train: Split, part: Split, where: str) -> str:
    """Return images beside the training images of the nearest codes."""
    from sklearn.neighbors import NearestNeighbors

    images, queries = np.asarray(train.inputs)[:_SEARCHED], np.asarray(part.inputs)[:_QUERIES]
    known, asked = _codes(result, images), _codes(result, queries)
    search = NearestNeighbors(n_neighbors=min(_NEAREST, len(known))).fit(known)
    found = search.kneighbors(asked, return_distance=False)
    pairs = [
        (
            picture_of("query", query[None], 1),
            picture_of("training images of the nearest codes", images[near], len(near)),
        )
        for query, near in zip(queries, found, strict=True)
    ]
    text = (
        f"Left {len(asked)} {where} images; beside each the {found.shape[1]} of {len(known):,} training "
        "images whose codes are nearest to its own, the nearest first."
    )
    return html.shown("Nearest by code", text + _hits(train, part, found, result.spec), html.rows(pairs))


def _hits(train: Split, part: Split, found: np.ndarray, spec: DatasetSpec) -> str:
    """Return how many of the images that were found have the class of what was asked for."""
    known, asked = labels_of(train, spec), labels_of(part, spec)
    if known is None or asked is None:
        return ""
    hits = int((known[found] == asked[: len(found), None]).sum())
    return f" Of these {found.size}, {hits} have the class of the image to the left of them."


def _codes(result: Result, inputs: np.ndarray) -> np.ndarray:  # (n, ...) -> (n, d)
    codes = raw_outputs(lambda batch, training: result.model.encode(batch), inputs, 256)
    return codes.reshape(len(codes), -1)


def _scores(answers: Predictions, labels: np.ndarray | None, spec: DatasetSpec, where: str) -> str:
    scores = np.asarray(answers.anomaly_scores)
    how = " For each class the bar holds the middle half of its samples, the line nine tenths of them, and "
    how = "" if labels is None else f"{how}the mark is the median."
    text = (
        f"How far {len(scores):,} {where} samples are from what comes out of their codes, as a mean squared "
        f"difference; high for what is unlike the training data.{how}"
    )
    with style():
        return html.section(
            "Anomaly scores", draw_scores(scores, labels, class_names(spec)), f"<p>{text}</p>"
        )


def _strangest(
    part: Split, answers: Predictions, labels: np.ndarray | None, spec: DatasetSpec, where: str
) -> str:
    """Return a table of the samples with the highest anomaly scores."""
    scores = np.asarray(answers.anomaly_scores)
    highest = np.argsort(-scores, kind="stable")[:_HIGHEST]
    names = [column.name for column in spec.columns[:_CELLS]] if isinstance(part.inputs, Mapping) else []
    rows = [
        [
            int(row) + 1,
            float(scores[row]),
            _target(part, labels, spec, row),
            *(_cell(part, name, row) for name in names),
        ]
        for row in highest
    ]
    more = (
        f", with the first {_CELLS} of {len(spec.columns)} columns" if len(names) < len(spec.columns) else ""
    )
    text = f"The {len(rows)} of {len(scores):,} {where} samples that are least like what comes out{more}."
    return html.shown(
        "Highest anomaly scores", text, html.table(["sample", "anomaly score", spec.target, *names], rows)
    )


def _target(part: Split, labels: np.ndarray | None, spec: DatasetSpec, row: int) -> object:
    if labels is not None:
        return class_names(spec)[labels[row]]
    target = np.ravel(part.targets[row])
    return float(target[0]) if target.size == 1 and target.dtype.kind == "f" else short(target.tolist())


def _cell(part: Split, name: str, row: int) -> object:
    value = part.inputs[name][row]
    return short(value) if isinstance(value, str) else float(value)


def _samples(result: Result) -> str:
    images = result.sample(_SIDE * _SIDE)
    text = f"Reconstructions of {len(images)} codes drawn from the standard normal distribution."
    return html.shown("Samples", text, picture_of("samples", images, _SIDE))


def _between(result: Result, answers: Predictions) -> str:
    """Return what codes on the way from one image to another stand for."""
    codes = np.asarray(answers.codes)[: 2 * _PAIRS]
    pairs = len(codes) // 2
    steps = [np.linspace(codes[2 * pair], codes[2 * pair + 1], _STEPS) for pair in range(pairs)]
    if not steps:
        return ""
    images = to_uint8(np.asarray(result.model.decode(np.concatenate(steps).astype("float32"))))
    text = (
        "Left and right in each row the reconstructions of two images; between them those of codes at equal "
        "steps from one to the other."
    )
    picture = picture_of("from one image to another", images, _STEPS)
    return html.shown("From one image to another", text, picture)
