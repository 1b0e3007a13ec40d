"""A run leaves kexp as a plain Keras script that trains to the same bits."""

import os
import subprocess
import sys

import keras
import numpy as np
import pytest

import kexp
from kexp import recipes
from kexp.export.script.model_code import model_code

# The weights that scripts come to in an interpreter in which nothing of kexp is to be found.
RUN = """
import runpy, sys
import numpy as np
for script in sys.argv[1:]:
    found = runpy.run_path(script, run_name="__main__")
    assert not [name for name in sys.modules if name.partition(".")[0] == "kexp"]
    np.savez(script.removesuffix(".py") + "-weights.npz", *found["model"].get_weights())
"""


def run_alone(*scripts):
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "KEXP"))
    }
    ended = subprocess.run(
        [sys.executable, "-c", RUN, *scripts],
        cwd=scripts[0].parent,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr[-2000:]
    assert ended.stdout.count("They are those of the run, bit by bit.") == len(scripts)


def assert_equal_bits(run_dir, script, network=lambda model: model):
    assert "import kexp" not in script.read_text()
    wanted = network(kexp.load(run_dir).model).get_weights()
    with np.load(script.with_name(f"{script.stem}-weights.npz")) as weights:
        received = [weights[f"arr_{number}"] for number in range(len(wanted))]
    for one, other in zip(received, wanted, strict=True):
        assert one.tobytes() == other.tobytes()


def test_a_script_trains_a_perceptron_with_dropout_to_the_same_bits(digits_run, tmp_path):
    script = kexp.eject(digits_run, tmp_path / "alone.py")
    run_alone(script)
    assert_equal_bits(digits_run, script)
    assert "from sklearn.datasets import load_digits" in script.read_text()
    assert not (tmp_path / "alone.npz").exists()


# What every recipe of this table trains, what is proved of optimizers, schedules and layers.
CASES = {
    "a convnet with batch normalisation": lambda run_dir: recipes.cnn_images(
        data="digits", filters=(8, 16), epochs=2, seed=3, run_dir=run_dir, quiet=True
    ),
    "another, flat, by adamw": lambda run_dir: recipes.cnn_images(
        data="digits",
        filters=(8,),
        head="flatten",
        padding="valid",
        normalization="none",
        optimizer="adamw",
        epochs=1,
        batch_size=100,
        run_dir=run_dir,
        quiet=True,
    ),
    "momentum, decay and layer normalisation": lambda run_dir: recipes.mlp_images(
        data="digits",
        hidden=(16,),
        normalization="layer",
        optimizer="momentum",
        weight_decay=0.01,
        epochs=2,
        run_dir=run_dir,
        quiet=True,
    ),
    "a residual network, clipped": lambda run_dir: recipes.cnn_images(
        data="digits", size="resnet20", epochs=1, clip_norm=0.5, run_dir=run_dir, quiet=True
    ),
    "a segmentation": lambda run_dir: recipes.unet_segmentation(
        samples=(96, 32, 64),
        canvas=(16, 16),
        filters=(4, 8),
        dropout=0.0,
        epochs=2,
        run_dir=run_dir,
        quiet=True,
    ),
    "a vision Transformer": lambda run_dir: recipes.vit_images(
        data="digits", width=32, depth=1, schedule="cosine", epochs=1, run_dir=run_dir, quiet=True
    ),
    "Nesterov's, without validation": lambda run_dir: recipes.mlp_images(
        data="digits",
        hidden=(16,),
        optimizer="nesterov",
        validation=0.0,
        epochs=1,
        run_dir=run_dir,
        quiet=True,
    ),
    "classes of rows": lambda run_dir: recipes.mlp_tabular(
        data="iris", epochs=2, run_dir=run_dir, quiet=True
    ),
    "numbers of rows": lambda run_dir: recipes.mlp_tabular(
        data="diabetes", epochs=2, run_dir=run_dir, quiet=True
    ),
}


@pytest.fixture(scope="module")
def scripts(tmp_path_factory):
    """Return the folder of every run by its case, and beside it a script that has been run."""
    folder = tmp_path_factory.mktemp("ejected")
    found = {}
    for number, (case, train) in enumerate(CASES.items()):
        run_dir = folder / f"run-{number}"
        train(str(run_dir))
        found[case] = run_dir, kexp.eject(run_dir, folder / f"script_{number}.py")
    run_alone(*(script for _, script in found.values()))
    return found


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_a_script_trains_to_the_same_bits(case, scripts):
    run_dir, script = scripts[case]
    is_prepared = kexp.load(run_dir).spec.kind == "table"
    assert_equal_bits(run_dir, script, lambda model: model.layers[-1] if is_prepared else model)
    if is_prepared:
        with np.load(script.with_suffix(".npz")) as arrays:
            assert sorted(arrays) == ["x", "x_validation", "y", "y_validation"]


def test_an_option_that_scripts_do_not_have_is_named(tmp_path):
    run_dir = str(tmp_path / "run")
    recipes.mlp_images(data="digits", hidden=(16,), epochs=1, clip_value=1.0, run_dir=run_dir, quiet=True)
    with pytest.raises(kexp.InputError, match=r"clip_value must be None .* the run has 1\.0"):
        kexp.eject(run_dir, tmp_path / "alone.py")
    assert not (tmp_path / "alone.py").exists()


def test_arguments_whose_default_hangs_on_another_are_written():
    layers = keras.layers.MaxPooling2D(3, 2), keras.layers.MaxPooling2D(3), keras.layers.MaxPooling2D()
    x = inputs = keras.Input((16, 16, 1))
    for layer in layers:
        x = layer(x)
    model = keras.Model(inputs, x)
    names = {"keras": keras, "layers": keras.layers}
    exec(f"def build_model():\n{model_code(model)}", names)
    assert names["build_model"]().output_shape == model.output_shape


def test_a_block_of_a_transformer_that_drops_is_refused():
    with pytest.raises(kexp.InputError, match=r"dropout of layer block_0 .* it is 0\.5"):
        model_code(kexp.models.cct((8, 8, 1), 10, width=8, depth=1, dropout=0.5))
    with pytest.raises(kexp.InputError, match=r"feed_forward of layer block_0 .* it is 'swiglu'"):
        model_code(kexp.models.cct((8, 8, 1), 10, width=8, depth=1, feed_forward="swiglu"))


def test_layers_that_are_not_known_to_train_to_the_same_bits_are_named():
    inputs = keras.Input((4, 2))
    model = keras.Model(inputs, keras.layers.LSTM(2)(inputs))
    with pytest.raises(kexp.InputError, match="received a layer LSTM"):
        model_code(model)
    inputs = keras.Input((4,))
    outputs = keras.layers.Dense(2)(keras.layers.Dense(3)(inputs)), keras.layers.Dense(2)(inputs)
    with pytest.raises(kexp.InputError, match="one input and one output"):
        model_code(keras.Model(inputs, outputs))
    shared = keras.layers.Dense(4)
    with pytest.raises(kexp.InputError, match="called once"):
        model_code(keras.Model(inputs, shared(shared(inputs))))


def test_a_model_with_operations_and_branches_is_written_so_that_it_gives_the_same():
    inputs = keras.Input((6, 3))
    x = keras.layers.Dense(3)(inputs[:, 1:, :])
    x = keras.ops.concatenate(
        [keras.ops.mean(x, axis=1), keras.ops.cast(inputs[:, 0] > 0.5, "float32")], axis=-1
    )
    model = keras.Model(inputs, keras.ops.where(x > 0, x, 0.25) / 2)
    names = {"keras": keras, "layers": keras.layers, "ops": keras.ops}
    exec(f"def build_model():\n{model_code(model)}", names)
    again = names["build_model"]()
    again.set_weights(model.get_weights())
    values = np.random.default_rng(0).random((5, 6, 3), np.float32)
    np.testing.assert_array_equal(again(values), model(values))


def test_the_command_refuses_what_is_no_script_or_no_run(digits_run, tmp_path, run_kexp):
    for arguments, wanted in (
        ((digits_run, tmp_path / "alone.txt"), "path must be a .py file"),
        ((tmp_path, tmp_path / "alone.py"), "holds no run"),
    ):
        answer = run_kexp("eject", *arguments)
        assert answer.returncode == 2
        assert wanted in answer.stderr
        assert "Traceback" not in answer.stderr
