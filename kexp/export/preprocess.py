"""Strings as the numbers that the core of an exported model takes, as `preprocess.json` beside this says.

An export holds a copy of this file, which needs NumPy alone:

    import numpy as np
    from preprocess import load_preprocessing

    prepare = load_preprocessing(".")  # the folder of both files
    arrays = prepare({"inputs": np.array(["Anna", "Bernd"])})  # what the file of the model takes

`preprocess.json` has for each input of strings:

    split    What is looked up: "character" (a Unicode code point), "word" (what ASCII's white space
             separates, A to Z in lower case, without ASCII's punctuation), "space" (what ASCII's white space
             separates), "subword" (from the left of each word on the longest of the tokens), or "whole".
    tokens   What is known: the first has the number `first`, the next one the number behind it.
    unknown  The number of all that is not known.
    steps    Numbers of a text: what is longer is cut at its end, what is shorter is filled up with 0. Of
             "whole" it is null, and there is one number.
    lead     Whether a space is put before every text that is not empty.

Nothing else is done: no Unicode normalisation, and no other letters in lower case.
"""

# This is kexp's own code and at the same time the file that is handed out: nothing of kexp may be imported.

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

WHITE_SPACE = " \t\n\v\f\r"
PUNCTUATION = "!\"#$%&()*+,-./:;<=>?@[\\]^_`{|}~'"
UPPER_CASE = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

_SEPARATED = re.compile(f"[^{WHITE_SPACE}]+")
# A word has the space before it; other white space stands for itself.
_WORD = re.compile(rf" ?[^{WHITE_SPACE}]+|[{WHITE_SPACE}]+?(?= ?[^{WHITE_SPACE}]|\Z)")
_STANDARD = str.maketrans(UPPER_CASE, UPPER_CASE.lower(), PUNCTUATION)


class StringNumbers:
    """From an array of strings to their numbers.

    Args:
        split: What is looked up, see the head of this file.
        tokens: Those that are known, all different.
        first: The number of the first of them.
        unknown: The number of all others.
        steps: Numbers of a text; None where it is looked up as a whole.
        lead: Whether a space is put before every text that is not empty.

    Example:
        >>> StringNumbers("word", ["to", "be"], 2, 1, 4)(np.array(["To be, or", ""])).tolist()
        [[2, 3, 1, 0], [0, 0, 0, 0]]
    """

    def __init__(
        self,
        split: str,
        tokens: Sequence[str],
        first: int,
        unknown: int,
        steps: int | None = None,
        lead: bool = False,
    ) -> None:
        self.numbers = {token: first + place for place, token in enumerate(tokens)}
        self.longest = max(map(len, tokens), default=1)
        self.unknown, self.steps, self.lead = unknown, steps, lead
        splits: dict[str, Callable[[str], Sequence[str]]] = {
            "character": list,
            "word": lambda text: _SEPARATED.findall(text.translate(_STANDARD)),
            "space": _SEPARATED.findall,
            "subword": self._subwords,
            "whole": lambda text: [text],
        }
        self.split = splits[split]

    def __call__(self, texts: np.ndarray) -> np.ndarray:
        """Return (samples, steps) int32, or (samples,) int32 where texts are looked up as a whole."""
        width = 1 if self.steps is None else self.steps
        found = np.zeros((len(texts), width), np.int32)
        for row, text in zip(found, texts, strict=True):
            led = f" {text}" if self.lead and text else str(text)
            numbers = [self.numbers.get(token, self.unknown) for token in self.split(led)[:width]]
            row[: len(numbers)] = numbers
        return found[:, 0] if self.steps is None else found

    def _subwords(self, text: str) -> list[str]:
        """Return the longest known tokens from the left of each word on; an unknown character is one."""
        found = []
        for word in _WORD.findall(text):
            place = 0
            while place < len(word):
                sizes = range(min(self.longest, len(word) - place), 1, -1)
                size = next((size for size in sizes if word[place : place + size] in self.numbers), 1)
                found.append(word[place : place + size])
                place += size
        return found


def preprocessing(settings: Mapping[str, Mapping[str, Any]]) -> Callable[..., dict[str, np.ndarray]]:
    """Return the function from raw inputs to those of the core, by name; those without strings stay.

    Args:
        settings: The arguments of `StringNumbers` for each input of strings.

    Example:
        >>> town = {"split": "whole", "tokens": ["Ulm"], "first": 1, "unknown": 0}
        >>> prepare = preprocessing({"town": town})
        >>> prepare({"town": np.array(["Ulm", "Jena"]), "age": np.array([3.0, 4.0])})
        {'town': array([1, 0], dtype=int32), 'age': array([3., 4.])}
    """
    by_name = {name: StringNumbers(**arguments) for name, arguments in settings.items()}

    def prepare(inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        return {name: by_name[name](values) if name in by_name else values for name, values in inputs.items()}

    return prepare


def load_preprocessing(folder: str) -> Callable[..., dict[str, np.ndarray]]:
    """Return the function from raw inputs to those of the core that `preprocess.json` in a folder describes.

    Args:
        folder: Of an export's version.
    """
    content = json.loads(Path(folder, "preprocess.json").read_text(encoding="utf-8"))
    return preprocessing(content["inputs"])
