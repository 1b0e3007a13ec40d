"""A result predicts, evaluates, plots and exports, fresh from training or read back from its folder."""

import keras
import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_digits

import kexp
from kexp import recipes
from kexp.core.errors import InputError


@pytest.fixture(scope="module")
def images():
    return np.round(load_digits().images * (255 / 16)).astype("uint8")  # (1797, 8, 8)


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """Return a table of strings, dates, gaps and odd names that a little training can learn."""
    random = np.random.default_rng(0)
    rows = 600
    table = pd.DataFrame(
        {
            "age (years)": random.normal(40, 12, rows).round(1),
            "town": random.choice(["Ulm", "Jena", "Köln"], rows),
            "is member": random.random(rows) < 0.3,
            "since": pd.date_range("2020-01-01", periods=rows).strftime("%d.%m.%Y"),
        }
    )
    table["bought"] = np.where((table["age (years)"] > 40) ^ (table["town"] == "Ulm"), "yes", "no")
    table.loc[random.random(rows) < 0.1, "age (years)"] = np.nan
    table.loc[random.random(rows) < 0.1, "town"] = None
    path = tmp_path_factory.mktemp("shop") / "shop.csv"
    table.to_csv(path, index=False)
    run_dir = path.parent / "run"
    arguments = {"data": str(path), "target": "bought", "epochs": 30, "learning_rate": 0.01}
    return path, recipes.mlp_tabular(**arguments, run_dir=str(run_dir), quiet=True)


def test_a_loaded_result_answers_as_the_fresh_one(images, tmp_path):
    fresh = recipes.mlp_images(epochs=2, run_dir=str(tmp_path / "run"), quiet=True)
    loaded = kexp.load(tmp_path / "run")
    assert (loaded.metrics, loaded.history, loaded.spec) == (fresh.metrics, fresh.history, fresh.spec)
    np.testing.assert_array_equal(loaded.predict(images).probabilities, fresh.predict(images).probabilities)


def test_metrics_and_history_are_plain_floats(digits_run):
    result = kexp.load(digits_run)
    assert {type(value) for value in result.metrics.values()} == {float}
    assert {type(value) for values in result.history.values() for value in values} == {float}


def test_raw_images_with_or_without_their_channel_axis_give_labels_and_probabilities(digits_run, images):
    result = kexp.load(digits_run)
    answer = result.predict(images)
    assert answer.probabilities.shape == (1797, 10)
    assert all(result.predict(images[:count]).probabilities.flags.writeable for count in (3, 300))
    np.testing.assert_allclose(answer.probabilities.sum(axis=1), 1, atol=1e-5)
    assert set(answer.labels) <= set("0123456789")
    accuracy = np.mean(answer.labels.astype(int) == load_digits().target)
    assert accuracy > 0.7
    with_channel = result.predict(images[:5, :, :, None])
    np.testing.assert_allclose(with_channel.probabilities, answer.probabilities[:5], atol=1e-6)


def test_evaluating_again_gives_the_recorded_test_figures(digits_run):
    result = kexp.load(digits_run)
    again = result.evaluate("digits")
    assert again["accuracy"] == pytest.approx(result.metrics["test_accuracy"], abs=1e-6)
    assert again["loss"] == pytest.approx(result.metrics["test_loss"], abs=1e-5)


def test_evaluating_on_data_of_another_kind_is_refused(digits_run):
    with pytest.raises(InputError, match="data must be for classification with 10 outputs"):
        kexp.load(digits_run).evaluate("iris")


def test_the_saved_model_opens_in_plain_keras(digits_run, images):
    model = keras.models.load_model(digits_run / "model.keras")
    assert model(images[:3, :, :, None]).shape == (3, 10)
    assert not model.compiled


def test_the_plot_has_a_panel_for_each_figure(digits_run):
    figure = kexp.load(digits_run).plot()
    assert [axes.get_title() for axes in figure.axes] == ["loss", "accuracy"]
    assert [len(axes.lines) for axes in figure.axes] == [3, 3]  # the third is the ring of the chosen epoch


def test_a_table_with_strings_and_gaps_is_learned_and_answered_row_by_row(shop):
    path, result = shop
    assert result.metrics["test_accuracy"] > 0.8
    frame = pd.read_csv(path)
    answer = result.predict(frame)
    one_by_one = np.concatenate([result.predict(frame.iloc[[row]]).probabilities for row in range(5)])
    np.testing.assert_allclose(answer.probabilities[:5], one_by_one, atol=1e-6)
    assert set(answer.labels) == {"no", "yes"}


def test_an_export_answers_as_the_result_and_carries_where_it_is_from(shop, tmp_path):
    path, result = shop
    assert kexp.load(result.run_dir).export(tmp_path / "served") == tmp_path / "served"
    exported = kexp.load_exported(tmp_path / "served")
    frame = pd.read_csv(path)
    expected, answer = result.predict(frame), exported.predict(frame)
    assert answer.labels.tolist() == expected.labels.tolist()
    np.testing.assert_allclose(answer.probabilities, expected.probabilities, atol=1e-5)
    assert exported.provenance["config"]["arguments"]["target"] == "bought"
    assert exported.provenance["metrics"] == result.metrics
    assert exported.provenance["env"]["versions"]["keras"]


def test_regression_gives_values_in_the_units_of_the_target(tmp_path):
    result = recipes.mlp_tabular("diabetes", epochs=20, run_dir=str(tmp_path / "run"), quiet=True)
    data = kexp.data.load("diabetes")
    values = result.predict(data.test.inputs).values
    assert values.shape == (len(data.test), 1)
    rmse = float(np.sqrt(np.mean((values - data.test.targets) ** 2)))
    assert rmse == pytest.approx(result.metrics["test_root_mean_squared_error"], rel=1e-4)
    assert rmse < data.test.targets.std()


@pytest.mark.parametrize(
    ("prepare", "words"), [(lambda path: None, "no run"), (lambda path: path.mkdir(), "no run")]
)
def test_a_folder_without_a_finished_run_is_named(tmp_path, prepare, words):
    prepare(tmp_path / "run")
    with pytest.raises(InputError, match=f"must be the folder of a finished run; .*run holds {words}"):
        kexp.load(tmp_path / "run")


@pytest.mark.slow
def test_columns_may_have_any_name_a_csv_can_hold(tmp_path):
    random = np.random.default_rng(0)
    odd = ["km/h", "size (m²)", "class", "1st", "naïve / naïve", " padded ", "[UNK]"]
    table = pd.DataFrame({name: random.normal(size=80).round(3) for name in odd})
    table["a/b"] = random.choice(["[UNK]", "x/y", ""], 80)
    table["kind"] = np.where(table["km/h"] > 0, "fast", "slow")
    table.to_csv(tmp_path / "odd.csv", index=False)
    result = recipes.mlp_tabular(
        str(tmp_path / "odd.csv"), target="kind", epochs=2, quiet=True, run_dir=str(tmp_path / "run")
    )
    result.export(tmp_path / "served")
    frame = pd.read_csv(tmp_path / "odd.csv")
    answer = kexp.load_exported(tmp_path / "served").predict(frame)
    np.testing.assert_allclose(answer.probabilities, result.predict(frame).probabilities, atol=1e-5)


@pytest.mark.slow
def test_a_table_of_plain_numbers_in_an_npz_file_works(tmp_path):
    random = np.random.default_rng(0)
    inputs = random.normal(3, 5, (200, 4))
    arrays = {"x_train": inputs[:150], "x_test": inputs[150:]}
    targets = (inputs[:, 0] > 3).astype(int)
    np.savez(tmp_path / "numbers.npz", **arrays, y_train=targets[:150], y_test=targets[150:])
    result = recipes.mlp_tabular(
        str(tmp_path / "numbers.npz"), learning_rate=0.02, quiet=True, run_dir=str(tmp_path / "run")
    )
    assert result.metrics["test_accuracy"] > 0.8
    result.export(tmp_path / "served")
