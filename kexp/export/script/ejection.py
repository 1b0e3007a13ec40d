"""A run as a plain Keras script that trains the same model to the same bits, without kexp."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kexp.core.errors import InputError
from kexp.core.files import replacing
from kexp.core.tensorflow_start import require_tensorflow
from kexp.core.user_paths import output_file
from kexp.data import DataLike, load
from kexp.export.script import script_parts as parts
from kexp.export.script.ejected_run import check_recorded, check_setup, monitor_of
from kexp.export.script.own_layers import OWN_LAYERS
from kexp.run.record import RunRecord
from kexp.run.recorded_call import recorded_call

if TYPE_CHECKING:
    import keras

    from kexp.run.training_setup import TrainingSetup

Arrays = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
_NAMED = ("tensorflow", "tensorflow-cpu", "keras", "numpy")


def eject(
    run_dir: str | os.PathLike[str],
    path: str | os.PathLike[str],
    *,
    recipe: Callable[..., Any] | None = None,
    data: DataLike | None = None,
) -> Path:
    """Write a plain Keras script that trains the model of a run to the same bits, without kexp.

    The script needs tensorflow, keras and numpy, and for the data set digits scikit-learn; of other data the
    arrays that the model was given are written beside it, as an .npz file of its name. It says at its end
    whether its weights are those of the run, bit by bit, which they are with the same versions and on the
    same kind of processor. Classifiers, regressors and segmenters of one input, of the layers of perceptrons,
    convnets and residual networks, are known to come out the same; everything else is refused by name.

    Args:
        run_dir: Folder of a finished run of a recipe.
        path: The .py file to write; replaced if it is there.
        recipe: The recipe, if it is neither one of kexp's own nor an installed one; default None.
        data: What it was trained on, if that was in memory; default None.

    Returns:
        The path of the script.

    Raises:
        InputError: The folder holds no finished run, or the run has something that scripts have not.

    Example:
        >>> script = eject(run_dir, run_dir.with_suffix(".py"))
        >>> script.name, "import kexp" in script.read_text()
        ('run.py', False)
    """
    target = output_file("path", path, ".py")
    record = RunRecord.load(run_dir)
    check_recorded(record)
    own, arguments = recorded_call(run_dir, recipe, data=data)
    beside, built_in = target.with_suffix(".npz"), _is_built_in(record)
    if not built_in and beside.exists() and not target.exists():
        raise InputError(f"path must leave room for the data beside it; {beside} is there, so take another.")
    require_tensorflow()
    from kexp.run.context import capture_training

    found: list[TrainingSetup] = []
    capture_training(found.append, own, **{**arguments, "quiet": True})
    setup = found[0]
    check_setup(setup, record)
    _check_initial_weights(setup.model, setup.options["seed"])
    arrays = _arrays(setup)
    text = _script(setup, record, arrays, target, built_in)
    if not built_in:
        _write_arrays(beside, arrays)
    with replacing(target) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return target


def _script(setup: TrainingSetup, record: RunRecord, arrays: Arrays, target: Path, built_in: bool) -> str:
    """Return the whole script."""
    from kexp.export.script.model_code import model_code

    options = setup.options
    kind, call = parts.OPTIMIZERS[options["optimizer"]]
    has_schedule = options["schedule"] != "constant"
    decay = options["weight_decay"]
    call = call.format(
        rate="Cosine()" if has_schedule else "LEARNING_RATE",
        momentum=options["momentum"],
        decay="" if decay is None else f", weight_decay={decay}",
    )
    decays = decay is not None or options["optimizer"] == "adamw"
    model = model_code(setup.model)
    monitor = monitor_of(setup)
    train = parts.TRAIN.format(
        optimizer=call,
        decay=parts.DECAY if decays else "",
        clip="" if options["clip_norm"] is None else parts.CLIP,
        monitor=monitor,
    )
    sections = [
        _header(record, target, built_in),
        parts.IMPORTS,
        _constants(setup, arrays, _trained_weights(setup, record)),
        parts.DIGITS if built_in else parts.ARRAYS.format(file=target.with_suffix(".npz").name),
        *(text for name, text in OWN_LAYERS.items() if f" {name}(" in model),
        f"def build_model():\n{model}\n",
        parts.COSINE if has_schedule else "",
        kind,
        parts.MEASURES[monitor],
        train,
    ]
    return "\n\n".join(section for section in sections if section)


def _header(record: RunRecord, target: Path, built_in: bool) -> str:
    versions = record.environment["versions"]
    made_with = ", ".join(f"{name} {_plain(versions[name])}" for name in _NAMED if name in versions)
    data = "scikit-learn for the data" if built_in else f"{target.with_suffix('.npz').name} with the data"
    return (
        f'"""Train {_plain(record.config["recipe"])} on {_plain(record.environment["data"]["name"])} '
        "with plain Keras.\n\n"
        f"It comes to the same weights as a run with {made_with}, bit by bit,\n"
        f"with these versions and on the same kind of processor. It needs them, and {data}.\n"
        '"""'
    )


def _plain(text: object) -> str:
    """Return a text of a folder, which may be anybody's, as nothing that Python could take for code."""
    return re.sub(r"[^\w .,:/+-]", "_", str(text))[:80]


def _constants(setup: TrainingSetup, arrays: Arrays, weights: Iterable[np.ndarray]) -> str:
    options, steps = setup.options, setup.options["epochs"] * setup.steps_per_epoch
    values = {
        "SEED": options["seed"],
        "EPOCHS": options["epochs"],
        "BATCH_SIZE": setup.batch_size,
        "LEARNING_RATE": options["learning_rate"],
        "VALIDATION": options["validation"] if setup.data.validation is not None else 0.0,
        "STEPS": steps,
        **({} if options["schedule"] == "constant" else {"WARMUP_STEPS": round(options["warmup"] * steps)}),
        **({} if options["clip_norm"] is None else {"CLIP_NORM": options["clip_norm"]}),
        "DATA_SHA256": _digest(arrays),
        "WEIGHTS_SHA256": _digest(weights),
    }
    return "".join(
        f'{name} = "{value}"\n' if isinstance(value, str) else f"{name} = {value!r}\n"
        for name, value in values.items()
    )


def _arrays(setup: TrainingSetup) -> Arrays:
    """Return inputs and targets of the training and of the validation part, as the model takes them."""
    train, validation = setup.data.train, setup.data.validation
    inputs, targets = np.asarray(train.inputs), np.asarray(train.targets)
    if validation is None:
        return inputs, targets, inputs[:0], targets[:0]
    return inputs, targets, np.asarray(validation.inputs), np.asarray(validation.targets)


def _is_built_in(record: RunRecord) -> bool:
    """Return whether a script can have the data from where kexp has them."""
    arguments = record.config["arguments"]
    plain = arguments.get("image_size") is None and arguments.get("resize") is None
    if arguments.get("data") != "digits" or not plain:
        return False
    # Other data are made of them too, as canvases are.
    return load("digits").fingerprint == record.environment["data"]["fingerprint"]


def _trained_weights(setup: TrainingSetup, record: RunRecord) -> list[np.ndarray]:
    """Return the weights of the network alone, without the preprocessing that is recorded with it."""
    recorded = record.model
    network = recorded if setup.preprocessing is None else recorded.layers[-1]
    return network.get_weights()


def _check_initial_weights(model: keras.Model, seed: int) -> None:
    """Refuse a model that draws other weights when its layers are made in their order after the seed is set.

    Raises:
        InputError: It does.
    """
    import keras

    from kexp.core.graph_names import names_counted_anew
    from kexp.export.script.model_code import rebuilt

    with names_counted_anew():
        keras.utils.set_random_seed(seed)
        again = rebuilt(model)
    weights = {one.path: one.numpy() for one in again.variables}
    same = all(
        one.path in weights and np.array_equal(one.numpy(), weights[one.path]) for one in model.variables
    )
    if not same:
        raise InputError(
            "run_dir must be a run whose initial weights follow from its seed and the order of its layers; "
            "these are others, as where a recipe draws numbers of its own before the model is made."
        )


def _digest(arrays: Iterable[np.ndarray]) -> str:
    return hashlib.sha256(b"".join(np.ascontiguousarray(array).tobytes() for array in arrays)).hexdigest()


def _write_arrays(path: Path, arrays: Arrays) -> None:
    with replacing(path) as temporary:
        x, y, x_validation, y_validation = arrays
        np.savez(temporary, x=x, y=y, x_validation=x_validation, y_validation=y_validation)
