"""A run goes on with the model that it began with alone: what the code has changed is said beforehand."""

import importlib.util
import itertools
import shutil

import keras
import numpy as np
import pytest

import kexp
from kexp.core.errors import InputError
from kexp.run.architecture import describe_models
from kexp.run.architecture_change import model_change

SOURCE = '''
import keras
from keras import layers

SCALE = 1.0


def bent(x):
    """A bend."""
    return keras.ops.tanh(x)  # smooth


class Blend(layers.Layer):
    def __init__(self, rate=0.5, **options):
        super().__init__(**options)
        self.rate = rate
        self.inner = layers.Dense(4)

    def call(self, x):
        return self.rate * self.inner(x) + bent(x) * SCALE


def preprocessing():
    inputs = keras.Input((4,))
    return keras.Model(inputs, layers.Rescaling(0.5)(inputs))


def model():
    inputs = keras.Input((4,))
    first = layers.Dense(5, activation="relu", kernel_regularizer=keras.regularizers.L2(0.01))(inputs)
    x = layers.Dropout(0.1)(first)
    x = Blend(0.5)(layers.Dense(4)(x))
    side = layers.Dense(4, name="side")(x)
    x = keras.ops.add(x, side)
    return keras.Model(inputs, layers.Dense(3)(x))
'''
CHANGES = [
    ('activation="relu"', 'activation="tanh"', r"layer 1 \(Dense\) has activation 'tanh', was 'relu'"),
    ("Dense(5", "Dense(6", r"layer 1 \(Dense\) has units 6, was 5"),
    ("L2(0.01)", "L2(0.02)", r"layer 1 \(Dense\) has kernel_regularizer.l2 0.02, was 0.01"),
    ("keras.regularizers.L2(0.01)", "None", r"has kernel_regularizer None, was L2\(l2=0.01\)"),
    ("Dropout(0.1)", "Dropout(0.3)", r"layer 2 \(Dropout\) has rate 0.3, was 0.1"),
    ("layers.Dropout(0.1)(first)", "first", r"layer 2 \(Dropout\) is no longer there"),
    ("Dropout(0.1)(first)", "ReLU()(layers.Dropout(0.1)(first))", r"layer 3 \(ReLU\) was not there"),
    ("Dropout(0.1)", "GaussianNoise(0.1)", r"layer 2 \(GaussianNoise\) is where layer 2 \(Dropout\) was"),
    ("Blend(0.5)", "Blend(0.6)", r"layer 4 \(Blend\) has rate 0.6, was 0.5"),
    ("self.rate * self.inner(x)", "self.inner(x)", r"layer 4 \(Blend\) has other code in call"),
    ("ops.tanh", "ops.sin", r"layer 4 \(Blend\) has other code in call"),
    ("SCALE = 1.0", "SCALE = 2.0", r"layer 4 \(Blend\) has other code in call"),
    ("inner = layers.Dense(4)", "inner = layers.Dense(4, use_bias=False)", r"layer 5 \(Dense\) has use_bias"),
    ("add(x, side)", "add(x, x)", r"layer 6 'side' \(Dense\) is no longer there"),
    ("add(x, side)", "add(side, x)", r"layer 7 \(Add\) has other inputs"),
    (
        "Rescaling(0.5)",
        "Rescaling(0.25)",
        r"another preprocessing: layer 1 \(Rescaling\) has scale 0.25, was",
    ),
]
modules = itertools.count()


def loaded(source, folder):
    """Return the module of a source, each time from a file and under a name of its own."""
    path = folder / f"mine_{next(modules)}.py"
    path.write_text(source)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def data():
    rows = np.random.default_rng(0).normal(size=(60, 4)).astype("float32")
    return kexp.data.load((rows, np.arange(60) % 3))


def fit(source, run_dir, folder, epochs=2, **options):
    code = loaded(source, folder)
    given = {"epochs": epochs, "batch_size": 30, "quiet": True, "run_dir": str(run_dir), **options}
    return kexp.fit(code.model(), data(), preprocessing=code.preprocessing(), **given)


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    """Return the folder of a run of one epoch, which is finished."""
    folder = tmp_path_factory.mktemp("begun")
    fit(SOURCE, folder / "run", folder, epochs=1)
    return folder / "run"


def content(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(("before", "after", "said"), CHANGES, ids=[after for _, after, _ in CHANGES])
def test_a_changed_model_is_named_and_the_folder_stays_as_it_is(begun, tmp_path, before, after, said):
    kept = content(begun)
    assert SOURCE.count(before) == 1
    with pytest.raises(InputError, match=rf"^run_dir .* holds a run of .*{said}.*; give another run_"):
        fit(SOURCE.replace(before, after), begun, tmp_path)
    assert content(begun) == kept


def test_asked_for_no_more_epochs_a_finished_run_is_loaded_whatever_the_code_is_now(begun, tmp_path):
    result = fit(SOURCE.replace("Dense(5", "Dense(6"), begun, tmp_path, epochs=1)
    assert result.epochs == 1


def test_what_means_nothing_is_no_change_an_unfinished_run_goes_on(begun, tmp_path):
    run_dir = shutil.copytree(begun, tmp_path / "run")
    (run_dir / "result.json").unlink()
    other = (
        SOURCE.replace('    """A bend."""\n', "").replace("  # smooth", "").replace("(x, side)", "( x,side )")
    )
    other = other.replace('name="side"', 'name="aside"')
    keras.layers.Dense(1)  # the numbers in Keras's names go on
    assert other != SOURCE
    assert fit(other, run_dir, tmp_path).epochs == 2


def test_a_run_of_a_release_without_the_file_goes_on_if_its_weights_fit(begun, tmp_path):
    run_dir = shutil.copytree(begun, tmp_path / "run")
    (run_dir / "architecture.json").unlink()
    kept = content(run_dir)
    with pytest.raises(
        InputError, match=r"is of another model or optimizer: .* \(4, 5\) there and .* \(4, 6\)"
    ):
        fit(SOURCE.replace("Dense(5", "Dense(6"), run_dir, tmp_path)
    assert content(run_dir) == kept
    assert fit(SOURCE.replace('activation="relu"', 'activation="tanh"'), run_dir, tmp_path).epochs == 2


def test_so_it_is_with_checkpoints_in_another_place(tmp_path):
    elsewhere = {"checkpoint_dir": str(tmp_path / "state")}
    fit(SOURCE, tmp_path / "first", tmp_path, epochs=1, **elsewhere)
    kept = content(tmp_path / "state")
    with pytest.raises(
        InputError, match=r"^checkpoint_dir .* holds checkpoints of a run of another model: lay"
    ):
        fit(SOURCE.replace("Dropout(0.1)", "Dropout(0.3)"), tmp_path / "second", tmp_path, **elsewhere)
    assert content(tmp_path / "state") == kept
    assert not (tmp_path / "second").exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [("{", "is not JSON"), ('{"keras": "3", "models": {"model": [{}]}}', r"model\[0\]: lacks the key class")],
)
def test_a_damaged_architecture_is_named(begun, tmp_path, text, said):
    run_dir = shutil.copytree(begun, tmp_path / "run")
    (run_dir / "architecture.json").write_text(text)
    with pytest.raises(InputError, match=f"architecture.json: {said}"):
        fit(SOURCE, run_dir, tmp_path)


def change(one, other):
    found = model_change(*(describe_models({"model": model}) for model in (one, other)))
    return found if found is None else found[1]


def with_function(function):
    inputs = keras.Input((3,))
    return keras.Model(inputs, keras.layers.Lambda(function)(inputs))


def with_factor(factor):
    class Scaled(keras.Model):
        def __init__(self, functions):
            super().__init__()
            self.functions = functions

        def call(self, x):
            return self.functions[0](x) * factor

    model = Scaled([keras.ops.sin])
    model(np.zeros((1, 3), "float32"))
    return model


def test_code_that_keras_cannot_serialise_is_compared_by_its_source():
    assert change(with_function(lambda x: x * 2), with_function(lambda x: x  *  2)) is None  # fmt: skip
    assert change(with_function(lambda x: x * 2), with_function(lambda x: x * 3)) == (
        "layer 1 (Lambda) has other code in function"
    )
    assert change(with_factor(2.0), with_factor(2.0)) is None
    assert change(with_factor(2.0), with_factor(3.0)) == "the Scaled itself has other code in call"


def test_code_without_a_source_is_compared_as_it_is_compiled():
    made = [{}, {}, {}]
    for place, number in zip(made, (1, 1, 2), strict=True):
        exec(f"def function(x):\n    return x * {number}\n", {"__name__": "typed"}, place)
    same, again, other = (with_function(place["function"]) for place in made)
    assert change(same, again) is None
    assert change(same, other) == "layer 1 (Lambda) has other code in function"


def test_long_lists_and_arrays_are_compared_and_not_written_down():
    def looked_up(words):
        inputs = keras.Input((), dtype="string")
        return keras.Model(inputs, keras.layers.StringLookup(vocabulary=words)(inputs))

    def embedded(numbers):
        start = keras.initializers.Constant(numbers)
        return keras.Sequential([keras.Input((2,)), keras.layers.Embedding(50, 4, start)])

    words, numbers = [f"word{number}" for number in range(200)], np.arange(200.0).reshape(50, 4)
    assert change(looked_up(words), looked_up(list(words))) is None
    assert "vocabulary" in change(looked_up(words), looked_up(words[::-1]))
    assert change(embedded(numbers), embedded(numbers.copy())) is None
    assert "embeddings_initializer" in change(embedded(numbers), embedded(numbers + 1))
    assert len(str(describe_models({"model": looked_up(words), "other": embedded(numbers)}))) < 6000
