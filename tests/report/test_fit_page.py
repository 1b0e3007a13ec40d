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


def network(outputs, **options):
    layers = [keras.Input((6, 6, 1)), keras.layers.Flatten(), keras.layers.Rescaling(1 / 255)]
    return keras.Sequential([*layers, keras.layers.Dense(outputs, **options)])


def compiled(outputs=3, loss="sparse_categorical_crossentropy", activation="softmax"):
    model = network(outputs, activation=activation)
    model.compile(optimizer="adam", loss=loss)
    return model


def counted(page):
    return sum(int(row[1][0]) for row in cells_of(page, "Figures of each class")[1:])


@pytest.mark.parametrize("form", ["compiled", "one-hot", "not compiled"])
def test_arrays_are_split_as_they_were_and_the_validation_part_is_shown(images, form, tmp_path):
    x, y = images
    model = {
        "compiled": compiled,
        "one-hot": lambda: compiled(loss="categorical_crossentropy"),
        "not compiled": lambda: network(3),
    }[form]()
    y = np.eye(3, dtype=np.float32)[y] if form == "one-hot" else y
    result = kexp.fit(model, x, y, validation_split=0.25, epochs=1, run_dir=str(tmp_path / "run"), quiet=True)
    without = result.report().read_text("utf-8")
    assert "give the data that kexp.fit was given: result.report(data=(x, y))" in Reader(without).text
    assert "Confusion matrix" not in without
    page = result.report(data=(x, y)).read_text("utf-8")
    assert "of 15 validation samples are taken for another class" in page
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


def test_one_unit_and_numbers_are_shown_too(images, tmp_path):
    x, y = images
    binary = compiled(1, "binary_crossentropy", "sigmoid")
    result = kexp.fit(
        binary, x, (y > 0).astype("float32"), epochs=1, run_dir=str(tmp_path / "binary"), quiet=True
    )
    page = result.report(data=(x, (y > 0).astype("float32"))).read_text("utf-8")
    assert "60 training samples are taken for another class" in page
    assert "Two classes" in page
    numbers = compiled(1, "mse", None)
    result = kexp.fit(
        numbers, x, y.astype("float32"), epochs=1, run_dir=str(tmp_path / "numbers"), quiet=True
    )
    page = result.report(data=(x, y.astype("float32"))).read_text("utf-8")
    assert "The 20 largest residuals, truth less prediction, of 60 training samples" in page
    assert Reader(page).count("img") == 20
