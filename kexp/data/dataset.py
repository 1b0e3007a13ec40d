"""What a data set is: immutable arrays in one to three parts, and a description of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeVar

import numpy as np

from kexp.core.errors import InputError

Inputs = np.ndarray | Mapping[str, np.ndarray]
A = TypeVar("A")


def single_array(inputs: A | Mapping[str, np.ndarray]) -> A:
    """Return inputs of a kind that is a single array, such as series or texts.

    Raises:
        InputError: They are columns of a table.
    """
    if isinstance(inputs, Mapping):
        raise InputError(
            "inputs must be a single array, as those of series and texts are; received the columns "
            f"{', '.join(map(repr, inputs))} of a table, so give one of them."
        )
    return inputs


Kind = Literal["image", "series", "text", "table", "array"]


def column_name(name: object) -> str:
    """Return a column's name as models can carry it: Keras allows no "/" in the name of an input.

    Example:
        >>> column_name("km/h")
        'km∕h'
    """
    return str(name).replace("/", "\N{DIVISION SLASH}")


@dataclass(frozen=True)
class Column:
    """One input column: numbers (missing: NaN), categories or text (missing: empty string)."""

    name: str
    kind: Literal["number", "category", "text"]


@dataclass(frozen=True)
class DatasetSpec:
    """What goes into a model for this data, and what comes out.

    Attributes:
        kind: "image", "series", "text" or "table"; "array" for anything else.
        input_shape: Shape of one sample, without the batch axis: (height, width, channels),
            (steps, channels), () for text, (columns,) or whatever the array has.
        dtype: Name of the input type, "uint8", "float32" or "string"; "mixed" for a table.
        task: Name of the task, of which `kexp.tasks` has a file: of data what its targets are for; of a run
            what its model is for, the other fields being the data's.
        outputs: Number of classes, or number of regression targets; 0 where the targets are texts.
        class_names: Names in the order of the class indices; empty for regression and texts.
        columns: The columns of a table, in order, or the one that text came from; else empty.
        target: Name of the target column of a table, else "target".
    """

    kind: Kind
    input_shape: tuple[int, ...]
    dtype: str
    task: str
    outputs: int
    class_names: tuple[str, ...] = ()
    columns: tuple[Column, ...] = ()
    target: str = "target"

    def to_json(self) -> dict[str, Any]:
        """Plain values that JSON can hold.

        Example:
            >>> spec = DatasetSpec("array", (3,), "float32", "regression", 1)
            >>> DatasetSpec.from_json(spec.to_json()) == spec
            True
        """
        return asdict(self)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> DatasetSpec:
        """The description that `to_json` wrote, after JSON made lists of its tuples."""
        tuples = {name: tuple(content[name]) for name in ("input_shape", "class_names")}
        columns = tuple(Column(**column) for column in content["columns"])
        return cls(**{**content, **tuples, "columns": columns})


def class_names(spec: DatasetSpec) -> tuple[str, ...]:
    """Return the names of the classes, their indices where the data has no names.

    Example:
        >>> class_names(DatasetSpec("array", (4,), "float32", "classification", 3))
        ('0', '1', '2')
    """
    return spec.class_names or tuple(str(index) for index in range(spec.outputs))


@dataclass(frozen=True)
class Split:
    """One part of a data set, its arrays read-only.

    Attributes:
        inputs: (samples, ...) uint8 or float32, where series may end in steps of NaN, their padding;
            (samples,) str objects for text; or for a table a mapping from column name to a vector of
            (samples,): float32 for numbers, str objects for categories.
        targets: (samples,) int32 class indices; (samples, outputs) float32; (samples, height, width) int32
            class indices of pixels; or (samples,) str objects.
    """

    inputs: Inputs
    targets: np.ndarray

    def __len__(self) -> int:
        return len(self.targets)


@dataclass(frozen=True)
class Dataset:
    """A data set ready to train on.

    Attributes:
        name: Where it is from, for people.
        train: What weights are fitted to.
        validation: What choices are made on; None when all of it is trained on.
        test: What is looked at once, at the end; None when there is no such part.
        spec: Shapes, types, task and names.
        fingerprint: SHA-256 of the whole content, the same whatever the split.
    """

    name: str
    train: Split
    validation: Split | None
    test: Split | None
    spec: DatasetSpec
    fingerprint: str


@dataclass(frozen=True)
class Source:
    """What was read, before types are settled, labels become indices and parts are drawn.

    Attributes:
        name: Where it is from, for people.
        parts: Inputs and targets by part: "train", and "validation" and "test" where the source has them.
        class_names: Names that integer labels stand for, when the source knows them.
        columns: The columns of a table, or the one that text came from; else empty.
        target: Name of the target column of a table, else "target".
        task: What the targets are, when the source knows it.
    """

    name: str
    parts: Mapping[str, tuple[Any, Any]]
    class_names: tuple[str, ...] = ()
    columns: tuple[Column, ...] = ()
    target: str = "target"
    task: str | None = None
