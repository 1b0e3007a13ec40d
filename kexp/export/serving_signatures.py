"""Serving signatures: the functions of an export, and the case that each is checked with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from kexp.core.structures import packed
from kexp.core.trainer_private import call_model
from kexp.data.dataset import DatasetSpec, Inputs
from kexp.export.encoded_images import image_decoder, takes_encoded, traced_decoder
from kexp.export.example_files import check_pixels, example_files, read_examples
from kexp.export.input_names import ARRAY_KEY, BYTES_KEY, DEFAULT, OF_BYTES, by_key
from kexp.export.parity import TOLERANCE, Arrays, ParityCase, Tied
from kexp.tasks import task_named
from kexp.tasks.predictions import Predictions, as_str

if TYPE_CHECKING:
    import keras

    from kexp.models import Signature

_Function = Callable[..., Any]


class ServedSignature(NamedTuple):
    """A signature of an export.

    Attributes:
        function: From tensors, in the order of `inputs`, to named tensors.
        inputs: A `tf.TensorSpec` for each, with its key as name.
        case: What it is called with in a fresh process, and what it has to compute.
        source: The function before it was traced, for formats that trace it in ways of their own; None where
            only SavedModels serve the signature.
        names: What the data call each of `inputs`; empty where they are of no data.
        named: From what the model gives to named tensors; None where there is no `source`.
    """

    function: _Function
    inputs: Sequence[Any]
    case: ParityCase
    source: _Function | None = None
    names: Sequence[str] = ()
    named: Callable[[Any], dict[str, Any]] | None = None


def inference_signatures(
    model: keras.Model,
    spec: DatasetSpec,
    keys: Mapping[str, str],
    samples: Inputs,
    expected: Predictions,
    from_probabilities: bool,
) -> list[ServedSignature]:
    """Return the signatures of a model that predicts from raw inputs, the predictions first."""
    inputs = _input_signature(spec, keys)
    examples = by_key(samples, dict(keys))
    task = task_named(spec.task)

    def named(outputs: Any) -> dict[str, Any]:
        return task.served_outputs(outputs, spec, from_probabilities=from_probabilities)

    def source(*tensors: Any) -> dict[str, Any]:
        return named(call(model, _raw(tensors, spec)))

    function = _traced(source, inputs)

    def tied(predictions: Arrays) -> np.ndarray | np.bool_:
        return task.tied(predictions, TOLERANCE, spec)

    reorder = task.ties_reorder
    default = ParityCase(DEFAULT, examples, expected.named(), tied=tied, ties_reorder=reorder)
    found = [ServedSignature(function, inputs, default, source, tuple(keys), named)]
    if isinstance(samples, np.ndarray) and takes_encoded(spec):
        found.append(_of_files(function, spec, samples, tied, ties_reorder=reorder))
    for name, signature in _signatures(model).items():
        if signature.inputs is None:
            own = _traced(_of_raw(signature.function, spec), inputs)
            case = ParityCase(name, examples, _outputs(own, inputs, examples), tied=tied)
            found.append(ServedSignature(own, inputs, case))
        else:
            found.append(_own(name, signature))
    return found


def _of_files(
    function: _Function, spec: DatasetSpec, samples: np.ndarray, tied: Tied, *, ties_reorder: bool
) -> ServedSignature:
    """Return the predictions once more, from the bytes of image files.

    The pixels are compared here, where Pillow is, and what the model makes of them in the fresh process.
    """
    import tensorflow as tf

    files = example_files(samples, spec)
    inputs = [tf.TensorSpec((None,), "string", name=BYTES_KEY)]
    decode = traced_decoder(image_decoder(spec))
    decoded = decode(tf.constant([file.content for file in files]))
    check_pixels(files, decoded.numpy(), read_examples(files, spec))
    expected = {name: as_str(output.numpy()) for name, output in function(decoded).items()}
    # Not objects, which NumPy would have to pickle.
    examples = {BYTES_KEY: np.array([file.content for file in files])}
    case = ParityCase(OF_BYTES, examples, expected, (1, len(files)), tied, ties_reorder=ties_reorder)
    return ServedSignature(lambda contents: function(decode(contents)), inputs, case)


def sampling_signatures(model: keras.Model) -> list[ServedSignature]:
    """Return the signatures of a model that makes samples: those of any class first, under two names."""
    found = [_own(name, signature) for name, signature in _signatures(model).items()]
    default = next(served for served in found if served.case.signature == "sample")
    return [default._replace(case=replace(default.case, signature=DEFAULT)), *found]


def _signatures(model: keras.Model) -> dict[str, Signature]:
    return model.signatures() if hasattr(model, "signatures") else {}


def _own(name: str, signature: Signature) -> ServedSignature:
    """Return a signature with inputs of its own, which are no samples that could be more or fewer."""
    import tensorflow as tf

    assert signature.inputs is not None
    assert signature.examples is not None
    inputs = [tf.TensorSpec.from_spec(spec, name=key) for key, spec in signature.inputs.items()]
    function = _traced(signature.function, inputs)
    outputs = _outputs(function, inputs, signature.examples)
    return ServedSignature(function, inputs, ParityCase(name, signature.examples, outputs, ()))


def _of_raw(function: _Function, spec: DatasetSpec) -> _Function:
    return lambda *tensors: function(_raw(tensors, spec))


def _raw(tensors: Sequence[Any], spec: DatasetSpec) -> Any:
    """Return the tensors of a signature as the model takes them."""
    if spec.kind == "table":
        return dict(zip((column.name for column in spec.columns), tensors, strict=True))
    if spec.kind == "arrays":
        by_name = dict(zip((one.name for one in spec.inputs), tensors, strict=True))
        return packed(spec.input_structure, by_name)
    return tensors[0]


def _traced(function: _Function, inputs: Sequence[Any]) -> _Function:
    """Return a function that is traced only once, however often it is called, served and served again."""
    import tensorflow as tf

    # A tf.function would warn of those of earlier exports, as if it were traced again.
    traced = tf.function(function, input_signature=list(inputs), autograph=False).get_concrete_function()
    return lambda *tensors: traced(*tensors)


def _outputs(
    function: _Function, inputs: Sequence[Any], examples: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Return the outputs of a function in this process."""
    import tensorflow as tf

    outputs = function(*(tf.constant(examples[spec.name]) for spec in inputs))
    return {name: as_str(output.numpy()) for name, output in outputs.items()}


def call(model: keras.Model, inputs: Any) -> Any:
    """Return the outputs of a model outside training."""
    # Without training=False, random augmentation stays switched on in what is traced.
    return call_model(model, inputs, training=False)


def _input_signature(spec: DatasetSpec, keys: Mapping[str, str]) -> list[Any]:
    import tensorflow as tf

    if spec.kind == "arrays":
        return [tf.TensorSpec((None, *one.shape), one.dtype, name=keys[one.name]) for one in spec.inputs]
    if spec.kind != "table":
        return [tf.TensorSpec((None, *spec.input_shape), spec.dtype, name=ARRAY_KEY)]
    # Texts and dates go in as they are written, and numbers in the type that tells them apart.
    types = [column.dtype if column.kind == "number" else "string" for column in spec.columns]
    named = [keys[column.name] for column in spec.columns]
    return [tf.TensorSpec((None,), dtype, name=key) for dtype, key in zip(types, named, strict=True)]
