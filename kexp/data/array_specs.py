"""What each of several inputs and outputs of a model is: names, shapes and types."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from kexp.core.constraints import Between
from kexp.core.errors import InputError
from kexp.core.json_files import require_keys

MOST_SIZE = 10_000_000  # of an axis, or outputs: more is a damaged number, which would fill the memory
Size = Annotated[int, Between(0, MOST_SIZE)]


def shapes_agree(shape: tuple[int, ...], declared: tuple[int | None, ...]) -> bool:
    """Return whether a shape is the one that was declared, where None stands for any size."""
    return len(shape) == len(declared) and all(
        own in (None, size) for size, own in zip(shape, declared, strict=True)
    )


@dataclass(frozen=True)
class ArraySpec:
    """One of several inputs.

    Attributes:
        name: Of the input.
        shape: Of one sample; None for an axis in which the batches of a caller differ.
        dtype: Name of the type; "string" for texts.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str

    @classmethod
    def from_json(cls, content: Mapping[str, Any], place: str, advice: str) -> ArraySpec:
        """Return what `dataclasses.asdict` made JSON of.

        Raises:
            InputError: A field is missing, or holds what no input has.
        """
        require_keys(content, place, {"name": str, "shape": list[Size | None], "dtype": str}, advice=advice)
        return cls(content["name"], tuple(content["shape"]), content["dtype"])


@dataclass(frozen=True)
class Head:
    """One of several outputs.

    Attributes:
        name: Of the output.
        task: Name of its task, such as "classification".
        outputs: Number of classes, labels or numbers.
        class_names: Names of the classes; empty where they have none.
        from_logits: Whether numbers that stand for classes are logits.
        thresholds: Of a finished run, the probability above which each label is given; empty: 0.5 for all.
    """

    name: str
    task: str
    outputs: int
    class_names: tuple[str, ...] = ()
    from_logits: bool = True
    thresholds: tuple[float, ...] = ()

    @classmethod
    def from_json(cls, content: Mapping[str, Any], place: str, advice: str) -> Head:
        """Return what `dataclasses.asdict` made JSON of.

        Raises:
            InputError: A field is missing, or holds what no output has.
        """
        keys = {
            "name": str,
            "task": str,
            "outputs": Size,
            "class_names": list[str],
            "from_logits": bool,
            "thresholds": list[float] | None,
        }
        require_keys(content, place, keys, advice=advice)
        names, thresholds = tuple(content["class_names"]), tuple(content.get("thresholds") or ())
        if names and len(names) != content["outputs"]:
            raise InputError(f"{place}: class_names must be as many as there are outputs; {advice}.")
        return cls(
            content["name"], content["task"], content["outputs"], names, content["from_logits"], thresholds
        )
