"""The base of all kinds of targets: what a kind decides, with what most of them have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from kexp.data.dataset import Kind

Targets = dict[str, np.ndarray]  # by split


class TargetKind:
    """What targets are, and how they become what a model is compared with.

    Attributes:
        name: Of the kind.
        task: Name of the task that such targets are for, as the argument `task` of `kexp.data.load` has it.
        input_kind: The only kind of inputs that they can have; None: any.
        is_fallback: They are of this kind if of no other.
        has_labels: A target is one class index.
        has_scale: Targets are quantities, of which a model needs the mean and the deviation.
        is_separable: A text may hold several of them, with a separator between.
        is_verbatim: They are text to the letter, where "NA" is a word.
    """

    name: ClassVar[str]
    task: ClassVar[str]
    input_kind: ClassVar[Kind | None] = None
    is_fallback: ClassVar[bool] = False
    has_labels: ClassVar[bool] = False
    has_scale: ClassVar[bool] = False
    is_separable: ClassVar[bool] = False
    is_verbatim: ClassVar[bool] = False

    def applies(self, kind: Kind, inputs: Any, targets: Any) -> bool:
        """Return whether targets are of this kind, when the caller does not say.

        Args:
            kind: Of the inputs.
            inputs: Of the training split, (samples, ...).
            targets: Of the training split, as the source has them.
        """
        return False

    def gathered(self, place: str, values: object, *, asked: bool, separator: str = "") -> np.ndarray | None:
        """Return targets as one array if they come in a form that is of this kind alone, else None.

        Args:
            place: What they are, for messages, in the plural.
            values: Of one split, as the source has them.
            asked: The caller has asked for this kind.
            separator: What stands between several of them in one text; empty: nothing does.

        Raises:
            InputError: They come in that form, but cannot be used.
        """
        return None

    def encode(
        self,
        name: str,
        inputs: Mapping[str, Any],
        targets: Mapping[str, Any],
        class_names: tuple[str, ...],
        *,
        asked: bool,
    ) -> tuple[Targets, tuple[str, ...]]:
        """Return the targets of all splits as `kexp.data.Split` has them, and the names of the classes.

        Args:
            name: Name of the data, for messages.
            inputs: By split.
            targets: By split, as the source has them.
            class_names: What integer labels stand for, where the source knows it.
            asked: The caller has asked for this kind.

        Raises:
            InputError: They cannot be used as they are.
        """
        raise NotImplementedError

    def outputs(self, targets: np.ndarray, class_names: Sequence[str]) -> int:
        """Return how many numbers a model gives for a sample, or a pixel; 0 where that is for it to say."""
        return len(class_names)

    def check(self, name: str, targets: Targets, class_names: tuple[str, ...]) -> None:
        """Raise InputError if the training split lacks what others have."""

    def check_drawn(self, name: str, targets: Targets, class_names: tuple[str, ...]) -> None:
        """Raise InputError if the training split, now that others were drawn from it, lacks what it needs."""

    def strata(self, targets: np.ndarray) -> np.ndarray:
        """Return (samples,) groups of which every split gets its share; without classes one for all."""
        return np.zeros(len(targets), np.int32)

    def resized_with_inputs(self, inputs: Any, targets: Any) -> bool:
        """Return whether targets have pixels, which would have to be resized with those of the inputs."""
        return False

    def of_column(self, numbers: np.ndarray) -> np.ndarray:
        """Return targets of a table's column of truth values or float64 numbers as `encode` takes them."""
        return np.where(numbers, "True", "False").astype(object) if numbers.dtype == bool else numbers
