"""Features: what a layer of a trained model gives for data, to train something smaller on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol, overload

import keras
import numpy as np

from kexp.core.constraints import Count, check_value
from kexp.core.errors import InputError, shown
from kexp.core.foreign_files import guarded
from kexp.core.memory_budget import require_bytes
from kexp.core.reading_progress import shown_work
from kexp.core.structures import Structure, mapped, packed
from kexp.core.types import ArrayLike, Nest
from kexp.data.adapters import adapt_inputs
from kexp.data.dataset import Dataset, DatasetSpec, Split, sample_count
from kexp.data.given_arrays import as_array
from kexp.data.load import load
from kexp.data.splits import fingerprint, read_only
from kexp.models.layer_outputs import input_of_last, output_of

__all__ = ["features"]


class _Trained(Protocol):
    """What has a model, as a `kexp.Result` does."""

    @property
    def model(self) -> keras.Model: ...


@overload
def features(
    model: keras.Model | _Trained,
    data: Dataset | str | Path,
    layer: str | None = None,
    *,
    batch_size: int = 256,
) -> Dataset: ...


@overload
def features(
    model: keras.Model | _Trained, data: ArrayLike, layer: str | None = None, *, batch_size: int = 256
) -> np.ndarray: ...


def features(
    model: keras.Model | _Trained,
    data: Any,
    layer: str | None = None,
    *,
    batch_size: int = 256,
) -> Any:
    """Return what a layer of a model gives for data, without training: no dropout, and stored means.

    Args:
        model: A Keras model, or what has one, as the result of a run: then from raw inputs.
        data: Inputs as the model takes them, an array, a list of texts, or a mapping of arrays; of the result
            of a run what its `predict` takes; or a `Dataset`, or a name or path of one.
        layer: Name of a layer, also of one inside another model, alone or with the name of that before it
            ("backbone/features"), whose output is taken; default None: the input of the last layer with
            weights.
        batch_size: Samples at once, 1 or more, default 256.

    Returns:
        (samples, ...) float32; of a `Dataset` one of kind "array" with the same parts, targets, weights and
        names, which every recipe for arrays takes, such as `mlp_tabular`.

    Raises:
        InputError: There is no such layer, which names the nearest, the model does not take the data, or a
            feature is not finite.

    Example:
        >>> import kexp
        >>> result = kexp.load(run_dir)
        >>> features(result, np.zeros((2, 8, 8), "uint8")).shape
        (2, 128)
        >>> found = features(result, "digits")
        >>> found.spec.kind, found.spec.input_shape, len(found.test), found.spec.outputs
        ('array', (128,), 359, 10)
    """
    check_value("batch_size", batch_size, Count)
    network = model if isinstance(model, keras.Model) else getattr(model, "model", None)
    if not isinstance(network, keras.Model):
        raise InputError(f"model must be a Keras model or the result of a run; received {shown(model)}.")
    compute = input_of_last(network) if layer is None else output_of(network, layer)
    if isinstance(data, str | Path):
        data = load(data)
    if isinstance(data, Dataset):
        return _of_dataset(compute, data, batch_size)
    spec = getattr(model, "spec", None)
    if isinstance(spec, DatasetSpec):
        return _computed(compute, adapt_inputs(data, spec), spec.input_structure, batch_size, "data")
    return _computed(compute, _plain("data", data), None, batch_size, "data")


def _of_dataset(compute: Callable[[Nest], Any], data: Dataset, batch_size: int) -> Dataset:
    parts: dict[str, Split] = {}
    for part in ("train", "validation", "test"):
        split: Split | None = getattr(data, part)
        if split is not None:
            place = f"data {data.name!r}: the {part} part"
            found = _computed(compute, split.inputs, data.spec.input_structure, batch_size, place)
            of_part = read_only(found, split.targets, split.sample_weight)
            parts[part] = replace(of_part, rows=split.rows)
    spec = replace(
        data.spec,
        kind="array",
        input_shape=parts["train"].inputs.shape[1:],  # type: ignore[union-attr]
        dtype="float32",
        columns=(),
        column_facts=(),
        inputs=(),
        input_structure=None,
    )
    content = {part: (split.inputs, split.targets) for part, split in parts.items()}
    name, print_ = f"features of {data.name}", fingerprint(content, spec.to_json())
    train, validation, test = (parts.get(part) for part in ("train", "validation", "test"))
    assert train is not None
    return Dataset(name, train, validation, test, spec, print_, data.notes)


def _plain(place: str, data: Any) -> Nest:
    """Return inputs with NumPy arrays in the place of what can be made some."""
    if isinstance(data, Mapping):
        return {name: as_array(f"{place}[{name!r}]", values) for name, values in data.items()}
    return as_array(place, data)


def _computed(
    compute: Callable[[Nest], Any], inputs: Any, structure: Structure, batch_size: int, place: str
) -> np.ndarray:
    """Return the features of all samples, batch by batch."""
    count = sample_count(inputs)
    if not count:
        raise InputError(f"{place} must have samples; received none.")
    whole: np.ndarray | None = None
    with shown_work(f"computing features of {place}", count, "samples") as work:
        for first in range(0, count, batch_size):
            rows = slice(first, min(first + batch_size, count))
            batch = _batch(compute, packed(structure, _rows(inputs, rows)), place)
            if whole is None:
                require_bytes(count * batch[0].nbytes, f"the features of {place}")
                whole = np.empty((count, *batch.shape[1:]), np.float32)
            if batch.shape != (rows.stop - rows.start, *whole.shape[1:]):
                raise InputError(
                    f"layer must give features of one shape for each sample; received {batch.shape} after "
                    f"{whole.shape[1:]}, so give the name of another one."
                )
            whole[rows] = batch
            work.advance(len(batch))
    assert whole is not None
    if not np.isfinite(whole).all():
        broken = int(np.isfinite(whole).reshape(count, -1).all(axis=1).argmin())
        raise InputError(
            f"{place}: the features of sample {broken} are not finite; look at it and the model."
        )
    return whole


def _rows(inputs: Any, rows: slice) -> Any:
    """Return some rows of an array, also of one on the disk, or of arrays by name, as tensors."""
    if isinstance(inputs, Mapping):
        return {name: keras.ops.convert_to_tensor(array[rows]) for name, array in inputs.items()}
    return keras.ops.convert_to_tensor(inputs[rows])


def _batch(compute: Callable[[Nest], Any], batch: Nest, place: str) -> np.ndarray:
    with guarded(place, "inputs of the model", "give what it was trained on"):
        given = mapped(np.asarray, compute(batch))
    if not isinstance(given, np.ndarray) or given.dtype.kind not in "biufV" or not given.ndim:
        raise InputError(
            "layer must give one array of numbers; it gives something else, so name another one."
        )
    return given.astype(np.float32)  # also of bfloat16, which NumPy has no kind for
