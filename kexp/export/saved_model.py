"""SavedModels: a trained Keras model as one function from raw inputs to labels and probabilities."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kexp.data.inputs import as_inputs
from kexp.data.spec import Inputs, Spec
from kexp.errors import InputError
from kexp.export.keys import ARRAY_KEY, signature_keys
from kexp.export.manifest import Manifest
from kexp.export.parity import Check, check_parity
from kexp.export.predict import by_key
from kexp.export.staging import check_place, staged
from kexp.run.predictions import Predictions, as_str, class_names, output_shape

if TYPE_CHECKING:
    import keras

    from kexp.models import Endpoint


def export_saved_model(
    model: keras.Model,
    spec: Spec,
    directory: str | os.PathLike[str],
    *,
    samples: Inputs,
    expected: Predictions,
    provenance: Mapping[str, Any],
    from_probabilities: bool = False,
    overwrite: bool = False,
) -> Path:
    """Write a model as `directory/1/saved_model.pb` and prove that it computes what was measured.

    The signature `serving_default` takes raw inputs, any number at a time: "inputs" (n, *input_shape),
    which for text are strings (n,), or for a table a vector (n,) per column. It gives "label" (n,) and
    "probabilities" (n, classes); "values" (n, outputs) for regression; "mask" (n, height, width) int32 and
    "probabilities" (n, height, width, classes) for masks; "text" (n,) or "log_probability" (n,) for texts.
    Further signatures are those of the model's method `endpoints`, if it has one (`kexp.models.Endpoint`).
    `1/assets.extra/kexp.json` holds the spec, the key of every column and the provenance. The folder appears
    when a fresh process has loaded it and agreed.

    Args:
        model: A built model from raw inputs to (n, spec.outputs) logits or values, (n, height, width,
            spec.outputs) logits, or a dict with "text" or "log_probability". For a table it takes
            a dict from column name to vectors (n,) of float32 or string.
        spec: The data it was made for.
        directory: A new path or an empty folder; its parents are made.
        samples: Raw samples to compare with, 64 or more where the data has so many; the first 64 count.
        expected: What the model answered for them, computed on the CPU: on a GPU matrix products are
            less exact than the check demands.
        provenance: Metrics, config, versions: whatever JSON can say.
        from_probabilities: The model gives probabilities instead of logits. Default False.
        overwrite: Replace an earlier kexp export. Default False.

    Returns:
        The absolute path of `directory`.

    Raises:
        InputError: An argument cannot be used; nothing has been written.
        ExportError: The SavedModel computes something else; nothing of it is left.

    Example:
        >>> import keras, tempfile
        >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
        >>> spec, samples = Spec("array", (4,), "float32", "classification", 2), np.ones((1, 4), "float32")
        >>> expected = Predictions.from_outputs(model.predict_on_batch(samples), spec)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = export_saved_model(
        ...         model, spec, f"{folder}/served", samples=samples, expected=expected, provenance={}
        ...     )
        ...     sorted(file.name for file in (path / "1").iterdir())
        ['assets', 'assets.extra', 'fingerprint.pb', 'saved_model.pb', 'variables']
    """
    place = Path(os.path.abspath(Path(directory).expanduser()))
    check_place(place, overwrite)
    samples = as_inputs(samples, spec)
    manifest = Manifest(spec, _keys(spec), dict(provenance))
    manifest.to_json()
    _check_expected(expected, samples, spec)
    _check_model(model, samples, spec)
    endpoints = model.endpoints() if hasattr(model, "endpoints") else {}
    checks = [Check("serving_default", by_key(samples, manifest.keys), expected.named())]
    checks += [
        Check(name, endpoint.examples, _answered(endpoint), ()) for name, endpoint in endpoints.items()
    ]
    with staged(place, overwrite) as folder:
        version = folder / "1"
        with _quiet_tensorflow(), _without_cudnn(model):
            _write(_serving_function(model, spec, from_probabilities), endpoints, model, manifest, version)
        manifest.write(version)
        check_parity(version, checks)
    return place


def _answered(endpoint: Endpoint) -> dict[str, np.ndarray]:
    """Return what an endpoint answers here for its examples."""
    import tensorflow as tf

    function = tf.function(
        endpoint.function, input_signature=list(endpoint.inputs.values()), autograph=False
    ).get_concrete_function()
    examples = [tf.constant(endpoint.examples[name]) for name in endpoint.inputs]
    return {name: as_str(output.numpy()) for name, output in function(*examples).items()}


def _keys(spec: Spec) -> dict[str, str]:
    if spec.kind == "table":
        return signature_keys(column.name for column in spec.columns)
    return {ARRAY_KEY: ARRAY_KEY}


def _check_expected(expected: Predictions, samples: Inputs, spec: Spec) -> None:
    count = len(samples) if isinstance(samples, np.ndarray) else len(next(iter(samples.values())))
    wanted: tuple[int, ...] = (count,)
    if spec.task == "text":
        answers = expected.log_probabilities if expected.texts is None else expected.texts
    else:
        answers = expected.values if spec.task == "regression" else expected.probabilities
        wanted = (count, *output_shape(spec))
    shape = None if answers is None else answers.shape
    if answers is None or shape != wanted:
        raise InputError(
            f"expected must hold answers of shape {wanted}, one row for each of the samples, "
            f"received {shape}; pass what the model predicts for exactly these samples."
        )
    if spec.task == "classification" and (expected.labels is None or len(expected.labels) != count):
        raise InputError(
            f"expected must hold a label for each of the {count} samples, received fewer or more; "
            "make it with Predictions.from_outputs."
        )
    numbers = [array for array in expected.named().values() if array.dtype.kind == "f"]
    if not all(np.isfinite(array).all() for array in numbers):
        raise InputError(
            "expected must hold finite numbers, received NaN or infinity: the model's training diverged; "
            "train it with a lower learning rate before the export."
        )


def _check_model(model: keras.Model, samples: Inputs, spec: Spec) -> None:
    """Check that `model` turns raw inputs into one row of numbers per sample."""
    import keras

    if not isinstance(model, keras.Model):
        raise InputError(
            f"model must be a keras.Model, received a {type(model).__name__}; pass the trained model."
        )
    if not model.built:
        raise InputError(
            f"model must be built, but {model.name!r} has no weights yet; train it or call it first."
        )
    try:
        outputs = _call(model, _first_samples(samples, 2))
    except Exception as error:  # whatever a layer raises, the cause is the model
        reason = next(iter(str(error).strip().splitlines()), "no reason given")
        raise InputError(
            f"model must take the raw inputs of the data ({_described(spec)}), but {model.name!r} raised "
            f"{type(error).__name__} on them ({reason}); put the preprocessing inside the model."
        ) from error
    if spec.task == "text":
        if not isinstance(outputs, dict) or not outputs.keys() & {"text", "log_probability"}:
            raise InputError(
                'model must give a dict with "text" or "log_probability" for each sample, received '
                f"{type(outputs).__name__}; pass the model that answers, such as kexp.models.transcriber's."
            )
        return
    shape, wanted = getattr(outputs, "shape", None), output_shape(spec)
    if shape is None or tuple(shape)[1:] != wanted:
        raise InputError(
            f"model must give one tensor of shape (samples, {', '.join(map(str, wanted))}), received "
            f"{'several tensors' if shape is None else tuple(shape)}; give it a last layer of {spec.outputs} "
            "units."
        )


def _first_samples(samples: Inputs, count: int) -> Any:
    import tensorflow as tf

    if isinstance(samples, np.ndarray):
        return tf.constant(samples[:count])
    return {name: tf.constant(values[:count]) for name, values in samples.items()}


def _call(model: keras.Model, inputs: Any) -> Any:
    # Without training=False, random augmentation stays switched on in what is traced.
    return model(inputs, training=False)


def _described(spec: Spec) -> str:
    if spec.kind == "table":
        return "a dict with the columns " + ", ".join(column.name for column in spec.columns)
    return f"{spec.dtype} of shape ({', '.join(map(str, ('samples', *spec.input_shape)))})"


def _serving_function(
    model: keras.Model, spec: Spec, from_probabilities: bool
) -> Callable[..., dict[str, Any]]:
    """Return the function from tensors, in the order of the signature, to named outputs."""
    import tensorflow as tf

    def serve(*inputs: Any) -> dict[str, Any]:
        if spec.kind == "table":
            outputs = _call(model, dict(zip((column.name for column in spec.columns), inputs, strict=True)))
        else:
            outputs = _call(model, inputs[0])
        if spec.task == "text":
            return dict(outputs)
        outputs = tf.cast(outputs, tf.float32)  # (n, ..., spec.outputs)
        if spec.task == "regression":
            return {"values": outputs}
        probabilities = outputs if from_probabilities else tf.nn.softmax(outputs)
        if spec.task == "segmentation":
            masks = tf.argmax(probabilities, axis=-1, output_type=tf.int32)  # (n, height, width)
            return {"mask": masks, "probabilities": probabilities}
        names = tf.constant(class_names(spec))
        return {"label": tf.gather(names, tf.argmax(probabilities, axis=-1)), "probabilities": probabilities}

    return serve


def _write(
    serve: Callable[..., Any],
    endpoints: Mapping[str, Endpoint],
    model: keras.Model,
    manifest: Manifest,
    folder: Path,
) -> None:
    import keras
    import tensorflow as tf

    archive = keras.export.ExportArchive()
    archive.track(model)
    for layer in model._flatten_layers():
        # Not a variable, and Keras 3.12 finds it in some models only. A TextVectorization does not build the
        # layer within it, but is found with its table.
        if hasattr(layer, "lookup_table") and layer.built:
            archive.track(layer)
    archive.add_endpoint("serving_default", serve, input_signature=_input_signature(manifest))
    for name, endpoint in endpoints.items():
        signature = [tf.TensorSpec.from_spec(spec, name=key) for key, spec in endpoint.inputs.items()]
        archive.add_endpoint(name, endpoint.function, input_signature=signature)
    archive.write_out(str(folder), verbose=False)


def _input_signature(manifest: Manifest) -> list[Any]:
    import tensorflow as tf

    spec, keys = manifest.spec, manifest.keys
    if spec.kind != "table":
        return [tf.TensorSpec((None, *spec.input_shape), spec.dtype, name=ARRAY_KEY)]
    types = {"number": tf.float32, "category": tf.string}
    return [tf.TensorSpec((None,), types[column.kind], name=keys[column.name]) for column in spec.columns]


@contextmanager
def _without_cudnn(model: keras.Model) -> Iterator[None]:
    """Trace recurrent layers as plain operations: cuDNN's would bind the export to a GPU."""
    layers = [layer for layer in model._flatten_layers() if hasattr(layer, "use_cudnn")]
    settings = [layer.use_cudnn for layer in layers]
    for layer in layers:
        layer.use_cudnn = False
    try:
        yield
    finally:
        for layer, setting in zip(layers, settings, strict=True):
            layer.use_cudnn = setting


@contextmanager
def _quiet_tensorflow() -> Iterator[None]:
    """Keep "Assets written to" and the like off the terminal."""
    logger = logging.getLogger("tensorflow")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
