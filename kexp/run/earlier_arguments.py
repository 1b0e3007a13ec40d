"""Arguments that recipes have gained, and what stands for them in runs that were begun before."""

from __future__ import annotations

from collections.abc import Container
from typing import Any

# By recipe: what it did when there was no such argument.
_EARLIER: dict[str, dict[str, Any]] = {
    "diffusion_images": {"path": "diffusion"},
    "lstm_forecast": {"skip": 0, "scaling": "all"},
    "lstm_text": {"ngrams": 0},
    "transformer_text": {"ngrams": 0},
}


def earlier_arguments(recipe: str, known: Container[str]) -> dict[str, Any]:
    """Return what stands for the arguments that a recipe did not have in earlier versions.

    Args:
        recipe: Its name, as recorded.
        known: Arguments that it has now; a user's own recipe of the same name has others.

    Example:
        >>> earlier_arguments("lstm_text", ["data", "ngrams"]), earlier_arguments("lstm_text", ["data"])
        ({'ngrams': 0}, {})
    """
    return {name: value for name, value in _EARLIER.get(recipe, {}).items() if name in known}
