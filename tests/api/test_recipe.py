"""A recipe's signature is its configuration: bound, checked and recorded."""

import inspect
import json
import subprocess
import sys

import keras
import pytest

import kexp
from kexp import TrainOptions, Unpack, recipes
from kexp.core.errors import InputError
from kexp.core.options import option_types


def test_every_recipe_shows_each_training_option_on_its_own_signature():
    assert {"cnn_images", "mlp_images", "mlp_tabular"} <= set(recipes.__all__)
    for name in recipes.__all__:
        parameters = inspect.signature(getattr(recipes, name)).parameters
        assert set(option_types()) < set(parameters)
        assert all(parameter.default is not parameter.empty for parameter in parameters.values())


def test_a_recipe_has_defaults_of_its_own():
    parameters = inspect.signature(recipes.mlp_images).parameters
    assert parameters["epochs"].default == 5
    assert parameters["hidden"].default == (256, 128)
    assert inspect.signature(recipes.cnn_images).parameters["epochs"].default == 15


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"epoch": 3}, "mlp_images has no argument epoch (did you mean 'epochs'?)"),
        ({"hiden": (8,)}, "mlp_images has no argument hiden (did you mean 'hidden'?)"),
        ({"dropout": 1.5}, "dropout must be a number, from 0 to 0.5; received 1.5"),
        ({"epochs": 0}, "epochs must be a whole number, 1 or more; received 0"),
        ({"batch_size": 2.5}, "batch_size must be a whole number"),
        ({"hidden": ()}, "hidden must be a tuple"),
        ({"optimizer": "adm"}, "received 'adm' (did you mean 'adam'"),
        ({"data": "digit"}, "there is no such data set or path (did you mean 'digits'?)"),
        ({"data": 3}, "data must be a name, a path, or data in memory"),
        ({"checkpoint_every": "often"}, "checkpoint_every must read like"),
        ({"seed": -1}, "seed must be a whole number, from 0"),
    ],
)
def test_a_bad_call_is_refused_in_one_sentence_and_leaves_nothing(arguments, words, tmp_path):
    with pytest.raises(InputError) as refused:
        recipes.mlp_images(run_dir=str(tmp_path / "run"), **arguments)
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "run").exists()


def test_too_many_positional_arguments_are_refused():
    with pytest.raises(InputError, match="mlp_images: too many positional arguments"):
        recipes.mlp_images("digits", 3)


def test_checking_a_call_does_not_import_tensorflow():
    code = (
        "import sys\nfrom kexp import recipes\n"
        "try: recipes.mlp_images(dropout=2.0)\n"
        "except ValueError as error: print(type(error).__name__, 'tensorflow' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["InputError", "False"]


@pytest.mark.slow
def test_the_command_line_and_python_record_the_same_config(run_kexp, tmp_path):
    recipes.mlp_images(hidden=(32, 16), epochs=1, seed=5, run_dir=str(tmp_path / "python"), quiet=True)
    line = [
        "run",
        "mlp_images",
        "--hidden",
        "32",
        "16",
        "--epochs",
        "1",
        "--seed",
        "5",
        "--quiet",
        "--run-dir",
    ]
    done = run_kexp(*line, tmp_path / "line")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    configs = [(tmp_path / name / "config.json").read_bytes() for name in ("python", "line")]
    assert configs[0] == configs[1]
    results = [json.loads((tmp_path / name / "result.json").read_text()) for name in ("python", "line")]
    differ = {"seconds": 0, "files": {}}  # model.keras holds the time when it was saved
    assert {**results[0], **differ} == {**results[1], **differ}


def test_the_recorded_arguments_are_enough_to_call_the_recipe_again(digits_run, tmp_path):
    config = json.loads((digits_run / "config.json").read_text())
    again = getattr(recipes, config["recipe"])(
        **config["arguments"], run_dir=str(tmp_path / "run"), quiet=True
    )
    assert again.metrics == kexp.load(digits_run).metrics


def test_a_recipe_of_ones_own_is_a_plain_function_with_the_training_options(tmp_path):
    @kexp.recipe(epochs=2, learning_rate=0.01)
    def linear(data: str = "iris", **train: Unpack[TrainOptions]) -> kexp.Result:
        dataset = kexp.data.load(data, validation=train["validation"], seed=train["seed"])
        preprocessing = kexp.models.tabular_preprocessing(dataset.train.inputs, dataset.spec.columns)
        inputs = keras.Input(preprocessing.output_shape[1:])
        model = keras.Model(inputs, keras.layers.Dense(dataset.spec.outputs)(inputs))
        return kexp.fit(model, dataset, preprocessing=preprocessing, **train)

    result = linear(run_dir=str(tmp_path / "run"), quiet=True)
    assert len(result.history["loss"]) == 2
    assert json.loads((tmp_path / "run" / "config.json").read_text())["recipe"] == "linear"


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("cnn_images", "iris", "data 'iris' is of kind 'table', expected 'image'; give other data"),
        ("mlp_tabular", "digits", "data 'digits' is of kind 'image', expected 'table' or 'array'"),
    ],
)
def test_data_of_another_kind_than_the_recipes_is_refused(name, data, words, tmp_path):
    with pytest.raises(InputError, match=words):
        getattr(recipes, name)(data, run_dir=str(tmp_path / "run"))
    assert not (tmp_path / "run").exists()


def test_another_backend_than_tensorflow_is_refused_in_one_sentence(run_kexp, monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    done = run_kexp("run", "mlp_images", cwd=tmp_path, anew=True)
    assert done.returncode == 2
    assert done.stderr == "kexp: KERAS_BACKEND must be tensorflow for kexp; received 'jax', so unset it.\n"
