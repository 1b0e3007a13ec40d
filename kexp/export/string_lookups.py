"""String lookups: the layers that turn strings into numbers, as `kexp.export.preprocess` repeats them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras

_STANDARD = "lower_and_strip_punctuation"
# How a TextVectorization cuts texts, by what it makes of them before and by what it cuts at.
_SPLITS = {
    (None, "character"): "character",
    (None, "whitespace"): "space",
    (_STANDARD, "whitespace"): "word",
}


def lookup_settings(layer: keras.layers.Layer) -> dict[str, Any] | None:
    """Return the arguments of `kexp.export.preprocess.StringNumbers` that repeat a layer, or None.

    Example:
        >>> import keras
        >>> lookup_settings(keras.layers.StringLookup(vocabulary=["Ulm", "Jena"]))
        {'split': 'whole', 'tokens': ['Ulm', 'Jena'], 'first': 1, 'unknown': 0, 'steps': None}
    """
    import keras

    from kexp.models.preprocessing.tokens import Tokenizer

    if isinstance(layer, Tokenizer):
        return _of_tokenizer(layer)
    if type(layer) is keras.layers.TextVectorization:
        return _of_vectorization(layer, layer.get_config())
    if type(layer) is keras.layers.StringLookup:
        return _of_lookup(layer, layer.get_config())
    return None


def _of_tokenizer(layer: Any) -> dict[str, Any] | None:
    if layer.ends or layer.reverse:
        return None
    known = {"split": layer.split, "tokens": list(layer.vocabulary), "steps": layer.steps, "lead": layer.lead}
    return {**known, "first": 4, "unknown": layer.UNKNOWN}


def _of_vectorization(layer: Any, config: dict[str, Any]) -> dict[str, Any] | None:
    cut = config["standardize"], config["split"]
    plain = config["output_mode"] == "int" and config["ngrams"] is None and not config["ragged"]
    known = all(part is None or isinstance(part, str) for part in cut) and cut in _SPLITS
    steps = config["output_sequence_length"]
    if not plain or not known or steps is None or config["encoding"] != "utf-8":
        return None
    return {"split": _SPLITS[cut], **_numbers(layer, first=2), "steps": steps}


def _of_lookup(layer: Any, config: dict[str, Any]) -> dict[str, Any] | None:
    plain = config["output_mode"] == "int" and not config["invert"] and config["encoding"] == "utf-8"
    if not plain or config["num_oov_indices"] != 1 or config["mask_token"] is not None:
        return None
    return {"split": "whole", **_numbers(layer, first=1), "steps": None}


def _numbers(layer: Any, first: int) -> dict[str, Any]:
    tokens = [str(token) for token in layer.get_vocabulary(include_special_tokens=False)]
    return {"tokens": tokens, "first": first, "unknown": first - 1}
