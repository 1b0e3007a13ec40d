"""Images of a detection with the boxes that were found and those that are there, the worst images first."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

import numpy as np

from kexp.core.images import png
from kexp.data.splits import taken
from kexp.report.html import heading, name_of, picture
from kexp.report.judged_boxes import JudgedImage, judge_images, worst_images
from kexp.report.reported import ReportedRun
from kexp.report.sample_images import grey_or_colour

ORDER = 44
_COUNT = 24  # images
_SIDE = 256  # pixels of the longer side of a picture
_DASH = 4  # pixels
_COLOURS = {"hit": "#3cb44b", "false alarm": "#ff5b6e", "missed": "#ffb000", "crowd": "#9a9a9a"}
_SAYS = {
    "hit": "found: solid",
    "false alarm": "false alarm: solid, with a cross",
    "missed": "missed: dashed",
    "crowd": "within a crowd, which does not count: solid",
}


def applies(run: ReportedRun) -> bool:
    """True for a run with data whose predictions are boxes."""
    return "box" in run.prediction_names


def html(run: ReportedRun) -> str:
    """HTML of the section."""
    judged = judge_images(run.judged.targets, run.judged_predictions, run.spec)
    places = worst_images(judged, _COUNT)
    images = taken(run.judged, np.asarray(places, np.int64)).inputs
    hits, alarms, missed = (
        sum(int(getattr(one, name).sum()) for one in judged) for name in ("hits", "false_alarms", "missed")
    )
    text = (
        f"Of {run.judged_name}: {hits:,} objects found, {missed:,} missed, {alarms:,} false alarms, at an "
        "overlap of 0.5 and the score of each class at which its F1 on validation data is best. The images "
        "with most misses and false alarms come first."
    )
    cards = [
        _card(pixels, judged[place], int(run.judged_rows[place]) + 1)
        for pixels, place in zip(np.asarray(images), places, strict=True)
    ]
    content = f'{_legend()}<div class="cards">{"".join(cards)}</div>'
    return f"<section>{heading('Objects')}<p>{escape(text)}</p>{content}</section>"


def _card(pixels: np.ndarray, judged: JudgedImage, number: int) -> str:
    facts = list(_facts(judged)) or ["nothing there, nothing found"]
    drawn = picture(f"sample {number}: {'; '.join(facts)}", png(_drawn(pixels, judged)))
    lines = "".join(f"<span>{name_of(fact)}</span>" for fact in facts)
    return f"<figure>{drawn}<figcaption><span>sample {number}</span>{lines}</figcaption></figure>"


def _facts(judged: JudgedImage) -> Iterator[str]:
    missed = [name for name, one in zip(judged.names, judged.missed, strict=True) if one]
    alarms = [
        f"{label} ({score:.2f})"
        for label, score, one in zip(judged.labels, judged.scores, judged.false_alarms, strict=True)
        if one
    ]
    if missed:
        yield f"✗ missed: {', '.join(missed)}"
    if alarms:
        yield f"✗ false alarm: {', '.join(alarms)}"
    found = [label for label, one in zip(judged.labels, judged.hits, strict=True) if one]
    if found:
        yield f"found: {', '.join(found)}"


def _drawn(pixels: np.ndarray, judged: JudgedImage) -> np.ndarray:
    """Return (height, width, 3) uint8, an image as large as it is shown, with boxes on it."""
    from PIL import Image, ImageDraw

    image = Image.fromarray(grey_or_colour(pixels))
    scale = _SIDE / max(image.size)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    image = image.resize(size, Image.Resampling.NEAREST if scale > 1 else Image.Resampling.BOX)
    draw = ImageDraw.Draw(image)
    for box, hit, ignored in zip(judged.boxes, judged.hits, judged.ignored, strict=True):
        kind = "hit" if hit else "crowd" if ignored else "false alarm"
        left, top, right, bottom = (float(number) * scale for number in box)
        draw.rectangle((left, top, max(left, right), max(top, bottom)), outline=_COLOURS[kind], width=2)
        if kind == "false alarm":
            draw.line((left, top, right, bottom), fill=_COLOURS[kind])
            draw.line((left, bottom, right, top), fill=_COLOURS[kind])
    for box in judged.objects[judged.missed]:
        _dashed(draw, tuple(float(number) * scale for number in box))
    return np.asarray(image)


def _dashed(draw, box: tuple[float, ...]) -> None:  # type: ignore[no-untyped-def]  # of Pillow's
    left, top, right, bottom = box
    for first, last, along in ((left, right, 0), (top, bottom, 1)):
        for start in np.arange(first, last, 2 * _DASH):
            end = min(start + _DASH, last)
            for fixed in ((top, bottom), (left, right))[along]:
                line = (start, fixed, end, fixed) if not along else (fixed, start, fixed, end)
                draw.line(tuple(map(float, line)), fill=_COLOURS["missed"], width=2)


def _legend() -> str:
    entries = "".join(
        f'<span><i style="background:{_COLOURS[kind]}"></i>{escape(text)}</span>'
        for kind, text in _SAYS.items()
    )
    return f'<p class="legend">{entries}</p>'
