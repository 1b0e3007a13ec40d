"""What a data set is: immutable arrays in one to three parts, and a description of them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Annotated, Any, Literal, TypeVar

import numpy as np

from kexp.core.constraints import Between
from kexp.core.errors import InputError, located, shown
from kexp.core.html_tables import short, summary, table
from kexp.core.json_files import require_keys
from kexp.core.memory_budget import require_bytes
from kexp.core.structures import Structure, is_nested, leaves
from kexp.data.array_specs import ArraySpec, Head, Size
from kexp.data.forecast_form import ForecastForm
from kexp.data.strings import is_unicode
from kexp.data.table_columns import Column, ColumnFacts, column_json, column_of, facts_of

Inputs = np.ndarray | Mapping[str, np.ndarray]
A = TypeVar("A")
_MOST_COLUMNS = 20  # in a notebook


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


Kind = Literal["image", "series", "text", "table", "array", "arrays"]


def require_text(what: str, name: object) -> None:
    """Refuse a name that has no UTF-8, which no export could hold, before anything is trained with it.

    Raises:
        InputError: It is a string with a lone surrogate, as Python makes of bytes that are not UTF-8.

    Example:
        >>> require_text("class_names", "caf\\udce9")
        Traceback (most recent call last):
        ...
        kexp.InputError: class_names must be text that UTF-8 can say, without NUL characters; received
        'caf\\udce9', so rename it.
    """
    if not is_unicode(str(name)):
        raise InputError(
            f"{what} must be text that UTF-8 can say, without NUL characters; received "
            f"{str(name)[:60]!r}, so rename it."
        )


def _is_type(name: str) -> bool:
    try:
        return name in ("string", "mixed") or np.dtype(name).kind in "biuf"
    except TypeError:
        return False


_SPEC_KEYS = {
    "kind": Kind,
    "input_shape": list[Size | None],
    "dtype": str,
    "task": str,
    "outputs": Size,
    "class_names": list[str],
    "columns": list[dict[str, Any]],
    "target": str,
}
# Of some data alone, and left out where they say nothing, so that others are described as they always were.
_OPTIONAL_KEYS = {
    "inputs": list[dict[str, Any]] | None,
    "input_structure": Any,
    "heads": list[dict[str, Any]] | None,
    "output_structure": Any,
    "target_names": list[str] | None,
    "separator": str | None,
    "thresholds": list[Annotated[float, Between(0, 1)]] | None,
    "column_facts": list[dict[str, Any]] | None,
    "resize": Literal["", "stretch", "crop", "pad"] | None,
    "temperature": Annotated[float, Between(0.01, 100.0)] | None,
    "forecast_form": dict[str, Any] | None,
    "sample_rate": Size | None,
}


@dataclass(frozen=True)
class DatasetSpec:
    """What goes into a model for this data, and what comes out.

    Attributes:
        kind: "image", "series", "text" or "table"; "array" for anything else; "arrays" for several inputs.
        input_shape: Shape of one sample, without the batch axis: (height, width, channels),
            (steps, channels), () for text, (columns,) or whatever the array has. Where the batches of a
            caller differ along an axis, it has None there.
        dtype: Name of the input type, "uint8", "float32" or "string"; "mixed" for a table.
        task: Name of the task, of which `kexp.tasks` has a file: of data what its targets are for; of a run
            what its model is for, the other fields being the data's.
        outputs: Number of classes or labels, or number of regression targets; 0 where the targets are texts.
        class_names: Names in the order of the class indices or of the labels; empty for regression and texts.
        columns: The columns of a table, in order, or the one that text came from; else empty.
        target: Name of the target column of a table, else "target".
        inputs: Of several inputs each, in order; else empty.
        input_structure: The nest in which the model takes them, with their names; None: as they are.
        heads: Of several outputs each, in order; else empty.
        output_structure: The nest in which the model gives them, with their names; None: as they are.
        target_names: Names of several regression targets, in order; else empty.
        separator: What stands between the labels of a sample where they are one text; else empty.
        thresholds: Of a finished run, the probability above which each label is given; empty: 0.5 for all.
        column_facts: What was found in all columns of a table, those that are no inputs too; else empty.
        resize: How images of another size came to that of `input_shape`; empty: all had it.
        temperature: Of a finished run whose probabilities were calibrated, what its logits are divided by;
            None: they are taken as they are.
        forecast_form: Of windows of a table with a row per step, what they are made of; else None.
        sample_rate: Of sounds, series of one channel, their samples a second; else None.
    """

    kind: Kind
    input_shape: tuple[int, ...]
    dtype: str
    task: str
    outputs: int
    class_names: tuple[str, ...] = ()
    columns: tuple[Column, ...] = ()
    target: str = "target"
    inputs: tuple[ArraySpec, ...] = ()
    input_structure: Structure = None
    heads: tuple[Head, ...] = ()
    output_structure: Structure = None
    target_names: tuple[str, ...] = ()
    separator: str = ""
    thresholds: tuple[float, ...] = ()
    column_facts: tuple[ColumnFacts, ...] = field(default=(), compare=False)
    resize: Literal["", "stretch", "crop", "pad"] = field(default="", compare=False)
    temperature: float | None = field(default=None, compare=False)
    forecast_form: ForecastForm | None = None
    sample_rate: int | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain values that JSON can hold.

        Example:
            >>> spec = DatasetSpec("array", (3,), "float32", "regression", 1)
            >>> DatasetSpec.from_json(spec.to_json()) == spec
            True
        """
        content = asdict(self)
        for name in _OPTIONAL_KEYS:
            if not content[name]:
                del content[name]
        if self.forecast_form is not None:
            content["forecast_form"] = self.forecast_form.to_json()
        content["columns"] = tuple(column_json(column) for column in self.columns)
        return content

    def __post_init__(self) -> None:
        named = {"class_names": self.class_names, "target": [self.target, *self.target_names]}
        named["separator"] = [self.separator]
        for what, parts in (("columns", self.columns), ("inputs", self.inputs), ("heads", self.heads)):
            named[what] = [part.name for part in parts]
        for what, names in named.items():
            for name in names:
                require_text(what, name)
        if self.class_names and len(self.class_names) != self.outputs:
            raise InputError(
                f"class_names must be as many as there are outputs, {self.outputs}; received "
                f"{len(self.class_names)}, so name each class once."
            )
        for what, values in (("target_names", self.target_names), ("thresholds", self.thresholds)):
            if values and len(values) != self.outputs:
                raise InputError(
                    f"{what} must be as many as there are outputs, {self.outputs}; received {len(values)}, "
                    "so give one for each."
                )

    @classmethod
    def from_json(
        cls, content: Mapping[str, Any], place: str = "spec", *, advice: str = "write it again"
    ) -> DatasetSpec:
        """The description that `to_json` wrote, after JSON made lists of its tuples.

        Args:
            content: What was written.
            place: Where, for the message; default "spec".
            advice: What to do about damage.

        Raises:
            InputError: A field is missing, or holds what no data has.
        """
        require_keys(content, place, {**_SPEC_KEYS, **_OPTIONAL_KEYS}, advice=advice)
        columns = [
            column_of(one, f"{place}.columns[{number}]", advice)
            for number, one in enumerate(content["columns"])
        ]
        facts = [
            facts_of(one, f"{place}.column_facts[{number}]", advice)
            for number, one in enumerate(content.get("column_facts") or ())
        ]
        if not _is_type(content["dtype"]):
            raise InputError(
                f"{place}: dtype must be a type of numbers, received {content['dtype'][:60]!r}; {advice}."
            )
        known = [size for size in content["input_shape"] if size is not None]
        require_bytes(math.prod(known), f"{place}: a sample of input_shape")
        inputs = [
            ArraySpec.from_json(one, f"{place}.inputs[{number}]", advice)
            for number, one in enumerate(content.get("inputs") or ())
        ]
        heads = [
            Head.from_json(one, f"{place}.heads[{number}]", advice)
            for number, one in enumerate(content.get("heads") or ())
        ]
        form = content.get("forecast_form")
        known_form = None if form is None else ForecastForm.from_json(form, f"{place}.forecast_form", advice)
        for name, parts in (("input_structure", inputs), ("output_structure", heads)):
            if name == "input_structure" and content.get(name) is None:
                continue  # they are taken by their names
            _require_structure(content.get(name), [part.name for part in parts], f"{place}.{name}", advice)
        with located(place):
            return cls(
                **{
                    **{name: content[name] for name in _SPEC_KEYS},
                    "input_shape": tuple(content["input_shape"]),
                    "class_names": tuple(content["class_names"]),
                    "columns": tuple(columns),
                    "inputs": tuple(inputs),
                    "input_structure": content.get("input_structure"),
                    "heads": tuple(heads),
                    "output_structure": content.get("output_structure"),
                    "target_names": tuple(content.get("target_names") or ()),
                    "separator": content.get("separator") or "",
                    "thresholds": tuple(content.get("thresholds") or ()),
                    "column_facts": tuple(facts),
                    "resize": content.get("resize") or "",
                    "temperature": content.get("temperature"),
                    "forecast_form": known_form,
                    "sample_rate": content.get("sample_rate"),
                }
            )


def _require_structure(structure: Any, names: list[str], place: str, advice: str) -> None:
    """Refuse a structure that has other names in it than there are arrays."""
    if structure is None and not names:
        return
    if not is_nested(structure) or sorted(map(str, leaves(structure))) != sorted(names):
        raise InputError(f"{place}: must have the names {', '.join(names)} in it; {advice}.")


def class_names(spec: DatasetSpec) -> tuple[str, ...]:
    """Return the names of the classes, their indices where the data has no names.

    Example:
        >>> class_names(DatasetSpec("array", (4,), "float32", "classification", 3))
        ('0', '1', '2')
    """
    return spec.class_names or tuple(str(index) for index in range(spec.outputs))


def sample_count(arrays: Any) -> int:
    """Return the length of an array, or of the first one in a mapping.

    Example:
        >>> sample_count(np.zeros((3, 2))), sample_count({"a": np.zeros(4)})
        (3, 4)
    """
    return len(next(iter(arrays.values())) if isinstance(arrays, Mapping) else arrays)


@dataclass(frozen=True)
class Split:
    """One part of a data set, its arrays read-only.

    Attributes:
        inputs: (samples, ...) uint8 or float32, where series may end in steps of NaN, their padding;
            (samples,) str objects for text; or for a table a mapping from column name to a vector of
            (samples,): float32 for numbers, str objects for categories.
        targets: (samples,) int32 class indices; (samples, outputs) float32, of labels 1 where a sample has
            one; (samples, height, width) int32 class indices of pixels; or (samples,) str objects. Of a model
            with several outputs a mapping from their names; (samples, 0) where a model has no targets.
        sample_weight: (samples,) weights of the loss, or a mapping from outputs to them; None: all alike.
        rows: (samples,) places of the samples in the data, of what a fold of a cross-validation holds out;
            else None.
    """

    inputs: Inputs
    targets: Any
    sample_weight: Any = None
    rows: np.ndarray | None = None

    def __len__(self) -> int:
        return sample_count(self.targets)

    def __repr__(self) -> str:
        return f"<Split of {len(self):,} samples>"


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
        notes: What was left out or changed when it was read, a sentence each; no part of the content.
    """

    name: str
    train: Split
    validation: Split | None
    test: Split | None
    spec: DatasetSpec
    fingerprint: str
    notes: tuple[str, ...] = field(default=(), compare=False)

    def __repr__(self) -> str:
        spec, sizes = self.spec, ", ".join(self._sizes())
        return f"<Dataset {self.name}: {spec.task} of {spec.kind} {spec.input_shape}, {sizes}>"

    def _sizes(self) -> list[str]:
        """Return the samples of each part."""
        parts = {"training": self.train, "validation": self.validation, "test": self.test}
        return [f"{name} {len(part):,}" for name, part in parts.items() if part is not None]

    def _repr_html_(self) -> str:
        """What a notebook shows: the task, what goes in and comes out, the parts and the columns."""
        spec, sizes = self.spec, self._sizes()
        facts = {
            "task": spec.task,
            "inputs": f"{spec.kind} {spec.input_shape} {spec.dtype}",
            "classes": short(", ".join(spec.class_names)),
            "target": "" if spec.target == "target" else short(spec.target),
            "samples": ", ".join(sizes),
            "notes": short(" ".join(self.notes)),
        }
        rows = [[short(column.name), column.kind] for column in spec.columns[:_MOST_COLUMNS]]
        more = len(spec.columns) - len(rows)
        facts["columns"] = f"these {len(rows)}, and {more} more in .spec.columns" if more else ""
        return summary(f"Data {self.name}", facts, *([table(["column", "kind"], rows)] if rows else []))


def require_dataset(data: object) -> None:
    """Refuse what is no data set, such as the name of one.

    Raises:
        InputError: It is none.

    Example:
        >>> require_dataset("digits")
        Traceback (most recent call last):
        ...
        kexp.InputError: data must be a data set of kexp.data.load; received 'digits', so load it first.
    """
    if not isinstance(data, Dataset):
        raise InputError(
            f"data must be a data set of kexp.data.load; received {shown(data)}, so load it first."
        )


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
        target_names: Names of the target columns of a table, where there are several.
        column_facts: What was found in the columns of a table.
        rows: What the rows of a table belong to, when they are from and what they count; None: unknown.
        notes: What is to be said of what was read, sentences.
        sample_rate: Of sounds, their samples a second; else None.
    """

    name: str
    parts: Mapping[str, tuple[Any, Any]]
    class_names: tuple[str, ...] = ()
    columns: tuple[Column, ...] = ()
    target: str = "target"
    task: str | None = None
    target_names: tuple[str, ...] = ()
    column_facts: tuple[ColumnFacts, ...] = ()
    rows: Any = None
    notes: tuple[str, ...] = ()
    sample_rate: int | None = None
