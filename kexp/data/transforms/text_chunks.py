"""Passages of one long text, such as a book, in its order: what a language model is trained and tested on."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from kexp.core.errors import InputError, shown
from kexp.data.catalog import locate
from kexp.data.dataset import Dataset, DatasetSpec, Split
from kexp.data.sample_files import sample_path
from kexp.data.splits import fingerprint as content_fingerprint
from kexp.data.splits import read_only
from kexp.data.strings import as_text, read_text

WHITE_SPACE = " \t\n\v\f\r"  # said in full: Python and TensorFlow mean different characters by \s
_WORD = re.compile(rf" ?[^{WHITE_SPACE}]+|[{WHITE_SPACE}]+?(?= ?[^{WHITE_SPACE}]|\Z)")

Length = Callable[[Sequence[str]], np.ndarray]


def text_parts(source: str | Path, *, validation: float = 0.1, test: float = 0.1) -> dict[str, str]:
    """Return the parts of a long text: its beginning to train on, then validation, and its end to test on.

    Args:
        source: "moby_dick", or a name or path of a UTF-8 file, .txt or .txt.gz, found as `load` finds it.
        validation: Share of what is not tested on, at least 0 and below 1, default 0.1; 0 for no such part.
        test: Share of all characters, at least 0 and below 1, default 0.1; 0 for no such part.

    Returns:
        The texts of "train", "validation" and "test", which joined are the whole.

    Raises:
        InputError: The file cannot be read, or a part would be empty.

    Example:
        >>> parts = text_parts("moby_dick")
        >>> parts["train"][:20], {part: len(text) for part, text in parts.items()}
        ('CHAPTER 1. Loomings.', {'train': 964157, 'validation': 107128, 'test': 119032})
    """
    return _parts(_read(source)[1], validation, test)


def passages(
    source: str | Path,
    *,
    context: int,
    length: Length | None = None,
    validation: float = 0.1,
    test: float = 0.1,
) -> Dataset:
    """Cut a long text into passages of at most so many tokens, which joined are the whole text.

    Each part is cut for itself. Passages end between words, as `split_words` has them, where
    tokens are more than characters.

    Args:
        source: "moby_dick", or a name or path of a UTF-8 file, .txt or .txt.gz, found as `load` finds it.
        context: Most tokens of a passage, 1 or more.
        length: Gives (words,), the number of tokens of each of several words, at most its characters; None
            (default) where a token is a character.
        validation: Share of what is not tested on, at least 0 and below 1, default 0.1; 0 for no such part.
        test: Share of all characters, the last ones, at least 0 and below 1, default 0.1; 0 for no such part.

    Returns:
        Data of the kind and the task "text", its targets the inputs; every array read-only.

    Raises:
        InputError: The file cannot be read, a part would be empty, or `context` is no number of tokens.

    Example:
        >>> data = passages("moby_dick", context=64)
        >>> len(data.train), data.test.inputs[-1][-18:]
        (15065, 'ousand years ago.\\n')
    """
    if isinstance(context, bool) or not isinstance(context, int) or context < 1:
        raise InputError(f"context={shown(context)}: expected a whole number of tokens, 1 or more; pass one.")
    if length is not None and not callable(length):
        raise InputError(f"length={shown(length)}: expected a function of several words; pass one or none.")
    name, text = _read(source)
    spec = DatasetSpec("text", (), "string", "text", 0)
    whole = _strings([text])
    fingerprint = content_fingerprint({"train": (whole, whole)}, spec.to_json())
    drawn: dict[str, Split] = {}
    for part, content in _parts(text, validation, test).items():
        cut = _strings(_cut(content, context, length))
        drawn[part] = read_only(cut, cut)
    return Dataset(name, drawn["train"], drawn.get("validation"), drawn.get("test"), spec, fingerprint)


def split_words(text: str) -> list[str]:
    """Cut a text into words: what no subword crosses.

    A word is a run of characters that are not white space, with the space before it if there is one, or a
    run of other white space.

    Args:
        text: Any text.

    Returns:
        The words, which joined are the text.

    Example:
        >>> split_words("So be it.\\n\\nThen  go")
        ['So', ' be', ' it.', '\\n\\n', 'Then', ' ', ' go']
    """
    return _WORD.findall(text)


def _read(source: str | Path) -> tuple[str, str]:
    """Return the name of a text and the text."""
    place = locate(source)
    if place.form != "txt" and place.name != "moby_dick":
        raise InputError(
            f"source={str(source)!r}: expected 'moby_dick', or a name or path of text, .txt or .txt.gz; "
            "give one."
        )
    path = sample_path("moby_dick") if place.form == "embedded" else place.path
    text = read_text(path)
    if not text.strip():
        raise InputError(f"file {path}: expected text, received nothing; add some.")
    return place.name, str(as_text(f"file {path}:", [text])[0])


def _parts(text: str, validation: float, test: float) -> dict[str, str]:
    for argument, share in (("validation", validation), ("test", test)):
        if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share < 1:
            raise InputError(
                f"{argument}={shown(share)}: expected a share of at least 0 and below 1; pass 0.1 for a "
                "tenth."
            )
    tested = len(text) - round(test * len(text))
    trained = tested - round(validation * tested)
    parts = {"train": text[:trained]}
    parts |= {"validation": text[trained:tested]} if validation else {}
    parts |= {"test": text[tested:]} if test else {}
    if not all(parts.values()):
        raise InputError(
            f"source: {len(text)} characters are too few for validation={validation} and test={test}; "
            f"give a longer text."
        )
    return parts


def _cut(text: str, context: int, length: Length | None) -> list[str]:
    if length is None:
        return [text[first : first + context] for first in range(0, len(text), context)]
    words = [piece for word in split_words(text) for piece in _short(word, context)]
    known = sorted(set(words))
    # What may be a part of a longer word stands alone: beside its other part it would have other tokens.
    sizes = {
        word: context if len(word) >= context else int(size)
        for word, size in zip(known, length(known), strict=True)
    }
    cut, begun, count = [], 0, 0
    for number, word in enumerate(words):
        if count + sizes[word] > context and number > begun:
            cut.append("".join(words[begun:number]))
            begun, count = number, 0
        count += sizes[word]
    return [*cut, "".join(words[begun:])]


def _short(word: str, context: int) -> list[str]:
    return [word[first : first + context] for first in range(0, len(word), context)]


def _strings(texts: Sequence[str]) -> np.ndarray:
    array = np.empty(len(texts), object)
    array[:] = texts
    return array
