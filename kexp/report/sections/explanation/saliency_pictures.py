"""Saliency: what in samples speaks for the output, by methods that pass the randomisation test."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

import numpy as np

from kexp.core.images import png
from kexp.evaluation.explain.explained_model import only_images
from kexp.evaluation.explain.network_findings import Findings
from kexp.evaluation.explain.saliency.saliency_maps import SaliencyMaps
from kexp.evaluation.explain.saliency.weight_randomisation import LIMIT
from kexp.report.heat import heat_over, heated_line, heated_words, resized
from kexp.report.html import Markup, heading, picture, short, table
from kexp.report.line_picture import line_picture
from kexp.report.sample_images import grey_or_colour
from kexp.report.shown_samples import pixels_of

ORDER = 10
_LEGEND = "Red speaks for what the model says of a sample, blue against it. "
_TEST = (
    "Each method was repeated with the weights shuffled (Adebayo et al. 2018): maps that stay alike show the "
    f"sample and not what was learned, and are not shown above a rank correlation of {LIMIT:g}."
)
_HOW = {
    "integrated gradients": "what each place adds to the score, from a blank sample on",
    "Grad-CAM": "where the last feature maps speak for the class",
    "occlusion": "how much the score falls when the place is hidden",
}


def applies(found: Findings) -> bool:
    """True where a method suits the inputs."""
    return bool(found.saliency)


def html(found: Findings) -> str:
    """HTML of the section."""
    rows = [[one.method, _HOW[one.method], _correlation(one), _verdict(one)] for one in found.saliency]
    tested = table(["method", "what it shows", "rank correlation after randomisation", "outcome"], rows)
    text = f"<p>{escape(_LEGEND + _TEST)}</p>"
    return f"<section>{heading('Saliency')}{text}{tested}{_samples(found)}</section>"


def _correlation(one: SaliencyMaps) -> str:
    return "unknown" if one.correlation is None else f"{one.correlation:.2f}"


def _verdict(one: SaliencyMaps) -> str:
    if one.passed:
        return "passes, shown"
    if one.correlation is None:
        return "cannot be told, not shown"
    return "fails, not shown"


def _samples(found: Findings) -> str:
    shown = [one for one in found.saliency if one.passed]
    rows = []
    for place, answer in enumerate(found.samples.answers):
        said = short(answer, 40)
        if found.samples.truth:
            said += f" (truth: {short(found.samples.truth[place], 40)})"
        rows.append([said, *_cells(found, place, said, shown)])
    names = [one.method for one in shown]
    original = [] if found.spec.kind == "text" else ["sample"]
    return table(["model says", *original, *names], rows) if shown else ""


def _cells(found: Findings, place: int, said: str, shown: list[SaliencyMaps]) -> list[object]:
    if found.spec.kind == "text":
        return [Markup(heated_words(one.pieces[place], one.maps[place])) for one in shown]
    inputs = found.samples.inputs
    samples = inputs[str(only_images(inputs))] if isinstance(inputs, Mapping) else inputs
    sample = np.asarray(samples[place])
    if sample.ndim == 2:
        lines = [heated_line(f"{one.method}, {said}", sample, one.maps[place]) for one in shown]
        return [Markup(line_picture(said, sample)), *map(Markup, lines)]
    pixels = pixels_of(sample[None], found.spec)
    image = sample[..., : 3 if sample.shape[-1] == 3 else 1] if pixels is None else pixels[0]
    pictures = [picture(f"{one.method}, {said}", png(heat_over(image, one.maps[place]))) for one in shown]
    return [Markup(picture(said, png(resized(grey_or_colour(image))))), *map(Markup, pictures)]
