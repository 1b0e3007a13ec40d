"""What a model heard in sounds: those it wrote down wrong first, to be listened to."""

from __future__ import annotations

from html import escape

import numpy as np

from kexp.data import Split
from kexp.report.html import heading
from kexp.report.reported import ReportedRun
from kexp.report.shown_samples import WRONG, card
from kexp.report.sound_cards import how_cut, sound_card

ORDER = 45
_COUNT = 40
_SHOWN = 24


def applies(run: ReportedRun) -> bool:
    """True for a model that writes down sounds, with its data."""
    return (
        run.spec.sample_rate is not None and "text" in run.prediction_names and isinstance(run.split, Split)
    )


def html(run: ReportedRun) -> str:
    """HTML of the section."""
    inputs, rate = np.asarray(run.split.inputs), run.spec.sample_rate
    assert rate is not None
    answers = run.predictions(_COUNT).named()
    expected = [str(text) for text in run.split.targets[:_COUNT]]
    heard = [str(text) for text in answers["text"]]
    # The wrong ones first, each part by how sure the model is.
    order = sorted(
        range(len(heard)),
        key=lambda place: (heard[place] == expected[place], -answers["log_probability"][place]),
    )
    cards = []
    for place in order[:_SHOWN]:
        right = heard[place] == expected[place]
        facts = {"said": expected[place], "heard": heard[place], "outcome": "right" if right else WRONG}
        name = f"sample {place + 1}: {facts['said']}"
        cards.append(card(sound_card(name, inputs[place], rate), facts))
    wrong = sum(one != other for one, other in zip(heard, expected, strict=True))
    text = (
        f"Of the first {len(heard)} {run.split_name} samples {wrong} are not right in every token; they come "
        f"first.{how_cut(inputs.shape[1], rate)}"
    )
    body = f'<div class="cards">{"".join(cards)}</div>'
    return f"<section>{heading('What was heard')}<p>{escape(text)}</p>{body}</section>"
