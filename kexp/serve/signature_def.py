"""The signature of a served model as TensorFlow Serving's metadata has it: types and shapes by name."""

from __future__ import annotations

from typing import Any

from kexp.data.dataset import DatasetSpec
from kexp.export.input_names import ARRAY_KEY, DEFAULT
from kexp.serve.model_versions import ModelVersion

_TYPES = {
    "float16": "DT_HALF",
    "float32": "DT_FLOAT",
    "float64": "DT_DOUBLE",
    "uint8": "DT_UINT8",
    "int8": "DT_INT8",
    "int16": "DT_INT16",
    "int32": "DT_INT32",
    "int64": "DT_INT64",
    "bool": "DT_BOOL",
    "string": "DT_STRING",
    "object": "DT_STRING",
}


def signature_def(version: ModelVersion) -> dict[str, Any]:
    """Return the metadata of the signature that predicts, inputs and outputs by name."""
    exported = version.exported
    inputs = {
        exported.keys[name]: _tensor(dtype, shape) for name, (dtype, shape) in _inputs(exported.spec).items()
    }
    outputs = {name: _tensor(dtype, shape) for name, (dtype, shape) in version.outputs.items()}
    signature = {"inputs": inputs, "outputs": outputs, "method_name": "tensorflow/serving/predict"}
    return {"signature_def": {DEFAULT: signature}}


def _inputs(spec: DatasetSpec) -> dict[str, tuple[str, tuple[int | None, ...]]]:
    if spec.kind == "arrays":
        return {one.name: (one.dtype, one.shape) for one in spec.inputs}
    if spec.kind == "table":
        return {one.name: (one.dtype if one.kind == "number" else "string", ()) for one in spec.columns}
    return {ARRAY_KEY: (spec.dtype, spec.input_shape)}


def _tensor(dtype: str, shape: tuple[int | None, ...]) -> dict[str, Any]:
    """Return a tensor's type and shape, whose first axis is the batch.

    Example:
        >>> _tensor("float32", (3,))["tensor_shape"]["dim"]
        [{'size': '-1', 'name': ''}, {'size': '3', 'name': ''}]
    """
    sizes = [{"size": str(-1 if size is None else size), "name": ""} for size in (None, *shape)]
    return {
        "dtype": _TYPES.get(dtype, dtype),
        "tensor_shape": {"dim": sizes, "unknown_rank": False},
        "name": "",
    }
