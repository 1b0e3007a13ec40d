"""Attention: what samples look at in themselves, layer by layer."""

from __future__ import annotations

import math

import numpy as np

from kexp.core.images import png
from kexp.evaluation.explain.attention_maps import AttentionMap
from kexp.evaluation.explain.network_findings import Findings
from kexp.report.heat import heat_alone, heat_over, heated_words
from kexp.report.html import Markup, picture, short, table, text_section
from kexp.report.shown_samples import pixels_of

ORDER = 20
_SAMPLES = 4
_LAYERS = 6


def applies(found: Findings) -> bool:
    """True for a model with layers that attend."""
    return bool(found.attention)


def html(found: Findings) -> str:
    """HTML of the section."""
    samples = list(enumerate(found.samples.answers[:_SAMPLES]))
    rows = [
        [short(one.layer, 60), one.heads, *(_cell(found, one, place, said) for place, said in samples)]
        for one in found.attention[:_LAYERS]
    ]
    columns = [f"{place + 1}: {short(said, 30)}" for place, said in samples]
    text = (
        "The means over the heads of each layer. On pictures and texts colour is what all places together "
        "look at, none where least; else a row is what one step looks at, dark where most."
    )
    if len(found.attention) > _LAYERS:
        text += f" The first {_LAYERS} of {len(found.attention)} layers."
    return text_section("Attention", text, table(["layer", "heads", *columns], rows))


def _cell(found: Findings, one: AttentionMap, place: int, said: str) -> Markup:
    weights = one.weights[place]  # (queries, keys)
    received = weights.mean(axis=0)
    name = f"{one.layer}: attention of sample {place + 1}, {said}"
    if found.samples.tokens and len(found.samples.tokens[place]) <= len(received):
        tokens = found.samples.tokens[place]
        shares = received[: len(tokens)]
        return Markup(heated_words(tokens, shares - shares.min(initial=1)))
    patches = _square(received)
    if patches is not None and not found.samples.tokens and found.spec.kind == "image":
        pixels = pixels_of(np.asarray(found.samples.inputs[place])[None], found.spec)  # type: ignore[index]
        if pixels is not None:
            return Markup(picture(name, png(heat_over(pixels[0], patches - patches.min()))))
    return Markup(picture(name, png(heat_alone(weights[:128, :128]))))


def _square(received: np.ndarray) -> np.ndarray | None:
    """Return (rows, columns) of steps that are the patches of an image, a first one for the class aside."""
    for first in (0, 1):
        side = math.isqrt(len(received) - first)
        if side > 1 and side * side == len(received) - first:
            return received[first:].reshape(side, side)
    return None
