"""Texts that answer texts: words with their pronunciation, and sums."""

from __future__ import annotations

import numpy as np

from kexp.data.dataset import Source
from kexp.data.sample_files import sample_path
from kexp.data.table_columns import Column

_QUESTIONS = 50_000
_DRAWN = 200_000  # so many that enough of them differ
_DIGITS = 3


def read_pronunciations() -> Source:
    """Read English words and their phonemes, separated by spaces; of several pronunciations the first.

    Example:
        >>> words, phonemes = read_pronunciations().parts["train"]
        >>> words[2], phonemes[2]
        ('aalto', 'AA L T OW')
    """
    from kexp.data.sources.table_files import read_csv

    table = read_csv(sample_path("pronunciations"), text="word").drop_duplicates("word")
    parts = {"train": (table["word"].to_numpy(object), table["phonemes"].to_numpy(object))}
    return Source("pronunciations", parts, columns=(Column("word", "text"),), target="phonemes", task="text")


def read_addition() -> Source:
    """Draw 50,000 different sums of two numbers of up to three digits, always the same ones.

    Each number has one, two or three digits equally often. x+y and y+x are the same question, only one of
    which is there, so that no answer of one part is given away in another.

    Source: https://keras.io/examples/nlp/addition_rnn

    Example:
        >>> questions, answers = read_addition().parts["train"]
        >>> questions[0], answers[0], len(questions)
        ('4+23', '27', 50000)
    """
    random = np.random.RandomState(0)  # whose numbers NumPy keeps the same in every version
    digits = random.randint(1, _DIGITS + 1, size=(_DRAWN, 2))
    numbers = (random.random_sample((_DRAWN, 2)) * 10**digits).astype(int)
    _, first = np.unique(numbers.min(axis=1) * 10**_DIGITS + numbers.max(axis=1), return_index=True)
    pairs = numbers[np.sort(first)[:_QUESTIONS]]
    questions = np.array([f"{x}+{y}" for x, y in pairs], object)
    answers = np.array([str(total) for total in pairs.sum(axis=1)], object)
    return Source(
        "addition",
        {"train": (questions, answers)},
        columns=(Column("question", "text"),),
        target="answer",
        task="text",
    )
