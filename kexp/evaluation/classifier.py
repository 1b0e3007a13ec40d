"""The classifier by whose features generated images are measured: one that is given, or one of our own."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kexp.core.errors import InputError
from kexp.core.keras_file import keras_file_config
from kexp.core.options import TrainOptions
from kexp.core.user_paths import user_path
from kexp.data import Dataset
from kexp.metrics.image_features import Features
from kexp.metrics.sample_quality import Quality
from kexp.run.context import nested_run
from kexp.run.model_file import load_model
from kexp.run.record import RunRecord
from kexp.run.run_files import run_folder
from kexp.tasks import task_named

if TYPE_CHECKING:
    import keras

_FILTERS = (16, 32, 64, 128)
_BATCH = 64
_ADVICE = "give the folder of a finished run, or a .keras file"
LEAST_STEPS = 600  # so that few samples are passed over more often


def classifier_features(
    data: Dataset,
    classifier: str | None,
    run_dir: str,
    *,
    seed: int = 0,
    epochs: int = 3,
    quiet: bool = False,
) -> Features:
    """Return the features of a classifier of images like the data's, which is loaded or trained at first use.

    A classifier of our own is `kexp.models.cnn`, trained by `kexp.fit` on the training part, its epoch
    chosen on the validation part; the test part is left alone. On MNIST it has 99.2 and 99.3 % of the
    validation part right (seeds 0 and 1), after 70 to 90 s of one CPU core. It is a run of its own in
    `run_dir/classifier`: one that was killed goes on, a finished one is loaded. Neither changes random
    streams, so that what is trained around it is the same in both cases. As a run folder must be new or
    empty, first use is to come after the outer run has made its own, such as at the end of an epoch.

    Args:
        data: Images; with classes, unless a classifier is given.
        classifier: Folder of a finished run, such as one of the recipe `cnn_images`; or a `.keras` file of
            another network that takes images as the data has them, such as Inception behind a `Resizing`
            layer. If it ends in a dense layer of two units or more, linear or softmax, this gives the
            classes; else its outputs are the features. None (default of recipes): one of our own.
        run_dir: Folder of the outer run.
        seed: Of our own classifier, default 0.
        epochs: That it is trained for at least, default 3; few samples are passed over more often, until
            there are 600 steps.
        quiet: Print nothing, default False; else one line when our own has been trained.

    Returns:
        Features named after the recipe of the run, the file, or "cnn" for our own.

    Raises:
        InputError: The classifier is absent, unfinished or for something else, or none was given and the
            data has no images or no classes.

    Example:
        >>> from kexp.data import load as load_data
        >>> digits = load_data("digits")
        >>> classifier_features(digits, run_dir, "unused").name
        'mlp_images'
    """
    if classifier is None:
        return _own(data, user_path("run_dir", run_dir) / "classifier", seed, epochs, quiet)
    path = user_path("classifier", classifier)
    return _of_file(data, path) if path.suffix == ".keras" else _of_run(data, path)


def sample_quality(
    data: Dataset, classifier: str | None, samples: int, train: TrainOptions, *, collapse: float = 0.5
) -> Quality:
    """Return what measures the samples of a recipe: by the features of `classifier_features`.

    Args:
        data: Images that are trained on.
        classifier: As for `classifier_features`.
        samples: That are measured, 8 or more.
        train: The recipe's training options, of which seed, run_dir and quiet count.
        collapse: As for `Quality`.

    Raises:
        InputError: As `classifier_features` does, or a number is out of range.
    """
    folder = str(train["run_dir"])  # of a recipe's call there always is one
    features = classifier_features(data, classifier, folder, seed=train["seed"], quiet=train["quiet"])
    return Quality(features, samples, collapse=collapse)


def _of_run(data: Dataset, path: Path) -> Features:
    record = RunRecord.load(run_folder("classifier", path, "the folder of a finished run, or a .keras file"))
    expected, received = (f"{spec.input_shape} {spec.dtype}" for spec in (data.spec, record.spec))
    if not task_named(record.spec.task).has_labels or expected != received:
        raise InputError(
            f"classifier must be a run of classification of {expected} images as {data.name} has; {path} is "
            f"of {record.spec.task} of {received}, so give another one."
        )
    return Features(_run_name(record), lambda: _loaded(record))


def _run_name(record: RunRecord) -> str:
    recipe = record.config["recipe"]
    return str(record.config["arguments"].get("model", recipe) if recipe == "fit" else recipe)


def _loaded(record: RunRecord) -> keras.Model:
    from kexp.run.dry_run import random_streams_kept

    with random_streams_kept():  # layers draw first weights before they get those of the file
        return record.model


def _of_file(data: Dataset, path: Path) -> Features:
    config = keras_file_config(path, _ADVICE)
    try:
        shape, ends_in_classes = _input_shape(config), _ends_in_classes(config)
    except (LookupError, TypeError, AttributeError, RecursionError):
        raise InputError(
            f"file {path}: expected a saved Keras model, but its config.json is none's; {_ADVICE}."
        ) from None
    if shape and (len(shape) != 3 or any(size not in (None, own) for size, own in _pairs(shape, data))):
        raise InputError(
            f"classifier must take images of {data.spec.input_shape} as {data.name} has; {path} takes "
            f"{shape}, so put layers such as keras.layers.Resizing before it and save that."
        )
    return Features(path.stem, lambda: _read(path), head=ends_in_classes)


def _pairs(shape: tuple[Any, ...], data: Dataset) -> list[tuple[int | None, int]]:
    return list(zip(shape, data.spec.input_shape, strict=False))


def _input_shape(config: dict[str, Any]) -> tuple[int | None, ...]:
    """Return the shape of one sample that a saved model takes; () if its config does not say."""
    layers = config["config"].get("layers") or [config]
    return tuple(layers[0]["config"].get("batch_shape") or ())[1:]


def _ends_in_classes(config: dict[str, Any]) -> bool:
    """Return whether the last layer of a saved model, also in a nested one, gives logits or probabilities."""
    settings = config["config"]
    if settings.get("layers"):
        return _ends_in_classes(settings["layers"][-1])
    several = config["class_name"] == "Dense" and settings["units"] >= 2
    return several and settings["activation"] in ("linear", "softmax")


def _read(path: Path) -> keras.Model:
    from kexp.run.dry_run import random_streams_kept

    with random_streams_kept():
        return load_model(path, _ADVICE)


def _own(data: Dataset, folder: Path, seed: int, epochs: int, quiet: bool) -> Features:
    spec = data.spec
    if spec.kind != "image" or not task_named(spec.task).has_labels or spec.outputs < 2:
        raise InputError(
            f"classifier must be given for data other than images in classes; {data.name} is of kind "
            f"{spec.kind}, for {spec.task} with {spec.outputs} outputs, so give the folder of a finished run "
            "of classification of such inputs, or a .keras file."
        )
    return Features("cnn", lambda: _trained(data, folder, seed, epochs, quiet))


def _trained(data: Dataset, folder: Path, seed: int, epochs: int, quiet: bool) -> keras.Model:
    import kexp.models
    from kexp.core.precision import precision
    from kexp.run.dry_run import random_streams_kept
    from kexp.run.fit_plan import FitPlan
    from kexp.run.training_run import train_run

    finished = (folder / "result.json").is_file()
    batch_size = min(_BATCH, len(data.train))
    steps = -(-len(data.train) // batch_size)
    with nested_run(), random_streams_kept(), precision("float32"):
        random.seed(seed)  # which the layers draw their own seeds from
        model = kexp.models.cnn(
            data.spec.input_shape,
            data.spec.outputs,
            filters=_FILTERS,
            normalization="batch",
            head="average",
            dtype=data.spec.dtype,
        )
        options = TrainOptions(
            epochs=max(epochs, -(-LEAST_STEPS // steps)),
            batch_size=batch_size,
            learning_rate=5e-3,
            schedule="one_cycle",
            checkpoint_every="1 minute",
            seed=seed,
            run_dir=str(folder),
            quiet=True,
        )
        record = train_run(FitPlan(model, replace(data, test=None)), options)
        if not (finished or quiet):
            print(f"features: cnn trained on {data.name}, {_accuracy(record)}, in {folder}")
        return record.model


def _accuracy(record: RunRecord) -> str:
    validated = "val_accuracy" in record.metrics
    value = record.metrics["val_accuracy" if validated else "accuracy"]
    return f"{'validation' if validated else 'training'} accuracy {value:.3f}"
