"""The page of `kexp.fit` shows where the network errs, given the data that training was given."""

import keras
import numpy as np
import pytest

import kexp
from kexp import InputError
from tests.report.test_mistakes import cells_of
from tests.report.test_sweep_page import Reader


@pytest.fixture(scope="module")
def images():
    generator = np.random.default_rng(0)
    y = generator.integers(0, 3, 60)
    x = generator.integers(0, 90, (60, 6, 6, 1)).astype(np.uint8)
    x[np.arange(60), y * 2] += 120
    return x, y


def network(outputs, shape=(6, 6, 1), **options):
    layers = [keras.Input(shape), keras.layers.Flatten(), keras.layers.Rescaling(1 / 255)]
    return keras.Sequential([*layers, keras.layers.Dense(outputs, **options)])


def compiled(outputs=3, loss="sparse_categorical_crossentropy", activation="softmax", shape=(6, 6, 1)):
    model = network(outputs, shape, activation=activation)
    model.compile(optimizer="adam", loss=loss)
    return model


def counted(page):
    return sum(int(row[1][0]) for row in cells_of(page, "Metrics of each class")[1:])


@pytest.mark.parametrize("form", ["one-hot", "not compiled"])
def test_arrays_are_split_as_they_were_and_the_validation_part_is_shown(images, form, tmp_path):
    x, y = images
    model = compiled(loss="categorical_crossentropy") if form == "one-hot" else network(3)
    y = np.eye(3, dtype=np.float32)[y] if form == "one-hot" else y
    result = kexp.fit(model, x, y, validation_split=0.25, epochs=1, run_dir=str(tmp_path / "run"), quiet=True)
    without = result.report().read_text("utf-8")
    assert "give the data that kexp.fit was given: result.report(data=(x, y))" in Reader(without).text
    assert "Confusion matrix" not in without
    page = result.report(data=(x, y)).read_text("utf-8")
    assert ") of 15 validation samples." in page
    assert counted(page) == 15
    assert Reader(page).count("img") == 15
    with pytest.raises(InputError, match="is not what the run was trained on"):
        result.report(data=(x[:50], y[:50]))


def test_validation_data_of_the_caller_are_what_is_shown(images, tmp_path):
    x, y = images
    result = kexp.fit(
        compiled(),
        x[:40],
        y[:40],
        validation_data=(x[40:], y[40:]),
        epochs=1,
        run_dir=str(tmp_path / "run"),
        quiet=True,
    )
    given = {"x": x[:40], "y": y[:40], "validation_data": (x[40:], y[40:])}
    assert counted(result.report(data=given).read_text("utf-8")) == 20
    with pytest.raises(InputError, match="is not what the run was trained on"):
        result.report(data=(x[:40], y[:40]))


def test_one_unit_and_numbers_are_shown_too_and_squares_of_floats_as_pictures(images, tmp_path):
    x, y = images
    x = (x[..., 0] / 255).astype("float32")
    binary = compiled(1, "binary_crossentropy", "sigmoid", (6, 6))
    result = kexp.fit(
        binary, x, (y > 0).astype("float32"), epochs=1, run_dir=str(tmp_path / "binary"), quiet=True
    )
    page = result.report(data=(x, (y > 0).astype("float32"))).read_text("utf-8")
    assert ") of 60 training samples." in page
    assert "Two classes" in page
    assert Reader(page).count("img") > 20
    numbers = compiled(1, "mse", None, (6, 6))
    result = kexp.fit(
        numbers, x, y.astype("float32"), epochs=1, run_dir=str(tmp_path / "numbers"), quiet=True
    )
    page = result.report(data=(x, y.astype("float32"))).read_text("utf-8")
    assert "The 20 largest residuals, truth less prediction, of 60 training samples" in page
    assert Reader(page).count("img") == 20


def test_several_outputs_are_a_table_and_of_batches_the_first_is(images, tmp_path):
    import tensorflow as tf

    x, y = images
    shared = keras.Input((6, 6, 1), name="pixels")
    flat = keras.layers.Flatten()(shared)
    outputs = {
        "kind": keras.layers.Dense(3, activation="softmax", name="kind")(flat),
        "size": keras.layers.Dense(1, name="size")(flat),
    }
    model = keras.Model(shared, outputs)
    model.compile(optimizer="adam", loss={"kind": "sparse_categorical_crossentropy", "size": "mse"})
    targets = {"kind": y, "size": y[:, None].astype("float32")}
    result = kexp.fit(model, x, targets, epochs=1, run_dir=str(tmp_path / "two"), quiet=True)
    page = result.report(data=(x, targets)).read_text("utf-8")
    assert "The first 40 of 60 training samples." in page
    batches = tf.data.Dataset.from_tensor_slices((x, y)).batch(12)
    result = kexp.fit(compiled(), batches, epochs=1, run_dir=str(tmp_path / "fed"), quiet=True)
    page = result.report(data=batches).read_text("utf-8")
    assert "The first 12 training samples." in page
