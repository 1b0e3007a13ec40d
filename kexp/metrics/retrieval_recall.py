"""How often what belongs together is found by the similarity of embeddings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import numpy as np

from kexp.core.errors import InputError
from kexp.data.dataset import Split

__all__ = ["mean_recall", "recalls", "retrieval_chance", "retrieval_recall"]

AT = (1, 10)
DIRECTIONS = ("image_to_text", "text_to_image")
_AT_ONCE = 1024  # rows of similarities


class TextEncoder(Protocol):
    """Who gives embeddings of texts, such as a `kexp.models.ImageTextSearch`."""

    def text_embeddings(self, texts: Sequence[str] | np.ndarray) -> np.ndarray:
        """Return (n, width) float32 of (n,) texts."""
        ...


def retrieval_recall(
    image_embeddings: np.ndarray,
    text_embeddings: np.ndarray,
    texts: Sequence[str] | np.ndarray,
    at: Sequence[int] = AT,
) -> dict[str, float]:
    """Return how often one of the first results is right, from images to texts and from texts to images.

    A result is right if its text is equal, whichever sample it is of: each different text is looked for, and
    found, once, and one image of it is enough. Of results that are equally similar the right one counts as
    the last, so that embeddings that are all alike find nothing.

    Args:
        image_embeddings: (samples, width) of length 1.
        text_embeddings: (samples, width) of length 1, of the text of each image.
        texts: (samples,) texts, or numbers of them.
        at: How many results are looked at, each 1 or more; default 1 and 10.

    Returns:
        "image_to_text_recall_at_1" and so on, from 0 to 1.

    Raises:
        InputError: There are no samples, or not as many of each.

    Source:
        Radford et al. 2021, "Learning transferable visual models from natural language supervision"; Karpathy
        and Fei-Fei 2015, "Deep visual-semantic alignments for generating image descriptions".

    Example:
        >>> images = np.array([[1.0, 0.0], [0.6, 0.8], [0.0, 1.0]])
        >>> texts = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
        >>> retrieval_recall(images, texts, ["cat", "cat", "dog"], at=[1])
        {'image_to_text_recall_at_1': 0.6666666666666666, 'text_to_image_recall_at_1': 1.0}
    """
    if not len(texts) or not len(image_embeddings) == len(text_embeddings) == len(texts):
        raise InputError(
            "image_embeddings, text_embeddings and texts must be of the same samples, 1 or more; received "
            f"{len(image_embeddings)}, {len(text_embeddings)} and {len(texts)}."
        )
    return {
        f"{direction}_recall{ending}": value
        for direction in DIRECTIONS
        for ending, value in _recall(direction, image_embeddings, text_embeddings, texts, at).items()
    }


def _recall(
    direction: str,
    images: np.ndarray,
    of_texts: np.ndarray,
    texts: Sequence[str] | np.ndarray,
    at: Sequence[int],
) -> dict[str, float]:
    """Return the recall of one direction by the ends of its names, such as "_at_1"."""
    numbers = text_numbers(texts)
    _, first = np.unique(numbers, return_index=True)
    different, names = of_texts[first], numbers[first]
    if direction == "image_to_text":
        wrong = ranks(images, different, numbers, names)
    else:
        wrong = ranks(different, images, names, numbers)
    return {f"_at_{count}": float(np.mean(wrong < count)) for count in at}


def mean_recall(
    image_embeddings: np.ndarray, text_embeddings: np.ndarray, texts: Sequence[str] | np.ndarray
) -> float:
    """Return the mean of the recall at 1 and at 10 in both directions; arguments as of `retrieval_recall`.

    Example:
        >>> mean_recall(np.eye(2), np.eye(2)[::-1], ["cat", "dog"])
        0.5
    """
    return float(np.mean(list(retrieval_recall(image_embeddings, text_embeddings, texts).values())))


def retrieval_chance(texts: Sequence[str] | np.ndarray, at: Sequence[int] = AT) -> dict[str, float]:
    """Return the expected `retrieval_recall` of results drawn by chance.

    Args:
        texts: (samples,) texts of the images, 1 or more.
        at: As of `retrieval_recall`.

    Example:
        >>> retrieval_chance(["cat", "dog", "dog", "cow"], at=[1])
        {'image_to_text_recall_at_1': 0.3333333333333333, 'text_to_image_recall_at_1': 0.3333333333333333}
    """
    from scipy.stats import hypergeom

    counts = np.unique(np.asarray(texts), return_counts=True)[1]
    images, different = int(counts.sum()), len(counts)
    found = {f"{DIRECTIONS[0]}_recall_at_{count}": min(count, different) / different for count in at}
    for count in at:
        none = hypergeom.pmf(0, images, counts, min(count, images))
        found[f"{DIRECTIONS[1]}_recall_at_{count}"] = float(np.mean(1.0 - none))
    return found


def recalls(
    encoder: TextEncoder,
) -> dict[str, Callable[[Split, Mapping[str, np.ndarray]], dict[str, float]]]:
    """Return the recalls of both directions as `kexp.fit` takes `final_metrics`.

    Args:
        encoder: Gives embeddings of texts, such as a `kexp.models.ImageTextSearch`.

    Returns:
        The functions "image_to_text_recall" and "text_to_image_recall", from a split and its predictions to
        values by the ends of their names, "_at_1" and "_at_10".

    Example:
        >>> class Letters:
        ...     def text_embeddings(self, texts):
        ...         return np.eye(26)[[ord(text) - 97 for text in texts]]
        >>> part = Split(np.zeros((2, 1)), np.array(["a", "c"]))
        >>> recalls(Letters())["image_to_text_recall"](part, {"embedding": np.eye(26)[[0, 1]]})
        {'_at_1': 0.5, '_at_10': 1.0}
    """

    def of(direction: str) -> Callable[[Split, Mapping[str, np.ndarray]], dict[str, float]]:
        def measure(split: Split, outputs: Mapping[str, np.ndarray]) -> dict[str, float]:
            of_texts = encoder.text_embeddings(split.targets)
            return _recall(direction, outputs["embedding"], of_texts, split.targets, AT)

        return measure

    return {f"{direction}_recall": of(direction) for direction in DIRECTIONS}


def text_numbers(texts: Sequence[str] | np.ndarray) -> np.ndarray:
    """Return (samples,) numbers of texts, equal ones of equal texts, in the order in which they first stand.

    Example:
        >>> text_numbers(["cat", "dog", "cat"]).tolist()
        [0, 1, 0]
    """
    known: dict[object, int] = {}
    return np.array([known.setdefault(text, len(known)) for text in np.asarray(texts).tolist()], np.int64)


def ranks(queries: np.ndarray, answers: np.ndarray, asked: np.ndarray, given: np.ndarray) -> np.ndarray:
    """Return (queries,) how many wrong answers are as similar as the best right one, or more.

    Args:
        queries: (queries, width) embeddings of what is looked for.
        answers: (answers, width) embeddings of what may be found.
        asked: (queries,) numbers of the texts.
        given: (answers,) numbers of the texts; what has the same number is right.

    Example:
        >>> ranks(np.eye(2), np.eye(2)[::-1], np.array([0, 1]), np.array([1, 1])).tolist()
        [2, 0]
    """
    found = []
    for start in range(0, len(queries), _AT_ONCE):
        rows = slice(start, start + _AT_ONCE)
        similarities = queries[rows] @ answers.T
        right = asked[rows, None] == given[None]
        best = np.max(similarities, axis=1, where=right, initial=-np.inf, keepdims=True)
        found.append(np.sum((similarities >= best) & ~right, axis=1))
    return np.concatenate(found)
