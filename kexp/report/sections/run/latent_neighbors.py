"""Images beside the training images of the nearest codes."""

from __future__ import annotations

import numpy as np

from kexp.data import DatasetSpec, Split
from kexp.data.dataset import single_array
from kexp.report.html import rows, text_section
from kexp.report.reconstructed_samples import are_images, class_indices
from kexp.report.reported import ReportedRun
from kexp.report.sample_images import image_grid
from kexp.run.inference import raw_outputs

ORDER = 110
_QUERIES, _NEAREST = 6, 8
_SEARCHED = 20_000  # training images


def applies(run: ReportedRun) -> bool:
    """True for an autoencoder of images."""
    return are_images(run)


def html(run: ReportedRun) -> str:
    """HTML of the section."""
    from sklearn.neighbors import NearestNeighbors

    assert run.data is not None
    train = run.data.train
    images, queries = single_array(train.inputs)[:_SEARCHED], single_array(run.split.inputs)[:_QUERIES]
    known, asked = _codes(run, images), _codes(run, queries)
    search = NearestNeighbors(n_neighbors=min(_NEAREST, len(known))).fit(known)
    found = search.kneighbors(asked, return_distance=False)
    pairs = [
        (
            image_grid("query", query[None], 1),
            image_grid("training images of the nearest codes", images[near], len(near)),
        )
        for query, near in zip(queries, found, strict=True)
    ]
    text = (
        f"Left {len(asked)} {run.split_name} images; beside each the {found.shape[1]} of {len(known):,} "
        "training images whose codes are nearest to its own, the nearest first."
    )
    return text_section("Nearest by code", text + _hits(train, run.split, found, run.spec), rows(pairs))


def _hits(train: Split, split: Split, found: np.ndarray, spec: DatasetSpec) -> str:
    """Return how many of the images that were found have the class of what was asked for."""
    known, asked = class_indices(train, spec), class_indices(split, spec)
    if known is None or asked is None:
        return ""
    hits = int((known[found] == asked[: len(found), None]).sum())
    return f" Of these {found.size}, {hits} have the class of the image to the left of them."


def _codes(run: ReportedRun, inputs: np.ndarray) -> np.ndarray:  # (n, ...) -> (n, d)
    codes = raw_outputs(lambda batch, training: run.record.model.encode(batch), inputs, 256)
    return codes.reshape(len(codes), -1)
